//! How workers take requests from tiny_http.
//!
//! One worker at a time takes requests and handles them at once, one after the other. While it is
//! at work tiny_http has nobody to wake, so a burst costs one wake-up; with all workers waiting
//! for requests every single request woke one of them, which cost more processor time than to
//! decode it. A long request is another matter: the worker lets the next one take requests before
//! it turns to it.
//!
//! Leaves out what a request is. Invariant: whoever handles a long request does not hold the turn,
//! so nothing short waits for it while another worker is free.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use tiny_http::{Request, Server};

/// Above so many bytes of body a request is long.
const LONG: usize = 32 * 1024;

/// How often a worker that finds no request lets others run before it sleeps: mostly the thread
/// that reads the next request only waits for the processor.
const YIELDS: usize = 2;

/// What the workers have in common.
pub(super) struct Intake {
    server: Server,
    turn: Mutex<()>,
    stopping: AtomicBool,
}

impl Intake {
    /// Takes requests from a server.
    pub const fn new(server: Server) -> Self {
        Self {
            server,
            turn: Mutex::new(()),
            stopping: AtomicBool::new(false),
        }
    }

    /// Lets every [`Self::run`] return.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        // Only the one whose turn it is waits for requests; the others look before they do.
        self.server.unblock();
    }

    /// Handles requests in this thread until stopped. `handle` must not panic.
    pub fn run(&self, handle: impl Fn(Request)) {
        while let Some(long) = self.take_turn(&handle) {
            handle(long);
        }
    }

    /// Handles requests until a long one comes, which is returned, or `None` when stopped.
    fn take_turn(&self, handle: &impl Fn(Request)) -> Option<Request> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let request = self.next()?;
            if request.body_length().is_some_and(|length| length > LONG) {
                return Some(request);
            }
            handle(request);
        }
    }

    /// The next request, or `None` when stopped.
    fn next(&self) -> Option<Request> {
        for _ in 0..YIELDS {
            match self.server.try_recv() {
                Ok(Some(request)) => return Some(request),
                _ => std::thread::yield_now(),
            }
        }
        while !self.stopping.load(Ordering::Acquire) {
            match self.server.recv() {
                Ok(request) => return Some(request),
                // Unblocked, or a failure to accept, which comes the same way and ends nothing.
                Err(error) => tracing::debug!("no request was received: {error}"),
            }
        }
        None
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpStream;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn short_requests_do_not_wait_for_a_long_one() {
        let server = Server::http("127.0.0.1:0").unwrap();
        let address = server.server_addr().to_ip().unwrap();
        let intake = Intake::new(server);
        let (short_told, short) = channel();
        let (long_told, long) = channel();
        // The long one is handled only when three short ones have been.
        let long_waits = Mutex::new(short);
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (short_told, long_told) = (short_told.clone(), long_told.clone());
                let (intake, long_waits) = (&intake, &long_waits);
                scope.spawn(move || {
                    intake.run(|request| {
                        if request.url() == "/short" {
                            short_told.send(()).unwrap();
                            return;
                        }
                        let short = long_waits.lock().unwrap();
                        let came = (0..3).map(|_| short.recv_timeout(Duration::from_secs(20)));
                        long_told.send(came.filter(Result::is_ok).count()).unwrap();
                    });
                });
            }
            let post = |target: &str, length: usize| {
                let mut stream = TcpStream::connect(address).unwrap();
                let head = format!(
                    "POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).unwrap();
                stream.write_all(&vec![b'x'; length]).unwrap();
                stream
            };
            let mut open = vec![post("/long", LONG + 1)];
            open.extend((0..3).map(|_| post("/short", 10)));
            let came = long.recv_timeout(Duration::from_secs(60));
            // Also when the assertion below fails, the threads must end.
            intake.stop();
            assert_eq!(came.unwrap(), 3);
        });
    }
}

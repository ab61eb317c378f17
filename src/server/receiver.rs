//! Receives requests from tiny_http for the workers.
//!
//! One worker at a time receives requests and handles them at once, so a burst costs one wake-up:
//! with all workers waiting in tiny_http, every request would wake one, which costs more than
//! decoding it. Expensive work, which `handle` returns (the decoding of a long request, the verification
//! of a signature), is done without the turn: the worker first lets the next one receive.
//!
//! Invariant: a worker never holds the turn during expensive work, so short requests and further
//! verifications proceed while another worker is free.

use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use tiny_http::{Request, Server};

use super::http_server::Rest;

/// How often a worker that finds no request yields before it sleeps: mostly the thread that reads
/// the next request only waits for the processor.
const YIELDS: usize = 2;

/// Shared by the workers.
pub(super) struct RequestReceiver {
    server: Server,
    turn: Mutex<()>,
    stopping: AtomicBool,
}

impl RequestReceiver {
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
        // Only the worker with the turn waits for requests; the others check before they do.
        self.server.unblock();
    }

    /// Handles requests in this thread until stopped. The returned closure is called once another
    /// worker can receive. Neither may panic.
    pub fn run(&self, handle: impl Fn(Request) -> Option<Rest>) {
        while let Some(rest) = self.take_turn(&handle) {
            rest();
        }
    }

    /// Handles requests until there is expensive work, or `None` when stopped.
    fn take_turn(&self, handle: &impl Fn(Request) -> Option<Rest>) -> Option<Rest> {
        let _turn = self.turn.lock();
        loop {
            if let Some(rest) = handle(self.next()?) {
                return Some(rest);
            }
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
                // Unblocked, or accepting failed, which is reported the same way.
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
    use std::net::{SocketAddr, TcpStream};
    use std::sync::mpsc::channel;
    use std::sync::{Arc, Barrier};
    use std::time::Duration;

    fn start() -> (RequestReceiver, SocketAddr) {
        let server = Server::http("127.0.0.1:0").unwrap();
        let address = server.server_addr().to_ip().unwrap();
        (RequestReceiver::new(server), address)
    }

    fn get(address: SocketAddr, target: &str) -> TcpStream {
        let mut stream = TcpStream::connect(address).unwrap();
        let head = format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream
    }

    #[test]
    fn other_requests_do_not_wait_for_expensive_work() {
        let (receiver, address) = start();
        let (short_done, short) = channel();
        let (long_done, long) = channel();
        // The long work is finished only when three short requests have been.
        let long_waits = Arc::new(Mutex::new(short));
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (short_done, long_done) = (short_done.clone(), long_done.clone());
                let (receiver, long_waits) = (&receiver, Arc::clone(&long_waits));
                let handle = move |request: Request| {
                    if request.url() == "/short" {
                        short_done.send(()).unwrap();
                        return None;
                    }
                    let (long_done, long_waits) = (long_done.clone(), Arc::clone(&long_waits));
                    let finish = move || {
                        let short = long_waits.lock();
                        let came = (0..3).map(|_| short.recv_timeout(Duration::from_secs(20)));
                        long_done.send(came.filter(Result::is_ok).count()).unwrap();
                    };
                    Some(Box::new(finish) as Rest)
                };
                scope.spawn(move || receiver.run(handle));
            }
            let mut open = vec![get(address, "/long")];
            open.extend((0..3).map(|_| get(address, "/short")));
            let came = long.recv_timeout(Duration::from_secs(60));
            // Also when the assertion below fails, the threads must end.
            receiver.stop();
            assert_eq!(came.unwrap(), 3);
        });
    }

    #[test]
    fn the_expensive_rest_of_requests_runs_on_all_workers() {
        let (receiver, address) = start();
        // Both must be in `finish` at the same time, or neither passes the barrier.
        let (barrier, (done, finished)) = (Arc::new(Barrier::new(2)), channel());
        std::thread::scope(|scope| {
            for _ in 0..2 {
                let (receiver, barrier, done) = (&receiver, Arc::clone(&barrier), done.clone());
                let handle = move |_| {
                    let (barrier, done) = (Arc::clone(&barrier), done.clone());
                    let finish = move || {
                        barrier.wait();
                        done.send(()).unwrap();
                    };
                    Some(Box::new(finish) as Rest)
                };
                scope.spawn(move || receiver.run(handle));
            }
            let _open = [get(address, "/a"), get(address, "/b")];
            let both = (0..2).filter(|_| finished.recv_timeout(Duration::from_secs(60)).is_ok());
            let both = both.count();
            receiver.stop();
            assert_eq!(both, 2);
        });
    }
}

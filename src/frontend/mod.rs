//! The public side of the receiver: one thread that owns the listening socket and every client
//! connection, reads whole requests, and passes each on to the HTTP server behind it over one of
//! a fixed set of private, long-lived Unix-socket connections.
//!
//! It exists because tiny_http hands a new connection to a thread that is about to wake
//! as if that thread were free, so keep-alive connections that are opened together can wait for
//! each other without end, and because that server knows neither caps nor deadlines. Here every
//! private connection is opened and answered once before the next one, so each has its thread,
//! and clients are multiplexed over them.
//!
//! Requests go over the private connections, several at one time and without waiting for each
//! other; answers come back in process, all that are ready at one time with one wake-up (see
//! [`call`]). For a call the frontend then pays a read and a write of the client's socket and a share
//! of everything else. With one call on each of 64 private connections, whose answers came back
//! over them, the whole server took 1.5 to 1.8 times the processor time for a call, and at 128
//! connections kept 0.56 of the calls.
//!
//! TLS is spoken in the same loop: a client's stream decrypts and encrypts, and nothing else knows.
//! Requests are held whole, and so are answers but for long ones, which go piece by piece (see
//! [`long`]).
//!
//! Left out: HTTP/2, chunked requests (they reach tiny_http as a fault), and routing.
//!
//! Invariants:
//! - nothing of a client's head goes upstream as a head but the method, the target and the headers
//!   named in [`head::PASSED`]; the head that goes upstream is always well formed;
//! - every call has a number of its own, and the answer made for that number goes to the client
//!   that asked or to nobody; what a private connection carries unanswered is bounded;
//! - a client's requests are answered in the order in which they came;
//! - what one client can make the frontend hold is bounded by its head and body limits, and what all
//!   can is bounded too (`max_buffered`);
//! - whoever sends a whole request is answered, however many hold connections without sending one.

mod admission;
mod call;
mod chunked;
mod client;
mod client_flow;
mod clients;
mod deadlines;
mod event_loop;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod head;
mod nonblocking;
mod origin;
mod response;
mod response_stream;
mod stats;
mod stream;
mod tls;
mod upstream;
mod upstream_flow;

#[cfg(test)]
mod tests;

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use call::{Answers, CALL_HEADER, CallId};
pub use head::{FAULT_HEADER, HEAD_HEADER, PEER_HEADER};
pub use origin::{Network, NotANetwork, Proxies, client_network};
pub use response::SAFETY_HEADERS;
pub use response_stream::ResponseStream;
pub use stats::StatsSnapshot;
pub use tls::{Tls, TlsError, TlsFiles};
pub use upstream::connect_private;

/// The limits of a [`Frontend`].
#[derive(Debug, Clone)]
pub struct FrontendConfig {
    /// Client connections at one time; past it the most dispensable one is closed for a new one.
    pub max_connections: usize,
    /// The same for one address, or one IPv6 network of 64 bits; trusted proxies may have all.
    pub max_per_address: usize,
    /// The certificate, where clients speak TLS.
    pub tls: Option<Tls>,
    /// Whose word on the client's address counts.
    pub trusted_proxies: Proxies,
    /// Bytes of a request's first line and headers together.
    pub max_head: usize,
    /// Bytes of a request's body; a longer one is announced upstream as too large.
    pub max_body: usize,
    /// Whether a client's head goes upstream as it came, before the body, announced by
    /// [`HEAD_HEADER`]: for who checks signatures. Only of methods that have a body.
    pub pass_head: bool,
    /// Whether the headers by which browsers and their sessions are known go upstream too.
    pub pass_browser: bool,
    /// Bytes that the buffers of all clients may take; past it the largest request that is not
    /// whole is refused.
    pub max_buffered: usize,
    /// Requests that one private connection carries at one time, unanswered; what is beyond them
    /// waits.
    pub calls_per_connection: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// How long a head may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a request may take from its first byte to its last; one with a long body may take
    /// longer.
    pub request_timeout: Duration,
    /// How long the answer may take, once the request is whole, before the client gets a 502.
    pub answer_timeout: Duration,
    /// How long a client may leave its answer where it is.
    pub write_timeout: Duration,
    /// The socket at which a lost private connection is opened again; without it, a lost one
    /// stays lost.
    pub private_path: Option<PathBuf>,
}

impl Default for FrontendConfig {
    fn default() -> Self {
        Self {
            max_connections: 512,
            max_per_address: 256,
            tls: None,
            trusted_proxies: Proxies::default(),
            max_head: 16 * 1024,
            max_body: 1024 * 1024,
            pass_head: false,
            pass_browser: false,
            max_buffered: 64 * 1024 * 1024,
            calls_per_connection: 128,
            handshake_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            head_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(30),
            answer_timeout: Duration::from_secs(60),
            write_timeout: Duration::from_secs(30),
            private_path: None,
        }
    }
}

/// What the owner, the event loop and a reconnecting thread have in common.
#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    reconnecting: AtomicBool,
    deadline: Mutex<Option<Instant>>,
    fresh: Mutex<Vec<UnixStream>>,
}

/// Locks whatever happened to the last holder: the guarded values are always whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The running frontend; dropping it stops it without grace.
pub struct Frontend {
    shared: Arc<Shared>,
    waker: Arc<mio::Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Frontend {
    /// Takes a bound listener, the private connections and the place where their requests'
    /// answers are put, and starts to serve.
    pub fn start(
        listener: TcpListener,
        upstreams: Vec<UnixStream>,
        config: FrontendConfig,
        answers: Answers,
    ) -> io::Result<Frontend> {
        let shared = Arc::new(Shared::default());
        let (event_loop, waker) =
            event_loop::EventLoop::new(listener, upstreams, config, Arc::clone(&shared), answers)?;
        let thread = std::thread::Builder::new()
            .name("frontend".to_owned())
            .spawn(move || event_loop.run())?;
        Ok(Frontend {
            shared,
            waker,
            thread: Some(thread),
        })
    }

    /// Closes the listener and the idle connections at once, lets every request whose first byte
    /// has been read finish and be answered, for at most `grace`, and returns when the thread
    /// has ended.
    pub fn shutdown(mut self, grace: Duration) {
        self.stop(grace);
    }

    fn stop(&mut self, grace: Duration) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        *lock(&self.shared.deadline) = Instant::now().checked_add(grace);
        self.shared.stopping.store(true, Ordering::Release);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the frontend could not be woken to stop");
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the frontend's thread had panicked");
        }
    }
}

impl Drop for Frontend {
    fn drop(&mut self) {
        self.stop(Duration::ZERO);
    }
}

//! The public side of a server: one thread that owns the listener and every client connection, reads
//! complete requests, and passes each to tiny_http over a few private, long-lived Unix-socket
//! connections.
//!
//! tiny_http can count an already notified thread as idle, so a queued connection may starve; it also
//! has no limits on connections and no deadlines. Each private connection is therefore greeted
//! before the next is opened, so that it has its own thread, and clients are multiplexed over them.
//!
//! Only the heads of requests go over the private connections; bodies and answers go in process
//! ([`call`]). A request then costs a read and a write of the client's socket and a share of
//! everything else. The same loop handles TLS, in a client's [`stream`]. Requests and answers are
//! held whole, except streamed answers (see [`response_stream`]).
//!
//! Not here: HTTP/2, transfer codings other than chunked (passed on as a fault), and routing.
//!
//! Invariants:
//! - of a client's head only the method, the target and the headers in [`head::PASSED`] go upstream
//!   as a head, and that head is well formed;
//! - every request has a unique number, and the answer with that number goes to the client that
//!   asked or to nobody; the unanswered requests of a private connection are bounded;
//! - a client's requests are answered in order;
//! - the memory of one client is bounded by the limits on head and body, and that of all by
//!   `max_buffered`;
//! - a client that sends a complete request is answered, regardless of the number of connections
//!   that send none.

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

#[cfg(test)]
mod tests;

use std::io;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

pub use call::{Answers, CALL_HEADER, CallId, Payload};
pub(crate) use chunked::ChunkDecoder;
pub use head::{Fault, PEER_HEADER};
pub use origin::{Network, client_network};
pub use response::SAFETY_HEADERS;
pub use response_stream::ResponseStream;
pub use tls::{Tls, TlsFiles};
pub use upstream::connect_private;

/// The limits of a [`Frontend`].
#[derive(Debug, Clone)]
pub struct FrontendConfig {
    /// The most client connections; beyond it one is evicted for a new one.
    pub max_connections: usize,
    /// The same for one address or IPv6 network of 64 bits; trusted proxies may have all.
    pub max_per_address: usize,
    /// The certificate, for TLS.
    pub tls: Option<Tls>,
    /// The proxies whose forwarded addresses are trusted.
    pub trusted_proxies: Vec<Network>,
    /// Bytes of a request's first line and headers together.
    pub max_head: usize,
    /// Bytes of a request's body; a longer one is passed on with a fault.
    pub max_body: usize,
    /// Whether a client's head is passed as received, too, for checking signatures. Only for methods
    /// with a body.
    pub pass_head: bool,
    /// Whether the headers of browsers and their sessions are passed too.
    pub pass_browser: bool,
    /// Bytes of all clients' buffers; beyond it the largest incomplete request is refused.
    pub max_buffered: usize,
    /// Unanswered requests of one private connection; further ones wait.
    pub calls_per_connection: usize,
    /// How long a TLS handshake may take.
    pub handshake_timeout: Duration,
    /// How long a connection may stay open without a request.
    pub idle_timeout: Duration,
    /// How long a head may take from its first byte to its last.
    pub head_timeout: Duration,
    /// How long a request may take from its first byte to its last; longer with a long body.
    pub request_timeout: Duration,
    /// How long the answer to a complete request may take before the client gets a 502.
    pub answer_timeout: Duration,
    /// How long a client may read nothing of its answer.
    pub write_timeout: Duration,
    /// The socket at which a lost private connection is reopened; without it, it stays lost.
    pub private_path: Option<PathBuf>,
}

impl Default for FrontendConfig {
    fn default() -> Self {
        Self {
            max_connections: 512,
            max_per_address: 256,
            tls: None,
            trusted_proxies: Vec::new(),
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

/// A running frontend; dropping it stops it without grace.
pub struct Frontend {
    /// Set when it is to stop: until when requests may be answered.
    stop_at: Arc<OnceLock<Instant>>,
    waker: Arc<mio::Waker>,
    thread: Option<JoinHandle<()>>,
}

impl Frontend {
    /// Starts to serve a bound listener over the private connections; the answers come from the
    /// mailbox `answers`.
    pub fn start(
        listener: TcpListener,
        upstreams: Vec<UnixStream>,
        config: FrontendConfig,
        answers: Answers,
    ) -> io::Result<Frontend> {
        let stop_at = Arc::new(OnceLock::new());
        let (event_loop, waker) =
            event_loop::EventLoop::new(listener, upstreams, config, Arc::clone(&stop_at), answers)?;
        let thread = std::thread::Builder::new()
            .name("frontend".to_owned())
            .spawn(move || event_loop.run())?;
        Ok(Frontend {
            stop_at,
            waker,
            thread: Some(thread),
        })
    }

    /// Closes the listener and the idle connections at once, and returns when the thread has
    /// ended. Every request whose first byte has been read is still answered, for at most
    /// `grace`. A connection without a request so far may begin one within a second of its
    /// opening.
    pub fn shutdown(&mut self, grace: Duration) {
        let Some(thread) = self.thread.take() else {
            return;
        };
        // Nobody else sets it: the thread was taken.
        let _ = self.stop_at.set(Instant::now() + grace);
        if let Err(error) = self.waker.wake() {
            tracing::error!(%error, "the frontend could not be woken to stop");
            return;
        }
        if thread.join().is_err() {
            tracing::error!("the frontend's thread panicked");
        }
    }
}

impl Drop for Frontend {
    fn drop(&mut self) {
        self.shutdown(Duration::ZERO);
    }
}

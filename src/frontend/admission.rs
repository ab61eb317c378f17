//! Accepting connections, and evicting others for them.
//!
//! A new connection is accepted as long as an existing one can be evicted. Idle connections are
//! evicted first, then those with an incomplete request, then those that do not read their answer;
//! within each kind, the one that has been in its phase longest. So a crowd of silent or slow
//! clients evicts its own oldest connections, and a client that sends a complete request at once is
//! answered. A new connection is refused only if every connection has a request with tiny_http.
//!
//! The same applies within one address that has as many connections as it may, and when the process
//! has no descriptor left. Then a reserved descriptor is used to refuse a connection that would
//! otherwise wait unanswered.
//!
//! Invariants: a client with a complete request is never evicted unanswered; the loop returns to its
//! other events after a bounded number of new connections.

use super::client::{Client, Phase};
use super::event_loop::EventLoop;
use super::head::Refusal;
use super::origin::Peer;
use super::response;
use super::stream::Stream;
use crate::log_limiter::LogLimiter;
use mio::net::TcpStream;
use rustix::io::Errno;
use std::fs::File;
use std::io::{ErrorKind, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// The maximum number of connections accepted before other events are handled.
const MOST_AT_ONCE: usize = 64;
/// The wait after the system refused a new connection.
const RETRY: Duration = Duration::from_millis(100);
/// The connections evicted when no descriptor is left, so that the rest of the program has some
/// too.
const RELIEF: usize = 8;

/// The order in which clients are evicted, by their phase; `None` for those that are not.
const fn eviction_rank(phase: Phase) -> Option<u8> {
    match phase {
        Phase::Linger(_) => Some(0),
        Phase::Idle => Some(1),
        Phase::Head => Some(2),
        Phase::Body(_) | Phase::Chunks | Phase::Discard(_) => Some(3),
        Phase::Answer => Some(4),
        Phase::Queued | Phase::Upstream(_) | Phase::Streaming(_) => None,
    }
}

/// State between attempts to accept connections.
#[derive(Default)]
pub(super) struct Admission {
    /// When to accept again without an event.
    pub(super) retry_at: Option<Instant>,
    log: LogLimiter,
    /// A descriptor to give up when no other is left.
    reserve: Option<File>,
}

impl Admission {
    /// Opens the reserve.
    pub(super) fn new() -> Self {
        let mut admission = Self::default();
        admission.hold_reserve();
        admission
    }

    fn hold_reserve(&mut self) {
        if self.reserve.is_none() {
            // Without it a connection waits, as it would have anyway.
            self.reserve = File::open("/dev/null").ok();
        }
    }
}

impl EventLoop {
    pub(super) fn accept(&mut self) {
        self.admission.retry_at = None;
        for _ in 0..MOST_AT_ONCE {
            let Some(listener) = &self.listener else {
                return;
            };
            match listener.accept() {
                Ok((stream, peer)) => self.admit(stream, peer),
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return,
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted => {}
                    _ => {
                        self.admission.log.warn(format!(
                            "no new connection could be accepted with {} open: {error}; raise the \
                             limit on open files if it lasts",
                            self.clients.len()
                        ));
                        let own_limit = Errno::from_io_error(&error) == Some(Errno::MFILE);
                        if own_limit && self.free_descriptors() {
                            continue;
                        }
                        // No event comes for a connection that waits already.
                        self.admission.retry_at = self.now.checked_add(RETRY);
                        return;
                    }
                },
            }
        }
        self.admission.retry_at = Some(self.now);
    }

    /// Evicts some connections, and returns whether any could be evicted; if not, refuses a
    /// waiting one by means of the reserved descriptor.
    fn free_descriptors(&mut self) -> bool {
        let ended = (0..RELIEF).take_while(|_| self.evict_one(None)).count();
        if ended > 0 {
            return true;
        }
        let Some(reserve) = self.admission.reserve.take() else {
            self.admission.hold_reserve();
            return false;
        };
        drop(reserve);
        let accepted = self.listener.as_ref().map(|listener| listener.accept());
        if let Some(Ok((stream, _))) = accepted {
            self.refuse_connection(stream);
        }
        self.admission.hold_reserve();
        false
    }

    fn admit(&mut self, stream: TcpStream, address: SocketAddr) {
        let peer = Peer::new(address, &self.config.trusted_proxies);
        if let Some(counted) = peer.counted {
            while self.clients.count_of(counted) >= self.config.max_per_address {
                if !self.evict_one(Some(counted)) {
                    return self.refuse_connection(stream);
                }
            }
        }
        while self.clients.len() >= self.config.max_connections {
            if !self.evict_one(None) {
                return self.refuse_connection(stream);
            }
        }
        // It only costs latency when it fails.
        let _ = stream.set_nodelay(true);
        let tls = self.config.tls.as_ref();
        if let Some(tls) = tls {
            tls.reload_if_changed(self.now);
        }
        let stream = match Stream::new(stream, tls.map(|tls| &tls.config)) {
            Ok(stream) => stream,
            Err(error) => return tracing::error!(%error, "no TLS session could be begun"),
        };
        // Among connections accepted in one round, too, the oldest goes first.
        let accepted = Instant::now();
        if let Err(error) = self
            .clients
            .add(self.poll.registry(), stream, peer, accepted)
        {
            tracing::error!(%error, "a connection could not be registered");
        }
    }

    /// Refuses a connection for lack of room, silently if an answer would need a handshake.
    fn refuse_connection(&mut self, mut stream: TcpStream) {
        if self.config.tls.is_some() {
            return;
        }
        let bytes = response::own(TOO_MANY, false);
        self.answers.stats().count_refused(TOO_MANY.status);
        // The best that can be done for it.
        let _ = stream.write(&bytes);
    }

    /// Ends the connection that is the most dispensable, of one address or of all; false when
    /// none is.
    fn evict_one(&mut self, of: Option<IpAddr>) -> bool {
        let key = |client: &Client| {
            let is_counted = of.is_none() || client.peer.counted == of;
            let rank = eviction_rank(client.phase).filter(|_| is_counted)?;
            Some((rank, client.since))
        };
        while let Some(((rank, _), index)) = self.clients.least(key) {
            // The awaited bytes may have just arrived.
            self.read_again(index);
            let Some(client) = self.clients.get(index) else {
                return true;
            };
            if eviction_rank(client.phase) != Some(rank) {
                continue;
            }
            if matches!(
                client.phase,
                Phase::Head | Phase::Body(_) | Phase::Chunks | Phase::Discard(_)
            ) {
                self.refuse(index, TOO_MANY);
            }
            self.close(index);
            return true;
        }
        false
    }
}

const TOO_MANY: Refusal = Refusal::new(503, "too many connections", "connection");

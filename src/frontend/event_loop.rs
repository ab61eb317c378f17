//! The event loop: dispatches events, accepts connections, checks deadlines, and stops.
//!
//! Invariants: new connections are accepted after all other events of a round, so an index in the
//! table is never reused while an event for its last client may be pending; the loop ends only when
//! it is stopped.

use super::FrontendConfig;
use super::admission::Admission;
use super::call::{Answer, Answers, Call, CallId};
use super::client::Phase;
use super::clients::{Clients, FIRST_TOKEN as FIRST_CLIENT};
use super::deadlines::{SWEEP, SWEEP_STOPPING};
use super::upstream::{FIRST_TOKEN as FIRST_UPSTREAM, Upstream, connect_one};
use mio::net::TcpListener;
use mio::{Events, Interest, Poll, Token, Waker};
use std::collections::{HashMap, VecDeque};
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

const LISTENER: Token = Token(0);
const WAKER: Token = Token(1);
/// The most bytes of one read.
const SCRATCH: usize = 64 * 1024;
/// New connections that the system queues until they are accepted. With the usual 128 a crowd would
/// make others wait for a second or more.
const BACKLOG: i32 = 1024;
/// The time-out of the greeting of a private connection that is opened again.
const RECONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// The wait after polling for events failed.
const POLL_RETRY: Duration = Duration::from_millis(100);

/// The state of the frontend's thread.
pub(super) struct EventLoop {
    pub(super) poll: Poll,
    pub(super) config: FrontendConfig,
    pub(super) clients: Clients,
    pub(super) upstreams: Vec<Option<Upstream>>,
    pub(super) calls: HashMap<CallId, Call>,
    /// The number of the last one that began.
    pub(super) last_call: CallId,
    /// The clients whose requests wait for a private connection.
    pub(super) queue: VecDeque<usize>,
    pub(super) scratch: Vec<u8>,
    /// The time at which the current round began.
    pub(super) now: Instant,
    /// Set once stopping: when to end anyway.
    pub(super) deadline: Option<Instant>,
    pub(super) listener: Option<TcpListener>,
    pub(super) admission: Admission,
    /// Set by the owner, which then wakes the loop.
    stop_at: Arc<OnceLock<Instant>>,
    pub(super) answers: Answers,
    /// The answers being written; kept for its capacity.
    taken: Vec<(CallId, Answer)>,
    /// When deadlines were last checked.
    pub(super) swept: Instant,
}

impl EventLoop {
    pub(super) fn new(
        listener: std::net::TcpListener,
        streams: Vec<UnixStream>,
        config: FrontendConfig,
        stop_at: Arc<OnceLock<Instant>>,
        answers: Answers,
    ) -> io::Result<(Self, Arc<Waker>)> {
        let poll = Poll::new()?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        let mut listener = TcpListener::from_std(listener);
        poll.registry()
            .register(&mut listener, LISTENER, Interest::READABLE)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        answers.wake_by(Arc::clone(&waker));
        let upstreams = streams
            .into_iter()
            .enumerate()
            .map(|(place, stream)| Upstream::new(poll.registry(), stream, place).map(Some))
            .collect::<io::Result<Vec<_>>>()?;
        let now = Instant::now();
        let event_loop = Self {
            config,
            clients: Clients::default(),
            upstreams,
            calls: HashMap::new(),
            last_call: CallId::default(),
            queue: VecDeque::new(),
            scratch: vec![0; SCRATCH],
            now,
            deadline: None,
            listener: Some(listener),
            admission: Admission::new(),
            stop_at,
            answers,
            taken: Vec::new(),
            swept: now,
            poll,
        };
        Ok((event_loop, waker))
    }

    pub(super) fn run(mut self) {
        let mut events = Events::with_capacity(1024);
        loop {
            if let Err(error) = self.poll.poll(&mut events, self.timeout()) {
                if error.kind() != ErrorKind::Interrupted {
                    tracing::error!(%error, "waiting for events failed");
                    std::thread::sleep(POLL_RETRY);
                }
                continue;
            }
            self.now = Instant::now();
            self.take_answers();
            let mut woken = false;
            let mut accept = self.admission.retry_at.is_some_and(|at| at <= self.now);
            for event in events.iter() {
                match event.token() {
                    LISTENER => accept = true,
                    WAKER => woken = true,
                    Token(token) => {
                        if let Some(index) = token.checked_sub(FIRST_CLIENT) {
                            self.client_event(index, event);
                        } else if let Some(place) = token.checked_sub(FIRST_UPSTREAM) {
                            self.upstream_event(place, event);
                        }
                    }
                }
            }
            if woken
                && self.deadline.is_none()
                && let Some(deadline) = self.stop_at.get().copied()
            {
                self.begin_stop(deadline);
            }
            if accept {
                self.accept();
            }
            if self.now.duration_since(self.swept) >= self.sweep_every() {
                self.sweep();
            }
            self.count();
            self.write_requests();
            if let Some(deadline) = self.deadline
                && (self.clients.len() == 0 || deadline <= self.now)
            {
                return;
            }
        }
    }

    fn count(&self) {
        let mut stats = self.answers.stats();
        stats.connections = self.clients.len();
        stats.waiting = self.queue.len();
        stats.in_flight = self.calls.len();
    }

    fn sweep_every(&self) -> Duration {
        if self.deadline.is_some() {
            SWEEP_STOPPING
        } else {
            SWEEP
        }
    }

    /// How long to wait for events; for ever if no deadline is pending.
    fn timeout(&self) -> Option<Duration> {
        let ages = self.clients.len() > 0 || self.upstreams.iter().any(Option::is_none);
        let sweep = ages.then(|| self.swept + self.sweep_every());
        let at = [sweep, self.admission.retry_at, self.deadline]
            .into_iter()
            .flatten()
            .min()?;
        Some(at.saturating_duration_since(Instant::now()))
    }

    /// Writes the answers made since the last round.
    fn take_answers(&mut self) {
        let mut taken = std::mem::take(&mut self.taken);
        self.answers.take(&mut taken);
        for (id, answer) in taken.drain(..) {
            self.receive(id, answer);
        }
        self.taken = taken;
    }

    fn begin_stop(&mut self, deadline: Instant) {
        self.deadline = Some(deadline);
        self.admission.retry_at = None;
        if let Some(mut listener) = self.listener.take() {
            // Closing it would not end this if a supervisor also holds the socket.
            let _ = self.poll.registry().deregister(&mut listener);
        }
        for index in 0..self.clients.places() {
            if self
                .clients
                .get(index)
                .is_some_and(|client| client.phase == Phase::Idle)
            {
                self.read_again(index);
            }
        }
    }

    /// Reads a client once more before a decision to close it, so that bytes that have just arrived
    /// count; while stopping, this closes idle clients.
    pub(super) fn read_again(&mut self, index: usize) {
        if let Some(client) = self.clients.get(index) {
            client.readiness.arm();
            self.pump(index);
        }
    }

    /// Reopens the lost private connections. The peer is this process, which does not let the loop
    /// wait for long.
    pub(super) fn reconnect(&mut self) {
        let Some(path) = self.config.private_path.as_ref() else {
            return;
        };
        if self.deadline.is_some() {
            return;
        }
        for (place, slot) in self.upstreams.iter_mut().enumerate() {
            if slot.is_some() {
                continue;
            }
            let stream = connect_one(path, RECONNECT_TIMEOUT);
            let opened = stream.and_then(|it| Upstream::new(self.poll.registry(), it, place));
            match opened {
                Ok(upstream) => *slot = Some(upstream),
                Err(error) => {
                    return tracing::error!(%error, "a private connection could not be opened again");
                }
            }
            tracing::info!(place, "a private connection is open again");
        }
        self.dispatch_queued();
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        // The maker of a streamed answer must not wait for a frontend that has ended.
        self.answers.close();
    }
}

//! The private connections to tiny_http: how they are opened, and how requests reach them.
//!
//! A connection carries the heads of many requests at one time, one after the other. Bodies and
//! answers do not use it (see [`super::call`]), so only its end is ever read from it. A request
//! goes to the first connection with room. All requests of a round of events are written at its
//! end, so that tiny_http is woken once and reads several at a time. The other connections carry
//! the requests that the first cannot accept.
//!
//! Invariants: the unanswered bytes and requests of a connection are bounded, so that a long request
//! delays few others and tiny_http never holds more than the frontend allows; a connection that
//! sends anything is dropped and never used again; requests that wait are handed over in order.

use super::call::{CALL_HEADER, Call, CallId};
use super::client::Phase;
use super::event_loop::EventLoop;
use super::head::Refusal;
use super::nonblocking::{CLIENT_KEPT, Outbox, ReadOutcome, Readiness, WriteOutcome, reset};
use mio::event::Event;
use mio::net::UnixStream;
use mio::{Interest, Registry, Token};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

pub(super) const FIRST_TOKEN: usize = 16;

/// The time-out of the greeting of a new private connection.
const HELLO_TIMEOUT: Duration = Duration::from_secs(5);
/// The most bytes of the answer to the greeting.
const HELLO_MAX: u64 = 64 * 1024;

/// A private connection with more unanswered bytes accepts no further request.
const FULL_BYTES: usize = 64 * 1024;
/// The capacity kept for further requests.
const KEPT_BYTES: usize = 64 * 1024;

pub(super) struct Upstream {
    pub(super) stream: UnixStream,
    pub(super) readiness: Readiness,
    /// Unanswered requests.
    calls: usize,
    /// Their bytes.
    bytes: usize,
    /// Requests to write.
    pub(super) outbox: Outbox,
}

impl Upstream {
    /// Registers an opened connection for the place `index`.
    pub(super) fn new(
        registry: &Registry,
        stream: std::os::unix::net::UnixStream,
        index: usize,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let mut stream = UnixStream::from_std(stream);
        let token = Token(FIRST_TOKEN.saturating_add(index));
        registry.register(&mut stream, token, Interest::READABLE)?;
        Ok(Self {
            stream,
            readiness: Readiness::default(),
            calls: 0,
            bytes: 0,
            outbox: Outbox::new(token, KEPT_BYTES),
        })
    }

    fn flush(&mut self, registry: &Registry) -> WriteOutcome {
        let outcome = self.outbox.write(&mut self.stream);
        self.outbox.watch(registry, &mut self.stream, outcome)
    }
}

impl EventLoop {
    /// Hands a complete request to a private connection with room, or queues it.
    pub(super) fn submit(&mut self, index: usize) {
        let now = self.now;
        let Some(client) = self.clients.get(index) else {
            return;
        };
        client.enter(Phase::Queued, now);
        if self.upstreams.iter().all(Option::is_none) {
            return self.refuse(index, NOBODY);
        }
        self.queue.push_back(index);
        self.dispatch_queued();
    }

    /// Hands over queued requests while there is room.
    pub(super) fn dispatch_queued(&mut self) {
        while !self.queue.is_empty() {
            let most = self.config.calls_per_connection;
            let has_room = |upstream: &Option<Upstream>| {
                let fits = |some: &Upstream| some.bytes < FULL_BYTES && some.calls < most;
                upstream.as_ref().is_some_and(fits)
            };
            let Some(place) = self.upstreams.iter().position(has_room) else {
                return;
            };
            if let Some(index) = self.queue.pop_front() {
                self.hand_over(place, index);
            }
        }
    }

    /// Hands a client's request to a private connection, to be written at the round's end.
    fn hand_over(&mut self, place: usize, index: usize) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        let Some(client) = self.clients.get(index) else {
            return;
        };
        if client.phase != Phase::Queued {
            return;
        }
        let id = self.last_call.next();
        self.last_call = id;
        let payload = std::mem::take(&mut client.payload);
        let bytes = client.upstream.len().saturating_add(payload.len());
        self.answers.hold_payload(id, payload);
        let call = format!("{CALL_HEADER}: {}\r\n", id.0);
        upstream
            .outbox
            .append_message(&client.upstream, call.as_bytes());
        upstream.calls = upstream.calls.saturating_add(1);
        upstream.bytes = upstream.bytes.saturating_add(bytes);
        reset(&mut client.upstream, CLIENT_KEPT);
        client.enter(Phase::Upstream(id), self.now);
        let call = Call {
            client: index,
            place,
            bytes,
        };
        self.calls.insert(id, call);
        self.clients.update_weight(index);
    }

    /// Writes the requests handed over since the last call.
    pub(super) fn write_requests(&mut self) {
        for place in 0..self.upstreams.len() {
            let upstream = self.upstreams.get(place).and_then(Option::as_ref);
            if upstream.is_some_and(|it| it.outbox.unsent() > 0 && !it.outbox.is_blocked) {
                self.write_to(place);
            }
        }
    }

    fn write_to(&mut self, place: usize) {
        let Some(upstream) = self.upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        if upstream.flush(self.poll.registry()) == WriteOutcome::Broken {
            self.lost(place, "it takes no request");
        }
    }

    /// Handles an event of a private connection: it is writable again, or lost.
    pub(super) fn upstream_event(&mut self, place: usize, event: &Event) {
        let Self {
            upstreams, scratch, ..
        } = self;
        let Some(upstream) = upstreams.get_mut(place).and_then(Option::as_mut) else {
            return;
        };
        upstream.readiness.note(event);
        match upstream.readiness.read(&mut upstream.stream, scratch) {
            ReadOutcome::Drained => {}
            ReadOutcome::Bytes(_) => {
                return self.lost(place, "it sent an answer without a request");
            }
            ReadOutcome::End => return self.lost(place, "it was closed"),
            ReadOutcome::Broken => return self.lost(place, "it is broken"),
        }
        if event.is_writable() && upstream.outbox.is_writing() {
            self.write_to(place);
        }
    }

    /// Removes an answered request from its private connection.
    pub(super) fn end_call(&mut self, id: CallId) -> Option<Call> {
        let Some(call) = self.calls.remove(&id) else {
            // Its private connection was lost, and its client answered.
            tracing::debug!("an answer arrived for a call that had already timed out");
            return None;
        };
        if let Some(upstream) = self.upstreams.get_mut(call.place).and_then(Option::as_mut) {
            upstream.calls = upstream.calls.saturating_sub(1);
            upstream.bytes = upstream.bytes.saturating_sub(call.bytes);
        }
        self.dispatch_queued();
        Some(call)
    }

    /// Closes a lost private connection, and refuses the requests that it carried and, if it was
    /// the last one, those that wait.
    fn lost(&mut self, place: usize, why: &'static str) {
        let Some(mut upstream) = self.upstreams.get_mut(place).and_then(Option::take) else {
            return;
        };
        tracing::error!(place, why, "a private connection is lost");
        // The descriptor is closed next, which ends the registration in any case.
        let _ = self.poll.registry().deregister(&mut upstream.stream);
        drop(upstream);
        let lost = self.calls.extract_if(|_, call| call.place == place);
        for (id, call) in lost.collect::<Vec<_>>() {
            drop(self.answers.take_payload(id));
            if self
                .clients
                .get(call.client)
                .is_some_and(|client| client.phase == Phase::Upstream(id))
            {
                self.refuse(call.client, LOST);
            }
        }
        if self.upstreams.iter().all(Option::is_none) {
            while let Some(index) = self.queue.pop_front() {
                self.refuse(index, NOBODY);
            }
        }
    }
}

/// Opens `count` private connections to tiny_http at `path`, one by one: the greeting on each is
/// answered before the next is opened, so that tiny_http has given each a thread of its own.
pub fn connect_private(
    path: &Path,
    count: usize,
) -> io::Result<Vec<std::os::unix::net::UnixStream>> {
    (0..count)
        .map(|_| connect_one(path, HELLO_TIMEOUT))
        .collect()
}

/// Opens one, with a time-out of its greeting.
pub(super) fn connect_one(
    path: &Path,
    timeout: Duration,
) -> io::Result<std::os::unix::net::UnixStream> {
    let mut stream = std::os::unix::net::UnixStream::connect(path)?;
    stream.set_read_timeout(Some(timeout))?;
    stream.set_write_timeout(Some(timeout))?;
    // The answer to HEAD ends with its head.
    stream.write_all(b"HEAD /-/hello HTTP/1.1\r\nHost: frontend\r\n\r\n")?;
    let mut answer = BufReader::new((&stream).take(HELLO_MAX));
    let mut line = String::new();
    while line != "\r\n" {
        line.clear();
        if answer.read_line(&mut line)? == 0 {
            let why = "the greeting of a private connection was not answered";
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
    }
    if !answer.buffer().is_empty() {
        let why = "more than one answer to the greeting";
        return Err(io::Error::new(io::ErrorKind::InvalidData, why));
    }
    stream.set_read_timeout(None)?;
    stream.set_write_timeout(None)?;
    Ok(stream)
}

const LOST: Refusal = Refusal::new(502, "tiny_http closed the connection", "server");

const NOBODY: Refusal = Refusal::new(503, "tiny_http cannot be reached", "server");

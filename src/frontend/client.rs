//! One client connection: its buffers and its phase.
//!
//! Invariant: `input` holds only bytes that no request has taken yet.

use super::call::{CallId, Payload};
use super::chunked::{ChunkDecoder, ChunkError};
use super::nonblocking::{CLIENT_KEPT, Outbox, ReadOutcome, Readiness, WriteOutcome, reset};
use super::origin::Peer;
use super::response_stream::Outgoing;
use super::stream::Stream;
use mio::{Registry, Token};
use std::time::Instant;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No byte of a request has come.
    Idle,
    /// A part of a head has come.
    Head,
    /// The head is parsed; this many bytes of the body are missing.
    Body(usize),
    /// The head is parsed, and a chunked body is being decoded.
    Chunks,
    /// The body is too large; this many more bytes are read and dropped before the answer, because
    /// a proxy may cut the answer short that comes while it is still sending.
    Discard(usize),
    /// The request is whole and waits for a private connection.
    Queued,
    /// The request is with tiny_http, under this number.
    Upstream(CallId),
    /// The answer under this number has begun, and more of it is being made.
    Streaming(CallId),
    /// The answer is being written.
    Answer,
    /// The answer is sent and the sending side is closed. This many more bytes are read and
    /// dropped, so that a client that is still sending can read its answer.
    Linger(usize),
}

impl Phase {
    /// Its name in the metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Head => "head",
            Self::Body(_) | Self::Chunks | Self::Discard(_) => "body",
            Self::Queued | Self::Upstream(_) => "waiting",
            Self::Streaming(_) | Self::Answer => "answer",
            Self::Linger(_) => "linger",
        }
    }
}

/// How the connection continues after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct ResponseOptions {
    /// It is closed.
    pub(super) close: bool,
    /// It is closed only after reading the client's remaining bytes for a while.
    pub(super) linger: bool,
    /// The answer has no body.
    pub(super) bodyless: bool,
    /// The client speaks HTTP/1.0: an answer says so if the connection stays open, and a streamed
    /// one is not chunked.
    pub(super) http10: bool,
}

pub(super) struct Client {
    pub(super) stream: Stream,
    pub(super) peer: Peer,
    pub(super) readiness: Readiness,
    /// The peer sends nothing more.
    pub(super) ended: bool,
    pub(super) phase: Phase,
    /// No request of it has begun.
    pub(super) is_new: bool,
    /// When the phase began, or a write last got on.
    pub(super) since: Instant,
    pub(super) options: ResponseOptions,
    /// The request's head for upstream, …
    pub(super) upstream: Vec<u8>,
    /// … and the other parts.
    pub(super) payload: Payload,
    /// Decodes a chunked body.
    pub(super) decoder: ChunkDecoder,
    /// The long answer that is under way.
    pub(super) outgoing: Option<Outgoing>,
    input: Vec<u8>,
    taken: usize,
    /// The length of the waiting input when it was last parsed, and last examined.
    parsed: usize,
    seen: usize,
    /// Bytes of empty lines before the request.
    pub(super) blank: usize,
    pub(super) outbox: Outbox,
    /// Its memory at the last measurement.
    pub(super) weighed: usize,
}

impl Client {
    pub(super) fn new(stream: Stream, peer: Peer, token: Token, now: Instant) -> Self {
        Self {
            stream,
            peer,
            readiness: Readiness::default(),
            ended: false,
            phase: Phase::Idle,
            is_new: true,
            since: now,
            options: ResponseOptions::default(),
            upstream: Vec::new(),
            payload: Payload::default(),
            outgoing: None,
            decoder: ChunkDecoder::new(),
            input: Vec::new(),
            taken: 0,
            parsed: 0,
            seen: 0,
            blank: 0,
            outbox: Outbox::new(token, CLIENT_KEPT),
            weighed: 0,
        }
    }

    /// The bytes that no request has taken yet.
    pub(super) fn waiting(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }

    /// The waiting bytes, and the buffer for the head that goes upstream.
    pub(super) fn parse_parts(&mut self) -> (&[u8], &Peer, &mut Vec<u8>) {
        let waiting = self.input.get(self.taken..).unwrap_or_default();
        (waiting, &self.peer, &mut self.upstream)
    }

    /// Appends bytes that have arrived.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.input.drain(..self.taken.min(self.input.len()));
            self.taken = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Appends bytes of a body of which `missing` bytes are outstanding, with room for no more.
    pub(super) fn feed_body(&mut self, bytes: &[u8], missing: usize) {
        let body = &mut self.payload.body;
        if body.capacity() - body.len() < bytes.len() {
            let room = body.len().max(bytes.len()).min(missing);
            body.reserve_exact(room);
        }
        body.extend_from_slice(bytes);
    }

    /// Drops the received part of requests.
    pub(super) fn forget_requests(&mut self) {
        self.upstream = Vec::new();
        self.payload = Payload::default();
        self.input = Vec::new();
        self.taken = 0;
    }

    /// The bytes of memory that its buffers have.
    pub(super) fn weight(&self) -> usize {
        let payload = self.payload.head.capacity() + self.payload.body.capacity();
        let buffers = self.upstream.capacity() + self.input.capacity() + self.outbox.capacity();
        self.stream.weight().saturating_add(payload + buffers)
    }

    /// Takes `count` of the waiting bytes away.
    pub(super) fn take(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count);
        self.parsed = 0;
        self.seen = 0;
        if self.taken >= self.input.len() {
            self.taken = 0;
            reset(&mut self.input, CLIENT_KEPT);
        }
    }

    /// Moves up to `count` of the waiting bytes to the body, and returns how many.
    pub(super) fn take_body(&mut self, count: usize) -> usize {
        let waiting = self.input.get(self.taken..).unwrap_or_default();
        let bytes = waiting.get(..count).unwrap_or(waiting);
        let moved = bytes.len();
        self.payload.body.extend_from_slice(bytes);
        self.take(moved);
        moved
    }

    /// Decodes the waiting bytes of a chunked body; true if that was all of it.
    pub(super) fn decode_chunks(&mut self, limit: usize) -> Result<bool, ChunkError> {
        let waiting = self.input.get(self.taken..).unwrap_or_default();
        let body = &mut self.payload.body;
        let used = self.decoder.decode(waiting, body, limit)?;
        self.take(used);
        Ok(self.decoder.is_done())
    }

    /// Whether the waiting bytes are worth parsing: at first, after an empty line, and whenever
    /// they have doubled. So a head in small pieces costs no more than its length, and garbage
    /// without an empty line is detected early.
    pub(super) fn should_parse(&mut self) -> bool {
        let waiting = self.input.get(self.taken..).unwrap_or_default();
        let fresh = waiting
            .get(self.seen.saturating_sub(3)..)
            .unwrap_or(waiting);
        let worth = self.parsed == 0
            || waiting.len() / 2 >= self.parsed
            || fresh.windows(2).any(|pair| pair == b"\n\n")
            || fresh.windows(3).any(|three| three == b"\n\r\n");
        self.seen = waiting.len();
        if worth {
            self.parsed = waiting.len();
        }
        worth
    }

    pub(super) fn read(&mut self, registry: &Registry, into: &mut [u8]) -> ReadOutcome {
        let read = self.readiness.read(&mut self.stream, into);
        if self.stream.has_end() {
            self.readiness.arm();
        }
        if self.stream.wants_write()
            && self.watch(registry, WriteOutcome::Blocked) == WriteOutcome::Broken
        {
            return ReadOutcome::Broken;
        }
        read
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Instant) {
        self.phase = phase;
        self.since = now;
    }

    /// Sends a message after the unsent bytes.
    pub(super) fn send(&mut self, registry: &Registry, message: &[u8]) -> WriteOutcome {
        let outcome = self.outbox.send(&mut self.stream, message);
        self.watch(registry, outcome)
    }

    /// Sends the unsent bytes.
    pub(super) fn flush(&mut self, registry: &Registry) -> WriteOutcome {
        let outcome = self.outbox.write(&mut self.stream);
        self.watch(registry, outcome)
    }

    fn watch(&mut self, registry: &Registry, outcome: WriteOutcome) -> WriteOutcome {
        self.outbox.watch(registry, self.stream.socket(), outcome)
    }
}

//! One client connection: its buffers and where it stands, and the table of all of them.
//!
//! Leaves out what moves a client on. Invariants: a generation is never given twice, so a stale
//! [`Ticket`] finds nobody; `input` holds only bytes that no request has taken yet.

use super::call::CallId;
use super::link::{Edge, Push, push, reset};
use super::long::Outgoing;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::time::Instant;

/// The first token of a client; below it are the listener, the waker and the private connections.
pub(super) const FIRST_TOKEN: usize = 1 << 20;

/// Where a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// No byte of a request has come.
    Idle,
    /// A part of a head has come.
    Head,
    /// The head is parsed, so many bytes of the body are missing.
    Body(usize),
    /// The request is whole and waits for a private connection.
    Queued,
    /// The request is with the server behind, under this number.
    Upstream(CallId),
    /// The answer has begun, and more of it is being made.
    Streaming,
    /// The answer is being written.
    Answer,
    /// The answer is out and the sending side closed; so many more bytes are read and dropped,
    /// so that a client that is still sending comes to read its answer.
    Linger(usize),
}

/// What becomes of the connection after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Manner {
    /// It is closed.
    pub(super) close: bool,
    /// It is closed only after what the client still sends has been read for a while.
    pub(super) linger: bool,
    /// The answer says that it stays open.
    pub(super) announce_keep: bool,
    /// The answer has no body.
    pub(super) bodyless: bool,
    /// The client speaks HTTP/1.0.
    pub(super) http10: bool,
}

/// Names a client across the time in which it may vanish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    /// Its place in the table.
    pub(super) index: usize,
    generation: u64,
}

/// A client connection.
pub(super) struct Client {
    pub(super) stream: TcpStream,
    /// The address of the peer, without the port.
    pub(super) peer: String,
    pub(super) edge: Edge,
    /// The peer sends nothing more.
    pub(super) ended: bool,
    pub(super) phase: Phase,
    /// When the phase began, or a write last got on.
    pub(super) since: Instant,
    pub(super) manner: Manner,
    /// The request as it goes upstream.
    pub(super) message: Vec<u8>,
    /// The long answer that is under way.
    pub(super) outgoing: Option<Outgoing>,
    input: Vec<u8>,
    taken: usize,
    /// How much of the waiting input was there when it was last parsed, and last looked at.
    parsed: usize,
    seen: usize,
    /// Bytes of empty lines before the request.
    pub(super) blank: usize,
    output: Vec<u8>,
    sent: usize,
    watches_writing: bool,
    token: Token,
    generation: u64,
}

impl Client {
    /// The bytes that no request has taken yet.
    pub(super) fn waiting(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }

    /// The waiting bytes, and the buffer for what goes upstream.
    pub(super) fn parse_parts(&mut self) -> (&[u8], &str, &mut Vec<u8>) {
        let waiting = self.input.get(self.taken..).unwrap_or_default();
        (waiting, &self.peer, &mut self.message)
    }

    /// Appends bytes that have arrived.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.taken > 0 {
            self.input.drain(..self.taken.min(self.input.len()));
            self.taken = 0;
        }
        self.input.extend_from_slice(bytes);
    }

    /// Takes `count` of the waiting bytes away.
    pub(super) fn take(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count);
        self.parsed = 0;
        self.seen = 0;
        if self.taken >= self.input.len() {
            self.taken = 0;
            reset(&mut self.input);
        }
    }

    /// Moves up to `count` of the waiting bytes to the message, and returns how many.
    pub(super) fn take_body(&mut self, count: usize) -> usize {
        let waiting = self.input.get(self.taken..).unwrap_or_default();
        let bytes = waiting.get(..count).unwrap_or(waiting);
        let moved = bytes.len();
        self.message.extend_from_slice(bytes);
        self.take(moved);
        moved
    }

    /// Whether the waiting bytes are worth parsing: at first, when an empty line has come since,
    /// and whenever they have doubled, so that a head sent in crumbs costs no more than its
    /// length, and rubbish without an empty line is still found out early.
    pub(super) fn worth_parsing(&mut self) -> bool {
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

    /// Sends bytes, after what is still unsent, and keeps what the socket does not take.
    pub(super) fn send(&mut self, registry: &Registry, bytes: &[u8]) -> Push {
        if !self.output.is_empty() {
            self.output.extend_from_slice(bytes);
            return self.flush(registry);
        }
        let mut sent = 0;
        let push = push(&mut self.stream, bytes, &mut sent);
        if push == Push::Blocked {
            self.output
                .extend_from_slice(bytes.get(sent..).unwrap_or_default());
        }
        self.watch(registry, push)
    }

    /// Appends to the output without sending it.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Appends parts to the output without sending them. What is sent of it already is let go of,
    /// so that an output that is never quite sent does not grow.
    pub(super) fn append(&mut self, parts: &[&[u8]]) {
        if self.sent > 0 {
            self.output.drain(..self.sent.min(self.output.len()));
            self.sent = 0;
        }
        for part in parts {
            self.output.extend_from_slice(part);
        }
    }

    /// Bytes of the output that are not sent.
    pub(super) fn unsent(&self) -> usize {
        self.output.len().saturating_sub(self.sent)
    }

    /// Sends what is unsent.
    pub(super) fn flush(&mut self, registry: &Registry) -> Push {
        let push = push(&mut self.stream, &self.output, &mut self.sent);
        if push == Push::Done {
            self.sent = 0;
            reset(&mut self.output);
        }
        self.watch(registry, push)
    }

    /// How much of the output has been sent.
    pub(super) fn progress(&self) -> usize {
        self.sent
    }

    /// Room for writing is watched only while it is wanted.
    fn watch(&mut self, registry: &Registry, push: Push) -> Push {
        let wants = push == Push::Blocked;
        if wants == self.watches_writing || push == Push::Broken {
            return push;
        }
        let interest = if wants {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        self.watches_writing = wants;
        match registry.reregister(&mut self.stream, self.token, interest) {
            Ok(()) => push,
            Err(_) => Push::Broken,
        }
    }
}

/// The clients, each at the place its token names.
#[derive(Default)]
pub(super) struct Clients {
    slots: Vec<Option<Client>>,
    free: Vec<usize>,
    count: usize,
    generation: u64,
}

impl Clients {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// One past the highest place in use so far.
    pub(super) fn places(&self) -> usize {
        self.slots.len()
    }

    /// Adds a connection and registers it.
    pub(super) fn add(
        &mut self,
        registry: &Registry,
        mut stream: TcpStream,
        peer: String,
        now: Instant,
    ) -> std::io::Result<()> {
        let index = self.free.last().copied().unwrap_or(self.slots.len());
        let token = Token(FIRST_TOKEN.saturating_add(index));
        registry.register(&mut stream, token, Interest::READABLE)?;
        self.generation = self.generation.wrapping_add(1);
        let client = Client {
            stream,
            peer,
            edge: Edge::default(),
            ended: false,
            phase: Phase::Idle,
            since: now,
            manner: Manner::default(),
            message: Vec::new(),
            outgoing: None,
            input: Vec::new(),
            taken: 0,
            parsed: 0,
            seen: 0,
            blank: 0,
            output: Vec::new(),
            sent: 0,
            watches_writing: false,
            token,
            generation: self.generation,
        };
        match self.slots.get_mut(index) {
            Some(slot) => {
                self.free.pop();
                *slot = Some(client);
            }
            None => self.slots.push(Some(client)),
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Where each of them stands.
    pub(super) fn phases(&self) -> impl Iterator<Item = Phase> {
        self.slots.iter().flatten().map(|client| client.phase)
    }

    /// The client at a place.
    pub(super) fn get(&mut self, index: usize) -> Option<&mut Client> {
        self.slots.get_mut(index)?.as_mut()
    }

    /// The client a ticket names, if it is still there.
    pub(super) fn find(&mut self, ticket: Ticket) -> Option<&mut Client> {
        self.get(ticket.index)
            .filter(|client| client.generation == ticket.generation)
    }

    /// The ticket of the client at a place.
    pub(super) fn ticket(&mut self, index: usize) -> Option<Ticket> {
        let generation = self.get(index)?.generation;
        Some(Ticket { index, generation })
    }

    /// Takes a client out.
    pub(super) fn remove(&mut self, registry: &Registry, index: usize) -> Option<Client> {
        let mut client = self.slots.get_mut(index)?.take()?;
        self.free.push(index);
        self.count = self.count.saturating_sub(1);
        // The descriptor is closed next, which ends the registration in any case.
        let _ = registry.deregister(&mut client.stream);
        Some(client)
    }

    /// The place of the client that has been in one of the phases `wanted` for the longest time.
    pub(super) fn longest(&self, wanted: impl Fn(Phase) -> bool) -> Option<usize> {
        let mut best: Option<(Instant, usize)> = None;
        for (index, slot) in self.slots.iter().enumerate() {
            if let Some(client) = slot
                && wanted(client.phase)
                && best.is_none_or(|(since, _)| client.since < since)
            {
                best = Some((client.since, index));
            }
        }
        best.map(|(_, index)| index)
    }
}

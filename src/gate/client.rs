//! One client connection: its buffers and where it stands, and the table of all of them.
//!
//! Leaves out what moves a client on. Invariants: a generation is never given twice, so a stale
//! [`Ticket`] finds nobody; `input` holds only bytes that no request has taken yet.

use super::call::CallId;
use super::link::{Edge, Push, push, reset};
use super::origin::Peer;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use std::collections::HashMap;
use std::net::IpAddr;
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
    pub(super) peer: Peer,
    pub(super) edge: Edge,
    /// The peer sends nothing more.
    pub(super) ended: bool,
    pub(super) phase: Phase,
    /// When the phase began, or a write last got on.
    pub(super) since: Instant,
    pub(super) manner: Manner,
    /// The request as it goes upstream.
    pub(super) message: Vec<u8>,
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
    /// What it held when it was last weighed.
    weighed: usize,
}

impl Client {
    /// The bytes that no request has taken yet.
    pub(super) fn waiting(&self) -> &[u8] {
        self.input.get(self.taken..).unwrap_or_default()
    }

    /// The waiting bytes, and the buffer for what goes upstream.
    pub(super) fn parse_parts(&mut self) -> (&[u8], &Peer, &mut Vec<u8>) {
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

    /// Appends bytes of a body of which so many are missing, with room for no more than those.
    pub(super) fn feed_body(&mut self, bytes: &[u8], missing: usize) {
        if self.message.capacity() - self.message.len() < bytes.len() {
            let room = self.message.len().max(bytes.len()).min(missing);
            self.message.reserve_exact(room);
        }
        self.message.extend_from_slice(bytes);
    }

    /// Drops what has come of requests.
    pub(super) fn forget_requests(&mut self) {
        self.message = Vec::new();
        self.input = Vec::new();
        self.taken = 0;
    }

    /// The bytes of memory that its buffers have.
    fn weight(&self) -> usize {
        [&self.message, &self.input, &self.output]
            .into_iter()
            .fold(0, |sum, buffer| sum.saturating_add(buffer.capacity()))
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
    by_address: HashMap<IpAddr, usize>,
    held: usize,
}

impl Clients {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.count
    }

    /// How many there are of an address, as it is counted.
    pub(super) fn count_of(&self, counted: IpAddr) -> usize {
        self.by_address.get(&counted).copied().unwrap_or(0)
    }

    /// The bytes of memory that the buffers of all have.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Takes note of what a client holds now.
    pub(super) fn weigh(&mut self, index: usize) {
        if let Some(client) = self.slots.get_mut(index).and_then(Option::as_mut) {
            let weight = client.weight();
            self.held = self
                .held
                .saturating_sub(client.weighed)
                .saturating_add(weight);
            client.weighed = weight;
        }
    }

    /// The place of the one that holds the most of those `wanted`.
    pub(super) fn heaviest(&self, wanted: impl Fn(&Client) -> bool) -> Option<usize> {
        let held =
            |slot: &Option<Client>| Some(slot.as_ref().filter(|client| wanted(client))?.weighed);
        let weights = self.slots.iter().enumerate();
        let weights = weights.filter_map(|(index, slot)| Some((held(slot)?, index)));
        weights.max().map(|(_, index)| index)
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
        peer: Peer,
        now: Instant,
    ) -> std::io::Result<()> {
        let index = self.free.last().copied().unwrap_or(self.slots.len());
        let token = Token(FIRST_TOKEN.saturating_add(index));
        registry.register(&mut stream, token, Interest::READABLE)?;
        self.generation = self.generation.wrapping_add(1);
        if let Some(counted) = peer.counted {
            let count = self.by_address.entry(counted).or_default();
            *count = count.saturating_add(1);
        }
        let client = Client {
            stream,
            peer,
            edge: Edge::default(),
            ended: false,
            phase: Phase::Idle,
            since: now,
            manner: Manner::default(),
            message: Vec::new(),
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
            weighed: 0,
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
        self.held = self.held.saturating_sub(client.weighed);
        if let Some(counted) = client.peer.counted
            && let Some(count) = self.by_address.get_mut(&counted)
        {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.by_address.remove(&counted);
            }
        }
        // The descriptor is closed next, which ends the registration in any case.
        let _ = registry.deregister(&mut client.stream);
        Some(client)
    }

    /// The place of the one of those `wanted` that has been in its phase for the longest time.
    pub(super) fn longest(&self, wanted: impl Fn(&Client) -> bool) -> Option<usize> {
        let mut best: Option<(Instant, usize)> = None;
        for (index, slot) in self.slots.iter().enumerate() {
            if let Some(client) = slot
                && wanted(client)
                && best.is_none_or(|(since, _)| client.since < since)
            {
                best = Some((client.since, index));
            }
        }
        best.map(|(_, index)| index)
    }
}

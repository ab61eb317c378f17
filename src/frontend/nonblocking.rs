//! Reading and writing non-blocking sockets under edge-triggered readiness.
//!
//! Invariant: a [`Readiness`] is set whenever the socket may hold bytes (or an end) for which no
//! further event will come, so the loop never waits for bytes that have already arrived.

use std::io::{ErrorKind, Read, Write};

use mio::event::Source;
use mio::{Interest, Registry, Token};

/// Whether a socket may have bytes to read.
#[derive(Default)]
pub(super) struct Readiness {
    ready: bool,
    /// The peer's end was reported, perhaps together with bytes: a short read then does not mean
    /// that the socket is drained, because no event will come for the end behind them.
    ending: bool,
}

/// The outcome of one read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ReadOutcome {
    Bytes(usize),
    /// Nothing now; an event will follow.
    Drained,
    /// The peer has ended its sending side.
    End,
    /// The connection is broken.
    Broken,
}

impl Readiness {
    pub(super) fn note(&mut self, event: &mio::event::Event) {
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.ready = true;
        }
        if event.is_read_closed() || event.is_error() {
            self.ending = true;
        }
    }

    /// Requests a read without an event.
    pub(super) fn arm(&mut self) {
        self.ready = true;
        self.ending = true;
    }

    pub(super) fn read(&mut self, from: &mut impl Read, into: &mut [u8]) -> ReadOutcome {
        if !self.ready {
            return ReadOutcome::Drained;
        }
        loop {
            match from.read(into) {
                Ok(0) => {
                    self.ready = false;
                    return ReadOutcome::End;
                }
                Ok(count) => {
                    // A read that leaves room has emptied the socket; later bytes cause
                    // their own event.
                    self.ready = self.ending || count == into.len();
                    return ReadOutcome::Bytes(count);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.ready = false;
                    self.ending = false;
                    return ReadOutcome::Drained;
                }
                Err(_) => {
                    self.ready = false;
                    return ReadOutcome::Broken;
                }
            }
        }
    }
}

/// The outcome of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WriteOutcome {
    /// All bytes are written.
    Done,
    /// The socket accepts no more now.
    Blocked,
    /// The connection is broken.
    Broken,
}

/// Writes the bytes after `sent`, and advances `sent`.
fn write_from(to: &mut impl Write, bytes: &[u8], sent: &mut usize) -> WriteOutcome {
    let mut step = || {
        while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
            match to.write(rest)? {
                0 => return Err(ErrorKind::WriteZero.into()),
                count => *sent = sent.saturating_add(count),
            }
        }
        to.flush()
    };
    loop {
        match step() {
            Ok(()) => return WriteOutcome::Done,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return WriteOutcome::Blocked,
            Err(_) => return WriteOutcome::Broken,
        }
    }
}

/// Bytes to write to a socket.
pub(super) struct Outbox {
    bytes: Vec<u8>,
    /// How many of them are written.
    pub(super) sent: usize,
    /// The capacity that is kept when all is written.
    kept: usize,
    /// Whether the socket took no more, so that an event will come.
    pub(super) is_blocked: bool,
    token: Token,
}

impl Outbox {
    /// An empty one for the socket with this token.
    pub(super) const fn new(token: Token, kept: usize) -> Self {
        Self {
            bytes: Vec::new(),
            sent: 0,
            kept,
            is_blocked: false,
            token,
        }
    }

    pub(super) fn unsent(&self) -> usize {
        self.bytes.len().saturating_sub(self.sent)
    }

    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Whether something waits for room in the socket.
    pub(super) fn is_writing(&self) -> bool {
        self.is_blocked || !self.bytes.is_empty()
    }

    /// Appends parts without writing them. Written bytes are dropped, so that an outbox that is
    /// never empty does not grow.
    pub(super) fn append(&mut self, parts: &[&[u8]]) {
        if self.sent > 0 {
            self.bytes.drain(..self.sent.min(self.bytes.len()));
            self.sent = 0;
        }
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
    }

    /// Appends a message, with further headers after its first line.
    pub(super) fn append_message(&mut self, message: &[u8], headers: &[u8]) {
        let line = memchr::memchr(b'\n', message).map_or(0, |at| at.saturating_add(1));
        let (start, rest) = message.split_at_checked(line).unwrap_or((message, &[]));
        self.append(&[start, headers, rest]);
    }

    /// Writes the unwritten bytes; [`Self::watch`] must follow.
    pub(super) fn write(&mut self, to: &mut impl Write) -> WriteOutcome {
        let outcome = write_from(to, &self.bytes, &mut self.sent);
        if outcome == WriteOutcome::Done {
            self.sent = 0;
            reset(&mut self.bytes, self.kept);
        }
        outcome
    }

    /// Writes a message after the unwritten bytes, and keeps only the bytes that the socket
    /// does not accept; [`Self::watch`] must follow.
    pub(super) fn send(&mut self, to: &mut impl Write, message: &[u8]) -> WriteOutcome {
        if !self.bytes.is_empty() {
            self.append(&[message]);
            return self.write(to);
        }
        let mut sent = 0;
        let outcome = write_from(to, message, &mut sent);
        if outcome == WriteOutcome::Blocked {
            self.append(&[message.get(sent..).unwrap_or_default()]);
        }
        outcome
    }

    /// Watches for room in the socket only while it is needed: a Unix socket reports it whenever
    /// the peer has read, which would wake the loop for every request.
    pub(super) fn watch(
        &mut self,
        registry: &Registry,
        socket: &mut impl Source,
        outcome: WriteOutcome,
    ) -> WriteOutcome {
        let wants = outcome == WriteOutcome::Blocked;
        if wants == self.is_blocked || outcome == WriteOutcome::Broken {
            return outcome;
        }
        let interest = match wants {
            true => Interest::READABLE | Interest::WRITABLE,
            false => Interest::READABLE,
        };
        self.is_blocked = wants;
        match registry.reregister(socket, self.token, interest) {
            Ok(()) => outcome,
            Err(_) => WriteOutcome::Broken,
        }
    }
}

/// The capacity that is kept of a client's buffers: there are many.
pub(super) const CLIENT_KEPT: usize = 8 * 1024;

/// Empties a buffer, and keeps at most this capacity.
pub(super) fn reset(buffer: &mut Vec<u8>, kept: usize) {
    buffer.clear();
    if buffer.capacity() > kept {
        buffer.shrink_to(kept);
    }
}

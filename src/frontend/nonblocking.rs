//! Reading and writing non-blocking sockets under edge-triggered readiness.
//!
//! Invariant: a [`Readiness`] is set whenever the socket may hold bytes (or an end) for which no
//! further event will come, so nothing is waited for that has already arrived.

use std::io::{ErrorKind, Read, Write};

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
    /// Bytes were read.
    Bytes(usize),
    /// Nothing now; an event will come.
    Drained,
    /// The peer has ended its sending side.
    End,
    /// The connection is broken.
    Broken,
}

impl Readiness {
    /// Notes an event.
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

    /// Reads once.
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
                    // A read that leaves room has emptied the socket; what arrives later
                    // brings an event of its own.
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
pub(super) fn write_from(to: &mut impl Write, bytes: &[u8], sent: &mut usize) -> WriteOutcome {
    while let Some(rest) = bytes.get(*sent..).filter(|rest| !rest.is_empty()) {
        match to.write(rest) {
            Ok(0) => return WriteOutcome::Broken,
            Ok(count) => *sent = sent.saturating_add(count),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return WriteOutcome::Blocked,
            Err(_) => return WriteOutcome::Broken,
        }
    }
    loop {
        match to.flush() {
            Ok(()) => return WriteOutcome::Done,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return WriteOutcome::Blocked,
            Err(_) => return WriteOutcome::Broken,
        }
    }
}

/// Empties a client's buffer, and frees the capacity of an unusually large one: there are many.
pub(super) fn reset(buffer: &mut Vec<u8>) {
    reset_to(buffer, 8 * 1024);
}

/// Empties a buffer, and keeps at most this capacity.
pub(super) fn reset_to(buffer: &mut Vec<u8>, kept: usize) {
    buffer.clear();
    if buffer.capacity() > kept {
        buffer.shrink_to(kept);
    }
}

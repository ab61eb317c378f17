//! Long answers, piece by piece.
//!
//! Whoever makes one hands pieces over by a [`LongAnswer`], and waits while what its client has not
//! taken yet is above a watermark, so that neither the answer is held whole nor the event loop
//! ever waits. To HTTP/1.1 it goes in the chunked transfer coding; to HTTP/1.0, which has none,
//! up to the connection's end.
//!
//! Leaves out what is in an answer. Invariants: what of an answer is in memory is bounded by the
//! watermark and one piece; an answer that was not ended by [`LongAnswer::end`], whatever became of
//! its maker, has no last chunk, and its connection is reset, so that nobody takes it for whole;
//! a client that has gone, or takes nothing for [`super::GateConfig::write_timeout`], ends the waiting with an error.

use super::call::CallId;
use super::client::{Client, Phase, Ticket};
use super::engine::Engine;
use super::link::Push;
use super::{Answers, answer, lock};
use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Above so many bytes that its client has not taken, an answer's maker waits.
const WATERMARK: usize = 256 * 1024;

/// How far an answer is; shared by its maker and the gate.
#[derive(Debug, Default)]
pub(super) struct Flow {
    state: Mutex<FlowState>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct FlowState {
    /// Bytes that were handed over, and not taken by the gate.
    handed: usize,
    /// Bytes that the gate has and the client's socket has not taken.
    unsent: usize,
    /// Nobody wants the rest.
    gone: bool,
}

impl Flow {
    fn change(&self, change: impl FnOnce(&mut FlowState)) {
        change(&mut lock(&self.state));
        self.moved.notify_all();
    }
}

/// What the maker of an answer hands over.
#[derive(Debug)]
pub(super) enum Piece {
    /// The status line and the headers, without those that tell where the answer ends.
    Begin(Vec<u8>, Arc<Flow>),
    /// More of the body.
    More(Vec<u8>),
    /// The end, with the trailer's fields, each with its line break.
    End(Vec<u8>),
    /// There will be no end.
    Broken,
}

/// An answer that is made piece by piece. Dropping it without [`Self::end`] breaks it off.
#[derive(Debug)]
pub struct LongAnswer {
    call: CallId,
    answers: Answers,
    flow: Arc<Flow>,
    ended: bool,
}

impl LongAnswer {
    /// Begins the answer of a call with its `head`: the status line and the headers with the
    /// empty line, without `Content-Length`, `Transfer-Encoding` and `Connection`.
    pub fn begin(call: CallId, answers: Answers, head: Vec<u8>) -> Self {
        let flow = Arc::new(Flow::default());
        answers.hand_over(call, Piece::Begin(head, Arc::clone(&flow)));
        Self {
            call,
            answers,
            flow,
            ended: false,
        }
    }

    /// Hands over more of the body, and waits while the client has much to take.
    ///
    /// # Errors
    /// Nobody wants the rest.
    pub fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let full = |state: &mut FlowState| {
            !state.gone && state.handed.saturating_add(state.unsent) > WATERMARK
        };
        let waited = self.flow.moved.wait_while(lock(&self.flow.state), full);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        if state.gone {
            return Err(io::Error::new(
                ErrorKind::BrokenPipe,
                "the client has gone, or took nothing for too long",
            ));
        }
        state.handed = state.handed.saturating_add(bytes.len());
        drop(state);
        self.answers.hand_over(self.call, Piece::More(bytes));
        Ok(())
    }

    /// Ends the answer. `trailer` has fields that become known only now, each with its line
    /// break; HTTP/1.0 has no place for them.
    pub fn end(mut self, trailer: Vec<u8>) {
        self.ended = true;
        self.answers.hand_over(self.call, Piece::End(trailer));
    }
}

impl Drop for LongAnswer {
    fn drop(&mut self) {
        if !self.ended {
            self.answers.hand_over(self.call, Piece::Broken);
        }
    }
}

/// The gate's side of an answer on its way to a client; with it the maker's waiting ends.
#[derive(Debug)]
pub(super) struct Outgoing {
    flow: Arc<Flow>,
    chunked: bool,
}

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.flow.change(|state| state.gone = true);
    }
}

/// Tells the makers of answers that were handed over, and that nobody will take, so.
pub(super) fn refuse(pieces: Vec<(CallId, Piece)>) {
    for (_, piece) in pieces {
        if let Piece::Begin(_, flow) = piece {
            flow.change(|state| state.gone = true);
        }
    }
}

/// The clients to which answers are under way.
pub(super) type Streams = HashMap<CallId, Ticket>;

impl Engine {
    /// Takes what the makers of long answers have handed over.
    pub(super) fn take_pieces(&mut self) {
        for (id, piece) in self.answers.take_pieces() {
            match piece {
                Piece::Begin(head, flow) => self.begin_stream(id, &head, flow),
                Piece::More(bytes) => self.continue_stream(id, &bytes),
                Piece::End(trailer) => self.end_stream(id, &trailer),
                Piece::Broken => self.break_stream(id),
            }
        }
    }

    fn begin_stream(&mut self, id: CallId, head: &[u8], flow: Arc<Flow>) {
        let mut outgoing = Outgoing {
            flow,
            chunked: true,
        };
        let Some(call) = self.end_call(id) else {
            return;
        };
        let (stopping, now) = (self.deadline.is_some(), self.now);
        let Some(ticket) = self.clients.ticket(call.client) else {
            return;
        };
        let Some(client) = self.clients.get(call.client) else {
            return;
        };
        if client.phase != Phase::Upstream(id) {
            return;
        }
        client.phase = Phase::Streaming;
        client.since = now;
        client.manner.close |= client.manner.http10 || stopping;
        let chunked = !client.manner.http10;
        let bodyless = client.manner.bodyless;
        let (start, rest) = head
            .split_at_checked(answer::first_line(head))
            .unwrap_or((head, &[]));
        let framing: &[u8] = if chunked {
            b"Transfer-Encoding: chunked\r\n"
        } else {
            b""
        };
        let manner: &[u8] = if client.manner.close {
            b"Connection: close\r\n"
        } else {
            b""
        };
        client.append(&[start, framing, manner, rest]);
        if bodyless {
            // What was made for a body finds nobody.
            client.phase = Phase::Answer;
            let push = client.flush(self.poll.registry());
            return self.finish(call.client, push);
        }
        outgoing.chunked = chunked;
        client.outgoing = Some(outgoing);
        self.streams.insert(id, ticket);
        self.push_stream(ticket);
    }

    fn continue_stream(&mut self, id: CallId, bytes: &[u8]) {
        let now = self.now;
        let Some(ticket) = self.streams.get(&id).copied() else {
            return;
        };
        let Some(client) = self.clients.find(ticket) else {
            return;
        };
        let Some(outgoing) = &client.outgoing else {
            return;
        };
        let flow = Arc::clone(&outgoing.flow);
        if client.unsent() == 0 {
            client.since = now;
        }
        if outgoing.chunked {
            let length = format!("{:x}\r\n", bytes.len());
            client.append(&[length.as_bytes(), bytes, b"\r\n"]);
        } else {
            client.append(&[bytes]);
        }
        flow.change(|state| state.handed = state.handed.saturating_sub(bytes.len()));
        self.push_stream(ticket);
    }

    fn end_stream(&mut self, id: CallId, trailer: &[u8]) {
        let Some(ticket) = self.streams.remove(&id) else {
            return;
        };
        let Some(client) = self.clients.find(ticket) else {
            return;
        };
        if client.outgoing.as_ref().is_some_and(|it| it.chunked) {
            client.append(&[b"0\r\n", trailer, b"\r\n"]);
        }
        client.phase = Phase::Answer;
        client.since = self.now;
        let push = client.flush(self.poll.registry());
        self.finish(ticket.index, push);
    }

    /// Ends the connection of an answer that stays unfinished.
    fn break_stream(&mut self, id: CallId) {
        let Some(ticket) = self.streams.remove(&id) else {
            return;
        };
        if self.clients.find(ticket).is_some() {
            self.close(ticket.index);
        }
    }

    /// Sends what there is of an answer, and lets its maker know how far that came.
    fn push_stream(&mut self, ticket: Ticket) {
        let registry = self.poll.registry();
        let Some(client) = self.clients.find(ticket) else {
            return;
        };
        if client.flush(registry) == Push::Broken {
            return self.close(ticket.index);
        }
        client.tell_unsent();
    }
}

impl Client {
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

    /// Lets the maker of the answer under way know how much of it is unsent.
    pub(super) fn tell_unsent(&mut self) {
        let unsent = self.unsent();
        if let Some(outgoing) = &self.outgoing {
            outgoing.flow.change(|state| state.unsent = unsent);
        }
    }
}

impl Drop for Client {
    /// Has the connection's end reach the peer as a fault where its answer is unfinished: with
    /// HTTP/1.0, the end of the connection would be that of the answer.
    fn drop(&mut self) {
        if self.outgoing.is_none() {
            return;
        }
        let reset =
            rustix::net::sockopt::set_socket_linger(self.stream.socket(), Some(Duration::ZERO));
        if let Err(error) = reset {
            tracing::debug!(%error, "a connection could not be set to be reset");
        }
    }
}

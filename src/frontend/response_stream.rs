//! Streamed answers.
//!
//! The maker of a [`ResponseStream`] writes parts, and waits while the unread bytes of the client
//! exceed a watermark. So the answer is never held whole, and the event loop never waits. HTTP/1.1
//! clients get the chunked transfer coding; for HTTP/1.0 the connection's end is the answer's end.
//!
//! Invariants: the memory of an answer is bounded by the watermark and one part; an answer without
//! [`ResponseStream::end`] has no last chunk, and its connection is reset, so that nobody treats it
//! as complete; a client that has disconnected, or reads nothing for
//! [`super::FrontendConfig::write_timeout`], ends the maker's wait with an error.

use super::Answers;
use super::call::{Answer, CallId};
use super::client::{Client, Phase};
use super::event_loop::EventLoop;
use super::nonblocking::WriteOutcome;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// The number of unsent bytes above which the producer of an answer waits.
const WATERMARK: usize = 256 * 1024;

/// The progress of an answer; shared by its producer and the frontend.
#[derive(Debug, Default)]
pub(super) struct Backpressure {
    state: Mutex<BackpressureState>,
    moved: Condvar,
}

#[derive(Debug, Default)]
struct BackpressureState {
    /// Bytes that were handed over, and not taken by the frontend.
    handed: usize,
    /// Bytes that the frontend has and the client's socket has not taken.
    unsent: usize,
    /// Nobody wants the rest.
    gone: bool,
}

impl Backpressure {
    fn change(&self, change: impl FnOnce(&mut BackpressureState)) {
        change(&mut self.state.lock());
        self.moved.notify_all();
    }
}

/// An answer that is made piece by piece. Dropping it without [`Self::end`] breaks it off.
#[derive(Debug)]
pub struct ResponseStream {
    call: CallId,
    answers: Answers,
    backpressure: Arc<Backpressure>,
    ended: bool,
}

impl ResponseStream {
    /// Begins the answer of a call with its `head`: the status line and the headers with the
    /// empty line, without `Content-Length`, `Transfer-Encoding` and `Connection`.
    pub fn begin(call: CallId, answers: Answers, head: Vec<u8>) -> Self {
        let backpressure = Arc::new(Backpressure::default());
        let outgoing = Outgoing(Arc::clone(&backpressure));
        let stream = Self {
            call,
            answers,
            backpressure,
            ended: false,
        };
        stream.put(Answer::Begin(head, outgoing));
        stream
    }

    fn put(&self, part: Answer) {
        self.answers.put(std::iter::once((self.call, part)));
    }

    /// Hands over more of the body, and waits while the client has much to take.
    ///
    /// # Errors
    /// Nobody wants the rest.
    pub fn write(&mut self, bytes: Vec<u8>) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let full = |state: &mut BackpressureState| {
            !state.gone && state.handed.saturating_add(state.unsent) > WATERMARK
        };
        let mut state = self.backpressure.state.lock();
        self.backpressure.moved.wait_while(&mut state, full);
        if state.gone {
            return Err(io::Error::new(
                ErrorKind::BrokenPipe,
                "the client has gone, or took nothing for too long",
            ));
        }
        state.handed = state.handed.saturating_add(bytes.len());
        drop(state);
        self.put(Answer::More(bytes));
        Ok(())
    }

    /// Ends the answer. `trailer` has fields that become known only now, each with its line
    /// break; HTTP/1.0 has no place for them.
    pub fn end(mut self, trailer: Vec<u8>) {
        self.ended = true;
        self.put(Answer::End(trailer));
    }
}

impl Drop for ResponseStream {
    fn drop(&mut self) {
        if !self.ended {
            self.put(Answer::Broken);
        }
    }
}

/// The frontend's side of an answer on its way to a client; with it the maker's waiting ends,
/// whether the answer was begun or not.
#[derive(Debug)]
pub(super) struct Outgoing(Arc<Backpressure>);

impl Drop for Outgoing {
    fn drop(&mut self) {
        self.0.change(|state| state.gone = true);
    }
}

impl EventLoop {
    /// Sends an answer, or a part of one, to the client that waits for it. Queued requests are
    /// handed over first, before the same client's next request.
    pub(super) fn receive(&mut self, id: CallId, answer: Answer) {
        match answer {
            Answer::Whole(bytes) => {
                if let Some(call) = self.end_call(id) {
                    self.deliver(call.client, id, &bytes);
                }
            }
            Answer::Begin(head, outgoing) => self.begin_stream(id, &head, outgoing),
            Answer::More(bytes) => self.continue_stream(id, &bytes),
            Answer::End(trailer) => self.end_stream(id, &trailer),
            Answer::Broken => self.break_stream(id),
        }
    }

    fn begin_stream(&mut self, id: CallId, head: &[u8], outgoing: Outgoing) {
        let Some(call) = self.end_call(id) else {
            return;
        };
        let (stopping, now) = (self.deadline.is_some(), self.now);
        let Some(client) = self.clients.get(call.client) else {
            return;
        };
        if client.phase != Phase::Upstream(id) {
            return;
        }
        client.enter(Phase::Streaming(id), now);
        client.options.close |= client.options.http10 || stopping;
        let mut headers = String::new();
        if !client.options.http10 {
            headers.push_str("Transfer-Encoding: chunked\r\n");
        }
        if client.options.close {
            headers.push_str("Connection: close\r\n");
        }
        client.outbox.append_message(head, headers.as_bytes());
        if client.options.bodyless {
            // The pieces of a body have no receiver.
            client.phase = Phase::Answer;
            let outcome = client.flush(self.poll.registry());
            return self.finish(call.client, outcome);
        }
        client.outgoing = Some(outgoing);
        self.push_stream(call.client);
    }

    fn continue_stream(&mut self, id: CallId, bytes: &[u8]) {
        let Some((index, client)) = self.clients.in_phase(Phase::Streaming(id)) else {
            return;
        };
        let Some(outgoing) = &client.outgoing else {
            return;
        };
        let backpressure = Arc::clone(&outgoing.0);
        if client.outbox.unsent() == 0 {
            client.since = self.now;
        }
        if client.options.http10 {
            client.outbox.append(&[bytes]);
        } else {
            let length = format!("{:x}\r\n", bytes.len());
            client.outbox.append(&[length.as_bytes(), bytes, b"\r\n"]);
        }
        backpressure.change(|state| state.handed = state.handed.saturating_sub(bytes.len()));
        self.push_stream(index);
    }

    fn end_stream(&mut self, id: CallId, trailer: &[u8]) {
        let Some((index, client)) = self.clients.in_phase(Phase::Streaming(id)) else {
            return;
        };
        if !client.options.http10 {
            client.outbox.append(&[b"0\r\n", trailer, b"\r\n"]);
        }
        client.enter(Phase::Answer, self.now);
        let outcome = client.flush(self.poll.registry());
        self.finish(index, outcome);
    }

    /// Ends the connection of an answer that stays unfinished.
    fn break_stream(&mut self, id: CallId) {
        let streaming = self.clients.in_phase(Phase::Streaming(id));
        if let Some(index) = streaming.map(|(index, _)| index) {
            self.close(index);
        }
    }

    /// Sends the available part of an answer, and reports the progress to its maker.
    fn push_stream(&mut self, index: usize) {
        let registry = self.poll.registry();
        let Some(client) = self.clients.get(index) else {
            return;
        };
        if client.flush(registry) == WriteOutcome::Broken {
            return self.close(index);
        }
        client.report_unsent();
    }
}

impl Client {
    /// Lets the maker of the answer under way know how much of it is unsent.
    pub(super) fn report_unsent(&mut self) {
        let unsent = self.outbox.unsent();
        if let Some(outgoing) = &self.outgoing {
            outgoing.0.change(|state| state.unsent = unsent);
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

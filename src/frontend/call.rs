//! Requests in flight: the ways of their bodies to the responders, and of the answers back.
//!
//! A private connection carries only a request's head. tiny_http reads a body of more than 1 KiB
//! only when a worker has taken the request, and no further request until then, so each such body
//! would cost a wake-up. So the body waits here, under the request's number.
//!
//! An answer does not use the private connection of the request. The responder puts it into the
//! frontend's [`Answers`] under the request's number. Answers that are ready together wake the
//! frontend only once. That saves a write, an event and a read for each request, and a private
//! connection can carry many requests.
//!
//! Invariant: a number is never reused, so an answer reaches the client that asked, or nobody.

use super::head::Fault;
use super::response_stream::Outgoing;
use super::stats::Stats;
use mio::Waker;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, MutexGuard};

/// The header with a request's number. A request without it is the frontend's own greeting, and is
/// answered over its own connection.
pub const CALL_HEADER: &str = "X-Call";

/// The number of a request.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct CallId(pub(super) u64);

impl CallId {
    pub(super) const fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }

    /// Parses the value of a [`CALL_HEADER`].
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }
}

/// An answer, or the next part of a streamed one.
#[derive(Debug)]
pub(super) enum Answer {
    /// All of it, head and body.
    Whole(Vec<u8>),
    /// The status line and the headers, without those that delimit the body.
    Begin(Vec<u8>, Outgoing),
    /// More of the body.
    More(Vec<u8>),
    /// The end, with the trailer's fields, each with its line break.
    End(Vec<u8>),
    /// There will be no end.
    Broken,
}

/// The parts of a request other than the head that goes upstream.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// The head as received, if [`super::FrontendConfig::pass_head`] and the method has a body.
    pub head: Vec<u8>,
    /// The body, as far as it was received.
    pub body: Vec<u8>,
    /// The fault of the body, if any.
    pub fault: Option<Fault>,
}

impl Payload {
    pub(super) const fn len(&self) -> usize {
        self.head.len().saturating_add(self.body.len())
    }
}

/// The mailbox of answers and of request parts. Clones share it; it belongs to one frontend.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<Mailbox>);

#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Waiting>,
    /// The parts that nobody has taken yet.
    payloads: Mutex<HashMap<CallId, Payload>>,
    stats: Mutex<Stats>,
    /// Wakes the frontend, once it runs.
    waker: OnceLock<Arc<Waker>>,
}

#[derive(Debug, Default)]
struct Waiting {
    answers: Vec<(CallId, Answer)>,
    closed: bool,
}

impl Answers {
    /// Takes the parts of a request other than its head; `None` if the request was abandoned, or
    /// they were taken before.
    pub fn take_payload(&self, call: CallId) -> Option<Payload> {
        self.0.payloads.lock().remove(&call)
    }

    pub(super) fn hold_payload(&self, call: CallId, payload: Payload) {
        self.0.payloads.lock().insert(call, payload);
    }

    /// Sends whole answers, head and body. An answer to an abandoned request goes to nobody.
    pub fn send(&self, answers: impl IntoIterator<Item = (CallId, Vec<u8>)>) {
        let answers = answers.into_iter();
        self.put(answers.map(|(call, bytes)| (call, Answer::Whole(bytes))));
    }

    /// Sends answers and parts of them. After the frontend's end they are dropped.
    pub(super) fn put(&self, answers: impl Iterator<Item = (CallId, Answer)>) {
        let is_first = {
            let mut waiting = self.0.waiting.lock();
            let is_first = waiting.answers.is_empty();
            if waiting.closed {
                return answers.for_each(drop);
            }
            waiting.answers.extend(answers);
            is_first && !waiting.answers.is_empty()
        };
        if is_first
            && let Some(waker) = self.0.waker.get()
            && let Err(error) = waker.wake()
        {
            tracing::error!(%error, "the frontend could not be woken for answers");
        }
    }

    /// Drops waiting and later answers: the frontend has ended.
    pub(super) fn close(&self) {
        let mut waiting = self.0.waiting.lock();
        waiting.closed = true;
        waiting.answers.clear();
    }

    /// The number of requests in flight, answered or not: about so many answers are still to be
    /// made.
    pub fn in_flight(&self) -> usize {
        self.stats().in_flight
    }

    /// The frontend's counters.
    pub fn snapshot(&self) -> Stats {
        let mut stats = self.stats().clone();
        // Phases are counted when deadlines are checked, which is not done without connections.
        for (_, count) in &mut stats.phases {
            *count = (*count).min(stats.connections);
        }
        stats
    }

    pub(super) fn stats(&self) -> MutexGuard<'_, Stats> {
        self.0.stats.lock()
    }

    /// The whole answers that the frontend has not taken.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<(CallId, Vec<u8>)> {
        let waiting = self.0.waiting.lock();
        let answers = waiting.answers.iter();
        let whole = answers.filter_map(|(call, answer)| match answer {
            Answer::Whole(bytes) => Some((*call, bytes.clone())),
            _ => None,
        });
        whole.collect()
    }

    /// Sets whom to wake. Only the first call counts.
    pub(super) fn wake_by(&self, waker: Arc<Waker>) {
        // Two frontends never share a mailbox.
        let _ = self.0.waker.set(waker);
    }

    /// Swaps the waiting answers with `taken`, which must be empty.
    pub(super) fn take(&self, taken: &mut Vec<(CallId, Answer)>) {
        std::mem::swap(&mut self.0.waiting.lock().answers, taken);
    }
}

/// A request in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The index of the client, which may have disconnected.
    pub(super) client: usize,
    /// The index of its private connection.
    pub(super) place: usize,
    /// Its bytes.
    pub(super) bytes: usize,
}

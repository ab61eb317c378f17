//! Requests in flight, and how their answers come back.
//!
//! An answer does not come over the private connection that carried the request. Whoever makes it
//! puts it into the frontend's [`Answers`] under the request's number, several at a time if they are
//! ready together, and the frontend is woken once for all of them. That saves a write, an event and
//! a read for each request, and a private connection can carry many requests.
//!
//! Invariant: a number is never reused, so an answer reaches the client that asked or nobody,
//! however requests and clients come and go.

use super::lock;
use super::response_stream::{StreamEvent, refuse};
use super::stats::{Stats, StatsSnapshot};
use mio::Waker;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The header with a request's number. A request without it is the frontend's own greeting, and is
/// answered over its own connection.
pub const CALL_HEADER: &str = "X-Call";

/// The number of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(u64);

impl CallId {
    /// Parses the value of a [`CALL_HEADER`].
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// The number as sent upstream.
    pub(super) const fn number(self) -> u64 {
        self.0
    }
}

/// The mailbox of answers. Clones share it; it belongs to one frontend.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<Mailbox>);

#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Vec<(CallId, Vec<u8>)>>,
    /// Events of streamed answers.
    stream_events: Mutex<Vec<(CallId, StreamEvent)>>,
    has_stream_events: AtomicBool,
    /// The frontend has ended.
    closed: AtomicBool,
    stats: Stats,
    /// Wakes the frontend, once it runs.
    waker: OnceLock<Arc<Waker>>,
}

impl Answers {
    /// Sends whole answers, head and body, and leaves `answers` empty. An answer for a request that
    /// was given up goes to nobody.
    pub fn send(&self, answers: &mut Vec<(CallId, Vec<u8>)>) {
        if answers.is_empty() {
            return;
        }
        let woken_already = {
            let mut waiting = lock(&self.0.waiting);
            let some_wait = !waiting.is_empty();
            waiting.append(answers);
            some_wait
        };
        if !woken_already {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.0.waker.get()
            && let Err(error) = waker.wake()
        {
            tracing::error!(%error, "the frontend could not be woken for answers");
        }
    }

    /// Sends an event of a streamed answer.
    pub(super) fn hand_over(&self, call: CallId, piece: StreamEvent) {
        let woken_already = {
            let mut stream_events = lock(&self.0.stream_events);
            if self.0.closed.load(Ordering::Relaxed) {
                return refuse(vec![(call, piece)]);
            }
            stream_events.push((call, piece));
            self.0.has_stream_events.swap(true, Ordering::AcqRel)
        };
        if !woken_already {
            self.wake();
        }
    }

    /// Takes the events of streamed answers, in order.
    pub(super) fn take_stream_events(&self) -> Vec<(CallId, StreamEvent)> {
        if !self.0.has_stream_events.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut stream_events = lock(&self.0.stream_events);
        self.0.has_stream_events.store(false, Ordering::Release);
        std::mem::take(&mut stream_events)
    }

    /// Refuses further streamed answers: the frontend has ended.
    pub(super) fn close(&self) {
        let mut stream_events = lock(&self.0.stream_events);
        self.0.closed.store(true, Ordering::Relaxed);
        refuse(std::mem::take(&mut stream_events));
    }

    /// The number of requests in flight, answered or not: about so many answers are still to be
    /// made.
    pub fn in_flight(&self) -> usize {
        self.0.stats.in_flight()
    }

    /// The frontend's counters.
    pub fn snapshot(&self) -> StatsSnapshot {
        self.0.stats.snapshot()
    }

    /// The frontend's counters, to be updated.
    pub(super) fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// The answers that the frontend has not taken.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<(CallId, Vec<u8>)> {
        lock(&self.0.waiting).clone()
    }

    /// Sets whom to wake. Only the first call counts.
    pub(super) fn wake_by(&self, waker: Arc<Waker>) {
        // Two frontends never share a mailbox.
        let _ = self.0.waker.set(waker);
    }

    /// Swaps the waiting answers with `taken`, which must be empty.
    pub(super) fn take(&self, taken: &mut Vec<(CallId, Vec<u8>)>) {
        std::mem::swap(&mut *lock(&self.0.waiting), taken);
    }
}

/// A request in flight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The index of the client, which may have gone.
    pub(super) client: usize,
    /// The index of its private connection.
    pub(super) place: usize,
    /// Its bytes.
    pub(super) bytes: usize,
}

/// The requests in flight.
#[derive(Default)]
pub(super) struct Calls {
    in_flight: HashMap<CallId, Call>,
    last: u64,
}

impl Calls {
    /// The number for the next request.
    pub(super) fn next_id(&mut self) -> CallId {
        self.last = self.last.wrapping_add(1);
        CallId(self.last)
    }

    /// Adds a request.
    pub(super) fn begin(&mut self, id: CallId, call: Call) {
        self.in_flight.insert(id, call);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Removes an answered request.
    pub(super) fn end(&mut self, id: CallId) -> Option<Call> {
        self.in_flight.remove(&id)
    }

    /// Removes all requests of a lost private connection.
    pub(super) fn end_of_place(&mut self, place: usize) -> Vec<(CallId, Call)> {
        self.in_flight
            .extract_if(|_, call| call.place == place)
            .collect()
    }
}

//! Calls that are with tiny_http, and the way their answers come back.
//!
//! An answer does not come over the private connection that carried the request. Whoever makes it
//! puts it into the frontend's [`Answers`] under the call's number, many at one time if they are ready
//! at one time, and the frontend is woken once for all of them. That spares, for every call, a write
//! to the private connection, an event and a read, and it leaves a private connection nothing to
//! wait for: it can carry many calls.
//!
//! Leaves out what is done with an answer. Invariant: a number is never given twice, so an answer
//! reaches the call that it was made for or nobody, however calls and clients come and go.

use super::lock;
use super::response_stream::{StreamEvent, refuse};
use super::stats::{Stats, StatsSnapshot};
use mio::Waker;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The header by which tiny_http learns a call's number. A request without it did not come
/// through the frontend's clients, and is answered over its own connection.
pub const CALL_HEADER: &str = "X-Call";

/// The number of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(u64);

impl CallId {
    /// Reads the value of a [`CALL_HEADER`].
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(Self)
    }

    /// The number as it goes upstream.
    pub(super) const fn number(self) -> u64 {
        self.0
    }
}

/// Where the answers of calls are put. Clones share it; it serves one frontend.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<Mailbox>);

#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Vec<(CallId, Vec<u8>)>>,
    /// What there is of long answers.
    stream_events: Mutex<Vec<(CallId, StreamEvent)>>,
    has_stream_events: AtomicBool,
    /// No frontend takes anything any more.
    closed: AtomicBool,
    stats: Stats,
    /// How many calls are with tiny_http.
    in_flight: AtomicUsize,
    /// Of the frontend, once it runs.
    waker: OnceLock<Arc<Waker>>,
}

impl Answers {
    /// Hands over whole answers, head and body, and leaves `answers` empty. One for a call that
    /// has been given up goes to nobody.
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

    /// Hands over a piece of a long answer.
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

    /// Takes the pieces that were handed over, in their order.
    pub(super) fn take_stream_events(&self) -> Vec<(CallId, StreamEvent)> {
        if !self.0.has_stream_events.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut stream_events = lock(&self.0.stream_events);
        self.0.has_stream_events.store(false, Ordering::Release);
        std::mem::take(&mut stream_events)
    }

    /// Tells those who make long answers that the frontend has ended.
    pub(super) fn close(&self) {
        let mut stream_events = lock(&self.0.stream_events);
        self.0.closed.store(true, Ordering::Relaxed);
        refuse(std::mem::take(&mut stream_events));
    }

    /// How many calls are with tiny_http now, answered or not: about so many answers are
    /// still to be made.
    pub fn in_flight(&self) -> usize {
        self.0.in_flight.load(Ordering::Relaxed)
    }

    /// What the frontend tells of itself.
    pub fn snapshot(&self) -> StatsSnapshot {
        self.0.stats.snapshot(self.in_flight())
    }

    /// Where the frontend tells of itself.
    pub(super) fn stats(&self) -> &Stats {
        &self.0.stats
    }

    /// Tells how many calls are with tiny_http.
    pub(super) fn set_in_flight(&self, count: usize) {
        self.0.in_flight.store(count, Ordering::Relaxed);
    }

    /// What waits to be taken by a frontend.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<(CallId, Vec<u8>)> {
        lock(&self.0.waiting).clone()
    }

    /// Names whom to wake. Only the first one counts.
    pub(super) fn wake_by(&self, waker: Arc<Waker>) {
        // A second frontend on the same answers would find none, which its tests would show.
        let _ = self.0.waker.set(waker);
    }

    /// Swaps what waits for `taken`, which must be empty.
    pub(super) fn take(&self, taken: &mut Vec<(CallId, Vec<u8>)>) {
        std::mem::swap(&mut *lock(&self.0.waiting), taken);
    }
}

/// A call under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Call {
    /// The place of the client that asked, which may have gone.
    pub(super) client: usize,
    /// The place of the private connection that carries it.
    pub(super) place: usize,
    /// The bytes of its request.
    pub(super) bytes: usize,
}

/// The calls under way.
#[derive(Default)]
pub(super) struct Calls {
    in_flight: HashMap<CallId, Call>,
    last: u64,
}

impl Calls {
    /// The number of the next call.
    pub(super) fn next_id(&mut self) -> CallId {
        self.last = self.last.wrapping_add(1);
        CallId(self.last)
    }

    /// Notes a call as under way.
    pub(super) fn begin(&mut self, id: CallId, call: Call) {
        self.in_flight.insert(id, call);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.in_flight.len()
    }

    /// Takes a call that was answered out.
    pub(super) fn end(&mut self, id: CallId) -> Option<Call> {
        self.in_flight.remove(&id)
    }

    /// Takes out all calls of a private connection that is no more.
    pub(super) fn end_of_place(&mut self, place: usize) -> Vec<(CallId, Call)> {
        self.in_flight
            .extract_if(|_, call| call.place == place)
            .collect()
    }
}

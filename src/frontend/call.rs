//! Calls that are with the server behind, and the way their answers come back.
//!
//! An answer does not come over the private connection that carried the request. Whoever makes it
//! puts it into the gate's [`Answers`] under the call's number, many at one time if they are ready
//! at one time, and the gate is woken once for all of them. That spares, for every call, a write
//! to the private connection, an event and a read, and it leaves a private connection nothing to
//! wait for: it can carry many calls.
//!
//! Leaves out what is done with an answer. Invariant: a number is never given twice, so an answer
//! reaches the call that it was made for or nobody, however calls and clients come and go.

use super::census::{Census, GateFigures};
use super::lock;
use super::long::{Piece, refuse};
use mio::Waker;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// The header by which the server behind learns a call's number. A request without it did not come
/// through the gate's clients, and is answered over its own connection.
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

/// Where the answers of calls are put. Clones share it; it serves one gate.
#[derive(Debug, Clone, Default)]
pub struct Answers(Arc<Mailbox>);

#[derive(Debug, Default)]
struct Mailbox {
    waiting: Mutex<Vec<(CallId, Vec<u8>)>>,
    /// What there is of long answers.
    pieces: Mutex<Vec<(CallId, Piece)>>,
    has_pieces: AtomicBool,
    /// No gate takes anything any more.
    closed: AtomicBool,
    census: Census,
    /// How many calls are with the server behind.
    under_way: AtomicUsize,
    /// Of the gate, once it runs.
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
            tracing::error!(%error, "the gate could not be woken for answers");
        }
    }

    /// Hands over a piece of a long answer.
    pub(super) fn hand_over(&self, call: CallId, piece: Piece) {
        let woken_already = {
            let mut pieces = lock(&self.0.pieces);
            if self.0.closed.load(Ordering::Relaxed) {
                return refuse(vec![(call, piece)]);
            }
            pieces.push((call, piece));
            self.0.has_pieces.swap(true, Ordering::AcqRel)
        };
        if !woken_already {
            self.wake();
        }
    }

    /// Takes the pieces that were handed over, in their order.
    pub(super) fn take_pieces(&self) -> Vec<(CallId, Piece)> {
        if !self.0.has_pieces.load(Ordering::Acquire) {
            return Vec::new();
        }
        let mut pieces = lock(&self.0.pieces);
        self.0.has_pieces.store(false, Ordering::Release);
        std::mem::take(&mut pieces)
    }

    /// Tells those who make long answers that the gate has ended.
    pub(super) fn close(&self) {
        let mut pieces = lock(&self.0.pieces);
        self.0.closed.store(true, Ordering::Relaxed);
        refuse(std::mem::take(&mut pieces));
    }

    /// How many calls are with the server behind now, answered or not: about so many answers are
    /// still to be made.
    pub fn under_way(&self) -> usize {
        self.0.under_way.load(Ordering::Relaxed)
    }

    /// What the gate tells of itself.
    pub fn figures(&self) -> GateFigures {
        self.0.census.figures(self.under_way())
    }

    /// Where the gate tells of itself.
    pub(super) fn census(&self) -> &Census {
        &self.0.census
    }

    /// Tells how many calls are with the server behind.
    pub(super) fn tell_under_way(&self, count: usize) {
        self.0.under_way.store(count, Ordering::Relaxed);
    }

    /// What waits to be taken by a gate.
    #[cfg(test)]
    pub fn waiting(&self) -> Vec<(CallId, Vec<u8>)> {
        lock(&self.0.waiting).clone()
    }

    /// Names whom to wake. Only the first one counts.
    pub(super) fn wake_by(&self, waker: Arc<Waker>) {
        // A second gate on the same answers would find none, which its tests would show.
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
    under_way: HashMap<CallId, Call>,
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
        self.under_way.insert(id, call);
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.under_way.len()
    }

    /// Takes a call that was answered out.
    pub(super) fn end(&mut self, id: CallId) -> Option<Call> {
        self.under_way.remove(&id)
    }

    /// Takes out all calls of a private connection that is no more.
    pub(super) fn end_of_place(&mut self, place: usize) -> Vec<(CallId, Call)> {
        self.under_way
            .extract_if(|_, call| call.place == place)
            .collect()
    }
}

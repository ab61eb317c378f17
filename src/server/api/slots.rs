//! The limit on concurrent queries.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Slots for running queries, and for queries that wait briefly.
#[derive(Debug)]
pub(super) struct Slots {
    most: usize,
    most_waiting: usize,
    taken: Mutex<Taken>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Taken {
    answered: usize,
    /// Includes the running ones.
    all: usize,
}

impl Slots {
    /// Allows `most` running and `most_waiting` waiting queries.
    pub fn new(most: usize, most_waiting: usize) -> Self {
        Self {
            most,
            most_waiting,
            taken: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of running and waiting queries.
    pub fn in_use(&self) -> usize {
        self.taken().all
    }

    /// Admits one more if there is room; it must then [`Self::leave`].
    pub fn enter(&self) -> bool {
        let mut taken = self.taken();
        let room = taken.all < self.most.saturating_add(self.most_waiting);
        taken.all += usize::from(room);
        room
    }

    /// Removes one that entered.
    pub fn leave(&self) {
        let mut taken = self.taken();
        taken.all = taken.all.saturating_sub(1);
    }

    /// Waits for a slot after entering; `None` if none became free in time.
    pub fn take(&self, patience: Duration) -> Option<Slot<'_>> {
        let full = |taken: &mut Taken| taken.answered >= self.most;
        let waited = self.freed.wait_timeout_while(self.taken(), patience, full);
        let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if full(&mut taken) {
            return None;
        }
        taken.answered += 1;
        Some(Slot(self))
    }
}

/// A slot; released on drop.
#[derive(Debug)]
pub(super) struct Slot<'a>(&'a Slots);

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut taken = self.0.taken();
        taken.answered = taken.answered.saturating_sub(1);
        drop(taken);
        self.0.freed.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn some_are_answered_some_wait_and_more_are_sent_away() {
        let slots = Slots::new(2, 1);
        assert!(slots.enter() && slots.enter() && slots.enter());
        assert!(!slots.enter());
        let one = slots.take(Duration::ZERO).unwrap();
        let _two = slots.take(Duration::ZERO).unwrap();
        assert!(slots.take(Duration::ZERO).is_none());
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| slots.take(Duration::from_secs(60)).is_some());
            drop(one);
            assert!(waiting.join().unwrap());
        });
        slots.leave();
        assert!(slots.enter() && !slots.enter());
        assert_eq!(slots.in_use(), 3);
    }
}

//! How many questions are answered at one time.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Places for those that are answered, and for those that wait a moment.
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
    /// With those that are answered.
    all: usize,
}

impl Slots {
    /// So many are answered, and so many wait.
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

    /// How many are answered or wait.
    pub fn in_use(&self) -> usize {
        self.taken().all
    }

    /// Whether there is room for one more, who then has to [`Self::leave`].
    pub fn enter(&self) -> bool {
        let mut taken = self.taken();
        let room = taken.all < self.most.saturating_add(self.most_waiting);
        taken.all += usize::from(room);
        room
    }

    /// Takes away one who entered.
    pub fn leave(&self) {
        let mut taken = self.taken();
        taken.all = taken.all.saturating_sub(1);
    }

    /// Waits for a place, for one who entered; `None` where none came free.
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

/// A place; free again when it is dropped.
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

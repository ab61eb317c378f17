//! How many queries run at a time, and how much memory they may need together.
//!
//! A query that reads the whole log holds some MiB for each core while it runs,
//! so the number of concurrent ones is limited by a weighted semaphore. The others
//! wait, and their progress is reported. A reader that pages through an answer keeps
//! its permit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::query::{GapsQuery, IncidentsQuery, LoopsQuery, Query, ReportQuery};
use crate::store::Trail;

/// The total weight of the queries that run at a time: two `changes` or `report`, or
/// four `export`, over everything.
pub(super) const CAPACITY: u32 = 4;

/// How often progress is reported while a query waits.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The semaphore.
#[derive(Debug)]
pub(super) struct QueryLimiter {
    capacity: u32,
    taken: Mutex<u32>,
    freed: Condvar,
}

/// A permit; released on drop.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limiter: &'a QueryLimiter,
    weight: u32,
}

/// The weight of a query; 0 for one that needs little.
pub(super) fn weight(query: &Query, trail: &Trail) -> u32 {
    match query {
        Query::Changes(query) if query.filter.profile.is_none() => 2,
        Query::Report(ReportQuery { filter, .. })
        | Query::Gaps(GapsQuery { filter, .. })
        | Query::Incidents(IncidentsQuery { filter, .. })
        | Query::Loops(LoopsQuery { filter, .. })
            if filter.profile.is_none() =>
        {
            2
        }
        Query::Find(find) if !find.is_quick(trail) => 2,
        Query::Export(query) if query.profile.is_none() => 1,
        _ => 0,
    }
}

impl QueryLimiter {
    /// Admits queries up to a total weight.
    pub const fn new(capacity: u32) -> Self {
        Self {
            capacity,
            taken: Mutex::new(0),
            freed: Condvar::new(),
        }
    }

    /// Waits for a permit. Meanwhile `report` is called every [`PROGRESS_INTERVAL`];
    /// an error from it ends the wait.
    pub fn acquire<E>(
        &self,
        weight: u32,
        mut report: impl FnMut() -> Result<(), E>,
    ) -> Result<Permit<'_>, E> {
        let limiter = self;
        loop {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let is_full = |taken: &mut u32| weight > 0 && *taken + weight > self.capacity;
            let waited = self
                .freed
                .wait_timeout_while(taken, PROGRESS_INTERVAL, is_full);
            let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if !is_full(&mut taken) {
                *taken += weight;
                return Ok(Permit { limiter, weight });
            }
            drop(taken);
            report()?;
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let taken = self.limiter.taken.lock();
        *taken.unwrap_or_else(PoisonError::into_inner) -= self.weight;
        self.limiter.freed.notify_all();
    }
}

/// Counts what runs or waits; clones share the count.
#[derive(Clone, Debug, Default)]
pub(super) struct InFlight(Arc<AtomicUsize>);

/// One of those that are counted, until it is dropped.
#[derive(Debug)]
pub(super) struct Entered(Arc<AtomicUsize>);

impl InFlight {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Counts one more, if there are fewer than `max`.
    pub fn enter(&self, max: usize) -> Option<Entered> {
        let add = |count| (count < max).then_some(count + 1);
        let order = Ordering::AcqRel;
        let entered = self.0.fetch_update(order, Ordering::Acquire, add).is_ok();
        entered.then(|| Entered(Arc::clone(&self.0)))
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_third_waits_for_one_of_two_and_light_ones_never() {
        let limiter = QueryLimiter::new(4);
        let one = limiter.acquire(2, || Err(())).unwrap();
        let two = limiter.acquire(2, || Err(())).unwrap();
        limiter.acquire(2, || Err(())).unwrap_err();
        limiter.acquire(0, || Err(())).unwrap();
        let mut one = Some(one);
        let report = || {
            one.take();
            Ok::<(), ()>(())
        };
        limiter.acquire(2, report).unwrap();
        drop(two);
    }

    #[test]
    fn one_that_waits_is_woken() {
        let limiter = QueryLimiter::new(1);
        let one = limiter.acquire(1, || Err(())).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| limiter.acquire(1, || Ok::<(), ()>(())).is_ok());
            drop(one);
            assert!(waiting.join().unwrap());
        });
    }

    #[test]
    fn no_more_than_the_maximum_enter() {
        let in_flight = InFlight::default();
        let entered: Vec<_> = (0..3).map_while(|_| in_flight.enter(2)).collect();
        assert_eq!((entered.len(), in_flight.count()), (2, 2));
        drop(entered);
        assert!(in_flight.enter(1).is_some());
        assert_eq!(in_flight.count(), 0);
    }
}

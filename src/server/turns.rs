//! A weighted semaphore for queries that need much memory.
//!
//! A query that reads the whole log holds some MiB for each core while it runs,
//! so the number of concurrent ones is limited. The others wait, and their
//! progress is reported. A reader that pages through an answer keeps its turn.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::query::{GapsQuery, IncidentsQuery, LoopsQuery, Query, ReportQuery};
use crate::store::Trail;

/// The maximum total weight of running queries: two `changes` or `report`, or four
/// `export`, over everything.
const ALL: u32 = 4;

/// How often progress is reported while a query waits.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The semaphore.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<u32>,
    freed: Condvar,
}

/// A permit; released on drop.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    weight: u32,
}

/// The weight of a query.
const fn weight(query: &Query) -> u32 {
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
        Query::Find(_) => 2,
        Query::Export(query) if query.profile.is_none() => 1,
        _ => 0,
    }
}

impl Turns {
    /// Waits for the permit of a query. Meanwhile `report` is called every
    /// [`PROGRESS_INTERVAL`]; an error from it ends the wait.
    pub fn take<E>(
        &self,
        query: &Query,
        mut report: impl FnMut() -> Result<(), E>,
    ) -> Result<Turn<'_>, E> {
        let weight = weight(query);
        loop {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self
                .freed
                .wait_timeout_while(taken, PROGRESS_INTERVAL, |taken| *taken + weight > ALL);
            let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *taken + weight <= ALL {
                *taken += weight;
                return Ok(Turn {
                    turns: self,
                    weight,
                });
            }
            drop(taken);
            report()?;
        }
    }
}

/// Waits for the permit of a query, unless the query is quick.
pub(super) fn take_turn<'t, E>(
    turns: &'t Turns,
    trail: &Trail,
    query: &Query,
    report: impl FnMut() -> Result<(), E>,
) -> Result<Option<Turn<'t>>, E> {
    match query {
        Query::Find(find) if find.is_quick(trail) => Ok(None),
        query => turns.take(query, report).map(Some),
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let taken = self.turns.taken.lock();
        *taken.unwrap_or_else(PoisonError::into_inner) -= self.weight;
        self.turns.freed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ProfileKey;
    use crate::query::{ChangesQuery, ShowQuery};

    #[test]
    fn a_third_waits_for_one_of_two_and_light_ones_never() {
        let turns = Turns::default();
        let heavy = Query::Changes(ChangesQuery::default());
        let key = ProfileKey::profile(1);
        let light = Query::Show(ShowQuery {
            key,
            at: None,
            cascade: false,
        });
        let one = turns.take(&heavy, || Err(())).unwrap();
        let two = turns.take(&heavy, || Err(())).unwrap();
        turns.take(&heavy, || Err(())).unwrap_err();
        turns.take(&light, || Err(())).unwrap();
        let mut one = Some(one);
        let report = || {
            one.take();
            Ok::<(), ()>(())
        };
        turns.take(&heavy, report).unwrap();
        drop(two);
    }
}

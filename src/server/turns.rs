//! Turns of questions that need much memory.
//!
//! A question that reads the whole log holds some MiB for each core while it
//! is answered, so only so many are answered at once; the others wait, and are
//! told so. A reader that pages through an answer keeps its turn.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use crate::query::{GapsQuery, IncidentsQuery, LoopsQuery, Query, ReportQuery};
use crate::store::Trail;

/// What all questions under way may weigh together: two `changes` or `report`, or four
/// `export`, over everything.
const ALL: u32 = 4;

/// How often those who wait are told.
const TELL: Duration = Duration::from_millis(100);

/// Who answers what now.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: Mutex<u32>,
    freed: Condvar,
}

/// A turn; over when it is dropped.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    turns: &'a Turns,
    weight: u32,
}

/// What a question weighs.
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
    /// Waits for a turn for a question. `tell` is called some ten times a
    /// second meanwhile, and gives up by an error.
    pub fn take<E>(
        &self,
        query: &Query,
        mut tell: impl FnMut() -> Result<(), E>,
    ) -> Result<Turn<'_>, E> {
        let weight = weight(query);
        loop {
            let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self
                .freed
                .wait_timeout_while(taken, TELL, |taken| *taken + weight > ALL);
            let (mut taken, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *taken + weight <= ALL {
                *taken += weight;
                return Ok(Turn {
                    turns: self,
                    weight,
                });
            }
            drop(taken);
            tell()?;
        }
    }
}

/// Waits for a turn for a question, unless it takes no time anyway.
pub(super) fn take_turn<'t, E>(
    turns: &'t Turns,
    trail: &Trail,
    query: &Query,
    tell: impl FnMut() -> Result<(), E>,
) -> Result<Option<Turn<'t>>, E> {
    match query {
        Query::Find(find) if find.is_quick(trail) => Ok(None),
        query => turns.take(query, tell).map(Some),
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
        let tell = || {
            one.take();
            Ok::<(), ()>(())
        };
        turns.take(&heavy, tell).unwrap();
        drop(two);
    }
}

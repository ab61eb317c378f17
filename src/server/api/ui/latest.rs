//! Recent activity: the latest events, and their number by hour.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::ask::each_until;
use super::pages::Site;
use crate::event::ProfileKey;
use crate::log::record::EventHead;
use crate::query::lines::HistoryLine;
use crate::query::{Filter, HistoryQuery, Query, QueryError, Span, TailQuery};
use crate::store::{Step, Trail};
use crate::web::bars::Hours;
use crate::web::events::row;
use crate::web::start::Latest;

/// The maximum number of events in one update.
const MOST: u64 = 30;

/// The number of hours that are counted.
const HOURS: usize = 48;

/// The maximum number of events that are counted.
const COUNTED: u64 = 2_000_000;

/// A value, and when it was made.
pub(super) type Cache<T> = Mutex<Option<(Instant, T)>>;

/// The cached value if it is younger than `lasts`, else a new one.
pub(super) fn refreshed<T: Clone, E>(
    mut cached: MutexGuard<'_, Option<(Instant, T)>>,
    lasts: Duration,
    make: impl FnOnce() -> Result<T, E>,
) -> Result<T, E> {
    if let Some((made, value)) = &*cached
        && made.elapsed() < lasts
    {
        return Ok(value.clone());
    }
    let value = make()?;
    *cached = Some((Instant::now(), value.clone()));
    Ok(value)
}

/// The question for all events of a (sub)profile.
pub(super) fn history(key: ProfileKey) -> HistoryQuery {
    HistoryQuery {
        key,
        fields: Vec::new(),
        interests: Vec::new(),
        span: Span::default(),
        all: false,
        limit: None,
        reverse: false,
        subprofiles: false,
        cascade: true,
    }
}

/// The events after one, in the order of arrival, up to another.
pub(super) fn latest(site: &Site<'_>, after: u64, last: u64) -> Result<Latest, QueryError> {
    let first = after.max(last.saturating_sub(MOST));
    let query = Query::Tail(TailQuery {
        filter: Filter {
            cascade: true,
            ..Filter::default()
        },
        after: Some(first),
        last: None,
        limit: None,
    });
    let reader = site.reader();
    let mut latest = Latest {
        rows: Vec::new(),
        last: None,
        skipped: first.saturating_sub(after),
    };
    each_until(&site.parts.trail, &query, |line: HistoryLine<'static>| {
        if line.seq > last {
            return ControlFlow::Break(());
        }
        latest.rows.push(row(&line, &reader, true));
        latest.last = Some(line.time);
        ControlFlow::Continue(())
    })?;
    latest.rows.reverse();
    Ok(latest)
}

/// The number of events in each of the last hours, unless they are too many. Reads only
/// their heads.
pub(super) fn hours(trail: &Trail, now: i64) -> Result<Option<Hours>, QueryError> {
    let begun = now.div_euclid(3_600);
    let from = begun.saturating_sub(HOURS as i64 - 1).saturating_mul(3_600);
    let until = begun.saturating_add(1).saturating_mul(3_600);
    let mut walk = trail.snapshot().walk(from, until)?;
    if walk.events > COUNTED {
        return Ok(None);
    }
    let mut counts: Vec<u64> = vec![0; HOURS];
    loop {
        let step = walk.step(|_, record| {
            let Ok(head) = EventHead::decode(record) else {
                return;
            };
            let place = usize::try_from(head.time.saturating_sub(from).div_euclid(3_600));
            if let Some(count) = place.ok().and_then(|place| counts.get_mut(place)) {
                *count += 1;
            }
        })?;
        if let Step::End = step {
            return Ok(Some(Hours { from, counts }));
        }
    }
}

//! The start page: the latest events, and their number by hour.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::ask::each_until;
use super::pages::{Failure, Site};
use super::reply::html as reply;
use crate::event::ProfileKey;
use crate::log::record::EventHead;
use crate::query::lines::HistoryLine;
use crate::query::{Filter, HistoryQuery, Query, QueryError, Span, TailQuery};
use crate::server::reply::Reply;
use crate::store::{Step, Trail};
use crate::web::events::row;
use crate::web::start::{self, Hours, Latest, Page};

/// The maximum number of events in one update.
const MOST: u64 = 30;

/// The number of hours that are counted.
const HOURS: usize = 48;

/// The maximum number of events that are counted.
const COUNTED: u64 = 2_000_000;

/// How long the hourly counts stay cached.
const HOURS_LAST: Duration = Duration::from_secs(10);

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

/// The start page.
pub(super) fn page(site: &Site<'_>) -> Result<Reply, Failure> {
    let (parts, clock) = (site.parts, &site.clock);
    let progress = parts.trail.index().progress();
    let last = parts.inactivity.last_event();
    let cursor = parts.trail.last_seq();
    let page = Page {
        trouble: parts.health.trouble(),
        silent: parts.inactivity.is_alarm(),
        last: last.map(|micros| micros.div_euclid(1_000_000)),
        events: progress.last,
        behind: progress.last.saturating_sub(progress.applied),
        free: parts.health.disk.free(),
        checkpoint: parts.trail.prover().last(),
        anchor: parts.trail.prover().last_anchor(),
        hours: refreshed(site.ui.hours.lock(), HOURS_LAST, || {
            hours(&parts.trail, clock.now)
        })?,
        cursor,
        latest: latest(site, 0, cursor)?.rows,
        webhook: parts.pages.webhook.clone(),
    };
    Ok(reply(200, page.render(&site.reader())))
}

/// What has come after an event.
pub(super) fn live(site: &Site<'_>, after: u64) -> Result<Reply, Failure> {
    let cursor = site.parts.trail.last_seq();
    let latest = latest(site, after, cursor)?;
    Ok(reply(200, start::live(&latest, cursor, &site.reader())))
}

/// The events after one, in the order of arrival, up to another.
fn latest(site: &Site<'_>, after: u64, last: u64) -> Result<Latest, QueryError> {
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
fn hours(trail: &Trail, now: i64) -> Result<Option<Hours>, QueryError> {
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

//! The content of a (sub)profile's page.

use std::ops::ControlFlow;

use serde::de::IgnoredAny;

use super::ask::{add, each, each_until, find_line, first};
use super::latest::history;
use super::pages::{Failure, Site};
use super::reply::html as reply;
use super::route::ProfileRoute;
use crate::event::ProfileKey;
use crate::format::seconds_of;
use crate::history::Subject;
use crate::query::lines::{DiffLine, HistoryLine, ShowLine};
use crate::query::{Answered, DiffQuery, HistoryQuery, Query, Span, StateQuery};
use crate::server::reply::Reply;
use crate::web::events::row;
use crate::web::profile::{List, Page, SUBPROFILES, unknown};
use crate::web::state::State;
use crate::web::timeline::{Timeline, ends};
use crate::web::{Scale, Zoom};

/// The number of events on a page of the list.
const PAGE: usize = 50;

/// The question for the state at a moment, or now.
const fn show(key: ProfileKey, at: Option<i64>) -> Query {
    let cascade = true;
    Query::Show(StateQuery { key, at, cascade })
}

pub(super) fn page(site: &Site<'_>, route: &ProfileRoute) -> Result<Reply, Failure> {
    let (trail, clock, key) = (&site.parts.trail, &site.clock, route.key);
    let (now, mut all) = first::<ShowLine<'static>>(trail, &show(key, None))?;
    let Some(now) = now else {
        let page = unknown(key, trail.last_seq(), &all.damage, &site.reader());
        return Ok(reply(404, page));
    };
    // A deleted (sub)profile opens on its last state, of the moment before.
    let deleted = match (&route.at, now.state.as_str()) {
        (None, "deleted") => deleted(site, &now)?,
        _ => None,
    };
    let usual = deleted.map_or(clock.now, |(_, time)| time.saturating_sub(1));
    let (at, wrong) = match &route.at {
        Some(Ok(at)) => (*at, None),
        Some(Err((text, why))) => (clock.now, Some((text.as_str(), why.as_str()))),
        None => (usual, None),
    };
    let state = state(site, &now, at, &mut all)?;
    let status = if wrong.is_some() { 400 } else { 200 };
    if route.fragment {
        return Ok(reply(status, state.table(clock)));
    }
    let subprofiles = match key.subprofile {
        None => subprofiles(site, key)?,
        Some(_) => (Vec::new(), false),
    };
    let ends = (
        end(site, key, false, &mut all)?,
        end(site, key, true, &mut all)?,
    );
    // Without an event all were pruned: the remaining state is older.
    let begun = ends.0.unwrap_or(clock.now.saturating_sub(30 * 86_400));
    let scale = scale(route.zoom, begun, ends.1.unwrap_or(begun).max(clock.now));
    let timeline = timeline(site, route, scale, &mut all)?;
    let list = list(site, route, &timeline)?;
    let page = Page {
        key,
        now,
        subprofiles,
        zoom: route.zoom,
        timeline,
        only: route.only.as_ref(),
        first: ends.0,
        state,
        wrong,
        deleted,
        list,
        answered: all,
    };
    Ok(reply(status, page.render(&site.reader())))
}

/// The event that deleted a (sub)profile, and its time.
fn deleted(site: &Site<'_>, now: &ShowLine<'_>) -> Result<Option<(u64, i64)>, Failure> {
    if let Some(end) = &now.cascade {
        return Ok(seconds_of(&end.time).map(|time| (end.seq, time)));
    }
    let query = Query::History(HistoryQuery {
        reverse: true,
        ..history(now.who)
    });
    let (line, _) = find_line::<HistoryLine<'static>>(&site.parts.trail, &query, ends)?;
    Ok(line.and_then(|line| Some((line.seq, seconds_of(&line.time)?))))
}

/// The time of the first or the last event.
fn end(
    site: &Site<'_>,
    key: ProfileKey,
    reverse: bool,
    all: &mut Answered,
) -> Result<Option<i64>, Failure> {
    let query = Query::History(HistoryQuery {
        limit: Some(1),
        reverse,
        ..history(key)
    });
    let (line, answered) = first::<HistoryLine<'static>>(&site.parts.trail, &query)?;
    add(all, answered);
    Ok(line.and_then(|line| seconds_of(&line.time)))
}

/// The drawn part of the time from the first event to the last, or to now.
fn scale(zoom: Zoom, begun: i64, ended: i64) -> Scale {
    let until = ended.saturating_add(1);
    match zoom {
        // A margin, so that the first mark is not at the edge.
        Zoom::All => Scale::new(
            begun
                .saturating_sub(until.saturating_sub(begun) / 50)
                .saturating_sub(1),
            until,
        ),
        Zoom::Last(_, length) => Scale::new(until.saturating_sub(length), until),
        Zoom::Between(from, to) => Scale::new(from, to),
    }
}

fn timeline(
    site: &Site<'_>,
    route: &ProfileRoute,
    scale: Scale,
    all: &mut Answered,
) -> Result<Timeline, Failure> {
    let (trail, key) = (&site.parts.trail, route.key);
    let at = Some(scale.from.saturating_sub(1));
    let (before, _) = first::<ShowLine<'static>>(trail, &show(key, at))?;
    let mut timeline = Timeline::new(scale, before.as_ref(), route.only.as_ref());
    let query = Query::History(HistoryQuery {
        span: Span {
            since: Some(scale.from),
            until: Some(scale.to),
        },
        ..history(key)
    });
    let answered = each(trail, &query, |line: HistoryLine<'static>| {
        timeline.take(&line);
    })?;
    add(all, answered);
    Ok(timeline.finish())
}

/// The state at a moment, and its differences from now.
fn state(
    site: &Site<'_>,
    now: &ShowLine<'_>,
    at: i64,
    all: &mut Answered,
) -> Result<State, Failure> {
    let (trail, key) = (&site.parts.trail, now.who);
    let earlier;
    let shown = if at == site.clock.now {
        now
    } else {
        let (shown, answered) = first::<ShowLine<'static>>(trail, &show(key, Some(at)))?;
        add(all, answered);
        earlier = shown.ok_or_else(|| {
            std::io::Error::other("the state of a profile was there, and then was not")
        })?;
        &earlier
    };
    let compared = now.state != "deleted" || shown.state != "present";
    let mut state = State::new(shown, compared);
    if compared && at < site.clock.now {
        let query = Query::Diff(DiffQuery {
            key,
            from: at,
            to: None,
            cascade: true,
        });
        let answered = each(trail, &query, |line: DiffLine<'static>| {
            state.differs(&line);
        })?;
        add(all, answered);
    }
    Ok(state)
}

/// A page of the list of events, newest first.
fn list(site: &Site<'_>, route: &ProfileRoute, timeline: &Timeline) -> Result<List, Failure> {
    let (fields, interests) = match &route.only {
        Some(Subject::Field(name)) => (vec![name.to_string()], Vec::new()),
        Some(Subject::Interest(name)) => (Vec::new(), vec![name.to_string()]),
        None => (Vec::new(), Vec::new()),
    };
    let whole = HistoryQuery {
        fields,
        interests,
        reverse: true,
        ..history(route.key)
    };
    let mut list = List {
        is_later: route.before.is_some(),
        before: route.listed,
        ..List::default()
    };
    if route.zoom == Zoom::All && route.only.is_none() {
        list.all = timeline.events;
    } else {
        let query = Query::History(whole.clone());
        each(&site.parts.trail, &query, |_: IgnoredAny| list.all += 1)?;
    }
    let query = Query::History(HistoryQuery {
        span: Span {
            since: None,
            until: route.before.map(|(time, _)| time.saturating_add(1)),
        },
        ..whole
    });
    let reader = site.reader();
    // Skips the events of the same second that the previous page has shown.
    let mut before = route.before;
    let (mut last, mut more) = (None, false);
    each_until(&site.parts.trail, &query, |line: HistoryLine<'static>| {
        let at = seconds_of(&line.time).unwrap_or_default();
        if let Some((time, seq)) = before {
            let passed = at < time;
            if passed || line.seq == seq {
                before = None;
            }
            if !passed {
                return ControlFlow::Continue(());
            }
        }
        more = list.rows.len() >= PAGE;
        if more {
            return ControlFlow::Break(());
        }
        list.rows.push(row(&line, &reader, false));
        last = Some((at, line.seq));
        ControlFlow::Continue(())
    })?;
    list.older = last.filter(|_| more);
    Ok(list)
}

/// Some of a profile's subprofiles, and whether there are more.
fn subprofiles(site: &Site<'_>, key: ProfileKey) -> Result<(Vec<ProfileKey>, bool), Failure> {
    let all = site.parts.trail.snapshot().subprofiles(key.profile);
    let mut keys: Vec<_> = all.take(SUBPROFILES + 1).collect::<Result<_, _>>()?;
    let more = keys.len() > SUBPROFILES;
    keys.truncate(SUBPROFILES);
    Ok((keys, more))
}

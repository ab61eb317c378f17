//! The panels of anomalies: unexplained changes, incidents, loops, unreadable
//! calls.
//!
//! Each of the first three is a query over all changes of some days. Its lines
//! become a panel, which is cached for [`LASTS`] and computed one at a time.

use std::collections::VecDeque;
use std::time::Duration;

use maud::Markup;
use serde::de::DeserializeOwned;

use super::ask::each;
use super::latest::{Cache, refreshed};
use super::pages::{Failure, Site};
use super::reply::html as reply;
use super::route::Panel;
use crate::query::lines::RejectedLine;
use crate::query::{
    Filter, GapLine, GapsQuery, IncidentLine, IncidentsQuery, LoopGroupLine, LoopLine, LoopsLine,
    LoopsQuery, Query, RejectedQuery, Span, Wanted,
};
use crate::server::reply::Reply;
use crate::server::semaphore::{Client, Permit, weight};
use crate::web::Reader;
use crate::web::findings::{self, Findings, SHOWN};
use crate::web::search_results::{rejected, rejected_call};

/// The time range of the queries, in seconds before now.
const BACK: i64 = 14 * 86_400;

/// The number of loops that are searched for examples.
const LOOPS: u64 = 200;

/// How long findings are cached.
const LASTS: Duration = Duration::from_secs(300);

pub(super) fn page(site: &Site<'_>, panel: Panel, alone: bool) -> Result<Reply, Failure> {
    let ui = site.ui;
    let (title, made) = match panel {
        Panel::Gaps => ("Unexplained changes", cached(&ui.gaps, || gaps(site))),
        Panel::Incidents => ("Incidents", cached(&ui.incidents, || incidents(site))),
        Panel::Loops => ("Loops", cached(&ui.loops, || loops(site))),
        Panel::Rejected => ("Rejected calls", calls(site)),
    };
    let content = made?;
    Ok(reply(
        200,
        match alone {
            true => content,
            false => findings::page(title, &content, &site.reader()),
        },
    ))
}

/// The cached panel or a new one; busy while that is being made for another page.
fn cached(
    cache: &Cache<Markup>,
    make: impl FnOnce() -> Result<Markup, Failure>,
) -> Result<Markup, Failure> {
    let cached = cache.try_lock().ok_or(Failure::Busy)?;
    refreshed(cached, LASTS, make)
}

/// A permit for the query of a page. It is released before the page is sent, so nobody
/// can keep it by not reading.
pub(super) fn permit(site: &Site<'_>, query: &Query) -> Result<Permit, Failure> {
    permit_for(site, query, &Client::default())
}

/// The same within a client's share, for an answer that is sent while it is made.
pub(super) fn permit_for(
    site: &Site<'_>,
    query: &Query,
    client: &Client,
) -> Result<Permit, Failure> {
    let parts = site.parts;
    let weight = weight(query, &parts.trail);
    let permit = parts.queries.acquire(weight, client, parts.patience());
    permit.map_err(|()| Failure::Busy)
}

/// The filter of the changes in the time range.
fn recent(site: &Site<'_>) -> Filter {
    Filter {
        span: Span {
            since: Some(site.clock.now.saturating_sub(BACK)),
            until: None,
        },
        ..Filter::default()
    }
}

/// Runs a query and adds a finding for each line.
fn ask<T: DeserializeOwned>(
    site: &Site<'_>,
    query: &Query,
    mut findings: Findings,
    finding: fn(&T, &Reader<'_>) -> Markup,
) -> Result<Markup, Failure> {
    let reader = site.reader();
    let _permit = permit(site, query)?;
    let answered = each(&site.parts.trail, query, |line: T| {
        findings.add(|| finding(&line, &reader));
    })?;
    Ok(findings.panel(&answered.damage, &answered.notes, &site.reader()))
}

fn gaps(site: &Site<'_>) -> Result<Markup, Failure> {
    let query = Query::Gaps(GapsQuery {
        filter: recent(site),
        limit: None,
        within: GapsQuery::WITHIN,
        least: GapsQuery::LEAST,
    });
    let findings = Findings {
        meaning: "Of the last two weeks: values that changed without a call that claims it, grouped by what would explain them.",
        none: "None: a call claims every change of the last two weeks.",
        command: "profiletrail gaps --since '14 days ago'",
        ..Findings::default()
    };
    ask::<GapLine<'static>>(site, &query, findings, findings::gap)
}

fn incidents(site: &Site<'_>) -> Result<Markup, Failure> {
    let query = Query::Incidents(IncidentsQuery {
        filter: recent(site),
        limit: None,
        within: IncidentsQuery::WITHIN,
        least: IncidentsQuery::LEAST,
        what: Wanted::List,
    });
    let findings = Findings {
        meaning: "Of the last two weeks: changes of one field in many profiles within minutes, as after a bad import.",
        none: "None: in the last two weeks no field changed in many profiles at once.",
        command: "profiletrail incidents --since '14 days ago'",
        ..Findings::default()
    };
    ask::<IncidentLine<'static>>(site, &query, findings, findings::incident)
}

fn loops(site: &Site<'_>) -> Result<Markup, Failure> {
    let query = Query::Loops(LoopsQuery {
        filter: recent(site),
        limit: Some(LOOPS),
        within: LoopsQuery::WITHIN,
        least: LoopsQuery::LEAST,
    });
    let mut findings = Findings {
        meaning: "Of the last two weeks: fields that go from one value to another and back, as when two systems fight over them.",
        none: "None: in the last two weeks no field kept changing back and forth.",
        command: "profiletrail loops --since '14 days ago'",
        ..Findings::default()
    };
    let mut groups: Vec<(LoopGroupLine<'static>, Option<LoopLine<'static>>)> = Vec::new();
    let _permit = permit(site, &query)?;
    let answered = each(&site.parts.trail, &query, |line: LoopsLine| match line {
        LoopsLine::Group(group) if groups.len() < SHOWN => groups.push((group, None)),
        LoopsLine::Group(_) => findings.further += 1,
        LoopsLine::Loop(one) => {
            // The groups with the most changes come first.
            let own = groups.iter_mut().find(|(group, example)| {
                example.is_none()
                    && group.subject == one.subject
                    && one
                        .writers
                        .iter()
                        .all(|writer| !writer.claimed || group.labels.contains(&writer.label))
            });
            if let Some((_, example)) = own {
                *example = Some(*one);
            }
        }
    })?;
    let rows = groups.iter();
    findings.rows = rows
        .map(|(group, one)| findings::unrest(group, one.as_ref(), &site.reader()))
        .collect();
    Ok(findings.panel(&answered.damage, &answered.notes, &site.reader()))
}

/// The number of recent unreadable calls, and the last of them, newest first.
fn calls(site: &Site<'_>) -> Result<Markup, Failure> {
    let query = Query::Rejected(RejectedQuery {
        span: recent(site).span,
        limit: None,
        reverse: false,
    });
    let (mut count, mut last) = (0, VecDeque::new());
    each(&site.parts.trail, &query, |line: RejectedLine<'static>| {
        count += 1;
        last.push_front(rejected_call(&line, &site.reader()));
        last.truncate(SHOWN);
    })?;
    Ok(rejected(count, &last, &site.reader()))
}

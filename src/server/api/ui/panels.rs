//! What stands out: unexplained changes, incidents, calls that could not be read.
//!
//! Each of the first two is one function, [`gaps`] and [`incidents`], that turns
//! lines of answers into [`Findings`].

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::time::Duration;

use super::ask::each;
use super::pages::{Asker, Failure};
use super::reply::html as reply;
use super::route::Panel;
use crate::query::lines::{ChangesLine, RejectedLine};
use crate::query::{ChangesQuery, Query, RejectedQuery, Span};
use crate::server::reply::Reply;
use crate::ui::found::{Finding, Findings, Rejected, rejected};
use crate::ui::shell::message;
use crate::ui::text::Name;

/// How far back is looked.
const BACK: i64 = 7 * 86_400;

/// How many findings are shown.
const SHOWN: usize = 8;

/// How many fields are counted at most.
const FIELDS: usize = 500;

/// The longest name in bytes that is counted.
const NAME_LEN: usize = 1000;

/// How long findings are good.
const LASTS: Duration = Duration::from_secs(300);

pub(super) fn page(asker: &Asker<'_>, panel: Panel, alone: bool) -> Result<Reply, Failure> {
    let clock = &asker.clock;
    let found = match panel {
        Panel::Gaps => {
            let found = asker.ui.gaps.try_get(LASTS, || gaps(asker));
            found.unwrap_or(Err(Failure::Busy))?
        }
        Panel::Incidents => incidents(asker)?,
        Panel::Rejected => {
            let (count, last) = calls(asker)?;
            let body = rejected(count, &last, clock);
            let title = "Calls that could not be read";
            return Ok(reply(
                200,
                if alone {
                    body
                } else {
                    message(title, &body, Some(clock))
                },
            ));
        }
    };
    Ok(reply(
        200,
        if alone {
            found.panel(clock)
        } else {
            found.page(clock)
        },
    ))
}

/// A turn for a question that reads much.
pub(super) fn turn<'a>(
    asker: &Asker<'a>,
    query: &Query,
) -> Result<crate::server::turns::Turn<'a>, Failure> {
    let begun = std::time::Instant::now();
    let turn = asker.parts.turns.take(query, || {
        if begun.elapsed() < Duration::from_secs(3) {
            Ok(())
        } else {
            Err(())
        }
    });
    turn.map_err(|()| Failure::Busy)
}

#[derive(Debug)]
struct Tally {
    count: u64,
    first: String,
    last: String,
    seq: u64,
}

/// What changed at moments that nobody saw, by field.
fn gaps(asker: &Asker<'_>) -> Result<Findings, Failure> {
    let query = Query::Changes(ChangesQuery {
        causes: vec!["unexplained".to_owned()],
        span: Span {
            since: Some(asker.clock.now.saturating_sub(BACK)),
            until: None,
        },
        ..ChangesQuery::default()
    });
    let _turn = turn(asker, &query)?;
    let mut fields: BTreeMap<(bool, String), Tally> = BTreeMap::new();
    let answered = each(&asker.parts.trail, &query, |line: ChangesLine<'static>| {
        let (name, interest) = match (line.field, line.interest) {
            (None, Some(interest)) => (interest, true),
            (field, _) => (field.unwrap_or_default(), false),
        };
        let key = (interest, name.into_owned());
        if key.1.len() > NAME_LEN || fields.len() >= FIELDS && !fields.contains_key(&key) {
            return ControlFlow::Continue(());
        }
        let tally = fields.entry(key).or_insert_with(|| Tally {
            count: 0,
            first: line.time.clone(),
            last: String::new(),
            seq: line.seq,
        });
        tally.count += 1;
        tally.last = line.time;
        ControlFlow::Continue(())
    })?;
    let mut fields: Vec<_> = fields.into_iter().collect();
    fields.sort_by_key(|(_, tally)| std::cmp::Reverse(tally.count));
    let finding = |((interest, name), tally): ((bool, String), Tally)| Finding {
        what: Name::new(&name, interest),
        how_much: match tally.count {
            1 => "one change".to_owned(),
            count => format!("{count} changes"),
        },
        span: Some((tally.first, tally.last)),
        detail: None,
        seq: Some(tally.seq),
        command: command(interest, &name),
    };
    Ok(Findings {
        title: "Unexplained changes",
        meaning: "Of the last week, by field: values that changed without an event that says so. A call was lost, or something changes them without a webhook.",
        rows: fields.into_iter().take(SHOWN).map(finding).collect(),
        none: "None: every change of the last week came with an event that says so.",
        damage: answered.damage,
    })
}

/// The command that lists them; its name quoted as a shell wants it.
fn command(interest: bool, name: &str) -> String {
    let plain = crate::cli::output::plain(name);
    let flag = if interest { "interest" } else { "field" };
    let quoted = plain.replace('\'', "'\\''");
    format!("profiletrail changes --cause unexplained --since '7 days ago' --{flag}='{quoted}'")
}

/// Whether [`incidents`] can be asked for.
pub(super) const fn has_incidents() -> bool {
    false
}

/// Bursts in which many profiles got the same field changed.
fn incidents(_: &Asker<'_>) -> Result<Findings, Failure> {
    Ok(Findings {
        title: "Incidents",
        meaning: "Bursts in which many profiles got the same field changed within minutes.",
        rows: Vec::new(),
        none: "They cannot be told here. Ask what changed: profiletrail changes --since yesterday",
        damage: Vec::new(),
    })
}

/// How many calls could not be read lately, and the last of them, newest first.
fn calls(asker: &Asker<'_>) -> Result<(u64, Vec<Rejected>), Failure> {
    let query = Query::Rejected(RejectedQuery {
        span: Span {
            since: Some(asker.clock.now.saturating_sub(BACK)),
            until: None,
        },
        limit: None,
        reverse: false,
    });
    let (mut count, mut last) = (0, std::collections::VecDeque::new());
    each(&asker.parts.trail, &query, |line: RejectedLine<'static>| {
        count += 1;
        last.push_front(Rejected::new(&line));
        last.truncate(SHOWN);
        ControlFlow::Continue(())
    })?;
    Ok((count, last.into()))
}

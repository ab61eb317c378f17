//! The search box.
//!
//! [`find`] is the one place where a value is looked for over all profiles.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use super::ask::{each, first};
use super::pages::{Asker, Failure};
use super::panels::turn;
use super::reply::{elsewhere, html as reply};
use super::route::number;
use crate::event::ProfileKey;
use crate::query::lines::{ChangesLine, ShowLine};
use crate::query::{ChangesQuery, Query, ShowQuery, Span};
use crate::server::reply::Reply;
use crate::ui::found::{Hit, Hits, hits, no_search};

/// How many (sub)profiles are shown.
const MOST: usize = 100;

pub(super) fn search(asker: &Asker<'_>, text: &str) -> Result<Reply, Failure> {
    let clock = &asker.clock;
    let asked = text.trim();
    if let Ok(key) = asked.parse::<ProfileKey>() {
        return Ok(elsewhere(&format!("/profile/{key}"), ""));
    }
    let event = asked.strip_prefix("event ").or(asked.strip_prefix('#'));
    if let Some(seq) = event.and_then(|seq| number(seq.trim())) {
        return Ok(elsewhere(&format!("/event/{seq}"), ""));
    }
    let Some((field, value)) = text
        .split_once('=')
        .filter(|(field, _)| !field.trim().is_empty())
    else {
        return Ok(reply(
            if asked.is_empty() { 200 } else { 404 },
            no_search(text, clock),
        ));
    };
    let field = field.trim();
    // Values are never trimmed, but what people paste often has a blank too many.
    let (mut value, trimmed) = (value, value.trim());
    let mut found = find(asker, field, value)?;
    if found.hits.is_empty() && trimmed != value {
        value = trimmed;
        found = find(asker, field, value)?;
    }
    let status = if found.hits.is_empty() { 404 } else { 200 };
    Ok(reply(status, hits(text, field, value, &found, clock)))
}

/// Who has or had a value of a field.
fn find(asker: &Asker<'_>, field: &str, value: &str) -> Result<Hits, Failure> {
    let trail = &asker.parts.trail;
    let of = ChangesQuery {
        fields: vec![field.to_owned()],
        ..ChangesQuery::default()
    };
    let query = Query::Changes(ChangesQuery {
        new: Some(value.to_owned()),
        ..of.clone()
    });
    let mut found = Hits::default();
    let mut last: BTreeMap<ProfileKey, Hit> = BTreeMap::new();
    let turn = turn(asker, &query)?;
    let answered = each(trail, &query, |line: ChangesLine<'static>| {
        let key = key_of(&line);
        if last.len() >= MOST && !last.contains_key(&key) {
            found.more = true;
            return ControlFlow::Continue(());
        }
        last.insert(
            key,
            Hit {
                key,
                since: line.time,
                since_seq: line.seq,
                cause: line.cause.into_owned(),
                until: None,
                until_seq: None,
            },
        );
        ControlFlow::Continue(())
    })?;
    drop(turn);
    found.damage = answered.damage;
    for (key, mut hit) in last {
        let show = Query::Show(ShowQuery {
            key,
            at: None,
            cascade: true,
        });
        let (now, _) = first::<ShowLine<'static>>(trail, &show)?;
        let has = now.as_ref().and_then(|now| now.fields.get(field));
        if has.is_none_or(|has| has.as_ref() != value) {
            let query = Query::Changes(ChangesQuery {
                old: Some(value.to_owned()),
                profile: Some(key.profile),
                subprofile: key.subprofile,
                span: Span {
                    since: crate::ui::seconds_of(&hit.since),
                    until: None,
                },
                ..of.clone()
            });
            each(trail, &query, |line: ChangesLine<'static>| {
                if key_of(&line) == key {
                    hit.until = Some(line.time);
                    hit.until_seq = Some(line.seq);
                }
                ControlFlow::Continue(())
            })?;
            if hit.until.is_none() {
                // Its end is the (sub)profile's, or is not known.
                let deleted = now.filter(|now| now.state == "deleted");
                let last = deleted.and_then(|now| now.last_event);
                hit.until_seq = last.as_ref().map(|last| last.seq);
                hit.until = Some(last.map_or_else(String::new, |last| last.time));
            }
        }
        found.hits.push(hit);
    }
    // Who has it now comes first.
    found.hits.sort_by_key(|hit| hit.until.is_some());
    Ok(found)
}

fn key_of(line: &ChangesLine<'_>) -> ProfileKey {
    ProfileKey {
        profile: line.profile,
        subprofile: line.subprofile,
    }
}

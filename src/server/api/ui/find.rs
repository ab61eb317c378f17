//! The search box.
//!
//! [`find`] is the only place that searches all profiles for a value.

use std::ops::ControlFlow;

use super::ask::each;
use super::pages::{Asker, Failure};
use super::panels::permit;
use super::reply::{elsewhere, html as reply};
use super::route::number;
use crate::event::ProfileKey;
use crate::query::lines::FindLine;
use crate::query::{FindQuery, FindTarget, Matching, Query};
use crate::server::reply::Reply;
use crate::web::search_results::{Hits, can_differ, hit, hits, no_search};

/// The maximum number shown of current holders, and of former holders.
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
    let tries = sought(text);
    let mut tried = None;
    for sought in tries {
        let found = find(asker, &sought)?;
        let is_found = !found.hits.is_empty();
        tried = Some((sought, found));
        if is_found {
            break;
        }
    }
    let Some((sought, found)) = tried else {
        let status = if asked.is_empty() { 200 } else { 404 };
        return Ok(reply(status, no_search(text, clock)));
    };
    let status = if found.hits.is_empty() { 404 } else { 200 };
    Ok(reply(status, hits(text, &sought, &found, clock)))
}

/// The searches that a text may mean, tried in order until one finds something.
fn sought(text: &str) -> Vec<FindTarget> {
    let Some((name, value)) = text.split_once('=') else {
        let interest = text.trim().strip_prefix("interest ");
        let interest = interest.map(|name| FindTarget::Interest(name.trim().to_owned()));
        return interest.into_iter().collect();
    };
    let name = name.trim();
    if name.is_empty() {
        return Vec::new();
    }
    let field = |value: &str, by| FindTarget::Field {
        name: name.to_owned(),
        value: value.to_owned(),
        by,
        ignore_case: false,
    };
    let trimmed = value.trim();
    // A value that itself ends with `*` is found too: it has this prefix.
    if let Some(begin) = trimmed.strip_suffix('*') {
        return vec![field(begin, Matching::Prefix)];
    }
    // Values are never trimmed, but pasted text often has extra spaces.
    let mut tries = vec![field(value, Matching::Whole)];
    if trimmed != value {
        tries.push(field(trimmed, Matching::Whole));
    }
    tries
}

/// The profiles that have or had the value; current holders first.
fn find(asker: &Asker<'_>, sought: &FindTarget) -> Result<Hits, Failure> {
    let query = Query::Find(FindQuery {
        sought: sought.clone(),
        ever: true,
        at: None,
        database: None,
        limit: None,
        cascade: true,
    });
    let _permit = permit(asker, &query)?;
    let (mut now, mut before) = (Vec::new(), Vec::new());
    let mut more = false;
    let answered = each(&asker.parts.trail, &query, |line: FindLine<'static>| {
        let held = match line.until {
            None => &mut now,
            Some(_) => &mut before,
        };
        if held.len() < MOST {
            held.push(hit(&line, can_differ(sought), &asker.clock));
        } else {
            more = true;
        }
        // Later hits would sort after these.
        if more && now.len() >= MOST {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    now.append(&mut before);
    if more {
        now.truncate(MOST);
    }
    Ok(Hits {
        hits: now,
        more,
        damage: answered.damage,
        notes: answered.notes,
        hints: answered.hints,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_is_looked_for() {
        let field = |name: &str, value: &str, by| FindTarget::Field {
            name: name.to_owned(),
            value: value.to_owned(),
            by,
            ignore_case: false,
        };
        let whole = |value| field("mail", value, Matching::Whole);
        for (text, expected) in [
            ("mail=a=b", vec![whole("a=b")]),
            (" mail = a ", vec![whole(" a "), whole("a")]),
            ("mail=", vec![whole("")]),
            ("mail=a* ", vec![field("mail", "a", Matching::Prefix)]),
            ("mail=*", vec![field("mail", "", Matching::Prefix)]),
            ("interest news", vec![FindTarget::Interest("news".into())]),
            ("=a", vec![]),
            ("mail", vec![]),
        ] {
            assert_eq!(sought(text), expected, "{text}");
        }
    }
}

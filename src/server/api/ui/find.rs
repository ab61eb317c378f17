//! The search box.
//!
//! [`find`] is the only place that searches all profiles for a value.

use std::ops::ControlFlow;

use maud::Markup;

use super::ask::{add, each_until};
use super::pages::{Failure, Site};
use super::panels::permit;
use super::reply::{html as reply, redirect};
use crate::event::{ProfileKey, parse_number};
use crate::query::lines::FindLine;
use crate::query::{FindQuery, Query, known_fields, nearest};
use crate::server::reply::Reply;
use crate::web::search_results::{Hits, can_differ, hit, hits, no_search};

/// The maximum number shown of current holders, and of former holders.
const MOST: usize = 100;

/// The maximum number of fields that are suggested.
const SUGGESTED: usize = 8;

/// The longest value in bytes that is suggested with a field.
const LONGEST: usize = 200;

pub(super) fn search(site: &Site<'_>, text: &str) -> Result<Reply, Failure> {
    let reader = site.reader();
    let asked = text.trim();
    let event = asked.strip_prefix("event ").or(asked.strip_prefix('#'));
    if let Some(seq) = event.and_then(|seq| parse_number(seq.trim())) {
        return Ok(redirect(&format!("/event/{seq}")));
    }
    let key = asked.parse::<ProfileKey>().ok();
    let snapshot = site.parts.trail.snapshot();
    let tries = match key {
        Some(key) if !snapshot.events_of(key)?.is_empty() => Vec::new(),
        // A number may be a value, too, such as that of a telephone.
        _ => sought(text, &site.parts.pages.lookup),
    };
    let mut tried = None;
    for sought in tries {
        let found = find(site, &sought)?;
        if !found.hits.is_empty() {
            return Ok(reply(200, hits(text, &sought, &found, &reader)));
        }
        tried = Some((sought, found));
    }
    if let Some(key) = key {
        return Ok(redirect(&format!("/profile/{key}")));
    }
    match tried {
        Some((sought, mut found)) => {
            // The page has no flags, and suggests names as links.
            let hints = &mut found.answered.hints;
            hints
                .retain(|hint| !hint.starts_with("did you mean --") && !hint.starts_with("these "));
            found.instead = instead(site, asked);
            Ok(reply(404, hits(text, &sought, &found, &reader)))
        }
        None => {
            let lookup = !site.parts.pages.lookup.is_empty();
            let searches = instead(site, asked);
            let status = if asked.is_empty() { 200 } else { 404 };
            Ok(reply(status, no_search(text, &searches, lookup, &reader)))
        }
    }
}

/// Searches for the same value in fields that occur: in the one that was probably meant,
/// or in fields for mail addresses, or in others.
fn instead(site: &Site<'_>, asked: &str) -> Vec<String> {
    let (name, value) = match asked.split_once('=') {
        Some((name, value)) => (Some(name.trim()), value.trim()),
        None => (None, asked),
    };
    if value.is_empty() || value.len() > LONGEST {
        return Vec::new();
    }
    let known = known_fields(&site.parts.trail.snapshot());
    let lookup = &site.parts.pages.lookup;
    let is_new = |field: &&String| match name {
        Some(name) => *field != name,
        None => !lookup.contains(*field),
    };
    if let Some(near) = name.and_then(|name| nearest(name, known.iter().map(String::as_str)))
        && Some(near) != name
        && !known.contains(name.unwrap_or_default())
    {
        return vec![format!("{near}={value}")];
    }
    let mut fields: Vec<&String> = known.iter().filter(is_new).collect();
    let is_mail = |field: &&String| field.to_lowercase().contains("mail");
    if value.contains('@') {
        fields.retain(is_mail);
    }
    let fields = fields.into_iter().filter(|field| !field.contains('='));
    fields
        .take(SUGGESTED)
        .map(|field| format!("{field}={value}"))
        .collect()
}

/// The searches that a text may mean, tried in order until one finds something. Each is
/// of one field, or of all look-up fields.
fn sought(text: &str, lookup: &[String]) -> Vec<Vec<FindQuery>> {
    if let Some(name) = text.trim().strip_prefix("interest ") {
        return vec![vec![FindQuery {
            interest: Some(name.trim().to_owned()),
            ..FindQuery::default()
        }]];
    }
    let (names, value) = match text.split_once('=') {
        Some((name, value)) => (vec![name.trim()], value),
        None if text.trim().is_empty() => return Vec::new(),
        None => (lookup.iter().map(String::as_str).collect(), text),
    };
    if names.is_empty() || names == [""] {
        return Vec::new();
    }
    let field = |value: &str, prefix| -> Vec<FindQuery> {
        let names = names.iter().map(|name| FindQuery {
            field: Some((*name).to_owned()),
            value: value.to_owned(),
            prefix,
            ..FindQuery::default()
        });
        names.collect()
    };
    let trimmed = value.trim();
    // A value that itself ends with `*` is found too: it has this prefix.
    if let Some(begin) = trimmed.strip_suffix('*') {
        return vec![field(begin, true)];
    }
    // Values are never trimmed, but pasted text often has extra spaces.
    let mut tries = vec![field(value, false)];
    if trimmed != value {
        tries.push(field(trimmed, false));
    }
    tries
}

/// The profiles that have or had the value; current holders first.
fn find(site: &Site<'_>, sought: &[FindQuery]) -> Result<Hits, Failure> {
    let mut all = Hits::default();
    let (mut now, mut before): (Vec<Markup>, Vec<Markup>) = (Vec::new(), Vec::new());
    let (several, reader) = (can_differ(sought), site.reader());
    for one in sought {
        let query = Query::Find(FindQuery {
            ever: true,
            cascade: true,
            ..one.clone()
        });
        let _permit = permit(site, &query)?;
        let mut more = false;
        let answered = each_until(&site.parts.trail, &query, |line: FindLine<'static>| {
            let held = match line.until {
                None => &mut now,
                Some(_) => &mut before,
            };
            if held.len() < MOST {
                held.push(hit(&line, several, &reader));
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
        all.more |= more;
        add(&mut all.answered, answered);
    }
    now.append(&mut before);
    if now.len() > MOST {
        all.more = true;
        now.truncate(MOST);
    }
    all.hits = now;
    Ok(all)
}

#[cfg(test)]
#[allow(clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_text_says_what_is_looked_for() {
        let field = |name: &str, value: &str, prefix| FindQuery {
            field: Some(name.to_owned()),
            value: value.to_owned(),
            prefix,
            ..FindQuery::default()
        };
        let interest = FindQuery {
            interest: Some("news".into()),
            ..FindQuery::default()
        };
        let whole = |value| field("mail", value, false);
        let lookup = ["mail".to_owned(), "phone".to_owned()];
        assert_eq!(sought("a", &[]), Vec::<Vec<FindQuery>>::new());
        assert_eq!(
            sought(" a* ", &lookup),
            [["mail", "phone"].map(|name| field(name, "a", true))]
        );
        assert_eq!(sought("a", &lookup)[0][1], field("phone", "a", false));
        for (text, expected) in [
            ("mail=a=b", vec![whole("a=b")]),
            (" mail = a ", vec![whole(" a "), whole("a")]),
            ("mail=", vec![whole("")]),
            ("mail=a* ", vec![field("mail", "a", true)]),
            ("mail=*", vec![field("mail", "", true)]),
            ("interest news", vec![interest]),
            ("=a", vec![]),
            (" ", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|one| vec![one]).collect();
            assert_eq!(sought(text, &lookup), expected, "{text}");
        }
    }
}

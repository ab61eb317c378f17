//! Parses a request's target into a query.

use super::cursor;
use super::params::{declared_params, decode_pairs, parse_pairs};
use super::questions::{Depends, ENTRIES, Entry, SubjectKind};
use crate::event::{DecodeError, ProfileKey, parse_number};
use crate::query::{Clock, Page, Query};
use crate::web::with_query;

/// A parsed query, and the requested page of its answer.
#[derive(Debug)]
pub(super) struct ParsedQuery {
    pub entry: &'static Entry,
    pub query: Query,
    /// The requested page, if the answer has pages.
    pub page: Page,
    /// The target of the query in canonical form, with times in Unix seconds and
    /// without the page.
    pub canonical: String,
    /// Whether its moment is omitted, and so is the present.
    pub about_now: bool,
}

impl ParsedQuery {
    /// The target of the next page, which begins after a cursor.
    pub fn next(&self, cursor: &str) -> String {
        let joint = if self.canonical.contains('?') {
            '&'
        } else {
            '?'
        };
        let limit = match self.page.limit {
            Some(limit) => format!("limit={limit}&"),
            None => String::new(),
        };
        format!("{}{joint}{limit}after={cursor}", self.canonical)
    }
}

/// Parses a target, such as `/v1/history/123?field=mail`; `None` if nothing is at that
/// path. Cursors are those of a store. The path is used as sent, without decoding.
///
/// # Errors
/// A parameter that is wrong, doubled, missing or not known: the error's place
/// is its name.
pub(super) fn parse_query(
    target: &str,
    clock: Clock,
    store: u64,
) -> Result<Option<ParsedQuery>, DecodeError> {
    let target = target.split('#').next().unwrap_or_default();
    let (path, pairs) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = path.strip_prefix("/v1/") else {
        return Ok(None);
    };
    let (name, rest) = match path.split_once('/') {
        Some((name, rest)) => (name, Some(rest)),
        None => (path, None),
    };
    let Some(entry) = ENTRIES.iter().find(|entry| entry.name == name) else {
        return Ok(None);
    };
    // In canonical form.
    let subject = match (entry.subject, rest) {
        (SubjectKind::Everything, Some(_)) => return Ok(None),
        (SubjectKind::Everything, None) => None,
        (SubjectKind::Profile, key) => {
            let key = key.unwrap_or_default().parse::<ProfileKey>();
            let key = key.map_err(|error| DecodeError::new(error, "profile"))?;
            Some(key.to_string())
        }
        (SubjectKind::Event, seq) => Some(parse_seq(seq.unwrap_or_default())?.to_string()),
    };
    let path = match &subject {
        Some(subject) => format!("/v1/{name}/{subject}"),
        None => format!("/v1/{name}"),
    };
    let command = entry.command.clone();
    let matches = parse_pairs(command, subject, decode_pairs(pairs)?, clock)?;
    let (query, mut params) = (entry.read)(&matches)?;
    params.retain(|(name, _)| {
        let is_page = entry.pages && matches!(name.as_str(), "limit" | "after");
        !is_page && declared_params(&entry.command).any(|(known, _)| known == name)
    });
    let canonical = with_query(path, &params);
    let is_given = |moment: &str| params.iter().any(|(name, _)| name == moment);
    let about_now = matches!(entry.depends, Depends::EventsOnce(moment) if !is_given(moment));
    let mut page = Page::default();
    if entry.pages {
        page.limit = matches.get_one("limit").copied();
        let after = matches.get_one::<String>("after");
        let after = after.map(|text| cursor::read(text, store, &canonical));
        page.after = after.transpose()?;
    }
    Ok(Some(ParsedQuery {
        entry,
        query,
        page,
        canonical,
        about_now,
    }))
}

fn parse_seq(text: &str) -> Result<u64, DecodeError> {
    let seq = parse_number(text).filter(|seq| *seq > 0);
    seq.ok_or_else(|| {
        let what = format!("'{text}' is not an event: write its seq, such as 7");
        DecodeError::new(what, "seq")
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

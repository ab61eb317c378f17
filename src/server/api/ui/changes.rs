//! The changes of all profiles: the query API's `changes`, as a page.

use maud::Markup;

use super::ask::each_of_page;
use super::pages::{Failure, Site};
use super::panels::permit;
use super::reply::{html as reply, redirect};
use crate::event::DecodeError;
use crate::query::lines::ChangesLine;
use crate::query::{Query, changes_command};
use crate::server::api::cursor;
use crate::server::api::params::{Pairs, decode_pairs};
use crate::server::api::parse::{ParsedQuery, parse_query};
use crate::server::reply::Reply;
use crate::web::changes::{EMPTY, Filters, Page, row, with_order};
use crate::web::with_query;

/// The number of changes on a page.
const PAGE: u64 = 100;

/// Reads the parameters: those of the query API, and `order`.
pub(super) fn parse(site: &Site<'_>, query: &str) -> Result<ParsedQuery, DecodeError> {
    let mut pairs = decode_pairs(query)?;
    let reverse = !is_oldest_first(&pairs);
    pairs.retain(|(name, _)| !matches!(name.as_str(), "order" | "cascade" | "reverse" | "limit"));
    pairs.push(("cascade".to_owned(), "true".to_owned()));
    pairs.push(("reverse".to_owned(), reverse.to_string()));
    let target = with_query("/v1/changes".to_owned(), &pairs);
    let store = site.parts.trail.folder().log_id;
    let parsed = parse_query(&target, site.clock, store)?;
    let mut parsed = parsed.ok_or_else(|| DecodeError::new("there is no such question", ""))?;
    parsed.page.limit = Some(PAGE);
    Ok(parsed)
}

/// The filter in canonical form.
fn filters(parsed: &ParsedQuery) -> Filters {
    let query = parsed.canonical.split_once('?');
    let pairs = decode_pairs(query.map_or("", |(_, query)| query)).unwrap_or_default();
    let own = pairs.into_iter();
    let own = own.filter(|(name, _)| !matches!(name.as_str(), "cascade" | "reverse"));
    Filters::new(own.collect())
}

fn is_oldest_first(pairs: &Pairs) -> bool {
    pairs
        .iter()
        .any(|pair| pair.0 == "order" && pair.1 == "oldest")
}

pub(super) fn page(site: &Site<'_>, query: &str) -> Result<Reply, Failure> {
    let pairs = decode_pairs(query).unwrap_or_default();
    let oldest_first = is_oldest_first(&pairs);
    if pairs.iter().any(|(name, _)| name == "form") {
        let target = with_order(&of_form(&pairs), oldest_first);
        return Ok(redirect(&target));
    }
    let parsed = match parse(site, query) {
        Ok(parsed) => parsed,
        Err(error) => {
            let page = Page {
                filters: Filters::new(pairs),
                oldest_first,
                wrong: Some(error.to_string()),
                ..Page::default()
            };
            return Ok(reply(400, page.render(&site.reader())));
        }
    };
    let query @ Query::Changes(changes) = &parsed.query else {
        return Err(Failure::Busy);
    };
    let (filters, reader) = (filters(&parsed), site.reader());
    let mut rows: Vec<Markup> = Vec::new();
    let (answered, mark) = {
        let _permit = permit(site, query)?;
        each_of_page(
            &site.parts.trail,
            query,
            Some(parsed.page),
            |line: ChangesLine<'static>| rows.push(row(&line, &filters, &reader)),
        )?
    };
    let store = site.parts.trail.folder().log_id;
    let next = mark.map(|mark| {
        let mut pairs = filters.pairs.clone();
        let cursor = cursor::write(mark, store, &parsed.canonical);
        pairs.push(("after".to_owned(), cursor));
        with_order(&pairs, oldest_first)
    });
    let page = Page {
        filters,
        oldest_first,
        wrong: None,
        rows,
        next,
        is_later: parsed.page.after.is_some(),
        command: changes_command(&changes.filter),
        answered,
    };
    Ok(reply(200, page.render(&reader)))
}

/// The filter of a form: empty fields are ignored, unless a mark says otherwise.
fn of_form(pairs: &Pairs) -> Pairs {
    let empty = |name: &str| EMPTY.iter().any(|(known, _)| *known == name);
    let own = pairs
        .iter()
        .filter_map(|(name, value)| match name.as_str() {
            "form" | "order" => None,
            "empty" => empty(value).then(|| (value.clone(), String::new())),
            "since" | "until" | "profile" | "database" | "collection" => {
                let value = value.trim();
                (!value.is_empty()).then(|| (name.clone(), value.to_owned()))
            }
            _ => (!value.is_empty()).then(|| (name.clone(), value.clone())),
        });
    own.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_becomes_an_address() {
        let query = "form=1&field=mail&field=&since=+yesterday+&old=&label=&empty=label&empty=x&order=oldest&new=+a";
        let pairs = decode_pairs(query).unwrap_or_default();
        assert_eq!(
            with_order(&of_form(&pairs), is_oldest_first(&pairs)),
            "/changes?field=mail&since=yesterday&label=&new=+a&order=oldest"
        );
    }
}

//! Suggestions for a query that found nothing: names of fields, interests and
//! labels close to the requested ones, from the (sub)profile or the newest events.
//!
//! Reads a bounded number of events and skips unreadable ones: a hint is never part
//! of an answer. The numbers of other people are never suggested.

use std::borrow::Cow;
use std::collections::BTreeSet;

use unicode_normalization::UnicodeNormalization;

use super::answer::{Lines, Query, QueryError};
use super::dossier::DossierQuery;
use super::filter::Filter;
use super::find::FindQuery;
use super::request::{DiffQuery, EventQuery, ExplainQuery, ExportQuery, HistoryQuery, StateQuery};
use crate::event::{Event, ProfileKey, seconds_to_rfc3339};
use crate::format::first_of;
use crate::store::Snapshot;

/// How many of a (sub)profile's newest events are read, in one batch.
const PROFILE_EVENTS: usize = 64;

/// How many of the log's newest events are read.
const NEWEST_EVENTS: u64 = 500;

/// The maximum number of subprofiles that a hint lists.
const MAX_SUBPROFILES: usize = 3;

/// The maximum number of names collected.
const MAX_NAMES: usize = 2_000;

/// The maximum number of names that a hint lists or looks for.
const MAX_LISTED: usize = 8;

/// Names longer than this are not compared.
const MAX_NAME_LEN: usize = 100;

/// Suggestions for a query that found nothing.
pub(super) fn hints(snapshot: &Snapshot<'_>, query: &Query) -> Result<Vec<String>, QueryError> {
    match query {
        Query::History(query) => of_history(snapshot, query),
        Query::Show(StateQuery { key, .. })
        | Query::Diff(DiffQuery { key, .. })
        | Query::Dossier(DossierQuery { key, .. })
        | Query::Export(ExportQuery {
            profile: Some(key), ..
        }) => of_key(snapshot, *key),
        Query::Blame(query) => match snapshot.times_of(query.key)?.first() {
            None => of_key(snapshot, query.key),
            Some((time, _)) => Ok(vec![format!(
                "its first event is of {}: --at a moment from there on, or see history {}",
                seconds_to_rfc3339(*time),
                query.key
            )]),
        },
        Query::Evidence(EventQuery { seq }) | Query::Explain(ExplainQuery { seq, .. })
            if *seq > snapshot.last_seq() =>
        {
            Ok(vec![format!("the last event is {}", snapshot.last_seq())])
        }
        Query::Find(query) => {
            let mut hints = Vec::new();
            let known = Names::newest(snapshot);
            known.compare(
                query.field.as_slice(),
                query.interest.as_slice(),
                &mut hints,
            );
            if hints.is_empty() {
                of_forms(snapshot, query, &mut hints)?;
            }
            Ok(hints)
        }
        _ => match query.filter() {
            Some(filter) => of_filter(snapshot, filter),
            None => Ok(Vec::new()),
        },
    }
}

fn of_history(snapshot: &Snapshot<'_>, query: &HistoryQuery) -> Result<Vec<String>, QueryError> {
    let times = snapshot.times_of(query.key)?;
    let (Some((first, _)), Some((last, _))) = (times.first(), times.last()) else {
        return of_key(snapshot, query.key);
    };
    let mut hints = Vec::new();
    let newest = times.iter().rev().take(PROFILE_EVENTS).map(|(_, seq)| *seq);
    let known = Names::of(snapshot, newest.collect());
    known.compare(&query.fields, &query.interests, &mut hints);
    if hints.is_empty() && !times.iter().any(|(time, _)| query.span.contains(*time)) {
        hints.push(format!(
            "the events of {} are of {} to {}",
            query.key,
            seconds_to_rfc3339(*first),
            seconds_to_rfc3339(*last)
        ));
    }
    Ok(hints)
}

fn of_filter(snapshot: &Snapshot<'_>, filter: &Filter) -> Result<Vec<String>, QueryError> {
    let mut hints = match filter.profile {
        Some(key) => of_key(snapshot, key)?,
        None => Vec::new(),
    };
    let known = Names::newest(snapshot);
    known.compare(&filter.fields, &filter.interests, &mut hints);
    let asked = filter.labels.iter().take(MAX_LISTED);
    for label in asked.filter(|label| !known.labels.contains(*label)) {
        hints.extend(similar(label, "label", &known.labels));
    }
    Ok(hints)
}

/// The same value in another Unicode form, which looks alike: `ë` as one character, or as
/// `e` with a mark.
fn of_forms(
    snapshot: &Snapshot<'_>,
    query: &FindQuery,
    hints: &mut Vec<String>,
) -> Result<(), QueryError> {
    let Some(name) = query.field.as_ref().filter(|_| !query.matches) else {
        return Ok(());
    };
    for form in [
        query.value.nfc().collect::<String>(),
        query.value.nfd().collect(),
    ] {
        if form == query.value {
            continue;
        }
        let other = FindQuery {
            value: form.clone(),
            ..query.clone()
        };
        let (mut sink, mut report) = (std::io::sink(), |_| ());
        let mut lines = Lines::to(&mut sink, Some(1), &mut report);
        if super::find::answer(snapshot, &other, &mut lines)? {
            let end = if query.prefix { "" } else { "$" };
            let escaped: String = regex::escape(&form)
                .chars()
                .map(|c| match c.is_ascii() {
                    true => c.to_string(),
                    false => c.escape_unicode().to_string(),
                })
                .collect();
            let text = format!("{name}=^{escaped}{end}");
            hints.push(format!(
                "the same letters are there in another form of Unicode: find {} --match",
                quoted(&text)
            ));
        }
    }
    Ok(())
}

/// Alternatives to a (sub)profile without events.
fn of_key(snapshot: &Snapshot<'_>, key: ProfileKey) -> Result<Vec<String>, QueryError> {
    if !snapshot.events_of(key)?.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(erased) = super::erasures::of_profile(snapshot, key.profile) {
        return Ok(vec![erased]);
    }
    let number = key.subprofile.unwrap_or(key.profile);
    if let Some(profile) = snapshot.profile_of(number)?
        && key != ProfileKey::subprofile(profile, number)
    {
        return Ok(vec![format!(
            "{number} is a subprofile of {profile}: did you mean {profile}/{number}?"
        )]);
    }
    let mut names = Vec::new();
    for key in snapshot.subprofiles(key.profile).take(MAX_SUBPROFILES + 1) {
        names.push(key?.to_string());
    }
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let more = if names.len() > MAX_SUBPROFILES {
        ", …"
    } else {
        ""
    };
    names.truncate(MAX_SUBPROFILES);
    Ok(vec![format!(
        "{} has subprofiles: did you mean {}{more}? history {0} --subprofiles shows all",
        key.profile,
        names.join(", ")
    )])
}

/// The name that was probably meant.
pub fn nearest<'n>(asked: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if asked.chars().count() > MAX_NAME_LEN {
        return None;
    }
    let asked = asked.to_lowercase();
    let distance = |name: &str| {
        if name.chars().count() > MAX_NAME_LEN {
            return None;
        }
        let name = name.to_lowercase();
        let distance = strsim::damerau_levenshtein(&asked, &name);
        let most = (asked.chars().count().max(name.chars().count()) / 3).max(1);
        (distance <= most && distance < name.chars().count()).then_some(distance)
    };
    let near = names.into_iter();
    let near = near.filter_map(|name| Some((distance(name)?, name)));
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The names of the fields of the newest events.
pub fn known_fields(snapshot: &Snapshot<'_>) -> BTreeSet<String> {
    Names::newest(snapshot).fields
}

/// The names that occur in some events.
#[derive(Debug, Default)]
struct Names {
    fields: BTreeSet<String>,
    interests: BTreeSet<String>,
    labels: BTreeSet<String>,
}

impl Names {
    /// Those of the newest events.
    fn newest(snapshot: &Snapshot<'_>) -> Self {
        let last = snapshot.last_seq();
        let first = last.saturating_sub(NEWEST_EVENTS - 1).max(1);
        Self::of(snapshot, (first..=last).collect())
    }

    /// Those of the events with these numbers.
    fn of(snapshot: &Snapshot<'_>, seqs: Vec<u64>) -> Self {
        let mut known = Self::default();
        let retention = snapshot.retention();
        let mut reader = snapshot.reader();
        for seqs in seqs.chunks(PROFILE_EVENTS) {
            reader.read_ahead(seqs.to_vec());
            for seq in seqs {
                if let Ok(bytes) = reader.bytes(*seq)
                    && !retention.hides_record(*seq, bytes)
                    && let Ok(event) = reader.event(*seq)
                {
                    known.add(&event);
                }
            }
        }
        known
    }

    fn add(&mut self, event: &Event<'_>) {
        let put = |names: &mut BTreeSet<String>, name: &str| {
            if names.len() < MAX_NAMES
                && name.chars().count() <= MAX_NAME_LEN
                && !names.contains(name)
            {
                names.insert(name.to_owned());
            }
        };
        for name in event.content.fields.keys() {
            put(&mut self.fields, name);
        }
        for name in event.content.interests.iter().flat_map(|all| all.members()) {
            put(&mut self.interests, &name);
        }
        if let Some(label) = &event.label {
            put(&mut self.labels, label);
        }
    }

    /// Compares with the requested names of fields and interests.
    fn compare(&self, fields: &[String], interests: &[String], hints: &mut Vec<String>) {
        let field = ("field", &self.fields);
        let interest = ("interest", &self.interests);
        for (asked, (kind, known), (other, others)) in
            [(fields, field, interest), (interests, interest, field)]
        {
            let asked = asked.iter().take(MAX_LISTED);
            for name in asked.filter(|name| !known.contains(*name)) {
                hints.extend(match others.contains(name) {
                    true => Some(did_you_mean(other, name)),
                    false => similar(name, kind, known),
                });
            }
        }
    }
}

/// The known name that was probably meant, or else all known names.
fn similar(name: &str, kind: &str, known: &BTreeSet<String>) -> Option<String> {
    if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
        return Some(did_you_mean(kind, near));
    }
    let names = first_of(known.iter(), MAX_LISTED);
    (!known.is_empty()).then(|| format!("these {kind}s occur: {names}"))
}

/// A flag with a name, quoted for a shell.
fn did_you_mean(kind: &str, name: &str) -> String {
    format!("did you mean --{kind} {}?", quoted(name))
}

/// A word quoted for a shell, only with single quotes so that people can read it.
fn quoted(word: &str) -> Cow<'_, str> {
    let bare = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '/');
    if !word.is_empty() && word.chars().all(bare) {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', "'\\''")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let names = ["mail", "newsletter", "city", "First name", "x"];
        for (asked, meant) in [
            ("mial", Some("mail")),
            ("Mail", Some("mail")),
            ("newsleter", Some("newsletter")),
            ("first_name", Some("First name")),
            ("telephone", None),
            ("y", None),
            ("", None),
        ] {
            assert_eq!(nearest(asked, names), meant, "{asked}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
    }

    #[test]
    fn names_can_be_typed() {
        for name in ["mail", "First name", "it's", "", "$(x)"] {
            let hint = did_you_mean("field", name);
            let words = shlex::split(hint.trim_end_matches('?')).unwrap_or_default();
            assert_eq!(words.last().map(String::as_str), Some(name), "{hint}");
        }
    }
}

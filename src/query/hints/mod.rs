//! Suggestions for a query that found nothing: names of fields, interests and
//! labels close to the requested ones, from the (sub)profile or the newest events.
//!
//! Reads a bounded number of events and skips unreadable ones: a hint is never part
//! of an answer. The numbers of other people are never suggested.

mod names;

use icu_normalizer::{ComposingNormalizerBorrowed, DecomposingNormalizerBorrowed};

pub use self::names::nearest;
use self::names::{LISTED, Names, listed};
use super::answer::{Lines, Query, QueryError};
use super::filter::Filter;
use super::find::{FindQuery, FindTarget, Matching};
use super::gaps::GapsQuery;
use super::incidents::IncidentsQuery;
use super::loops::LoopsQuery;
use super::report::ReportQuery;
use super::request::{HistoryQuery, TailQuery};
use crate::event::{ProfileKey, seconds_to_rfc3339};
use crate::store::{Snapshot, TrailError};

/// How many of a (sub)profile's newest events are read.
const OF_ONE: usize = 64;

/// How many of the log's newest events are read.
const OF_ALL: u64 = 500;

/// The maximum number of subprofiles that a hint lists.
const NUMBERS: usize = 3;

/// Suggestions for a query that found nothing.
pub(super) fn hints(snapshot: &Snapshot<'_>, query: &Query) -> Result<Vec<String>, QueryError> {
    let mut hints = Vec::new();
    match query {
        Query::History(query) => of_history(snapshot, query, &mut hints)?,
        Query::Show(query) => of_key(snapshot, query.key, &mut hints)?,
        Query::Diff(query) => of_key(snapshot, query.key, &mut hints)?,
        Query::Blame(query) => {
            let times = snapshot.times_of(query.key)?;
            match times.first() {
                None => of_key(snapshot, query.key, &mut hints)?,
                Some((time, _)) => hints.push(format!(
                    "its first event is of {}: --at a moment from there on, or see history {}",
                    seconds_to_rfc3339(*time),
                    query.key
                )),
            }
        }
        Query::Changes(query) => of_changes(snapshot, &query.filter, &mut hints)?,
        Query::Export(query) => {
            if let Some(key) = query.profile {
                of_key(snapshot, key, &mut hints)?;
            }
        }
        Query::Evidence(query) if query.seq > snapshot.last_seq() => {
            hints.push(format!("the last event is {}", snapshot.last_seq()));
        }
        Query::Explain(query) if query.seq > snapshot.last_seq() => {
            hints.push(format!("the last event is {}", snapshot.last_seq()));
        }
        Query::Find(query) => {
            let asked = match &query.sought {
                FindTarget::Field { name, .. } => Filter {
                    fields: vec![name.clone()],
                    ..Filter::default()
                },
                FindTarget::Interest(name) => Filter {
                    interests: vec![name.clone()],
                    ..Filter::default()
                },
            };
            of_changes(snapshot, &asked, &mut hints)?;
            if hints.is_empty() {
                of_forms(snapshot, query, &mut hints)?;
            }
        }
        Query::Dossier(query) => of_key(snapshot, query.key, &mut hints)?,
        Query::Tail(TailQuery { filter, .. })
        | Query::Report(ReportQuery { filter, .. })
        | Query::Gaps(GapsQuery { filter, .. })
        | Query::Incidents(IncidentsQuery { filter, .. })
        | Query::Loops(LoopsQuery { filter, .. }) => of_changes(snapshot, filter, &mut hints)?,
        _ => {}
    }
    Ok(hints)
}

fn of_history(
    snapshot: &Snapshot<'_>,
    query: &HistoryQuery,
    hints: &mut Vec<String>,
) -> Result<(), QueryError> {
    let times = snapshot.times_of(query.key)?;
    let (Some((first, _)), Some((last, _))) = (times.first(), times.last()) else {
        return of_key(snapshot, query.key, hints);
    };
    let newest = times.iter().rev().take(OF_ONE).map(|(_, seq)| *seq);
    let known = Names::of(snapshot, newest.collect());
    known.compare(&query.fields, &query.interests, hints);
    if hints.is_empty() && !times.iter().any(|(time, _)| query.span.contains(*time)) {
        hints.push(format!(
            "the events of {} are of {} to {}",
            query.key,
            seconds_to_rfc3339(*first),
            seconds_to_rfc3339(*last)
        ));
    }
    Ok(())
}

fn of_changes(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    hints: &mut Vec<String>,
) -> Result<(), QueryError> {
    if let Some(key) = filter.profile {
        of_key(snapshot, key, hints)?;
    }
    let last = snapshot.last_seq();
    let newest = last.saturating_sub(OF_ALL - 1).max(1)..=last;
    let known = Names::of(snapshot, newest.collect());
    known.compare(&filter.fields, &filter.interests, hints);
    for label in filter.labels.iter().take(LISTED) {
        if known.labels.contains(label) {
            continue;
        }
        if let Some(near) = nearest(label, known.labels.iter().map(String::as_str)) {
            hints.push(format!("did you mean --label {near}?"));
        } else if !known.labels.is_empty() {
            let labels = listed(&known.labels);
            hints.push(format!("the newest events have these labels: {labels}"));
        }
    }
    Ok(())
}

/// The same value in another Unicode form, which looks alike: `ë` as one character, or as
/// `e` with a mark.
fn of_forms(
    snapshot: &Snapshot<'_>,
    query: &FindQuery,
    hints: &mut Vec<String>,
) -> Result<(), QueryError> {
    let FindTarget::Field {
        value: asked, by, ..
    } = &query.sought
    else {
        return Ok(());
    };
    if *by == Matching::Match {
        return Ok(());
    }
    for form in [
        ComposingNormalizerBorrowed::new_nfc().normalize(asked),
        DecomposingNormalizerBorrowed::new_nfd().normalize(asked),
    ] {
        let mut other = query.clone();
        let FindTarget::Field { name, value, .. } = &mut other.sought else {
            continue;
        };
        if form == *value {
            continue;
        }
        let name = name.clone();
        *value = form.clone().into_owned();
        let (mut sink, mut report) = (std::io::sink(), |_| ());
        let mut lines = Lines::to(&mut sink, Some(1), &mut report);
        if super::find::answer(snapshot, &other, &mut lines)? {
            let end = if *by == Matching::Whole { "$" } else { "" };
            let escaped: String = regex::escape(&form)
                .chars()
                .map(|c| match c.is_ascii() {
                    true => c.to_string(),
                    false => c.escape_unicode().to_string(),
                })
                .collect();
            let text = names::typed(&format!("{name}=^{escaped}{end}"));
            hints.push(format!(
                "the same letters are there in another form of Unicode: find {text} --match"
            ));
        }
    }
    Ok(())
}

/// Alternatives to a (sub)profile without events.
fn of_key(
    snapshot: &Snapshot<'_>,
    key: ProfileKey,
    hints: &mut Vec<String>,
) -> Result<(), QueryError> {
    if !snapshot.events_of(key)?.is_empty() {
        return Ok(());
    }
    let number = key.subprofile.unwrap_or(key.profile);
    if let Some(profile) = snapshot.profile_of(number)?
        && key != ProfileKey::subprofile(profile, number)
    {
        hints.push(format!(
            "{number} is a subprofile of {profile}: did you mean {profile}/{number}?"
        ));
        return Ok(());
    }
    let subprofiles = subprofiles(snapshot, key.profile)?;
    if !subprofiles.is_empty() {
        let names: Vec<String> = subprofiles.iter().map(ToString::to_string).collect();
        let more = if subprofiles.len() > NUMBERS {
            ", …"
        } else {
            ""
        };
        let names = names.get(..NUMBERS).unwrap_or(&names).join(", ");
        hints.push(format!(
            "{} has subprofiles: did you mean {names}{more}? history {0} --subprofiles shows all",
            key.profile
        ));
        return Ok(());
    }
    Ok(())
}

/// Some subprofiles of a profile, one more than a hint lists.
fn subprofiles(snapshot: &Snapshot<'_>, profile: u64) -> Result<Vec<ProfileKey>, TrailError> {
    enum Stop {
        Enough,
        Failed(TrailError),
    }
    impl From<TrailError> for Stop {
        fn from(error: TrailError) -> Self {
            Self::Failed(error)
        }
    }
    let mut found = Vec::new();
    let walked = snapshot.each_key(Some(profile), None, |key| {
        if key.subprofile.is_some() {
            found.push(key);
        }
        match found.len() > NUMBERS {
            true => Err(Stop::Enough),
            false => Ok(()),
        }
    });
    match walked {
        Err(Stop::Failed(error)) => Err(error),
        Ok(()) | Err(Stop::Enough) => Ok(found),
    }
}

//! `gaps`: unexplained changes, grouped by their likely cause.
//!
//! [`find`] decides which changes a lost span of time would explain; this module
//! passes it the windows of all unexplained changes, and looks up the calls of that
//! span. An answer states facts: that lost calls of that time *would* explain the
//! changes, how many would be there by chance, and whether any call arrived then,
//! in total and for the labels that usually set these fields. Why calls were lost
//! is unknown here.
//!
//! Memory is bounded by the constants of [`collect`].

mod call_gap;
mod collect;
mod find;
mod lines;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use lines::{GapKind, GapLine};

use super::answer::{Lines, QueryError};
use super::changes::collect_changes;
use super::command::changes_command;
use super::counter::{BoundedCounter, ranked};
use super::filter::{CauseKind, Filter, Span};
use super::lines::LabelCount;
use super::moment::parse_seconds;
use crate::event::seconds_to_rfc3339;
use crate::store::Snapshot;
use call_gap::look_at_calls;
use collect::{Collector, MAX_LABELS, MAX_SUBJECTS, MAX_WINDOWS, SubjectCount};
use find::{Bounds, Finding, Window};
use lines::{GapField, GapSetter};

/// What changed unexplained.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GapsQuery {
    /// Which changes.
    #[command(flatten)]
    #[serde(flatten)]
    pub filter: Filter,
    /// Merge outages closer together than this
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = parse_seconds)]
    pub within: i64,
    /// The fewest profiles and subprofiles of an outage
    #[arg(long, value_name = "N", default_value_t = GapsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub least: u64,
    /// At most this many findings
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
}

impl GapsQuery {
    /// The default for merging: the maximum distance of lost spans, in seconds.
    pub const WITHIN: i64 = 3_600;
    /// The default minimum number of (sub)profiles of a lost span.
    pub const LEAST: u64 = 5;
}

/// The maximum number of fields and labels of a line.
const MAX_NAMED: usize = 20;

/// The maximum number of findings for which the calls of that time are read.
const MAX_LOOKED_AT: usize = 20;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &GapsQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let causes = &query.filter.causes;
    if !causes.is_empty() && !causes.contains(&CauseKind::Unexplained) {
        // Gaps are found in unexplained changes.
        return Ok(false);
    }
    let filter = Filter {
        causes: Vec::new(),
        cascade: query.filter.cascades(),
        ..query.filter.clone()
    };
    let mut all = collect_changes(snapshot, &filter, lines, &Collector::default)?;
    if all.left_out > 0 {
        lines.note(format!(
            "there are more than {MAX_WINDOWS} events with unexplained changes: what {} of them show is counted as scattered; ask for a shorter span",
            all.left_out
        ));
    }
    if all.labels.others > 0 {
        lines.note(format!(
            "there are more than {MAX_LABELS} labels: {} events have others, which are not listed",
            all.labels.others
        ));
    }
    if all.subjects.others > 0 {
        lines.note(format!(
            "there are more than {MAX_SUBJECTS} fields: {} unexplained changes belong to others",
            all.subjects.others
        ));
    }
    let least = usize::try_from(query.least).unwrap_or(usize::MAX).max(1);
    let mut windows = std::mem::take(&mut all.windows);
    let claims = |subject| {
        let count = all.count(subject);
        count.map_or((0, 0), |(_, count)| (count.set, count.revealed.events))
    };
    let silent = find::silent_fields(&windows, claims, least);
    for window in &mut windows {
        let is_loud = |subject: &u32| silent.binary_search(subject).is_err();
        window.subjects.retain(is_loud);
    }
    windows.retain(|window| !window.subjects.is_empty());
    let bounds = Bounds {
        least,
        within: query.within.max(0),
        time_range: all.time_range.or_default(),
    };
    let (found, left) = find::find(&windows, bounds);
    let renderer = Renderer {
        filter: &filter,
        all: &all,
    };
    let mut lost: HashMap<u32, u64> = HashMap::new();
    for (number, finding) in found.iter().enumerate() {
        let mut own = finding.windows.clone();
        own.sort_by_key(|window| (window.key, window.seq));
        let mut fields: HashMap<u32, u64> = HashMap::new();
        for subject in own.iter().flat_map(|window| &window.subjects) {
            *lost.entry(*subject).or_default() += 1;
            *fields.entry(*subject).or_default() += 1;
        }
        let mut line = renderer.lost(finding, &own, &fields);
        if number < MAX_LOOKED_AT {
            let span = (finding.since, finding.until);
            look_at_calls(snapshot, span, &mut line, lines)?;
        }
        if !lines.put(&line)? {
            return Ok(lines.written > 0);
        }
    }
    for line in renderer.rest(&silent, &lost, left) {
        if !lines.put(&line)? {
            break;
        }
    }
    Ok(lines.written > 0)
}

/// Makes the lines.
struct Renderer<'a> {
    filter: &'a Filter,
    all: &'a Collector,
}

impl<'a> Renderer<'a> {
    /// The line of a lost span, with its windows, those of a (sub)profile being consecutive,
    /// and how many of them each field is in.
    fn lost(
        &self,
        finding: &Finding<'_>,
        own: &[&Window],
        fields: &HashMap<u32, u64>,
    ) -> GapLine<'a> {
        let mut set_by: HashMap<u32, u64> = HashMap::new();
        for (_, count) in fields.keys().filter_map(|subject| self.all.count(*subject)) {
            for (label, count) in &count.set_by.values {
                *set_by.entry(*label).or_default() += count;
            }
        }
        // With all of their labels.
        let mut count = SubjectCount {
            revealed_by: BoundedCounter::new(MAX_LABELS, |_| 0),
            ..SubjectCount::default()
        };
        for window in own {
            count.reveal(window);
        }
        let first = own.iter().map(|window| window.until).min();
        GapLine {
            since: Some(seconds_to_rfc3339(finding.since)),
            until: Some(seconds_to_rfc3339(finding.until)),
            within_one: Some(finding.within_one),
            by_chance: Some(finding.by_chance),
            events: own.len() as u64,
            command: self.command(
                fields,
                first.unwrap_or_default(),
                count.times.or_default().1,
            ),
            ..self.line(GapKind::Lost, fields, &count, set_by)
        }
    }

    /// The lines of silent fields, and of the changes that no lost span explains.
    fn rest(
        &self,
        silent: &[u32],
        lost: &HashMap<u32, u64>,
        left: Vec<&Window>,
    ) -> Vec<GapLine<'a>> {
        let mut counts: HashMap<u32, SubjectCount> = HashMap::new();
        for window in left {
            for subject in &window.subjects {
                counts.entry(*subject).or_default().reveal(window);
            }
        }
        let mut rest = Vec::new();
        for (all, subject) in self.all.subjects.values.values().zip(0_u32..) {
            let lost = lost.get(&subject).copied().unwrap_or_default();
            let changes = all.revealed.events.saturating_sub(lost);
            if changes == 0 {
                continue;
            }
            let kind = match silent.binary_search(&subject) {
                Ok(_) => GapKind::SilentField,
                Err(_) => GapKind::Scattered,
            };
            // If not all windows were examined, only those counts are available.
            let exact = counts.get(&subject);
            let count = exact.filter(|count| count.revealed.events == changes);
            let count = count.unwrap_or(all);
            let fields = HashMap::from([(subject, changes)]);
            rest.push(self.line(kind, &fields, count, all.set_by.values.clone()));
        }
        let rank = |line: &GapLine<'_>| {
            let is_scattered = line.kind == GapKind::Scattered;
            (is_scattered, Reverse(line.changes), line.first_seq)
        };
        rest.sort_by(|a, b| (rank(a), &a.command).cmp(&(rank(b), &b.command)));
        rest
    }

    /// The line of changes of these fields that events have revealed.
    fn line(
        &self,
        kind: GapKind,
        fields: &HashMap<u32, u64>,
        count: &SubjectCount,
        set_by: impl IntoIterator<Item = (u32, u64)>,
    ) -> GapLine<'a> {
        let fields_of = fields.iter().filter_map(|(subject, changes)| {
            let (subject, _) = self.all.count(*subject)?;
            Some((subject, *changes))
        });
        let by_count = ranked(fields_of);
        let named = by_count.iter().take(MAX_NAMED);
        let named = named.map(|(subject, changes)| GapField {
            subject: subject.borrowed(),
            changes: *changes,
        });
        let changes = fields.values().sum();
        let (since, until) = count.times.or_default();
        let (first_seq, last_seq) = count.revealed.seqs.or_default();
        let labels = self.labelled(count.revealed_by.values.clone()).into_iter();
        let set_by = self.labelled(set_by).into_iter();
        GapLine {
            kind,
            since: None,
            until: None,
            within_one: None,
            outer_since: seconds_to_rfc3339(since),
            outer_until: seconds_to_rfc3339(until),
            profiles: count.revealed.profiles,
            subprofiles: count.revealed.subprofiles,
            events: changes,
            changes,
            by_chance: None,
            fields: named.collect(),
            more_fields: by_count.len() > MAX_NAMED,
            first_seq,
            last_seq,
            labels: labels
                .map(|(label, events)| LabelCount { label, events })
                .collect(),
            set_by: set_by
                .map(|(label, changes)| GapSetter {
                    label,
                    changes,
                    calls: None,
                })
                .collect(),
            quiet: None,
            command: self.command(fields, since, until),
        }
    }

    /// The commonest of these labels, without those that are not counted separately.
    fn labelled(
        &self,
        counts: impl IntoIterator<Item = (u32, u64)>,
    ) -> Vec<(Option<Cow<'a, str>>, u64)> {
        let labels = &self.all.labels.values;
        let named = counts.into_iter().filter_map(|(label, count)| {
            let (label, ()) = labels.get_index(label as usize)?;
            Some((label.as_deref().map(Cow::Borrowed), count))
        });
        let mut counts = ranked(named);
        counts.truncate(MAX_NAMED);
        counts
    }

    /// The command that shows the changes of these fields in events of that time.
    fn command(&self, fields: &HashMap<u32, u64>, first: i64, last: i64) -> Option<Cow<'a, str>> {
        let (since, _) = self.filter.span.bounds();
        let mut filter = Filter {
            causes: vec![CauseKind::Unexplained],
            span: Span {
                since: Some(since.max(first)),
                until: Some(last.saturating_add(1)),
            },
            ..self.filter.clone()
        };
        if fields.len() <= MAX_NAMED && filter.fields.is_empty() && filter.interests.is_empty() {
            for (subject, _) in fields.keys().filter_map(|subject| self.all.count(*subject)) {
                let own = Filter::default().of_subject(subject);
                filter.fields.extend(own.fields);
                filter.interests.extend(own.interests);
            }
            filter.fields.sort_unstable();
            filter.interests.sort_unstable();
        }
        changes_command(&filter).map(Cow::Owned)
    }
}

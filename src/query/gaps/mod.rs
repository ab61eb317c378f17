//! `gaps`: unexplained changes, grouped by what would explain them.
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

pub use lines::{GapField, GapKind, GapLabel, GapLine, GapSetter, Quiet};

use super::answer::{Lines, QueryError};
use super::changes::visit_changes;
use super::command::changes_command;
use super::counter::ranked;
use super::filter::{CauseKind, Filter, Span};
use super::moment::parse_seconds;
use super::request::InvalidParam;
use crate::event::seconds_to_rfc3339;
use crate::history::Subject;
use crate::store::Snapshot;
use collect::{Collector, RevealingEvent, SubjectCount};
use find::{Bounds, Finding, Window};

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
    /// How many profiles and subprofiles an outage has at least
    #[arg(long, value_name = "N", default_value_t = GapsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(1..))]
    pub least: u64,
    /// At most so many findings
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
}

impl GapsQuery {
    /// Refuses causes: gaps are found in unexplained changes.
    pub fn check(&self) -> Result<(), InvalidParam> {
        if self.filter.causes.is_empty() {
            return Ok(());
        }
        let what = "gaps are of unexplained changes alone; leave it out";
        Err(InvalidParam::new("cause", what))
    }

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
    let filter = Filter {
        causes: Vec::new(),
        ..query.filter.clone()
    };
    let mut all = Collector::default();
    visit_changes(snapshot, &filter, lines, &Collector::default, &mut |one| {
        all.join(one);
        Ok(())
    })?;
    if all.left_out > 0 {
        lines.note(format!(
            "what {} of more than {} events show is told as scattered; ask for a shorter span",
            all.left_out,
            collect::MAX_WINDOWS
        ));
    }
    if all.other_labels > 0 {
        lines.note(format!(
            "there are more than {} labels: {} events have others, which are not listed",
            collect::MAX_LABELS,
            all.other_labels
        ));
    }
    if all.others > 0 {
        lines.note(format!(
            "there are more than {} fields: {} unexplained changes are of others",
            collect::MAX_SUBJECTS,
            all.others
        ));
    }
    let least = usize::try_from(query.least).unwrap_or(usize::MAX).max(1);
    let (mut windows, mut shown): (Vec<Window>, Vec<RevealingEvent>) =
        std::mem::take(&mut all.revealed).into_iter().unzip();
    let silent = find::silent_fields(&windows, |subject| counted(&all, subject).claims(), least);
    for window in &mut windows {
        window
            .subjects
            .retain(|subject| silent.binary_search(subject).is_err());
    }
    let mut of_windows = windows.iter();
    shown.retain(|_| {
        of_windows
            .next()
            .is_some_and(|window| !window.subjects.is_empty())
    });
    windows.retain(|window| !window.subjects.is_empty());
    let bounds = Bounds {
        least,
        within: query.within.max(0),
        time_range: all.time_range.or_default(),
    };
    let (found, left) = find::find(&windows, bounds);
    let place = |place: &usize| Some((shown.get(*place)?, windows.get(*place)?));
    let renderer = Renderer {
        filter: &filter,
        all: &all,
    };
    let mut lost: HashMap<u32, u64> = HashMap::new();
    for (number, finding) in found.iter().enumerate() {
        let own: Vec<_> = finding.windows.iter().filter_map(place).collect();
        for subject in own.iter().flat_map(|(_, window)| &window.subjects) {
            *lost.entry(*subject).or_default() += 1;
        }
        let mut line = renderer.lost(finding, &own);
        if number < MAX_LOOKED_AT {
            look_at_calls(snapshot, finding, &mut line, lines)?;
        }
        if !lines.put(&line)? {
            return Ok(true);
        }
    }
    let left: Vec<_> = left.iter().filter_map(place).collect();
    for line in renderer.rest(&silent, &lost, &left) {
        if !lines.put(&line)? {
            break;
        }
    }
    Ok(lines.written > 0)
}

fn counted(all: &Collector, subject: u32) -> SubjectCount {
    all.counts
        .get(subject as usize)
        .cloned()
        .unwrap_or_default()
}

fn look_at_calls(
    snapshot: &Snapshot<'_>,
    finding: &Finding,
    line: &mut GapLine<'_>,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let labels = line.set_by.iter().map(|setter| setter.label.as_deref());
    let labels = labels.map(|label| label.map(str::to_owned)).collect();
    let span = (finding.since, finding.until);
    let Some(calls) = call_gap::calls(snapshot, span, labels, lines)? else {
        return Ok(());
    };
    line.quiet = calls.gap.map(|(since, until)| Quiet {
        since: seconds_to_rfc3339(since),
        until: seconds_to_rfc3339(until),
    });
    for setter in &mut line.set_by {
        let label = setter.label.as_deref().map(str::to_owned);
        setter.calls = Some(calls.by_label.get(&label).copied().unwrap_or_default());
    }
    Ok(())
}

/// Makes the lines.
struct Renderer<'a> {
    filter: &'a Filter,
    all: &'a Collector,
}

impl<'a> Renderer<'a> {
    /// The line of a lost span.
    fn lost(&self, finding: &Finding, own: &[(&RevealingEvent, &Window)]) -> GapLine<'a> {
        let mut fields: HashMap<u32, u64> = HashMap::new();
        let mut labels: HashMap<u32, u64> = HashMap::new();
        let mut keys: Vec<_> = own.iter().map(|(shown, _)| shown.key).collect();
        for (shown, window) in own {
            *labels.entry(shown.label).or_default() += 1;
            for subject in &window.subjects {
                *fields.entry(*subject).or_default() += 1;
            }
        }
        keys.sort_unstable();
        keys.dedup();
        let profiles = keys.iter().filter(|key| key.subprofile.is_none()).count() as u64;
        let mut set_by: HashMap<u32, u64> = HashMap::new();
        for subject in fields.keys() {
            for (label, count) in counted(self.all, *subject).set_by.counts() {
                *set_by.entry(*label).or_default() += count;
            }
        }
        let seqs = || own.iter().map(|(shown, _)| shown.seq);
        let times = || own.iter().map(|(_, window)| window.until);
        let mut line = self.line(&fields, &labels, &set_by);
        line.kind = GapKind::Lost;
        line.since = Some(seconds_to_rfc3339(finding.since));
        line.until = Some(seconds_to_rfc3339(finding.until));
        line.within_one = Some(finding.within_one);
        line.by_chance = Some(finding.by_chance);
        let begun = own.iter().map(|(_, window)| window.since).min();
        line.outer_since = seconds_to_rfc3339(begun.unwrap_or_default());
        let last = times().max().unwrap_or_default();
        line.outer_until = seconds_to_rfc3339(last);
        line.profiles = profiles;
        line.subprofiles = keys.len() as u64 - profiles;
        line.events = own.len() as u64;
        line.first_seq = seqs().min().unwrap_or_default();
        line.last_seq = seqs().max().unwrap_or_default();
        line.command = self.command(&fields, times().min().unwrap_or_default(), last);
        line
    }

    /// The lines of silent fields, and of the changes that no lost span explains.
    fn rest(
        &self,
        silent: &[u32],
        lost: &HashMap<u32, u64>,
        left: &[(&RevealingEvent, &Window)],
    ) -> Vec<GapLine<'a>> {
        let mut counts: HashMap<u32, SubjectCount> = HashMap::new();
        for (shown, window) in left {
            for subject in &window.subjects {
                let count = counts.entry(*subject).or_default();
                count.reveal(
                    shown.key,
                    shown.seq,
                    (window.since, window.until),
                    shown.label,
                );
            }
        }
        let mut rest = Vec::new();
        for (all, subject) in self.all.counts.iter().zip(0_u32..) {
            let is_silent = silent.binary_search(&subject).is_ok();
            let lost = lost.get(&subject).copied().unwrap_or_default();
            let changes = all.unexplained.saturating_sub(lost);
            if changes == 0 {
                continue;
            }
            // If not all windows were examined, only those counts are available.
            let exact = counts
                .get(&subject)
                .filter(|count| count.unexplained == changes);
            let kind = if is_silent {
                GapKind::SilentField
            } else {
                GapKind::Scattered
            };
            rest.push(self.of_field(kind, subject, exact.unwrap_or(all), changes));
        }
        rest.sort_by(|a, b| {
            let rank = |line: &GapLine<'_>| {
                (
                    line.kind == GapKind::Scattered,
                    Reverse(line.changes),
                    line.first_seq,
                )
            };
            rank(a)
                .cmp(&rank(b))
                .then_with(|| a.command.cmp(&b.command))
        });
        rest
    }

    /// The line of a field's changes.
    fn of_field(
        &self,
        kind: GapKind,
        subject: u32,
        count: &SubjectCount,
        changes: u64,
    ) -> GapLine<'a> {
        let fields = HashMap::from([(subject, changes)]);
        let set_by = counted(self.all, subject).set_by;
        let set_by = set_by.counts();
        let mut line = self.line(&fields, count.revealed_by.counts(), set_by);
        let (since, until) = count.times.or_default();
        line.kind = kind;
        line.outer_since = seconds_to_rfc3339(since);
        line.outer_until = seconds_to_rfc3339(until);
        line.profiles = count.profiles;
        line.subprofiles = count.subprofiles;
        line.events = changes;
        (line.first_seq, line.last_seq) = count.seqs.or_default();
        line.command = self.command(&fields, since, until);
        line
    }

    /// What every line has.
    fn line(
        &self,
        fields: &HashMap<u32, u64>,
        labels: &HashMap<u32, u64>,
        set_by: &HashMap<u32, u64>,
    ) -> GapLine<'a> {
        let all = self.all;
        let fields_of = fields
            .iter()
            .filter_map(|(subject, changes)| Some((all.subjects.get(*subject)?, *changes)));
        let by_count = ranked(fields_of);
        let named = by_count.iter().take(MAX_NAMED).map(|(subject, changes)| {
            let (field, interest) = subject.names();
            GapField {
                field,
                interest,
                changes: *changes,
            }
        });
        let labelled = |counts: &HashMap<u32, u64>| -> Vec<(Option<Cow<'a, str>>, u64)> {
            // Labels that are not counted separately have no name to list.
            let named = counts.iter().filter_map(|(label, count)| {
                let label = all.labels.get(*label)?;
                Some((label.as_deref().map(Cow::Borrowed), *count))
            });
            let mut counts = ranked(named);
            counts.truncate(MAX_NAMED);
            counts
        };
        GapLine {
            kind: GapKind::Scattered,
            since: None,
            until: None,
            within_one: None,
            outer_since: String::new(),
            outer_until: String::new(),
            profiles: 0,
            subprofiles: 0,
            events: 0,
            changes: fields.values().sum(),
            by_chance: None,
            fields: named.collect(),
            more_fields: by_count.len() > MAX_NAMED,
            first_seq: 0,
            last_seq: 0,
            labels: labelled(labels)
                .into_iter()
                .map(|(label, events)| GapLabel { label, events })
                .collect(),
            set_by: labelled(set_by)
                .into_iter()
                .map(|(label, changes)| GapSetter {
                    label,
                    changes,
                    calls: None,
                })
                .collect(),
            quiet: None,
            command: None,
        }
    }

    /// The command that shows the changes of these fields in events of that time.
    fn command(&self, fields: &HashMap<u32, u64>, first: i64, last: i64) -> Option<Cow<'a, str>> {
        let mut filter = Filter {
            causes: vec![CauseKind::Unexplained],
            span: Span {
                since: Some(
                    self.filter
                        .span
                        .since
                        .map_or(first, |since| since.max(first)),
                ),
                until: Some(last.saturating_add(1)),
            },
            ..self.filter.clone()
        };
        if fields.len() <= MAX_NAMED && filter.fields.is_empty() && filter.interests.is_empty() {
            let subjects = fields
                .keys()
                .filter_map(|subject| self.all.subjects.get(*subject));
            for subject in subjects {
                match subject {
                    Subject::Field(name) => filter.fields.push(name.to_string()),
                    Subject::Interest(name) => filter.interests.push(name.to_string()),
                }
            }
            filter.fields.sort_unstable();
            filter.interests.sort_unstable();
        }
        changes_command(&filter).map(Cow::Owned)
    }
}

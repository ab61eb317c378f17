//! `loops`: fields that keep changing, between two values or every few seconds, as
//! when two systems overwrite each other.
//!
//! A [`track`] follows each field of a (sub)profile where its changes are found,
//! and detects loops. Memory is bounded: only the [`LOOPS`] loops with the most
//! changes are held, and counts of all loops by field and labels, at most
//! [`GROUPS`] of them. A `create` and a first sight start a new track: they revert
//! nothing.

mod lines;
mod track;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use lines::{GroupKind, LoopGroupLine, LoopKind, LoopLine, LoopValue, LoopWriter};

use super::answer::{Lines, QueryError, now};
use super::changes::{ChangeVisitor, visit_changes};
use super::command::CommandLine;
use super::counter::TimeRange;
use super::filter::Filter;
use super::moment::parse_seconds;
use crate::event::{Event, ProfileKey, seconds_to_rfc3339};
use crate::history::{Cause, Change, Subject};
use crate::store::Snapshot;
use track::{FEW_SECONDS, Rule, Run, Step, Track};

/// Fields that go on changing.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopsQuery {
    /// Which changes.
    #[command(flatten)]
    #[serde(flatten)]
    pub filter: Filter,
    /// The longest time between two turns
    #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = parse_seconds)]
    pub within: i64,
    /// How many changes a loop has at least
    #[arg(long, value_name = "N", default_value_t = LoopsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(3..))]
    pub least: u64,
    /// At most so many loops, those of the most changes
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
}

impl LoopsQuery {
    /// The default maximum time between two turns.
    pub const WITHIN: i64 = 86_400;
    /// The default minimum number of changes of a loop.
    pub const LEAST: u64 = 4;
}

/// The maximum number of loops that are listed.
const LOOPS: usize = 10_000;

/// The maximum number of fields, each with the labels of its loops, that are
/// counted.
const GROUPS: usize = 2_000;

/// A loop and its (sub)profile.
struct Found {
    key: ProfileKey,
    subject: Subject<'static>,
    run: Run,
}

/// Follows the fields of one (sub)profile after the other.
struct Tracks {
    rule: Rule,
    key: Option<ProfileKey>,
    tracks: HashMap<Subject<'static>, Track>,
    found: Vec<Found>,
}

impl Tracks {
    fn new(rule: Rule) -> Self {
        Self {
            rule,
            key: None,
            tracks: HashMap::new(),
            found: Vec::new(),
        }
    }

    /// Ends the tracks of a (sub)profile.
    fn end(&mut self) {
        let Some(key) = self.key else {
            return;
        };
        for (subject, track) in self.tracks.drain() {
            end_track(&mut self.found, self.rule, key, &subject, track);
        }
    }
}

fn end_track(
    found: &mut Vec<Found>,
    rule: Rule,
    key: ProfileKey,
    subject: &Subject<'static>,
    track: Track,
) {
    let runs = track.finish(rule).into_iter();
    found.extend(runs.map(|run| Found {
        key,
        subject: subject.clone(),
        run,
    }));
}

impl ChangeVisitor for Tracks {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        if self.key != Some(event.key) {
            self.end();
            self.key = Some(event.key);
        }
        for change in &changes {
            let claimed = match change.cause {
                Cause::Set => true,
                Cause::Unexplained { .. } | Cause::Observed { .. } => false,
                Cause::Create | Cause::FirstSeen | Cause::Baseline | Cause::Cascade => {
                    let subject = change.subject.to_owned();
                    if let Some(track) = self.tracks.remove(&subject) {
                        end_track(&mut self.found, self.rule, event.key, &subject, track);
                    }
                    continue;
                }
            };
            let step = Step {
                time: event.time,
                seq: event.seq,
                label: event.label.as_deref(),
                claimed,
                old: change.old.as_ref(),
                new: &change.new,
            };
            let subject = change.subject.to_owned();
            self.tracks
                .entry(subject)
                .or_default()
                .step(self.rule, step);
        }
        Ok(())
    }
}

/// Loops of one field by the same labels.
#[derive(Default)]
struct Group {
    loops: u64,
    going_on: u64,
    changes: u64,
    times: TimeRange<i64>,
}

/// A field with the labels of a loop's writers, and whether some of the changes are
/// unclaimed.
type GroupKey = (Subject<'static>, Vec<Option<String>>, bool);

fn group_key(found: &Found) -> GroupKey {
    let writers = found.run.writers.iter();
    let claimed = writers.filter(|writer| writer.claimed);
    let mut labels: Vec<_> = claimed.map(|writer| writer.label.clone()).collect();
    labels.sort_unstable();
    let unexplained = found.run.writers.iter().any(|writer| !writer.claimed);
    (found.subject.clone(), labels, unexplained)
}

/// All loops.
struct Total {
    /// The moment up to which events are known.
    at: i64,
    rule: Rule,
    most: usize,
    found: Vec<Found>,
    left_out: u64,
    groups: HashMap<GroupKey, Group>,
}

impl Total {
    fn join(&mut self, mut tracks: Tracks) {
        tracks.end();
        for found in tracks.found {
            let key = group_key(&found);
            if self.groups.len() < GROUPS || self.groups.contains_key(&key) {
                let going_on = self.goes_on(&found.run);
                let group = self.groups.entry(key).or_default();
                group.loops += 1;
                group.going_on += u64::from(going_on);
                group.changes += found.run.changes;
                let (first, last) = (found.run.first.0, found.run.last.0);
                group.times.join(TimeRange::of(first, last));
            }
            self.found.push(found);
        }
        if self.found.len() > 2 * self.most.max(1_000) {
            self.keep_most();
        }
    }

    fn keep_most(&mut self) {
        self.found.sort_by(|a, b| {
            let rank = |found: &Found| (Reverse(found.run.changes), found.key, found.run.first);
            rank(a)
                .cmp(&rank(b))
                .then_with(|| a.subject.cmp(&b.subject))
        });
        self.left_out += self.found.len().saturating_sub(self.most) as u64;
        self.found.truncate(self.most);
    }

    /// Whether a loop is still active: its next change is not overdue.
    const fn goes_on(&self, run: &Run) -> bool {
        let pause = match run.kind {
            LoopKind::Turns => self.rule.within,
            LoopKind::Rewrites => 6 * FEW_SECONDS,
        };
        run.last.0.saturating_add(pause) >= self.at
    }
}

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &LoopsQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let rule = Rule {
        within: query.within.max(1),
        // Two changes may be a corrected mistake.
        least: query.least.max(3),
    };
    let limit = query.limit;
    let most = limit.map_or(LOOPS, |limit| {
        usize::try_from(limit).unwrap_or(LOOPS).min(LOOPS)
    });
    let mut total = Total {
        at: query
            .filter
            .span
            .until
            .map_or_else(now, |until| until.min(now())),
        rule,
        most,
        found: Vec::new(),
        left_out: 0,
        groups: HashMap::new(),
    };
    visit_changes(
        snapshot,
        &query.filter,
        lines,
        &|| Tracks::new(rule),
        &mut |tracks| {
            total.join(tracks);
            Ok(())
        },
    )?;
    total.keep_most();
    if total.left_out > 0 && limit.is_none_or(|limit| limit > LOOPS as u64) {
        lines.note(format!(
            "{} loops beyond the {LOOPS} of the most changes are told in their groups alone",
            total.left_out
        ));
    }
    for line in groups(&mut total) {
        lines.put(&line)?;
    }
    for found in &total.found {
        lines.put(&line_of(&query.filter, found, total.goes_on(&found.run)))?;
    }
    Ok(lines.written > 0)
}

/// The lines of groups, those with the most changes first.
fn groups(total: &mut Total) -> Vec<LoopGroupLine<'static>> {
    let mut groups: Vec<_> = std::mem::take(&mut total.groups).into_iter().collect();
    groups.sort_by(|(a, more), (b, less)| less.changes.cmp(&more.changes).then_with(|| a.cmp(b)));
    let lines = groups
        .into_iter()
        .map(|((subject, labels, unexplained), group)| {
            let (field, interest) = subject.into_names();
            let (first, last) = group.times.or_default();
            LoopGroupLine {
                kind: GroupKind::Group,
                field,
                interest,
                labels: labels
                    .into_iter()
                    .map(|label| label.map(Cow::Owned))
                    .collect(),
                unexplained,
                loops: group.loops,
                going_on: group.going_on,
                changes: group.changes,
                first: seconds_to_rfc3339(first),
                last: seconds_to_rfc3339(last),
            }
        });
    lines.collect()
}

fn line_of(filter: &Filter, found: &Found, going_on: bool) -> LoopLine<'static> {
    let run = &found.run;
    let (field, interest) = found.subject.to_owned().into_names();
    let (first, last) = (run.first.0, run.last.0);
    let pauses = run.changes.saturating_sub(1).max(1);
    let mut writers: Vec<LoopWriter<'static>> = run
        .writers
        .iter()
        .map(|writer| {
            let mut values = writer.values.clone();
            values.sort_by(|(a, more), (b, less)| less.cmp(more).then_with(|| a.cmp(b)));
            let values = values.into_iter();
            LoopWriter {
                label: writer.label.clone().map(Cow::Owned),
                claimed: writer.claimed,
                changes: writer.changes,
                values: values
                    .map(|(value, changes)| LoopValue { value, changes })
                    .collect(),
            }
        })
        .collect();
    writers.sort_by(|a, b| {
        b.changes
            .cmp(&a.changes)
            .then_with(|| a.label.cmp(&b.label))
    });
    let (flag, name) = match &found.subject {
        Subject::Field(name) => ("--field", name),
        Subject::Interest(name) => ("--interest", name),
    };
    let key = found.key.to_string();
    let command = CommandLine::new(&["history", &key])
        .flag(flag, name.to_string())
        .flag("--since", seconds_to_rfc3339(first))
        .flag("--until", seconds_to_rfc3339(last.saturating_add(1)));
    // `history` supports no other filters.
    let narrowed = filter.database.is_some()
        || filter.collection.is_some()
        || filter.old.is_some()
        || filter.new.is_some()
        || !filter.causes.is_empty()
        || !filter.labels.is_empty()
        || !filter.not_labels.is_empty()
        || !filter.types.is_empty();
    LoopLine {
        kind: run.kind,
        profile: found.key.profile,
        subprofile: found.key.subprofile,
        field,
        interest,
        changes: run.changes,
        first: seconds_to_rfc3339(first),
        last: seconds_to_rfc3339(last),
        every: last.abs_diff(first) / pauses,
        going_on,
        writers,
        first_seq: run.first.1,
        last_seq: run.last.1,
        command: command.line().filter(|_| !narrowed).map(Cow::Owned),
    }
}

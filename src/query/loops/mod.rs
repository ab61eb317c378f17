//! `loops`: fields that keep changing, between two values or every few seconds, as
//! when two systems overwrite each other.
//!
//! A [`track`] follows each field of a (sub)profile where its changes are found,
//! and detects loops. A `create` and a first sight start a new track: they revert
//! nothing.
//!
//! Memory is bounded: only the [`LOOPS`] loops with the most changes are held, and
//! counts of all loops by field and labels, at most [`GROUPS`] of them. If the tracks
//! of a (sub)profile hold more than [`HELD`] bytes, they end, and new ones begin.

mod lines;
mod track;

use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

pub use lines::{GroupKind, LoopGroupLine, LoopKind, LoopLine, LoopWriter, LoopsLine};

use super::answer::{Lines, QueryError};
use super::changes::{ChangeVisitor, Collector, collect_changes};
use super::command::CommandLine;
use super::counter::{BoundedMap, Counted, TimeRange};
use super::filter::{Filter, Span};
use super::moment::parse_seconds;
use crate::event::{Event, ProfileKey, now_seconds, seconds_to_rfc3339};
use crate::history::{Cause, Change, Subject};
use crate::store::Snapshot;
use track::{FEW_SECONDS, Rule, Run, Track};

/// Fields that go on changing.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoopsQuery {
    /// Which changes.
    #[command(flatten)]
    #[serde(flatten)]
    pub filter: Filter,
    /// The longest time between two changes of a loop
    #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = parse_seconds)]
    pub within: i64,
    /// The fewest changes of a loop
    #[arg(long, value_name = "N", default_value_t = LoopsQuery::LEAST,
        value_parser = clap::value_parser!(u64).range(3..))]
    pub least: u64,
    /// At most this many loops, those with the most changes
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

/// About how many bytes the tracks of a (sub)profile hold at most, and half of what
/// the loops found do.
const HELD: usize = 16 << 20;

/// A loop and its (sub)profile.
struct Found {
    key: ProfileKey,
    subject: Subject<'static>,
    run: Run,
}

/// Loops of one field by the same labels.
#[derive(Default)]
struct Group {
    loops: u64,
    going_on: u64,
    changes: u64,
    times: TimeRange<i64>,
}

impl Counted for Group {
    fn join(&mut self, other: Self) {
        self.loops += other.loops;
        self.going_on += other.going_on;
        self.changes += other.changes;
        self.times.join(other.times);
    }

    fn count(&self) -> u64 {
        self.loops
    }
}

/// A field with the labels of a loop's writers, and whether some of the changes are
/// unclaimed.
type GroupKey = (Subject<'static>, Vec<Option<String>>, bool);

fn group_key(found: &Found) -> GroupKey {
    let writers = found.run.writers.iter();
    let claimed = writers.filter(|writer| writer.claimed);
    let label = |writer: &LoopWriter<'_>| writer.label.as_deref().map(str::to_owned);
    let mut labels: Vec<_> = claimed.map(label).collect();
    labels.sort_unstable();
    let unexplained = found.run.writers.iter().any(|writer| !writer.claimed);
    (found.subject.clone(), labels, unexplained)
}

/// Follows the fields of one (sub)profile after the other, and collects the loops.
struct Loops {
    rule: Rule,
    /// The moment up to which events are known.
    at: i64,
    /// The maximum number of loops that are held.
    most: usize,
    key: Option<ProfileKey>,
    tracks: HashMap<Subject<'static>, Track>,
    /// About how many bytes the tracks hold.
    held: usize,
    /// Whether tracks were ended because they held too many bytes.
    is_cut: bool,
    found: Vec<Found>,
    /// About how many bytes the loops found hold.
    found_held: usize,
    left_out: u64,
    groups: BoundedMap<GroupKey, Group>,
}

impl Loops {
    fn new(rule: Rule, at: i64, most: usize) -> Self {
        Self {
            rule,
            at,
            most,
            key: None,
            tracks: HashMap::new(),
            held: 0,
            is_cut: false,
            found: Vec::new(),
            found_held: 0,
            left_out: 0,
            groups: BoundedMap::new(GROUPS, |(subject, ..)| subject.name().len()),
        }
    }

    /// Ends all tracks.
    fn end(&mut self) {
        for (subject, track) in std::mem::take(&mut self.tracks) {
            self.end_track(&subject, track);
        }
        self.held = 0;
    }

    fn end_track(&mut self, subject: &Subject<'static>, track: Track) {
        let held = track.held() + subject.name().len();
        self.held = self.held.saturating_sub(held);
        let Some(key) = self.key else {
            return;
        };
        for run in track.finish(self.rule) {
            let group = Group {
                loops: 1,
                going_on: u64::from(self.goes_on(&run)),
                changes: run.changes,
                times: TimeRange::of(run.first.0, run.last.0),
            };
            let subject = subject.clone();
            let found = Found { key, subject, run };
            self.groups.add(group_key(&found), group);
            self.found_held += found.run.held;
            self.found.push(found);
        }
        self.trim();
    }

    /// Keeps the loops with the most changes, if there are many.
    fn trim(&mut self) {
        if self.found.len() > 2 * self.most.max(1_000) || self.found_held > 2 * HELD {
            self.keep_most();
        }
    }

    fn keep_most(&mut self) {
        self.found.sort_by(|a, b| {
            let rank = |found: &Found| (Reverse(found.run.changes), found.key, found.run.first);
            (rank(a), &a.subject).cmp(&(rank(b), &b.subject))
        });
        let before = self.found.len();
        self.found.truncate(self.most);
        self.found_held = 0;
        self.found.retain(|found| {
            let held = self.found_held + found.run.held;
            let is_kept = held <= HELD;
            if is_kept {
                self.found_held = held;
            }
            is_kept
        });
        self.left_out += (before - self.found.len()) as u64;
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

impl ChangeVisitor for Loops {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        if self.key != Some(event.key) {
            self.end();
            self.key = Some(event.key);
        }
        for change in &changes {
            let subject = change.subject.to_owned();
            match change.cause {
                Cause::Set | Cause::Unexplained { .. } | Cause::Observed { .. } => {}
                Cause::Create | Cause::FirstSeen | Cause::Cascade => {
                    if let Some(track) = self.tracks.remove(&subject) {
                        self.end_track(&subject, track);
                    }
                    continue;
                }
            }
            let name_len = subject.name().len();
            let known = self.tracks.get(&subject);
            let before = known.map_or(0, |track| track.held() + name_len);
            let track = self.tracks.entry(subject).or_default();
            track.step(self.rule, event, change);
            self.held = (self.held + track.held() + name_len).saturating_sub(before);
            if self.held > HELD {
                self.end();
                self.is_cut = true;
            }
        }
        Ok(true)
    }
}

impl Collector for Loops {
    fn join(&mut self, mut other: Self) {
        other.end();
        self.groups.join(other.groups);
        self.left_out += other.left_out;
        self.is_cut |= other.is_cut;
        self.found_held += other.found_held;
        self.found.extend(other.found);
        self.trim();
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
    let now = now_seconds();
    let at = query.filter.span.until.map_or(now, |until| until.min(now));
    let make = || Loops::new(rule, at, most);
    let mut all = collect_changes(snapshot, &query.filter, lines, &make)?;
    all.keep_most();
    if all.left_out > 0 && limit.is_none_or(|limit| limit > LOOPS as u64) {
        lines.note(format!(
            "{} loops beyond the {} with the most changes are only counted in their groups",
            all.left_out,
            all.found.len()
        ));
    }
    if all.groups.others > 0 {
        lines.note(format!(
            "{} loops are of fields and labels beyond the first {GROUPS}, and in no group; ask for \
             one field",
            all.groups.others
        ));
    }
    if all.is_cut {
        lines.note(
            "some profiles or subprofiles have too many large values, so their loops may be \
             listed in parts; ask for one field"
                .to_owned(),
        );
    }
    // Those with the most changes first.
    let groups = std::mem::take(&mut all.groups.values);
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by(|(a, more), (b, less)| less.changes.cmp(&more.changes).then_with(|| a.cmp(b)));
    for (key, group) in groups {
        lines.put(&group_line(key, &group))?;
    }
    for found in std::mem::take(&mut all.found) {
        let going_on = all.goes_on(&found.run);
        lines.put(&line_of(&query.filter, found, going_on))?;
    }
    Ok(lines.written > 0)
}

fn group_line((subject, labels, unexplained): GroupKey, group: &Group) -> LoopGroupLine<'static> {
    let (first, last) = group.times.or_default();
    LoopGroupLine {
        kind: GroupKind::Group,
        subject,
        labels: labels
            .into_iter()
            .map(|label| label.map(Into::into))
            .collect(),
        unexplained,
        loops: group.loops,
        going_on: group.going_on,
        changes: group.changes,
        first: seconds_to_rfc3339(first),
        last: seconds_to_rfc3339(last),
    }
}

fn line_of(filter: &Filter, found: Found, going_on: bool) -> LoopLine<'static> {
    let Found { key, subject, run } = found;
    let (first, last) = (run.first.0, run.last.0);
    let pauses = run.changes.saturating_sub(1).max(1);
    let mut writers = run.writers;
    writers.sort_by(|a, b| (Reverse(a.changes), &a.label).cmp(&(Reverse(b.changes), &b.label)));
    for writer in &mut writers {
        let values = &mut writer.values;
        values.sort_by(|a, b| (Reverse(a.changes), &a.value).cmp(&(Reverse(b.changes), &b.value)));
    }
    let of_subject = Filter {
        span: Span {
            since: Some(first),
            until: Some(last.saturating_add(1)),
        },
        ..Filter::default().of_subject(&subject)
    };
    let command = CommandLine::new(&["history", &key.to_string()]).filter(&of_subject);
    // `history` supports no other filters.
    let others = Filter {
        fields: Vec::new(),
        interests: Vec::new(),
        profile: None,
        span: Span::default(),
        cascade: false,
        ..filter.clone()
    };
    let is_narrowed = others != Filter::default();
    LoopLine {
        kind: run.kind,
        who: key,
        subject,
        changes: run.changes,
        first: seconds_to_rfc3339(first),
        last: seconds_to_rfc3339(last),
        every: last.abs_diff(first) / pauses,
        going_on,
        writers,
        first_seq: run.first.1,
        last_seq: run.last.1,
        command: command.line().filter(|_| !is_narrowed).map(Into::into),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Value;

    #[test]
    fn the_tracks_of_many_large_fields_are_bounded() {
        let rule = Rule {
            within: 10,
            least: 3,
        };
        let mut loops = Loops::new(rule, 0, LOOPS);
        for seq in 1..=200 {
            let event = Event {
                seq,
                time: 7,
                key: ProfileKey::profile(1),
                ..Event::default()
            };
            let change = |number: u64| Change {
                subject: Subject::Field(format!("{seq}-{number}").into()),
                old: None,
                new: Value::Text("x".repeat(4_000).into()),
                cause: Cause::Set,
            };
            loops.visit(&event, (0..50).map(change).collect()).unwrap();
            assert!(loops.held <= HELD);
            assert!(loops.tracks.values().map(Track::held).sum::<usize>() <= HELD);
        }
        assert!(loops.is_cut && loops.tracks.len() < 10_000);
    }
}

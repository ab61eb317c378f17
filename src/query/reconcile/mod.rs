//! `reconcile`: compares the rows of a file with the known state at a moment.
//!
//! The rows are sorted by key, as are the trail's (sub)profiles, so a merge finds the
//! (sub)profiles that are in only one of them: only some rows, the positions of their events
//! and one state are held.
//!
//! `docs/reconcile.md` says which cells equal a value of the trail, how differences are
//! recorded as observed events ([`crate::event::Seen`]), and the effect on the subprofiles
//! of a profile that is gone. If the events of that moment were pruned, the state of the
//! (sub)profile is unknown and nothing is recorded for it. Unreadable events are reported;
//! the file is correct regardless, and is recorded.
//!
//! Interests are not compared. Reading the file is the command's concern.

mod judge;
mod lines;

use std::collections::{BTreeSet, VecDeque};
use std::io::Write;

pub use lines::{ColumnCount, FileRow, ReconcileLine, ReconcileOrder, ReconcileReport, Recording};

use self::judge::{judge_gone, judge_row, not_fields, observed};
use super::answer::{Answered, QueryError, note_without_owner};
use super::replay::Replayer;
use super::state_before::Needed;
use crate::event::{Event, ProfileKey, is_label, seconds_to_rfc3339};
use crate::history::is_full_state;
use crate::store::{Arrival, Damages, EventsOf, Outcome, Snapshot, Trail};

/// How many (sub)profiles are looked up together.
const GROUP: usize = 1024;

/// The maximum number of event positions held, except for those of a single
/// (sub)profile.
const PLACES: usize = 200_000;

/// How many of a (sub)profile's last events are read in one pass with those of
/// others.
const LAST: usize = 4;

/// Stores events and returns the result of each.
pub type Append<'a> = &'a mut dyn FnMut(Vec<Arrival>) -> Vec<Outcome>;

/// A comparison in progress.
pub struct Reconciler<'a> {
    trail: &'a Trail,
    order: ReconcileOrder,
    /// The columns that are left out.
    left_out: BTreeSet<String>,
    damage: Damages,
    /// How many (sub)profiles have lost the events of that moment to pruning, and
    /// the latest time up to which they were pruned.
    pruned: (u64, i64),
    /// The result so far.
    report: ReconcileReport,
    /// The last row's key.
    last: Option<ProfileKey>,
    keys: Keys,
}

/// The trail's (sub)profiles in order.
#[derive(Default)]
struct Keys {
    ahead: VecDeque<ProfileKey>,
    after: Option<ProfileKey>,
    ended: bool,
}

/// The next item to compare: a (sub)profile with its row, or without one, which may be
/// gone.
type Item = (ProfileKey, Option<FileRow>);

impl Keys {
    fn peek(&mut self, snapshot: &Snapshot<'_>) -> Result<Option<ProfileKey>, QueryError> {
        if self.ahead.is_empty() && !self.ended {
            self.ahead = snapshot.keys_after(self.after, GROUP)?.into();
            self.after = self.ahead.back().copied().or(self.after);
            self.ended = self.ahead.is_empty();
        }
        Ok(self.ahead.front().copied())
    }
}

impl<'a> Reconciler<'a> {
    /// A comparison with a trail.
    pub fn new(trail: &'a Trail, order: ReconcileOrder) -> Result<Self, QueryError> {
        let label = order
            .record
            .as_ref()
            .and_then(|record| record.label.as_deref());
        if let Some(label) = label.filter(|label| !is_label(label)) {
            return Err(QueryError::Wrong(format!("{label:?} is not a label")));
        }
        let snapshot = trail.snapshot();
        snapshot.wait_for_index(|_| ())?;
        let mut damage = Damages::default();
        note_without_owner(&snapshot, &mut damage)?;
        let left_out = match order.only_fields {
            true => not_fields(&snapshot, &order.columns)?,
            false => BTreeSet::new(),
        };
        Ok(Self {
            report: ReconcileReport {
                columns: vec![ColumnCount::default(); order.columns.len()],
                ..ReconcileReport::default()
            },
            trail,
            left_out,
            order,
            damage,
            pruned: (0, i64::MIN),
            last: None,
            keys: Keys::default(),
        })
    }

    /// Compares some rows, given as lines of JSON, and writes the differences up to
    /// the last of them. Returns the result of all rows so far.
    pub fn rows(
        &mut self,
        rows: &[u8],
        out: &mut dyn Write,
        append: Append<'_>,
    ) -> Result<&ReconcileReport, QueryError> {
        self.trail.wait_for_index(|_| ())?;
        let mut items = Vec::new();
        for line in rows.split(|byte| *byte == b'\n') {
            if line.is_empty() {
                continue;
            }
            let row: FileRow = serde_json::from_slice(line)
                .map_err(|error| QueryError::Wrong(format!("a row is invalid: {error}")))?;
            self.check(&row)?;
            let key = row.key();
            self.last = Some(key);
            self.pass(Some(key), &mut items, out, append)?;
            items.push((key, Some(row)));
            if items.len() >= GROUP {
                self.look_at(std::mem::take(&mut items), out, append)?;
            }
        }
        self.look_at(items, out, append)?;
        Ok(&self.report)
    }

    /// Must be called after the last row: writes the (sub)profiles after it that
    /// are gone.
    pub fn finish(
        &mut self,
        out: &mut dyn Write,
        append: Append<'_>,
    ) -> Result<&ReconcileReport, QueryError> {
        let mut items = Vec::new();
        self.pass(None, &mut items, out, append)?;
        self.look_at(items, out, append)?;
        self.report.left_out = self.left_out.iter().cloned().collect();
        Ok(&self.report)
    }

    /// The totals of the comparison.
    pub fn answered(self) -> Answered {
        let (damage, mut notes) = self.damage.into_lines();
        if let (count @ 1.., until) = self.pruned {
            let until = seconds_to_rfc3339(until);
            notes.push(format!(
                "events of {count} profiles and subprofiles up to {until} were pruned: their state at that moment is not known"
            ));
        }
        Answered {
            hints: Vec::new(),
            found: self.report.found() > 0,
            damage,
            notes,
        }
    }

    fn check(&self, row: &FileRow) -> Result<(), QueryError> {
        let FileRow(_, subprofile, cells) = row;
        let what = if self.last.is_some_and(|last| last >= row.key()) {
            "is out of order"
        } else if subprofile.is_some() != self.order.subprofiles
            || cells.len() != self.order.columns.len()
        {
            "does not fit"
        } else {
            return Ok(());
        };
        let key = row.key();
        Err(QueryError::Wrong(format!("the row of {key} {what}")))
    }

    /// Advances past the trail's (sub)profiles before a key, which may be gone, and
    /// past that key; past all of them without a key.
    fn pass(
        &mut self,
        key: Option<ProfileKey>,
        items: &mut Vec<Item>,
        out: &mut dyn Write,
        append: Append<'_>,
    ) -> Result<(), QueryError> {
        if !self.order.gone {
            return Ok(());
        }
        while let Some(next) = self.keys.peek(&self.trail.snapshot())? {
            if key.is_some_and(|key| next > key) {
                return Ok(());
            }
            self.keys.ahead.pop_front();
            if Some(next) != key && next.subprofile.is_some() == self.order.subprofiles {
                items.push((next, None));
            }
            if items.len() >= GROUP {
                self.look_at(std::mem::take(items), out, append)?;
            }
        }
        Ok(())
    }

    /// Compares an item with the trail.
    fn look_at(
        &mut self,
        items: Vec<Item>,
        out: &mut dyn Write,
        append: Append<'_>,
    ) -> Result<(), QueryError> {
        if items.is_empty() || self.report.failure.is_some() {
            return Ok(());
        }
        let trail = self.trail;
        let lock = self.order.record.as_ref().map(|_| trail.lock_imports());
        let snapshot = trail.snapshot();
        snapshot.wait_for_index(|_| ())?;
        let mut replayer = Replayer::new(&snapshot, false);
        let keys: Vec<ProfileKey> = items.iter().map(|(key, _)| *key).collect();
        let at = self.order.at;
        let mut items = items.into_iter();
        let mut waiting: Vec<(Item, EventsOf)> = Vec::new();
        let mut places = 0;
        // Lines are written without the lock, as their reader may pause.
        let (mut lines, mut events) = (Vec::new(), Vec::new());
        let always = (i64::MIN, i64::MAX);
        snapshot.each_recent_events_of::<QueryError>(&keys, always, |mut of_one, _| {
            let times = &mut of_one.times;
            times.truncate(times.partition_point(|(time, _)| *time <= at));
            times.shrink_to_fit();
            if places + times.len() > PLACES && !waiting.is_empty() {
                let some = std::mem::take(&mut waiting);
                self.compare(some, &mut replayer, &mut lines, &mut events)?;
                places = 0;
            }
            places += of_one.times.len();
            waiting.extend(items.next().map(|item| (item, of_one)));
            Ok(())
        })?;
        self.compare(waiting, &mut replayer, &mut lines, &mut events)?;
        self.enter(events, append);
        drop(lock);
        Ok(out.write_all(&lines)?)
    }

    fn compare(
        &mut self,
        waiting: Vec<(Item, EventsOf)>,
        replayer: &mut Replayer<'_>,
        out: &mut dyn Write,
        events: &mut Vec<Event<'static>>,
    ) -> Result<(), QueryError> {
        replayer.read_ahead(waiting.iter().flat_map(|(_, events)| {
            let last = events.times.iter().rev().take(LAST);
            last.map(|(_, seq)| *seq)
        }));
        let report = &mut self.report;
        for ((key, row), of_one) in waiting {
            let mut needed = Needed::new(key);
            // A row is judged by its state, a missing one by its database too.
            let is_enough =
                |event: &Event<'_>| needed.take(event) || (row.is_some() && is_full_state(event));
            let (at, damage) = (self.order.at, &mut self.damage);
            let replay = replayer.state_at(key, &of_one, at, damage, is_enough)?;
            let found = match &row {
                Some(row) => judge_row(&self.order, &self.left_out, row, &replay, out, report)?,
                None => judge_gone(&self.order, key, &replay, out, report)?,
            };
            let pruned = of_one
                .baseline_time()
                .filter(|_| !of_one.reaches_baseline(self.order.at));
            if let Some(until) = pruned {
                self.pruned = (self.pruned.0 + 1, self.pruned.1.max(until));
            }
            if let Some((seen, fields)) = found {
                if pruned.is_some() {
                    report.doubtful += 1;
                } else if let Some(recording) = &self.order.record {
                    events.push(observed(&self.order, recording, key, seen, fields));
                }
            }
        }
        Ok(())
    }

    /// Records events.
    fn enter(&mut self, events: Vec<Event<'static>>, append: Append<'_>) {
        if events.is_empty() {
            return;
        }
        let report = &mut self.report;
        let arrivals = events.into_iter().map(|event| Arrival::Imported {
            event: Box::new(event),
            body: None,
            evidence: None,
        });
        for outcome in append(arrivals.collect()) {
            match outcome {
                Outcome::Kept(_) => report.recorded += 1,
                Outcome::Rejected(_, error) => {
                    report.failure.get_or_insert(error.to_string());
                }
                Outcome::Unavailable(reason) => {
                    report.failure.get_or_insert(reason);
                }
            }
        }
    }
}

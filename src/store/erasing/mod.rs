//! Erasing persons: a profile with all its subprofiles.
//!
//! [`Trail::erase`] finds all data of the persons ([`plan`]), and commits: the data folder's
//! `format` file then lists their events, and the baselines do not include them. From here
//! on every answer hides them, and a restart continues. The following steps can stop at any
//! point and be repeated ([`Trail::finish_erasure`]):
//!
//! 1. When no answer from before the commit is running, the present segments are closed, so
//!    that all can be rewritten. Events that arrived up to the erasure's moment, but were
//!    appended after the scan, are committed, too.
//! 2. The records become tombstones, as in a prune. Rejected calls become empty. Files that
//!    recovery and repair have set aside are removed.
//! 3. Another index replaces the present one, as after a prune.
//! 4. A control record in the log, the receipt, says what was erased.
//! 5. The second commit removes the secrets from which the salts of the erased events are
//!    derived. Without the salt, a guessed event cannot be compared with a leaf hash.
//!
//! Later events are kept, and begin a new history.

mod plan;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::plan::Plan;
use super::error::TrailError;
use super::open::Trail;
use super::pruning::{PruneError, Pruning};
use crate::event::{now_micros, rfc3339};
use crate::history::Baseline;
use crate::log::record::EventHead;
use crate::log::{Control, Erasure, LogError};
use crate::storage::RealDisk;
use crate::store::retention::{BaselineWriter, Pruned, Removed, Retention, SeqSet};
use crate::store::{Arrival, Outcome};

/// Appends a group and returns the outcome of each.
pub type Append<'a> = &'a dyn Fn(Vec<Arrival>) -> Vec<Outcome>;

/// Who is erased, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EraseOrder {
    /// The profiles.
    pub profiles: BTreeSet<u64>,
    /// Events that arrived up to this moment are erased, in Unix microseconds; `None` is
    /// now.
    pub until: Option<i64>,
    /// Why: a text for the receipt.
    pub reason: String,
    /// Also profiles whose last event is not a `delete`.
    pub still_present: bool,
    /// Also profiles of which nothing is there: nothing of them can be imported then.
    pub unknown: bool,
    /// Only report what would be erased.
    pub dry_run: bool,
}

/// What happened to a profile; a line of `erase`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EraseLine {
    /// The profile.
    pub profile: u64,
    /// Events that arrived up to this moment are erased.
    #[serde(with = "rfc3339::micros")]
    #[schemars(with = "String")]
    pub until: i64,
    /// Why.
    pub reason: String,
    /// Nothing was changed.
    pub dry_run: bool,
    /// How many events were erased.
    pub events: u64,
    /// The subprofiles of the profile in these events.
    pub subprofiles: Vec<u64>,
    /// How many baselines of pruned events were erased.
    pub baselines: u64,
    /// How many rejected calls were erased.
    pub rejected: u64,
    /// The files of the data folder that held them.
    pub files: Vec<String>,
    /// The number of the control record: `prove` makes the receipt of it. `null` in a dry
    /// run, and while answers that began earlier are still running.
    pub receipt: Option<u64>,
}

/// Why nothing was erased, or not everything.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    /// Copernica still has the profile.
    #[error(
        "the last event of {} is not a delete, so Copernica may send it again: delete it there \
         first, or add --still-present", .0.iter().map(u64::to_string).collect::<Vec<_>>().join(", ")
    )]
    StillPresent(Vec<u64>),
    /// Some segments could not be rewritten.
    #[error(
        "the events are hidden, but not all are removed from the disk: {}. Run `profiletrail repair`; \
         the server then goes on", .0.join("; ")
    )]
    Damaged(Vec<String>),
    /// Nothing can be appended.
    #[error("the log takes no control record: {0}")]
    Append(String),
    /// As for a prune.
    #[error(transparent)]
    Prune(#[from] PruneError),
}

impl From<TrailError> for EraseError {
    fn from(error: TrailError) -> Self {
        Self::Prune(error.into())
    }
}

impl From<LogError> for EraseError {
    fn from(error: LogError) -> Self {
        Self::Prune(error.into())
    }
}

impl Trail {
    /// Erases profiles, or reports what that would do. Profiles of which nothing is there
    /// are in no line.
    pub fn erase(
        &self,
        order: &EraseOrder,
        append: Append<'_>,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Vec<EraseLine>, EraseError> {
        if !order.dry_run {
            self.refuse_outside_cluster()?;
        }
        let _lock = self.lock_imports();
        let mut pruning = self.begin_pruning()?;
        // Events that arrive from now on are kept.
        let now = now_micros();
        let until = order.until.map_or(now, |until| until.min(now));
        if !order.dry_run && self.retention().unfinished().next().is_some() {
            self.finish_locked(&mut pruning, append, stop, progress)?;
        }
        let snapshot = self.snapshot();
        snapshot.wait_for_index(|_| ())?;
        self.check_readable(snapshot.last_seq())?;
        let mut order = order.clone();
        if order.unknown {
            // It may repeat erasures: already erased events are left out.
            let retention = self.retention();
            let is_new = |profile: &u64| !retention.erases(*profile, until);
            order.profiles.retain(is_new);
        }
        let mut plan = Plan::find(&snapshot, &order, until, stop, progress)?;
        if !order.still_present {
            let present = plan.still_present(&snapshot)?;
            if !present.is_empty() {
                return Err(EraseError::StillPresent(present));
            }
        }
        if !order.unknown {
            plan.forget_unknown();
        }
        let mut lines = plan.lines(self, order.dry_run);
        if order.dry_run || lines.is_empty() {
            return Ok(lines);
        }
        let present = self.retention();
        let next = match plan.has_baselines() {
            true => self.baselines_without(&present, &order.profiles, until)?,
            false => present.pruned,
        };
        self.commit_erasures(&mut pruning, &present, next, plan.into_erasures())?;
        drop((snapshot, present));
        self.finish_locked(&mut pruning, append, stop, progress)?;
        // With the events that were appended after the plan.
        let retention = self.retention();
        let mut cursor = self.events.cursor();
        for line in &mut lines {
            let mut erasures = retention.erasures.iter();
            let id = (line.profile, line.until);
            let Some(done) = erasures.find(|own| own.id() == id) else {
                continue;
            };
            line.events = done.events;
            line.receipt = done.receipt;
            let record = line.receipt.and_then(|receipt| cursor.get(receipt).ok());
            if let Some(Control::Erased(erasure)) = record.and_then(Control::decode) {
                line.subprofiles = erasure.subprofiles;
            }
        }
        Ok(lines)
    }

    /// Erases here what another node of the cluster has erased, as its control record in the
    /// log says. Returns whether it was not erased yet.
    pub fn repeat_erasure(
        &self,
        erasure: &Erasure,
        append: Append<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<bool, EraseError> {
        let _lock = self.lock_imports();
        let mut pruning = self.begin_pruning()?;
        let present = self.retention();
        let mut erasures = present.erasures.iter();
        if erasures.any(|own| own.id() == erasure.id()) {
            return Ok(false);
        }
        let profiles = BTreeSet::from([erasure.profile]);
        let next = self.baselines_without(&present, &profiles, erasure.until)?;
        let own = Erasure {
            receipt: None,
            ..erasure.clone()
        };
        self.commit_erasures(&mut pruning, &present, next, [own])?;
        drop(present);
        self.finish_locked(&mut pruning, append, stop, &mut |_, _| ())?;
        Ok(true)
    }

    /// Commits more erasures: from here on every answer hides their events. `next` are the
    /// bounds of the baselines without theirs.
    fn commit_erasures(
        &self,
        pruning: &mut Pruning,
        present: &Arc<Retention>,
        next: Option<Pruned>,
        added: impl IntoIterator<Item = Erasure>,
    ) -> Result<(), PruneError> {
        let mut in_index = present.in_index.clone();
        let mut erasures = present.erasures.clone();
        for erasure in added {
            erasure.each_seq().for_each(|seq| in_index.insert(seq));
            erasures.push(erasure);
        }
        self.put_in_place(pruning, present, (next, erasures), in_index)
    }

    /// Continues an interrupted erasure or removal, if any.
    pub fn finish_erasure(
        &self,
        append: Append<'_>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Removed, EraseError> {
        let erasing = self.retention().unfinished().next().is_some();
        let is_due = erasing || self.removal_due.load(Ordering::Acquire);
        let pruning = is_due.then(|| self.pruning.try_lock()).flatten();
        let Some(mut pruning) = pruning.filter(|pruning| !pruning.uncertain) else {
            return Ok(Removed::default());
        };
        if erasing {
            self.finish_locked(&mut pruning, append, stop, &mut |_, _| ())
        } else if pruning.is_settled() {
            Ok(self.remove_hidden(stop, &mut |_, _| ())?)
        } else {
            Ok(Removed::default())
        }
    }

    /// Does what follows the commit of an erasure. Ends without having done all of it if
    /// answers that began before are still given.
    fn finish_locked(
        &self,
        pruning: &mut Pruning,
        append: Append<'_>,
        stop: &dyn Fn() -> bool,
        progress: &mut dyn FnMut(u64, u64),
    ) -> Result<Removed, EraseError> {
        if !pruning.settle(stop) {
            return Ok(Removed::default());
        }
        // Not again after waiting only for a repair: each time makes files.
        loop {
            let generation = self.retention().generation();
            if pruning.closed_for == generation {
                break;
            }
            append_one(append, Arrival::CloseSegments)?;
            pruning.closed_for = generation;
            // Its additions may be in segments that were opened since.
            if self.add_late(pruning)? && !pruning.settle(stop) {
                return Ok(Removed::default());
            }
        }
        let removed = self.remove_hidden(stop, progress)?;
        if !removed.damage.is_empty() {
            self.removal_due.store(true, Ordering::Release);
            return Err(EraseError::Damaged(removed.damage));
        }
        let present = self.retention();
        let receipts = self.receipts(&present, append)?;
        let mut erasures = present.erasures.clone();
        let mut salts = self.prover.salt_tree();
        for erasure in erasures
            .iter_mut()
            .filter(|erasure| erasure.receipt.is_none())
        {
            erasure.receipt = receipts.get(&erasure.id()).copied();
            salts = salts.without(erasure.each_seq());
            (erasure.seqs, erasure.rejected) = (Vec::new(), Vec::new());
            erasure.subprofiles = Vec::new();
        }
        // Nothing needs these salts any more: the leaves are in the tombstones.
        self.prover.set_salt_tree(salts);
        let in_index = present.in_index.clone();
        self.put_in_place(pruning, &present, (present.pruned, erasures), in_index)?;
        self.removal_due.store(false, Ordering::Release);
        Ok(removed)
    }

    /// The control records that the log has since the erasures under way were planned, by
    /// profile and moment.
    fn recorded(&self, retention: &Retention) -> Result<BTreeMap<(u64, i64), u64>, LogError> {
        let planned = retention.unfinished().map(Erasure::last_seq).min();
        let mut found = BTreeMap::new();
        // One was appended if the process died after that.
        let mut scan = self.events.scan(planned.unwrap_or(0) + 1);
        while let Some(records) = scan.next_records(|_| ())? {
            for (seq, record) in records {
                if let Some(Control::Erased(erasure)) = Control::decode(record) {
                    found.insert(erasure.id(), seq);
                }
            }
        }
        Ok(found)
    }

    /// The control records of the erasures under way, by profile and moment; those that
    /// the log lacks are appended.
    fn receipts(
        &self,
        retention: &Retention,
        append: Append<'_>,
    ) -> Result<BTreeMap<(u64, i64), u64>, EraseError> {
        let mut found = self.recorded(retention)?;
        for erasure in retention.unfinished() {
            if found.contains_key(&erasure.id()) {
                continue;
            }
            let record = Control::Erased(erasure.clone()).encode();
            let record = record.map_err(|error| EraseError::Append(error.to_string()))?;
            found.insert(erasure.id(), append_one(append, Arrival::Control(record))?);
        }
        Ok(found)
    }

    /// Writes the baselines again without those of some profiles up to a moment.
    fn baselines_without(
        &self,
        present: &Retention,
        profiles: &BTreeSet<u64>,
        until: i64,
    ) -> Result<Option<Pruned>, EraseError> {
        let (Some(baselines), Some(pruned)) = (&present.baselines, present.pruned) else {
            return Ok(present.pruned);
        };
        let folder = self.folder();
        let dir = folder.baselines();
        let storage = Arc::new(RealDisk);
        let mut writer = BaselineWriter::new(storage, &dir, folder.log_id, Some(&pruned))?;
        let mut walk = baselines.walk();
        while let Some(kept) = walk.step()? {
            if !profiles.contains(&kept.key.profile) || !is_before(&kept.baseline, until) {
                writer.add(&kept).map_err(PruneError::from)?;
            }
        }
        Ok(Some(writer.finish(pruned).map_err(PruneError::from)?))
    }

    /// Adds to the erasures under way what arrived in time, but was appended after they had
    /// been planned, and commits that.
    fn add_late(&self, pruning: &mut Pruning) -> Result<bool, EraseError> {
        let present = self.retention();
        let Some(planned) = present.unfinished().map(Erasure::last_seq).min() else {
            return Ok(false);
        };
        let recorded = self.recorded(&present)?;
        let mut erasures = present.erasures.clone();
        let mut in_index = present.in_index.clone();
        let mut is_late = false;
        let mut scan = self.events.scan(planned + 1);
        while let Some(records) = scan.next_records(|_| ())? {
            for (seq, record) in records {
                let Ok(head) = EventHead::decode(record) else {
                    continue;
                };
                // What a control record says was erased is all.
                let is_open =
                    |own: &&mut Erasure| own.receipt.is_none() && !recorded.contains_key(&own.id());
                let under_way = erasures.iter_mut().filter(is_open);
                let mut own = under_way.filter(|own| own.profile == head.profile);
                if let Some(erasure) = own.find(|own| head.received <= own.until)
                    && erasure.last_seq() < seq
                {
                    erasure.push(seq);
                    if let Some(own) = head.subprofile
                        && let Err(place) = erasure.subprofiles.binary_search(&own)
                    {
                        erasure.subprofiles.insert(place, own);
                    }
                    in_index.insert(seq);
                    is_late = true;
                }
            }
        }
        if is_late {
            let next = (present.pruned, erasures);
            self.put_in_place(pruning, &present, next, in_index)?;
        }
        Ok(is_late)
    }

    /// The erasures with what they erased: those under way, and the receipts of the others,
    /// as far as these can be read.
    fn erasures(&self) -> Result<Vec<Erasure>, LogError> {
        let retention = self.retention();
        let mut erasures: Vec<Erasure> = retention.unfinished().cloned().collect();
        let mut cursor = self.events.cursor();
        for receipt in retention.erasures.iter().filter_map(|of| of.receipt) {
            match cursor.get(receipt).map(Control::decode) {
                Ok(Some(Control::Erased(mut erasure))) => {
                    erasure.receipt = Some(receipt);
                    erasures.push(erasure.up_to(receipt));
                }
                Ok(None) | Err(LogError::Damaged { .. } | LogError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(erasures)
    }

    /// The `seq` of the control record of the last erasure; 0 without one.
    pub fn last_receipt(&self) -> u64 {
        let retention = self.retention();
        let receipts = retention.erasures.iter().filter_map(|of| of.receipt);
        receipts.max().unwrap_or(0)
    }

    /// The erasure that removed an event, if one did.
    pub fn erasure_of(&self, seq: u64) -> Result<Option<Erasure>, LogError> {
        let mut erasures = self.erasures()?.into_iter();
        Ok(erasures.find(|erasure| erasure.contains(seq)))
    }

    /// The events that were erased.
    pub fn erased_events(&self) -> Result<SeqSet, LogError> {
        let mut erased = SeqSet::default();
        for erasure in self.erasures()? {
            erasure.each_seq().for_each(|seq| erased.insert(seq));
        }
        Ok(erased)
    }
}

impl EraseOrder {
    /// The order to repeat an erasure up to a moment in Unix microseconds, of which nothing
    /// may be there.
    pub fn again(profile: u64, until: i64, reason: String) -> Self {
        Self {
            profiles: BTreeSet::from([profile]),
            until: Some(until),
            reason,
            still_present: true,
            unknown: true,
            dry_run: false,
        }
    }

    /// Adds an order; those that differ in their profiles alone become one.
    pub fn add(orders: &mut Vec<Self>, order: Self) {
        match orders.last_mut() {
            Some(last) if (last.until, &last.reason) == (order.until, &order.reason) => {
                last.profiles.extend(order.profiles);
            }
            _ => orders.push(order),
        }
    }
}

/// Appends one arrival and returns its number.
fn append_one(append: Append<'_>, arrival: Arrival) -> Result<u64, EraseError> {
    match append(vec![arrival]).pop() {
        Some(Outcome::Kept(seq)) => Ok(seq),
        Some(Outcome::Unavailable(why)) => Err(EraseError::Append(why)),
        Some(Outcome::Rejected(_, error)) => Err(EraseError::Append(error.to_string())),
        None => Err(EraseError::Append("nothing was appended".to_owned())),
    }
}

/// Whether a baseline is of events up to a moment in Unix microseconds.
const fn is_before(baseline: &Baseline, until: i64) -> bool {
    baseline.place.time <= until.div_euclid(1_000_000)
}

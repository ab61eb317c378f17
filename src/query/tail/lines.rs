//! Makes the lines of given events, in any order of arrival.
//!
//! Sorted by (sub)profile and time, the state before each event is read (mostly
//! from one event), all in one pass through the log.

use crate::event::{Event, ProfileKey};
use crate::history::Replay;
use crate::query::answer::QueryError;
use crate::query::filter::Filter;
use crate::query::lines::HistoryLine;
use crate::query::replay::{ReplayVisitor, Replayer, Step, Track};
use crate::store::{Damages, Snapshot};

/// The maximum gap, in events, between two events of a (sub)profile that is
/// replayed; beyond it the state is read again.
const BETWEEN: usize = 16;

/// How many bytes of records are read ahead.
const AHEAD: usize = 2 << 20;

/// The data of an event before its body is read.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub key: ProfileKey,
    pub time: i64,
    pub seq: u64,
    /// Whether its own line is requested.
    pub is_wanted: bool,
    /// Whether it is a profile's delete and the lines of the subprofiles that it
    /// ends are requested.
    pub cascades: bool,
}

/// A line with the `seq` of its event and the subprofile it concerns, by which
/// lines are ordered.
pub(super) type Placed = (u64, Option<u64>, Vec<u8>);

/// The lines of the matching events, unordered.
pub(super) fn lines(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    mut heads: Vec<Head>,
    damage: &mut Damages,
) -> Result<Vec<Placed>, QueryError> {
    let mut lines = Vec::new();
    for head in heads.clone().iter().filter(|head| head.cascades) {
        // The delete is an event of each subprofile that it may end, too.
        for key in snapshot.subprofiles(head.key.profile) {
            let key = key?;
            let ended = filter.matches_key(key).then(|| Head {
                key,
                is_wanted: true,
                ..head.clone()
            });
            heads.extend(ended);
        }
    }
    heads.retain(|head| head.is_wanted);
    if heads.is_empty() {
        return Ok(lines);
    }
    heads.sort_unstable_by_key(|head| (head.key, head.time, head.seq));
    let mut keys: Vec<ProfileKey> = heads.iter().map(|head| head.key).collect();
    keys.dedup();
    let heads_of = |key| {
        let begin = heads.partition_point(|head| head.key < key);
        let end = heads.partition_point(|head| head.key <= key);
        heads.get(begin..end).unwrap_or_default()
    };
    let span_of = |key| seconds_of(heads_of(key));
    let mut replayer = Replayer::new(snapshot, filter.cascades()).holding(AHEAD);
    replayer.each_track(&keys, span_of, damage, |replayer, track, damage| {
        for heads in runs(track, heads_of(track.key)) {
            track.seconds = seconds_of(heads);
            if !track.is_idle() {
                let lines = &mut lines;
                let mut visitor = TailVisitor {
                    filter,
                    heads,
                    lines,
                };
                replayer.changes_of(track, damage, &mut visitor)?;
            }
        }
        Ok(())
    })?;
    Ok(lines)
}

/// The heads of a (sub)profile in runs that are replayed together.
fn runs<'h>(track: &Track, heads: &'h [Head]) -> Vec<&'h [Head]> {
    let are_near = |a: &Head, b: &Head| {
        let up_to = track.events.up_to(b.time.saturating_sub(1));
        let after = up_to.partition_point(|(time, _)| *time <= a.time);
        up_to.len() - after <= BETWEEN
    };
    heads.chunk_by(are_near).collect()
}

/// The first and the last second of some heads.
fn seconds_of(heads: &[Head]) -> (i64, i64) {
    let first = heads.first().map_or(i64::MIN, |head| head.time);
    (first, heads.last().map_or(first, |head| head.time))
}

/// Makes the lines of some events of one (sub)profile.
struct TailVisitor<'v> {
    filter: &'v Filter,
    heads: &'v [Head],
    lines: &'v mut Vec<Placed>,
}

impl ReplayVisitor for TailVisitor<'_> {
    fn wants(&mut self, event: &Event<'_>, _: Option<u64>, _: &Replay<'_>) -> bool {
        let place = (event.time, event.seq);
        let head = self
            .heads
            .binary_search_by_key(&place, |head| (head.time, head.seq));
        // A profile's delete was found without the subprofile's database and collection.
        head.is_ok() && self.filter.matches_event(event)
    }

    fn wants_duplicates(&self) -> bool {
        true
    }

    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        let duplicate_of = step.duplicate_of;
        let Some(event) = step.event else {
            return Ok(true);
        };
        let mut changes = step.changes;
        changes.retain(|change| self.filter.matches_change(change));
        if !changes.is_empty() || !self.filter.needs_changes() {
            let line = HistoryLine::new(event, changes, duplicate_of);
            let mut line = serde_json::to_vec(&line)?;
            line.push(b'\n');
            self.lines.push((event.seq, event.key.subprofile, line));
        }
        Ok(true)
    }
}

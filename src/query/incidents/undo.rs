//! Selects the values of an incident that can be restored to their earlier ones.
//!
//! The first old and the last new value of each (sub)profile in the incident are
//! sorted by its number, on disk if there are many; then its current value is
//! looked up, as `show --cascade` returns it. A value is restored only if it is
//! still the one the incident left, and the earlier value is known.

use super::counts::Group;
use super::lines::{SkipReason, UndoLine};
use crate::event::{Event, ProfileKey, now_seconds, seconds_to_rfc3339};
use crate::history::{Change, Value, is_full_state};
use crate::query::answer::{Lines, QueryError};
use crate::query::changes::{ChangeVisitor, visit_changes};
use crate::query::filter::Filter;
use crate::query::replay::Replayer;
use crate::store::{Snapshot, Sorter};

/// The effect of an incident on the (sub)profiles of one thread.
struct AffectedValues<'g> {
    group: &'g Group,
    found: Vec<UndoLine<'static>>,
}

impl ChangeVisitor for AffectedValues<'_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        if !self.group.is_of(event) {
            return Ok(true);
        }
        let own = |change: &&Change<'_>| change.subject == self.group.subject;
        let Some(change) = changes.iter().find(own) else {
            return Ok(true);
        };
        let bad = change.new.to_owned();
        let (seq, time) = (event.seq, seconds_to_rfc3339(event.time));
        match self.found.last_mut() {
            Some(line) if line.who == event.key => {
                line.bad = bad;
                line.seq = seq;
                line.time = time;
            }
            _ => self.found.push(UndoLine {
                who: event.key,
                subject: change.subject.to_owned(),
                old: change.old.as_ref().map(Value::to_owned),
                bad,
                now: None,
                seq,
                time,
                left: None,
            }),
        }
        Ok(true)
    }
}

/// Writes a line for each (sub)profile that these changes affected, in order of
/// their numbers.
pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    group: &Group,
    lines: &mut Lines<'_>,
) -> Result<(), QueryError> {
    let mut sorter = Sorter::new(snapshot.trail().folder().path());
    let make = || AffectedValues {
        group,
        found: Vec::new(),
    };
    visit_changes(snapshot, filter, lines, &make, &mut |affected| {
        for line in affected.found {
            sorter.push(line.who, &serde_json::to_vec(&line)?)?;
        }
        Ok(())
    })?;
    let at = now_seconds();
    let mut replayer = Replayer::new(snapshot, true);
    sorter.finish(|key: ProfileKey, blob| {
        let mut line: UndoLine<'_> = serde_json::from_slice(blob)?;
        let events = snapshot.events_of(key)?;
        let damage = &mut lines.damage;
        let replay = replayer.state_at(key, &events, at, damage, is_full_state)?;
        // Without one it was deleted.
        let state = replay.known.state();
        line.now = state.map(|state| state.value_of(&group.subject));
        line.left = skip_reason(&line);
        Ok(lines.put(&line)?)
    })
}

/// Why a value is not restored, if it is not.
fn skip_reason(line: &UndoLine<'_>) -> Option<SkipReason> {
    match (&line.old, &line.now) {
        (_, None) => Some(SkipReason::Deleted),
        (_, Some(now)) if *now != line.bad => Some(SkipReason::ChangedSince),
        (None, _) => Some(SkipReason::OldUnknown),
        (Some(Value::Absent), _) => Some(SkipReason::WasAbsent),
        (Some(old), _) if *old == line.bad => Some(SkipReason::SameAsBefore),
        (Some(Value::Text(old)), _) if old.contains('\u{fffd}') => Some(SkipReason::OldDamaged),
        _ => None,
    }
}

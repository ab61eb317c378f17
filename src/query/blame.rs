//! `blame`: the last change of every field and interest that is present.

use super::answer::{Lines, QueryError, now};
use super::lines::BlameLine;
use super::replay::{ReplayVisitor, Replayer, Step, What};
use super::request::BlameQuery;
use crate::history::{Blame, Replay};
use crate::store::{Damages, Snapshot};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &BlameQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let at = query.at.unwrap_or_else(now);
    let events = snapshot.events_of(query.key)?;
    lines.note_pruned(query.key, events.baseline_time(), Some(at));
    let mut replayer = Replayer::new(snapshot, query.cascade);
    replayer.note_pruned_deletes(query.key, at, lines)?;
    let mut damage = Damages::default();
    let track = replayer.track(query.key, events, (i64::MIN, at), &mut damage)?;
    let blame = Blame::default();
    let mut visitor = BlameVisitor { blame, lines };
    replayer.changes_of(&track, &mut damage, &mut visitor)?;
    lines.damage.extend(damage);
    Ok(lines.written > 0)
}

/// Collects the last changes and writes them at the end.
struct BlameVisitor<'l, 'o> {
    blame: Blame<'static>,
    lines: &'l mut Lines<'o>,
}

impl ReplayVisitor for BlameVisitor<'_, '_> {
    fn visit(&mut self, step: Step<'_, '_>) -> Result<bool, QueryError> {
        // After a cascade everything is new, so its own changes blame nothing.
        if let What::Event(event) = step.what {
            self.blame.step(event, step.changes);
        }
        Ok(true)
    }

    fn finish(&mut self, replay: &Replay<'_>) -> Result<bool, QueryError> {
        if let Some(state) = replay.known.state() {
            for row in std::mem::take(&mut self.blame).rows(state, replay.baseline) {
                self.lines.put(&BlameLine::from(row))?;
            }
        }
        Ok(true)
    }
}

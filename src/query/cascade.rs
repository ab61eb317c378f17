//! The deletes of a profile, which end its subprofiles. Absence of the profile from
//! an export counts as a delete ([`cascade_candidates`]).
//!
//! The index does not know event types: the heads of the profile's events are read
//! backwards from the latest, only as far as needed, each once. The times of its
//! events and the positions of its deletes are held, so all of its subprofiles
//! share one [`ProfileDeletes`].
//!
//! If events of a profile were pruned, its baseline records whether it was deleted after
//! the last of them, and the position of that event represents the delete. Two things are
//! unknown then: a delete that was pruned together with a later event that recreated the
//! profile; and, if only other events (`click`, …) were pruned after the delete, whether
//! an event of a subprofile between them came before it.

use std::collections::HashMap;

use crate::event::{Content, Event, ProfileKey};
use crate::history::{CascadeDelete, Known, Place, Replay, cascade_candidates};
use crate::log::LogError;
use crate::query::answer::QueryError;
use crate::store::{Batch, Damages, EventReader, EventsOf, Snapshot, order_second};

/// How many heads are read ahead.
const WINDOW: usize = 4096;

pub(super) struct ProfileDeletes {
    pub profile: u64,
    pub events: EventsOf,
    /// The index in the events' times from which on the heads were read.
    read_from: usize,
    /// The deletes among those, without duplicates, in order.
    deletes: Vec<Place>,
}

impl ProfileDeletes {
    /// The deletes of a profile up to and including a second.
    pub fn of(snapshot: &Snapshot<'_>, profile: u64, until: i64) -> Result<Self, QueryError> {
        let mut events = snapshot.events_of(ProfileKey::profile(profile))?;
        let end = events.up_to(until).len();
        events.times.truncate(end);
        Ok(Self::new(profile, events))
    }

    /// The deletes among a profile's events.
    pub fn new(profile: u64, events: EventsOf) -> Self {
        Self {
            profile,
            read_from: events.times.len(),
            deletes: Vec::new(),
            events,
        }
    }

    /// The deletes from one second to another, both inclusive, at which a subprofile with
    /// these events may be present. Reads from `held` if possible.
    pub fn between(
        &mut self,
        span: (i64, i64),
        subprofile: &EventsOf,
        held: &Batch,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<Vec<CascadeDelete>, LogError> {
        let first = subprofile.times.first().map(|(time, _)| *time);
        let Some(first) = subprofile.baseline_time().into_iter().chain(first).min() else {
            return Ok(Vec::new());
        };
        let (from, to) = (span.0.max(first), span.1);
        if from > to {
            return Ok(Vec::new());
        }
        self.read_back(from, held, reader, damage)?;
        let begin = self.deletes.partition_point(|place| place.time < from);
        let end = self.deletes.partition_point(|place| place.time <= to);
        let deletes = self.deletes.get(begin..end).unwrap_or_default();
        // The position of the last pruned event represents a pruned delete.
        let baseline = self.events.baseline.as_ref();
        let pruned = baseline.filter(|last| matches!(last.known, Known::Deleted { .. }));
        let pruned = pruned.map(|last| last.place);
        let pruned = pruned.filter(|place| (from..=to).contains(&place.time));
        if deletes.is_empty() && pruned.is_none() {
            return Ok(Vec::new());
        }
        let times = subprofile.up_to(to);
        // Of the earlier events, only the last second matters.
        let before = times.partition_point(|(time, _)| *time < from);
        let times = times.get(before.saturating_sub(1)..).unwrap_or_default();
        let baseline = subprofile.baseline.as_ref();
        Ok(cascade_candidates(deletes, pruned, times, baseline))
    }

    /// Reads the heads of events from a second on that were not read yet.
    fn read_back(
        &mut self,
        from: i64,
        held: &Batch,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<(), LogError> {
        let times = &self.events.times;
        let begin = times.partition_point(|(time, _)| *time < from);
        let mut unread = times.get(begin..self.read_from).unwrap_or_default();
        let mut found = Vec::new();
        // How many of the next records were read ahead.
        let mut ahead = 0_usize;
        while let Some((time, first)) = unread.first() {
            if ahead == 0 && held.get(*first).is_none() {
                let window = unread.iter().take(WINDOW);
                reader.read_ahead(window.map(|(_, seq)| *seq).collect());
                ahead = WINDOW;
            }
            let (second, later) = unread.split_at(unread.partition_point(|pair| pair.0 <= *time));
            unread = later;
            ahead = ahead.saturating_sub(second.len());
            let mut deletes = Vec::new();
            let mut ranks = HashMap::new();
            for (time, seq) in second {
                let end = reader.record_of(held, *seq, |record| Ok(record.head.end()));
                if let Some(end) = damage.readable(end)?.flatten() {
                    deletes.push((*time, *seq));
                    ranks.insert(*seq, end.rank());
                }
            }
            let baseline = self.events.baseline.as_ref();
            for (seq, duplicate_of) in order_second(&deletes, baseline, held, reader, damage)? {
                if let (Some(rank), None) = (ranks.remove(&seq), duplicate_of) {
                    let time = *time;
                    found.push(Place { time, rank, seq });
                }
            }
        }
        self.read_from = self.read_from.min(begin);
        self.deletes.splice(..0, found);
        Ok(())
    }
}

/// Reads the delete of a profile that ended subprofiles; mostly the same for many.
#[derive(Default)]
pub(super) struct DeleteReader {
    last: Option<Event<'static>>,
}

impl DeleteReader {
    /// A profile's delete as an event of a subprofile that it ended: without the
    /// call's data on the profile, and with database and collection as last named
    /// if it names none. `None` if it was pruned or is unreadable.
    pub fn event(
        &mut self,
        delete: CascadeDelete,
        subprofile: ProfileKey,
        replay: &Replay<'_>,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<Option<Event<'static>>, LogError> {
        let seq = delete.place.seq;
        if delete.pruned {
            return Ok(None);
        }
        if self.last.as_ref().is_none_or(|last| last.seq != seq) {
            let Some(event) = damage.readable(reader.event(seq))? else {
                return Ok(None);
            };
            self.last = Some(Event {
                content: Content::default(),
                ..event
            });
        }
        Ok(self.last.clone().map(|delete| Event {
            key: subprofile,
            database: delete.database.or(replay.database),
            collection: replay.collection,
            ..delete
        }))
    }
}

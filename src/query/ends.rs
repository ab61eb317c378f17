//! The deletes of a profile, which end its subprofiles; that an export was seen
//! not to have the profile is one of them ([`ends_of`]).
//!
//! The index tells no types: the heads of the profile's events are read, from
//! the latest backwards, as far as anybody has asked, and each once. Held are
//! its events' times and the places of its deletes; so all of its subprofiles
//! share one [`Ends`].
//!
//! Where a profile's events were pruned, its baseline tells whether it was
//! deleted when the last of them had come, and the place of that one stands for
//! the delete. What is not known: a delete that was pruned together with a later
//! event that made the profile anew; and, where only other events (`click`, …)
//! were pruned after the delete, whether an event of a subprofile between them
//! came before it.

use std::collections::VecDeque;

use super::answer::{Lines, QueryError};
use crate::event::{Content, Event, ProfileKey};
use crate::history::{End, Known, Place, Replay, ends_of};
use crate::log::LogError;
use crate::log::record::EventHead;
use crate::store::{
    Batch, Damages, EventReader, EventsOf, GoneSeconds, Missing, Snapshot, Unreadable,
    arrange_second,
};

/// How many heads are read ahead at first, …
const FIRST_WINDOW: usize = 64;

/// … and how many at most; each time four times as many.
const WINDOW: usize = 4096;

/// The deletes of a profile.
pub(super) struct Ends {
    profile: u64,
    events: EventsOf,
    gone: GoneSeconds,
    /// Where in the events' times those begin whose heads were read.
    read: usize,
    window: usize,
    /// Those among them that are deletes and no duplicates, in order.
    deletes: VecDeque<Place>,
}

impl Ends {
    /// The deletes of a profile up to a second and with it.
    pub fn of(snapshot: &Snapshot<'_>, profile: u64, until: i64) -> Result<Self, QueryError> {
        let mut events = snapshot.events_of(ProfileKey::profile(profile))?;
        let end = events.up_to(until).len();
        events.times.truncate(end);
        Ok(Self::new(profile, events))
    }

    /// Those that end a subprofile up to a second and with it, where it is one
    /// and they are asked for. Takes note of what is not known of them.
    pub fn asked(
        snapshot: &Snapshot<'_>,
        key: ProfileKey,
        cascade: bool,
        until: i64,
        lines: &mut Lines<'_>,
    ) -> Result<Option<Self>, QueryError> {
        if !cascade || key.subprofile.is_none() {
            return Ok(None);
        }
        let ends = Self::of(snapshot, key.profile, until)?;
        let profile = ProfileKey::profile(key.profile);
        lines.note_pruned(profile, ends.events.baseline_time(), None);
        Ok(Some(ends))
    }

    /// Those of a profile's events.
    pub fn new(profile: u64, events: EventsOf) -> Self {
        let baseline = events.baseline.as_ref();
        Self {
            profile,
            gone: GoneSeconds::of(baseline.map(|baseline| (0, baseline))),
            read: events.times.len(),
            window: FIRST_WINDOW,
            deletes: VecDeque::new(),
            events,
        }
    }

    /// Whose deletes they are.
    pub const fn profile(&self) -> u64 {
        self.profile
    }

    /// The place that stands for a pruned delete.
    fn pruned(&self) -> Option<Place> {
        let baseline = self.events.baseline.as_ref();
        let deleted = baseline.filter(|baseline| matches!(baseline.known, Known::Deleted { .. }));
        deleted.map(|baseline| baseline.place)
    }

    /// The ends between two seconds, and in them, that may find a subprofile
    /// present which has these events. Reads from what was `held` where it is
    /// there.
    pub fn between(
        &mut self,
        span: (i64, i64),
        subprofile: &EventsOf,
        held: &Batch,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<Vec<End>, LogError> {
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
        let pruned = self.pruned();
        let deletes = self.deletes.make_contiguous();
        let deletes = deletes.get(begin..end).unwrap_or_default();
        let pruned = pruned.filter(|place| (from..=to).contains(&place.time));
        if deletes.is_empty() && pruned.is_none() {
            return Ok(Vec::new());
        }
        let times = subprofile.up_to(to);
        // Of the events before, only the last second matters.
        let before = times.partition_point(|(time, _)| *time < from);
        let times = times.get(before.saturating_sub(1)..).unwrap_or_default();
        Ok(ends_of(
            deletes,
            pruned,
            times,
            subprofile.baseline.as_ref(),
        ))
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
        let wanted = times.partition_point(|(time, _)| *time < from);
        // What stands before this place was not read ahead.
        let mut ahead = self.read;
        while self.read > wanted {
            let before = times.get(..self.read).unwrap_or_default();
            let Some((time, last)) = before.last().copied() else {
                break;
            };
            if self.read <= ahead && held.get(last).is_none() {
                ahead = self.read.saturating_sub(self.window).max(wanted);
                let window = before.iter().skip(ahead);
                reader.read_ahead(window.map(|(_, seq)| *seq).collect());
                self.window = (self.window * 4).min(WINDOW);
            }
            let begin = before.partition_point(|(earlier, _)| *earlier < time);
            let mut second = Vec::new();
            let mut ranks = Vec::new();
            for (_, seq) in before.iter().skip(begin) {
                match rank_of_end(held, reader, *seq) {
                    Ok(Some(rank)) => {
                        second.push((*seq, 0));
                        ranks.push(rank);
                    }
                    Ok(None) => {}
                    Err(unreadable) => damage.add(unreadable.into_damage()?),
                }
            }
            self.read = begin;
            if second.is_empty() {
                continue;
            }
            let gone = self.gone.at(time);
            let arranged = arrange_second(&second, gone, held, reader, damage)?;
            for (seq, duplicate_of, _) in arranged.into_iter().rev() {
                let rank = second.iter().zip(&ranks).find(|((of, _), _)| *of == seq);
                if let Some((_, rank)) = rank.filter(|_| duplicate_of.is_none()) {
                    let rank = *rank;
                    self.deletes.push_front(Place { time, rank, seq });
                }
            }
        }
        Ok(())
    }
}

/// The rank of an event, where it is a delete.
fn rank_of_end(held: &Batch, reader: &mut EventReader, seq: u64) -> Result<Option<u8>, Unreadable> {
    let rank = |head: &EventHead<'_>| head.end().map(|end| end.rank());
    match held.get(seq) {
        Some(bytes) => match EventHead::decode(bytes) {
            Ok((head, _)) => Ok(rank(&head)),
            Err(error) => Err(Unreadable::Damage(Missing::of_record(seq, error))),
        },
        None => reader.record(seq, |record| Ok(rank(&record.head))),
    }
}

/// Reads the deletes of profiles, for which their subprofiles' lines are made;
/// mostly the same for many subprofiles.
#[derive(Default)]
pub(super) struct Deletes {
    last: Option<Event<'static>>,
}

impl Deletes {
    /// What a profile's delete is to a subprofile that it has ended: an event
    /// of it, but for what the call says of the profile. What it does not name
    /// of database and collection is as last named. `None` where it cannot be
    /// read.
    pub fn of(
        &mut self,
        end: End,
        subprofile: ProfileKey,
        replay: &Replay<'_>,
        reader: &mut EventReader,
        damage: &mut Damages,
    ) -> Result<Option<Event<'static>>, LogError> {
        let seq = end.place.seq;
        if end.pruned {
            return Ok(None);
        }
        if self.last.as_ref().is_none_or(|last| last.seq != seq) {
            match reader.event(seq) {
                Ok(event) => {
                    self.last = Some(Event {
                        content: Content::default(),
                        ..event
                    });
                }
                Err(unreadable) => {
                    damage.add(unreadable.into_damage()?);
                    return Ok(None);
                }
            }
        }
        Ok(self.last.clone().map(|delete| Event {
            key: subprofile,
            database: delete.database.or(replay.database),
            collection: replay.collection,
            ..delete
        }))
    }
}

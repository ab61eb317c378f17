//! The changes of some (sub)profiles, from their events in a span.
//!
//! (Sub)profiles go to threads in groups. The records of a group, of the span
//! and of the second before it, are read in one pass in the order of the log,
//! and what was known before the span is made from the last event that tells
//! all. Of a (sub)profile with more events than a group should have, they are
//! read in windows.
//!
//! Where subprofiles end with their profile, those are told, too, that have no
//! event in the span, but whose profile was deleted in it.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::{Ending, Filter, Gather, Progress, QueryError, Stage, Take, Told};
use crate::event::{Event, ProfileKey};
use crate::history::{End, Place, Replay, tells_all};
use crate::query::ends::{Deletes, Ends};
use crate::query::parallel::in_order;
use crate::query::past::{Before, Ended, Missing, replay_after};
use crate::store::{Batch, Damages, EventReader, EventsOf, GoneSeconds, Snapshot, arrange_second};

/// How many (sub)profiles are a group at most: each group reads the blocks of
/// the span.
const GROUP: usize = 2048;

/// So many groups at least, if they have any size, give all cores work.
const GROUPS: usize = 8;

/// How many events are read at once; a body has about 1 KB.
pub(super) const WINDOW: usize = 4096;

/// Tells the changes of (sub)profiles.
pub(super) fn tell<G: Gather>(
    snapshot: &Snapshot<'_>,
    filter: &Filter,
    keys: Vec<ProfileKey>,
    make: &(impl Fn() -> G + Sync),
    take: &mut Take<'_, G>,
) -> Result<(), QueryError> {
    let all = keys.len() as u64;
    let group = (keys.len() / GROUPS).clamp(64, GROUP);
    let mut groups = keys.chunks(group).zip(1_u64..);
    in_order(
        || Ok(groups.next()),
        || Reader::new(snapshot, WINDOW),
        |reader, (keys, number): (&[ProfileKey], u64)| {
            let mut told = Told::new(make());
            reader.group(snapshot, filter, keys, &mut told)?;
            told.progress = Some(Progress {
                stage: Stage::Replaying,
                done: all.min(number * group as u64),
                all,
            });
            Ok(told)
        },
        take,
    )
}

/// The events of a (sub)profile, whose records are held.
pub(super) struct Part<'p> {
    pub key: ProfileKey,
    /// Their times and `seq`, ordered by both.
    pub times: &'p [(i64, u64)],
    /// The pruned events that they may repeat.
    pub gone: &'p GoneSeconds,
    /// What may end it.
    pub ends: Vec<End>,
}

/// Reads the events of (sub)profiles.
pub(super) struct Reader {
    /// Those of the span.
    span: EventReader,
    /// Those before it.
    earlier: EventReader,
    deletes: Deletes,
    /// How many are read at once.
    window: usize,
    /// Whether of the events before the span only those of the last second are
    /// taken, as where the index tells of no others.
    #[cfg(test)]
    pub least: bool,
}

/// A (sub)profile's events up to the span's end, and how many come before it.
struct Track {
    key: ProfileKey,
    events: EventsOf,
    before: usize,
    /// Whether the index may have earlier ones.
    cut: bool,
    /// Whether the baseline comes before the span, where there is one.
    reaches: bool,
    /// What may end it in the span.
    ends: Vec<End>,
}

impl Track {
    /// Lets the events go that come before the second before the span.
    #[cfg(test)]
    fn cut(mut self) -> Self {
        let from = self.from();
        self.events.times.drain(..from);
        self.before -= from;
        self.cut |= from > 0;
        self
    }

    /// Where the second before the span begins.
    fn from(&self) -> usize {
        let earlier = self.events.times.get(..self.before).unwrap_or_default();
        let last = earlier.last().map(|pair| pair.0);
        earlier.partition_point(|pair| Some(pair.0) < last)
    }
}

impl Reader {
    /// Tells the changes of all events of a (sub)profile, whose records are
    /// `held`, and of what may end it.
    pub fn step<'a, G: Gather>(
        &mut self,
        filter: &Filter,
        replay: &mut Replay<'a>,
        part: Part<'_>,
        held: &'a Batch,
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        let mut steps = Steps {
            filter,
            key: part.key,
            gone: part.gone,
            ends: part.ends.into_iter().peekable(),
            deletes: &mut self.deletes,
            reader: &mut self.earlier,
        };
        steps.events(replay, part.times, held, told)?;
        steps.finish(replay, told)
    }

    /// Reads what may end a subprofile.
    pub fn ends(
        &mut self,
        ends: &mut Ends,
        subprofile: &EventsOf,
        span: (i64, i64),
        held: &Batch,
        damage: &mut Damages,
    ) -> Result<Vec<End>, QueryError> {
        Ok(ends.between(span, subprofile, held, &mut self.earlier, damage)?)
    }

    /// A reader of a trail's events.
    pub fn new(snapshot: &Snapshot<'_>, window: usize) -> Self {
        Self {
            span: snapshot.reader(),
            earlier: snapshot.reader(),
            deletes: Deletes::default(),
            window,
            #[cfg(test)]
            least: false,
        }
    }

    /// Tells the changes of some (sub)profiles.
    pub fn group<G: Gather>(
        &mut self,
        snapshot: &Snapshot<'_>,
        filter: &Filter,
        keys: &[ProfileKey],
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        let (since, until) = filter.span.bounds();
        let mut waiting: Vec<Track> = Vec::new();
        // What may end those that wait, by profile.
        let mut parents: Vec<Ends> = Vec::new();
        let mut events = 0;
        let mut of = keys.iter();
        // Whether a subprofile has ended depends on all of its events.
        let from = if filter.cascades() { i64::MIN } else { since };
        snapshot.each_recent_events_of::<QueryError>(keys, (from, until), |events_of, cut| {
            let Some(key) = of.next().copied() else {
                return Ok(());
            };
            let times = &events_of.times;
            let before = times.partition_point(|(time, _)| *time < since);
            let is_in_span = before < times.len();
            let mut ends = Vec::new();
            if filter.cascades() && key.subprofile.is_some() && !events_of.is_empty() {
                let last = until.saturating_sub(1);
                if parents.last().map(Ends::profile) != Some(key.profile) {
                    parents.push(Ends::of(snapshot, key.profile, last)?);
                }
                if let Some(parent) = parents.last_mut() {
                    let (none, span) = (Batch::default(), (since, last));
                    ends = self.ends(parent, &events_of, span, &none, &mut told.damage)?;
                }
            }
            if !is_in_span && ends.is_empty() {
                return Ok(());
            }
            let track = Track {
                key,
                reaches: events_of.reaches_baseline(since.saturating_sub(1)),
                events: events_of,
                before,
                cut,
                ends,
            };
            #[cfg(test)]
            let track = match self.least && !filter.cascades() {
                true => track.cut(),
                false => track,
            };
            let count = track.events.times.len() - track.from();
            if events + count > self.window {
                self.tracks(snapshot, filter, &waiting, &mut parents, told)?;
                waiting.clear();
                // The last may have more subprofiles.
                parents.drain(..parents.len().saturating_sub(1));
                events = 0;
            }
            events += count;
            waiting.push(track);
            Ok(())
        })?;
        self.tracks(snapshot, filter, &waiting, &mut parents, told)
    }

    /// Tells the changes of (sub)profiles whose events fit into a window, or of
    /// one alone; `parents` are what may end them, in the same order.
    fn tracks<G: Gather>(
        &mut self,
        snapshot: &Snapshot<'_>,
        filter: &Filter,
        tracks: &[Track],
        parents: &mut [Ends],
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        let (window, since) = (self.window, filter.span.bounds().0);
        let seqs = tracks.iter().flat_map(|track| {
            let near = track.events.times.iter().skip(track.from());
            near.take(window).map(|(_, seq)| *seq)
        });
        self.span.read_ahead(seqs.collect());
        let mut parents = parents.iter_mut().peekable();
        for track in tracks {
            let (before, mut rest) = track.events.times.split_at(track.before);
            let baseline = track.events.baseline.as_ref();
            let gone = GoneSeconds::of(baseline.map(|baseline| (0, baseline)));
            let before = Before {
                times: before,
                baseline,
                reaches: track.reaches,
            };
            let is_subprofile = filter.cascades() && track.key.subprofile.is_some();
            while is_subprofile
                && let Some(_) = parents.next_if(|ends| ends.profile() != track.key.profile)
            {
            }
            let parent = parents.peek_mut().filter(|_| is_subprofile);
            let ended = parent.map(|ends| Ended {
                ends,
                events: &track.events,
                until: since.saturating_sub(1),
            });
            // An end's line names database and collection as last named.
            let mut missing = (!track.ends.is_empty()).then(|| Missing::new(track.key));
            let mut found = false;
            let enough = |event: &Event<'_>| {
                found = match &mut missing {
                    Some(missing) => missing.take(event),
                    None => tells_all(event),
                };
                found
            };
            let held = self.span.ahead();
            let earlier = &mut self.earlier;
            let mut damage = Damages::default();
            let mut replay = replay_after(before, ended, held, earlier, &mut damage, enough)?;
            if track.cut && !found {
                // Earlier events are needed; of those that are cut no end is asked for.
                let whole = snapshot.events_of(track.key)?;
                let before = Before::up_to(&whole, since.saturating_sub(1));
                damage = Damages::default();
                replay = replay_after(before, None, held, earlier, &mut damage, tells_all)?;
            }
            told.damage.extend(damage);
            let mut steps = Steps {
                filter,
                key: track.key,
                gone: &gone,
                ends: track.ends.clone().into_iter().peekable(),
                deletes: &mut self.deletes,
                reader: &mut self.earlier,
            };
            let mut left = self.window.saturating_sub(track.before - track.from());
            loop {
                // A second is not cut in two.
                let mut end = left.min(rest.len());
                if let Some((time, _)) = rest.get(end) {
                    let begin = rest.partition_point(|pair| pair.0 < *time);
                    let next = rest.partition_point(|pair| pair.0 <= *time);
                    end = if begin > 0 { begin } else { next };
                }
                let (part, later) = rest.split_at(end);
                rest = later;
                steps.events(&mut replay, part, self.span.ahead(), told)?;
                if rest.is_empty() {
                    break;
                }
                let kept = replay.into_owned();
                let seqs = rest.iter().take(self.window).map(|(_, seq)| *seq);
                self.span.read_ahead(seqs.collect());
                replay = kept;
                left = self.window;
            }
            steps.finish(&mut replay, told)?;
        }
        Ok(())
    }
}

/// Tells the changes of a (sub)profile, part by part.
struct Steps<'r> {
    filter: &'r Filter,
    key: ProfileKey,
    gone: &'r GoneSeconds,
    /// What may end it, as far as that was not told.
    ends: Peekable<IntoIter<End>>,
    deletes: &'r mut Deletes,
    reader: &'r mut EventReader,
}

impl Steps<'_> {
    /// Tells the changes of some events, whole seconds, and of the ends before.
    fn events<'a, G: Gather>(
        &mut self,
        replay: &mut Replay<'a>,
        times: &[(i64, u64)],
        held: &'a Batch,
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        for second in times.chunk_by(|a, b| a.0 == b.0) {
            let gone = second
                .first()
                .map_or(&[][..], |(time, _)| self.gone.at(*time));
            let second: Vec<(u64, u32)> = second.iter().map(|(_, seq)| (*seq, 0)).collect();
            let damage = &mut told.damage;
            for (seq, duplicate_of, _) in arrange_second(&second, gone, held, self.reader, damage)?
            {
                if duplicate_of.is_some() {
                    continue;
                }
                match self.reader.event_of(held, seq) {
                    Ok(event) => {
                        self.ends_before(Some(Place::of(&event)), replay, told)?;
                        told.step(self.filter, replay, &event)?;
                    }
                    Err(unreadable) => told.damage.add(unreadable.into_damage()?),
                }
            }
        }
        Ok(())
    }

    /// Tells the ends that are left.
    fn finish<G: Gather>(
        mut self,
        replay: &mut Replay<'_>,
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        self.ends_before(None, replay, told)
    }

    fn ends_before<G: Gather>(
        &mut self,
        place: Option<Place>,
        replay: &mut Replay<'_>,
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        let is_before = |end: &End| place.is_none_or(|place| end.place < place);
        while let Some(end) = self.ends.next_if(is_before) {
            let mut ending = Ending {
                key: self.key,
                deletes: self.deletes,
                reader: self.reader,
            };
            told.end(self.filter, &mut ending, replay, end)?;
        }
        Ok(())
    }
}

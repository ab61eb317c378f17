//! The changes of some (sub)profiles, from their events in a span.
//!
//! (Sub)profiles go to threads in groups. The records of a group, of the span
//! and of the second before it, are read in one pass in the order of the log,
//! and what was known before the span is made from the last event that tells
//! all. Of a (sub)profile with more events than a group should have, they are
//! read in windows.

use super::{ChangesQuery, Gather, Progress, QueryError, Stage, Take, Told};
use crate::event::ProfileKey;
use crate::history::{Replay, tells_all};
use crate::query::parallel::in_order;
use crate::query::past::{Before, replay_after};
use crate::trail::{Batch, EventReader, EventsOf, GoneSeconds, Trail, arrange_second};

/// How many (sub)profiles are a group at most: each group reads the blocks of
/// the span.
const GROUP: usize = 2048;

/// So many groups at least, if they have any size, give all cores work.
const GROUPS: usize = 8;

/// How many events are read at once; a body has about 1 KB.
pub(super) const WINDOW: usize = 4096;

/// Tells the changes of (sub)profiles.
pub(super) fn tell<G: Gather>(
    trail: &Trail,
    query: &ChangesQuery,
    keys: Vec<ProfileKey>,
    make: &(impl Fn() -> G + Sync),
    take: &mut Take<'_, G>,
) -> Result<(), QueryError> {
    let all = keys.len() as u64;
    let group = (keys.len() / GROUPS).clamp(64, GROUP);
    let mut groups = keys.chunks(group).zip(1_u64..);
    in_order(
        || Ok(groups.next()),
        || Reader::new(trail, WINDOW),
        |reader, (keys, number): (&[ProfileKey], u64)| {
            let mut told = Told::new(make());
            reader.group(trail, query, keys, &mut told)?;
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

/// A part of a (sub)profile's events, whole seconds.
#[derive(Clone, Copy)]
pub(super) struct Part<'p> {
    /// Their times and `seq`, ordered by both.
    pub times: &'p [(i64, u64)],
    /// The pruned events that they may repeat.
    pub gone: &'p GoneSeconds,
}

/// Reads the events of (sub)profiles.
pub(super) struct Reader {
    /// Those of the span.
    span: EventReader,
    /// Those before it.
    earlier: EventReader,
    /// How many are read at once.
    window: usize,
}

/// A (sub)profile's events up to the span's end, and how many come before it.
struct Track {
    events: EventsOf,
    before: usize,
    /// Whether the baseline comes before the span, where there is one.
    reaches: bool,
}

impl Track {
    /// Where the second before the span begins.
    fn from(&self) -> usize {
        let earlier = self.events.times.get(..self.before).unwrap_or_default();
        let last = earlier.last().map(|pair| pair.0);
        earlier.partition_point(|pair| Some(pair.0) < last)
    }
}

impl Reader {
    /// Tells the changes of events of a (sub)profile, whole seconds, whose
    /// records are `held`.
    pub fn step<'a, G: Gather>(
        &mut self,
        query: &ChangesQuery,
        replay: &mut Replay<'a>,
        part: Part<'_>,
        held: &'a Batch,
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        step(query, replay, part, held, &mut self.earlier, told)
    }

    /// A reader of a trail's events.
    pub fn new(trail: &Trail, window: usize) -> Self {
        Self {
            span: trail.reader(),
            earlier: trail.reader(),
            window,
        }
    }

    /// Tells the changes of some (sub)profiles.
    pub fn group<G: Gather>(
        &mut self,
        trail: &Trail,
        query: &ChangesQuery,
        keys: &[ProfileKey],
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        let (since, until) = query.span.bounds();
        let mut waiting: Vec<Track> = Vec::new();
        let mut events = 0;
        trail.each_events_of::<QueryError>(keys, |mut events_of| {
            let times = &mut events_of.times;
            times.truncate(times.partition_point(|(time, _)| *time < until));
            let before = times.partition_point(|(time, _)| *time < since);
            if before == times.len() {
                return Ok(());
            }
            let track = Track {
                reaches: events_of.reaches_baseline(since.saturating_sub(1)),
                events: events_of,
                before,
            };
            let count = track.events.times.len() - track.from();
            if events + count > self.window {
                self.tracks(query, &waiting, told)?;
                waiting.clear();
                events = 0;
            }
            events += count;
            waiting.push(track);
            Ok(())
        })?;
        self.tracks(query, &waiting, told)
    }

    /// Tells the changes of (sub)profiles whose events fit into a window, or of
    /// one alone.
    fn tracks<G: Gather>(
        &mut self,
        query: &ChangesQuery,
        tracks: &[Track],
        told: &mut Told<G>,
    ) -> Result<(), QueryError> {
        let window = self.window;
        let seqs = tracks.iter().flat_map(|track| {
            let near = track.events.times.iter().skip(track.from());
            near.take(window).map(|(_, seq)| *seq)
        });
        self.span.read_ahead(seqs.collect());
        for track in tracks {
            let (before, mut rest) = track.events.times.split_at(track.before);
            let baseline = track.events.baseline.as_ref();
            let gone = GoneSeconds::of(baseline.map(|baseline| (0, baseline)));
            let before = Before {
                times: before,
                baseline,
                reaches: track.reaches,
            };
            let held = self.span.ahead();
            let earlier = &mut self.earlier;
            let mut replay = replay_after(before, held, earlier, &mut told.damage, tells_all)?;
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
                let held = self.span.ahead();
                step(
                    query,
                    &mut replay,
                    Part {
                        times: part,
                        gone: &gone,
                    },
                    held,
                    &mut self.earlier,
                    told,
                )?;
                if rest.is_empty() {
                    break;
                }
                let kept = replay.into_owned();
                let seqs = rest.iter().take(self.window).map(|(_, seq)| *seq);
                self.span.read_ahead(seqs.collect());
                replay = kept;
                left = self.window;
            }
        }
        Ok(())
    }
}

/// Tells the changes of a part of a (sub)profile's events, whole seconds.
fn step<'a, G: Gather>(
    query: &ChangesQuery,
    replay: &mut Replay<'a>,
    part: Part<'_>,
    held: &'a Batch,
    reader: &mut EventReader,
    told: &mut Told<G>,
) -> Result<(), QueryError> {
    for second in part.times.chunk_by(|a, b| a.0 == b.0) {
        let gone = second
            .first()
            .map_or(&[][..], |(time, _)| part.gone.at(*time));
        let second: Vec<(u64, u32)> = second.iter().map(|(_, seq)| (*seq, 0)).collect();
        for (seq, duplicate_of, _) in arrange_second(&second, gone, held, reader, &mut told.damage)?
        {
            if duplicate_of.is_some() {
                continue;
            }
            match reader.event_of(held, seq) {
                Ok(event) => told.step(query, replay, &event)?,
                Err(unreadable) => told.damage.add(unreadable.into_damage()?),
            }
        }
    }
    Ok(())
}

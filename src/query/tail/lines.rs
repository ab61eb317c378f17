//! The lines of some events, in whatever order they came.
//!
//! By (sub)profile and time, what came before each event is read, mostly one
//! event, all in one pass through the log; that makes some hundred of them as
//! cheap as the same events in `changes`.

use std::io;

use crate::event::ProfileKey;
use crate::history::{Replay, tells_all};
use crate::query::answer::QueryError;
use crate::query::filter::Filter;
use crate::query::lines::HistoryLine;
use crate::query::past::{Before, replay_after};
use crate::query::second::Track;
use crate::store::{Damages, EventReader, EventsOf, GoneSeconds, Snapshot};

/// Up to so many events between two of a (sub)profile are replayed rather than
/// what came before looked for anew.
const BETWEEN: usize = 16;

/// How many (time, `seq`) pairs of (sub)profiles are held at once, about.
const PAIRS: usize = 1 << 16;

/// What is known of an event before its body is read.
#[derive(Clone, Copy)]
pub(super) struct Head {
    pub key: ProfileKey,
    pub time: i64,
    pub seq: u64,
    /// Whether its type can change anything.
    pub changes: bool,
}

/// Makes lines.
pub(super) struct Maker {
    /// Reads the events that are told, and those just before.
    near: EventReader,
    /// Reads what else came before.
    earlier: EventReader,
}

impl Maker {
    /// With the events of a trail, of which some bytes are read ahead.
    pub fn new(snapshot: &Snapshot<'_>, ahead: usize) -> Self {
        Self {
            near: snapshot.reader().holding(ahead),
            earlier: snapshot.reader().holding(ahead),
        }
    }

    /// Makes the lines of events and hands them to `each` with their `seq`, in no
    /// order.
    pub fn tell(
        &mut self,
        snapshot: &Snapshot<'_>,
        filter: &Filter,
        mut heads: Vec<Head>,
        damage: &mut Damages,
        each: &mut dyn FnMut(u64, Vec<u8>),
    ) -> Result<(), QueryError> {
        heads.sort_unstable_by_key(|head| (head.key, head.time, head.seq));
        let mut keys: Vec<ProfileKey> = heads.iter().map(|head| head.key).collect();
        keys.dedup();
        let mut groups = heads.chunk_by(|a, b| a.key == b.key);
        let mut held: Vec<(EventsOf, &[Head])> = Vec::new();
        let mut pairs = 0;
        snapshot.each_events_of::<QueryError>(&keys, |events| {
            pairs += events.times.len();
            held.extend(groups.next().map(|heads| (events, heads)));
            if pairs > PAIRS {
                self.tell_some(filter, &held, damage, each)?;
                held.clear();
                pairs = 0;
            }
            Ok(())
        })?;
        self.tell_some(filter, &held, damage, each)
    }

    /// The same of the events of some (sub)profiles.
    fn tell_some(
        &mut self,
        filter: &Filter,
        tracks: &[(EventsOf, &[Head])],
        damage: &mut Damages,
        each: &mut dyn FnMut(u64, Vec<u8>),
    ) -> Result<(), QueryError> {
        let mut seqs = Vec::new();
        for (events, heads) in tracks {
            seqs.extend(heads.iter().map(|head| head.seq));
            for second in seconds(heads) {
                // Mostly it tells all; each costs the reading of a block.
                let before = events.up_to(second.time.saturating_sub(1)).last();
                seqs.extend(before.map(|(_, seq)| *seq));
            }
        }
        self.near.read_ahead(seqs);
        for (events, heads) in tracks {
            self.tell_track(filter, events, heads, damage, each)?;
        }
        Ok(())
    }

    /// The same of some events of one (sub)profile, ordered by time and `seq`.
    fn tell_track(
        &mut self,
        filter: &Filter,
        events: &EventsOf,
        heads: &[Head],
        damage: &mut Damages,
        each: &mut dyn FnMut(u64, Vec<u8>),
    ) -> Result<(), QueryError> {
        let gone = GoneSeconds::of(events.baseline.iter().map(|baseline| (0, baseline)));
        let track = Track {
            events,
            gone: &gone,
        };
        let (held, reader) = (self.near.ahead(), &mut self.earlier);
        // What is known after the events up to a second.
        let mut known: Option<(Replay<'_>, i64)> = None;
        for Second { time, heads } in seconds(heads) {
            let up_to = time.saturating_sub(1);
            let needed = heads.iter().any(|head| head.changes);
            let mut replay = match known.take() {
                _ if !needed => Replay::default(),
                Some((mut replay, done)) if track.between(done, up_to).len() <= BETWEEN => {
                    for pairs in track.between(done, up_to).chunk_by(|a, b| a.0 == b.0) {
                        let time = pairs.first().map_or(i64::MIN, |pair| pair.0);
                        track.each(time, held, reader, damage, |event, same| {
                            if same.is_none() {
                                replay.skip(event);
                            }
                            Ok(())
                        })?;
                    }
                    replay
                }
                _ => {
                    let before = Before::up_to(events, up_to);
                    replay_after(before, None, held, reader, damage, tells_all)?
                }
            };
            track.each(time, held, reader, damage, |event, same| {
                let meant = heads.binary_search_by_key(&event.seq, |head| head.seq);
                let changes = match (same, meant.is_ok()) {
                    (None, true) => replay.step(event),
                    (None, false) => {
                        replay.skip(event);
                        return Ok(());
                    }
                    (Some(_), true) => Vec::new(),
                    (Some(_), false) => return Ok(()),
                };
                let changes = changes.into_iter();
                let changes: Vec<_> = changes
                    .filter(|change| filter.matches_change(change))
                    .collect();
                if changes.is_empty() && filter.needs_changes() {
                    return Ok(());
                }
                let line = HistoryLine::new(event, changes, same);
                let mut line = serde_json::to_vec(&line).map_err(io::Error::from)?;
                line.push(b'\n');
                each(event.seq, line);
                Ok(())
            })?;
            known = needed.then_some((replay, time));
        }
        Ok(())
    }
}

/// Those of a (sub)profile's events that are of one second.
struct Second<'h> {
    time: i64,
    heads: &'h [Head],
}

fn seconds(heads: &[Head]) -> impl Iterator<Item = Second<'_>> {
    let seconds = heads.chunk_by(|a, b| a.time == b.time);
    seconds.filter_map(|heads| {
        let time = heads.first()?.time;
        Some(Second { time, heads })
    })
}

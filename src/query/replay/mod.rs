//! The replay driver: from a (sub)profile's events to their changes.
//!
//! Every query about changes goes through [`Replayer::changes_of`]. It takes the
//! state before a span from [`crate::query::state_before`], orders the events of the span,
//! marks duplicates, and with cascade inserts the profile's deletes that end a
//! subprofile ([`crate::query::cascade`]). A [`ReplayVisitor`] receives each step with its
//! changes and the state after it.
//!
//! Records are read ahead in windows, each in one pass through the log; a window has
//! the events of several (sub)profiles, or a part of those of one. It is bounded by
//! its number of events, and by bytes through [`EventReader`]: a record that does not
//! fit is read singly when it is needed, so a (sub)profile with many large events
//! costs no more memory than any other.

mod fold;
mod track;

pub(in crate::query) use fold::{ReplayVisitor, Step};
pub(in crate::query) use track::Track;

use std::cell::RefCell;
use std::rc::Rc;

use fold::Fold;

use crate::event::{Event, ProfileKey};
use crate::history::{Replay, is_full_state};
use crate::query::answer::{Lines, QueryError};
use crate::query::cascade::{DeleteReader, ProfileDeletes};
use crate::query::filter::Span;
use crate::query::state_before::{Needed, state_before};
use crate::store::{Batch, Damages, EventReader, EventsOf, Snapshot};

/// How many events are read ahead at first.
const FIRST_WINDOW: usize = 64;

/// The maximum of a window; each window has four times as many as the previous one.
pub(in crate::query) const WINDOW: usize = 4096;

/// About how many (time, `seq`) pairs of (sub)profiles are held at once.
const PAIRS: usize = 1 << 18;

/// All of time.
pub(in crate::query) const ALWAYS: Seconds = (i64::MIN, i64::MAX);

/// The first and the last second of a span.
pub(in crate::query) type Seconds = (i64, i64);

/// The seconds of a span.
pub(in crate::query) fn seconds_of(span: &Span) -> Seconds {
    let (since, until) = span.bounds();
    (since, until.saturating_sub(1))
}

/// Replays (sub)profiles on one thread.
pub(in crate::query) struct Replayer<'t> {
    snapshot: &'t Snapshot<'t>,
    /// Whether a profile's delete ends its subprofiles.
    cascade: bool,
    /// Reads the events of a span.
    events: EventReader,
    /// Reads earlier events, and the deletes of profiles.
    earlier: EventReader,
    delete: DeleteReader,
    /// The deletes of the last profile, and the second up to which they are known.
    deletes: Option<(Rc<RefCell<ProfileDeletes>>, i64)>,
    window: usize,
}

impl<'t> Replayer<'t> {
    /// A replayer of a trail's events.
    pub fn new(snapshot: &'t Snapshot<'t>, cascade: bool) -> Self {
        Self {
            snapshot,
            cascade,
            events: snapshot.reader(),
            earlier: snapshot.reader(),
            delete: DeleteReader::default(),
            deletes: None,
            window: WINDOW,
        }
    }

    /// The same, holding about this many bytes of records in each of its two
    /// readers.
    pub fn holding(mut self, bytes: usize) -> Self {
        self.events = self.events.holding(bytes);
        self.earlier = self.earlier.holding(bytes);
        self
    }

    /// The same, reading this many events ahead.
    #[cfg(test)]
    pub const fn with_window(mut self, window: usize) -> Self {
        self.window = window;
        self
    }

    /// Adds a note if deletes of a subprofile's profile may have been pruned.
    pub fn note_pruned_deletes(
        &mut self,
        key: ProfileKey,
        until: i64,
        lines: &mut Lines<'_>,
    ) -> Result<(), QueryError> {
        if let Some(deletes) = self.deletes_of(key, until)? {
            let profile = ProfileKey::profile(key.profile);
            lines.note_pruned(profile, deletes.borrow().events.baseline_time(), None);
        }
        Ok(())
    }

    /// Sets the profile whose deletes end the tracks that follow.
    pub fn set_deletes(&mut self, deletes: ProfileDeletes) {
        self.deletes = Some((Rc::new(RefCell::new(deletes)), i64::MAX));
    }

    /// The deletes up to a second that may end a (sub)profile.
    pub fn deletes_of(
        &mut self,
        key: ProfileKey,
        until: i64,
    ) -> Result<Option<Rc<RefCell<ProfileDeletes>>>, QueryError> {
        if !self.cascade || key.subprofile.is_none() {
            return Ok(None);
        }
        if let Some((deletes, known)) = &self.deletes
            && *known >= until
            && deletes.borrow().profile == key.profile
        {
            return Ok(Some(Rc::clone(deletes)));
        }
        let deletes = ProfileDeletes::of(self.snapshot, key.profile, until)?;
        let deletes = Rc::new(RefCell::new(deletes));
        self.deletes = Some((Rc::clone(&deletes), until));
        Ok(Some(deletes))
    }

    /// The track of everything that happened to a (sub)profile in a span.
    pub fn track(
        &mut self,
        key: ProfileKey,
        events: EventsOf,
        seconds: Seconds,
        damage: &mut Damages,
    ) -> Result<Track, QueryError> {
        let deletes = match events.is_empty() {
            true => None,
            false => self.deletes_of(key, seconds.1)?,
        };
        let cascades = match &deletes {
            Some(deletes) => {
                let held = self.events.ahead();
                let mut deletes = deletes.borrow_mut();
                deletes.between(seconds, &events, held, &mut self.earlier, damage)?
            }
            None => Vec::new(),
        };
        Ok(Track {
            key,
            events,
            is_cut: false,
            seconds,
            cascades,
            deletes,
        })
    }

    /// Calls `each` with the tracks of (sub)profiles in order, each in its span, except
    /// idle ones ([`Track::is_idle`]). The records of several are read ahead together.
    pub fn each_track(
        &mut self,
        keys: &[ProfileKey],
        span_of: impl Fn(ProfileKey) -> Seconds,
        damage: &mut Damages,
        mut each: impl FnMut(&mut Self, &mut Track, &mut Damages) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        let mut waiting: Vec<Track> = Vec::new();
        let (mut near, mut pairs) = (0, 0);
        let mut rest = keys.iter();
        let spans = || keys.iter().map(|key| span_of(*key));
        let first = spans().map(|(first, _)| first).min().unwrap_or(i64::MIN);
        let last = spans().map(|(_, last)| last).max().unwrap_or(i64::MAX);
        // Whether a subprofile has ended depends on all of its events.
        let since = if self.cascade { i64::MIN } else { first };
        let snapshot = self.snapshot;
        snapshot.each_recent_events_of::<QueryError>(
            keys,
            (since, last.saturating_add(1)),
            |events, is_cut| {
                let Some(key) = rest.next() else {
                    return Ok(());
                };
                let mut track = self.track(*key, events, span_of(*key), damage)?;
                track.is_cut = is_cut;
                if track.is_idle() {
                    return Ok(());
                }
                near += track.near().count();
                pairs += track.events.times.len();
                if near > self.window || pairs > PAIRS {
                    self.each_of(&mut waiting, damage, &mut each)?;
                    near = track.near().count();
                    pairs = track.events.times.len();
                }
                waiting.push(track);
                Ok(())
            },
        )?;
        self.each_of(&mut waiting, damage, &mut each)
    }

    /// Calls `each` with tracks whose events fit into a window, or with a single one.
    fn each_of(
        &mut self,
        tracks: &mut Vec<Track>,
        damage: &mut Damages,
        each: &mut impl FnMut(&mut Self, &mut Track, &mut Damages) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        if tracks.len() > 1 {
            self.read_ahead(tracks.iter().flat_map(Track::near));
        }
        for mut track in tracks.drain(..) {
            each(self, &mut track, damage)?;
        }
        Ok(())
    }

    /// Replaces the records that were read ahead: the next tracks are replayed from
    /// these. Drops the deletes that were found in the ones before.
    pub fn hold(&mut self, records: Batch) {
        self.events.hold(records);
        self.deletes = None;
    }

    /// Reads records ahead, in one pass, for several tracks.
    pub fn read_ahead(&mut self, seqs: impl IntoIterator<Item = u64>) {
        let seqs: Vec<u64> = seqs.into_iter().take(self.window).collect();
        let count = seqs.len();
        self.events.read_ahead(seqs);
        let fitted = self.events.ahead().len();
        if fitted < count {
            // The records are large: from here on, fewer are read together.
            self.window = self.window.min(fitted.max(FIRST_WINDOW));
        }
    }

    /// The state of a (sub)profile after a second; `is_enough` is called on its
    /// events backwards until the needed data is complete.
    pub fn state_at(
        &mut self,
        key: ProfileKey,
        events: &EventsOf,
        at: i64,
        damage: &mut Damages,
        is_enough: impl FnMut(&Event<'_>) -> bool,
    ) -> Result<Replay<'static>, QueryError> {
        let deletes = self.deletes_of(key, at)?;
        let mut deletes = deletes.as_ref().map(|deletes| deletes.borrow_mut());
        let (deletes, held) = (deletes.as_deref_mut(), self.events.ahead());
        let reader = &mut self.earlier;
        let replay = state_before(events, at, deletes, held, reader, damage, is_enough)?;
        Ok(replay.into_owned())
    }

    /// Replays the events of a (sub)profile, and its profile's deletes, in the track's span,
    /// oldest first; `false` if the visitor ended it. Reads ahead records that are not held
    /// yet.
    pub fn changes_of(
        &mut self,
        track: &Track,
        damage: &mut Damages,
        visitor: &mut impl ReplayVisitor,
    ) -> Result<bool, QueryError> {
        let mut rest = track.in_span();
        let mut window = FIRST_WINDOW.min(self.window);
        read_window(&mut self.events, track.near().take(window));
        let held = self.events.ahead();
        let (mut replay, earlier) = start_of(self.snapshot, &mut self.earlier, held, track)?;
        damage.extend(earlier);
        let mut fold = Fold {
            track,
            cascades: track.cascades().to_vec().into_iter().peekable(),
            delete: &mut self.delete,
            reader: &mut self.earlier,
            damage,
            visitor,
        };
        loop {
            let (part, later) = rest.split_at(whole_seconds(rest, window));
            rest = later;
            if !fold.events(&mut replay, part, self.events.ahead())? {
                return Ok(false);
            }
            if rest.is_empty() {
                return fold.finish(&mut replay);
            }
            window = (window.saturating_mul(4)).min(self.window);
            let kept = replay.into_owned();
            read_window(
                &mut self.events,
                rest.iter().take(window).map(|(_, seq)| *seq),
            );
            replay = kept;
        }
    }
}

/// Reads events ahead, unless the first of them is held: then the others were read
/// with it.
fn read_window(reader: &mut EventReader, seqs: impl Iterator<Item = u64>) {
    let mut seqs = seqs.peekable();
    if let Some(first) = seqs.peek()
        && reader.ahead().get(*first).is_none()
    {
        reader.read_ahead(seqs.collect());
    }
}

/// The state before a track's span, and which earlier events were unreadable.
fn start_of<'a>(
    snapshot: &Snapshot<'_>,
    reader: &mut EventReader,
    held: &'a Batch,
    track: &Track,
) -> Result<(Replay<'a>, Damages), QueryError> {
    let until = track.seconds.0.saturating_sub(1);
    let mut deletes = track.deletes.as_ref().map(|deletes| deletes.borrow_mut());
    let deletes = deletes.as_deref_mut();
    // The line of a cascade has database and collection as last named.
    let mut needed = (!track.cascades().is_empty()).then(|| Needed::new(track.key));
    let mut is_found = false;
    let is_enough = |event: &Event<'_>| {
        is_found = match &mut needed {
            Some(needed) => needed.take(event),
            None => is_full_state(event),
        };
        is_found
    };
    let mut damage = Damages::default();
    let events = &track.events;
    let mut replay = state_before(events, until, deletes, held, reader, &mut damage, is_enough)?;
    if track.is_cut && !is_found {
        let whole = snapshot.events_of(track.key)?;
        damage = Damages::default();
        replay = state_before(
            &whole,
            until,
            None,
            held,
            reader,
            &mut damage,
            is_full_state,
        )?;
    }
    Ok((replay, damage))
}

/// The length of the longest prefix of some (time, `seq`) pairs, of about the given
/// length, that does not split a second.
fn whole_seconds(pairs: &[(i64, u64)], count: usize) -> usize {
    let Some((time, _)) = pairs.get(count) else {
        return pairs.len();
    };
    match pairs.partition_point(|pair| pair.0 < *time) {
        0 => pairs.partition_point(|pair| pair.0 <= *time),
        begin => begin,
    }
}

//! Every scan, and a plain replay, of the changes in a [`Store`].

use proptest::prelude::*;

use super::keyed_scan::{keys_by_heads, scan_group};
use super::*;
use crate::event::{BodyKind, ProfileKey};
use crate::history::{CascadeDelete, Known, Place};
use crate::query::replay::{Replayer, WINDOW, seconds_of};
use crate::query::tests_store::Store;
use crate::store::{Batch, Damages, order_second};

/// The times of all events are this and a few seconds after it.
pub const BEGIN: i64 = 1_760_000_000;
pub const SECONDS: i64 = 8;

impl Store {
    pub fn with(bodies: Vec<String>) -> Self {
        let mut store = Self::new();
        let bodies = bodies.into_iter().map(|body| (BodyKind::Form, body));
        store.add_bodies(bodies, 5);
        store.trail.wait_for_index(|_| ()).unwrap();
        // Blocks of closed segments know their times.
        store.trail.seal_all(|sealed, _, _| sealed.is_ok());
        store
    }

    pub fn keys(&self) -> Vec<ProfileKey> {
        let keys = self.trail.snapshot().keys(None);
        keys.collect::<Result<_, _>>().unwrap()
    }

    /// The events of a (sub)profile in their order, with the `seq` that each repeats.
    pub fn events(&self, key: ProfileKey) -> Vec<(Event<'static>, Option<u64>)> {
        let events = self.trail.snapshot().events_of(key).unwrap();
        let baseline = events.baseline.as_ref();
        let (none, mut damage) = (Batch::default(), Damages::default());
        let mut reader = self.trail.snapshot().reader();
        let mut found = Vec::new();
        for second in events.times.chunk_by(|a, b| a.0 == b.0) {
            let ordered = order_second(second, baseline, &none, &mut reader, &mut damage).unwrap();
            for (seq, duplicate_of) in ordered {
                found.push((reader.event(seq).unwrap(), duplicate_of));
            }
        }
        assert!(damage.is_empty());
        found
    }

    /// The positions of all deletes of a profile, and whether each was pruned.
    fn deletes(&self, profile: u64) -> Vec<CascadeDelete> {
        let events = self
            .trail
            .snapshot()
            .events_of(ProfileKey::profile(profile))
            .unwrap();
        let mut found = Vec::new();
        if let Some(baseline) = &events.baseline
            && let Known::Deleted { .. } = baseline.known
        {
            found.push(CascadeDelete {
                place: baseline.place,
                pruned: true,
            });
        }
        for (event, duplicate_of) in self.events(ProfileKey::profile(profile)) {
            if event.event_type.is_end() && duplicate_of.is_none() {
                found.push(CascadeDelete {
                    place: Place::of(&event),
                    pruned: false,
                });
            }
        }
        found.sort();
        found
    }

    /// The deletes that may end a (sub)profile, with cascade.
    pub fn cascades(&self, key: ProfileKey, cascade: bool) -> Vec<CascadeDelete> {
        match key.subprofile {
            Some(_) if cascade => self.deletes(key.profile),
            _ => Vec::new(),
        }
    }

    /// The changes by a plain replay of every history, from its beginning or from
    /// its baseline.
    fn replayed(&self, filter: &Filter) -> Vec<String> {
        let mut lines = Found::default();
        for key in self.keys() {
            let mut replay = self.trail.snapshot().events_of(key).unwrap().replay();
            let mut cascades = self.cascades(key, filter.cascades()).into_iter().peekable();
            for (event, duplicate_of) in self.events(key) {
                if duplicate_of.is_some() {
                    continue;
                }
                let place = Place::of(&event);
                while let Some(cascade) = cascades.next_if(|cascade| cascade.place < place) {
                    self.apply(cascade, key, &mut replay, filter, &mut lines);
                }
                let changes = replay.step(&event);
                lines.put(filter, &event, changes);
            }
            for cascade in cascades {
                self.apply(cascade, key, &mut replay, filter, &mut lines);
            }
        }
        lines.sorted()
    }

    /// Applies a profile's delete to a subprofile.
    fn apply(
        &self,
        cascade: CascadeDelete,
        key: ProfileKey,
        replay: &mut Replay<'static>,
        filter: &Filter,
        lines: &mut Found,
    ) {
        if let Some(changes) = replay.apply_cascade(cascade.place)
            && !cascade.pruned
        {
            let delete = self
                .trail
                .snapshot()
                .reader()
                .event(cascade.place.seq)
                .unwrap();
            let event = Event {
                key,
                database: delete.database.or(replay.database),
                collection: replay.collection,
                ..delete
            };
            lines.put(filter, &event, changes);
        }
    }

    /// Every scan finds the same changes as the replay.
    pub fn check(&self, filter: &Filter) -> Result<(), TestCaseError> {
        let tiny = full_scan::Bounds {
            turn: 800,
            most: 400,
            record: 1000,
        };
        let no_records = full_scan::Bounds { record: 60, ..tiny };
        let expected = self.replayed(filter);
        let keys = self.keys();
        prop_assert_eq!(&self.keyed(filter, WINDOW, &keys), &expected);
        prop_assert_eq!(&self.keyed(filter, 3, &keys), &expected);
        if !filter.cascades() {
            prop_assert_eq!(&self.cut(filter, &keys), &expected);
        }
        prop_assert_eq!(&self.keyed_by_heads(filter), &expected);
        for bounds in [full_scan::BOUNDS, tiny, no_records] {
            prop_assert_eq!(&self.full(filter, bounds)?, &expected);
        }
        Ok(())
    }

    /// The changes of (sub)profiles, read in windows of the given number of events.
    fn keyed(&self, filter: &Filter, window: usize, keys: &[ProfileKey]) -> Vec<String> {
        let snapshot = self.trail.snapshot();
        let mut replayer = Replayer::new(&snapshot, filter.cascades()).with_window(window);
        let (mut lines, mut damage) = (Found::default(), Damages::default());
        scan_group(filter, keys, &mut replayer, &mut lines, &mut damage).unwrap();
        assert!(damage.is_empty(), "{damage:?}");
        lines.sorted()
    }

    /// The same of tracks that have no more than the last second before the span.
    fn cut(&self, filter: &Filter, keys: &[ProfileKey]) -> Vec<String> {
        let snapshot = self.trail.snapshot();
        let mut replayer = Replayer::new(&snapshot, false);
        let (mut lines, mut damage) = (Found::default(), Damages::default());
        let seconds = seconds_of(&filter.span);
        for key in keys {
            let events = self.trail.snapshot().events_of(*key).unwrap();
            let mut track = |events| {
                let track = replayer.track(*key, events, seconds, &mut damage);
                track.unwrap()
            };
            let whole = track(events.clone());
            let near: Vec<u64> = whole.near().collect();
            let mut events = events;
            events.times.retain(|(_, seq)| near.contains(seq));
            let mut track = track(events);
            track.is_cut = true;
            let visitor = &mut lines;
            let mut filtered = Filtered { filter, visitor };
            replayer
                .changes_of(&track, &mut damage, &mut filtered)
                .unwrap();
        }
        assert!(damage.is_empty(), "{damage:?}");
        lines.sorted()
    }

    /// The changes of the (sub)profiles that the heads of the span's events name.
    fn keyed_by_heads(&self, filter: &Filter) -> Vec<String> {
        let (since, until) = filter.span.bounds();
        let snapshot = self.trail.snapshot();
        let walk = snapshot.walk(since, until).unwrap();
        let keys = keys_by_heads(&snapshot, walk, filter, u64::MAX);
        self.keyed(filter, WINDOW, &keys.unwrap().unwrap())
    }

    /// The changes by a full scan. One visitor gets all events of a (sub)profile, in a
    /// row and in order.
    fn full(
        &self,
        filter: &Filter,
        bounds: full_scan::Bounds,
    ) -> Result<Vec<String>, TestCaseError> {
        let mut visitors = Vec::new();
        let mut join = |visitor| {
            visitors.push(visitor);
            Ok(())
        };
        let (mut out, mut report) = (Vec::new(), |_| ());
        let mut lines = Lines::to(&mut out, None, &mut report);
        full_scan::scan(
            &self.trail.snapshot(),
            filter,
            bounds,
            &mut lines,
            &Found::default,
            &mut join,
        )
        .unwrap();
        assert!(lines.damage.is_empty(), "{:?}", lines.damage);
        let mut seen = std::collections::HashSet::new();
        let mut all = Found::default();
        for visitor in visitors {
            for own in visitor.rows.chunk_by(|a, b| a.0 == b.0) {
                prop_assert!(seen.insert(own[0].0), "{:?} comes twice", own[0].0);
                prop_assert!(own.is_sorted_by_key(|(_, time)| *time));
            }
            all.blobs.extend(visitor.blobs);
        }
        Ok(all.sorted())
    }
}

/// Lines of changes with their (sub)profiles, in the order of arrival.
#[derive(Default)]
struct Found {
    blobs: Vec<(i64, u64, Vec<u8>)>,
    rows: Vec<(ProfileKey, i64)>,
}

impl ChangeVisitor for Found {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<bool, QueryError> {
        self.rows.push((event.key, event.time));
        let mut blob = Vec::new();
        for change in changes {
            serde_json::to_writer(&mut blob, &ChangesLine::new(event, change)).unwrap();
            blob.push(b'\n');
        }
        self.blobs.push((event.time, event.seq, blob));
        Ok(true)
    }
}

impl Found {
    /// Takes the matching changes of an event.
    fn put(&mut self, filter: &Filter, event: &Event<'_>, mut changes: Vec<Change<'_>>) {
        changes.retain(|change| filter.matches_change(change));
        if filter.matches_event(event) && !changes.is_empty() {
            self.visit(event, changes).unwrap();
        }
    }

    fn sorted(mut self) -> Vec<String> {
        self.blobs.sort();
        let blobs = self.blobs.into_iter();
        blobs
            .map(|(_, _, blob)| String::from_utf8(blob).unwrap())
            .collect()
    }
}

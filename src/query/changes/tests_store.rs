//! A data folder whose changes are told in every way, and as a plain replay.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::keys::{keys_by_heads, keys_by_index};
use super::*;
use crate::event::{BodyKind, decode_envelope, zone_from_name};
use crate::history::{Known, Place};
use crate::query::{Query, answer as ask};
use crate::store::{
    Appender, Arrival, Damages, Folder, OpenOptions, ParsedCall, PruneOrder, Purpose, Trail,
};

/// The times of all events are this and a few seconds after it.
pub const BEGIN: i64 = 1_760_000_000;
pub const SECONDS: i64 = 8;

pub struct Store {
    pub trail: Arc<Trail>,
    _appender: Appender,
    _dir: tempfile::TempDir,
}

impl Store {
    pub fn with(bodies: Vec<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("data");
        Folder::make(&data).unwrap();
        let options = OpenOptions {
            purpose: Purpose::Append {
                server: false,
                segment_size: 1024,
            },
            cache: 1 << 20,
            patience: Duration::ZERO,
        };
        let (trail, appender) = Trail::open(&data, options).unwrap();
        let mut appender = appender.unwrap();
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let mut calls = bodies.into_iter().zip(1_i64..).map(|(body, received)| {
            let envelope = decode_envelope(BodyKind::Form, body.as_bytes(), zone).unwrap();
            Arrival::Call(Box::new(ParsedCall {
                received,
                remote: None,
                label: (received % 3 == 0).then(|| "crm".to_owned()),
                content_type: None,
                evidence: None,
                read: Ok((BodyKind::Form, envelope)),
                body: body.into_bytes(),
            }))
        });
        loop {
            let group: Vec<Arrival> = calls.by_ref().take(5).collect();
            if group.is_empty() {
                break;
            }
            appender.append(group);
        }
        trail.wait_for_index(|_| ()).unwrap();
        // Blocks of closed segments know their times.
        trail.seal_all(|sealed, _, _| sealed.is_ok());
        Self {
            trail,
            _appender: appender,
            _dir: dir,
        }
    }

    pub fn keys(&self) -> Vec<ProfileKey> {
        let mut keys = Vec::new();
        let take = |key| {
            keys.push(key);
            Ok::<(), TrailError>(())
        };
        self.trail.snapshot().each_key(None, None, take).unwrap();
        keys
    }

    pub fn ask(&self, filter: &Query) -> Vec<String> {
        let mut out = Vec::new();
        ask(&self.trail, filter, &mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// Prunes, and tells how many events went.
    pub fn prune(&self, before: i64) -> u64 {
        let order = PruneOrder {
            before,
            now: BEGIN + 10 * 86_400,
            dry_run: false,
            stop: &|| false,
            tell: &mut |_, _| (),
        };
        self.trail.prune(order).unwrap().events
    }

    /// Where the deletes of a profile are, all of them, and whether each was pruned.
    fn deletes(&self, profile: u64) -> Vec<End> {
        let events = self
            .trail
            .snapshot()
            .events_of(ProfileKey::profile(profile))
            .unwrap();
        let mut found = Vec::new();
        if let Some(baseline) = &events.baseline
            && let Known::Deleted { .. } = baseline.known
        {
            found.push(End {
                place: baseline.place,
                pruned: true,
            });
        }
        let mut timeline = events.timeline(i64::MAX);
        let mut reader = self.trail.snapshot().reader();
        let mut damage = Damages::default();
        while let Some(occurrence) = timeline.next(&mut reader, &mut damage).unwrap() {
            let deletes = occurrence.event.event_type.is_end();
            if deletes && occurrence.duplicate_of.is_none() {
                found.push(End {
                    place: Place::of(&occurrence.event),
                    pruned: false,
                });
            }
        }
        found.sort();
        found
    }

    /// The deletes that may end a (sub)profile, where that is asked for.
    pub fn ends(&self, key: ProfileKey, cascade: bool) -> Vec<End> {
        match key.subprofile {
            Some(_) if cascade => self.deletes(key.profile),
            _ => Vec::new(),
        }
    }

    /// The changes by the replay of every history from its beginning, or from
    /// its baseline.
    fn replayed(&self, filter: &Filter) -> Vec<String> {
        let mut told = Told::new(encoded());
        for key in self.keys() {
            let events = self.trail.snapshot().events_of(key).unwrap();
            let mut timeline = events.timeline(i64::MAX);
            let mut reader = self.trail.snapshot().reader();
            let mut replay = events.replay();
            let mut damage = Damages::default();
            let mut ends = self.ends(key, filter.cascades()).into_iter().peekable();
            let mut deletes = Deletes::default();
            let mut second = self.trail.snapshot().reader();
            let mut ending = Ending {
                key,
                deletes: &mut deletes,
                reader: &mut second,
            };
            while let Some(occurrence) = timeline.next(&mut reader, &mut damage).unwrap() {
                if occurrence.duplicate_of.is_none() {
                    let place = Place::of(&occurrence.event);
                    while let Some(end) = ends.next_if(|end| end.place < place) {
                        told.end(filter, &mut ending, &mut replay, end).unwrap();
                    }
                    told.step(filter, &mut replay, &occurrence.event).unwrap();
                }
            }
            for end in ends {
                told.end(filter, &mut ending, &mut replay, end).unwrap();
            }
        }
        sorted(told)
    }

    /// Every way says what the replay says.
    pub fn check(&self, filter: &Filter) -> Result<(), TestCaseError> {
        let tiny = whole::Bounds {
            turn: 800,
            most: 400,
            large: 300,
        };
        let expected = self.replayed(filter);
        prop_assert_eq!(&self.near(filter, near::WINDOW), &expected);
        prop_assert_eq!(&self.near(filter, 3), &expected);
        prop_assert_eq!(&self.near_by_heads(filter), &expected);
        if let Some(found) = self.near_by_index(filter) {
            prop_assert_eq!(&found, &expected);
        }
        prop_assert_eq!(&self.whole(filter, whole::BOUNDS), &expected);
        prop_assert_eq!(&self.whole(filter, tiny), &expected);
        self.check_rows(filter, tiny)
    }

    /// All events of a (sub)profile go to one gatherer, in a row and in order.
    fn check_rows(&self, filter: &Filter, bounds: whole::Bounds) -> Result<(), TestCaseError> {
        let mut seen = std::collections::HashSet::new();
        let mut rows = Vec::new();
        let mut take = |told: Told<Rows>| {
            rows.push(told.gathered.0);
            Ok(true)
        };
        whole::tell(
            &self.trail.snapshot(),
            filter,
            bounds,
            &Rows::default,
            &mut take,
        )
        .unwrap();
        for row in rows {
            for own in row.chunk_by(|a, b| a.0 == b.0) {
                prop_assert!(seen.insert(own[0].0), "{:?} comes twice", own[0].0);
                prop_assert!(own.is_sorted_by_key(|(_, time)| *time));
            }
        }
        Ok(())
    }

    fn near(&self, filter: &Filter, window: usize) -> Vec<String> {
        self.near_of(filter, window, &self.keys())
    }

    /// The same of the (sub)profiles that the heads of the span's events name.
    fn near_by_heads(&self, filter: &Filter) -> Vec<String> {
        let (since, until) = filter.span.bounds();
        let walk = self.trail.snapshot().walk(since, until).unwrap();
        let keys = keys_by_heads(&self.trail.snapshot(), walk, filter, u64::MAX)
            .unwrap()
            .unwrap();
        self.near_of(filter, near::WINDOW, &keys)
    }

    fn near_of(&self, filter: &Filter, window: usize, keys: &[ProfileKey]) -> Vec<String> {
        let tell = |least| {
            let mut reader = near::Reader::new(&self.trail.snapshot(), window);
            reader.least = least;
            let mut told = Told::new(encoded());
            reader
                .group(&self.trail.snapshot(), filter, keys, &mut told)
                .unwrap();
            sorted(told)
        };
        let (told, of_the_least) = (tell(false), tell(true));
        assert_eq!(told, of_the_least);
        told
    }

    /// The same of those that the index knows to be of the span.
    fn near_by_index(&self, filter: &Filter) -> Option<Vec<String>> {
        let keys = keys_by_index(&self.trail.snapshot(), filter, u64::MAX).unwrap()?;
        Some(self.near_of(filter, near::WINDOW, &keys))
    }

    fn whole(&self, filter: &Filter, bounds: whole::Bounds) -> Vec<String> {
        let mut all = Told::new(encoded());
        let mut take = |told: Told<Lines>| {
            all.gathered.blobs.extend(told.gathered.blobs);
            all.damage.extend(told.damage);
            Ok(true)
        };
        whole::tell(&self.trail.snapshot(), filter, bounds, &encoded, &mut take).unwrap();
        sorted(all)
    }
}

/// The (sub)profiles and times of events.
#[derive(Default)]
struct Rows(Vec<(ProfileKey, i64)>);

impl Gather for Rows {
    fn take(&mut self, event: &Event<'_>, _: Vec<Change<'_>>) -> Result<(), QueryError> {
        self.0.push((event.key, event.time));
        Ok(())
    }
}

type Lines = Encoded<'static, fn(&Event<'_>) -> bool>;

fn encoded() -> Lines {
    const ANY: &fn(&Event<'_>) -> bool = &(any_event as fn(&Event<'_>) -> bool);
    Encoded {
        blobs: Vec::new(),
        wanted: ANY,
    }
}

fn any_event(_: &Event<'_>) -> bool {
    true
}

fn sorted(mut told: Told<Lines>) -> Vec<String> {
    assert!(told.damage.is_empty(), "{:?}", told.damage);
    told.gathered.blobs.sort();
    let blobs = told.gathered.blobs.into_iter();
    blobs
        .map(|(_, _, blob)| String::from_utf8(blob).unwrap())
        .collect()
}

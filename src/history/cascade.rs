//! Cascade: a profile's `delete` also deletes its subprofiles.
//!
//! Copernica removes the subprofiles of a deleted profile without a call for them. An
//! export that lacks a profile also shows that its subprofiles are gone. This counts as a
//! delete at the time of the export, since the real time is unknown.
//!
//! A subprofile that is not present cannot end: only the first of several deletes between
//! two of its events can matter, so a subprofile has at most two ends for each of its
//! events, even if its profile was deleted more often.

use super::baseline::{Baseline, Place};
use crate::event::{EventType, Seen};

/// A `delete` of a profile that may end a subprofile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CascadeDelete {
    /// The place of the delete.
    pub place: Place,
    /// Whether it was pruned. Then its place is that of the profile's last pruned event,
    /// and the rest is unknown.
    pub pruned: bool,
}

/// The deletes of a profile, in order, that may delete a subprofile with events of these
/// ordered times and `seq`. `pruned` is one that was pruned, after the subprofile's first
/// event.
pub fn cascade_candidates(
    deletes: &[Place],
    pruned: Option<Place>,
    times: &[(i64, u64)],
    baseline: Option<&Baseline>,
) -> Vec<CascadeDelete> {
    let mut ends = Vec::new();
    ends.extend(pruned.map(|place| CascadeDelete {
        place,
        pruned: true,
    }));
    // The first delete after each event. The type of the event, and so its place
    // within its second, is unknown: it is tried as the first and as among the last.
    let latest = EventType::Observed(Seen::Present).rank();
    let places = times.iter().flat_map(|(time, seq)| {
        let place = |rank, seq| Place {
            time: *time,
            rank,
            seq,
        };
        [place(0, 0), place(latest, *seq)]
    });
    let baseline = baseline.map(|baseline| baseline.place);
    for place in baseline.into_iter().chain(places) {
        let after = deletes.partition_point(|delete| *delete <= place);
        let end = deletes.get(after).map(|place| CascadeDelete {
            place: *place,
            pruned: false,
        });
        // The same delete is found twice if no event is between.
        if end.as_ref() != ends.last() {
            ends.extend(end);
        }
    }
    ends.sort_unstable();
    ends.dedup();
    ends
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::collection::{btree_set, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::event::{Content, Event, EventType, ProfileKey};
    use crate::history::{Cause, Change, Known, Replay, Subject, Value};

    const KEY: ProfileKey = ProfileKey::subprofile(1, 2);

    fn event(seq: u64, time: i64, event_type: EventType) -> Event<'static> {
        let fields = [("b", "<b>"), ("a", "1")];
        let deleted = event_type.is_end();
        Event {
            seq,
            event_type,
            time,
            key: KEY,
            collection: Some(7),
            content: Content {
                created: Some("2020".into()),
                fields: fields
                    .into_iter()
                    .filter(|_| !deleted)
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
                ..Content::default()
            },
            ..Event::default()
        }
    }

    fn delete(seq: u64, time: i64) -> Place {
        Place { time, rank: 2, seq }
    }

    #[test]
    fn what_is_present_ends_once() {
        let mut replay = Replay::default();
        assert_eq!(replay.apply_cascade(delete(1, 4)), None);
        replay.step(&event(2, 5, EventType::Create));
        let gone = |name: &'static str, old: &'static str| Change {
            subject: Subject::Field(name.into()),
            old: Some(Value::Text(old.into())),
            new: Value::Absent,
            cause: Cause::Cascade,
        };
        assert_eq!(
            replay.apply_cascade(delete(3, 6)),
            Some(vec![gone("a", "1"), gone("b", "<b>")])
        );
        assert_eq!((replay.ended, replay.last), (Some((3, 6)), Some((3, 6))));
        let left = Known::Deleted {
            created: Some("2020".into()),
            modified: None,
        };
        assert_eq!(replay.known, left);
        assert_eq!(replay.apply_cascade(delete(4, 7)), None);
        assert_eq!(replay.ended, Some((3, 6)));
        // Its own delete finds it deleted, and is the last known event.
        assert_eq!(replay.step(&event(5, 8, EventType::Delete)), []);
        assert_eq!((replay.ended, replay.last), (None, Some((5, 8))));
        let again = replay.step(&event(6, 9, EventType::Update));
        assert!(
            again
                .iter()
                .all(|change| change.cause == Cause::FirstSeen && change.old.is_none())
        );
        assert_eq!(again.len(), 2);
    }

    #[test]
    fn what_came_before_a_baseline_ends_nothing() {
        let mut present = Replay::default();
        present.step(&event(1, 5, EventType::Create));
        let baseline = Baseline {
            place: delete(2, 5),
            known: present.known,
            database: None,
            collection: None,
            second: Vec::new(),
        };
        let mut replay = Replay::after(Some(baseline.clone()));
        assert_eq!(replay.apply_cascade(delete(1, 5)), None);
        assert_eq!(replay.known, Known::Nothing);
        assert_eq!(replay.apply_cascade(delete(3, 5)).unwrap().len(), 2);
        let ends = cascade_candidates(&[delete(3, 5), delete(4, 6)], None, &[], Some(&baseline));
        assert_eq!(ends.len(), 1);
    }

    proptest! {
        #[test]
        fn the_deletes_that_are_left_out_change_nothing(
            events in btree_set((0_i64..12, 0_u64..4), 0..10),
            deletes in btree_set((0_i64..12, 4_u64..6), 0..10),
            order in vec(any::<bool>(), 24),
        ) {
            // Numbers that tie in every way, but are never the same.
            let seq = |time: i64, kind: u64| {
                let first = order.get(time as usize).copied().unwrap_or_default();
                time as u64 * 10 + if first { kind } else { 9 - kind }
            };
            let mut events: Vec<Event<'_>> = events.iter().map(|(time, kind)| {
                let event_type = match kind {
                    0 => EventType::Create,
                    1 => EventType::Update,
                    2 => EventType::Delete,
                    _ => EventType::Observed(Seen::Present),
                };
                event(seq(*time, *kind), *time, event_type)
            }).collect();
            events.sort_by_key(Place::of);
            let times: Vec<_> = events.iter().map(|event| (event.time, event.seq)).collect();
            let mut deletes: Vec<_> = deletes.iter().map(|(time, kind)| Place {
                rank: if *kind == 4 { 2 } else { 3 },
                ..delete(seq(*time, *kind), *time)
            }).collect();
            deletes.sort_unstable();
            let replayed = |ends: Vec<Place>| {
                let mut replay = Replay::default();
                let mut ends = ends.into_iter().peekable();
                let mut changes = Vec::new();
                for event in &events {
                    while let Some(end) = ends.next_if(|end| *end < Place::of(event)) {
                        changes.extend(replay.apply_cascade(end));
                    }
                    changes.push(replay.step(event));
                }
                changes.extend(ends.filter_map(|end| replay.apply_cascade(end)));
                (changes, replay.known, replay.last, replay.ended)
            };
            let few = cascade_candidates(&deletes, None, &times, None);
            prop_assert!(few.len() <= 2 * events.len());
            prop_assert!(few.is_sorted());
            let few = few.into_iter().map(|end| end.place).collect();
            prop_assert_eq!(replayed(few), replayed(deletes));
        }
    }
}

//! Pages: an answer in parts, each continuing where the previous one ended.
//!
//! A [`Mark`] is the position of a line in the order of the whole answer: answers that
//! need sorting are sorted by it, and a page continues after the mark of the last line.
//! That order is derived from the events themselves, so paging stays correct when events
//! arrive or are pruned in between: every line that existed at the first page is returned
//! exactly once. An event that arrives late, with a time before the mark, is not
//! returned; pruned events are gone.
//!
//! A page of `changes` may end within an event. If a late event has altered that
//! event's changes so that the marked change no longer exists, the next page
//! returns all of its current changes.
//!
//! The query API transports the marks.

use std::cmp::Ordering;
use std::ops::Range;

use bincode::{Decode, Encode};
use sha2::{Digest, Sha256};

use crate::event::{Event, ProfileKey};
use crate::history::{Change, Place, Subject};

/// The end of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum Mark {
    /// For `history`: an event's place among those of its (sub)profiles, and the
    /// subprofile of the line: one event may have lines for a profile and for its
    /// subprofiles.
    Event(Place, Option<u64>),
    /// For `changes`: a change of an event.
    Change {
        /// The event's time in Unix seconds.
        time: i64,
        /// Its `seq`.
        seq: u64,
        /// The subprofile of the line.
        subprofile: Option<u64>,
        /// Its place among the changes of the event.
        place: u32,
        /// A prefix of the digest of the changed field's or interest's name.
        subject: [u8; 8],
    },
    /// For `export`: the baseline of a (sub)profile; baselines precede all events.
    Baseline(ProfileKey),
    /// For `export` and `rejected`: the number of an event or of a rejected call.
    Number(u64),
    /// For `export`: an erasure, by its place; erasures follow all events.
    Erasure(u64),
}

/// The requested part of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The maximum number of lines.
    pub limit: Option<u64>,
    /// Only lines after this mark.
    pub after: Option<Mark>,
}

impl Mark {
    /// The mark of an event's line in `history`.
    pub(super) const fn of_event(event: &Event<'_>) -> Self {
        Self::Event(Place::of(event), event.key.subprofile)
    }

    /// The number after which `export` and `rejected` continue.
    pub(super) const fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The time of the event at which an answer of `history` or `changes`
    /// continues.
    pub(super) const fn time(self) -> Option<i64> {
        match self {
            Self::Event(Place { time, .. }, _) | Self::Change { time, .. } => Some(time),
            Self::Baseline(_) | Self::Number(_) | Self::Erasure(_) => None,
        }
    }

    /// Whether the pages up to this mark contain an event of `history`.
    pub(super) fn covers(self, event: &Event<'_>, reverse: bool) -> bool {
        let own = Self::of_event(event);
        matches!(self, Self::Event(..)) && turned(own.cmp(&self), reverse).is_le()
    }

    /// The places of those changes of an event that no page up to this mark contains,
    /// given all of them.
    pub(super) fn rest_of(
        self,
        event: &Event<'_>,
        changes: &[Change<'_>],
        reverse: bool,
    ) -> Range<u32> {
        let end = u32::try_from(changes.len()).unwrap_or(u32::MAX);
        let Self::Change {
            time,
            seq,
            subprofile,
            subject,
            ..
        } = self
        else {
            return 0..end;
        };
        let order = (event.time, event.seq, event.key.subprofile).cmp(&(time, seq, subprofile));
        match turned(order, reverse) {
            Ordering::Less => 0..0,
            Ordering::Greater => 0..end,
            Ordering::Equal => {
                let subjects = (0..end).zip(changes);
                let mut marked = subjects.filter(|(_, own)| digest_of(&own.subject) == subject);
                match marked.next() {
                    Some((place, _)) if reverse => 0..place,
                    Some((place, _)) => place + 1..end,
                    // The event no longer has the marked change.
                    None => 0..end,
                }
            }
        }
    }
}

/// A prefix of the digest of a field's or an interest's name.
pub(super) fn digest_of(subject: &Subject<'_>) -> [u8; 8] {
    let digest = Sha256::new()
        .chain_update([u8::from(subject.is_interest())])
        .chain_update(subject.name())
        .finalize();
    digest.first_chunk().copied().unwrap_or_default()
}

/// An order in an answer that may have the newest first.
pub(super) fn turned(order: Ordering, reverse: bool) -> Ordering {
    if reverse { order.reverse() } else { order }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::event::EventType;
    use crate::history::{Cause, Value};

    fn event_of(time: i64, seq: u64, subprofile: Option<u64>) -> Event<'static> {
        Event {
            seq,
            event_type: EventType::Delete,
            time,
            key: ProfileKey {
                profile: 1,
                subprofile,
            },
            ..Event::default()
        }
    }

    fn change_of(subject: Subject<'static>) -> Change<'static> {
        Change {
            subject,
            old: None,
            new: Value::Absent,
            cause: Cause::Set,
        }
    }

    fn mark_of(event: &Event<'_>, change: &Change<'_>) -> Mark {
        Mark::Change {
            time: event.time,
            seq: event.seq,
            subprofile: event.key.subprofile,
            place: 0,
            subject: digest_of(&change.subject),
        }
    }

    #[test]
    fn a_page_goes_on_within_an_event() {
        let changes = [
            Subject::Field("a".into()),
            Subject::Field("news".into()),
            Subject::Field("é\n\"".into()),
            Subject::Interest("news".into()),
        ]
        .map(change_of);
        let event = event_of(5, 7, None);
        for last in 0..changes.len() {
            let mark = mark_of(&event, &changes[last]);
            assert_eq!(mark.time(), Some(5));
            let rest = |seq, reverse| mark.rest_of(&event_of(5, seq, None), &changes, reverse);
            let (place, all) = (last as u32, 0..4);
            assert_eq!(rest(7, false), place + 1..4);
            assert_eq!(rest(7, true), 0..place);
            assert_eq!((rest(6, false), rest(8, false)), (0..0, all.clone()));
            assert_eq!((rest(6, true), rest(8, true)), (all, 0..0));
        }
        // A change that the event no longer has.
        let gone = mark_of(&event, &change_of(Subject::Field("gone".into())));
        assert_eq!(gone.rest_of(&event, &changes, false), 0..4);
    }

    #[test]
    fn an_event_may_have_lines_of_several_profiles() {
        let changes = [change_of(Subject::Field("a".into()))];
        let all = [None, Some(9), Some(10)].map(|subprofile| event_of(5, 7, subprofile));
        for (place, last) in all.iter().enumerate() {
            let mark = mark_of(last, &changes[0]);
            for (other, event) in all.iter().enumerate() {
                let written = |reverse| mark.rest_of(event, &changes, reverse).is_empty();
                assert_eq!(written(false), other <= place);
                assert_eq!(written(true), other >= place);
            }
        }
        let all = [
            event_of(1, 9, None),
            event_of(2, 8, None),
            event_of(2, 8, Some(9)),
            event_of(2, 8, Some(10)),
            event_of(2, 9, None),
        ];
        for (place, last) in all.iter().enumerate() {
            let mark = Mark::of_event(last);
            for (other, event) in all.iter().enumerate() {
                assert_eq!(mark.covers(event, false), other <= place);
                assert_eq!(mark.covers(event, true), other >= place);
            }
        }
    }

    #[test]
    fn baselines_come_in_order_and_before_events() {
        let mark = Mark::Baseline(ProfileKey::profile(5));
        assert!(mark < Mark::Baseline(ProfileKey::subprofile(5, 0)));
        assert!(mark < Mark::Baseline(ProfileKey::profile(6)));
        assert!(mark > Mark::Baseline(ProfileKey::subprofile(4, 9)));
        assert!(mark < Mark::Number(3) && Mark::Number(3) < Mark::Erasure(0));
    }
}

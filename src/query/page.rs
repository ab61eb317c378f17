//! Pages: an answer in parts, each continuing where the previous one ended.
//!
//! A [`Mark`] is the position of a page's last line in the order of the whole
//! answer. That order is derived from the events themselves, so paging stays
//! correct when events arrive or are pruned in between: what existed at the first
//! page is returned exactly once. An event that arrives late, with a time before
//! the mark, is not returned; pruned events are gone.
//!
//! A page of `changes` may end within an event. If a late event has altered that
//! event's changes so that the marked change no longer exists, the next page
//! returns all of its current changes.
//!
//! How a mark is transported is the query API's concern.

use std::cmp::Ordering;

use bincode::{Decode, Encode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::answer::Query;
use crate::event::{Event, EventType, ProfileKey, Seen, parse_rfc3339_micros};
use crate::history::Place;

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Mark {
    /// For `history`: an event's place among those of its (sub)profiles.
    Event {
        /// Its time in Unix seconds.
        time: i64,
        /// Its rank within that second.
        rank: u8,
        /// Its `seq`, which orders events of the same rank.
        seq: u64,
        /// The subprofile of the line: one event may have lines for a profile and
        /// for its subprofiles.
        subprofile: Option<u64>,
    },
    /// For `changes`: a change of an event.
    Change {
        /// The event's time in Unix seconds.
        time: i64,
        /// Its `seq`.
        seq: u64,
        /// The subprofile of the line.
        subprofile: Option<u64>,
        /// A prefix of the digest of the changed field's or interest's name.
        subject: [u8; 8],
    },
    /// For `export`: the baseline of a (sub)profile; baselines precede all events.
    Baseline {
        /// The profile.
        profile: u64,
        /// The subprofile.
        subprofile: Option<u64>,
    },
    /// For `export` and `rejected`: the number of an event or of a rejected call.
    Number(u64),
}

/// The requested part of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The maximum number of lines.
    pub limit: Option<u64>,
    /// Only lines after this mark.
    pub after: Option<Mark>,
}

/// The keys of a line that determine its position.
#[derive(Deserialize)]
struct LinePlace {
    time: Option<String>,
    seq: Option<u64>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    observed: Option<String>,
    field: Option<String>,
    interest: Option<String>,
    profile: Option<u64>,
    subprofile: Option<u64>,
    number: Option<u64>,
    baseline: Option<IgnoredAny>,
}

impl LinePlace {
    fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    fn time(&self) -> Option<i64> {
        Some(parse_rfc3339_micros(self.time.as_deref()?)?.div_euclid(1_000_000))
    }

    /// The rank within its second. An observed event is identified by its
    /// `observed` key, since a call's type may be any word.
    fn rank(&self) -> Option<u8> {
        let event_type = self.event_type.as_deref()?;
        let seen = self.observed.as_deref().and_then(Seen::from_name);
        let event_type = seen.map_or_else(|| EventType::from(event_type), EventType::Observed);
        Some(event_type.rank())
    }

    fn subject(&self) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update([u8::from(self.interest.is_some())]);
        let name = self.field.as_ref().or(self.interest.as_ref());
        hash.update(name.map_or("", String::as_str));
        let digest = hash.finalize();
        let mut subject = [0; 8];
        for (byte, known) in subject.iter_mut().zip(digest) {
            *byte = known;
        }
        subject
    }
}

impl Mark {
    /// The mark of a line of an answer; `None` for an answer without pages.
    pub(super) fn of_line(query: &Query, line: &[u8]) -> Option<Self> {
        match query {
            Query::History(_) => {
                let place = LinePlace::read(line)?;
                Some(Self::Event {
                    time: place.time()?,
                    rank: place.rank()?,
                    seq: place.seq?,
                    subprofile: place.subprofile,
                })
            }
            Query::Changes(_) => {
                let place = LinePlace::read(line)?;
                Some(Self::Change {
                    time: place.time()?,
                    seq: place.seq?,
                    subprofile: place.subprofile,
                    subject: place.subject(),
                })
            }
            Query::Export(_) => {
                let place = LinePlace::read(line)?;
                Some(match place.baseline {
                    Some(_) => Self::Baseline {
                        profile: place.profile?,
                        subprofile: place.subprofile,
                    },
                    None => Self::Number(place.seq?),
                })
            }
            Query::Rejected(_) => Some(Self::Number(LinePlace::read(line)?.number?)),
            _ => None,
        }
    }

    /// The number after which `export` and `rejected` continue.
    pub(super) const fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Whether the baseline of a (sub)profile comes after the mark.
    pub(super) fn is_before_baseline(self, key: ProfileKey) -> bool {
        match self {
            Self::Baseline {
                profile,
                subprofile,
            } => {
                key > ProfileKey {
                    profile,
                    subprofile,
                }
            }
            _ => false,
        }
    }

    /// The time of the event at which an answer of `history` or `changes`
    /// continues.
    pub(super) const fn time(self) -> Option<i64> {
        match self {
            Self::Event { time, .. } | Self::Change { time, .. } => Some(time),
            Self::Baseline { .. } | Self::Number(_) => None,
        }
    }

    /// Whether the pages up to this mark contain an event of `history`.
    pub(super) fn covers(self, event: &Event<'_>, reverse: bool) -> bool {
        let Self::Event {
            time,
            rank,
            seq,
            subprofile,
        } = self
        else {
            return false;
        };
        let at = (Place { time, rank, seq }, subprofile);
        let order = (Place::of(event), event.key.subprofile).cmp(&at);
        turned(order, reverse).is_le()
    }

    /// The remaining changes of an event, given its lines as a blob. Blobs of one
    /// event are in byte order in either direction of the answer.
    pub(super) fn rest(self, time: i64, seq: u64, mut blob: Vec<u8>, reverse: bool) -> Vec<u8> {
        let Self::Change {
            time: at,
            seq: of,
            subprofile,
            subject,
        } = self
        else {
            return blob;
        };
        let order = turned((time, seq).cmp(&(at, of)), reverse).then_with(|| {
            let first = blob.split_inclusive(|byte| *byte == b'\n').next();
            let place = first.and_then(LinePlace::read);
            in_bytes(place.and_then(|place| place.subprofile)).cmp(&in_bytes(subprofile))
        });
        match order {
            Ordering::Less => return Vec::new(),
            Ordering::Greater => return blob,
            Ordering::Equal => {}
        }
        let mut end = 0;
        for line in blob.split_inclusive(|byte| *byte == b'\n') {
            end += line.len();
            if LinePlace::read(line).is_some_and(|place| place.subject() == subject) {
                return blob.split_off(end);
            }
        }
        blob
    }
}

fn turned(order: Ordering, reverse: bool) -> Ordering {
    if reverse { order.reverse() } else { order }
}

/// A subprofile as its line has it, with the byte that follows: the sort key of
/// lines that are equal up to it.
fn in_bytes(subprofile: Option<u64>) -> String {
    match subprofile {
        Some(subprofile) => format!("{subprofile},"),
        None => "null,".to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;
    use crate::query::{ChangesQuery, HistoryQuery, Span};

    const AT: i64 = 1_760_000_000;

    fn line_of(subprofile: &str, subject: &str) -> Vec<u8> {
        format!(
            "{{\"time\":\"2025-10-09T08:53:20Z\",\"seq\":7,\"subprofile\":{subprofile},{subject},\"new\":\"\\u0000 x\"}}\n"
        )
        .into_bytes()
    }

    fn line(subject: &str) -> Vec<u8> {
        line_of("null", subject)
    }

    #[test]
    fn a_page_goes_on_within_an_event() {
        let subjects = [
            r#""field":"a""#,
            r#""field":"news""#,
            r#""field":"é\n\"""#,
            r#""interest":"news""#,
        ];
        let lines = subjects.map(line);
        let query = Query::Changes(ChangesQuery::default());
        let blob = lines.concat();
        let rest = |mark: Mark, blob: &[u8], seq| mark.rest(AT, seq, blob.to_vec(), false);
        for last in 0..lines.len() {
            let mark = Mark::of_line(&query, &lines[last]).unwrap();
            assert_eq!(mark.time(), Some(AT));
            assert_eq!(rest(mark, &blob, 7), lines[last + 1..].concat());
            assert_eq!(rest(mark, &blob, 6), b"");
            assert_eq!(rest(mark, &blob, 8), blob);
            assert_eq!(mark.rest(AT, 6, blob.clone(), true), blob);
            assert_eq!(mark.rest(AT, 8, blob.clone(), true), b"");
        }
        // A change that the event no longer has.
        let mark = Mark::of_line(&query, &line(r#""field":"gone""#)).unwrap();
        assert_eq!(rest(mark, &blob, 7), blob);
    }

    #[test]
    fn an_event_may_have_lines_of_several_profiles() {
        let query = Query::Changes(ChangesQuery::default());
        let all = ["10", "9", "null"].map(|of| line_of(of, r#""field":"a""#));
        assert!(all.is_sorted(), "as they are sorted on disk");
        for last in 0..all.len() {
            let mark = Mark::of_line(&query, &all[last]).unwrap();
            for reverse in [false, true] {
                let rest = all.iter().cloned();
                let rest = rest.map(|blob| mark.rest(AT, 7, blob, reverse));
                assert_eq!(rest.collect::<Vec<_>>().concat(), all[last + 1..].concat());
            }
        }
        let event = |time, seq, subprofile| Event {
            seq,
            received: 0,
            remote: None,
            label: None,
            event_type: EventType::Delete,
            time,
            time_source: crate::event::TimeSource::Time,
            key: ProfileKey {
                profile: 1,
                subprofile,
            },
            database: None,
            collection: None,
            verified: None,
            content: crate::event::Content::default(),
        };
        let all = [
            event(1, 9, None),
            event(2, 8, None),
            event(2, 8, Some(9)),
            event(2, 8, Some(10)),
            event(2, 9, None),
        ];
        for (place, last) in all.iter().enumerate() {
            let mark = Mark::Event {
                time: last.time,
                rank: 2,
                seq: last.seq,
                subprofile: last.key.subprofile,
            };
            for (other, event) in all.iter().enumerate() {
                assert_eq!(mark.covers(event, false), other <= place);
                assert_eq!(mark.covers(event, true), other >= place);
            }
        }
    }

    #[test]
    fn an_observed_event_is_known_by_its_mark() {
        let query = Query::History(HistoryQuery {
            key: ProfileKey::profile(1),
            fields: Vec::new(),
            interests: Vec::new(),
            span: Span::default(),
            all: false,
            limit: None,
            reverse: false,
            subprofiles: false,
            cascade: false,
        });
        let rank = |rest: &str| {
            let line =
                format!(r#"{{"seq":7,"type":"observed","time":"1970-01-01T00:00:01Z"{rest}}}"#);
            match Mark::of_line(&query, line.as_bytes()).unwrap() {
                Mark::Event { rank, .. } => rank,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(rank(""), EventType::Other(String::new()).rank());
        let observed = EventType::Observed(Seen::Gone).rank();
        assert_eq!(rank(r#","observed":"gone""#), observed);
        assert_eq!(rank(r#","observed":"present""#), observed);
    }

    #[test]
    fn baselines_come_in_order_and_before_events() {
        let mark = Mark::Baseline {
            profile: 5,
            subprofile: None,
        };
        assert!(mark.is_before_baseline(ProfileKey::subprofile(5, 0)));
        assert!(mark.is_before_baseline(ProfileKey::profile(6)));
        assert!(!mark.is_before_baseline(ProfileKey::profile(5)));
        assert!(!mark.is_before_baseline(ProfileKey::subprofile(4, 9)));
        assert!(!Mark::Number(3).is_before_baseline(ProfileKey::profile(6)));
    }
}

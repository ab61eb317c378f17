//! Pages: an answer in parts, each going on where the one before it ended.
//!
//! A [`Mark`] is the place of a page's last line in the order of the whole
//! answer. That order is one of the events themselves, so that a page goes on
//! rightly whatever came in between: what was there at the first page is told
//! once. An event that came late, of a time before the mark, is not told; and
//! what was pruned meanwhile is gone.
//!
//! A page of `changes` may end within an event. Where a late event has altered
//! what that one changed, so that the marked change is none any more, all of its
//! changes are told by the next page, which then are others.
//!
//! Leaves out how a mark travels: that is the query API's matter.

use bincode::{Decode, Encode};
use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use super::request::Query;
use crate::event::{Event, EventType, ProfileKey, parse_rfc3339_micros};
use crate::history::Place;

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Mark {
    /// Of `history`: an event's place among those of its (sub)profiles.
    Event {
        /// Its time in Unix seconds.
        time: i64,
        /// Its order among those of its second, …
        rank: u8,
        /// … and among those of its rank.
        seq: u64,
    },
    /// Of `changes`: a change of an event.
    Change {
        /// The event's time in Unix seconds.
        time: i64,
        /// Its `seq`.
        seq: u64,
        /// The beginning of a digest of what the change is of.
        subject: [u8; 8],
    },
    /// Of `export`: the baseline of a (sub)profile, which stands before all events.
    Baseline {
        /// The profile.
        profile: u64,
        /// The subprofile.
        subprofile: Option<u64>,
    },
    /// Of `export` and `rejected`: the number of an event, or of a rejected call.
    Number(u64),
}

/// Which part of an answer is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// The most lines.
    pub limit: Option<u64>,
    /// Only what comes after this.
    pub after: Option<Mark>,
}

/// What of a line tells its place.
#[derive(Deserialize)]
struct Told {
    time: Option<String>,
    seq: Option<u64>,
    #[serde(rename = "type")]
    event_type: Option<String>,
    field: Option<String>,
    interest: Option<String>,
    profile: Option<u64>,
    subprofile: Option<u64>,
    number: Option<u64>,
    baseline: Option<IgnoredAny>,
}

impl Told {
    fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }

    fn time(&self) -> Option<i64> {
        Some(parse_rfc3339_micros(self.time.as_deref()?)?.div_euclid(1_000_000))
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
    /// The mark of a line of an answer; `None` of one that has no pages.
    pub(super) fn of_line(query: &Query, line: &[u8]) -> Option<Self> {
        match query {
            Query::History(_) => {
                let told = Told::read(line)?;
                Some(Self::Event {
                    time: told.time()?,
                    rank: EventType::from(told.event_type.as_deref()?).rank(),
                    seq: told.seq?,
                })
            }
            Query::Changes(_) => {
                let told = Told::read(line)?;
                Some(Self::Change {
                    time: told.time()?,
                    seq: told.seq?,
                    subject: told.subject(),
                })
            }
            Query::Export(_) => {
                let told = Told::read(line)?;
                Some(match told.baseline {
                    Some(_) => Self::Baseline {
                        profile: told.profile?,
                        subprofile: told.subprofile,
                    },
                    None => Self::Number(told.seq?),
                })
            }
            Query::Rejected(_) => Some(Self::Number(Told::read(line)?.number?)),
            _ => None,
        }
    }

    /// The number after which `export` and `rejected` go on.
    pub(super) const fn number(self) -> Option<u64> {
        match self {
            Self::Number(number) => Some(number),
            _ => None,
        }
    }

    /// Whether the baseline of a (sub)profile comes after it.
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

    /// The place of an event of `history`.
    pub(super) const fn place(self) -> Option<Place> {
        match self {
            Self::Event { time, rank, seq } => Some(Place { time, rank, seq }),
            _ => None,
        }
    }

    /// The time and the `seq` of the event at which `changes` goes on.
    pub(super) const fn event_of_change(self) -> Option<(i64, u64)> {
        match self {
            Self::Change { time, seq, .. } => Some((time, seq)),
            _ => None,
        }
    }

    /// Cuts from the lines of the changes of the event at which it stands those
    /// that were told.
    pub(super) fn cut(self, mut blob: Vec<u8>) -> Vec<u8> {
        let Self::Change { subject, .. } = self else {
            return blob;
        };
        let mut end = 0;
        for line in blob.split_inclusive(|byte| *byte == b'\n') {
            end += line.len();
            if Told::read(line).is_some_and(|told| told.subject() == subject) {
                return blob.split_off(end);
            }
        }
        blob
    }
}

/// Whether an event of `history` was told by the pages up to a mark.
pub(super) fn was_told(event: &Event<'_>, after: Option<Place>, reverse: bool) -> bool {
    after.is_some_and(|after| {
        let place = Place::of(event);
        if reverse {
            place >= after
        } else {
            place <= after
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::query::ChangesQuery;

    fn line(subject: &str) -> Vec<u8> {
        format!("{{\"time\":\"2025-10-09T08:53:20Z\",\"seq\":7,{subject},\"new\":\"\\u0000 x\"}}\n")
            .into_bytes()
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
        for told in 0..lines.len() {
            let mark = Mark::of_line(&query, &lines[told]).unwrap();
            assert_eq!(mark.event_of_change(), Some((1_760_000_000, 7)));
            assert_eq!(mark.cut(lines.concat()), lines[told + 1..].concat());
        }
        // One that the event no longer changes.
        let mark = Mark::of_line(&query, &line(r#""field":"gone""#)).unwrap();
        assert_eq!(mark.cut(lines.concat()), lines.concat());
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

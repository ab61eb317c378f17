//! The keys that changes are grouped by.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, Offset, TimeZone, Utc};
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::lines::ReportGroup;
use crate::event::{Event, Zone, local_date, local_to_utc, seconds_to_rfc3339};
use crate::history::{Change, Subject};
use crate::query::filter::{CauseKind, Filter};

/// What changes can be grouped by.
#[derive(
    ValueEnum, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// The month of the event's time.
    Month,
    /// The day of the event's time.
    Day,
    /// The hour of the event's time.
    Hour,
    /// The field or interest.
    Field,
    /// The event's type.
    Type,
    /// The label in the webhook's address.
    Label,
    /// Why it changed.
    Cause,
    /// The database, where the call named it.
    Database,
    /// The collection, where the call named it.
    Collection,
}

/// The value of one group key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    /// The first second of a period.
    Time(i64),
    /// The field or interest.
    Subject(Subject<'static>),
    Text(Option<String>),
    Number(Option<u64>),
}

impl Part {
    /// The value of the key `by` for a change of an event.
    pub fn of(by: By, zone: Zone, event: &Event<'_>, change: &Change<'_>) -> Self {
        match by {
            By::Month | By::Day | By::Hour => Self::Time(begin(by, zone, event.time)),
            By::Field => Self::Subject(change.subject.to_owned()),
            By::Type => Self::Text(Some(event.event_type.name().to_owned())),
            By::Label => Self::Text(event.label.as_deref().map(str::to_owned)),
            By::Cause => Self::Text(Some(change.cause.name().to_owned())),
            By::Database => Self::Number(event.database),
            By::Collection => Self::Number(event.collection),
        }
    }

    /// The first second of a period.
    pub const fn time(&self) -> Option<i64> {
        match self {
            Self::Time(time) => Some(*time),
            _ => None,
        }
    }

    /// The length of its text in bytes.
    pub fn name_len(&self) -> usize {
        match self {
            Self::Subject(subject) => subject.name().len(),
            Self::Text(text) => text.as_ref().map_or(0, |text| text.len()),
            Self::Time(_) | Self::Number(_) => 0,
        }
    }

    /// Sets it under its key.
    pub fn put(self, by: By, zone: Zone, group: &mut ReportGroup<'_>) {
        let date = |time| local_date(zone, time);
        match (self, by) {
            (Self::Time(time), By::Month) => {
                group.month = Some(date(time).format("%Y-%m").to_string().into());
            }
            (Self::Time(time), By::Day) => group.day = Some(date(time).to_string().into()),
            (Self::Time(time), _) => group.hour = Some(seconds_to_rfc3339(time).into()),
            (Self::Subject(subject), _) => group.subject = Some(subject),
            (Self::Text(text), By::Type) => group.event_type = text.map(Into::into),
            (Self::Text(text), By::Cause) => group.cause = text.map(Into::into),
            (Self::Text(text), _) => group.label = Some(text.map(Into::into)),
            (Self::Number(number), By::Database) => group.database = Some(number),
            (Self::Number(number), _) => group.collection = Some(number),
        }
    }

    /// Narrows a filter to it; `None` if the filter cannot express it.
    pub fn narrow(&self, by: By, zone: Zone, mut filter: Filter) -> Option<Filter> {
        match (self, by) {
            (Self::Time(since), _) => {
                let until = end(by, zone, *since);
                let (first, last) = filter.span.bounds();
                filter.span.since = Some(first.max(*since));
                filter.span.until = Some(last.min(until));
            }
            (Self::Subject(subject), _) => filter = filter.of_subject(subject),
            (Self::Text(text), By::Cause) => {
                filter.causes = vec![CauseKind::from_str(text.as_deref()?, false).ok()?];
            }
            (Self::Text(text), By::Type) => filter.types = vec![text.clone().unwrap_or_default()],
            (Self::Text(text), _) => filter.labels = vec![text.clone().unwrap_or_default()],
            (Self::Number(number), By::Database) => filter.database = Some((*number)?),
            (Self::Number(number), _) => filter.collection = Some((*number)?),
        }
        Some(filter)
    }
}

/// When the month, day or hour of a time began, by the clocks of a zone.
fn begin(by: By, zone: Zone, time: i64) -> i64 {
    let utc = DateTime::<Utc>::from_timestamp(time, 0).unwrap_or_default();
    if by == By::Hour {
        let offset = zone.offset_from_utc_datetime(&utc.naive_utc()).fix();
        return time - (time + i64::from(offset.local_minus_utc())).rem_euclid(3_600);
    }
    let date = local_date(zone, time);
    midnight(zone, first_of(by, date))
}

/// The end of a period with this start.
fn end(by: By, zone: Zone, begun: i64) -> i64 {
    let date = first_of(by, local_date(zone, begun));
    let next = match by {
        By::Month => date.checked_add_months(Months::new(1)),
        By::Day => date.checked_add_days(Days::new(1)),
        _ => return begun + 3_600,
    };
    next.map_or(i64::MAX, |date| midnight(zone, date))
}

fn first_of(by: By, date: NaiveDate) -> NaiveDate {
    match by {
        By::Month => date.with_day(1).unwrap_or(date),
        _ => date,
    }
}

fn midnight(zone: Zone, date: NaiveDate) -> i64 {
    local_to_utc(zone, date.and_time(NaiveTime::MIN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::sample::select;

    const AMSTERDAM: Zone = chrono_tz::Europe::Amsterdam;

    #[test]
    fn days_have_23_24_or_25_hours_and_a_doubled_hour_is_two() {
        let day = |text: &str| {
            let time = text.parse::<DateTime<Utc>>().unwrap().timestamp();
            let begun = begin(By::Day, AMSTERDAM, time);
            (
                seconds_to_rfc3339(begun),
                (end(By::Day, AMSTERDAM, begun) - begun) / 3_600,
            )
        };
        assert_eq!(
            day("2025-10-26T12:00:00Z"),
            ("2025-10-25T22:00:00Z".into(), 25)
        );
        assert_eq!(
            day("2025-03-30T12:00:00Z"),
            ("2025-03-29T23:00:00Z".into(), 23)
        );
        assert_eq!(
            day("2025-06-01T21:59:59Z"),
            ("2025-05-31T22:00:00Z".into(), 24)
        );
        let hours = ["2025-10-26T00:30:00Z", "2025-10-26T01:30:00Z"];
        let hours = hours.map(|text| {
            begin(
                By::Hour,
                AMSTERDAM,
                text.parse::<DateTime<Utc>>().unwrap().timestamp(),
            )
        });
        assert_eq!(hours[1] - hours[0], 3_600);
    }

    #[test]
    fn words_are_read() {
        for by in By::value_variants() {
            let word = by.to_possible_value().unwrap();
            assert_eq!(serde_json::to_value(by).unwrap(), word.get_name());
        }
    }

    proptest! {
        #[test]
        fn a_time_is_in_its_stretch_and_the_next_begins_where_it_ends(
            time in -60_000_000_000_i64..200_000_000_000,
            by in select(vec![By::Month, By::Day, By::Hour]),
            zone in select(vec![
                AMSTERDAM, chrono_tz::UTC, chrono_tz::America::Havana, chrono_tz::Australia::Lord_Howe,
                chrono_tz::Pacific::Apia, chrono_tz::America::Sao_Paulo, chrono_tz::Asia::Kathmandu,
            ]),
        ) {
            let begun = begin(by, zone, time);
            let over = end(by, zone, begun);
            prop_assert!(begun <= time && time < over, "{begun} {time} {over}");
            if by != By::Hour {
                prop_assert_eq!(begin(by, zone, begun), begun);
                prop_assert_eq!(begin(by, zone, over), over);
            }
        }
    }
}

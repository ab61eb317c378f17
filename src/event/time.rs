//! Event times: zones, the sender's timestamps, and how times are printed.

use bincode::{Decode, Encode};
use chrono::{DateTime, Duration, NaiveDate, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::key::parse_number;

/// A time zone of the IANA database.
pub type Zone = chrono_tz::Tz;

/// Where an event's time was read.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, Encode, Decode,
)]
#[serde(rename_all = "lowercase")]
pub enum TimeSource {
    /// The variable `time`: Unix seconds.
    Time,
    /// The variable `timestamp`: local time, read in the server's zone.
    Timestamp,
    /// Neither could be read: the moment of receipt.
    #[default]
    Received,
}

impl TimeSource {
    /// The word in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Timestamp => "timestamp",
            Self::Received => "received",
        }
    }
}

/// The zone of that name, such as `Europe/Amsterdam`.
pub fn zone_from_name(name: &str) -> Result<Zone, String> {
    name.parse().map_err(|_| {
        format!("'{name}' is not a time zone: write one such as Europe/Amsterdam or UTC")
    })
}

/// Whether Unix seconds fall in the years 0000 to 9999, which RFC 3339 can print.
pub fn seconds_in_range(seconds: i64) -> bool {
    (-62_167_219_200..=253_402_300_799).contains(&seconds)
}

/// The Unix seconds of a local time.
///
/// In the doubled hour the earlier of the two; out of the skipped hour it is
/// moved forward by the gap, as PHP does.
pub fn local_to_utc(zone: Zone, local: NaiveDateTime) -> i64 {
    if let Some(time) = zone.from_local_datetime(&local).earliest() {
        return time.timestamp();
    }
    // In a gap the offset in force before it decides. Gaps lie between 15
    // minutes and a day, so steps of a quarter find its near edge.
    let offset_before = (1..=4 * 48)
        .filter_map(|step| local.checked_sub_signed(Duration::minutes(15 * step)))
        .find_map(|earlier| {
            let found = zone.from_local_datetime(&earlier).latest()?;
            Some(earlier.and_utc().timestamp() - found.timestamp())
        });
    local.and_utc().timestamp() - offset_before.unwrap_or(0)
}

/// The date of a time by the clocks of a zone.
pub fn local_date(zone: Zone, time: i64) -> NaiveDate {
    let utc = DateTime::<Utc>::from_timestamp(time, 0).unwrap_or_default();
    utc.with_timezone(&zone).date_naive()
}

/// For serde: a zone by its name.
pub mod zone_name {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Zone, zone_from_name};

    /// Writes the name.
    pub fn serialize<S: Serializer>(zone: &Zone, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(zone.name())
    }

    /// Reads a name.
    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Zone, D::Error> {
        zone_from_name(&String::deserialize(input)?).map_err(D::Error::custom)
    }
}

/// The Unix seconds of the variable `timestamp`: `YYYY-MM-DD HH:MM:SS`, also with
/// `T`, with a fraction, which is dropped, and with an offset (a space may stand before it), which then
/// decides.
pub(super) fn parse_event_timestamp(zone: Zone, text: &str) -> Option<i64> {
    let (moment, rest) = text.split_at_checked(19)?;
    let local = parse_timestamp(&moment.replacen('T', " ", 1))?;
    let offset = match rest.strip_prefix(['.', ',']) {
        None => rest,
        Some(fraction) => {
            let offset = fraction.trim_start_matches(|digit: char| digit.is_ascii_digit());
            if offset.len() == fraction.len() {
                return None;
            }
            offset
        }
    };
    let offset = match offset.strip_prefix(' ') {
        Some(signed) if signed.starts_with(['+', '-', ' ', 'Z', 'z']) => signed,
        _ => offset,
    };
    let seconds = if offset.is_empty() {
        local_to_utc(zone, local)
    } else {
        local.and_utc().timestamp() - parse_offset(offset)?
    };
    // The zone may move the first or last day out of the printable range.
    seconds_in_range(seconds).then_some(seconds)
}

/// The seconds of `Z`, `+02:00`, `+0200` or `+02`. A `+` that was sent without an
/// escape arrives as a space.
fn parse_offset(text: &str) -> Option<i64> {
    if text == "Z" || text == "z" {
        return Some(0);
    }
    let (sign, digits) = text.split_at_checked(1)?;
    let sign = match sign {
        "+" | " " => 1,
        "-" => -1,
        _ => return None,
    };
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let number = |text: &str, limit: i64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.filter(|number| *number < limit)
    };
    let minutes = if minutes.is_empty() && digits.len() == 2 {
        0
    } else {
        number(minutes, 60)?
    };
    Some(sign * (number(hours, 24)? * 3600 + minutes * 60))
}

/// Reads `YYYY-MM-DD HH:MM:SS`, exactly so.
pub fn parse_timestamp(text: &str) -> Option<NaiveDateTime> {
    let shape = text.len() == 19
        && text.bytes().enumerate().all(|(place, byte)| match place {
            4 | 7 => byte == b'-',
            10 => byte == b' ',
            13 | 16 => byte == b':',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let part = |from: usize, to: usize| text.get(from..to)?.parse::<u32>().ok();
    let year = i32::try_from(part(0, 4)?).ok()?;
    NaiveDate::from_ymd_opt(year, part(5, 7)?, part(8, 10)?)?.and_hms_opt(
        part(11, 13)?,
        part(14, 16)?,
        part(17, 19)?,
    )
}

/// The variable `time`: whole Unix seconds that can be printed.
pub(super) fn parse_unix_seconds(text: &str) -> Option<i64> {
    parse_number(text.strip_prefix('-').unwrap_or(text))?;
    text.parse()
        .ok()
        .filter(|seconds| seconds_in_range(*seconds))
}

/// Unix seconds as RFC 3339 in UTC, whole seconds: `2025-10-09T08:53:20Z`.
pub fn seconds_to_rfc3339(seconds: i64) -> String {
    DateTime::<Utc>::from_timestamp(seconds, 0)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Unix microseconds as RFC 3339 in UTC: `2025-10-09T08:53:20.123456Z`.
pub fn micros_to_rfc3339(micros: i64) -> String {
    DateTime::<Utc>::from_timestamp_micros(micros)
        .unwrap_or_default()
        .to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Unix microseconds of an RFC 3339 time; finer fractions are cut off.
pub fn parse_rfc3339_micros(text: &str) -> Option<i64> {
    let micros = DateTime::parse_from_rfc3339(text).ok()?.timestamp_micros();
    seconds_in_range(micros.div_euclid(1_000_000)).then_some(micros)
}

/// Unix seconds that lines of answers have as RFC 3339: for serde's `with`.
pub(crate) mod rfc3339 {
    use serde::{Deserializer, Serializer};

    use super::seconds_to_rfc3339;

    pub fn serialize<S: Serializer>(seconds: &i64, output: S) -> Result<S::Ok, S::Error> {
        output.serialize_str(&seconds_to_rfc3339(*seconds))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
        Ok(micros::deserialize(input)?.div_euclid(1_000_000))
    }

    /// The same of Unix microseconds.
    pub mod micros {
        use serde::de::Error;
        use serde::{Deserialize, Deserializer, Serializer};

        use super::super::{micros_to_rfc3339, parse_rfc3339_micros};

        pub fn serialize<S: Serializer>(micros: &i64, output: S) -> Result<S::Ok, S::Error> {
            output.serialize_str(&micros_to_rfc3339(*micros))
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<i64, D::Error> {
            let micros = parse_rfc3339_micros(&String::deserialize(input)?);
            micros.ok_or_else(|| D::Error::custom("not an RFC 3339 time"))
        }
    }

    /// The same where there may be none.
    pub mod option {
        use serde::{Deserializer, Serializer};

        pub fn serialize<S: Serializer>(
            seconds: &Option<i64>,
            output: S,
        ) -> Result<S::Ok, S::Error> {
            match seconds {
                Some(seconds) => super::serialize(seconds, output),
                None => output.serialize_none(),
            }
        }

        pub fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Option<i64>, D::Error> {
            super::deserialize(input).map(Some)
        }
    }
}

/// The present moment in Unix microseconds.
pub fn now_micros() -> i64 {
    Utc::now().timestamp_micros()
}

/// The present moment in Unix seconds.
pub fn now_seconds() -> i64 {
    Utc::now().timestamp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn amsterdam(text: &str) -> Option<i64> {
        Some(local_to_utc(
            chrono_tz::Europe::Amsterdam,
            parse_timestamp(text)?,
        ))
    }

    #[test]
    fn local_times_are_read_as_php_reads_them() {
        // Each pair as PHP's strtotime gives it in Europe/Amsterdam.
        assert_eq!(amsterdam("2025-10-09 10:53:20"), Some(1_760_000_000));
        assert_eq!(amsterdam("2025-03-30 02:30:00"), Some(1_743_298_200));
        assert_eq!(amsterdam("2025-03-30 02:00:00"), Some(1_743_296_400));
        assert_eq!(amsterdam("2025-10-26 02:30:00"), Some(1_761_438_600));
    }

    #[test]
    fn a_skipped_day_is_left_forward() {
        let samoa = zone_from_name("Pacific/Apia").unwrap();
        let skipped = parse_timestamp("2011-12-30 12:00:00").unwrap();
        assert_eq!(
            seconds_to_rfc3339(local_to_utc(samoa, skipped)),
            "2011-12-30T22:00:00Z"
        );
    }

    #[test]
    fn only_the_senders_form_is_a_timestamp() {
        for text in [
            "",
            "0000-00-00 00:00:00",
            "2025-02-30 00:00:00",
            "2025-01-01T00:00:00",
            "2025-01-01 24:00:00",
            "2025-01-01 00:00:60",
            "2025-1-01 00:00:000",
            "+025-01-01 00:00:00",
            "2025-01-01 00:00:0é",
        ] {
            assert_eq!(parse_timestamp(text), None, "{text}");
        }
    }

    #[test]
    fn event_timestamps_may_have_a_fraction_and_an_offset() {
        let zone = chrono_tz::Europe::Amsterdam;
        for text in [
            "2025-10-09 10:53:20",
            "2025-10-09T10:53:20",
            "2025-10-09T10:53:20.999",
            "2025-10-09T08:53:20Z",
            "2025-10-09 08:53:20.5z",
            "2025-10-09T10:53:20+02:00",
            "2025-10-09T10:53:20 02:00",
            "2025-10-09 10:53:20 +02:00",
            "2025-10-09 04:23:20 -0430",
            "2025-10-09 08:53:20 Z",
            "2025-10-09T10:53:20.123456+0200",
            "2025-10-09T04:23:20-04:30",
            "2025-10-09T10:53:20+02",
        ] {
            assert_eq!(
                parse_event_timestamp(zone, text),
                Some(1_760_000_000),
                "{text}"
            );
        }
        for text in [
            "2025-10-09",
            "2025-10-09t10:53:20",
            "2025-10-09T10:53:20.",
            "2025-10-09T10:53:20.Z",
            "2025-10-09T10:53:20+",
            "2025-10-09T10:53:20+2",
            "2025-10-09T10:53:20+02:",
            "2025-10-09T10:53:20+02:60",
            "2025-10-09T10:53:20+24:00",
            "2025-10-09T10:53:20 UTC",
            "2025-10-09T10:53:20+é1:00",
            "0000-01-01T00:00:00+01:00",
        ] {
            assert_eq!(parse_event_timestamp(zone, text), None, "{text}");
        }
    }

    #[test]
    fn unix_seconds_are_whole_and_printable() {
        for (text, seconds) in [
            ("0", Some(0)),
            ("-5", Some(-5)),
            ("253402300799", Some(253_402_300_799)),
        ] {
            assert_eq!(parse_unix_seconds(text), seconds);
        }
        for text in [
            "",
            "-",
            "+1",
            "1.0",
            " 1",
            "253402300800",
            "99999999999999999999",
            "1e3",
        ] {
            assert_eq!(parse_unix_seconds(text), None, "{text}");
        }
    }
}

//! The fuzz target of command-line values.

use crate::event::{
    ProfileKey, is_label, local_to_utc, parse_rfc3339_micros, parse_timestamp, seconds_in_range,
    seconds_to_rfc3339, zone_from_name,
};
use crate::format::plain;
use crate::query::{Clock, Rounding, parse_span, parse_time};

/// 2025-10-09T08:53:20Z.
const NOW: i64 = 1_760_000_000;

/// Reads a text as a time, a span, a (sub)profile, a label and a zone, and writes it on a
/// terminal. Invariants: nothing panics; a printed time is read as the same time;
/// rounding moves it by at most a second; a printed key is read as the same key; and no
/// control character reaches the terminal.
pub fn command_line(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let text = text.as_ref();
    for zone in [
        chrono_tz::Europe::Amsterdam,
        chrono_tz::UTC,
        chrono_tz::America::New_York,
        chrono_tz::Pacific::Apia,
    ] {
        let read = |text: &str, rounding| parse_time(text, Clock { zone, now: NOW }, rounding);
        let (down, up) = (read(text, Rounding::Down), read(text, Rounding::Up));
        if let (Ok(down), Ok(up)) = (&down, &up) {
            assert!((0..=1).contains(&(up - down)), "{down} and {up}");
        }
        for seconds in down.iter().chain(&up) {
            assert!(seconds_in_range(*seconds));
            for again in [seconds_to_rfc3339(*seconds), format!("@{seconds}")] {
                assert_eq!(read(&again, Rounding::Up), Ok(*seconds), "{again}");
            }
        }
        if let Some(local) = parse_timestamp(text) {
            local_to_utc(zone, local);
        }
    }
    if let Ok(keep) = parse_span(text) {
        let before = keep.before(NOW);
        assert!(before.is_none_or(|before| before <= NOW - 86_400));
    }
    if let Ok(key) = text.parse::<ProfileKey>() {
        assert_eq!(key.to_string().parse(), Ok(key));
    }
    if is_label(text) {
        assert!(text.is_ascii() && !text.contains(['/', '.', ' ']));
    }
    if let Some(micros) = parse_rfc3339_micros(text) {
        assert!(seconds_in_range(micros.div_euclid(1_000_000)));
    }
    let _ = zone_from_name(text);
    let shown = plain(text);
    assert!(!shown.chars().any(char::is_control));
    assert_eq!(plain(&shown), shown);
}

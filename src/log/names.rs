//! The file names of segments.

use super::frame::MAX_SEQ;
use crate::event::parse_number;

/// The file name of the plain segment that begins with a `seq`.
pub(super) fn segment_name(first_seq: u64) -> String {
    format!("{first_seq:020}.log")
}

/// The file name of the sealed segment that begins with a `seq`.
pub(super) fn sealed_name(first_seq: u64) -> String {
    format!("{first_seq:020}.log.zst")
}

/// The first `seq` of a segment, and whether it is sealed, from its file name.
pub(super) fn parse_segment_name(name: &str) -> Option<(u64, bool)> {
    let plain = name.strip_suffix(".zst");
    let number = plain.unwrap_or(name).strip_suffix(".log")?;
    let first_seq = parse_number(number).filter(|seq| (1..=MAX_SEQ).contains(seq))?;
    if number.len() != 20 {
        return None;
    }
    Some((first_seq, plain.is_some()))
}

/// Whether a file name is that of a segment.
pub fn is_segment_name(name: &str) -> bool {
    parse_segment_name(name).is_some()
}

/// The first `seq` of a sealed segment, from its file name.
pub fn sealed_segment_of(name: &str) -> Option<u64> {
    let (first_seq, is_sealed) = parse_segment_name(name)?;
    is_sealed.then_some(first_seq)
}

/// The first `seq` of the segment to which a set-aside file of recovery or repair
/// belongs, by its name.
pub fn segment_of_set_aside(name: &str) -> Option<u64> {
    let (segment, _) = name
        .split_once(".torn-")
        .or_else(|| name.split_once(".damaged-"))?;
    let number = segment.split('.').next()?;
    parse_segment_name(&format!("{number}.log")).map(|(first_seq, _)| first_seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_as_they_are_made() {
        assert_eq!(parse_segment_name(&segment_name(42)), Some((42, false)));
        assert_eq!(parse_segment_name(&sealed_name(42)), Some((42, true)));
        for name in [
            "42.log",
            "00000000000000000042.blocks",
            "00000000000000000042.zst",
            "00000000000000000042.log.zst.new",
            "0000000000000000004x.log",
            "00000000000000000000.log",
            "18446744073709551615.log",
        ] {
            assert_eq!(parse_segment_name(name), None, "{name}");
        }
        for end in [
            "torn-12-0",
            "log.damaged-20260101T000000Z",
            "log.zst.damaged-1",
        ] {
            let name = format!("00000000000000000042.{end}");
            assert_eq!(segment_of_set_aside(&name), Some(42), "{name}");
        }
        assert_eq!(segment_of_set_aside(&segment_name(42)), None);
    }
}

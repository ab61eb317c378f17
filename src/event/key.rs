//! The names of profiles and subprofiles.

use std::fmt;
use std::str::FromStr;

use bincode::{Decode, Encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an event speaks of: a profile (`123`) or a subprofile of one (`123/456`).
///
/// Database and collection are attributes of an event, not part of the key.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    JsonSchema,
    Encode,
    Decode,
)]
#[cfg_attr(test, derive(Default))]
pub struct ProfileKey {
    /// The profile.
    pub profile: u64,
    /// The subprofile; null for the profile itself.
    pub subprofile: Option<u64>,
}

impl ProfileKey {
    /// The key of a profile itself.
    pub const fn profile(profile: u64) -> Self {
        Self {
            profile,
            subprofile: None,
        }
    }

    /// The key of a subprofile.
    pub const fn subprofile(profile: u64, subprofile: u64) -> Self {
        Self {
            profile,
            subprofile: Some(subprofile),
        }
    }
}

impl fmt::Display for ProfileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.subprofile {
            None => write!(f, "{}", self.profile),
            Some(subprofile) => write!(f, "{}/{subprofile}", self.profile),
        }
    }
}

/// A number of only decimal digits, within 64 bits.
pub(crate) fn parse_number(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

impl FromStr for ProfileKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let key = match text.split_once('/') {
            None => parse_number(text).map(Self::profile),
            Some((profile, own)) => {
                let numbers = parse_number(profile).zip(parse_number(own));
                numbers.map(|(profile, own)| Self::subprofile(profile, own))
            }
        };
        key.ok_or_else(|| {
            format!("'{text}' is not a profile: write 123, or 123/456 for a subprofile of it")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_what_they_print() {
        for key in [ProfileKey::profile(123), ProfileKey::subprofile(123, 456)] {
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "x",
            "-1",
            "+1",
            "1/",
            "/1",
            "1/2/3",
            " 1",
            "1.0",
            "18446744073709551616",
        ] {
            assert!(text.parse::<ProfileKey>().is_err(), "{text:?}");
        }
    }
}

//! The names of incidents.
//!
//! An incident is named after its field and the `seq` of one of its events, the
//! first: `mail-1234`. An interest's name, and a field's name of any other form, is
//! shortened and gets some digits of its digest, so that names of different fields
//! never collide.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::event::parse_number;
use crate::history::Subject;

/// The longest field name that is used unchanged in an incident's name.
const LONGEST: usize = 40;

/// The name of an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct IncidentId {
    /// The field.
    pub(super) word: String,
    /// One of the events.
    pub(super) seq: u64,
}

/// The word for a field or an interest.
pub(super) fn word(subject: &Subject<'_>) -> String {
    let name = subject.name();
    let simple = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_simple = !name.is_empty() && name.len() <= LONGEST && name.bytes().all(simple);
    if let (Subject::Field(_), true) = (subject, is_simple) {
        return name.to_owned();
    }
    let digest = Sha256::digest(format!("{}:{name}", subject.kind()));
    let short = name
        .chars()
        .filter(|character| character.is_ascii_alphanumeric());
    let short: String = short.take(LONGEST).collect();
    format!("{short}.{digest:.8x}")
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.word, self.seq)
    }
}

impl From<IncidentId> for String {
    fn from(id: IncidentId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for IncidentId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl FromStr for IncidentId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "{text:?} is not an incident: write mail-1234, as 'profiletrail incidents' names them"
            )
        };
        let (word, seq) = text.rsplit_once('-').ok_or_else(wrong)?;
        let part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.');
        let is_word = !word.is_empty() && word.len() <= 2 * LONGEST && word.bytes().all(part);
        let seq = parse_number(seq).filter(|seq| is_word && *seq > 0);
        Ok(Self {
            word: word.to_owned(),
            seq: seq.ok_or_else(wrong)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::borrow::Cow;

    fn field(name: &str) -> Subject<'_> {
        Subject::Field(Cow::Borrowed(name))
    }

    #[test]
    fn simple_names_are_kept_and_others_made_distinct() {
        assert_eq!(word(&field("First_name2")), "First_name2");
        let words = ["e-mail", "email.", "e mail", "", "é"].map(|name| word(&field(name)));
        for (place, word) in words.iter().enumerate() {
            assert!(word.contains('.') && !words.iter().skip(place + 1).any(|other| other == word));
        }
        let interest = Subject::Interest(Cow::Borrowed("email"));
        assert_ne!(word(&interest), word(&field("email")));
        for text in [
            "",
            "mail",
            "mail-",
            "-1",
            "mail-x",
            "mail-0",
            "mail-+1",
            "a b-1",
            "a/b-1",
            "mail-99999999999999999999",
        ] {
            assert!(text.parse::<IncidentId>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_is_read(name in ".*", interest: bool, seq in 1_u64..) {
            let name = Cow::Owned(name);
            let subject = if interest { Subject::Interest(name) } else { Subject::Field(name) };
            let id = IncidentId { word: word(&subject), seq };
            prop_assert_eq!(id.to_string().parse(), Ok(id));
        }
    }
}

//! The page cursor: a mark as text, with which a client requests the next page.
//!
//! It is base64url of the mark in bincode and a truncated digest over the mark,
//! the store and the query. A mistyped cursor, or one of another store or query,
//! is therefore refused instead of answered with lines that do not continue the
//! previous page. It is not a secret: a client with access may request any page.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bincode::config::{Configuration, standard};
use sha2::{Digest, Sha256};

use crate::event::DecodeError;
use crate::query::Mark;

const CONFIG: Configuration = standard();

/// The length of the truncated digest in bytes.
const CHECK: usize = 12;

/// The maximum length of a cursor.
const LONGEST: usize = 100;

/// Encodes a mark of a query's answer.
pub(super) fn write(mark: Mark, store: u64, question: &str) -> String {
    // Encoding plain numbers cannot fail.
    let mut bytes = bincode::encode_to_vec(mark, CONFIG).unwrap_or_default();
    let check = check(&bytes, store, question);
    bytes.extend_from_slice(&check);
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(super) fn read(text: &str, store: u64, question: &str) -> Result<Mark, DecodeError> {
    let decoded = match text.len() {
        0..=LONGEST => URL_SAFE_NO_PAD.decode(text).unwrap_or_default(),
        _ => Vec::new(),
    };
    decoded
        .split_last_chunk()
        .filter(|(mark, known)| check(mark, store, question) == **known)
        .and_then(|(mark, _)| bincode::decode_from_slice(mark, CONFIG).ok())
        .map(|(mark, _)| mark)
        .ok_or_else(|| {
            let what = "it is not a cursor of this question: use the whole address from Link, or \
                        leave it out";
            DecodeError::new(what, "after")
        })
}

fn check(mark: &[u8], store: u64, question: &str) -> [u8; CHECK] {
    let digest = Sha256::new()
        .chain_update(b"profiletrail mark 1\n")
        .chain_update(store.to_le_bytes())
        .chain_update((mark.len() as u64).to_le_bytes())
        .chain_update(mark)
        .chain_update(question)
        .finalize();
    digest.first_chunk().copied().unwrap_or_default()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::event::ProfileKey;
    use crate::history::Place;
    use proptest::prelude::*;

    fn mark() -> impl Strategy<Value = Mark> {
        prop_oneof![
            any::<(i64, u8, u64, Option<u64>)>().prop_map(|(time, rank, seq, subprofile)| {
                Mark::Event(Place { time, rank, seq }, subprofile)
            }),
            any::<(i64, u64, Option<u64>, u32, [u8; 8])>().prop_map(
                |(time, seq, subprofile, place, subject)| Mark::Change {
                    time,
                    seq,
                    subprofile,
                    place,
                    subject,
                }
            ),
            any::<(u64, Option<u64>)>().prop_map(|(profile, subprofile)| {
                Mark::Baseline(ProfileKey {
                    profile,
                    subprofile,
                })
            }),
            any::<u64>().prop_map(Mark::Number),
        ]
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_was_written_and_no_other(mark in mark(), store: u64, at: usize, to in "[A-Za-z0-9_=-]") {
            let text = write(mark, store, "/v1/x");
            prop_assert!(text.len() <= LONGEST);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)));
            prop_assert_eq!(read(&text, store, "/v1/x"), Ok(mark));
            prop_assert!(read(&text, store ^ 1, "/v1/x").is_err());
            prop_assert!(read(&text, store, "/v1/x?a=b").is_err());
            let at = at % text.len();
            let mut tampered = text.clone();
            tampered.replace_range(at..=at, &to);
            if tampered != text {
                prop_assert!(read(&tampered, store, "/v1/x").is_err());
            }
            prop_assert!(read(&text[at..], store, "/v1/x").is_err() || at == 0);
        }

        #[test]
        fn nothing_else_is_one(text in "[ -~é]{0,60}") {
            prop_assert_eq!(read(&text, 0, "/v1/x").unwrap_err().place, "after");
        }
    }
}

//! Decodes the bytes of a call to text.
//!
//! Text is read in the charset that the `Content-Type` names, else as UTF-8. Invalid text
//! is read as Windows-1252, which has a character for every byte, so different invalid
//! values never look equal. (Unassigned bytes are the C1 controls of the same number.)

use std::borrow::Cow;

use bincode::de::BorrowDecoder;
use bincode::enc::Encoder;
use bincode::error::{DecodeError, EncodeError};
use bincode::{BorrowDecode, Encode};
use encoding_rs::{Encoding, REPLACEMENT, UTF_8, WINDOWS_1252};

/// The labels of every charset that a call can name, except UTF-8, the common ones first.
const OTHERS: &str = "windows-1252 iso-8859-15 windows-1250 windows-1251 windows-1253 windows-1254 \
    windows-1255 windows-1256 windows-1257 windows-1258 windows-874 iso-8859-2 iso-8859-3 iso-8859-4 \
    iso-8859-5 iso-8859-6 iso-8859-7 iso-8859-8 iso-8859-8-i iso-8859-10 iso-8859-13 iso-8859-14 \
    iso-8859-16 koi8-r koi8-u ibm866 macintosh x-mac-cyrillic x-user-defined big5 euc-jp euc-kr \
    gb18030 gbk iso-2022-jp shift_jis utf-16be utf-16le";

/// A charset that a call named; stored by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(&'static Encoding);

impl Charset {
    /// The default charset.
    pub const UTF_8: Self = Self(UTF_8);

    /// The charset of a label such as `ISO-8859-1`, in upper or lower case.
    pub fn from_label(label: &str) -> Option<Self> {
        Encoding::for_label(label.as_bytes())
            .filter(|encoding| *encoding != REPLACEMENT)
            .map(Self)
    }

    /// Every charset except UTF-8, the common ones first.
    pub(super) fn others() -> impl Iterator<Item = Self> {
        OTHERS.split(' ').filter_map(Self::from_label)
    }

    /// Whether ASCII bytes stand for themselves, so that a form can be split before it is
    /// decoded.
    pub fn is_ascii_compatible(self) -> bool {
        self.0.is_ascii_compatible()
    }

    /// Whether it is UTF-8.
    pub fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// The text of bytes.
    pub fn decode(self, bytes: &[u8]) -> Cow<'_, str> {
        if self.is_utf8()
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Cow::Borrowed(text);
        }
        let text = self
            .0
            .decode_without_bom_handling_and_without_replacement(bytes);
        text.unwrap_or_else(|| WINDOWS_1252.decode_without_bom_handling(bytes).0)
    }

    /// The text of a JSON body. In UTF-8, each invalid string is decoded separately.
    pub fn decode_json(self, body: &[u8]) -> Cow<'_, str> {
        match std::str::from_utf8(body) {
            Ok(text) if self.is_utf8() => Cow::Borrowed(text),
            Err(_) if self.is_utf8() => Cow::Owned(self.decode_strings(body)),
            _ => self.decode(body),
        }
    }

    /// The text of JSON; its strings and the text between them are decoded one by one.
    fn decode_strings(self, body: &[u8]) -> String {
        let mut text = String::with_capacity(body.len());
        let mut rest = body;
        while !rest.is_empty() {
            let mut escaped = false;
            let quote = rest.iter().position(|byte| {
                let found = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                found
            });
            let (part, after) = rest.split_at(quote.map_or(rest.len(), |quote| quote + 1));
            text.push_str(&self.decode(part));
            rest = after;
        }
        text
    }
}

impl Encode for Charset {
    fn encode<E: Encoder>(&self, encoder: &mut E) -> Result<(), EncodeError> {
        self.0.name().encode(encoder)
    }
}

/// Borrows the name: bincode would allocate an owned one by the length that the bytes
/// claim.
impl<'de, C> BorrowDecode<'de, C> for Charset {
    fn borrow_decode<D: BorrowDecoder<'de, Context = C>>(
        decoder: &mut D,
    ) -> Result<Self, DecodeError> {
        let name = <&str>::borrow_decode(decoder)?;
        Self::from_label(name).ok_or(DecodeError::Other("an unknown charset"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn json_strings_that_are_not_utf8_are_read_by_themselves() {
        let text = Charset::UTF_8.decode_json(b"{\"a\":\"Ren\xE9\\\"\",\"b\":\"\xC3\xA9\"}");
        assert_eq!(text, "{\"a\":\"René\\\"\",\"b\":\"é\"}");
        let utf16 = Charset::from_label("utf-16le").unwrap();
        assert_eq!(utf16.decode_json(b"{\0}\0"), "{}");
    }

    #[test]
    fn unknown_labels_are_refused() {
        for label in ["foo", "", "iso-2022-kr"] {
            assert_eq!(Charset::from_label(label), None, "{label}");
        }
        assert_eq!(Charset::from_label("UTF8"), Some(Charset::UTF_8));
        assert_eq!(Charset::others().count(), 38);
        for charset in Charset::others() {
            assert_eq!(Charset::from_label(charset.0.name()), Some(charset));
        }
    }

    proptest! {
        #[test]
        fn different_invalid_values_differ(one: Vec<u8>, other: Vec<u8>) {
            let invalid = |bytes: &[u8]| std::str::from_utf8(bytes).is_err();
            prop_assume!(one != other && invalid(&one) && invalid(&other));
            prop_assert_ne!(Charset::UTF_8.decode(&one), Charset::UTF_8.decode(&other));
        }

        #[test]
        fn a_charset_is_stored_by_its_name(index in 0..5_usize) {
            let label = ["utf-8", "iso-8859-1", "koi8-r", "big5", "utf-16be"][index];
            let charset = Charset::from_label(label).unwrap();
            let bytes = bincode::encode_to_vec(charset, bincode::config::standard()).unwrap();
            let (read, _): (Charset, usize) =
                bincode::borrow_decode_from_slice(&bytes, bincode::config::standard()).unwrap();
            prop_assert_eq!(read, charset);
            let claims_too_much = [&[0xfd][..], &[0xff; 8]].concat();
            let read = bincode::borrow_decode_from_slice::<Charset, _>(
                &claims_too_much,
                bincode::config::standard(),
            );
            prop_assert!(read.is_err());
        }
    }
}

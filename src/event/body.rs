//! The forms in which a body is kept, among them what an observed event saw.

use bincode::{BorrowDecode, Encode};

use super::charset::Charset;
use super::decode::{Content, decode_content};
use super::error::DecodeError;

/// The format of a kept body's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, BorrowDecode)]
pub enum BodyKind {
    /// `application/x-www-form-urlencoded`, as PHP's `http_build_query` makes it.
    Form,
    /// `application/json` with the same variables.
    Json,
    /// The content of an export line whose original bytes are not known: the
    /// JSON form of [`super::Content`].
    Content,
    /// The same for an observed event of an existing (sub)profile. No call's body is of
    /// this kind, or of the next.
    Observed,
    /// The same of an observed event that saw that a (sub)profile was not there.
    Gone,
    /// A form in another charset than UTF-8.
    FormIn(Charset),
    /// JSON in another charset than UTF-8.
    JsonIn(Charset),
}

impl BodyKind {
    /// Whether the bytes are those of a call.
    pub const fn is_as_sent(self) -> bool {
        matches!(
            self,
            Self::Form | Self::Json | Self::FormIn(_) | Self::JsonIn(_)
        )
    }

    /// The content of an observed event; `None` for other events.
    pub const fn seen(self) -> Option<Seen> {
        match self {
            Self::Observed => Some(Seen::Present),
            Self::Gone => Some(Seen::Gone),
            _ => None,
        }
    }

    /// The kind of a call's body that has this content: an export does not say
    /// how its bodies were sent.
    pub fn of_content(body: &[u8], content: &Content<'_>) -> Option<Self> {
        let others = Charset::others().flat_map(|charset| {
            let form = charset
                .is_ascii_compatible()
                .then_some(Self::FormIn(charset));
            form.into_iter().chain([Self::JsonIn(charset)])
        });
        let mut kinds = [Self::Form, Self::Json].into_iter().chain(others);
        kinds.find(|kind| decode_content(*kind, body).is_ok_and(|read| read == *content))
    }

    /// The kind that a `Content-Type` header names. Without the header, the body is a
    /// form in UTF-8, as in Copernica's documentation. So is an empty body of any type,
    /// which is a test of the address.
    ///
    /// # Errors
    /// No webhook sends this type, or the charset is unknown.
    pub fn from_content_type(header: Option<&str>, body: &[u8]) -> Result<Self, DecodeError> {
        let refused = |reason: &str| DecodeError::new(reason, "Content-Type");
        let Some(header) = header.filter(|_| !body.is_empty()) else {
            return Ok(Self::Form);
        };
        let (essence, parameters) = header.split_once(';').unwrap_or((header, ""));
        let essence = essence.trim();
        let json = essence.eq_ignore_ascii_case("application/json");
        if !json && !essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(refused(
                "only application/x-www-form-urlencoded and application/json are accepted",
            ));
        }
        let charset = match charset_parameter(parameters) {
            None => Charset::UTF_8,
            Some(label) => Charset::from_label(label)
                .filter(|charset| json || charset.is_ascii_compatible())
                .ok_or_else(|| {
                    let shown: String = label.chars().take(40).collect();
                    refused(&format!("the charset {shown:?} is not supported"))
                })?,
        };
        Ok(match (json, charset.is_utf8()) {
            (false, true) => Self::Form,
            (false, false) => Self::FormIn(charset),
            (true, true) => Self::Json,
            (true, false) => Self::JsonIn(charset),
        })
    }
}

/// What an observed event saw of a (sub)profile.
///
/// An observed event is not a call: `reconcile --record` adds it for what an
/// export of Copernica shows. It is known by the kind of its body, which no
/// call can have, never by its type's word, which any call may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It was there, with the values in the event.
    Present,
    /// It was not there any more.
    Gone,
}

impl Seen {
    /// The type's word of observed events.
    pub const TYPE: &'static str = "observed";

    /// The word in export lines.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Gone => "gone",
        }
    }

    /// What a word in an export line says.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Present, Self::Gone]
            .into_iter()
            .find(|seen| seen.name() == name)
    }

    /// The kind of the body that says so.
    pub const fn body_kind(self) -> BodyKind {
        match self {
            Self::Present => BodyKind::Observed,
            Self::Gone => BodyKind::Gone,
        }
    }
}

/// The value of `charset` among the parameters of a `Content-Type`; an empty one
/// names none.
fn charset_parameter(parameters: &str) -> Option<&str> {
    let pairs = parameters
        .split(';')
        .filter_map(|pair| pair.split_once('='));
    pairs
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))
        .map(|(_, value)| value.trim().trim_matches(['"', '\'']).trim())
        .find(|label| !label.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_names_type_and_charset() {
        let form = "application/x-www-form-urlencoded";
        let latin = Charset::from_label("windows-1252").unwrap();
        let japanese = Charset::from_label("shift_jis").unwrap();
        for (header, kind) in [
            (form.to_owned(), Some(BodyKind::Form)),
            (format!("{form}; charset=utf-8"), Some(BodyKind::Form)),
            (format!("{form};charset=\"UTF-8\""), Some(BodyKind::Form)),
            (format!("{form}; charset="), Some(BodyKind::Form)),
            (
                format!("{form}; x=y; Charset=ISO-8859-1"),
                Some(BodyKind::FormIn(latin)),
            ),
            (format!("{form}; charset=foo"), None),
            (format!("{form}; charset=utf-16"), None),
            (
                " APPLICATION/JSON ;charset=shift_jis".to_owned(),
                Some(BodyKind::JsonIn(japanese)),
            ),
            ("application/json; charset=foo".to_owned(), None),
            ("text/plain".to_owned(), None),
            (String::new(), None),
        ] {
            let found = BodyKind::from_content_type(Some(&header), b"a=1");
            assert_eq!(found.ok(), kind, "{header}");
        }
        assert_eq!(
            BodyKind::from_content_type(None, b"a=1"),
            Ok(BodyKind::Form)
        );
        assert_eq!(
            BodyKind::from_content_type(Some("text/plain"), b""),
            Ok(BodyKind::Form)
        );
    }

    #[test]
    fn the_kind_of_a_body_follows_from_its_content() {
        let japanese = Charset::from_label("shift_jis").unwrap();
        for (kind, body) in [
            (BodyKind::Form, b"fields[a]=%C3%A9".as_slice()),
            (BodyKind::Json, br#"{"fields":{"a":"1"}}"#),
            (BodyKind::FormIn(japanese), b"fields[a]=%83%5B%FD"),
        ] {
            let content = decode_content(kind, body).unwrap();
            let found = BodyKind::of_content(body, &content).unwrap();
            assert_eq!(decode_content(found, body), Ok(content));
        }
        let content = decode_content(BodyKind::Form, b"fields[a]=1").unwrap();
        assert_eq!(BodyKind::of_content(b"fields[a]=2", &content), None);
    }
}

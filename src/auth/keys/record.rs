//! The text of a key record: the tag list of RFC 6376, sections 3.2 and 3.6.1.
//!
//! Only the form is checked here; [`super::PublicKey`] checks the values. White space may surround
//! names, `=`, values and `;`; inside a value it is kept, for the reader of that value.

use indexmap::IndexMap;

/// Bytes of a record's joined strings; an RSA key of 8192 bits takes some 1,400.
pub(super) const MAX_RECORD: usize = 8 * 1024;

/// The values of a tag list by their names, in order; an error says what is wrong.
pub(super) fn parse_tags(text: &str) -> Result<IndexMap<&str, &str>, &'static str> {
    if text.len() > MAX_RECORD {
        return Err("it is longer than 8 KiB");
    }
    let mut tags = IndexMap::new();
    let mut specs = text.split(';').peekable();
    while let Some(spec) = specs.next() {
        let spec = trim(spec);
        if spec.is_empty() && specs.peek().is_none() {
            break;
        }
        let (name, value) = spec.split_once('=').ok_or("a tag has no =")?;
        let (name, value) = (trim(name), trim(value));
        if !is_tag_name(name) {
            return Err("a tag has no name");
        }
        if !value.chars().all(|c| is_space(c) || c.is_ascii_graphic()) {
            return Err("it has characters other than visible ASCII and white space");
        }
        if tags.insert(name, value).is_some() {
            return Err("a tag occurs twice");
        }
    }
    Ok(tags)
}

/// Whether a character is folding white space.
pub(super) fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

fn is_tag_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_tags_and_folds_white_space() {
        let tags = parse_tags("\t v = DKIM1 ;\r\n k=rsa;x_9=;p=A B\tC= ; ").unwrap();
        let expected = [("v", "DKIM1"), ("k", "rsa"), ("x_9", ""), ("p", "A B\tC=")];
        assert!(tags.into_iter().eq(expected));
        assert!(parse_tags("").unwrap().is_empty());
    }

    #[test]
    fn refuses_malformed_tag_lists() {
        for wrong in [
            "a", "a=1;;b=2", "=1", "1a=2", "a b=1", "a=1;a=2", "a=\u{e9}", "a=\0", ";",
        ] {
            assert!(parse_tags(wrong).is_err(), "{wrong:?}");
        }
        assert!(parse_tags(&format!("a={}", "b".repeat(MAX_RECORD))).is_err());
    }
}

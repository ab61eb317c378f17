//! Labels: the last part of a webhook's address.

/// Whether a text is a label: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_` and `-`.
pub fn is_label(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

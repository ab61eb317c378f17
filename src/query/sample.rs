//! Sample values of a group: long ones are truncated to bound memory.

use std::borrow::Cow;

use crate::history::Value;

/// The maximum number of bytes of a kept value.
const LONGEST: usize = 1024;

/// A value for an answer that summarizes many; one of more than 1,024 bytes is
/// truncated and ends with an ellipsis.
pub(super) fn sample(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Text(text) if text.len() > LONGEST => {
            let mut end = LONGEST;
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            let kept = text.get(..end).unwrap_or_default();
            Value::Text(Cow::Owned(format!("{kept}…")))
        }
        value => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_values_are_cut_between_characters() {
        let text = |text: String| Value::Text(Cow::Owned(text));
        assert_eq!(sample(&text("é".repeat(512))), text("é".repeat(512)));
        let long = text(format!("a{}", "é".repeat(512)));
        assert_eq!(sample(&long), text(format!("a{}…", "é".repeat(511))));
        assert_eq!(sample(&Value::Absent), Value::Absent);
    }
}

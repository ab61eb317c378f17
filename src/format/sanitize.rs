//! Values are untrusted: they must not move a terminal's cursor, change its colours, or
//! contain invisible text.

use std::fmt::Write;

/// Whether a character must be escaped on a terminal: controls, those that change the
/// direction of text, and those without width.
pub fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{2800}' | '\u{3164}' | '\u{FE00}'..='\u{FE0D}' | '\u{FFA0}'
            | '\u{E0100}'..='\u{E01EF}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

/// A text whose unsafe characters are written as escapes.
pub fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => safe.push_str("\\n"),
            '\r' => safe.push_str("\\r"),
            '\t' => safe.push_str("\\t"),
            character if is_unsafe(character) => {
                // Writing to a string does not fail.
                let _ = write!(safe, "\\u{{{:x}}}", u32::from(character));
            }
            character => safe.push(character),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn nothing_unsafe_gets_through() {
        let hostile = "a\u{1b}[31m\u{202e}b\u{200b}c\r\n\u{7f}\u{9b}\u{feff}é李";
        assert_eq!(
            plain(hostile),
            "a\\u{1b}[31m\\u{202e}b\\u{200b}c\\r\\n\\u{7f}\\u{9b}\\u{feff}é李"
        );
    }
}

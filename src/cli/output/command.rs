//! A suggested command, wrapped to the width of the screen.
//!
//! Lines break between words with a trailing `\`, so that a shell accepts a copy from
//! the screen. A flag and its value stay together; a word wider than the screen is
//! not broken.

use crate::format::{plain, width_of};

/// Before the lines after the first.
const INDENT: &str = "    ";

/// The lines of a command; `None` means unlimited.
pub fn broken(command: &str, width: Option<usize>) -> Vec<String> {
    let safe = plain(command);
    let Some(width) = width.filter(|width| width_of(&safe) > *width) else {
        return vec![safe];
    };
    let room = width.saturating_sub(" \\".len());
    let mut lines: Vec<String> = Vec::new();
    for part in parts(&safe) {
        match lines.last_mut() {
            Some(line) if width_of(line) + 1 + width_of(part) <= room => {
                line.push(' ');
                line.push_str(part);
            }
            Some(line) => {
                line.push_str(" \\");
                lines.push(format!("{INDENT}{part}"));
            }
            None => lines.push(part.to_owned()),
        }
    }
    lines
}

/// The quoted words of a line for a shell, each flag with its value.
fn parts(line: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut from, mut quote, mut escaped) = (0, None, false);
    let mut words = Vec::new();
    for (place, c) in line.char_indices() {
        match (c, quote) {
            _ if escaped => escaped = false,
            ('\\', None | Some('"')) => escaped = true,
            (' ', None) => {
                words.push((from, place));
                from = place + 1;
            }
            ('"' | '\'', None) => quote = Some(c),
            (c, Some(open)) if c == open => quote = None,
            _ => {}
        }
    }
    words.push((from, line.len()));
    let text = |from, to| line.get(from..to).unwrap_or_default();
    let is_flag = |word: &str| word.starts_with("--") && !word.contains('=');
    let mut words = words.into_iter().peekable();
    while let Some((from, to)) = words.next() {
        let mut end = to;
        if is_flag(text(from, to))
            && let Some((_, next)) = words.next_if(|(from, to)| !text(*from, *to).starts_with('-'))
        {
            end = next;
        }
        parts.push(text(from, end));
    }
    parts
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_command_is_broken_between_words() {
        let command = "profiletrail changes --field 'First name' --label \"it's\" --new '' -n 1";
        assert_eq!(
            broken(command, Some(34)),
            [
                "profiletrail changes \\",
                "    --field 'First name' \\",
                "    --label \"it's\" --new '' -n 1",
            ]
        );
        assert_eq!(broken(command, None), [command]);
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_same_words(
            words in proptest::collection::vec("[-a-z '\"\\\\$é=]{0,9}", 1..8), width in 1_usize..60
        ) {
            let command = shlex::try_join(words.iter().map(String::as_str)).unwrap();
            let lines = broken(&command, Some(width));
            // As a shell does it: a backslash and the line's end are nothing.
            let joined: Vec<&str> = lines.iter().enumerate().map(|(number, line)| {
                let more = number + 1 < lines.len();
                if more { line.strip_suffix('\\').unwrap() } else { line.as_str() }
            }).collect();
            prop_assert_eq!(shlex::split(&joined.concat()).unwrap(), words);
        }
    }
}

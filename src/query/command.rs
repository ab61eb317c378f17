//! The command that shows the events of a row of an answer, as a line for a shell.
//!
//! Names and values are untrusted, so every word is quoted. Control characters are
//! kept: code that displays a line must escape them first.

use serde_json::Value;

use super::filter::Filter;
use super::request::params_of;
use crate::event::seconds_to_rfc3339;

#[derive(Debug)]
pub(super) struct CommandLine {
    words: Vec<String>,
}

impl CommandLine {
    /// This program's command of these words.
    pub fn new(words: &[&str]) -> Self {
        let words = std::iter::once(&"profiletrail").chain(words);
        Self {
            words: words.map(|word| (*word).to_owned()).collect(),
        }
    }

    pub fn flag(mut self, flag: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if value.starts_with('-') {
            // It would be parsed as another flag.
            self.words.push(format!("{flag}={value}"));
        } else {
            self.words.extend([flag.to_owned(), value]);
        }
        self
    }

    /// Adds the flags of a filter, which have the names of its parameters.
    pub fn filter(mut self, filter: &Filter) -> Self {
        for (name, value) in params_of(filter) {
            let flag = format!("--{name}");
            let text = match value {
                Value::Bool(_) => {
                    self.words.push(flag);
                    continue;
                }
                Value::String(text) => text,
                Value::Number(number) if matches!(name.as_str(), "since" | "until") => {
                    seconds_to_rfc3339(number.as_i64().unwrap_or_default())
                }
                other => other.to_string(),
            };
            self = self.flag(&flag, text);
        }
        self
    }

    /// The line; `None` if a word cannot be passed to a command (NUL).
    pub fn line(&self) -> Option<String> {
        shlex::try_join(self.words.iter().map(String::as_str)).ok()
    }
}

/// The command that shows these changes.
pub fn changes_command(filter: &Filter) -> Option<String> {
    CommandLine::new(&["changes"]).filter(filter).line()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::ProfileKey;
    use crate::query::{CauseKind, Span};
    use proptest::prelude::*;

    #[test]
    fn a_line_names_all_that_is_asked_for() {
        let filter = Filter {
            fields: vec!["mail".into(), "it's; rm -rf /".into(), "-x".into()],
            database: Some(3),
            profile: Some(ProfileKey::subprofile(1, 2)),
            span: Span {
                since: Some(1_760_000_000),
                until: None,
            },
            new: Some(String::new()),
            causes: vec![CauseKind::Set],
            labels: vec![String::new()],
            ..Filter::default()
        };
        assert_eq!(
            changes_command(&filter).as_deref(),
            Some(
                "profiletrail changes --field mail --field \"it's; rm -rf /\" '--field=-x' --database 3 \
                 --profile 1/2 --since 2025-10-09T08:53:20Z --new '' --cause set --label ''"
            )
        );
        let nul = Filter {
            fields: vec!["a\0b".into()],
            ..Filter::default()
        };
        assert_eq!(changes_command(&nul), None);
    }

    proptest! {
        #[test]
        fn a_shell_reads_the_words_again(field in "[^\0]*", value in "[^\0]*") {
            let line = CommandLine::new(&["changes"]).flag("--field", field.clone()).flag("--new", value.clone());
            let words = shlex::split(&line.line().unwrap()).unwrap();
            prop_assert_eq!(&words, &line.words);
        }
    }
}

//! The command that shows what a row of an answer speaks of, as a line for a
//! shell.
//!
//! Names and values come from strangers, so every word is quoted. Control
//! characters stand in it as they are: whoever shows a line to people makes it
//! plain first.

use super::request::ChangesQuery;
use crate::event::{ProfileKey, seconds_to_rfc3339};

/// A command on its way.
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

    /// Adds a flag with its value.
    pub fn flag(mut self, flag: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        if value.starts_with('-') {
            // It would be taken for another flag.
            self.words.push(format!("{flag}={value}"));
        } else {
            self.words.extend([flag.to_owned(), value]);
        }
        self
    }

    /// Adds a flag with each of its values.
    fn flags<'v>(self, flag: &str, values: impl IntoIterator<Item = &'v String>) -> Self {
        let values = values.into_iter();
        values.fold(self, |line, value| line.flag(flag, value))
    }

    fn maybe(self, flag: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.flag(flag, value.to_string()),
            None => self,
        }
    }

    /// Adds the flags by which these changes are meant.
    pub fn filter(self, of: &ChangesQuery) -> Self {
        let key = of.profile.map(|profile| ProfileKey {
            profile,
            subprofile: of.subprofile,
        });
        self.flags("--field", &of.fields)
            .flags("--interest", &of.interests)
            .maybe("--database", of.database)
            .maybe("--collection", of.collection)
            .maybe("--profile", key)
            .maybe("--since", of.span.since.map(seconds_to_rfc3339))
            .maybe("--until", of.span.until.map(seconds_to_rfc3339))
            .maybe("--old", of.old.as_ref())
            .maybe("--new", of.new.as_ref())
            .flags("--cause", &of.causes)
            .flags("--label", &of.labels)
            .flags("--type", &of.types)
    }

    /// The line; `None` where a word has what no command can be given (NUL).
    pub fn line(&self) -> Option<String> {
        shlex::try_join(self.words.iter().map(String::as_str)).ok()
    }
}

/// The command that shows these changes.
pub(super) fn changes_command(of: &ChangesQuery) -> Option<String> {
    CommandLine::new(&["changes"]).filter(of).line()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::Span;
    use proptest::prelude::*;

    #[test]
    fn a_line_names_all_that_is_asked_for() {
        let of = ChangesQuery {
            fields: vec!["mail".into(), "it's; rm -rf /".into(), "-x".into()],
            database: Some(3),
            profile: Some(1),
            subprofile: Some(2),
            span: Span {
                since: Some(1_760_000_000),
                until: None,
            },
            new: Some(String::new()),
            causes: vec!["set".into()],
            labels: vec![String::new()],
            ..ChangesQuery::default()
        };
        assert_eq!(
            changes_command(&of).as_deref(),
            Some(
                "profiletrail changes --field mail --field \"it's; rm -rf /\" '--field=-x' --database 3 \
                 --profile 1/2 --since 2025-10-09T08:53:20Z --new '' --cause set --label ''"
            )
        );
        let nul = ChangesQuery {
            fields: vec!["a\0b".into()],
            ..ChangesQuery::default()
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

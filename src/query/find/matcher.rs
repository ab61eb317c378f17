//! What a search matches, and whether a value matches.

use std::borrow::Cow;

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use super::FindQuery;
use crate::history::{Subject, Value};
use crate::index::folded;
use crate::query::moment::{Rounding, unix_time};
use crate::query::request::InvalidParam;

/// The most bytes that a compiled expression may take: whoever asks over HTTP
/// writes it.
const REGEX_SIZE: usize = 1 << 20;

/// What is looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FindTarget {
    /// A value of a field.
    Field {
        /// The field's name.
        name: String,
        /// The value, its beginning, or an expression.
        value: String,
        /// Which of these.
        by: Matching,
        /// Whether upper and lower case are the same.
        ignore_case: bool,
    },
    /// Membership of an interest.
    Interest(String),
}

/// How a value is looked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// By all of it.
    #[default]
    Whole,
    /// By its beginning.
    Prefix,
    /// By a regular expression that matches anywhere in it.
    Match,
}

/// How a value is compared.
#[derive(clap::Args, Clone, Debug, Default, Serialize)]
pub struct FindOptions {
    /// The field's name, if it contains =; the argument is then the value alone
    #[arg(long, value_name = "NAME")]
    pub field: Option<String>,
    /// Find the members of this interest instead
    #[arg(long, value_name = "NAME")]
    pub interest: Option<String>,
    /// Match values that begin with this one
    #[arg(long)]
    pub prefix: bool,
    /// The value is a regular expression, which may match anywhere
    #[arg(long = "match")]
    #[serde(rename = "match")]
    pub matches: bool,
    /// Ignore case
    #[arg(short = 'i', long)]
    #[serde(rename = "ignore-case")]
    pub ignore_case: bool,
    /// Include profiles that had the value earlier
    #[arg(long)]
    pub ever: bool,
    /// Only profiles that had the value at this moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true,
        value_parser = unix_time(Rounding::Down))]
    pub at: Option<i64>,
    /// Only in this database
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// At most this many lines
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Show subprofiles as deleted with their profile, with the cause cascade [default: in tables]
    #[arg(long)]
    pub cascade: bool,
}

impl FindOptions {
    /// The question for a text: `FIELD=VALUE`, or the value alone where the field is
    /// named. `text_name` is what the caller calls the text.
    pub fn query(
        self,
        text: Option<String>,
        text_name: &'static str,
    ) -> Result<FindQuery, InvalidParam> {
        let wrong = |name, what: &str| Err(InvalidParam::new(name, what));
        if self.ever && self.at.is_some() {
            return wrong("at", "--ever and --at exclude each other: leave one out");
        }
        let by = match (self.prefix, self.matches) {
            (false, false) => Matching::Whole,
            (true, false) => Matching::Prefix,
            (false, true) => Matching::Match,
            (true, true) => {
                let what = "a value is matched by its beginning or by an expression, not both";
                return wrong("match", what);
            }
        };
        let ignore_case = self.ignore_case;
        let sought = match (self.interest, text) {
            (Some(_), text) if text.is_some() || self.field.is_some() => {
                let what = "name either an interest or a field's value, not both";
                return wrong("interest", what);
            }
            (Some(_), _) if by != Matching::Whole || ignore_case => {
                return wrong("interest", "an interest is matched by its whole name");
            }
            (Some(interest), _) => FindTarget::Interest(interest),
            (None, None) => {
                let what =
                    "what to find is missing: write 'mail=johny@example.com', or name an interest";
                return wrong(text_name, what);
            }
            (None, Some(text)) => {
                let (name, value) = match (self.field, text.split_once('=')) {
                    (Some(name), _) => (name, text),
                    (None, Some((name, value))) => (name.to_owned(), value.to_owned()),
                    (None, None) => {
                        let shown: String = text.chars().take(40).collect();
                        let what = format!(
                            "{shown:?} has no value: write '{shown}=VALUE', or '{shown}=' with prefix \
                             for all who have the field"
                        );
                        return wrong(text_name, &what);
                    }
                };
                FindTarget::Field {
                    name,
                    value,
                    by,
                    ignore_case,
                }
            }
        };
        if let Err(what) = ValueMatcher::new(&sought) {
            return wrong(text_name, &what);
        }
        Ok(FindQuery {
            sought,
            ever: self.ever,
            at: self.at,
            database: self.database,
            limit: self.limit,
            cascade: self.cascade,
        })
    }
}

/// Whether a value is what is looked for.
#[derive(Clone, Debug)]
pub(super) struct ValueMatcher {
    subject: Subject<'static>,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Text {
        value: String,
        is_prefix: bool,
        /// Whether the value is folded, and others are to be.
        is_folded: bool,
    },
    Match(Regex),
    Member,
}

impl ValueMatcher {
    /// What is looked for.
    ///
    /// # Errors
    /// The expression is none, or too large.
    pub fn new(sought: &FindTarget) -> Result<Self, String> {
        let (name, value, by, ignore_case) = match sought {
            FindTarget::Interest(name) => {
                return Ok(Self {
                    subject: Subject::Interest(Cow::Owned(name.clone())),
                    test: Test::Member,
                });
            }
            FindTarget::Field {
                name,
                value,
                by,
                ignore_case,
            } => (name, value, *by, *ignore_case),
        };
        let test = match by {
            Matching::Whole | Matching::Prefix => Test::Text {
                value: match ignore_case {
                    true => folded(value).collect(),
                    false => value.clone(),
                },
                is_prefix: by == Matching::Prefix,
                is_folded: ignore_case,
            },
            Matching::Match => Test::Match(
                RegexBuilder::new(value)
                    .case_insensitive(ignore_case)
                    .size_limit(REGEX_SIZE)
                    .dfa_size_limit(REGEX_SIZE)
                    .build()
                    .map_err(|error| no_expression(value, &error))?,
            ),
        };
        Ok(Self {
            subject: Subject::Field(Cow::Owned(name.clone())),
            test,
        })
    }

    /// The field or interest.
    pub const fn subject(&self) -> &Subject<'static> {
        &self.subject
    }

    /// Whether a value matches.
    pub fn matches(&self, value: &Value<'_>) -> bool {
        match value {
            Value::Absent => false,
            Value::Member(member) => *member && matches!(self.test, Test::Member),
            Value::Text(text) => self.matches_text(text),
        }
    }

    /// Whether a field's value matches.
    pub fn matches_text(&self, text: &str) -> bool {
        match &self.test {
            Test::Text {
                value,
                is_prefix,
                is_folded: true,
            } => {
                let mut own = folded(text);
                let begins = value.chars().all(|wanted| own.next() == Some(wanted));
                begins && (*is_prefix || own.next().is_none())
            }
            Test::Text {
                value, is_prefix, ..
            } => text == value || (*is_prefix && text.starts_with(value.as_str())),
            Test::Match(regex) => regex.is_match(text),
            Test::Member => false,
        }
    }
}

fn no_expression(text: &str, error: &regex::Error) -> String {
    let shown: String = text.chars().take(40).collect();
    match error {
        regex::Error::CompiledTooBig(_) => {
            format!("{shown:?}: the expression is too large; write a simpler one")
        }
        error => {
            // The error text shows the position in several lines; the last one
            // states the error.
            let text = error.to_string();
            let what = text.lines().last().unwrap_or_default();
            let what = what.trim_start_matches("error: ");
            format!(
                "{shown:?} is not a regular expression: {what}; write a literal . or ( as \\. or \\("
            )
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Options with the text that they are for.
    struct Words(FindOptions, Option<String>);

    impl Words {
        fn read(self) -> Result<FindTarget, InvalidParam> {
            self.0.query(self.1, "q").map(|query| query.sought)
        }
    }

    fn words(text: &str) -> Words {
        Words(FindOptions::default(), Some(text.to_owned()))
    }

    fn wanted(words: Words) -> ValueMatcher {
        ValueMatcher::new(&words.read().unwrap()).unwrap()
    }

    #[test]
    fn a_field_ends_at_the_first_equals_sign() {
        let sought = words("a b==c=").read().unwrap();
        let field = |name: &str, value: &str| FindTarget::Field {
            name: name.to_owned(),
            value: value.to_owned(),
            by: Matching::Whole,
            ignore_case: false,
        };
        assert_eq!(sought, field("a b", "=c="));
        let named = Words(
            FindOptions {
                field: Some("a=b".to_owned()),
                ..FindOptions::default()
            },
            Some("c=d".to_owned()),
        );
        assert_eq!(named.read().unwrap(), field("a=b", "c=d"));
        assert_eq!(words("=").read().unwrap(), field("", ""));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |words: Words| words.read().unwrap_err();
        assert_eq!(wrong(Words(FindOptions::default(), None)).name, "q");
        let InvalidParam { name, reason: what } = wrong(words("mail"));
        assert_eq!(name, "q");
        assert!(what.contains("'mail=VALUE'"), "{what}");
        let both = Words(
            FindOptions {
                prefix: true,
                matches: true,
                ..FindOptions::default()
            },
            Some("a=b".to_owned()),
        );
        assert_eq!(wrong(both).name, "match");
        let interest = || {
            Words(
                FindOptions {
                    interest: Some("news".to_owned()),
                    ..FindOptions::default()
                },
                None,
            )
        };
        interest().read().unwrap();
        let with_text = Words(interest().0, Some("a=b".to_owned()));
        assert_eq!(wrong(with_text).name, "interest");
        let with_case = Words(
            FindOptions {
                ignore_case: true,
                ..interest().0
            },
            None,
        );
        assert_eq!(wrong(with_case).name, "interest");
        for text in ["a=(", "a=x{1000}{1000}", "a=[z-a]"] {
            let matches = Words(
                FindOptions {
                    matches: true,
                    ..FindOptions::default()
                },
                Some(text.to_owned()),
            );
            let InvalidParam { name, reason: what } = wrong(matches);
            assert_eq!(name, "q", "{text}");
            assert!(what.contains("expression"), "{what}");
        }
    }

    #[test]
    fn values_differ_by_their_bytes_unless_case_is_ignored() {
        let whole = wanted(words("m=Ab"));
        assert!(
            whole.matches_text("Ab") && !whole.matches_text("ab") && !whole.matches_text("Abc")
        );
        let prefix = wanted(Words(
            FindOptions {
                prefix: true,
                ..FindOptions::default()
            },
            Some("m=Ab".to_owned()),
        ));
        assert!(
            prefix.matches_text("Abc") && !prefix.matches_text("abc") && !prefix.matches_text("A")
        );
        let folded = wanted(Words(
            FindOptions {
                ignore_case: true,
                ..FindOptions::default()
            },
            Some("m=İJohn@ΣΑΣ".to_owned()),
        ));
        assert!(folded.matches_text("İjohn@σασ") && !folded.matches_text("ijohn@σας"));
        let folded = wanted(Words(
            FindOptions {
                ignore_case: true,
                prefix: true,
                ..FindOptions::default()
            },
            Some("m=JO".to_owned()),
        ));
        assert!(
            folded.matches_text("john") && folded.matches_text("Jo") && !folded.matches_text("j")
        );
        let matches = wanted(Words(
            FindOptions {
                matches: true,
                ..FindOptions::default()
            },
            Some("m=^j.*@example\\.(com|org)$".to_owned()),
        ));
        assert!(
            matches.matches_text("john@example.org") && !matches.matches_text("John@example.org")
        );
        assert!(!matches.matches(&Value::Absent) && !matches.matches(&Value::Member(true)));
    }
}

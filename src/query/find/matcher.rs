//! The target of a search, and the test of a value.

use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Serialize};

use crate::event::DecodeError;
use crate::history::{Subject, Value};
use crate::index::folded;
use crate::query::moment::unix_time;

/// The most bytes that a compiled expression may take: whoever asks over HTTP
/// writes it.
const REGEX_SIZE: usize = 1 << 20;

/// Which (sub)profiles have or had a value: of a field, or membership of an interest.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FindQuery {
    /// The value of the field, its beginning, or an expression
    #[arg(skip)]
    #[serde(rename = "sought")]
    pub value: String,
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
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
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

impl FindQuery {
    /// The same for a text: `FIELD=VALUE`, or the value alone where the field is named.
    /// `text_name` is what the caller calls the text.
    pub fn of(mut self, text: Option<String>, text_name: &str) -> Result<Self, DecodeError> {
        let wrong = |name: &str, what: &str| Err(DecodeError::new(what, name));
        if self.ever && self.at.is_some() {
            return wrong("at", "--ever and --at exclude each other: leave one out");
        }
        if self.prefix && self.matches {
            let what = "a value is matched by its beginning or by an expression, not both";
            return wrong("match", what);
        }
        match (&self.interest, text) {
            (Some(_), text) if text.is_some() || self.field.is_some() => {
                let what = "name either an interest or a field's value, not both";
                return wrong("interest", what);
            }
            (Some(_), _) if self.prefix || self.matches || self.ignore_case => {
                return wrong("interest", "an interest is matched by its whole name");
            }
            (Some(_), _) => {}
            (None, None) => {
                let what =
                    "what to find is missing: write 'mail=johny@example.com', or name an interest";
                return wrong(text_name, what);
            }
            (None, Some(text)) if self.field.is_some() => self.value = text,
            (None, Some(text)) => {
                let Some((name, value)) = text.split_once('=') else {
                    let shown: String = text.chars().take(40).collect();
                    let what = format!(
                        "{shown:?} has no value: write '{shown}=VALUE', or '{shown}=' with prefix \
                         for all who have the field"
                    );
                    return wrong(text_name, &what);
                };
                (self.field, self.value) = (Some(name.to_owned()), value.to_owned());
            }
        }
        match ValueMatcher::new(&self) {
            Ok(_) => Ok(self),
            Err(what) => wrong(text_name, &what),
        }
    }

    /// The field or interest.
    pub fn subject(&self) -> Subject<'_> {
        match &self.interest {
            Some(name) => Subject::Interest(name.into()),
            None => Subject::Field(self.field.as_deref().unwrap_or_default().into()),
        }
    }
}

/// Whether a value is what is looked for.
#[derive(Clone, Debug)]
pub(super) struct ValueMatcher {
    pub subject: Subject<'static>,
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
    /// The expression is invalid, or too large.
    pub fn new(query: &FindQuery) -> Result<Self, String> {
        let test = if query.interest.is_some() {
            Test::Member
        } else if query.matches {
            Test::Match(
                RegexBuilder::new(&query.value)
                    .case_insensitive(query.ignore_case)
                    .size_limit(REGEX_SIZE)
                    .dfa_size_limit(REGEX_SIZE)
                    .build()
                    .map_err(|error| invalid_expression(&query.value, &error))?,
            )
        } else {
            Test::Text {
                value: match query.ignore_case {
                    true => folded(&query.value).collect(),
                    false => query.value.clone(),
                },
                is_prefix: query.prefix,
                is_folded: query.ignore_case,
            }
        };
        Ok(Self {
            subject: query.subject().to_owned(),
            test,
        })
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

fn invalid_expression(text: &str, error: &regex::Error) -> String {
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

    fn read(query: FindQuery, text: &str) -> Result<FindQuery, DecodeError> {
        query.of(Some(text.to_owned()), "q")
    }

    fn wanted(query: FindQuery, text: &str) -> ValueMatcher {
        ValueMatcher::new(&read(query, text).unwrap()).unwrap()
    }

    fn whole() -> FindQuery {
        FindQuery::default()
    }

    fn prefix() -> FindQuery {
        FindQuery {
            prefix: true,
            ..whole()
        }
    }

    fn matches() -> FindQuery {
        FindQuery {
            matches: true,
            ..whole()
        }
    }

    #[test]
    fn a_field_ends_at_the_first_equals_sign() {
        let field = |name: &str, value: &str| FindQuery {
            field: Some(name.to_owned()),
            value: value.to_owned(),
            ..whole()
        };
        assert_eq!(read(whole(), "a b==c=").unwrap(), field("a b", "=c="));
        let named = read(field("a=b", ""), "c=d");
        assert_eq!(named.unwrap(), field("a=b", "c=d"));
        assert_eq!(read(whole(), "=").unwrap(), field("", ""));
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(whole().of(None, "q").unwrap_err().place, "q");
        let DecodeError { place, reason } = read(whole(), "mail").unwrap_err();
        assert_eq!(place, "q");
        assert!(reason.contains("'mail=VALUE'"), "{reason}");
        let both = FindQuery {
            prefix: true,
            ..matches()
        };
        assert_eq!(read(both, "a=b").unwrap_err().place, "match");
        let interest = FindQuery {
            interest: Some("news".to_owned()),
            ..whole()
        };
        interest.clone().of(None, "q").unwrap();
        assert_eq!(read(interest.clone(), "a=b").unwrap_err().place, "interest");
        let with_case = FindQuery {
            ignore_case: true,
            ..interest
        };
        assert_eq!(with_case.of(None, "q").unwrap_err().place, "interest");
        for text in ["a=(", "a=x{1000}{1000}", "a=[z-a]"] {
            let DecodeError { place, reason } = read(matches(), text).unwrap_err();
            assert_eq!(place, "q", "{text}");
            assert!(reason.contains("expression"), "{reason}");
        }
    }

    #[test]
    fn values_differ_by_their_bytes_unless_case_is_ignored() {
        let exact = wanted(whole(), "m=Ab");
        assert!(
            exact.matches_text("Ab") && !exact.matches_text("ab") && !exact.matches_text("Abc")
        );
        let begun = wanted(prefix(), "m=Ab");
        assert!(
            begun.matches_text("Abc") && !begun.matches_text("abc") && !begun.matches_text("A")
        );
        let ignore_case = true;
        let query = FindQuery {
            ignore_case,
            ..whole()
        };
        let folded = wanted(query, "m=İJohn@ΣΑΣ");
        assert!(folded.matches_text("İjohn@σασ") && !folded.matches_text("ijohn@σας"));
        let query = FindQuery {
            ignore_case,
            ..prefix()
        };
        let folded = wanted(query, "m=JO");
        assert!(
            folded.matches_text("john") && folded.matches_text("Jo") && !folded.matches_text("j")
        );
        let matches = wanted(matches(), "m=^j.*@example\\.(com|org)$");
        assert!(
            matches.matches_text("john@example.org") && !matches.matches_text("John@example.org")
        );
        assert!(!matches.matches(&Value::Absent) && !matches.matches(&Value::Member(true)));
    }
}

//! A change: its subject, old value, new value and cause; and the differences between two
//! states.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer, Serialize};

use super::replay::State;
use crate::event::rfc3339;

/// The subject of a change. Lines of answers flatten it: `"field":"mail"` or
/// `"interest":"news"`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject<'a> {
    /// A field, by its name.
    Field(Cow<'a, str>),
    /// An interest, by its name.
    Interest(Cow<'a, str>),
}

impl Subject<'_> {
    /// The field's or the interest's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Field(name) | Self::Interest(name) => name,
        }
    }

    /// The word in answers and commands.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Field(_) => "field",
            Self::Interest(_) => "interest",
        }
    }

    /// Whether it is an interest.
    pub const fn is_interest(&self) -> bool {
        matches!(self, Self::Interest(_))
    }

    /// The same, borrowed.
    pub fn borrowed(&self) -> Subject<'_> {
        match self {
            Self::Field(name) => Subject::Field(Cow::Borrowed(name)),
            Self::Interest(name) => Subject::Interest(Cow::Borrowed(name)),
        }
    }

    /// The same without what it borrows.
    pub fn to_owned(&self) -> Subject<'static> {
        match self {
            Self::Field(name) => Subject::Field(Cow::Owned(name.to_string())),
            Self::Interest(name) => Subject::Interest(Cow::Owned(name.to_string())),
        }
    }
}

impl JsonSchema for Subject<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Subject".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        SubjectKeys::json_schema(generator)
    }
}

/// The keys of a [`Subject`], of which a line has one.
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct SubjectKeys {
    /// The field's name, if it is one.
    #[schemars(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The interest's name, if it is one.
    #[schemars(skip_serializing_if = "Option::is_none")]
    interest: Option<String>,
}

/// The value of a field or an interest.
#[derive(
    Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(untagged)]
pub enum Value<'a> {
    /// The field was absent.
    Absent,
    /// The interest's membership.
    Member(bool),
    /// The field's value.
    Text(Cow<'a, str>),
}

impl Value<'_> {
    /// The same without what it borrows.
    pub fn to_owned(&self) -> Value<'static> {
        match self {
            Self::Absent => Value::Absent,
            Self::Member(member) => Value::Member(*member),
            Self::Text(text) => Value::Text(Cow::Owned(text.to_string())),
        }
    }

    /// The length of its text in bytes.
    pub fn text_len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Absent | Self::Member(_) => 0,
        }
    }
}

/// A key that is there, whose value may be `null`: of `old`, missing is not known and
/// `null` is absent.
pub(crate) fn known<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(input).map(Some)
}

/// The cause of a value. Lines of answers flatten it: `"cause":"set"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum Cause {
    /// The event is a `create`.
    Create,
    /// An `update` whose parameters name the field or interest.
    Set,
    /// The event shows another value than the last known one without claiming the change: it
    /// happened at an unknown moment before.
    Unexplained {
        /// The time of the event before, in Unix seconds.
        #[serde(with = "rfc3339")]
        since: i64,
    },
    /// An export shows another value than the last known one: it changed at an unknown moment
    /// before.
    Observed {
        /// The time of the event before, in Unix seconds.
        #[serde(with = "rfc3339")]
        since: i64,
    },
    /// The value was first seen here; the earlier value is unknown.
    FirstSeen,
    /// The profile was deleted, which ends its subprofiles.
    Cascade,
}

impl Cause {
    /// The word in answers.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Set => "set",
            Self::Unexplained { .. } => "unexplained",
            Self::Observed { .. } => "observed",
            Self::FirstSeen => "first_seen",
            Self::Cascade => "cascade",
        }
    }

    /// The earliest moment of an unexplained or observed change, in Unix seconds.
    pub const fn since(self) -> Option<i64> {
        match self {
            Self::Unexplained { since } | Self::Observed { since } => Some(since),
            _ => None,
        }
    }
}

impl JsonSchema for Cause {
    fn schema_name() -> Cow<'static, str> {
        "Cause".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        CauseKeys::json_schema(generator)
    }
}

/// The keys of a [`Cause`].
#[derive(JsonSchema)]
#[allow(dead_code, reason = "only its schema is used")]
struct CauseKeys {
    /// The cause: `create`, `set`, `unexplained`, `observed`, `first_seen`, `cascade`.
    cause: String,
    /// Only for an unexplained or observed change: the earliest moment at which it may have happened.
    #[schemars(skip_serializing_if = "Option::is_none", extend("format" = "date-time"))]
    since: Option<String>,
}

/// One difference between the state before an event and the state after it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "ChangeLine", deny_unknown_fields)]
pub struct Change<'a> {
    /// The field or interest.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// The old value; missing if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub old: Option<Value<'a>>,
    /// The new value.
    pub new: Value<'a>,
    /// The cause.
    #[serde(flatten)]
    pub cause: Cause,
}

/// One difference between two states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DiffLine")]
pub struct Difference<'a> {
    /// What differs.
    #[serde(flatten)]
    pub subject: Subject<'a>,
    /// What it was; missing where that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(deserialize_with = "known")]
    pub old: Option<Value<'a>>,
    /// What it is.
    pub new: Value<'a>,
}

/// The differences between a state (`None`: not known) and a later one: the
/// fields in the later one's order, then those that are gone in name order,
/// then the interests in name order.
pub fn differences<'a>(before: Option<&State<'a>>, after: &State<'a>) -> Vec<Difference<'a>> {
    let mut found = Vec::new();
    let old_fields = before.map(|state| state.fields.lookup());
    for (place, (name, value)) in after.fields.iter().enumerate() {
        let old = old_fields.as_ref().map(|fields| fields.get(place, name));
        if old != Some(Some(value)) {
            found.push(Difference {
                subject: Subject::Field(name.clone()),
                old: old.map(|old| old.map_or(Value::Absent, |text| Value::Text(text.clone()))),
                new: Value::Text(value.clone()),
            });
        }
    }
    let empty = State::default();
    let known = before.unwrap_or(&empty);
    let new_fields = after.fields.lookup();
    let gone = known.fields.iter().enumerate();
    let mut gone: Vec<_> = gone
        .filter(|(place, (name, _))| new_fields.get(*place, name).is_none())
        .map(|(_, pair)| pair)
        .collect();
    gone.sort_unstable();
    found.extend(gone.into_iter().map(|(name, value)| Difference {
        subject: Subject::Field(name.clone()),
        old: Some(Value::Text(value.clone())),
        new: Value::Absent,
    }));
    for name in known.interests.symmetric_difference(&after.interests) {
        let member = after.interests.contains(name);
        found.push(Difference {
            subject: Subject::Interest(name.clone()),
            old: before.map(|_| Value::Member(!member)),
            new: Value::Member(member),
        });
    }
    found
}

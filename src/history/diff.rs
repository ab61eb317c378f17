//! The differences between two states.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Subject, Value, known};
use super::replay::State;

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

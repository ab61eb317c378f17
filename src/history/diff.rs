//! The differences between two states.

use super::change::{Subject, Value};
use super::replay::State;

/// One difference between two states.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// What differs.
    pub subject: Subject,
    /// What it was; `None` where that is not known.
    pub old: Option<Value>,
    /// What it is.
    pub new: Value,
}

/// The differences between a state (`None`: not known) and a later one: the
/// fields in the later one's order, then those that are gone in name order,
/// then the interests in name order.
pub fn differences(before: Option<&State>, after: &State) -> Vec<Difference> {
    let mut found = Vec::new();
    for (name, value) in &after.fields {
        let old = before.map(|state| state.fields.get(name));
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
    let mut gone: Vec<(&String, &String)> = known
        .fields
        .iter()
        .filter(|(name, _)| !after.fields.contains_key(*name))
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

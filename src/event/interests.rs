//! A profile's interests: the list form and the map form.

use std::borrow::Cow;
use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::{Fields, owned};
use super::variable::canonical_number;

/// Interests in the form in which they were sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Interests<'a> {
    /// `interests[]=news`, `interests[0]=news`: the members.
    List(Vec<Cow<'a, str>>),
    /// `interests[news]=1`: `0`, `false` and the empty value mean 'not a member'.
    Map(Fields<'a>),
}

impl Default for Interests<'_> {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

/// Whether a value of the map form, or of a parameter that names an interest,
/// means 'member'.
pub(crate) fn is_member(value: &str) -> bool {
    !matches!(value, "" | "0" | "false")
}

impl<'a> Interests<'a> {
    /// Reads the pairs `(key, value)` of the variable `interests`, in the
    /// order sent, empty keys numbered. `None` if there are none.
    pub(super) fn from_pairs(pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>) -> Option<Self> {
        if pairs.is_empty() {
            return None;
        }
        let map: Fields<'a> = pairs.into_iter().collect();
        let counted = (0..)
            .zip(map.keys())
            .all(|(number, key)| canonical_number(key) == Some(number));
        Some(if counted {
            Self::List(map.into_values().collect())
        } else {
            Self::Map(map)
        })
    }

    /// The same without what it borrows.
    pub fn into_owned(self) -> Interests<'static> {
        match self {
            Self::List(names) => Interests::List(names.into_iter().map(owned).collect()),
            Self::Map(map) => Interests::Map(map.into_owned()),
        }
    }

    /// The names of the interests that are named, held or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (list, map) = match self {
            Self::List(names) => (Some(names), None),
            Self::Map(map) => (None, Some(map)),
        };
        let listed = list.into_iter().flatten();
        let keys = map.into_iter().flat_map(Fields::keys);
        listed.chain(keys).map(AsRef::as_ref)
    }

    /// The names of the interests that are held.
    pub fn members(&self) -> BTreeSet<Cow<'a, str>> {
        match self {
            Self::List(names) => names.iter().cloned().collect(),
            Self::Map(map) => map
                .iter()
                .filter(|(_, value)| is_member(value))
                .map(|(name, _)| name.clone())
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<'a>(pairs: &[(&'a str, &'a str)]) -> Option<Interests<'a>> {
        Interests::from_pairs(
            pairs
                .iter()
                .map(|(k, v)| (Cow::Borrowed(*k), Cow::Borrowed(*v)))
                .collect(),
        )
    }

    #[test]
    fn list_and_map_form_are_distinguished() {
        assert_eq!(read(&[]), None);
        assert_eq!(
            read(&[("0", "a"), ("1", "b")]),
            Some(Interests::List(vec!["a".into(), "b".into()]))
        );
        for map in [
            [("1", "a"), ("0", "b")],
            [("0", "a"), ("x", "1")],
            [("00", "a"), ("1", "1")],
            [("0", "a"), ("+1", "1")],
        ] {
            assert!(matches!(read(&map), Some(Interests::Map(_))), "{map:?}");
        }
    }

    #[test]
    fn zero_false_and_empty_are_no_member() {
        let map = read(&[
            ("a", "1"),
            ("b", "0"),
            ("c", "false"),
            ("d", ""),
            ("e", "x"),
        ]);
        let members = map.map(|m| m.members()).unwrap_or_default();
        assert_eq!(members.into_iter().collect::<Vec<_>>(), ["a", "e"]);
    }
}

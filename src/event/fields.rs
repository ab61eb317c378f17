//! Names with their values, in the order sent.
//!
//! A body has some twenty of them and is read by the million, so they are not
//! hashed: they stand in a row, borrow from the body where it holds them as
//! they are, and 64 bits tell of most names that they are new. Only a row of
//! more than [`LINEAR`] gets a table.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Up to so many names are searched one by one.
const LINEAR: usize = 64;

/// Names and values in the order sent. A repeated name keeps its first place
/// and takes the last value, as in PHP. Two are equal when they hold the same,
/// in whatever order.
#[derive(Clone, Debug, Default)]
pub struct Fields<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// A bit for each name ([`bit`]): where a name's is not set, it is not here.
    seen: u64,
    /// The places by name, once there are more than [`LINEAR`].
    places: Option<HashMap<Box<str>, usize>>,
}

/// The bit of a name: names of one body tend to differ in length, or in the
/// first or the last bytes.
fn bit(name: &str) -> u64 {
    let bytes = name.as_bytes();
    let first = bytes.first().copied().unwrap_or_default();
    let middle = bytes.get(bytes.len() / 2).copied().unwrap_or_default();
    let last = bytes.last().copied().unwrap_or_default();
    let mixed = (bytes.len() as u64)
        .wrapping_mul(31)
        .wrapping_add(u64::from(first))
        .wrapping_mul(31)
        .wrapping_add(u64::from(middle))
        .wrapping_mul(31)
        .wrapping_add(u64::from(last));
    1 << (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58)
}

impl<'a> Fields<'a> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self {
            pairs: Vec::new(),
            seen: 0,
            places: None,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The place of a name in the order, from 0.
    pub fn position(&self, name: &str) -> Option<usize> {
        if self.seen & bit(name) == 0 {
            return None;
        }
        match &self.places {
            Some(places) => places.get(name).copied(),
            None => self.pairs.iter().position(|(known, _)| known == name),
        }
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Cow<'a, str>> {
        let place = self.position(name)?;
        self.pairs.get(place).map(|(_, value)| value)
    }

    /// The value of a name that is likely to stand at a place: rows of one
    /// (sub)profile mostly have the same names in the same order.
    pub fn get_near(&self, place: usize, name: &str) -> Option<&Cow<'a, str>> {
        match self.pairs.get(place) {
            Some((known, value)) if known == name => Some(value),
            _ => self.get(name),
        }
    }

    /// Whether a name is there.
    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Puts a value at a name.
    pub fn insert(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        if let Some(place) = self.position(&name) {
            if let Some((_, old)) = self.pairs.get_mut(place) {
                *old = value;
            }
            return;
        }
        self.seen |= bit(&name);
        if let Some(places) = &mut self.places {
            places.insert(name.as_ref().into(), self.pairs.len());
        } else if self.pairs.len() == LINEAR {
            let known = self.pairs.iter().map(|(known, _)| known);
            let all = known.chain(std::iter::once(&name)).enumerate();
            let places = all.map(|(place, name)| (name.as_ref().into(), place));
            self.places = Some(places.collect());
        } else if self.pairs.is_empty() {
            // Growing one by one would move the first ones again and again.
            self.pairs.reserve(8);
        }
        self.pairs.push((name, value));
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Cow<'a, str>, &Cow<'a, str>)> {
        self.pairs.iter().map(|(name, value)| (name, value))
    }

    /// The names, in order.
    pub fn keys(&self) -> impl Iterator<Item = &Cow<'a, str>> {
        self.pairs.iter().map(|(name, _)| name)
    }

    /// The values, in the order of their names.
    pub(super) fn into_values(self) -> impl Iterator<Item = Cow<'a, str>> {
        self.pairs.into_iter().map(|(_, value)| value)
    }

    /// The same without what it borrows.
    pub fn into_owned(self) -> Fields<'static> {
        let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Fields {
            pairs: self
                .pairs
                .into_iter()
                .map(|(name, value)| (owned(name), owned(value)))
                .collect(),
            seen: self.seen,
            places: self.places,
        }
    }
}

impl PartialEq for Fields<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .enumerate()
                .all(|(place, (name, value))| other.get_near(place, name) == Some(value))
    }
}

impl Eq for Fields<'_> {}

impl<'a> FromIterator<(Cow<'a, str>, Cow<'a, str>)> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>>(pairs: I) -> Self {
        let mut fields = Self::new();
        for (name, value) in pairs {
            fields.insert(name, value);
        }
        fields
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        output.collect_map(self.iter())
    }
}

impl JsonSchema for Fields<'_> {
    fn schema_name() -> Cow<'static, str> {
        "Fields".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = std::collections::BTreeMap::<String, String>::json_schema(generator);
        let what = "Names and their values, in the order sent";
        schema.insert("description".to_owned(), what.into());
        schema
    }
}

impl<'de> Deserialize<'de> for Fields<'_> {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Names;
        impl<'de> Visitor<'de> for Names {
            type Value = Fields<'static>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names with their values")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut fields = Fields::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    fields.insert(Cow::Owned(name), Cow::Owned(value));
                }
                Ok(fields)
            }
        }
        input.deserialize_map(Names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexmap::IndexMap;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn they_hold_what_an_index_map_holds(
            pairs in proptest::collection::vec(("[a-c]{0,2}|[a-z]{3}", "[a-z]?"), 0..200)
        ) {
            let mut expected = IndexMap::new();
            let mut fields = Fields::new();
            for (name, value) in &pairs {
                expected.insert(name.clone(), value.clone());
                fields.insert(Cow::Borrowed(name), Cow::Borrowed(value));
            }
            prop_assert_eq!(serde_json::to_string(&fields).unwrap(), serde_json::to_string(&expected).unwrap());
            for (name, _) in &pairs {
                prop_assert_eq!(fields.position(name), expected.get_index_of(name));
                prop_assert_eq!(fields.get(name).map(AsRef::as_ref), expected.get(name).map(String::as_str));
            }
            prop_assert!(!fields.contains_key("none"));
            let read: Fields<'_> = serde_json::from_str(&serde_json::to_string(&expected).unwrap()).unwrap();
            prop_assert_eq!(&read, &fields);
            let backwards: Fields<'_> = fields.iter().map(|(n, v)| (n.clone(), v.clone())).collect::<Vec<_>>().into_iter().rev().collect();
            prop_assert_eq!(&backwards, &fields);
        }
    }
}

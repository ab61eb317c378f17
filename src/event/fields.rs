//! Names with their values, in the order sent.
//!
//! A body has some twenty of them and millions of bodies are read, so they are stored in
//! a row, not hashed, and borrow unescaped text from the body.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::collections::HashMap;
use std::fmt;

use bincode::{Decode, Encode};
use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Among more pairs than this, names are found by hash.
const LINEAR: usize = 64;

/// Names and values in the order sent. A repeated name keeps its first place
/// and takes the last value, as in PHP. Two are equal if they hold the same
/// pairs, in any order.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub struct Fields<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Fields<'a> {
    /// Nothing yet.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The bytes of all names and values.
    pub fn byte_len(&self) -> usize {
        let pairs = self.pairs.iter();
        pairs.map(|(name, value)| name.len() + value.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// The place of a name in the order, from 0.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.pairs.iter().position(|(known, _)| known == name)
    }

    /// The value of a name.
    pub fn get(&self, name: &str) -> Option<&Cow<'a, str>> {
        let place = self.position(name)?;
        self.pairs.get(place).map(|(_, value)| value)
    }

    /// For finding many names.
    pub const fn lookup(&self) -> Lookup<'_, 'a> {
        Lookup {
            fields: self,
            places: OnceCell::new(),
        }
    }

    /// Whether a name is there.
    pub fn contains_key(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Sets the values of names.
    pub fn merge(&mut self, pairs: impl IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>) {
        *self = std::mem::take(&mut self.pairs)
            .into_iter()
            .chain(pairs)
            .collect();
    }

    /// Sets the value of a name. To set many, [`Self::merge`] pairs.
    pub fn insert(&mut self, name: Cow<'a, str>, value: Cow<'a, str>) {
        let place = self.position(&name);
        match place.and_then(|place| self.pairs.get_mut(place)) {
            Some((_, old)) => *old = value,
            None => self.pairs.push((name, value)),
        }
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
        let pairs = self.pairs.into_iter();
        Fields {
            pairs: pairs
                .map(|(name, value)| (owned(name), owned(value)))
                .collect(),
        }
    }
}

/// The same text without what it borrows.
pub(super) fn owned(text: Cow<'_, str>) -> Cow<'static, str> {
    Cow::Owned(text.into_owned())
}

impl PartialEq for Fields<'_> {
    fn eq(&self, other: &Self) -> bool {
        let other_fields = other.lookup();
        self.len() == other.len()
            && self
                .iter()
                .enumerate()
                .all(|(place, (name, value))| other_fields.get(place, name) == Some(value))
    }
}

impl Eq for Fields<'_> {}

/// One of 64 bits: names with different bits differ, which is cheaper to see than to compare them.
fn mark(name: &str) -> u64 {
    let [first, .., last] = name.as_bytes() else {
        return 1;
    };
    1 << ((name.len() ^ usize::from(*first) ^ (usize::from(*last) << 2)) % 64)
}

/// Finds many names in time that grows with their number, however many fields there
/// are and in whatever order.
pub struct Lookup<'f, 'a> {
    fields: &'f Fields<'a>,
    places: OnceCell<HashMap<&'f str, usize>>,
}

impl<'f, 'a> Lookup<'f, 'a> {
    /// The place of a name in the order, from 0.
    pub fn position(&self, name: &str) -> Option<usize> {
        if self.fields.len() <= LINEAR {
            return self.fields.position(name);
        }
        let names = || self.fields.keys().map(AsRef::as_ref).zip(0..).collect();
        self.places.get_or_init(names).get(name).copied()
    }

    /// The value of a name that is probably at a place: the events of a (sub)profile
    /// mostly have the same names in the same order.
    pub fn get(&self, probably: usize, name: &str) -> Option<&'f Cow<'a, str>> {
        let at = |place| self.fields.pairs.get(place);
        match at(probably) {
            Some((known, value)) if known == name => Some(value),
            _ => at(self.position(name)?).map(|(_, value)| value),
        }
    }
}

impl<'a> FromIterator<(Cow<'a, str>, Cow<'a, str>)> for Fields<'a> {
    fn from_iter<I: IntoIterator<Item = (Cow<'a, str>, Cow<'a, str>)>>(pairs: I) -> Self {
        let pairs: Vec<_> = pairs.into_iter().collect();
        if pairs.len() > LINEAR {
            let unique: IndexMap<_, _> = pairs.into_iter().collect();
            return Self {
                pairs: unique.into_iter().collect(),
            };
        }
        // Names are rarely repeated.
        let mut marks = 0_u64;
        let repeats = pairs.iter().enumerate().any(|(place, (name, _))| {
            let mark = mark(name);
            let may_be_known = marks & mark != 0;
            marks |= mark;
            let mut before = pairs.iter().take(place);
            may_be_known && before.any(|(known, _)| known == name)
        });
        if !repeats {
            return Self { pairs };
        }
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
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    pairs.push((Cow::Owned(name), Cow::Owned(value)));
                }
                Ok(pairs.into_iter().collect())
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
            let collected: Fields<'_> = pairs
                .iter()
                .map(|(name, value)| (name.as_str().into(), value.as_str().into()))
                .collect();
            prop_assert!(collected.iter().eq(fields.iter()));
            prop_assert_eq!(serde_json::to_string(&fields).unwrap(), serde_json::to_string(&expected).unwrap());
            let lookup = fields.lookup();
            for (name, _) in &pairs {
                prop_assert_eq!(fields.position(name), expected.get_index_of(name));
                prop_assert_eq!(lookup.position(name), expected.get_index_of(name));
                prop_assert_eq!(lookup.get(pairs.len() / 2, name), fields.get(name));
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

//! The look-ups against a plain set, under any sequence of operations.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::lookup::{LookupQuery, LookupValues};
use super::lookup_key::folded;
use super::manifest::Manifest;
use super::store::EventStore;
use super::tests_model::position;
use super::tree::Database;
use crate::event::ProfileKey;

/// An operation.
#[derive(Clone, Debug)]
enum Action {
    /// Events arrive, each with a value of one of the fields and its owner.
    Add(Vec<(usize, usize, u64)>),
    /// A number of merge steps.
    Compact(usize),
    /// They are closed and opened.
    Reopen,
    /// They are dropped without a flush; events are read again from their position.
    Crash,
}

fn action() -> impl Strategy<Value = Action> {
    let event = (0..2_usize, 0..VALUES.len(), 0..9_u64);
    prop_oneof![
        6 => proptest::collection::vec(event, 1..60).prop_map(Action::Add),
        4 => (1..4_usize).prop_map(Action::Compact),
        1 => Just(Action::Reopen),
        1 => Just(Action::Crash),
    ]
}

const VALUES: [&str; 12] = [
    "",
    "\0",
    "a",
    "A",
    "ab",
    "a\0",
    "\u{fffd}",
    "johny@example.com",
    "Johny@example.org",
    "a-value-that-is-longer-than-a-head",
    "a-value-that-is-longer-than-a-heaD",
    "a-value-that-is-longer-than-another",
];

fn key(number: u64) -> ProfileKey {
    match number % 3 {
        0 => ProfileKey::profile(number / 3),
        rest => ProfileKey::subprofile(number / 3, u64::MAX - 2 + rest),
    }
}

fn open(path: &Path, gathered: usize) -> EventStore {
    let new = Manifest {
        fields: vec!["city".to_owned(), "mail".to_owned()],
        ..Manifest::new(9, 0)
    };
    let index = EventStore::open(path, 1 << 20, &new).unwrap();
    index.with_run_len(gathered)
}

/// Adds the values of the events that the index lacks.
fn enter(index: &EventStore, came: &[(usize, usize, u64)]) {
    let after = index.position().seq as usize;
    let mut values = LookupValues::default();
    for (field, value, whose) in &came[after..] {
        values.add(*field, VALUES[*value], key(*whose));
    }
    index.add_values(&values).unwrap();
    index.add(&[], &[], position(came.len() as u64)).unwrap();
}

fn found(index: &EventStore, query: &LookupQuery, limit: usize) -> BTreeSet<ProfileKey> {
    let mut found = BTreeSet::new();
    let mut before = None;
    loop {
        let page = index.look_up(query, 0, before.as_ref(), limit);
        let page = page.unwrap().unwrap();
        assert_eq!(page.up_to, index.position().seq);
        assert!(page.keys.len() <= limit);
        found.extend(page.keys.iter().copied());
        if page.is_last() {
            return found;
        }
        before = Some(page);
    }
}

fn check(
    index: &EventStore,
    came: &[(usize, usize, u64)],
    limit: usize,
) -> Result<(), TestCaseError> {
    for (place, field) in ["city", "mail"].into_iter().enumerate() {
        let of = |held: &dyn Fn(&str) -> bool| -> BTreeSet<ProfileKey> {
            let own = came
                .iter()
                .filter(|(own, value, _)| *own == place && held(VALUES[*value]));
            own.map(|(.., whose)| key(*whose)).collect()
        };
        for value in VALUES
            .iter()
            .chain(&["none", "b", "a-value-that-is-longer-than"])
        {
            let fold = |text: &str| folded(text).collect::<String>();
            let query = LookupQuery::new(field, value, false);
            let expected = of(&|own| fold(own) == fold(value));
            prop_assert_eq!(
                found(index, &query, limit),
                expected,
                "{} {:?}",
                field,
                value
            );
            let query = LookupQuery::new(field, value, true);
            let expected = of(&|own| fold(own).starts_with(&fold(value)));
            let known = found(index, &query, limit);
            if value.len() < 24 {
                prop_assert_eq!(known, expected, "{} {:?}…", field, value);
            } else {
                prop_assert!(known.is_superset(&expected), "{} {:?}…", field, value);
            }
        }
        let other = LookupQuery::new("phone", "", true);
        prop_assert!(index.look_up(&other, 0, None, 1).unwrap().is_none());
    }
    let mut values = LookupValues::default();
    for (field, value, whose) in came {
        values.add(*field, VALUES[*value], key(*whose));
    }
    prop_assert_eq!(index.first_missing(&values).unwrap(), None);
    let count = values.len() as u64;
    values.add(0, "absent", key(0));
    prop_assert_eq!(index.first_missing(&values).unwrap(), Some((0, key(0))));
    // A value that comes again takes no room.
    let state = index.lookup_state().unwrap();
    prop_assert!(state.entries <= 2 * count);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn they_find_what_a_plain_set_has(
        actions in proptest::collection::vec(action(), 1..24),
        gathered in 1..40_usize,
        limit in 1..9_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut own = open(dir.path(), gathered);
        let mut came = Vec::new();
        for action in actions {
            match action {
                Action::Add(events) => came.extend(events),
                Action::Compact(steps) => for _ in 0..steps {
                    own.compact_step().unwrap();
                },
                Action::Reopen => {
                    own.flush().unwrap();
                    drop(own);
                    own = open(dir.path(), gathered);
                    prop_assert_eq!(own.position().seq, came.len() as u64);
                }
                Action::Crash => {
                    drop(own);
                    own = open(dir.path(), gathered);
                }
            }
            enter(&own, &came);
            check(&own, &came, limit)?;
        }
    }
}

#[test]
fn the_fields_and_whose_baselines_they_have_are_kept() {
    let dir = tempfile::tempdir().unwrap();
    let new = Manifest {
        fields: vec!["mail".to_owned()],
        ..Manifest::new(9, 7)
    };
    let open = || EventStore::open(dir.path(), 1 << 20, &new).unwrap();
    let index = open();
    let mut values = LookupValues::default();
    (0..5).for_each(|number| values.add(0, "a", key(number)));
    index.add_values(&values).unwrap();
    let state = |index: &EventStore| index.lookup_state().unwrap();
    assert_eq!(state(&index).generation, 0);
    index.end_baselines();
    index.add(&[], &[], position(1)).unwrap();
    index.flush().unwrap();
    drop(index);
    let index = open();
    assert_eq!(state(&index).fields, ["mail"]);
    assert_eq!(state(&index).generation, 7);
    assert_eq!(state(&index).entries, 5);
    let query = LookupQuery::new("mail", "A", false);
    assert_eq!(found(&index, &query, 2).len(), 5);
    let page = |generation| index.look_up(&query, generation, None, 9).unwrap().unwrap();
    assert!(page(7).baselines && !page(8).baselines);
}

#[test]
fn a_missing_block_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let own = open(dir.path(), 600);
    let mut values = LookupValues::default();
    for number in 0..600 {
        let value = format!("value-{}", number * 7919 % 600);
        values.add(0, &value, key(number));
    }
    own.add_values(&values).unwrap();
    own.add(&[], &[], position(600)).unwrap();
    own.flush().unwrap();
    let Database::Sled(db) = &own.db else {
        unreachable!("the index is in sled")
    };
    let tree = db.open_tree("run-0").unwrap();
    let (name, bytes) = tree.iter().nth(3).unwrap().unwrap();
    tree.remove(&name).unwrap();
    let all = LookupQuery::new("city", "value-", true);
    assert!(own.look_up(&all, 0, None, 1000).is_err());
    assert!(own.first_missing(&values).is_err());
    tree.insert(&name, bytes).unwrap();
    assert_eq!(found(&own, &all, 100).len(), 600);
}

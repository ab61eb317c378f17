//! The look-ups against a plain set, whatever is done to them.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::lookup::{Lookup, LookupValues, lookup_key};
use super::lookup_key::{LookupKey, folded};
use super::lookup_query::LookupQuery;
use super::manifest::Position;
use super::store::EventStore;
use super::tree::Database;
use crate::event::ProfileKey;

/// What is done to them.
#[derive(Clone, Debug)]
enum Action {
    /// Events come, each with a value of one of the fields, and whose.
    Add(Vec<(usize, usize, u64)>),
    /// A number of merge steps.
    Compact(usize),
    /// They are closed and opened.
    Reopen,
    /// They are dropped as they are; events are read again from where they stand.
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

/// An open database of lookups, and the index of events.
struct Open {
    events: EventStore,
    lookup: Lookup,
}

fn open(path: &Path, gathered: usize) -> Open {
    let events = EventStore::open(path, 1 << 20, 9, 0).unwrap();
    let lookup = Lookup::open(&events.db, 9).unwrap();
    let lookup = lookup.unwrap_or_else(|| {
        let fields = vec!["city".to_owned(), "mail".to_owned()];
        Lookup::create(&events.db, 9, fields).unwrap().unwrap()
    });
    Open {
        lookup: lookup.with_gathered(gathered),
        events,
    }
}

impl Open {
    fn enter(&self, came: &[(usize, usize, u64)]) {
        let after = self.lookup.position().seq as usize;
        let keys: Vec<LookupKey> = came[after..]
            .iter()
            .map(|(field, value, whose)| {
                let key = lookup_key(*field, VALUES[*value], key(*whose));
                key.unwrap()
            })
            .collect();
        let position = Position {
            seq: came.len() as u64,
            record_crc: 3,
        };
        self.lookup.add(&keys, position).unwrap();
    }

    fn found(&self, query: &LookupQuery, limit: usize) -> BTreeSet<ProfileKey> {
        let mut found = BTreeSet::new();
        let mut before = None;
        loop {
            let page = self.lookup.page(query, 0, before.as_ref(), limit);
            let page = page.unwrap().unwrap();
            assert_eq!(page.up_to, self.lookup.position().seq);
            assert!(page.keys.len() <= limit);
            found.extend(page.keys.iter().copied());
            if page.is_last() {
                return found;
            }
            before = Some(page);
        }
    }
}

fn check(open: &Open, came: &[(usize, usize, u64)], limit: usize) -> Result<(), TestCaseError> {
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
            prop_assert_eq!(open.found(&query, limit), expected, "{} {:?}", field, value);
            let query = LookupQuery::new(field, value, true);
            let expected = of(&|own| fold(own).starts_with(&fold(value)));
            let found = open.found(&query, limit);
            if value.len() < 24 {
                prop_assert_eq!(found, expected, "{} {:?}…", field, value);
            } else {
                prop_assert!(found.is_superset(&expected), "{} {:?}…", field, value);
            }
        }
        let other = LookupQuery::new("phone", "", true);
        prop_assert!(open.lookup.page(&other, 0, None, 1).unwrap().is_none());
    }
    let mut values = LookupValues::default();
    for (field, value, whose) in came {
        values.add(*field, VALUES[*value], key(*whose));
    }
    prop_assert_eq!(open.lookup.first_missing(&values).unwrap(), None);
    let count = values.len() as u64;
    values.add(0, "absent", key(0));
    prop_assert_eq!(
        open.lookup.first_missing(&values).unwrap(),
        Some((0, key(0)))
    );
    // A value that comes again takes no room.
    let state = open.lookup.state();
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
                    own.lookup.compact_step().unwrap();
                },
                Action::Reopen => {
                    own.lookup.flush().unwrap();
                    own.events.flush().unwrap();
                    drop(own);
                    own = open(dir.path(), gathered);
                    prop_assert_eq!(own.lookup.position().seq, came.len() as u64);
                }
                Action::Crash => {
                    drop(own);
                    own = open(dir.path(), gathered);
                }
            }
            own.enter(&came);
            check(&own, &came, limit)?;
        }
    }
}

#[test]
fn fields_and_generation_are_kept_and_all_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let own = open(dir.path(), 2);
    assert_eq!(own.lookup.generation(), 0);
    let keys: Vec<LookupKey> = (0..5)
        .map(|number| lookup_key(1, "a", key(number)).unwrap())
        .collect();
    own.lookup.add_baselines(&keys).unwrap();
    own.lookup.write(7).unwrap();
    drop(own);
    let own = open(dir.path(), 2);
    assert_eq!(own.lookup.fields, ["city", "mail"]);
    assert_eq!(own.lookup.generation(), 7);
    assert_eq!(own.found(&LookupQuery::new("mail", "A", false), 2).len(), 5);
    let Open { events, lookup } = own;
    drop(lookup);
    let trees = |events: &EventStore| events.db.tree_names("").len();
    let before = trees(&events);
    Lookup::remove(&events.db).unwrap();
    assert!(trees(&events) < before);
    assert!(Lookup::open(&events.db, 9).unwrap().is_none());
    // Another list begins from nothing.
    let lookup = Lookup::create(&events.db, 9, vec!["mail".to_owned()]);
    let lookup = lookup.unwrap().unwrap();
    assert_eq!(lookup.position().seq, 0);
    assert_eq!(lookup.generation(), 0);
}

#[test]
fn a_missing_block_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let own = open(dir.path(), 600);
    let mut values = LookupValues::default();
    let keys: Vec<LookupKey> = (0..600)
        .map(|number| {
            let value = format!("value-{}", number * 7919 % 600);
            values.add(0, &value, key(number));
            lookup_key(0, &value, key(number)).unwrap()
        })
        .collect();
    let position = Position {
        seq: 600,
        record_crc: 1,
    };
    own.lookup.add(&keys, position).unwrap();
    let Database::Sled(db) = &own.events.db else {
        unreachable!("the index is in sled")
    };
    let tree = db.open_tree("lookup-0").unwrap();
    let (name, bytes) = tree.iter().nth(3).unwrap().unwrap();
    tree.remove(&name).unwrap();
    let all = LookupQuery::new("city", "value-", true);
    assert!(own.lookup.page(&all, 0, None, 1000).is_err());
    assert!(own.lookup.first_missing(&values).is_err());
    tree.insert(&name, bytes).unwrap();
    assert_eq!(own.found(&all, 100).len(), 600);
}

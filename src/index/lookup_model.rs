//! The lookups against a plain set, whatever is done to them.

use std::collections::BTreeSet;
use std::path::Path;

use proptest::prelude::*;

use super::lookup::Lookup;
use super::probe::Probe;
use super::store::{Position, SledIndex};
use super::word::{Word, folded};
use crate::event::ProfileKey;
use crate::store::retention::Pruned;

/// What is done to them.
#[derive(Clone, Debug)]
enum Deed {
    /// Events come, each with a value of one of the fields, and whose.
    Enter(Vec<(usize, usize, u64)>),
    /// So many steps of merging.
    Tidy(usize),
    /// They are closed and opened.
    Reopen,
    /// They are dropped as they are; events are read again from where they stand.
    Crash,
}

fn deed() -> impl Strategy<Value = Deed> {
    let event = (0..2_usize, 0..VALUES.len(), 0..9_u64);
    prop_oneof![
        6 => proptest::collection::vec(event, 1..60).prop_map(Deed::Enter),
        4 => (1..4_usize).prop_map(Deed::Tidy),
        1 => Just(Deed::Reopen),
        1 => Just(Deed::Crash),
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

/// An open database of lookups, and the index that is beside them.
struct Open {
    events: SledIndex,
    lookup: Lookup,
}

fn open(path: &Path, gathered: usize) -> Open {
    let events = SledIndex::open(path, 1 << 20, 9, 0).unwrap();
    let lookup = Lookup::open(&events.db, 9).unwrap();
    let lookup = lookup.unwrap_or_else(|| {
        let fields = vec!["city".to_owned(), "mail".to_owned()];
        Lookup::make(&events.db, 9, fields).unwrap()
    });
    Open {
        lookup: lookup.with_gathered(gathered),
        events,
    }
}

impl Open {
    fn enter(&self, came: &[(usize, usize, u64)]) {
        let after = self.lookup.position().seq as usize;
        let words: Vec<Word> = came[after..]
            .iter()
            .map(|(field, value, whose)| {
                let word = self.lookup.word(*field, VALUES[*value], key(*whose));
                word.unwrap()
            })
            .collect();
        let position = Position {
            seq: came.len() as u64,
            mark: 3,
        };
        self.lookup.enter(&words, position).unwrap();
    }

    fn told(&self, probe: &Probe, limit: usize) -> BTreeSet<ProfileKey> {
        let mut found = BTreeSet::new();
        let mut before = None;
        loop {
            let looked = self.lookup.look_up(probe, None, before.as_ref(), limit);
            let looked = looked.unwrap().unwrap();
            assert_eq!(looked.up_to, self.lookup.position().seq);
            assert!(looked.keys.len() <= limit);
            found.extend(looked.keys.iter().copied());
            if looked.is_last() {
                return found;
            }
            before = Some(looked);
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
            let probe = Probe::new(field, value, false);
            let expected = of(&|own| fold(own) == fold(value));
            prop_assert_eq!(open.told(&probe, limit), expected, "{} {:?}", field, value);
            let probe = Probe::new(field, value, true);
            let expected = of(&|own| fold(own).starts_with(&fold(value)));
            let told = open.told(&probe, limit);
            if value.len() < 24 {
                prop_assert_eq!(told, expected, "{} {:?}…", field, value);
            } else {
                prop_assert!(told.is_superset(&expected), "{} {:?}…", field, value);
            }
        }
        let other = Probe::new("phone", "", true);
        prop_assert!(
            open.lookup
                .look_up(&other, None, None, 1)
                .unwrap()
                .is_none()
        );
    }
    let word = |event: &(usize, usize, u64)| {
        let (field, value, whose) = *event;
        open.lookup.word(field, VALUES[value], key(whose)).unwrap()
    };
    let words: BTreeSet<Word> = came.iter().map(word).collect();
    prop_assert_eq!(open.lookup.lacks_word(&words).unwrap(), None);
    let absent = open.lookup.word(0, "absent", key(0)).unwrap();
    prop_assert_eq!(
        open.lookup.lacks_word(&BTreeSet::from([absent])).unwrap(),
        Some(absent)
    );
    // What comes again takes no room.
    let state = open.lookup.state();
    prop_assert!(state.entries <= 2 * words.len() as u64);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn they_tell_what_a_plain_set_tells(
        deeds in proptest::collection::vec(deed(), 1..24),
        gathered in 1..40_usize,
        limit in 1..9_usize,
    ) {
        let dir = tempfile::tempdir().unwrap();
        let mut own = open(dir.path(), gathered);
        let mut came = Vec::new();
        for deed in deeds {
            match deed {
                Deed::Enter(events) => came.extend(events),
                Deed::Tidy(steps) => for _ in 0..steps {
                    own.lookup.tidy().unwrap();
                },
                Deed::Reopen => {
                    own.lookup.flush().unwrap();
                    own.events.flush().unwrap();
                    drop(own);
                    own = open(dir.path(), gathered);
                    prop_assert_eq!(own.lookup.position().seq, came.len() as u64);
                }
                Deed::Crash => {
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
fn fields_and_baselines_are_remembered_and_all_is_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let pruned = Pruned {
        before: -5,
        events: 7,
        rejected: 0,
        baselines: 1,
        owners: 3,
        end: u64::MAX,
    };
    let own = open(dir.path(), 2);
    assert!(own.lookup.knows(None) && !own.lookup.knows(Some(pruned)));
    let words: Vec<Word> = (0..5)
        .map(|number| own.lookup.word(1, "a", key(number)).unwrap())
        .collect();
    own.lookup.enter_pruned(&words).unwrap();
    own.lookup.learn(pruned).unwrap();
    drop(own);
    let own = open(dir.path(), 2);
    assert_eq!(own.lookup.fields, ["city", "mail"]);
    assert!(own.lookup.knows(Some(pruned)));
    assert_eq!(own.told(&Probe::new("mail", "A", false), 2).len(), 5);
    let Open { events, lookup } = own;
    drop(lookup);
    let trees = |events: &SledIndex| events.db.tree_names().len();
    let before = trees(&events);
    Lookup::remove(&events.db).unwrap();
    assert!(trees(&events) < before);
    assert!(Lookup::open(&events.db, 9).unwrap().is_none());
    // Another list begins from nothing.
    let lookup = Lookup::make(&events.db, 9, vec!["mail".to_owned()]).unwrap();
    assert_eq!(lookup.position().seq, 0);
    assert!(!lookup.knows(Some(pruned)));
}

#[test]
fn a_block_that_is_gone_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let own = open(dir.path(), 600);
    let words: Vec<Word> = (0..600)
        .map(|number| {
            let value = format!("value-{}", number * 7919 % 600);
            own.lookup.word(0, &value, key(number)).unwrap()
        })
        .collect();
    let position = Position { seq: 600, mark: 1 };
    own.lookup.enter(&words, position).unwrap();
    let tree = own.events.db.open_tree("word-0").unwrap();
    let (name, bytes) = tree.iter().nth(3).unwrap().unwrap();
    tree.remove(&name).unwrap();
    let all = Probe::new("city", "value-", true);
    assert!(own.lookup.look_up(&all, None, None, 1000).is_err());
    assert!(
        own.lookup
            .lacks_word(&words.iter().copied().collect())
            .is_err()
    );
    tree.insert(&name, bytes).unwrap();
    assert_eq!(own.told(&all, 100).len(), 600);
}

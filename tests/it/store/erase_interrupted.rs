//! An erasure that does not come to its end at once.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;

use profiletrail::event::ProfileKey;
use profiletrail::store::{Append, EraseError, EraseOrder, Outcome, Trail};

use crate::support::flip;
use crate::support::store::{BEGIN, Store, arrival, history};

/// Who is erased.
const PERSON: u64 = 1;

fn body(profile: u64, call: i64) -> String {
    format!("type=update&profile={profile}&time={}", BEGIN + call)
}

/// Calls of the person and of two others in turn; a segment has room for several.
fn filled() -> Store {
    let mut store = Store::new();
    store.add(
        (0..12).map(|call| body(call as u64 % 3 + PERSON, call)),
        BEGIN,
    );
    store.trail.wait_for_index(|_| ()).unwrap();
    store
}

fn erase(trail: &Trail, append: Append<'_>) -> Result<usize, EraseError> {
    let order = EraseOrder {
        profiles: BTreeSet::from([PERSON]),
        until: None,
        reason: "asked".to_owned(),
        still_present: true,
        unknown: false,
        dry_run: false,
    };
    let lines = trail.erase(&order, append, &|| false, &mut |_, _| ())?;
    Ok(lines.len())
}

fn events_of(store: &Store, profile: u64) -> usize {
    store
        .ask(&history(ProfileKey::profile(profile), None))
        .len()
}

#[test]
fn an_event_that_was_found_after_a_crash_is_in_no_index() {
    let Store {
        trail,
        appender,
        dir,
    } = filled();
    let appender = RefCell::new(appender);
    // It arrives before the erasure, and is appended after its plan; then the process dies.
    let dies = |_| {
        let late = arrival((body(PERSON, 20), BEGIN * 1_000_000));
        appender.borrow_mut().append(vec![late]);
        vec![Outcome::Unavailable("it was killed".to_owned())]
    };
    let error = erase(&trail, &dies).unwrap_err();
    assert!(matches!(error, EraseError::Append(_)), "{error}");
    let appender = appender.into_inner();
    let store = Store {
        trail,
        appender,
        dir,
    }
    .reopened(false);
    assert_eq!(events_of(&store, PERSON), 1, "it was not found yet");

    let Store {
        trail,
        appender,
        dir,
    } = store;
    let appender = RefCell::new(appender);
    let append = |group| appender.borrow_mut().append(group);
    trail.finish_erasure(&append, &|| false).unwrap();
    assert!(trail.last_receipt() > 0);
    let appender = appender.into_inner();
    let store = Store {
        trail,
        appender,
        dir,
    };
    assert_eq!(events_of(&store, PERSON), 0);
    // A question reports damage if the index has an event that the log has not.
    let store = store.reopened(false);
    assert_eq!(events_of(&store, PERSON), 0);
    assert_eq!(events_of(&store, PERSON + 1), 4);
}

#[test]
fn what_cannot_be_erased_yet_makes_no_more_files() {
    let store = filled();
    let dies = |_| vec![Outcome::Unavailable("it was killed".to_owned())];
    erase(&store.trail, &dies).unwrap_err();
    let Store {
        trail,
        appender,
        dir,
    } = store.reopened_after(|data| {
        let first = data.join("log/00000000000000000001.log");
        // In the same segment as an event of the person.
        flip(&first, |bytes| {
            memchr::memmem::find(bytes, b"profile=2").unwrap()
        });
    });
    let appender = RefCell::new(appender);
    let append = |group| appender.borrow_mut().append(group);
    let mut numbers = 20..;
    let mut files_after = || {
        let error = trail.finish_erasure(&append, &|| false).unwrap_err();
        assert!(matches!(error, EraseError::Damaged(_)), "{error}");
        // There would be something to close; a segment has room for several of these.
        let call = (body(2, numbers.next().unwrap()), BEGIN * 1_000_000);
        append(vec![arrival(call)]);
        fs::read_dir(trail.folder().log()).unwrap().count()
    };
    let files = [(); 4].map(|()| files_after());
    assert!(files[3] <= files[0] + 1, "{files:?}");
    drop(dir);
}

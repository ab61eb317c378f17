//! What must hold of answers for every stream of events: they do not depend on
//! the order of arrival, a state as of a moment is the replay up to it, and an
//! export that is imported answers alike. On streams that proptest makes up,
//! through the engine with a real log and index.

use std::sync::Arc;

use profiletrail::event::{BodyKind, ProfileKey, decode_envelope, zone_from_name};
use profiletrail::query::{Importer, Query};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use crate::support::store::{self, BEGIN, Call, Store, changes, show};

/// Calls of distinct times, as bodies in the order of time.
fn bodies_in_order(calls: &[Call]) -> Vec<String> {
    let timed = calls.iter().zip(0..).map(|(call, time)| Call {
        time,
        ..call.clone()
    });
    timed.map(|call| call.body()).collect()
}

/// The history of a profile with that of its subprofiles.
fn history(profile: u64) -> Query {
    let mut query = store::history(ProfileKey::profile(profile), None);
    if let Query::History(query) = &mut query {
        query.subprofiles = true;
    }
    query
}

/// The lines without what depends on the order of arrival.
fn without_arrival(mut lines: Vec<Value>) -> Vec<Value> {
    for line in &mut lines {
        if let Some(line) = line.as_object_mut() {
            line.shift_remove("seq");
            line.shift_remove("received");
        }
    }
    lines
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn answers_do_not_depend_on_the_order_of_arrival(
        stream in vec(store::call(1), 1..30).prop_flat_map(|calls| {
            let order: Vec<usize> = (0..calls.len()).collect();
            (Just(calls), Just(order).prop_shuffle())
        })
    ) {
        let (calls, order) = stream;
        let bodies = bodies_in_order(&calls);
        let in_order = Store::with(bodies.iter().cloned());
        let shuffled = Store::with(order.iter().map(|place| bodies[*place].clone()));
        prop_assert_eq!(without_arrival(in_order.ask(&changes(None))), without_arrival(shuffled.ask(&changes(None))));
        for profile in 1..4 {
            prop_assert_eq!(
                without_arrival(in_order.ask(&history(profile))),
                without_arrival(shuffled.ask(&history(profile)))
            );
        }
    }

    #[test]
    fn a_state_as_of_a_moment_is_the_replay_up_to_it(calls in vec(store::call(1), 1..25)) {
        let bodies = bodies_in_order(&calls);
        let whole = Store::with(bodies.iter().cloned());
        let mut part = Store::new();
        for ((call, body), at) in calls.iter().zip(bodies).zip(BEGIN..) {
            part.add([body], at);
            prop_assert_eq!(whole.ask(&show(call.key, at)), part.ask(&show(call.key, at)));
        }
    }

    #[test]
    fn an_export_that_is_imported_answers_alike(
        calls in vec(store::call(6), 1..30),
        respelled in vec(any::<prop::sample::Index>(), 0..5),
        raw in any::<bool>(),
        repeated in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        // Times tie, some bodies come twice, and some say the same in other bytes.
        let mut bodies: Vec<String> = calls.iter().map(Call::body).collect();
        for index in respelled {
            let again = index.get(&bodies).replace("%5B", "[").replace("%5D", "]");
            bodies.push(again);
        }
        for index in repeated {
            let again = index.get(&bodies).clone();
            bodies.push(again);
        }
        let original = Store::with(bodies);
        let lines = original.export(raw);
        let mut copy = Store::new();
        let trail = Arc::clone(&copy.trail);
        let mut importer = Importer::new(&trail);
        let report = importer.import(1, &lines, |group| copy.appender.append(group)).unwrap();
        prop_assert_eq!(&report.refused, &[]);
        prop_assert_eq!(report.added, original.trail.last_seq());
        let again = importer.import(1, &lines, |group| copy.appender.append(group)).unwrap();
        prop_assert_eq!((again.added, again.present), (0, original.trail.last_seq()));
        prop_assert_eq!(copy.ask(&changes(None)), original.ask(&changes(None)));
        for profile in 1..4 {
            prop_assert_eq!(copy.ask(&history(profile)), original.ask(&history(profile)));
        }
        prop_assert_eq!(copy.export(raw), lines);
    }

    #[test]
    fn no_body_makes_the_decoder_panic(body: Vec<u8>, json: bool) {
        let kind = if json { BodyKind::Json } else { BodyKind::Form };
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let _ = decode_envelope(kind, &body, zone);
        if let Ok(content) = profiletrail::event::decode_content(kind, &body) {
            let kept = serde_json::to_vec(&content).unwrap();
            let read = profiletrail::event::decode_content(BodyKind::Content, &kept);
            prop_assert_eq!(read, Ok(content));
        }
    }

    #[test]
    fn bodies_like_a_senders_do_not_either(
        pairs in vec(("(type|profile|time|timestamp|fields|parameters|interests|created|x)(%5B|\\[)?[a-z0-9%\\[\\]]{0,6}", "[ -~é%]{0,12}"), 0..20)
    ) {
        let body: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let body = format!("type=update&profile=1&{}", body.join("&"));
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let _ = decode_envelope(BodyKind::Form, body.as_bytes(), zone);
        prop_assert!(profiletrail::event::decode_content(BodyKind::Form, body.as_bytes()).is_ok());
    }
}

#[test]
fn another_spelling_of_the_same_exports_its_body_and_stays_another() {
    let body = |field: &str| format!("type=update&time={BEGIN}&profile=1&{field}=a");
    let (one, other) = (body("fields[mail]"), body("fields%5Bmail%5D"));
    // Far apart, with one beside them that says something else, and the first again.
    let mut bodies = vec![one.clone(); 40];
    bodies.extend([other, body("fields[city]"), one]);
    let original = Store::with(bodies);
    let lines = original.export(false);
    let with_body: Vec<bool> = String::from_utf8(lines.clone())
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["body"].is_string())
        .collect();
    let expected: Vec<bool> = (0..43).map(|place| place == 40).collect();
    assert_eq!(with_body, expected);
    let mut copy = Store::new();
    let trail = Arc::clone(&copy.trail);
    Importer::new(&trail)
        .import(1, &lines, |group| copy.appender.append(group))
        .unwrap();
    assert_eq!(copy.ask(&history(1)), original.ask(&history(1)));
}

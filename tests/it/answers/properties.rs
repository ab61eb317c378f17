//! What must hold of answers for every stream of events: they do not depend on
//! the order of arrival, a state as of a moment is the replay up to it, and an
//! export that is imported answers alike. On streams that proptest makes up,
//! through the engine with a real log and index.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use profiletrail::event::{BodyKind, ProfileKey, decode_envelope, now_micros, zone_from_name};
use profiletrail::query::{
    ChangesQuery, ExportQuery, HistoryQuery, Importer, Query, ShowQuery, Span, answer,
};
use profiletrail::store::{
    Appender, Arrival, Folder, OpenOptions, Outcome, ParsedCall, Purpose, Trail,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

const DATABASE: u64 = 1;
const BEGIN: i64 = 1_760_000_000;

/// One made-up call: its time is its place in the stream, so that no two tie.
#[derive(Clone, Debug)]
struct Call {
    profile: u64,
    subprofile: Option<u64>,
    event_type: &'static str,
    parameters: Vec<(&'static str, &'static str)>,
    fields: Vec<(&'static str, &'static str)>,
    interests: Vec<&'static str>,
}

impl Call {
    fn body(&self, time: i64) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("type", self.event_type)
            .append_pair("time", &time.to_string())
            .append_pair("profile", &self.profile.to_string())
            .append_pair("database", &DATABASE.to_string());
        if let Some(subprofile) = self.subprofile {
            form.append_pair("subprofile", &subprofile.to_string());
        }
        for (name, value) in &self.parameters {
            form.append_pair(&format!("parameters[{name}]"), value);
        }
        for (name, value) in &self.fields {
            form.append_pair(&format!("fields[{name}]"), value);
        }
        for name in &self.interests {
            form.append_pair("interests[]", name);
        }
        form.finish()
    }
}

fn pairs() -> impl Strategy<Value = Vec<(&'static str, &'static str)>> {
    let name = select(vec!["mail", "city", "First name", "a[b]", "é", "news"]);
    let value = select(vec!["", "a", "b", "50% + [x]", "李雷", "0"]);
    vec((name, value), 0..4)
}

fn call() -> impl Strategy<Value = Call> {
    let event_type = select(vec![
        "create", "update", "update", "update", "update", "delete", "click",
    ]);
    let interests = vec(select(vec!["news", "sale"]), 0..3);
    let key = (
        1_u64..4,
        prop_oneof![3 => Just(None), 1 => (1_u64..3).prop_map(Some)],
    );
    (key, event_type, pairs(), pairs(), interests).prop_map(
        |((profile, subprofile), event_type, parameters, fields, interests)| Call {
            profile,
            // A subprofile's number belongs to one profile.
            subprofile: subprofile.map(|number| profile * 10 + number),
            event_type,
            parameters,
            fields,
            interests,
        },
    )
}

struct Store {
    trail: Arc<Trail>,
    appender: Appender,
    _dir: tempfile::TempDir,
}

impl Store {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (trail, appender) = open(dir.path());
        Self {
            trail,
            appender,
            _dir: dir,
        }
    }

    /// A store to which these bodies came in this order.
    fn with(bodies: impl IntoIterator<Item = String>) -> Self {
        let mut store = Self::new();
        let zone = zone_from_name("Europe/Amsterdam").unwrap();
        let calls: Vec<Arrival> = bodies
            .into_iter()
            .zip(now_micros()..)
            .map(|(body, received)| {
                let envelope = decode_envelope(BodyKind::Form, body.as_bytes(), zone).unwrap();
                Arrival::Call(Box::new(ParsedCall {
                    received,
                    remote: None,
                    label: None,
                    content_type: None,
                    evidence: None,
                    read: Ok((BodyKind::Form, envelope)),
                    body: body.into_bytes(),
                }))
            })
            .collect();
        let count = calls.len() as u64;
        let outcomes = store.appender.append(calls);
        let expected: Vec<Outcome> = (1..=count).map(Outcome::Kept).collect();
        assert_eq!(outcomes, expected);
        store
    }

    fn ask(&self, query: Query) -> Vec<Value> {
        let mut out = Vec::new();
        let answered = answer(&self.trail, &query, &mut out).unwrap();
        assert_eq!(answered.damage, Vec::<String>::new());
        let lines = String::from_utf8(out).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn export(&self, raw: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let query = Query::Export(ExportQuery {
            raw,
            ..ExportQuery::default()
        });
        answer(&self.trail, &query, &mut out).unwrap();
        out
    }
}

fn open(path: &Path) -> (Arc<Trail>, Appender) {
    let data = path.join("data");
    Folder::make(&data).unwrap();
    let options = OpenOptions {
        purpose: Purpose::Append {
            server: false,
            segment_size: 4096,
        },
        cache: 1 << 20,
        patience: Duration::ZERO,
    };
    let (trail, appender) = Trail::open(&data, options).unwrap();
    (trail, appender.unwrap())
}

fn changes() -> Query {
    Query::Changes(ChangesQuery::default())
}

fn history(profile: u64) -> Query {
    Query::History(HistoryQuery {
        key: ProfileKey::profile(profile),
        fields: Vec::new(),
        interests: Vec::new(),
        span: Span::default(),
        all: true,
        limit: None,
        reverse: false,
        subprofiles: true,
        cascade: false,
    })
}

fn show(key: ProfileKey, at: i64) -> Query {
    Query::Show(ShowQuery {
        key,
        at: Some(at),
        cascade: false,
    })
}

fn time_of(place: usize) -> i64 {
    BEGIN + place as i64
}

/// The lines without what the order of arrival decides.
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
        stream in vec(call(), 1..30).prop_flat_map(|calls| {
            let order: Vec<usize> = (0..calls.len()).collect();
            (Just(calls), Just(order).prop_shuffle())
        })
    ) {
        let (calls, order) = stream;
        let bodies: Vec<String> = calls.iter().enumerate().map(|(place, call)| call.body(time_of(place))).collect();
        let in_order = Store::with(bodies.iter().cloned());
        let shuffled = Store::with(order.iter().map(|place| bodies[*place].clone()));
        prop_assert_eq!(without_arrival(in_order.ask(changes())), without_arrival(shuffled.ask(changes())));
        for profile in 1..4 {
            prop_assert_eq!(
                without_arrival(in_order.ask(history(profile))),
                without_arrival(shuffled.ask(history(profile)))
            );
        }
    }

    #[test]
    fn a_state_as_of_a_moment_is_the_replay_up_to_it(calls in vec(call(), 1..25)) {
        let bodies: Vec<String> = calls.iter().enumerate().map(|(place, call)| call.body(time_of(place))).collect();
        let whole = Store::with(bodies.iter().cloned());
        for (place, call) in calls.iter().enumerate() {
            let key = ProfileKey { profile: call.profile, subprofile: call.subprofile };
            let part = Store::with(bodies.iter().take(place + 1).cloned());
            let at = time_of(place);
            prop_assert_eq!(whole.ask(show(key, at)), part.ask(show(key, at)));
        }
    }

    #[test]
    fn an_export_that_is_imported_answers_alike(
        calls in vec((call(), 0_i64..6), 1..30),
        respelled in vec(any::<prop::sample::Index>(), 0..5),
        raw in any::<bool>(),
        repeated in vec(any::<prop::sample::Index>(), 0..5),
    ) {
        // Times tie, some bodies come twice, and some say the same in other bytes.
        let mut bodies: Vec<String> = calls.iter().map(|(call, time)| call.body(BEGIN + time)).collect();
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
        prop_assert_eq!(copy.ask(changes()), original.ask(changes()));
        for profile in 1..4 {
            prop_assert_eq!(copy.ask(history(profile)), original.ask(history(profile)));
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
    assert_eq!(copy.ask(history(1)), original.ask(history(1)));
}

//! The rules of states and changes, as tables of cases: calls, and their changes.
//!
//! A call is written as its type, its time and its form; its `seq` is its place in
//! the list. A line of the expectation is a `seq` with its changes, in the order of
//! the history: `name: old > new cause`, where `?` is not known, `-` absent, a name
//! with `!` an interest, and `@` the `since` of a cause. `= n` marks a duplicate.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{Change, OrderKey, Replay, Subject, Value, order_and_dedup};
use crate::event::{BodyKind, Event, EventType, ProfileKey, decode_content};

/// A call: type, time and form.
type Call = (&'static str, i64, &'static str);

/// The subject of a case, its calls, and the expected lines.
type Case = (&'static str, &'static [Call], &'static [&'static str]);

fn event((event_type, time, form): Call, seq: u64) -> Event<'static> {
    Event {
        seq,
        event_type: EventType::from(event_type),
        time,
        key: ProfileKey::profile(1),
        content: decode_content(BodyKind::Form, form.as_bytes()).unwrap(),
        ..Event::default()
    }
}

fn value(value: &Value<'_>) -> String {
    match value {
        Value::Absent => "-".to_owned(),
        Value::Member(member) => member.to_string(),
        Value::Text(text) => text.to_string(),
    }
}

fn change(change: &Change<'_>) -> String {
    let name = match &change.subject {
        Subject::Field(name) => name.to_string(),
        Subject::Interest(name) => format!("{name}!"),
    };
    let old = change.old.as_ref().map_or("?".to_owned(), value);
    let since = change.cause.since();
    let since = since.map(|since| format!("@{since}")).unwrap_or_default();
    let (new, cause) = (value(&change.new), change.cause.name());
    format!("{name}: {old} > {new} {cause}{since}")
}

/// The lines of some calls.
fn lines(calls: &[Call]) -> Vec<String> {
    let mut seconds: BTreeMap<i64, Vec<OrderKey>> = BTreeMap::new();
    let mut events = BTreeMap::new();
    for (call, seq) in calls.iter().zip(1..) {
        let event = event(*call, seq);
        let digest = Sha256::digest(format!("{} {}", call.0, call.2));
        let key = OrderKey {
            seq,
            rank: event.event_type.rank(),
            digest: digest.into(),
        };
        // The order in which they are given does not matter.
        seconds.entry(event.time).or_default().insert(0, key);
        events.insert(seq, event);
    }
    let mut replay = Replay::default();
    let mut lines = Vec::new();
    for (seq, duplicate_of) in seconds.into_values().flat_map(order_and_dedup) {
        lines.push(match duplicate_of {
            Some(of) => format!("{seq} = {of}"),
            None => {
                let changes = replay.step(&events[&seq]);
                let changes: Vec<String> = changes.iter().map(change).collect();
                format!("{seq} {}", changes.join(", "))
                    .trim_end()
                    .to_owned()
            }
        });
    }
    lines
}

fn check(cases: &[Case]) {
    for (name, calls, expected) in cases {
        assert_eq!(lines(calls), *expected, "{name}");
    }
}

#[test]
fn states() {
    check(&[
        (
            "the state is the fields and the interests of the last event",
            &[
                ("create", 1, "fields[a]=1&interests[]=news"),
                ("update", 2, "fields[a]=2&parameters[a]=2"),
            ],
            &[
                "1 a: - > 1 create, news!: false > true create",
                "2 a: 1 > 2 set, news!: true > false unexplained@1",
            ],
        ),
        (
            "an update without fields carries the state over, with its parameters",
            &[
                ("create", 1, "fields[a]=1&fields[b]=2&interests[]=news"),
                ("update", 2, "parameters[b]=3&parameters[c]=4"),
                (
                    "update",
                    3,
                    "fields[a]=1&fields[b]=3&fields[c]=4&interests[]=news",
                ),
            ],
            &[
                "1 a: - > 1 create, b: - > 2 create, news!: false > true create",
                "2 b: 2 > 3 set, c: - > 4 set",
                "3",
            ],
        ),
        (
            "a bare parameter that names an interest and no field is about the interest",
            &[
                ("create", 1, "fields[a]=1&interests[]=news&interests[]=sale"),
                ("update", 2, "parameters[news]=0&parameters[sale]=1"),
                ("update", 3, "interests[x]=1&parameters[x]=1"),
            ],
            &[
                "1 a: - > 1 create, news!: false > true create, sale!: false > true create",
                "2 news!: true > false set",
                "3 sale!: true > false unexplained@2, x!: false > true set",
            ],
        ),
        (
            "interests as a list and as a map are the same",
            &[
                ("create", 1, "fields[a]=1&interests[]=news"),
                (
                    "update",
                    2,
                    "fields[a]=1&interests[news]=1&interests[sale]=0",
                ),
                ("update", 3, "fields[a]=1&interests[news]=false"),
            ],
            &[
                "1 a: - > 1 create, news!: false > true create",
                "2",
                "3 news!: true > false unexplained@2",
            ],
        ),
        (
            "a delete leaves no state",
            &[
                ("create", 1, "fields[a]=1"),
                ("delete", 2, ""),
                ("create", 3, "fields[a]=1"),
            ],
            &["1 a: - > 1 create", "2", "3 a: - > 1 create"],
        ),
        (
            "events of other types change nothing, whatever they carry",
            &[
                ("create", 1, "fields[a]=1"),
                ("click", 2, "fields[a]=2&parameters[a]=2&interests[]=news"),
                ("update", 3, "fields[a]=1"),
            ],
            &["1 a: - > 1 create", "2", "3"],
        ),
    ]);
}

#[test]
fn the_order_of_changes() {
    check(&[
        (
            "fields in the order sent, then gone fields by name, then interests by name",
            &[
                (
                    "create",
                    1,
                    "fields[z]=1&fields[y]=1&fields[b]=1&fields[a]=1&interests[]=n",
                ),
                (
                    "update",
                    2,
                    "fields[y]=2&fields[x]=2&fields[c]=2&interests[]=o&interests[]=m",
                ),
            ],
            &[
                "1 z: - > 1 create, y: - > 1 create, b: - > 1 create, a: - > 1 create, \
                 n!: false > true create",
                "2 y: 1 > 2 unexplained@1, x: - > 2 unexplained@1, c: - > 2 unexplained@1, \
                 a: 1 > - unexplained@1, b: 1 > - unexplained@1, z: 1 > - unexplained@1, \
                 m!: false > true unexplained@1, n!: true > false unexplained@1, \
                 o!: false > true unexplained@1",
            ],
        ),
        (
            "an update without fields sends its parameters in order",
            &[
                ("create", 1, "fields[a]=1&fields[b]=1&interests[]=n"),
                (
                    "update",
                    2,
                    "parameters[n]=0&parameters[b]=2&parameters[a]=2",
                ),
            ],
            &[
                "1 a: - > 1 create, b: - > 1 create, n!: false > true create",
                "2 b: 1 > 2 set, a: 1 > 2 set, n!: true > false set",
            ],
        ),
    ]);
}

#[test]
fn causes() {
    check(&[
        (
            "create has the earlier value if there was a state before",
            &[
                ("create", 1, "fields[a]=1&interests[]=news"),
                ("create", 2, "fields[a]=2&fields[b]=1"),
            ],
            &[
                "1 a: - > 1 create, news!: false > true create",
                "2 a: 1 > 2 create, b: - > 1 create, news!: true > false create",
            ],
        ),
        (
            "set is what the parameters name, unexplained all else",
            &[
                ("create", 1, "fields[a]=1&fields[b]=1"),
                (
                    "update",
                    5,
                    "fields[a]=2&fields[b]=2&interests[]=news&parameters[a]=x&parameters[news]=1",
                ),
            ],
            &[
                "1 a: - > 1 create, b: - > 1 create",
                "2 a: 1 > 2 set, b: 1 > 2 unexplained@1, news!: false > true set",
            ],
        ),
        (
            "since is the time of the event before, whatever its type",
            &[
                ("create", 1, "fields[a]=1"),
                ("click", 4, ""),
                ("update", 9, "fields[a]=2"),
            ],
            &["1 a: - > 1 create", "2", "3 a: 1 > 2 unexplained@4"],
        ),
        (
            "a first update is first seen, with what it names set, and old not known",
            &[(
                "update",
                1,
                "fields[a]=1&fields[b]=1&interests[]=m&interests[]=n&parameters[b]=1&parameters[n]=1",
            )],
            &["1 a: ? > 1 first_seen, b: ? > 1 set, m!: ? > true first_seen, n!: ? > true set"],
        ),
        (
            "so is the first one after a delete, and after events of other types",
            &[
                ("click", 1, ""),
                ("update", 2, "fields[a]=1"),
                ("delete", 3, ""),
                ("update", 4, "fields[a]=1&parameters[a]=1"),
            ],
            &["1", "2 a: ? > 1 first_seen", "3", "4 a: ? > 1 set"],
        ),
        (
            "a parameter whose value is what the field was is no change",
            &[
                ("create", 1, "fields[a]=1"),
                ("update", 2, "fields[a]=1&parameters[a]=1"),
                ("update", 3, "parameters[a]=1"),
            ],
            &["1 a: - > 1 create", "2", "3"],
        ),
        (
            "a delete that carries fields shows differences as unexplained",
            &[
                ("create", 1, "fields[a]=1&fields[b]=1&interests[]=news"),
                ("delete", 5, "fields[a]=2&parameters[a]=2"),
                ("delete", 6, "fields[a]=3"),
            ],
            &[
                "1 a: - > 1 create, b: - > 1 create, news!: false > true create",
                "2 a: 1 > 2 unexplained@1, b: 1 > - unexplained@1",
                "3",
            ],
        ),
    ]);
}

#[test]
fn order_and_duplicates() {
    check(&[
        (
            "by event time, whatever the order of arrival",
            &[
                ("update", 9, "fields[a]=3"),
                ("create", 1, "fields[a]=1"),
                ("update", 5, "fields[a]=2"),
            ],
            &[
                "2 a: - > 1 create",
                "3 a: 1 > 2 unexplained@1",
                "1 a: 2 > 3 unexplained@5",
            ],
        ),
        (
            "in a second create comes before others before delete, then by seq",
            &[
                ("delete", 1, ""),
                ("update", 1, "fields[a]=2"),
                ("click", 1, ""),
                ("update", 1, "fields[a]=3"),
                ("create", 1, "fields[a]=1"),
            ],
            &[
                "5 a: - > 1 create",
                "2 a: 1 > 2 unexplained@1",
                "3",
                "4 a: 2 > 3 unexplained@1",
                "1",
            ],
        ),
        (
            "a duplicate points to the lowest seq, and changes nothing",
            &[
                ("update", 1, "fields[a]=1"),
                ("update", 1, "fields[a]=2"),
                ("update", 1, "fields[a]=1"),
                ("update", 1, "fields[a]=1"),
            ],
            &[
                "1 a: ? > 1 first_seen",
                "2 a: 1 > 2 unexplained@1",
                "3 = 1",
                "4 = 1",
            ],
        ),
        (
            "another type, another time or other bytes make no duplicate",
            &[
                ("update", 1, "fields[a]=1"),
                ("create", 1, "fields[a]=1"),
                ("update", 2, "fields[a]=1"),
                ("update", 1, "fields%5Ba%5D=1"),
            ],
            &["2 a: - > 1 create", "1", "4", "3"],
        ),
    ]);
}

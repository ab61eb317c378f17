//! Everything about one person, as lines.
//!
//! Proven: at every moment the values of a dossier are those that `show` prints,
//! whatever was pruned; it says how each value came, who sent it and what is not
//! known; it has nothing but what was asked for; over HTTP it is the same.

use crate::support::dossier::{form, of_part};
use crate::support::http::{ask, token};
use crate::support::store::{BEGIN, Call, Store, call};
use crate::support::{Client, cli, data, json_lines, new_server};
use profiletrail::event::ProfileKey;
use profiletrail::query::{DossierQuery, Query, Span, StateQuery};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A person who has changed her mind, a lost call, and an order that ended with her.
fn post_story(client: &mut Client) {
    let subscribed = &[
        ("type", "update"),
        ("parameters[newsletter]", "Ja"),
        ("fields[newsletter]", "Ja"),
        ("fields[mail]", "a@b.nl"),
        ("interests[]", "blue"),
    ][..];
    for (target, time, rest) in [
        (
            "/webhook/form",
            "1760000000",
            &[
                ("type", "create"),
                ("fields[newsletter]", "Nee"),
                ("fields[mail]", "a@b.nl"),
                ("interests[]", "blue"),
            ][..],
        ),
        ("/webhook/form", "1760000100", subscribed),
        // Sent twice.
        ("/webhook/form", "1760000100", subscribed),
        (
            "/webhook/crm",
            "1760000200",
            &[
                ("type", "update"),
                ("parameters[mail]", "c@d.nl"),
                ("fields[newsletter]", "Nee"),
                ("fields[mail]", "c@d.nl"),
            ],
        ),
        (
            "/webhook/form",
            "1760000300",
            &[
                ("type", "update"),
                ("parameters[newsletter]", "Ja"),
                ("fields[newsletter]", "Ja"),
                ("fields[mail]", "c@d.nl"),
            ],
        ),
        (
            "/webhook",
            "1760000400",
            &[
                ("type", "update"),
                ("subprofile", "70"),
                ("collection", "5"),
                ("fields[order]", "boots"),
            ],
        ),
    ] {
        let body = form(&[&[("profile", "7"), ("database", "3"), ("time", time)], rest].concat());
        client.post(target, &body).seq();
    }
}

#[test]
fn since_when_and_how_that_is_known() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let data = data(&dir);
    post_story(&mut server.client());
    let lines = json_lines(&cli(&data, &["dossier", "7", "--field", "newsletter"]).ok());
    let parts: Vec<&str> = lines
        .iter()
        .map(|line| line["part"].as_str().unwrap())
        .collect();
    let mut order = parts.clone();
    order.dedup();
    assert_eq!(
        order,
        ["about", "total", "state", "now", "value", "gap", "event"]
    );
    assert_eq!(lines[0]["fields"], json!(["newsletter"]));
    let total = of_part(&lines, "total")[0];
    for (name, count) in [
        ("events", 5),
        ("duplicates", 1),
        ("subprofiles", 1),
        ("unchecked", 5),
        ("unexplained", 1),
        ("first_seen", 0),
        ("pruned", 0),
        ("damaged", 0),
    ] {
        assert_eq!(total[name], count, "{name}");
    }
    assert_eq!(total["last_event"]["seq"], 6);
    let now = of_part(&lines, "now");
    assert_eq!(
        now,
        [
            &json!({"part": "now", "profile": 7, "subprofile": null, "field": "newsletter", "value": "Ja",
            "since": {"seq": 5, "time": "2025-10-09T08:58:20Z", "type": "update", "cause": "set", "label": "form", "remote": "127.0.0.1"}})
        ]
    );
    let values = of_part(&lines, "value");
    let spans: Vec<Value> = values
        .iter()
        .map(|line| {
            json!([
                line["value"],
                line["since"]["seq"],
                line["since"]["cause"],
                line["until"]["seq"],
                line["until"]["cause"]
            ])
        })
        .collect();
    assert_eq!(
        spans,
        [
            json!(["Nee", 1, "create", 2, "set"]),
            json!(["Ja", 2, "set", 4, "unexplained"]),
            json!(["Nee", 4, "unexplained", 5, "set"]),
            json!(["Ja", 5, "set", null, null]),
        ]
    );
    assert_eq!(values[2]["since"]["not_before"], "2025-10-09T08:55:00Z");
    assert_eq!(values[1]["until"]["not_before"], "2025-10-09T08:55:00Z");
    let gap = of_part(&lines, "gap");
    assert_eq!(gap.len(), 1);
    assert_eq!(
        (
            &gap[0]["kind"],
            &gap[0]["since"],
            &gap[0]["until"],
            &gap[0]["fields"]
        ),
        (
            &json!("unexplained"),
            &json!("2025-10-09T08:55:00Z"),
            &json!("2025-10-09T08:56:40Z"),
            &json!(["newsletter"])
        )
    );
    // Nothing of her but what was asked for.
    assert!(!lines.iter().any(|line| line.to_string().contains("b.nl")));

    // What is no longer there is listed with its end; what never existed is listed
    // without one.
    let asked = [
        "dossier",
        "7",
        "--interest",
        "blue",
        "--field",
        "no such",
        "--at",
        "@1760000250",
    ];
    let lines = json_lines(&cli(&data, &asked).ok());
    let now = of_part(&lines, "now");
    assert_eq!(now.len(), 2);
    assert_eq!(
        (&now[0]["field"], &now[0]["value"], &now[0]["since"]),
        (&json!("no such"), &json!(null), &json!(null))
    );
    assert_eq!(now[0].get("ended"), None);
    assert_eq!(
        (&now[1]["interest"], &now[1]["value"]),
        (&json!("blue"), &json!(false))
    );
    assert_eq!(
        now[1]["ended"],
        json!({"seq": 4, "time": "2025-10-09T08:56:40Z", "cause": "unexplained", "not_before": "2025-10-09T08:55:00Z"})
    );
    assert_eq!(lines[0]["at"], "2025-10-09T08:57:30Z");

    // The subprofile was seen late, and ends with its profile.
    server
        .client()
        .post(
            "/webhook",
            form(&[("type", "delete"), ("profile", "7"), ("time", "1760000500")]),
        )
        .seq();
    let all = json_lines(&cli(&data, &["dossier", "7"]).ok());
    let states: Vec<_> = of_part(&all, "state")
        .iter()
        .map(|line| {
            (
                line["subprofile"].clone(),
                line["state"].clone(),
                line["cascade"]["seq"].clone(),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            (json!(null), json!("deleted"), json!(null)),
            (json!(70), json!("deleted"), json!(7))
        ]
    );
    assert_eq!(of_part(&all, "now").len(), 0);
    let last = of_part(&all, "value").into_iter().last().unwrap();
    assert_eq!(
        (
            &last["subprofile"],
            &last["since"]["cause"],
            &last["until"]["cause"]
        ),
        (&json!(70), &json!("first_seen"), &json!("cascade"))
    );
    let events: Vec<_> = of_part(&all, "event")
        .iter()
        .map(|line| json!([line["seq"], line["subprofile"]]))
        .collect();
    assert_eq!(
        events,
        [
            json!([1, null]),
            json!([2, null]),
            json!([4, null]),
            json!([5, null]),
            json!([6, 70]),
            json!([7, null]),
            json!([7, 70])
        ]
    );
    assert_eq!(of_part(&all, "total")[0]["events"], 6);
    let one = json_lines(&cli(&data, &["dossier", "7/70", "--since", "@1760000450"]).ok());
    assert_eq!(
        (
            of_part(&one, "state").len(),
            of_part(&one, "event").len(),
            of_part(&one, "value").len()
        ),
        (1, 1, 1)
    );

    // Over HTTP the same, but for the moment in which it was made.
    let token = token(&data, "read");
    let made = |lines: Vec<Value>| lines.into_iter().skip(1).collect::<Vec<_>>();
    let reply = ask(
        server.api(),
        &token,
        "/v1/dossier/7?field=newsletter&at=@1760000350",
    );
    let asked = cli(
        &data,
        &[
            "dossier",
            "7",
            "--field",
            "newsletter",
            "--at",
            "@1760000350",
        ],
    )
    .ok();
    assert_eq!(
        made(json_lines(std::str::from_utf8(&reply.body).unwrap())),
        made(json_lines(&asked))
    );
    assert!(ask(server.api(), &token, "/v1/dossier/8").body.is_empty());
}

fn seconds(time: &Value) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap())
        .unwrap()
        .timestamp()
}

/// From `from` until `to` the values at every moment are those that `show` prints.
fn must_agree(store: &Store, profile: u64, from: i64, to: i64) {
    let span = Span {
        since: None,
        until: Some(BEGIN + to),
    };
    let query = DossierQuery {
        key: ProfileKey::profile(profile),
        fields: Vec::new(),
        interests: Vec::new(),
        span,
    };
    let lines = store.ask(&Query::Dossier(query.clone()));
    let values = of_part(&lines, "value");
    let states = of_part(&lines, "state");
    for state in &states {
        let key = ProfileKey {
            profile,
            subprofile: state["subprofile"].as_u64(),
        };
        let own = |line: &&Value| line["subprofile"] == state["subprofile"];
        let values: Vec<_> = values.iter().copied().filter(own).collect();
        for at in BEGIN + from..BEGIN + to {
            let show = store
                .ask(&Query::Show(StateQuery {
                    key,
                    at: Some(at),
                    cascade: true,
                }))
                .remove(0);
            let lasts = |line: &&&Value| {
                seconds(&line["since"]["time"]) <= at
                    && (line["until"].is_null() || seconds(&line["until"]["time"]) > at)
            };
            let mut fields = serde_json::Map::new();
            let mut interests = Vec::new();
            for line in values.iter().filter(lasts) {
                match line["field"].as_str() {
                    Some(name) => assert!(
                        fields
                            .insert(name.to_owned(), line["value"].clone())
                            .is_none()
                    ),
                    None => interests.push(line["interest"].clone()),
                }
            }
            assert_eq!(show["fields"].as_object().unwrap(), &fields, "{key} {at}");
            assert_eq!(
                show["interests"].as_array().unwrap(),
                &interests,
                "{key} {at}"
            );
            if at == BEGIN + to - 1 {
                let now: Vec<_> = of_part(&lines, "now").into_iter().filter(own).collect();
                assert_eq!(now.len(), fields.len() + interests.len());
                assert_eq!(
                    (&show["state"], &show["last_event"]),
                    (&state["state"], &state["last_event"])
                );
            }
        }
    }
    // A part of it is that part of the whole.
    let first = lines.iter().position(|line| line["part"] == "event");
    if let Some(first) = first {
        let since = seconds(&lines[first]["time"]) + 1;
        let later = store.ask(&Query::Dossier(DossierQuery {
            span: Span {
                since: Some(since),
                ..span
            },
            ..query
        }));
        let events: Vec<_> = of_part(&lines, "event")
            .into_iter()
            .filter(|line| seconds(&line["time"]) >= since)
            .collect();
        assert_eq!(of_part(&later, "event"), events);
        let lasting =
            |line: &&Value| line["until"].is_null() || seconds(&line["until"]["time"]) > since;
        assert_eq!(
            of_part(&later, "value"),
            values.into_iter().filter(lasting).collect::<Vec<_>>()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 30, ..ProptestConfig::default() })]

    #[test]
    fn its_values_are_those_of_every_moment(calls in vec(call(20), 1..60), before in 1_i64..20) {
        let mut store = Store::new();
        store.add(calls.iter().map(Call::body), BEGIN - 1000);
        for profile in 1..4 {
            must_agree(&store, profile, 0, 21);
        }
        store.prune(BEGIN + before);
        for profile in 1..4 {
            must_agree(&store, profile, before, 21);
        }
    }
}

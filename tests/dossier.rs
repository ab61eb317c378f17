//! Everything about one person, as lines and as a page.
//!
//! Proven: the values of a dossier are at every moment those that `show` tells,
//! whatever was pruned; how each came, who sent it and what is not known is said;
//! the page says the same, needs nothing but itself, and nothing that a stranger
//! has sent can run or hide in it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/dns.rs"]
mod dns;
#[path = "support/signer.rs"]
mod signer;
#[path = "support/store.rs"]
mod store;
mod support;

use base64::Engine as _;
use dns::DnsServer;
use profiletrail::event::ProfileKey;
use profiletrail::query::{DossierQuery, Query, ShowQuery, Span};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use signer::{ACCOUNT, HOST, KEY_NAME, Key};
use store::{BEGIN, Call, Store, call};
use support::http::{ask, token};
use support::{Client, Server, cli, data, json_lines, new_server};

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;\u{1b}[2J\u{202e}\u{0}</style></title>";

fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish()
}

fn of_part<'l>(lines: &'l [Value], part: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["part"] == part).collect()
}

/// A person who has changed her mind, a lost call, and an order that ended with her.
fn tell_a_story(client: &mut Client) {
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
        (
            "/webhook/form",
            "1760000100",
            &[
                ("type", "update"),
                ("parameters[newsletter]", "Ja"),
                ("fields[newsletter]", "Ja"),
                ("fields[mail]", "a@b.nl"),
                ("interests[]", "blue"),
            ],
        ),
        (
            "/webhook/form",
            "1760000100",
            &[
                ("type", "update"),
                ("parameters[newsletter]", "Ja"),
                ("fields[newsletter]", "Ja"),
                ("fields[mail]", "a@b.nl"),
                ("interests[]", "blue"),
            ],
        ),
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
    tell_a_story(&mut server.client());
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

    // Of what is not there is told how it ended, and of what never was that.
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
            &form(&[("type", "delete"), ("profile", "7"), ("time", "1760000500")]),
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

/// The tags and attributes of a page.
fn tags(page: &str) -> Vec<&str> {
    let page = page.split_once("</style>").unwrap();
    let head = page.0.split_once("<style>").unwrap().0;
    head.split('<')
        .chain(page.1.split('<'))
        .filter_map(|rest| Some(rest.split_once('>')?.0))
        .collect()
}

fn must_be_harmless(page: &str) {
    const TAGS: [&str; 38] = [
        "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3",
        "p", "section", "dl", "dt", "dd", "b", "bdi", "a", "span", "time", "table", "thead",
        "tbody", "tr", "th", "td", "ul", "li", "div", "code", "footer", "/title", "/p", "/b",
        "/bdi", "/span", "/time",
    ];
    for tag in tags(page) {
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(
            TAGS.contains(&name) || TAGS.contains(&name.trim_start_matches('/')),
            "{tag}"
        );
        for banned in ["script", "src=", "onerror", "javascript", "://", "url("] {
            assert!(!attributes.contains(banned), "{tag}");
        }
    }
    for banned in ["<script", "<img", "<link", "<iframe", "@import", "url("] {
        assert!(!page.contains(banned), "{banned}");
    }
    assert!(
        !page
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}')
    );
    let style = page
        .split_once("<style>")
        .unwrap()
        .1
        .split_once("</style>")
        .unwrap()
        .0;
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    assert!(page.contains(&format!("content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\"")));
    assert!(page.ends_with("</body></html>\n"));
    let count = |what: &str| page.matches(what).count();
    for tag in ["section", "table", "tbody", "tr", "ul", "bdi", "td"] {
        let open = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
        assert_eq!(open, count(&format!("</{tag}>")), "{tag}");
    }
}

#[test]
fn nothing_that_a_stranger_sent_runs_or_hides_in_the_page() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut client = server.client();
    for (time, kind) in [
        ("1760000000", "create"),
        ("1760000100", "update"),
        ("1760000200", HOSTILE),
        ("1760000300", "update"),
    ] {
        for subprofile in [None, Some(("subprofile", "70"))] {
            let (name, parameter) = (
                format!("fields[{HOSTILE}]"),
                format!("parameters[{HOSTILE}]"),
            );
            let value = format!("{time}{HOSTILE}");
            let mut pairs = vec![
                ("type", kind),
                ("profile", "7"),
                ("time", time),
                ("created", HOSTILE),
                ("modified", HOSTILE),
                (&*name, &*value),
                (&*parameter, HOSTILE),
                ("interests[]", HOSTILE),
                (HOSTILE, HOSTILE),
            ];
            pairs.extend(subprofile);
            client.post("/webhook/x", &form(&pairs)).seq();
        }
    }
    let out = dir.path().join("dossier.html");
    let path = out.to_str().unwrap();
    let page = |args: &[&str]| {
        let told = cli(&data, &[&["dossier", "7", "--out", path], args].concat()).ok();
        assert_eq!(told, format!("wrote the dossier of 7 to {path}\n"));
        let page = std::fs::read_to_string(&out).unwrap();
        std::fs::remove_file(&out).unwrap();
        must_be_harmless(&page);
        page
    };
    let all = page(&[]);
    for wanted in [
        "id=\"now\"",
        "id=\"values\"",
        "id=\"gaps\"",
        "id=\"events\"",
        "id=\"evidence\"",
        "id=\"words\"",
        "&lt;script&gt;",
        "\\u{202e}",
        "\\u{0}",
        "subprofile 7/70",
    ] {
        assert!(all.contains(wanted), "{wanted}");
    }
    let name = HOSTILE.trim_end_matches('\u{0}');
    let one = page(&[
        "--field",
        "no <b>such</b>",
        "--interest",
        &name.replace('\u{0}', ""),
        "--timezone",
        "UTC",
    ]);
    assert!(one.contains("no &lt;b&gt;such&lt;/b&gt;"));
    assert!(one.contains("no event has ever told it"));
    assert!(one.contains("2025-10-09 08:53:20 UTC"));

    // It is never written over another file, and not where there is nothing to say.
    std::fs::write(&out, "mine").unwrap();
    let refused = cli(&data, &["dossier", "7", "--out", path]).failed(2);
    assert!(refused.contains("name another file"), "{refused}");
    assert_eq!(std::fs::read_to_string(&out).unwrap(), "mine");
    std::fs::remove_file(&out).unwrap();
    cli(&data, &["dossier", "8", "--out", path]).failed(1);
    cli(
        &data,
        &["dossier", "7", "--out", &format!("{path}/no/such.html")],
    )
    .failed(3);
    cli(&data, &["dossier", "7", "--at", "@5", "--until", "@5"]).failed(2);
    let left: Vec<_> = std::fs::read_dir(dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["data"]);
    let html = cli(&data, &["dossier", "7", "--format", "html"]).ok();
    must_be_harmless(&html);
    cli(&data, &["dossier", "7", "--format", "jsonl", "--out", path]).ok();
    let lines = json_lines(&std::fs::read_to_string(&out).unwrap());
    assert_eq!(lines[0]["part"], "about");
    // A file of its owner's alone.
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(
        std::fs::metadata(&out).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn it_says_who_signed_what() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = DnsServer::start();
    dns.set_txt(KEY_NAME, 3600, &[&key.record()]);
    let address = dns.address().to_string();
    let mut args = vec!["--copernica-id", ACCOUNT, "--public-host", HOST];
    args.extend(["--dns-server", &address]);
    let data = data(&dir);
    let server = Server::start(&data, &args);
    let now = profiletrail::event::now_micros().div_euclid(1_000_000);
    for value in ["x", "y"] {
        let body = format!("type=update&profile=1&fields[a]={value}&parameters[a]={value}");
        let mut client = server.client();
        client
            .send(&signer::Call::new(&body, now).signed(&key))
            .unwrap();
        client.receive(false).unwrap().seq();
    }
    server.stop();
    let server = Server::start(&data, &[]);
    server
        .client()
        .post(
            "/webhook",
            "type=update&profile=1&fields[a]=z&parameters[a]=z",
        )
        .seq();
    let lines = json_lines(&cli(&data, &["dossier", "1"]).ok());
    let total = of_part(&lines, "total")[0];
    assert_eq!(
        (&total["verified"], &total["unsigned"], &total["unchecked"]),
        (&json!(2), &json!(0), &json!(1))
    );
    let events = of_part(&lines, "event");
    assert_eq!(
        (&events[0]["verified"], &events[0]["key"]),
        (&json!(true), &json!(KEY_NAME))
    );
    assert_eq!(
        (events[2].get("verified"), events[2].get("key")),
        (None, None)
    );
    let keys = of_part(&lines, "key");
    assert_eq!(
        keys,
        [&json!({"part": "key", "key": KEY_NAME, "events": 2, "example": 1})]
    );
    let page = cli(&data, &["dossier", "1", "--format", "html"]).ok();
    must_be_harmless(&page);
    for wanted in [
        "profiletrail evidence 1 --out event-1",
        KEY_NAME,
        "signed by Copernica and checked",
        "its signature was not checked",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    // What is lost of the log is said in the dossier, too.
    server.stop();
    let log = data.join("log");
    let segment = std::fs::read_dir(&log)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "log"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let at = bytes
        .windows(11)
        .position(|window| window == b"fields[a]=y")
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let damaged = cli(&data, &["dossier", "1"]);
    assert_eq!(damaged.status, Some(3), "{}", damaged.stderr);
    let lines = json_lines(&damaged.stdout);
    assert_eq!(
        of_part(&lines, "gap")
            .iter()
            .filter(|line| line["kind"] == "damage")
            .count(),
        1
    );
    assert_eq!(of_part(&lines, "total")[0]["damaged"], 1);
    let out = dir.path().join("dossier.html");
    cli(&data, &["dossier", "1", "--out", out.to_str().unwrap()]).failed(3);
    assert!(
        std::fs::read_to_string(&out)
            .unwrap()
            .contains("events cannot be read")
    );
}

fn seconds(time: &Value) -> i64 {
    chrono::DateTime::parse_from_rfc3339(time.as_str().unwrap())
        .unwrap()
        .timestamp()
}

/// At every moment from one on the values are those that `show` tells.
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
                .ask(&Query::Show(ShowQuery {
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

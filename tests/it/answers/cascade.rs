//! A profile's `delete` ends its subprofiles, where that is asked for.
//!
//! Proven: without the flag every answer for programs is as it was; with it
//! `show`, `history`, `diff`, `blame` and `changes` say what ended, when and by
//! which call, alike on the command line and over HTTP; people see it unasked;
//! what was pruned still ends what it ended.

use crate::support::http::{ask, token};
use crate::support::store::{BEGIN, Call, Store};
use crate::support::{Cli, Server, cli, data, json_lines, keys, new_server};
use serde_json::{Value, json};

use profiletrail::event::ProfileKey;
use profiletrail::query::{ChangesQuery, Filter, HistoryQuery, Query, Span, StateQuery};

const HOSTILE: &str = "<script>alert(1)</script>\u{1b}[31m\u{202e}";

fn body(event_type: &str, time: u64, subprofile: Option<u64>, fields: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("type", event_type)
        .append_pair("time", &(1_760_000_000 + time).to_string())
        .append_pair("profile", "7")
        .append_pair("database", "3");
    if let Some(subprofile) = subprofile {
        form.append_pair("subprofile", &subprofile.to_string())
            .append_pair("collection", "5")
            .append_pair("created", "2020-01-01 00:00:00");
    }
    for (name, value) in fields {
        form.append_pair(&format!("fields[{name}]"), value);
    }
    form.finish()
}

/// Three subprofiles: one lives until its profile ends, one has ended before,
/// and one comes back.
fn fill(server: &Server) {
    let mut client = server.client();
    let order = [("order", HOSTILE), ("<b>", "")];
    for (target, body) in [
        ("/webhook", body("create", 0, None, &[("mail", "a")])),
        ("/webhook", body("create", 1, Some(10), &order)),
        ("/webhook", body("create", 2, Some(9), &order)),
        ("/webhook", body("create", 3, Some(11), &order)),
        ("/webhook", body("delete", 4, Some(9), &[])),
        ("/webhook/crm", body("delete", 5, None, &[])),
        ("/webhook/crm", body("delete", 5, None, &[])),
        ("/webhook", body("delete", 6, Some(10), &[])),
        ("/webhook", body("update", 7, Some(11), &[("order", "x")])),
    ] {
        client.post(target, &body).seq();
    }
}

fn gone(field: &str, old: &str) -> Value {
    json!({"field": field, "old": old, "new": null, "cause": "cascade"})
}

#[test]
fn a_deleted_profile_takes_its_subprofiles_along() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    fill(&server);
    let read = |args: &[&str]| json_lines(&cli(&data, args).ok());

    // In the order of time and of the subprofiles, each once, after the delete.
    let all = read(&["history", "7", "--subprofiles", "--cascade"]);
    let of = |line: &Value| (line["seq"].as_u64().unwrap(), line["subprofile"].as_u64());
    let found: Vec<_> = all.iter().map(of).collect();
    let expected = [
        (1, None),
        (2, Some(10)),
        (3, Some(9)),
        (4, Some(11)),
        (5, Some(9)),
        (6, None),
        (6, Some(10)),
        (6, Some(11)),
        (8, Some(10)),
        (9, Some(11)),
    ];
    assert_eq!(found, expected);
    let end = &all[6];
    assert_eq!(
        keys(end),
        keys(&read(&["history", "7", "--limit", "1"])[0]),
        "no new key"
    );
    assert_eq!(end["type"], "delete");
    assert_eq!(end["time"], "2025-10-09T08:53:25Z");
    assert_eq!(end["label"], "crm");
    assert_eq!(
        (&end["database"], &end["collection"]),
        (&json!(3), &json!(5))
    );
    assert_eq!(
        end["changes"],
        json!([gone("<b>", ""), gone("order", HOSTILE)])
    );
    // What comes after an end is seen first.
    assert_eq!(all[9]["changes"][0]["cause"], "first_seen");
    assert_eq!(all[8]["changes"], json!([]));
    let mut reversed = read(&["history", "7", "--subprofiles", "--cascade", "--reverse"]);
    reversed.reverse();
    assert_eq!(reversed, all);
    let one = read(&[
        "history",
        "7/10",
        "--cascade",
        "--since",
        "@1760000003",
        "-n",
        "1",
    ]);
    assert_eq!(one, std::slice::from_ref(end));
    let some = read(&["history", "7/10", "--cascade", "--field", "order"]);
    assert_eq!(some.len(), 2);
    assert_eq!(some[1]["changes"], json!([gone("order", HOSTILE)]));

    let at = ["--at", "@1760000005"];
    let show = |key: &str, flag: &str| read(&["show", key, flag, at[0], at[1]]).remove(0);
    let shown = show("7/10", "--cascade");
    assert_eq!(shown["state"], "deleted");
    assert_eq!(
        (&shown["fields"], &shown["created"]),
        (&json!({}), &json!("2020-01-01 00:00:00"))
    );
    let last = json!({"seq": 6, "time": "2025-10-09T08:53:25Z"});
    assert_eq!((&shown["last_event"], &shown["cascade"]), (&last, &last));
    assert_eq!(show("7/9", "--cascade").get("cascade"), None);
    assert_eq!(show("7/10", "--no-cascade")["state"], "present");
    assert_eq!(read(&["show", "7/10", "--cascade"])[0].get("cascade"), None);
    assert_eq!(
        cli(
            &data,
            &["blame", "7/10", "--cascade", "--at", "@1760000005"]
        )
        .status,
        Some(1)
    );
    assert_eq!(read(&["blame", "7/11", "--cascade"]).len(), 1);
    // What came back is seen for the first time, in what an event did, too.
    let explained = |flag: &str| read(&["explain", "9", flag]);
    assert_eq!(explained("--no-cascade")[0]["old"], HOSTILE);
    assert_eq!(explained("--cascade"), Vec::<Value>::new());
    // A command that an answer suggests finds what the answer has counted.
    for causes in [&[][..], &["--cause", "cascade", "--cause", "first_seen"]] {
        for by in ["cause", "type", "field"] {
            let report = [&["report", "--by", by, "--cascade"], causes].concat();
            for row in read(&report) {
                let words = shlex::split(row["command"].as_str().unwrap()).unwrap();
                let words: Vec<&str> = words[1..].iter().map(String::as_str).collect();
                let changes = read(&words);
                assert_eq!(row["changes"], changes.len(), "{words:?}");
            }
        }
    }
    // Tables show it unasked.
    for words in [&["tail"][..], &["report", "--by", "cause"]] {
        let table = |flag: &str| cli(&data, &[words, &["--format", "table", flag]].concat()).ok();
        assert!(table("--cascade").contains("cascade"));
        assert!(!table("--no-cascade").contains("cascade"));
    }
    let diff = [
        "diff",
        "7/11",
        "--from",
        "@1760000004",
        "--to",
        "@1760000006",
    ];
    assert_eq!(
        read(&[&diff[..], &["--cascade"]].concat()),
        [
            json!({"field": "<b>", "old": "", "new": null}),
            json!({"field": "order", "old": HOSTILE, "new": null})
        ]
    );
    assert_eq!(read(&diff), [] as [Value; 0]);

    // A cause asks for it; the delete's own label, database and span count.
    let ended = read(&["changes", "--cause", "cascade"]);
    assert_eq!(ended.len(), 4);
    assert!(
        ended
            .iter()
            .all(|line| line["seq"] == 6 && line["label"] == "crm")
    );
    let with = |args: &[&str]| {
        let all = [&["changes", "--cause", "cascade"], args].concat();
        cli(&data, &all)
    };
    for narrow in [
        "--label crm",
        "--collection 5 --database 3",
        "--profile 7/10 --old",
        "--since @1760000005 --until @1760000006",
    ] {
        let mut args: Vec<&str> = narrow.split(' ').collect();
        if narrow.ends_with("--old") {
            args.push("");
        }
        assert!(with(&args).ok().len() > 100, "{narrow}");
    }
    for narrow in [
        "--label form",
        "--collection 6",
        "--database 4",
        "--since @1760000006",
        "--until @1760000005",
    ] {
        let args: Vec<&str> = narrow.split(' ').collect();
        with(&args).failed(1);
    }
}

#[test]
fn programs_see_it_only_where_they_ask() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let data = data(&dir);
    fill(&server);
    let token = token(&data, "read");
    for (command, target) in [
        ("history 7 --subprofiles", "/v1/history/7?subprofiles"),
        ("history 7/10 --reverse", "/v1/history/7/10?reverse"),
        ("show 7/10 --at @1760000005", "/v1/show/7/10?at=@1760000005"),
        (
            "diff 7/11 --from @1760000004 --to @1760000006",
            "/v1/diff/7/11?from=@1760000004&to=@1760000006",
        ),
        ("blame 7/11", "/v1/blame/7/11?"),
        ("changes", "/v1/changes?"),
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        let run = |more: &[&str]| cli(&data, &[&words, more].concat()).ok();
        let plain = run(&[]);
        assert!(!plain.contains("cascade"), "{command}");
        assert_eq!(run(&["--format", "jsonl", "--no-cascade"]), plain);
        assert_eq!(run(&["--cascade", "--no-cascade"]), plain);
        let cascaded = run(&["--cascade"]);
        assert_ne!(cascaded, plain, "{command}");
        let asked = ask(server.api(), &token, target);
        assert_eq!(String::from_utf8(asked.body).unwrap(), plain);
        let asked = ask(server.api(), &token, &format!("{target}&cascade"));
        assert_eq!(String::from_utf8(asked.body).unwrap(), cascaded);
        // People need not ask, and may ask not to.
        let table = |more: &[&str]| run(&[&["--format", "table"], more].concat());
        assert_eq!(table(&[]), table(&["--cascade"]), "{command}");
        assert_ne!(table(&[]), table(&["--no-cascade"]), "{command}");
        assert!(!table(&[]).contains('\u{1b}'));
    }
    server.stop();
    let printed = cli(&data, &["changes", "--cascade"]).ok();
    assert_eq!(printed.matches("\"cascade\"").count(), 4);
    // An export knows events alone, and all of them.
    assert_eq!(Cli::new(&data, &["export"]).run().ok().lines().count(), 9);
}

fn call(event_type: &'static str, time: i64, subprofile: Option<u64>) -> String {
    Call {
        key: ProfileKey {
            profile: 1,
            subprofile,
        },
        event_type,
        time,
        database: Some(1),
        parameters: Vec::new(),
        fields: match event_type {
            "create" | "update" => vec![("mail", "a")],
            _ => Vec::new(),
        },
        interests: Vec::new(),
        modified: None,
    }
    .body()
}

fn state(store: &Store, subprofile: u64, at: i64, cascade: bool) -> Value {
    let key = ProfileKey::subprofile(1, subprofile);
    let at = Some(BEGIN + at);
    store.ask(&Query::Show(StateQuery { key, at, cascade }))[0]["state"].clone()
}

fn ended(store: &Store) -> Vec<Value> {
    let mut changes = store.ask(&Query::Changes(ChangesQuery {
        filter: Filter {
            cascade: true,
            ..Filter::default()
        },
        ..ChangesQuery::default()
    }));
    changes.retain(|line| line["cause"] == "cascade");
    let history = store.ask(&Query::History(HistoryQuery {
        key: ProfileKey::profile(1),
        fields: Vec::new(),
        interests: Vec::new(),
        span: Span::default(),
        all: false,
        limit: None,
        reverse: false,
        subprofiles: true,
        cascade: true,
    }));
    let changed = |line: &&Value| line["changes"][0]["cause"] == "cascade";
    assert_eq!(history.iter().filter(changed).count(), changes.len());
    changes
}

#[test]
fn a_pruned_delete_has_ended_what_it_ended() {
    let mut store = Store::new();
    store.add(
        [
            call("create", 0, None),
            call("create", 1, Some(11)),
            call("create", 2, Some(12)),
            call("delete", 10, None),
            call("update", 20, Some(12)),
            call("click", 30, None),
        ],
        BEGIN - 1000,
    );
    let filler = "type=click&profile=9&time=2000000000&x=".to_owned() + &"x".repeat(2000);
    store.add([filler.clone(), filler], BEGIN - 10);
    assert_eq!(ended(&store).len(), 2);
    // The profile lives on as a baseline; the subprofiles' events stay or go.
    for (before, report, lines) in [(2, 2, 2), (11, 2, 0), (25, 1, 0)] {
        assert_eq!(store.prune(BEGIN + before).events, report);
        store = store.reopened(before == 11);
        assert_eq!(ended(&store).len(), lines);
        assert_eq!(state(&store, 11, 25, true), "deleted");
        assert_eq!(state(&store, 12, 25, true), "present");
        assert_eq!(state(&store, 11, 25, false), "present");
    }
}

#[test]
fn what_only_a_baseline_is_left_of_ends_with_its_profile() {
    let mut store = Store::new();
    store.add(
        [
            call("create", 0, None),
            call("create", 1, Some(11)),
            call("create", 2, Some(12)),
        ],
        BEGIN - 1000,
    );
    store.add(
        [call("delete", 10, None), call("click", 11, None)],
        BEGIN - 500,
    );
    let filler = "type=click&profile=9&time=2000000000&x=".to_owned() + &"x".repeat(2000);
    store.add([filler.clone(), filler], BEGIN - 10);
    assert_eq!(store.prune(BEGIN + 5).events, 3);
    for without_index in [false, true] {
        store = store.reopened(without_index);
        let ended = ended(&store);
        assert_eq!(ended.len(), 2);
        assert_eq!(ended[1]["subprofile"], 12);
        assert_eq!(ended[1]["old"], "a");
        assert_eq!(state(&store, 11, 9, true), "present");
        assert_eq!(state(&store, 11, 10, true), "deleted");
    }
}

//! A file is compared with what the trail knows, and what differs is entered.
//!
//! Proven: whatever parts and quotes the columns, exactly the fields that differ
//! are told, with what is unknown, deleted or gone; a running server and the
//! folder alone say the same; what is entered is told as observed and is there
//! no more the next time; no call and no import line without the mark can pass
//! for it; an export goes to another folder and is answered alike; a file that
//! cannot be read is refused with its place.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod support;

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use support::{Cli, Outcome, Server, cli, json_lines};

const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{1b}[31m";

/// The calls: profiles 1 to 5 of database 7, of which 4 is deleted, one of
/// another database, and two subprofiles.
const CALLS: [&str; 8] = [
    "type=create&profile=1&database=7&time=1760000000&fields[mail]=a&fields[city]=Utrecht&fields[note]=x%3By&interests[]=news",
    "type=create&profile=2&database=7&time=1760000000&fields[mail]=b&fields[city]=",
    "type=create&profile=3&database=7&time=1760000000&fields[mail]=c",
    "type=create&profile=4&database=7&time=1760000000&fields[mail]=d",
    "type=delete&profile=4&database=7&time=1760000100",
    "type=create&profile=6&database=8&time=1760000000&fields[mail]=f",
    "type=create&profile=1&subprofile=11&collection=3&database=7&time=1760000000&fields[order]=1",
    "type=create&profile=1&subprofile=12&collection=3&database=7&time=1760000000&fields[order]=2",
];

const AT: &str = "@1760001000";

struct Shop {
    dir: tempfile::TempDir,
    server: Option<Server>,
}

impl Shop {
    fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(&dir.path().join("data"), &["--signature", "off"]);
        let mut client = server.client();
        for (seq, body) in (1..).zip(CALLS) {
            assert_eq!(client.post("/webhook/shop", body).seq(), seq);
        }
        Self {
            dir,
            server: Some(server),
        }
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    fn close(&mut self) {
        self.server.take().unwrap().stop();
    }

    fn file(&self, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join("export.csv");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn reconcile(&self, bytes: impl AsRef<[u8]>, args: &[&str]) -> Outcome {
        reconcile(&self.data(), &self.file(bytes), args)
    }
}

fn reconcile(data: &Path, file: &Path, args: &[&str]) -> Outcome {
    let mut all = vec!["reconcile", file.to_str().unwrap(), "--at", AT];
    all.extend(args);
    cli(data, &all)
}

fn field(profile: u64, field: &str, trail: Value, file: &str) -> Value {
    json!({"profile": profile, "subprofile": null, "field": field, "trail": trail, "file": file})
}

fn finding(profile: u64, finding: &str) -> Value {
    json!({"profile": profile, "subprofile": null, "finding": finding})
}

/// All that differs in the file of [`WHOLE`].
fn differences() -> Vec<Value> {
    vec![
        field(1, "city", json!("Utrecht"), "'s-Gravenhage; \"Den Haag\"\n"),
        field(2, "note", Value::Null, HOSTILE),
        finding(3, "gone"),
        finding(4, "deleted"),
        finding(9, "unknown"),
    ]
}

/// Rows in no order, with all that a cell can have.
fn whole() -> String {
    format!(
        "\u{feff}ID;mail;city;note\r\n\
         9;z;;\r\n\
         1;a;\"'s-Gravenhage; \"\"Den Haag\"\"\n\";x;y\r\n\
         4;d;;\r\n\
         \" 2 \";b;;{HOSTILE}\r\n"
    )
    .replace(";x;y", ";\"x;y\"")
}

#[test]
fn what_differs_is_told_live_and_offline() {
    let mut shop = Shop::open();
    let args = ["--database", "7"];
    let live = shop.reconcile(whole(), &args);
    shop.close();
    let offline = shop.reconcile(whole(), &args);
    assert_eq!(live.stdout, offline.stdout);
    assert_eq!(live.stderr, offline.stderr);
    assert_eq!(json_lines(&live.clone().ok()), differences());
    assert!(
        live.stderr.contains("4 rows compared")
            && live
                .stderr
                .contains("0 the same, 2 with other values (2 fields)")
            && live
                .stderr
                .contains("1 profile in the trail and gone from the file"),
        "{}",
        live.stderr
    );
    // In another form it says the same.
    let tabs = "mail\tid\tcity\tnote\nz\t9\t\t\na\t1\t\"'s-Gravenhage; \"\"Den Haag\"\"\n\"\tx;y\nd\t4\t\t\nb\t2\t\t";
    let same = shop.reconcile(format!("{tabs}{HOSTILE}"), &args);
    assert_eq!(same.stdout, offline.stdout);
    // Some profiles are in the file, or some columns.
    let partial = json_lines(&shop.reconcile(whole(), &["--partial"]).ok());
    assert!(!partial.contains(&finding(3, "gone")) && partial.len() == 4);
    let unsaid = shop.reconcile(whole(), &[]);
    assert!(unsaid.stderr.contains("--database"), "{}", unsaid.stderr);
    assert_eq!(json_lines(&unsaid.ok()), partial);
    let mail = shop.reconcile(whole(), &["--partial", "--columns", "mail"]);
    assert_eq!(json_lines(&mail.ok()), partial[2..]);
    let others = shop.reconcile(
        whole(),
        &["--partial", "--ignore", "city", "--ignore", "note"],
    );
    assert_eq!(json_lines(&others.ok()), partial[2..]);
    // Before anything was known.
    let before = shop.reconcile("id\tmail\n1\ta\n", &["--at", "@1"]);
    assert_eq!(
        before
            .failed(2)
            .matches("cannot be used multiple times")
            .count(),
        1
    );
    let file = shop.file("id,mail\n1,a\n");
    let before = cli(
        &shop.data(),
        &[
            "reconcile",
            file.to_str().unwrap(),
            "--at",
            "@1",
            "--partial",
        ],
    );
    assert_eq!(json_lines(&before.ok()), [finding(1, "unknown")]);
    // People see the counts first, and nothing that speaks to their terminal.
    let shown = shop
        .reconcile(whole(), &["--database", "7", "--format", "table"])
        .ok();
    assert!(shown.starts_with("4 rows compared"), "{shown}");
    assert!(
        !shown.contains('\u{1b}') && !shown.contains('\u{202e}'),
        "{shown}"
    );
    assert!(
        shown.contains("(gone)") && shown.contains("(absent)"),
        "{shown}"
    );
}

#[test]
fn subprofiles_are_known_by_both_numbers() {
    let shop = Shop::open();
    let rows = "subprofile,profile,order\n12,1,3\n13,1,4\n";
    let args = [
        "--key-column",
        "profile",
        "--subprofile-column",
        "subprofile",
        "--collection",
        "3",
    ];
    let told = json_lines(&shop.reconcile(rows, &args).ok());
    assert_eq!(
        told,
        [
            json!({"profile": 1, "subprofile": 11, "finding": "gone"}),
            json!({"profile": 1, "subprofile": 12, "field": "order", "trail": "2", "file": "3"}),
            json!({"profile": 1, "subprofile": 13, "finding": "unknown"}),
        ]
    );
}

#[test]
fn what_is_entered_is_observed_and_differs_no_more() {
    let mut shop = Shop::open();
    let before = cli(&shop.data(), &["changes"]).ok();
    let exported = cli(&shop.data(), &["export", "--raw"]).ok();
    let args = ["--database", "7", "--record"];
    let asked = shop.reconcile(whole(), &args).failed(2);
    assert!(asked.contains("--yes"), "{asked}");
    let args = [
        "--database",
        "7",
        "--record",
        "--yes",
        "--label",
        "baseline",
    ];
    let entered = shop.reconcile(whole(), &args);
    assert!(
        entered.stderr.contains("entered 5 events"),
        "{}",
        entered.stderr
    );
    assert_eq!(json_lines(&entered.ok()), differences());
    for _ in 0..2 {
        let again = shop.reconcile(whole(), &args);
        assert!(
            again.stderr.contains("entered 0 events"),
            "{}",
            again.stderr
        );
        assert_eq!(again.ok(), "");
        if shop.server.is_some() {
            shop.close();
        }
    }
    let data = shop.data();
    let format = std::fs::read_to_string(data.join("format")).unwrap();
    assert!(format.starts_with("{\"profiletrail\":4,"), "{format}");
    // What was there before is as it was, byte for byte.
    assert!(cli(&data, &["changes"]).ok().starts_with(&before));
    assert!(cli(&data, &["export", "--raw"]).ok().starts_with(&exported));
    let history = |key: &str| json_lines(&cli(&data, &["history", key]).ok());
    let observed = history("1").pop().unwrap();
    assert_eq!(
        (&observed["type"], &observed["observed"]),
        (&json!("observed"), &json!("present"))
    );
    assert_eq!(observed["time"], "2025-10-09T09:10:00Z");
    assert_eq!(observed["time_source"], "time");
    assert_eq!(observed["label"], "baseline");
    assert_eq!(observed.get("verified"), None);
    assert_eq!(
        observed["changes"],
        json!([{"field": "city", "old": "Utrecht", "new": "'s-Gravenhage; \"Den Haag\"\n",
            "cause": "observed", "since": "2025-10-09T08:53:20Z"}])
    );
    let first = history("9").pop().unwrap();
    assert_eq!(
        first["changes"][0],
        json!({"field": "mail", "new": "z", "cause": "first_seen"})
    );
    let again = history("4").pop().unwrap();
    assert_eq!(again["changes"][0]["cause"], "first_seen");
    let gone = history("3").pop().unwrap();
    assert_eq!(
        (&gone["observed"], &gone["changes"]),
        (&json!("gone"), &json!([]))
    );
    let gone: Value = serde_json::from_str(&cli(&data, &["show", "3"]).ok()).unwrap();
    assert_eq!(
        (&gone["state"], &gone["database"]),
        (&json!("deleted"), &json!(7))
    );
    let kept: Value = serde_json::from_str(&cli(&data, &["show", "1"]).ok()).unwrap();
    // What the file does not have stays.
    assert_eq!(kept["interests"], json!(["news"]));
    assert_eq!(kept["fields"]["mail"], "a");
    let blame = json_lines(&cli(&data, &["blame", "1"]).ok());
    assert_eq!(
        (&blame[1]["type"], &blame[1]["cause"]),
        (&json!("observed"), &json!("observed"))
    );
    let causes = json_lines(&cli(&data, &["changes", "--cause", "observed"]).ok());
    assert_eq!(causes.len(), 2);
    let evidence = cli(&data, &["evidence", "9"]).failed(1);
    assert!(evidence.contains("event 9"), "{evidence}");
}

#[test]
fn nothing_else_passes_for_observed() {
    let shop = Shop::open();
    let args = ["--database", "7", "--record", "--yes"];
    shop.reconcile(whole(), &args).ok();
    let server = shop.server.as_ref().unwrap();
    let before = cli(&shop.data(), &["show", "1", "--at", AT]).ok();
    // A call of that type changes nothing, as one of any other.
    let forged = "type=observed&profile=1&database=7&time=1760001000&observed=present&fields[mail]=forged&fields[city]=x";
    let seq = server.client().post("/webhook", forged).seq();
    let after = cli(&shop.data(), &["show", "1", "--at", AT]).ok();
    let last = |shown: &str| serde_json::from_str::<Value>(shown).unwrap()["fields"].clone();
    assert_eq!(last(&before), last(&after));
    let history = json_lines(&cli(&shop.data(), &["history", "1"]).ok());
    let told = history.iter().find(|event| event["seq"] == seq).unwrap();
    assert_eq!((told.get("observed"), &told["changes"]), (None, &json!([])));
    let exported = json_lines(&cli(&shop.data(), &["export", "--raw"]).ok());
    let line = exported.iter().find(|line| line["seq"] == seq).unwrap();
    assert_eq!(line.get("observed"), None);
    assert_eq!(line["extra"]["observed"], "present");
    let marked: Vec<&Value> = exported
        .iter()
        .filter(|line| line.get("observed").is_some())
        .collect();
    assert_eq!(marked.len(), 5);
    assert!(
        marked
            .iter()
            .all(|line| line["remote"].is_null() && line.get("body").is_none())
    );
    // Only a whole mark is taken by an import.
    let import = |line: &Value| {
        let import = Cli::new(&shop.dir.path().join("other"), &["import"]);
        import.stdin(line.to_string()).run()
    };
    for (key, value) in [
        ("type", json!("update")),
        ("observed", json!("maybe")),
        ("observed", json!(1)),
        ("verified", json!(true)),
        ("body", json!("type=observed")),
    ] {
        let mut line = marked[0].clone();
        line[key] = value;
        let refused = import(&line).failed(3);
        assert!(refused.contains("1 lines were refused"), "{refused}");
    }
    assert_eq!(import(marked[0]).status, Some(0));
}

#[test]
fn another_folder_answers_alike_after_an_import() {
    let mut shop = Shop::open();
    shop.reconcile(whole(), &["--database", "7", "--record", "--yes"])
        .ok();
    shop.close();
    for raw in [&["export"][..], &["export", "--raw"]] {
        let export = cli(&shop.data(), raw).ok();
        let copy = tempfile::tempdir().unwrap();
        let copy = copy.path().join("data");
        for added in ["added 13", "added 0"] {
            let import = Cli::new(&copy, &["import"]).stdin(export.clone()).run();
            assert!(import.stderr.contains(added), "{}", import.stderr);
            import.ok();
        }
        for question in [
            &["changes"][..],
            &["history", "3"],
            &["show", "9", "--at", AT],
            raw,
        ] {
            assert_eq!(cli(&copy, question).ok(), cli(&shop.data(), question).ok());
        }
        let none = reconcile(&copy, &shop.file(whole()), &["--database", "7"]);
        assert_eq!(none.ok(), "");
    }
}

/// Whoever reads the lines may go: what was asked for is done all the same.
#[test]
fn all_is_entered_though_nobody_reads_what_differs() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = dir.path().join("export.csv");
    let rows: String = (1..=5_000).map(|id| format!("{id};a{id}\n")).collect();
    std::fs::write(&file, format!("id;mail\n{rows}")).unwrap();
    let mut child = support::clean(support::BINARY)
        .args([
            "reconcile",
            file.to_str().unwrap(),
            "--record",
            "--yes",
            "--data",
        ])
        .arg(&data)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert!(child.wait().unwrap().success());
    let all = cli(&data, &["export"]).ok();
    assert_eq!(all.lines().count(), 5_000);
}

#[test]
fn an_empty_store_starts_from_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let file = dir.path().join("export.csv");
    std::fs::write(&file, "id,mail\n2,b\n1,\n").unwrap();
    let unmade = reconcile(&data, &file, &[]).failed(3);
    assert!(unmade.contains("no data folder"), "{unmade}");
    reconcile(&data, &file, &["--record", "--yes", "--database", "7"]).ok();
    let shown: Value = serde_json::from_str(&cli(&data, &["show", "1"]).ok()).unwrap();
    assert_eq!(
        (&shown["fields"], &shown["database"]),
        (&json!({"mail": ""}), &json!(7))
    );
}

#[test]
fn rows_that_cannot_be_read_are_told_by_line() {
    let shop = Shop::open();
    let rows = "id;mail\n1;a\nx7;b\n;c\n3;c;d\n2;b\n18446744073709551616;x\n1;z\n-1;x\n";
    let told = shop.reconcile(rows, &["--database", "7"]);
    for line in [
        "line 3: \"x7\" in column \"id\" is no number",
        "line 4: \"\" in column",
        "line 5: it has 3 columns, and the first line has 2",
        "line 7: \"18446744073709551616\"",
        "line 8: 1 has a row in line 2 already",
        "line 9: \"-1\"",
        // Whose they are is not known, so nothing is said to be gone.
        "which profiles are gone is not told: not every row says whose it is",
        "2 rows compared",
    ] {
        assert!(told.stderr.contains(line), "{line}: {}", told.stderr);
    }
    assert_eq!(told.stdout, "");
    told.failed(3);
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_the_way_out() {
    let shop = Shop::open();
    let refused = |bytes: &[u8], args: &[&str], status, what: &str| {
        let told = shop.reconcile(bytes, args).failed(status);
        assert!(told.contains(what), "{told}");
    };
    refused(
        b"nr;mail\n1;a\n",
        &[],
        2,
        "no column \"id\"; it has \"nr\", \"mail\"",
    );
    refused(
        b"id;mail\n1;a\n",
        &["--columns", "mial"],
        2,
        "Did you mean \"mail\"?",
    );
    refused(b"id;mail\n1;caf\xe9\n", &[], 3, "line 2 is no UTF-8");
    refused(b"", &[], 2, "is empty");
    refused(b"id;mail\n", &["--database", "7"], 1, "no rows");
    refused(b"id;mail\n1;a\n", &["--delimiter", ";;"], 2, "the word tab");
    refused(
        b"id;mail\n1;a\n",
        &["--at", "@99999999999"],
        2,
        "multiple times",
    );
    refused(
        b"id;mail\n1;a\n",
        &["--collection", "1"],
        2,
        "--subprofile-column",
    );
    let mut open = b"id;mail\n1;\"a\n".to_vec();
    open.resize(20 << 20, b'x');
    refused(&open, &[], 3, "is a quote in it not closed?");
    let missing = cli(&shop.data(), &["reconcile", "/nowhere/export.csv"]).failed(3);
    assert!(missing.contains("opening /nowhere/export.csv"), "{missing}");
}

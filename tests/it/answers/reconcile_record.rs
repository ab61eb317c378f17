//! The differences between a file and the trail are recorded.
//!
//! Proven: what is recorded is reported as observed and no longer differs the next
//! time; no call and no import line without the mark can pass for it; an export can
//! be imported into another folder, which then answers the same; a new store can
//! start from a file.

use crate::support::compared::{AT, Shop, differences, reconcile, whole};
use crate::support::{Cli, cli, data, has, json_lines, new_server};
use serde_json::{Value, json};

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
    has(&entered.stderr, &["added 5 events"]);
    assert_eq!(json_lines(&entered.ok()), differences());
    for _ in 0..2 {
        let again = shop.reconcile(whole(), &args);
        assert!(again.stderr.contains("added 0 events"), "{}", again.stderr);
        assert_eq!(again.ok(), "");
        if shop.server.is_some() {
            shop.close();
        }
    }
    let data = shop.data();
    let format = std::fs::read_to_string(data.join("format")).unwrap();
    assert!(format.starts_with("{\"profiletrail\":1,"), "{format}");
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
    let call = history.iter().find(|event| event["seq"] == seq).unwrap();
    assert_eq!((call.get("observed"), &call["changes"]), (None, &json!([])));
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
        assert!(refused.contains("1 line refused"), "{refused}");
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
    let mut child = crate::support::clean(crate::support::BINARY)
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
fn two_recordings_at_once_add_each_observation_once() {
    let (dir, server) = new_server(&[]);
    let file = dir.path().join("export.csv");
    let rows: String = (1..=5_000).map(|id| format!("{id};a{id}\n")).collect();
    std::fs::write(&file, format!("id;mail\n{rows}")).unwrap();
    let data = data(&dir);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| reconcile(&data, &file, &["--record", "--yes"]).ok());
        }
    });
    assert_eq!(cli(&data, &["export"]).ok().lines().count(), 5_000);
    server.stop();
}

//! `incidents` and its `undo` on an ordinary shop's week with a bad import in it.
//!
//! Proven: the import is an incident, and nothing else is; it has the same name
//! whatever is asked; the file of `undo` has exactly the harmed (sub)profiles that
//! still have the bad value, to the byte, and never replaces another file without
//! being asked to; what is left alone is listed with its reason.

use std::path::Path;

use crate::support::shop::{BEGIN, DAY, HARMED, Shop, shop};
use crate::support::{BINARY, Cli, Server, clean, cli, has, json_lines};
use serde_json::{Value, json};

/// Finds the incident, and gives its name.
fn incidents(shop: &Shop) -> String {
    let found = shop.ask(&["incidents"]);
    assert_eq!(found.len(), 1, "{found:?}");
    let one = &found[0];
    let id = one["id"].as_str().unwrap();
    assert_eq!(id, format!("mail-{}", one["first_seq"]));
    assert_eq!(
        (&one["field"], &one["database"]),
        (&json!("mail"), &json!(7))
    );
    assert_eq!(
        (&one["profiles"], &one["events"]),
        (&json!(HARMED), &json!(HARMED))
    );
    assert_eq!(
        one["labels"],
        json!([{"label": "import", "events": HARMED}])
    );
    assert_eq!(one["causes"], json!([{"cause": "set", "events": HARMED}]));
    assert_eq!(
        (one["pairs"].as_array().unwrap().len(), &one["more_pairs"]),
        (5, &json!(true))
    );
    assert_eq!(one["from"], "2025-10-08T14:00:00Z");
    let shown = json_lines(&shop.run(&one["command"], &[]).ok());
    assert_eq!(shown.len() as u64, HARMED);
    assert!(
        shown
            .iter()
            .all(|line| line["new"] == "BAD" && line["field"] == "mail")
    );
    // It is the same whatever span is asked for, and by any of its events.
    for span in [
        ["--since", "2025-10-08T14:01:00Z"],
        ["--until", "2025-10-08T14:01:00Z"],
        ["--field", "mail"],
    ] {
        let again = shop.ask(&["incidents", span[0], span[1]]);
        assert_eq!(again.len(), 1, "{span:?}");
        assert_eq!(again[0]["id"], one["id"]);
    }
    let other = format!("mail-{}", one["last_seq"]);
    assert_eq!(shop.ask(&["incidents", "show", &other]), shown);
    let table = cli(&shop.data, &["incidents", "--format", "table"]).ok();
    has(
        &table,
        &[&format!("profiletrail incidents undo {id} --out {id}.csv")],
    );
    for wrong in ["mail-1", "city-5", "none-99999"] {
        assert!(
            cli(&shop.data, &["incidents", "show", wrong])
                .failed(1)
                .contains("no incident")
        );
    }
    assert!(
        cli(&shop.data, &["incidents", "show", "mail"])
            .failed(2)
            .contains("mail-1234")
    );
    assert!(
        cli(&shop.data, &["incidents", "--within", "1s"])
            .failed(2)
            .contains("1m to 1d")
    );
    assert!(
        cli(&shop.data, &["incidents", "--since", "2025-10-09"])
            .failed(1)
            .contains("unusually many profiles")
    );
    id.to_owned()
}

/// A file's rows, by the `csv` crate.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .from_path(path)
        .unwrap();
    let rows = reader
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect());
    rows.collect()
}

fn undo(shop: &Shop, id: &str) {
    let out = shop.dir.path().join("fix.csv");
    let path = out.to_str().unwrap();
    let outcome = cli(&shop.data, &["incidents", "undo", id, "--out", path]);
    assert!(
        outcome.stderr.contains("wrote 118 values to restore"),
        "{outcome:?}"
    );
    let left: Vec<_> = json_lines(&outcome.ok())
        .iter()
        .map(|line| {
            (
                line["profile"].as_u64().unwrap(),
                line["left"].clone(),
                line["now"].clone(),
                line["bad"].clone(),
            )
        })
        .collect();
    assert_eq!(
        left,
        [
            (
                1,
                json!("changed_since"),
                json!("new@example.com"),
                json!("BAD")
            ),
            (3, json!("deleted"), Value::Null, json!("BAD")),
        ]
    );
    let mut expected = vec![vec!["id".to_owned(), "mail".to_owned()]];
    let harmed = (1..=HARMED).filter(|profile| ![1, 3].contains(profile));
    expected.extend(
        harmed.map(|profile| vec![profile.to_string(), format!("=old+{profile}\",\n'\u{20ac}")]),
    );
    assert_eq!(rows(&out), expected);
    // It takes the place of nothing unasked.
    std::fs::write(&out, "mine").unwrap();
    let refused = cli(&shop.data, &["incidents", "undo", id, "--out", path]).failed(2);
    assert!(refused.contains("--force"), "{refused}");
    assert_eq!(std::fs::read(&out).unwrap(), b"mine");
    let table = [
        "incidents",
        "undo",
        id,
        "--out",
        path,
        "--force",
        "--format",
        "table",
        "--label",
        "import",
    ];
    let table = cli(&shop.data, &table).ok();
    has(&table, &["changed since", "deleted since"]);
    assert_eq!(rows(&out), expected);
    let names: Vec<_> = std::fs::read_dir(shop.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names.len(), 2, "nothing is left beside it: {names:?}");
    // A reader of the list that goes does not keep the file from being written.
    std::fs::remove_file(&out).unwrap();
    let script = format!(
        "exec 3>&1; {{ {BINARY} incidents undo {id} --out {path} --data {} 2>&3; }} | true",
        shop.data.display()
    );
    let status = clean("sh")
        .args(["-c", &script])
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(rows(&out), expected);
    let nowhere = shop.dir.path().join("none/fix.csv");
    cli(
        &shop.data,
        &["incidents", "undo", id, "--out", nowhere.to_str().unwrap()],
    )
    .failed(3);
}

#[test]
fn a_bad_import_is_found_and_undone() {
    let (shop, server) = shop();
    let id = incidents(&shop);
    undo(&shop, &id);
    server.stop();
    let help = Cli::bare(&["incidents", "undo", "--help"]).run().ok();
    assert!(help.contains("formula"), "{help}");
}

#[test]
fn subprofiles_interests_and_unknown_values_are_distinguished() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    let at = |number: u64| BEGIN + 30 * DAY + number;
    for number in 1..=30 {
        let sub = format!(
            "&profile={}&subprofile={}&collection=4&database=2",
            number / 2 + 1,
            number + 100
        );
        if number > 2 {
            let body = format!(
                "type=create{sub}&time={}&fields[id]=a{number}",
                BEGIN + number
            );
            client.post("/webhook", &body).seq();
        }
        let body = format!(
            "type=update{sub}&time={}&parameters[id]=b&fields[id]=b",
            at(number)
        );
        client.post("/webhook", &body).seq();
        let profile = format!("&profile={}&database=2", 500 + number);
        let body = format!(
            "type=create{profile}&time={}&fields[x]=1&interests[]=news",
            BEGIN + number
        );
        client.post("/webhook", &body).seq();
        let body = format!(
            "type=update{profile}&time={}&parameters[news]=0&parameters[y]=2&fields[x]=1&fields[y]=2",
            at(number)
        );
        client.post("/webhook", &body).seq();
    }
    server.stop();
    let found = json_lines(&cli(&data, &["incidents"]).ok());
    assert_eq!(found.len(), 3, "{found:?}");
    let of = |name: &str, value: &str| found.iter().find(|line| line[name] == value).unwrap();
    let undo = |line: &Value, file: &str| {
        let out = dir.path().join(file);
        let id = line["id"].as_str().unwrap();
        let args = ["incidents", "undo", id, "--out", out.to_str().unwrap()];
        let collection: &[&str] = match line["collection"].is_null() {
            true => &[],
            false => &["--collection-name", "Orders"],
        };
        let left = json_lines(&cli(&data, &[&args, collection].concat()).ok());
        let rows = if out.exists() { rows(&out) } else { Vec::new() };
        let why: Vec<_> = left
            .iter()
            .map(|line| line["left"].as_str().unwrap().to_owned())
            .collect();
        (rows, why)
    };
    let sub = of("field", "id");
    assert_eq!(
        (&sub["subprofiles"], &sub["profiles"], &sub["collection"]),
        (&json!(30), &json!(0), &json!(4))
    );
    let (rows, why) = undo(sub, "sub.csv");
    assert_eq!(rows.len(), 29);
    assert_eq!(rows[0], ["Orders.subprofile_id", "Orders.id"]);
    assert_eq!(rows[1], ["103", "a3"]);
    assert_eq!(why, ["old_unknown", "old_unknown"]);
    let (rows, why) = undo(of("interest", "news"), "news.csv");
    assert_eq!(
        (rows.len(), &rows[0], &rows[1]),
        (
            31,
            &vec!["id".to_owned(), "news".to_owned()],
            &vec!["501".to_owned(), "1".to_owned()]
        )
    );
    assert!(why.is_empty());
    let (rows, why) = undo(of("field", "y"), "y.csv");
    assert_eq!(
        (rows.len(), why.len(), why[0].as_str()),
        (0, 30, "was_absent")
    );
}

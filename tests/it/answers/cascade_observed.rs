//! A profile that an export does not have is gone, and its subprofiles with it.
//!
//! Proven: an observed end ends the subprofiles as a `delete` does, where that is
//! asked for, and nowhere else; among the events of the same second it has its place
//! in the order; the values in a dossier end with it; and `tail` and the pages of the
//! query API report observed events as `history` does.

use crate::support::compared::{AT, Shop};
use crate::support::http::{ask, token};
use crate::support::{Server, cli, json_lines};
use serde_json::{Value, json};

/// [`AT`], as answers print it.
const TIME: &str = "2025-10-09T09:10:00Z";

/// An export without profile 1, which has the subprofiles 11 and 12; profile 9
/// is not known.
const EXPORT: &str = "id;mail\n2;b\n3;c\n9;z\n";

/// Enters what such an export has otherwise: 1 is gone with event 9.
fn entered() -> Shop {
    let shop = Shop::open();
    let args = ["--database", "7", "--record", "--yes", "--label", "export"];
    let lines = json_lines(&shop.reconcile(EXPORT, &args).ok());
    let findings: Vec<_> = lines
        .iter()
        .map(|line| (line["profile"].as_u64().unwrap(), &line["finding"]))
        .collect();
    assert_eq!(findings, [(1, &json!("gone")), (9, &json!("unknown"))]);
    shop
}

fn read(shop: &Shop, args: &[&str]) -> Vec<Value> {
    json_lines(&cli(&shop.data(), args).ok())
}

fn gone(order: &str) -> Value {
    json!([{"field": "order", "old": order, "new": null, "cause": "cascade"}])
}

#[test]
fn what_an_export_does_not_have_ends_as_what_is_deleted() {
    let shop = entered();
    let all = read(&shop, &["history", "1", "--subprofiles", "--cascade"]);
    let ended: Vec<Value> = all
        .iter()
        .skip(3)
        .map(|line| {
            json!([
                line["seq"],
                line["type"],
                line["observed"],
                line["time"],
                line["label"],
                line["subprofile"],
                line["collection"],
                line["changes"]
            ])
        })
        .collect();
    let line = |subprofile, collection, changes: Value| {
        json!([
            9, "observed", "gone", TIME, "export", subprofile, collection, changes
        ])
    };
    assert_eq!(
        ended,
        [
            line(None, None, json!([])),
            line(Some(11), Some(3), gone("1")),
            line(Some(12), Some(3), gone("2")),
        ]
    );
    let state = |more: &[&str]| read(&shop, &[&["show", "1/11"], more].concat()).remove(0);
    let shown = state(&["--cascade"]);
    assert_eq!(
        (&shown["state"], &shown["cascade"]),
        (&json!("deleted"), &json!({"seq": 9, "time": TIME}))
    );
    // Not before it was seen, and not where it is not asked for.
    assert_eq!(
        state(&["--cascade", "--at", "@1760000999"])["state"],
        "present"
    );
    let unasked = state(&[]);
    assert_eq!(
        (&unasked["state"], unasked.get("cascade")),
        (&json!("present"), None)
    );
    let plain = read(&shop, &["history", "1", "--subprofiles"]);
    assert_eq!(plain.len(), 4);
    assert_eq!(plain[..], all[..4]);
    let changes = read(
        &shop,
        &["changes", "--cause", "cascade", "--label", "export"],
    );
    let changes: Vec<_> = changes
        .iter()
        .map(|line| json!([line["seq"], line["type"], line["subprofile"], line["old"]]))
        .collect();
    assert_eq!(
        changes,
        [
            json!([9, "observed", 11, "1"]),
            json!([9, "observed", 12, "2"])
        ]
    );
    cli(&shop.data(), &["blame", "1/12", "--cascade"]).failed(1);
    assert_eq!(read(&shop, &["blame", "1/12"]).len(), 1);
    let span = ["--from", "@1760000999", "--to", AT];
    let diff = read(&shop, &[&["diff", "1/12", "--cascade"], &span[..]].concat());
    assert_eq!(diff, [json!({"field": "order", "old": "2", "new": null})]);
}

#[test]
fn each_of_a_second_has_its_place() {
    let shop = entered();
    let client = |body: &str| {
        let server = shop.server.as_ref().unwrap();
        server.client().post("/webhook/crm", body).seq()
    };
    // A delete of the very second comes before what was seen at its end, and is
    // what ends them; then 12 is seen again, and lives until a later delete.
    let deleted = client("type=delete&profile=1&database=7&time=1760001000");
    let file = shop.dir.path().join("orders.csv");
    std::fs::write(&file, "profile,subprofile,order\n1,12,new\n").unwrap();
    let file = file.to_str().unwrap();
    let args = [
        "reconcile",
        file,
        "--at",
        AT,
        "--key-column",
        "profile",
        "--subprofile-column",
        "subprofile",
        "--partial",
        "--record",
        "--yes",
    ];
    let seen = cli(&shop.data(), &args);
    assert!(seen.stderr.contains("added 1 event"), "{}", seen.stderr);
    let last = client("type=delete&profile=1&database=7&time=1760002000");
    let ends = |key: &str| -> Vec<Value> {
        let lines = read(&shop, &["history", key, "--cascade"]);
        let rest = lines.iter().skip(1);
        rest.map(|line| json!([line["seq"], line["changes"][0]["cause"]]))
            .collect()
    };
    assert_eq!(ends("1/11"), [json!([deleted, "cascade"])]);
    assert_eq!(
        ends("1/12"),
        [
            json!([deleted, "cascade"]),
            json!([deleted + 1, "first_seen"]),
            json!([last, "cascade"]),
        ]
    );
    let of_all = read(&shop, &["changes", "--cause", "cascade"]);
    let of_all: Vec<_> = of_all
        .iter()
        .map(|line| json!([line["seq"], line["subprofile"]]))
        .collect();
    assert_eq!(
        of_all,
        [
            json!([deleted, 11]),
            json!([deleted, 12]),
            json!([last, 12])
        ]
    );
}

#[test]
fn values_end_in_a_dossier_when_they_were_seen_to_be_gone() {
    let mut shop = entered();
    shop.close();
    let lines = read(&shop, &["dossier", "1", "--format", "jsonl"]);
    let until = |subprofile: Option<u64>, field: &str| {
        let mut values = lines.iter().filter(|line| {
            line["field"] == field
                && line["subprofile"] == json!(subprofile)
                && !line["until"].is_null()
        });
        let line = values
            .next()
            .unwrap_or_else(|| panic!("{field} lasts: {lines:?}"));
        line["until"].clone()
    };
    assert_eq!(
        until(None, "mail"),
        json!({"seq": 9, "time": TIME, "cause": "observed", "not_before": "2025-10-09T08:53:20Z"})
    );
    assert_eq!(
        until(Some(11), "order"),
        json!({"seq": 9, "time": TIME, "cause": "cascade"})
    );
}

#[test]
fn observed_events_are_reported_alike_everywhere() {
    let mut shop = entered();
    // An ordinary difference, too.
    shop.reconcile("id;mail\n2;other\n", &["--partial", "--record", "--yes"])
        .ok();
    let of = |key: &str| read(&shop, &["history", key]).pop().unwrap();
    for line in read(&shop, &["tail", "-n", "3"]) {
        assert_eq!(line, of(&line["profile"].to_string()));
    }
    assert_eq!(of("2")["changes"][0]["old"], "b");
    shop.close();
    let server = Server::start(&shop.data(), &["--api", "127.0.0.1:0"]);
    let token = token(&shop.data(), "read");
    let first = "/v1/history/1?subprofiles&cascade&limit=1";
    let (mut target, mut pages) = (first.to_owned(), String::new());
    loop {
        let reply = ask(server.api(), &token, &target);
        assert_eq!(reply.status, 200);
        assert!(pages.len() < 1 << 16, "{pages}");
        pages += std::str::from_utf8(&reply.body).unwrap();
        let link = reply.header("Link").and_then(|link| link.split('>').next());
        match link.and_then(|link| link.strip_prefix('<')) {
            Some(next) => next.clone_into(&mut target),
            None => break,
        }
    }
    let whole = cli(
        &shop.data(),
        &["history", "1", "--subprofiles", "--cascade"],
    )
    .ok();
    assert_eq!(pages, whole);
    assert_eq!(whole.lines().count(), 6);
    server.stop();
}

//! A file is compared with what the trail knows.
//!
//! Proven: however the columns are separated and quoted, exactly the fields that
//! differ are reported, and so is what is unknown, deleted or gone; a running server
//! and the folder alone answer the same; a file that cannot be read is refused with
//! the position of the error.

use crate::support::compared::{HOSTILE, Shop, differences, finding, whole};
use crate::support::{cli, has, json_lines};
use serde_json::json;

#[test]
fn differences_are_reported_live_and_offline() {
    let mut shop = Shop::open();
    let args = ["--database", "7"];
    let live = shop.reconcile(whole(), &args);
    shop.close();
    let offline = shop.reconcile(whole(), &args);
    assert_eq!(live.stdout, offline.stdout);
    assert_eq!(live.stderr, offline.stderr);
    assert_eq!(json_lines(&live.clone().ok()), differences());
    has(
        &live.stderr,
        &[
            "4 rows compared",
            "0 the same, 2 with other values (2 fields)",
            "1 profile in the trail and missing from the file",
        ],
    );
    // In another form it says the same.
    let tabs = "mail\tid\tcity\tnote\nz\t9\t\t\na\t1\t\"'s-Gravenhage; \"\"Den Haag\"\"\n\"\tx;y\nd\t4\t\t\nb\t2\t\t";
    let quoted = [&args[..], &["--quotes", "on"]].concat();
    let same = shop.reconcile(format!("{tabs}{HOSTILE}"), &quoted);
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
    has(&shown, &["(gone)", "(absent)"]);
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
    let lines = json_lines(&shop.reconcile(rows, &args).ok());
    assert_eq!(
        lines,
        [
            json!({"profile": 1, "subprofile": 11, "finding": "gone"}),
            json!({"profile": 1, "subprofile": 12, "field": "order", "trail": "2", "file": "3"}),
            json!({"profile": 1, "subprofile": 13, "finding": "unknown"}),
        ]
    );
}

#[test]
fn unreadable_rows_are_reported_by_line() {
    let shop = Shop::open();
    let rows = "id;mail\n1;a\nx7;b\n;c\n3;c;d\n2;b\n18446744073709551616;x\n1;z\n-1;x\n";
    let outcome = shop.reconcile(rows, &["--database", "7"]);
    for line in [
        "line 3: \"x7\" in column \"id\" is not a number",
        "line 4: \"\" in column",
        "line 5: it has 3 columns, the first line 2",
        "line 7: \"18446744073709551616\"",
        "line 8: 1 has a row in line 2 already",
        "line 9: \"-1\"",
        // Whose they are is not known, so nothing is said to be gone.
        "cannot report which profiles are gone: some rows could not be read",
        "2 rows compared",
    ] {
        assert!(outcome.stderr.contains(line), "{line}: {}", outcome.stderr);
    }
    assert_eq!(outcome.stdout, "");
    outcome.failed(3);
}

#[test]
fn a_file_that_cannot_be_read_is_refused_with_the_way_out() {
    let shop = Shop::open();
    let refused = |bytes: &[u8], args: &[&str], status, what: &str| {
        let error = shop.reconcile(bytes, args).failed(status);
        assert!(error.contains(what), "{error}");
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
    refused(b"id;mail\n1;caf\xe9\n", &[], 3, "line 2 is not UTF-8");
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

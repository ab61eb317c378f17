//! Checkpoints that others sign, too: a time-stamping authority made of openssl, and
//! witnesses.

use std::fs;
use std::path::{Path, PathBuf};

use profiletrail::proofs::{Trusted, Vkey, check_bundle};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::Value;

use super::proofs::{by_go, forge, import, key, prove};
use crate::support::api::{call, text};
use crate::support::notary::{Authority, Notary, Witness};
use crate::support::visitor::Visitor;
use crate::support::{Cli, Server, clean, cli, data, eventually, has, json_lines, new_server};

/// A witness of the log of a folder, whose key it knows.
fn witness(data: &Path, name: &str, seed: u8) -> Witness {
    let data = data.to_owned();
    Witness::start(name, seed, move || key(&data))
}

fn anchors(data: &Path) -> Vec<Value> {
    let asked = cli(data, &["checkpoint", "--anchors", "--format", "jsonl"]);
    json_lines(&asked.stdout)
}

fn by_shell(dir: &Path, key: &str, root: &Path) -> Result<String, String> {
    let mut command = clean("sh");
    command.arg(dir.join("check.sh")).arg(key).arg(root);
    let output = command.output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8(output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

fn findings(data: &Path, args: &[&str]) -> Vec<(String, String)> {
    let args = [&["doctor", "--format", "jsonl"], args].concat();
    let lines = json_lines(&cli(data, &args).stdout).into_iter();
    let lines = lines.filter(|line| line["check"] == "countersigners");
    lines
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("result"), text("what"))
        })
        .collect()
}

/// A log of which an authority and a witness have signed a checkpoint of some events.
fn anchored(
    dir: &tempfile::TempDir,
    events: u64,
    key: &[&str],
) -> (Server, Authority, Witness, PathBuf) {
    let data = data(dir);
    let authority = Authority::start(key);
    let witness = witness(&data, "witness.example/w", 1);
    import(&data, 1..events + 1);
    let (url, text) = (authority.url(), witness.text());
    let args = ["--timestamp", &url, "--witness", &text];
    let args = [
        &args[..],
        &["--api", "127.0.0.1:0", "--segment-size", "20KB"],
    ]
    .concat();
    let server = Server::start(&data, &args);
    eventually("an anchor", || anchors(&data).len() == 1);
    (server, authority, witness, data)
}

#[test]
fn an_authority_and_a_witness_vouch_for_an_event() {
    for key in [
        &["-newkey", "rsa:2048"][..],
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    ] {
        vouch(key);
    }
}

fn vouch(kind: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let (server, authority, witness, data) = anchored(&dir, 300, kind);
    let anchor = anchors(&data).remove(0);
    assert_eq!(anchor["size"], 300);
    assert_eq!(anchor["witnesses"][0], "witness.example/w");
    assert_eq!(witness.size(), 300);
    let found = findings(&data, &[]);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found
            .iter()
            .all(|(result, what)| result == "ok" && what.contains("has signed")),
        "{found:?}"
    );
    server
        .client()
        .post("/webhook", call(1, 1_700_000_000, "later"))
        .seq();
    let log = key(&data);
    let (dir_of_event, later) = (dir.path().join("event"), dir.path().join("later"));
    prove(&data, 7, &dir_of_event);
    prove(&data, 301, &later);
    let note = fs::read_to_string(dir_of_event.join("checkpoint")).unwrap();
    assert_eq!(anchor["note"], note);
    assert_eq!(note.lines().count(), 6, "{note}");
    assert!(!later.join("stamp.tsr").exists());
    let root = authority.root();
    let check = |dir: &Path, more: &[&str]| {
        let args = ["prove", "--check", dir.to_str().unwrap(), "--vkey", &log];
        Cli::bare(&[&args[..], more].concat()).run()
    };
    let tsa = ["--tsa", root.to_str().unwrap()];
    let line = json_lines(
        &check(
            &dir_of_event,
            &[&tsa[..], &["--witness", &witness.key]].concat(),
        )
        .ok(),
    );
    assert_eq!(line[0]["stamp"]["time"], anchor["stamped"]);
    assert_eq!(line[0]["stamp"]["verified"], true);
    assert_eq!(line[0]["witnesses"][0]["name"], "witness.example/w");
    assert_eq!(line[0]["witnesses"][0]["time"], "2027-01-15T08:00:00Z");
    let text = check(&dir_of_event, &["--format", "table"]).ok();
    assert!(text.contains("which was not checked"), "{text}");
    assert!(by_go(&["event", dir_of_event.to_str().unwrap(), &log]));
    let said = by_shell(&dir_of_event, &log, &root).unwrap();
    assert!(said.contains("which was signed before"), "{said}");
    // Others vouch for nothing.
    let others = Authority::start(&["-newkey", "rsa:2048"]);
    let other = self::witness(&data, "witness.example/w", 2);
    let why = check(&dir_of_event, &["--tsa", others.root().to_str().unwrap()]).failed(3);
    assert!(why.contains("certificate is not accepted"), "{why}");
    assert!(by_shell(&dir_of_event, &log, &others.root()).is_err());
    let why = check(&dir_of_event, &["--witness", &other.key]).failed(3);
    assert!(why.contains("no signature of the witness"), "{why}");
    let why = check(&later, &tsa).failed(3);
    assert!(why.contains("no time stamp"), "{why}");
    assert!(
        by_shell(&later, &log, &root)
            .unwrap_err()
            .contains("no time stamp")
    );
    check(&later, &["--witness", &witness.key]).failed(3);
    check(&dir_of_event, &["--witness", "nonsense"]).failed(2);
    check(
        &dir_of_event,
        &["--tsa", dir_of_event.join("vkey").to_str().unwrap()],
    )
    .failed(3);
    // No changed byte of the time stamp makes it say something else.
    let trusted = Trusted {
        key: Vkey::parse(&log).unwrap(),
        authorities: vec![CertificateDer::from_pem_file(&root).unwrap()],
        witnesses: vec![Vkey::parse_witness(&witness.key).unwrap()],
    };
    let whole = |name: &str| fs::read(dir_of_event.join(name));
    let right = check_bundle(&whole, &trusted).unwrap();
    let (stamp, mut refused) = (whole("stamp.tsr").unwrap(), 0);
    for place in 0..stamp.len() {
        let mut bytes = stamp.clone();
        bytes[place] ^= 1 << (place % 8);
        let read = |name: &str| match name {
            "stamp.tsr" => Ok(bytes.clone()),
            name => whole(name),
        };
        match check_bundle(&read, &trusted) {
            Ok(checked) => assert_eq!(checked, right, "{place}"),
            Err(_) => refused += 1,
        }
    }
    assert!(
        refused * 10 > stamp.len() * 9,
        "{refused} of {}",
        stamp.len()
    );
    for place in 0..note.len() {
        let mut bytes = note.clone().into_bytes();
        bytes[place] ^= 1 << (place % 8);
        let read = |name: &str| match name {
            "checkpoint" => Ok(bytes.clone()),
            name => whole(name),
        };
        assert!(check_bundle(&read, &trusted).is_err(), "{place}");
    }
    server.stop();
}

#[test]
fn an_anchor_is_shown_kept_in_backups_and_survives_a_prune() {
    let dir = tempfile::tempdir().unwrap();
    let (server, authority, witness, data) = anchored(&dir, 700, &["-newkey", "rsa:2048"]);
    let log = key(&data);
    let api = Visitor::new(server.api());
    let token = cli(
        &data,
        &["token", "create", "--name", "x", "--format", "jsonl"],
    )
    .ok();
    let token = format!(
        "Bearer {}",
        json_lines(&token)[0]["token"].as_str().unwrap()
    );
    let ask = |target: &str| api.ask("GET", target, &[("Authorization", &token)], "");
    assert_eq!(json_lines(text(&ask("/v1/anchors"))), anchors(&data));
    assert!(text(&ask("/metrics")).contains("\nprofiletrail_last_anchor_age_seconds "));
    let listed = cli(&data, &["checkpoint", "--anchors", "--format", "table"]).ok();
    has(
        &listed,
        &["; time stamp of ", "; signed by witness.example/w"],
    );
    let event = dir.path().join("event");
    prove(&data, 30, &event);
    server.stop();
    let note = dir.path().join("note");
    fs::write(&note, anchors(&data)[0]["note"].as_str().unwrap()).unwrap();
    import(&data, 701..1_200);
    // Everything that the anchor has is pruned, and it can still be compared.
    let before = format!("@{}", 1_500_000_000 + 1_000 * 86_400);
    cli(&data, &["prune", "--before", &before, "--yes"]).ok();
    let valid = |data: &Path| {
        let since = cli(data, &["checkpoint", "--since", note.to_str().unwrap()]).ok();
        assert!(since.starts_with("old 700\n"), "{since}");
        let verified = cli(data, &["verify", "--checkpoint", note.to_str().unwrap()]).ok();
        assert!(verified.contains("\"result\":\"same\""), "{verified}");
        let args = ["prove", "--check", event.to_str().unwrap(), "--vkey", &log];
        let tsa = authority.root();
        let more = ["--tsa", tsa.to_str().unwrap(), "--witness", &witness.key];
        Cli::bare(&[&args[..], &more].concat()).run().ok();
    };
    valid(&data);
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let restored = dir.path().join("restored");
    cli(&restored, &["restore", backup.to_str().unwrap()]).ok();
    assert_eq!(anchors(&restored), anchors(&data));
    valid(&restored);
    // The restored log has another name, which the witness does not know.
    import(&restored, 1_200..1_210);
    prove(&restored, 1_205, &dir.path().join("new"));
    assert!(!dir.path().join("new/stamp.tsr").exists());
}

#[test]
fn a_forger_with_the_real_key_is_exposed_by_an_anchor() {
    let dir = tempfile::tempdir().unwrap();
    let (server, _authority, _witness, data) = anchored(&dir, 300, &["-newkey", "rsa:2048"]);
    server.stop();
    import(&data, 301..700);
    cli(&data, &["verify"]).ok();
    forge(&data, 300);
    cli(&data, &["checkpoint"]).ok();
    let output = cli(&data, &["verify"]);
    assert_eq!(output.status, Some(3));
    let lines = json_lines(&output.stdout);
    let named: Vec<_> = lines
        .iter()
        .filter(|line| line["result"] == "differs")
        .collect();
    assert_eq!(named.len(), 1, "{named:?}");
    assert!(
        named[0]["what"]
            .as_str()
            .unwrap()
            .contains("the anchor of 20"),
        "{named:?}"
    );
    // An anchor whose files were changed is named, and no obstacle.
    let anchor = fs::read_dir(data.join("proofs")).unwrap();
    let mut names = anchor.map(|entry| entry.unwrap().path());
    let stamp = names
        .find(|path| path.extension().is_some_and(|end| end == "tsr"))
        .unwrap();
    fs::write(&stamp, "nonsense").unwrap();
    let output = cli(&data, &["verify"]);
    has(&output.stdout, &["is no time stamp of RFC 3161"]);
    prove(&data, 7, &dir.path().join("event"));
}

#[test]
fn those_who_do_not_sign_are_named_and_hold_nothing_up() {
    let (place, quiet) = new_server(&[]);
    let data = data(&place);
    quiet
        .client()
        .post("/webhook", call(1, 1_700_000_000, "a"))
        .seq();
    quiet.stop();
    let ahead = witness(&data, "ahead", 1);
    ahead.set(1_000, [7; 32]);
    let stranger = Notary::start(Box::new(|_, _| (404, Vec::new())));
    let refusing = Notary::start(Box::new(|_, _| {
        // PKIStatusInfo: rejection, with a text.
        (
            200,
            b"\x30\x0f\x30\x0d\x02\x01\x02\x30\x08\x0c\x06closed".to_vec(),
        )
    }));
    let (url, text) = (format!("http://{}/x", refusing.address()), ahead.text());
    let unknown = format!(
        "http://{}/w={}",
        stranger.address(),
        witness(&data, "stranger", 3).key
    );
    let args = [
        "--timestamp",
        &url,
        "--witness",
        &text,
        "--witness",
        &unknown,
    ];
    let server = Server::start(&data, &args);
    eventually("failures", || {
        let found = findings(&data, &[]);
        found.len() == 3 && found.iter().all(|(result, _)| result == "warning")
    });
    let found = findings(&data, &[]);
    for (found, why) in found.iter().zip([
        "the authority refused, with status 2 closed",
        "it has signed a checkpoint of 1000 events",
        "it does not know this log",
    ]) {
        assert!(found.1.contains(why), "{found:?}");
    }
    assert!(anchors(&data).is_empty());
    cli(&data, &["checkpoint", "--anchors"]).failed(1);
    server
        .client()
        .post("/webhook", call(1, 1_700_000_001, "b"))
        .seq();
    server.stop();
    // Without a server, doctor asks them itself.
    let found = findings(&data, &[&args[..], &["--listen", "127.0.0.1:1"]].concat());
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].1.contains("does not sign: the authority refused"),
        "{found:?}"
    );
    assert_eq!(found[1].0, "ok", "{found:?}");
    assert!(found[2].1.contains("status 404"), "{found:?}");
    assert!(findings(&data, &[&args[..], &["--offline"]].concat()).is_empty());
    for (flag, wrong) in [
        ("--timestamp", "ftp://tsa.example"),
        ("--timestamp", "https:///x"),
        ("--witness", "https://w.example"),
        ("--witness", "https://w.example=w+00000000+AAAA"),
    ] {
        cli(&data, &["serve", flag, wrong]).failed(2);
    }
    let offline = cli(&data, &["checkpoint", "--anchors", "--key"]);
    assert_eq!(offline.status, Some(2));
}

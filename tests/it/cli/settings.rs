//! Settings from flags, environment and `--env-file`, merged before they are checked;
//! and prompts.
//!
//! Proven: half a TLS pair is refused from every source, and a pair of two sources
//! is whole; a file's format reaches nested commands; a default format that a
//! command does not support fails none, and one asked for does; a declined prompt
//! changes nothing and ends with status 1.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::terminal::OnTerminal;
use crate::support::{Cli, Server, cli, has};

fn folder() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    for profile in 1..=30 {
        let time = 1_400_000_000 + profile;
        for value in ["a", "b"] {
            let body = format!("type=update&profile={profile}&time={time}&fields[x]={value}");
            client.post("/webhook", body).seq();
        }
    }
    server.stop();
    (dir, data)
}

fn file(dir: &Path, text: &str) -> String {
    let path = dir.join("settings.env");
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn half_a_tls_pair_is_refused_from_every_source() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let names = [
        ("PROFILETRAIL_TLS_CERT", "--tls-cert", "--tls-key"),
        ("PROFILETRAIL_TLS_KEY", "--tls-key", "--tls-cert"),
    ];
    let serve = ["serve", "--listen", "127.0.0.1:0"];
    for (name, given, missing) in names {
        let path = file(dir.path(), &format!("{name}=/nowhere.pem\n"));
        let from_file = [&serve[..], &["--env-file", &path]].concat();
        let from_flag = [&serve[..], &[given, "/nowhere.pem"]].concat();
        for outcome in [
            cli(&data, &from_file),
            cli(&data, &from_flag),
            Cli::new(&data, &serve).env(name, "/nowhere.pem").run(),
        ] {
            let said = outcome.failed(2);
            assert!(said.contains(given) && said.contains(missing), "{said}");
        }
        // A pair of two sources is whole: what fails is to read it.
        let pair = [&from_file[..], &[missing, "/nowhere.pem"]].concat();
        let said = cli(&data, &pair).failed(3);
        assert!(said.contains("/nowhere.pem"), "{said}");
    }
    assert!(!data.exists(), "a refused server makes no folder");
}

#[test]
fn a_file_s_format_reaches_nested_commands() {
    let (dir, data) = folder();
    let path = file(dir.path(), "PROFILETRAIL_FORMAT=table\n");
    let listed = cli(&data, &["token", "create", "--env-file", &path]).ok();
    assert!(listed.starts_with("ID"), "{listed}");
    let listed = cli(&data, &["token", "list", "--env-file", &path]).ok();
    assert!(listed.starts_with("ID"), "{listed}");
    let id = "x-1400000000";
    let shown = cli(&data, &["incidents", "show", id, "--env-file", &path]);
    let table = cli(&data, &["incidents", "show", id, "--format", "table"]);
    assert_eq!(shown.stdout, table.stdout);
    // A flag and the environment take precedence.
    let list = ["token", "list", "--env-file", &path];
    let listed = cli(&data, &[&list[..], &["--format", "jsonl"]].concat()).ok();
    assert!(listed.starts_with('{'), "{listed}");
    let from_environment = Cli::new(&data, &list).env("PROFILETRAIL_FORMAT", "jsonl");
    assert!(from_environment.run().ok().starts_with('{'));
}

#[test]
fn a_default_format_without_support_fails_no_command() {
    let (dir, data) = folder();
    let backup = dir.path().join("backup");
    let path = file(dir.path(), "PROFILETRAIL_FORMAT=csv\n");
    let file_csv = dir.path().join("export.csv");
    fs::write(&file_csv, "id,x\n1,b\n").unwrap();
    let file_csv = file_csv.to_str().unwrap();
    for command in [
        vec!["seal"],
        vec!["verify"],
        vec!["stats"],
        vec!["repair"],
        vec!["prune", "--before", "2010-01-01", "--dry-run"],
        vec!["backup", backup.to_str().unwrap()],
        vec!["token", "create"],
        vec!["token", "list"],
        vec!["doctor", "--offline"],
        vec!["reconcile", file_csv, "--partial"],
        vec!["dossier", "1"],
    ] {
        let from_environment = Cli::new(&data, &command).env("PROFILETRAIL_FORMAT", "csv");
        let outcome = from_environment.run();
        assert_ne!(outcome.status, Some(2), "{command:?}: {}", outcome.stderr);
        assert!(!outcome.stderr.contains("csv"), "{command:?}");
        let with_file = [&command[..], &["--env-file", &path]].concat();
        let outcome = cli(&data, &with_file);
        assert_ne!(outcome.status, Some(2), "{command:?}: {}", outcome.stderr);
        let asked = [&command[..], &["--format", "csv"]].concat();
        assert!(cli(&data, &asked).failed(2).contains("csv"), "{command:?}");
    }
    let changes = Cli::new(&data, &["changes"]).env("PROFILETRAIL_FORMAT", "csv");
    assert!(changes.run().ok().starts_with("time,seq,"));
    let unknown = Cli::new(&data, &["seal"]).env("PROFILETRAIL_FORMAT", "xml");
    unknown.run().failed(2);
}

#[test]
fn a_declined_prompt_changes_nothing_and_ends_with_status_1() {
    let (dir, data) = folder();
    let file_csv = dir.path().join("export.csv");
    fs::write(&file_csv, "id,x\n1,c\n").unwrap();
    let before = cli(&data, &["export"]).ok();
    let reconcile = [
        "reconcile",
        file_csv.to_str().unwrap(),
        "--partial",
        "--record",
    ];
    let mut running = OnTerminal::start(&data, &reconcile, "");
    running.type_line("n");
    let (status, shown) = running.end();
    assert_eq!(status, Some(1), "{shown}");
    has(&shown, &["[y/N]", "nothing was changed"]);
    assert_eq!(cli(&data, &["export"]).ok(), before);
}

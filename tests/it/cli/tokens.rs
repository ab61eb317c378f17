//! `token`: making, listing and revoking.
//!
//! Proven: a token is shown once and kept nowhere; the file is its owner's
//! alone, whatever the umask; both forms of output; wrong names and ids.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::{Cli, cli, data, entries, json_lines, keys, new_server};

#[test]
fn a_token_is_shown_once_and_kept_hashed() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(&dir);
    let made = cli(&data, &["token", "create", "--name", "nightly report"]);
    assert!(made.stderr.contains("not shown again"), "{}", made.stderr);
    let made = &json_lines(&made.ok())[0];
    assert_eq!(keys(made), ["id", "name", "scope", "created", "token"]);
    assert_eq!(made["scope"], "read");
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with("ptr_") && token.len() == 47, "{token}");

    let file = data.join("tokens");
    assert_eq!(
        fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(
        fs::metadata(&data).unwrap().permissions().mode() & 0o777,
        0o700
    );
    for path in entries(&data).iter().filter(|path| path.is_file()) {
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&token[4..]), "{}", path.display());
    }

    let other = cli(&data, &["token", "create", "--scope", "metrics"]).ok();
    let other = &json_lines(&other)[0];
    let listed = json_lines(&cli(&data, &["token", "list"]).ok());
    assert_eq!(listed.len(), 2);
    for (line, made) in listed.iter().zip([made, other]) {
        assert_eq!(keys(line), ["id", "name", "scope", "created"]);
        for key in keys(line) {
            assert_eq!(line[key], made[key]);
        }
    }

    let id = made["id"].as_str().unwrap();
    cli(&data, &["token", "revoke", id]).ok();
    let said = cli(&data, &["token", "revoke", id]).failed(1);
    assert!(said.contains("token list"), "{said}");
    let left = json_lines(&cli(&data, &["token", "list"]).ok());
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["id"], other["id"]);
}

#[test]
fn tables_are_for_people_and_names_are_made_harmless() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(&dir);
    let table = ["--format", "table"];
    let args = |args: &[&'static str]| [args, &table].concat();
    let made = cli(&data, &args(&["token", "create", "--name", "a\u{202e}b"])).ok();
    let mut lines = made.lines();
    let header: Vec<_> = lines.next().unwrap().split_whitespace().collect();
    assert_eq!(header, ["ID", "NAME", "SCOPE", "CREATED", "TOKEN"]);
    let row = lines.next().unwrap();
    assert!(
        row.contains(" read ") && row.contains(" ptr_") && !row.contains('\u{202e}'),
        "{row}"
    );
    assert_eq!(lines.next(), None);
    let listed = cli(&data, &args(&["token", "list"])).ok();
    assert!(
        !listed.contains("ptr_") && !listed.contains("TOKEN"),
        "{listed}"
    );
}

#[test]
fn what_is_wrong_is_said_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(&dir);
    cli(&data, &["token", "list"]).failed(1);
    cli(&data, &["token", "revoke", "abc"]).failed(1);
    assert!(!data.exists());
    let long = "x".repeat(65);
    for name in ["a\nb", &long] {
        let said = cli(&data, &["token", "create", "--name", name]).failed(2);
        assert!(said.contains("--name"), "{said}");
    }
    cli(&data, &["token", "create", "--scope", "write"]).failed(2);
    assert!(!data.exists());
    // Not into a stranger's folder.
    fs::create_dir(&data).unwrap();
    fs::write(data.join("letter"), "x").unwrap();
    cli(&data, &["token", "create"]).failed(3);
    assert!(!data.join("tokens").exists());
}

#[test]
fn tokens_are_made_and_revoked_while_the_server_runs() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let made = Cli::new(&data, &["token", "create"]).env("PROFILETRAIL_FORMAT", "jsonl");
    let made = json_lines(&made.run().ok());
    let id = made[0]["id"].as_str().unwrap();
    cli(&data, &["token", "revoke", id]).ok();
    cli(&data, &["token", "list"]).failed(1);
    server.stop();
}

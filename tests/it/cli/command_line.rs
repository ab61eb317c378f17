//! The command line's manners: what it says, how it ends, what it touches.
//!
//! Proven: help and wrong usage; the four exit statuses; a closed pipe; that
//! hostile values reach no terminal; one process to a folder; the folder's
//! modes, foreign and newer folders, long paths; what `import` refuses.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

use crate::support::{BINARY, Cli, Server, clean, cli, has, json_lines};
use serde_json::json;

const BODY: &str = "type=create&profile=5&time=1760000000&fields%5Bmail%5D=a";

/// A folder with one event, which nothing uses.
fn folder() -> (tempfile::TempDir, std::path::PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let server = Server::start(&data, &[]);
    server.client().post("/webhook", BODY).seq();
    server.stop();
    (dir, data)
}

#[test]
fn help_and_wrong_usage() {
    let help = Cli::bare(&["--help"]).run().ok();
    for command in [
        "serve", "history", "show", "diff", "blame", "changes", "export", "import", "rejected",
        "seal", "backup", "restore", "tail", "explain",
    ] {
        assert!(help.contains(command), "{command}");
        let help = Cli::bare(&[command, "--help"]).run().ok();
        assert!(help.contains("Example: profiletrail "), "{command}: {help}");
        assert!(!help.contains("PROFILETRAIL_DATA"), "{command}");
    }
    assert!(help.contains("PROFILETRAIL_DATA"), "{help}");
    assert!(help.contains("Find what went wrong:"), "{help}");
    let short = Cli::bare(&["-V"]).run().ok();
    let long = Cli::bare(&["--version"]).run().ok();
    assert!(
        long.starts_with(&format!("{} (commit ", short.trim_end())),
        "{long}"
    );
    assert!(long.ends_with(", data format 1)\n"), "{long}");
    let (_dir, data) = folder();
    for wrong in [
        vec![],
        vec!["nonsense"],
        vec!["history"],
        vec!["history", "abc"],
        vec!["history", "5/"],
        vec!["history", "-5"],
        vec!["history", "5", "--since", "the day after"],
        vec!["show", "5", "--at", "2025-02-30"],
        vec!["diff", "5"],
        vec!["changes", "--cause", "bad"],
        vec!["changes", "--label", "a b"],
        vec!["changes", "--limit", "x"],
        vec!["tail", "-n", "some"],
        vec!["tail", "--cursor-file"],
        vec!["tail", "-f", "--old"],
        vec!["explain"],
        vec!["explain", "0"],
        vec!["explain", "1/2"],
        vec!["export", "--format", "xml"],
        vec!["serve", "--listen", "nowhere"],
        vec!["serve", "--max-body", "0"],
        vec!["serve", "--timezone", "Mars/Olympus"],
    ] {
        let said = cli(&data, &wrong).failed(2);
        assert!(!said.is_empty(), "{wrong:?}");
    }
}

#[test]
fn what_is_not_there_is_not_found() {
    let (_dir, data) = folder();
    for (question, said) in [
        (vec!["history", "6"], "no event of profile 6"),
        (vec!["history", "5/1"], "no event of subprofile 5/1"),
        (
            vec!["history", "5", "--field", "x"],
            "no matching event of 5",
        ),
        (vec!["show", "6"], "no event of profile 6"),
        (vec!["diff", "6", "--from", "@0"], "no event of profile 6"),
        (vec!["blame", "5", "--at", "@0"], "5 has no fields"),
        (vec!["changes", "--new", "zzz"], "no matching changes"),
        (vec!["export", "--profile", "6"], "no matching events"),
        (vec!["rejected"], "every call could be read"),
        (vec!["tail", "--label", "x"], "no matching events"),
        (vec!["tail", "-n", "0"], "no matching events"),
        (vec!["explain", "2"], "there is no event 2"),
    ] {
        let outcome = cli(&data, &question);
        assert_eq!(outcome.stdout, "", "{question:?}");
        let stderr = outcome.failed(1);
        assert!(stderr.contains("nothing found"), "{stderr}");
        assert!(stderr.contains(said), "{stderr}");
    }
    // Without differences, and before the first event, there is an answer.
    assert_eq!(cli(&data, &["diff", "5", "--from", "2026-01-01"]).ok(), "");
    let shown = cli(&data, &["show", "5", "--at", "@0"]).ok();
    assert_eq!(json_lines(&shown)[0]["state"], "unknown");
}

#[test]
fn an_error_names_its_cause_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    fs::write(&file, "").unwrap();
    let said = cli(&file.join("data"), &["import", "/dev/null"]).failed(3);
    assert_eq!(said.matches("Not a directory").count(), 1, "{said}");
}

#[test]
fn folders_that_are_not_there_or_not_ours() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    let said = cli(&missing, &["history", "1"]).failed(3);
    assert!(said.contains("profiletrail serve --data"), "{said}");
    assert!(!missing.exists(), "a question makes no folder");

    let foreign = dir.path().join("foreign");
    fs::create_dir(&foreign).unwrap();
    fs::write(foreign.join("letter"), "Dear").unwrap();
    for command in ["serve", "rejected", "import"] {
        let args: &[&str] = match command {
            "serve" => &["serve", "--listen", "127.0.0.1:0"],
            _ => &[command],
        };
        let said = cli(&foreign, args).failed(3);
        assert!(said.contains("not a profiletrail data folder"), "{said}");
    }
    let names: Vec<_> = fs::read_dir(&foreign).unwrap().collect();
    assert_eq!(
        names.len(),
        1,
        "nothing is put into a folder that is not ours"
    );

    let (_dir, newer) = folder();
    let format = fs::read(newer.join("format")).unwrap();
    let mut format: serde_json::Value = serde_json::from_slice(&format).unwrap();
    format["profiletrail"] = 99.into();
    fs::write(newer.join("format"), format.to_string()).unwrap();
    for args in [["serve", "--listen=127.0.0.1:0"], ["history", "5"]] {
        let said = cli(&newer, &args).failed(3);
        has(&said, &["format 99", "knows formats up to "]);
        assert!(said.contains("open it with"), "{said}");
    }
}

#[test]
fn one_process_to_a_folder_and_to_a_port() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let first = Server::start(&data, &[]);
    let (status, said) = Server::try_start(&data, &[]).err().unwrap();
    assert_eq!(status, Some(3));
    assert!(said.contains(&format!("process {}", first.pid())), "{said}");
    let port = first.address.to_string();
    let other = dir.path().join("other");
    let (status, said) = Server::try_start(&other, &["--listen", &port])
        .err()
        .unwrap();
    assert_eq!(status, Some(3));
    assert!(said.contains(&port) && said.contains("--listen"), "{said}");
    // The first is none the worse.
    first.client().post("/webhook", BODY).seq();
    first.stop();
    // A lock that nobody holds any more stands in nobody's way.
    Server::start(&data, &[]).kill();
    Server::start(&data, &[]).stop();
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let (_dir, data) = folder();
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    for number in 1..=2_000 {
        let body = format!("type=update&profile={number}&fields[x]={}", "y".repeat(200));
        client.post("/webhook", body).seq();
    }
    let read_one = || {
        for format in ["jsonl", "table"] {
            let mut child = clean(BINARY)
                .args(["export", "--raw", "--format", format, "--data"])
                .arg(&data)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap();
            let mut line = String::new();
            BufReader::new(child.stdout.take().unwrap())
                .read_line(&mut line)
                .unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(line.len() > 10, "{line}");
            assert_eq!(output.status.code(), Some(0), "{output:?}");
            assert!(output.stderr.is_empty(), "{output:?}");
        }
    };
    read_one();
    server.stop();
    read_one();
}

#[test]
fn hostile_values_reach_no_terminal() {
    let (_dir, data) = folder();
    let server = Server::start(&data, &[]);
    let mut client = server.client();
    // Escapes, a bell, a carriage return, direction, no width, C1, delete.
    let bad = "%1B%5B31m%07%0D%E2%80%AE%E2%80%8B%C2%9B%7F";
    let body = format!(
        "type={bad}&profile=7&time=1760000001&database=1&created={bad}&parameters[{bad}]={bad}&fields[{bad}]={bad}&interests[{bad}]=1&x={bad}"
    );
    client
        .post(
            "/webhook",
            body.replace(&format!("type={bad}"), "type=update"),
        )
        .seq();
    client.post("/webhook", body).seq();
    assert_eq!(
        client
            .post("/webhook", format!("profile={bad}&type={bad}"))
            .status,
        400
    );
    let table = ["--format", "table", "--color", "always"];
    let bad_text = "\u{1b}[31m\u{7}\r\u{202e}\u{200b}\u{9b}\u{7f}";
    for question in [
        vec!["history", "7", "--all"],
        vec!["show", "7"],
        vec!["diff", "7", "--from", "@0"],
        vec!["blame", "7"],
        vec!["changes"],
        vec!["export"],
        vec!["rejected"],
    ] {
        let coloured = cli(&data, &[question.as_slice(), &table].concat()).ok();
        assert!(!coloured.contains(bad_text), "{question:?}");
        assert!(
            coloured.contains("\\u{1b}[31m\\u{7}\\r\\u{202e}"),
            "{question:?}: {coloured}"
        );
        let mut rest = coloured.as_str();
        // The only escapes are the colours that the program chose.
        while let Some(at) = rest.find('\u{1b}') {
            rest = &rest[at + 1..];
            let end = rest.find('m').unwrap();
            let style = rest[..end].strip_prefix('[').unwrap();
            assert!(
                style.bytes().all(|b| b.is_ascii_digit() || b == b';'),
                "{style}"
            );
            rest = &rest[end..];
        }
        let controls = |c: char| c.is_control() && c != '\n' && c != '\u{1b}';
        assert!(!coloured.contains(controls), "{question:?}");
        let plain = cli(&data, &[question.as_slice(), &table[..2]].concat()).ok();
        assert!(!plain.contains('\u{1b}'), "no colours where no terminal is");
    }
    // Names on the command line come back in messages.
    let said = cli(&data, &["history", "5", "--since", bad_text]).failed(2);
    assert!(!said.contains('\u{1b}'), "{said:?}");
    server.stop();
}

#[test]
fn the_data_is_its_owner_s_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("a/b/data");
    let server = Server::start(&data, &["--segment-size", "1B", "--api", "127.0.0.1:0"]);
    let mut client = server.client();
    for _ in 0..3 {
        client.post("/webhook", BODY).seq();
        client.post("/webhook", "");
    }
    cli(&data, &["token", "create"]).ok();
    fn check(path: &Path, count: &mut u32) {
        let metadata = fs::symlink_metadata(path).unwrap();
        let mode = metadata.permissions().mode() & 0o777;
        let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode, wanted, "{}: {mode:o}", path.display());
        *count += 1;
        if metadata.is_dir() {
            for entry in fs::read_dir(path).unwrap() {
                check(&entry.unwrap().path(), count);
            }
        }
    }
    let mut count = 0;
    check(&data, &mut count);
    assert!(count > 10, "{count}");
    server.stop();
    // What commands make is no more open.
    fs::remove_dir_all(data.join("index")).unwrap();
    cli(&data, &["history", "5"]).ok();
    check(&data, &mut count);
    let copy = dir.path().join("copy");
    let lines = cli(&data, &["export"]).ok();
    Cli::new(&copy, &["import"]).stdin(lines).run().ok();
    check(&copy, &mut count);
}

#[test]
fn a_folder_s_path_may_be_long() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("x".repeat(120)).join("y".repeat(200));
    let server = Server::start(&data, &[]);
    assert_eq!(server.client().post("/webhook", BODY).seq(), 1);
    let live = cli(&data, &["history", "5"]).ok();
    server.stop();
    assert_eq!(cli(&data, &["history", "5"]).ok(), live);
}

#[test]
fn import_refuses_bad_lines_by_number_and_takes_the_others() {
    let (_dir, data) = folder();
    let good = json_lines(&cli(&data, &["export", "--raw"]).ok()).remove(0);
    let with = |name: &str, value: serde_json::Value| {
        let mut line = good.clone();
        line[name] = value;
        line.to_string()
    };
    let without = |name: &str| {
        let mut line = good.clone();
        line.as_object_mut().unwrap().shift_remove(name);
        line.to_string()
    };
    let mut second = good.clone();
    second["received"] = json!("2025-10-09T10:00:00.000001Z");
    let lines = [
        good.to_string(),
        "not json".to_owned(),
        String::new(),
        with("unknown", json!(1)),
        with("time", json!("2025-10-09T08:53:20.5Z")),
        with("received", json!("yesterday")),
        with("label", json!("a b")),
        with("profile", json!(-1)),
        with(
            "body",
            json!("type=create&profile=5&fields%5Bmail%5D=other"),
        ),
        without("type"),
        second.to_string(),
        "[]".to_owned(),
        "\u{1b}[31m".to_owned(),
    ];
    let bad = [2, 4, 5, 6, 7, 8, 9, 10, 12, 13];
    let text = lines.join("\n");
    let check = |data: &Path| {
        let said = Cli::new(data, &["import"])
            .stdin(text.as_str())
            .run()
            .failed(3);
        let errors: Vec<&str> = said
            .lines()
            .filter(|line| line.starts_with("profiletrail: line "))
            .collect();
        assert_eq!(errors.len(), bad.len(), "{said}");
        for (line, number) in errors.iter().zip(bad) {
            assert!(
                line.starts_with(&format!("profiletrail: line {number}: ")),
                "{line}"
            );
        }
        assert!(!said.contains('\u{1b}'), "{said:?}");
        said.lines().last().unwrap().to_owned()
    };
    assert_eq!(
        check(&data),
        "added 1 event; 1 already there; 10 lines refused"
    );
    let server = Server::start(&data, &[]);
    assert_eq!(
        check(&data),
        "added 0 events; 2 already there; 10 lines refused"
    );
    server.stop();
    assert_eq!(cli(&data, &["export"]).ok().lines().count(), 2);
}

#[test]
fn an_event_that_is_larger_than_any_call_is_refused_by_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let line = |text: &str| {
        json!({
            "seq": 1, "received": "2025-10-09T10:00:00Z", "remote": null, "label": null, "type": "update",
            "time": "2025-10-09T10:00:00Z", "time_source": "time", "profile": 5, "subprofile": null,
            "database": null, "collection": null, "created": null, "modified": null, "parameters": {},
            "fields": {"text": text}, "interests": [], "extra": {},
        })
        .to_string()
    };
    let large = line(&"x".repeat((64 << 20) + 1));
    let text = [line("before"), large, line("after")].join("\n");
    let data = dir.path().join("data");
    let import = Cli::new(&data, &["import"]).stdin(text.as_str()).run();
    let said = import.failed(3);
    has(&said, &["line 2: ", "at most 67108864"]);
    assert_eq!(cli(&data, &["export"]).ok().lines().count(), 2);
}

#[test]
fn wrong_arguments_are_repeated_without_what_controls_a_terminal() {
    let (_dir, data) = folder();
    for args in [
        vec!["history", "\u{1b}[31mx"],
        vec!["changes", "--cause", "a\u{202e}b"],
    ] {
        let said = cli(&data, &args).failed(2);
        assert!(
            said.contains("'x' is not a profile") || said.contains("a\\u{202e}b"),
            "{said:?}"
        );
        assert!(!said.contains(['\u{1b}', '\u{202e}']), "{said:?}");
    }
}

//! `tail` and `explain` as commands: what they show, and how a tail follows.
//!
//! Proven: a tail is live; it waits for a server, and for the next one; many tails
//! block no other command, and end with their command or its reader; filters work,
//! and so do pages over HTTP; `explain` describes every kind of event; hostile
//! values reach no terminal.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use crate::support::tail::{Running, post, update};
use crate::support::{BINARY, Server, clean, cli, data, eventually, json_lines, new_server};
use serde_json::{Value, json};

#[test]
fn it_shows_the_newest_and_then_what_comes_across_servers() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    for number in 1..=12 {
        post(&server, "/webhook", &update(number, "a"));
    }
    let following = Running::start(&data, &[]);
    for seq in 3..=12 {
        assert_eq!(following.seq(), seq);
    }
    let sent = post(&server, "/webhook/crm", &update(1, "b"));
    let line = following.next();
    assert_eq!(line["seq"], sent);
    assert_eq!(
        line["changes"],
        json!([{"field":"v","old":"a","new":"b","cause":"set"}])
    );
    // It is the line that history has, and what is asked without --follow.
    let history = cli(&data, &["history", "1", "--reverse", "-n", "1"]).ok();
    assert_eq!(json_lines(&history)[0], line);
    assert_eq!(json_lines(&cli(&data, &["tail", "-n", "1"]).ok())[0], line);
    server.stop();
    assert_eq!(
        following.said(),
        "profiletrail: the server has stopped; waiting for one"
    );
    for round in 0..3 {
        let server = Server::start(&data, &[]);
        let seq = post(&server, "/webhook", &update(2, &format!("c{round}")));
        assert_eq!(following.seq(), seq);
        if round == 1 {
            server.kill();
        } else {
            server.stop();
        }
    }
    // It says so once.
    assert!(following.errors.try_recv().is_err());
    // Without a server the folder is read.
    let seqs: Vec<Value> = json_lines(&cli(&data, &["tail", "-n", "all"]).ok());
    assert_eq!(seqs.len(), 16);
}

#[test]
fn it_waits_for_a_folder_that_is_not_there_yet() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let following = Running::start(&data, &["-n", "all"]);
    assert!(following.said().contains("no server runs on"));
    let server = Server::start(&data, &[]);
    let seq = post(&server, "/webhook", &update(1, "a"));
    assert_eq!(following.seq(), seq);
    // A backup is no folder that a server ever runs on.
    let backup = dir.path().join("backup");
    cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    let said = cli(&backup, &["tail", "-f"]).failed(3);
    assert!(said.contains("profiletrail restore"), "{said}");
}

/// How many commands' threads a server has.
fn commands(server: &Server) -> usize {
    let tasks = fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap();
    let name = |task: std::io::Result<fs::DirEntry>| {
        fs::read_to_string(task.unwrap().path().join("comm")).unwrap_or_default()
    };
    tasks
        .map(name)
        .filter(|name| name.trim() == "command")
        .count()
}

#[test]
fn many_tails_block_nobody_and_end_with_their_commands() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut tails: Vec<Running> = (0..64)
        .map(|_| Running::start(&data, &["-n", "0"]))
        .collect();
    eventually("all follow", || commands(&server) == 64);
    let refused = cli(&data, &["tail", "-f"]).failed(3);
    assert!(refused.contains("64 tails already run"), "{refused}");
    let seq = post(&server, "/webhook", &update(1, "a"));
    assert_eq!(
        json_lines(&cli(&data, &["history", "1"]).ok())[0]["seq"],
        seq
    );
    for tail in &tails {
        assert_eq!(tail.seq(), seq);
    }
    tails.truncate(3);
    eventually("those that were killed are let go", || {
        commands(&server) == 3
    });
    // None keeps the server from its end.
    server.stop();
    for tail in &tails {
        assert!(tail.said().contains("the server has stopped"));
    }
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let city = "type=update&profile=1&database=4&time=1760000000&fields[v]=b&fields[city]=U";
    let two = Running::start(&data, &["--field", "city", "--field", "w"]);
    let crm = Running::start(&data, &["--label", "crm", "--profile", "1/2"]);
    let new = Running::start(&data, &["--new", "c", "--cause", "set"]);
    let database = Running::start(&data, &["--database", "4", "--until", "2026-01-01"]);
    eventually("all follow", || commands(&server) == 4);
    post(
        &server,
        "/webhook",
        &format!("{}&time=1759000000", update(1, "a")),
    );
    post(&server, "/webhook", city);
    post(&server, "/webhook", city);
    post(&server, "/webhook/crm", &update(1, "c"));
    post(
        &server,
        "/webhook/crm",
        "type=click&profile=1&subprofile=2&collection=9",
    );
    post(&server, "/webhook", "type=update&profile=7&fields[w]=x");
    let line = two.next();
    assert_eq!(
        (&line["seq"], &line["changes"][0]["field"]),
        (&json!(2), &json!("city"))
    );
    // What was removed changed, too; only the matching changes are shown.
    let line = two.next();
    assert_eq!(
        (&line["seq"], &line["changes"]),
        (
            &json!(4),
            &json!([{"field":"city","old":"U","new":null,"cause":"unexplained","since":"2025-10-09T08:53:20Z"}])
        )
    );
    assert_eq!(two.seq(), 6);
    let line = crm.next();
    assert_eq!((&line["seq"], &line["changes"]), (&json!(5), &json!([])));
    assert_eq!(new.seq(), 4);
    // A repetition is marked.
    assert_eq!(database.seq(), 2);
    let line = database.next();
    assert_eq!(
        (&line["seq"], &line["duplicate_of"]),
        (&json!(3), &json!(2))
    );
}

#[test]
fn people_see_events_and_nothing_hostile() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let hostile = "type=%1b%5b31m&profile=1&fields[%1b]=x";
    post(
        &server,
        "/webhook/crm",
        "type=update&profile=1&time=1760000000&parameters[mail]=a&fields[mail]=a",
    );
    post(
        &server,
        "/webhook",
        "type=update&profile=1&time=1760000100&parameters[mail]=%1b[2J%E2%80%AE&parameters[%0a]=z&fields[mail]=%1b[2J%E2%80%AE&fields[city]=",
    );
    post(&server, "/webhook", hostile);
    let shown = cli(&data, &["tail", "--format", "table", "--timezone", "UTC"]).ok();
    let mut lines = shown.lines();
    for line in [
        "event 1  2025-10-09 08:53:20 UTC  update  profile 1  via crm",
        "    set          mail  ? → a",
        "event 2  2025-10-09 08:55:00 UTC  update  profile 1",
        "    set          mail  a → \\u{1b}[2J\\u{202e}",
        "    unexplained  city  (absent) → \"\"  since 2025-10-09 08:53:20 UTC",
    ] {
        assert_eq!(lines.next(), Some(line));
    }
    assert!(lines.next().unwrap().ends_with("\\u{1b}[31m  profile 1"));
    assert_eq!(lines.next(), None);

    let explained = cli(
        &data,
        &["explain", "2", "--format", "table", "--timezone", "UTC"],
    )
    .ok();
    for part in [
        "event 2  update of profile 1\n  time      2025-10-09 08:55:00 UTC\n",
        "\napplied\n  mail  a → \\u{1b}[2J\\u{202e}\n",
        "\nignored\n  \"\\n\"  requested: z; no field or interest has this name\n",
        "\nchanged without a request\n  city  (absent) → \"\"\n",
    ] {
        assert!(explained.contains(part), "{explained}");
    }
    let colored = cli(&data, &["tail", "--format", "table", "--color", "always"]).ok();
    assert!(colored.contains("\u{1b}[32m") && !colored.contains("\u{1b}[2J"));
    let plain = |text: &str| !text.chars().any(|c| c.is_control() && c != '\n');
    assert!(plain(&shown) && plain(&explained));
}

#[test]
fn observed_events_are_shown_as_history_shows_them() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    for profile in [1, 2] {
        let body = format!(
            "type=update&profile={profile}&database=1&time=1760000000&parameters[city]=a&fields[city]=a&fields[mail]=m"
        );
        post(&server, "/webhook", &body);
    }
    let file = dir.path().join("export.csv");
    std::fs::write(&file, "id,city\n1,b\n").unwrap();
    let file = file.to_str().unwrap();
    let args = ["reconcile", file, "--database", "1", "--record", "--yes"];
    cli(&data, &args).ok();
    let lines = json_lines(&cli(&data, &["tail", "-n", "2"]).ok());
    for (line, (profile, seen)) in lines.iter().zip([("1", "present"), ("2", "gone")]) {
        let own = json_lines(&cli(&data, &["history", profile]).ok());
        assert_eq!((line, &line["observed"]), (&own[1], &json!(seen)));
    }
    assert_eq!(lines[0]["changes"][0]["old"], "a");
    let shown = cli(&data, &["tail", "-n", "1", "--format", "table"]).ok();
    assert!(
        shown.ends_with("gone: missing from the export\n"),
        "{shown}"
    );
}

#[test]
fn what_came_of_what_was_asked() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    for body in [
        "type=create&profile=1&time=10&parameters[age]=042&parameters[news]=1&fields[age]=42&fields[x]=&interests[]=news",
        "type=update&profile=1&time=20&parameters[age]=41&parameters[x]=",
        "type=update&profile=1&time=30&parameters[age]=abc&parameters[x]=z&parameters[news]=0&fields[age]=0&fields[x]=&interests[]=news&interests[]=red",
        "type=update&profile=1&time=30&parameters[age]=abc&parameters[x]=z&parameters[news]=0&fields[age]=0&fields[x]=&interests[]=news&interests[]=red",
        "type=click&profile=1&time=40&parameters[x]=q&parameters[url]=u",
        "type=delete&profile=1&time=50&fields[age]=7&fields[x]=",
        "type=update&profile=1&time=60&parameters[age]=5&parameters[b]=c&fields[age]=6&fields[y]=1",
    ] {
        post(&server, "/webhook", body);
    }
    let expected = [
        json!([
            {"field":"age","asked":"042","old":null,"new":"42","outcome":"coerced"},
            {"interest":"news","asked":"1","old":false,"new":true,"outcome":"applied"},
            {"field":"x","old":null,"new":"","outcome":"unasked"},
        ]),
        json!([
            {"field":"age","asked":"41","old":"42","new":"41","outcome":"applied"},
            {"field":"x","asked":"","old":"","new":"","outcome":"already_so"},
        ]),
        json!([
            {"field":"age","asked":"abc","old":"41","new":"0","outcome":"coerced"},
            {"field":"x","asked":"z","old":"","new":"","outcome":"ignored"},
            {"interest":"news","asked":"0","old":true,"new":true,"outcome":"ignored"},
            {"interest":"red","old":false,"new":true,"outcome":"unasked"},
        ]),
        json!([
            {"field":"age","asked":"abc","old":"0","new":"0","outcome":"ignored"},
            {"field":"x","asked":"z","old":"","new":"","outcome":"ignored"},
            {"interest":"news","asked":"0","old":true,"new":true,"outcome":"ignored"},
        ]),
        json!([
            {"field":"x","asked":"q","old":"","new":"","outcome":"ignored"},
            {"field":"url","asked":"u","old":null,"new":null,"outcome":"ignored"},
        ]),
        json!([{"field":"age","old":"0","new":"7","outcome":"unasked"}]),
        // What was before is not known: nothing is said of it.
        json!([
            {"field":"age","asked":"5","new":"6","outcome":"coerced"},
            {"field":"b","asked":"c","new":null,"outcome":"ignored"},
        ]),
    ];
    for (seq, expected) in (1..).zip(expected) {
        let outcome = cli(&data, &["explain", &seq.to_string()]);
        let unknown = outcome
            .stderr
            .contains("what 1 was before event 7 is not known");
        assert_eq!(unknown, seq == 7, "{}", outcome.stderr);
        assert_eq!(json!(json_lines(&outcome.ok())), expected, "event {seq}");
    }
    let people = cli(&data, &["explain", "4", "--format", "table"]).ok();
    assert!(people.contains("duplicate of event 3"), "{people}");
}

#[test]
fn a_page_goes_on_after_an_event() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let data = data(&dir);
    let token = crate::support::http::token(&data, "read");
    for number in 1..=5 {
        post(&server, "/webhook", &update(number, "a"));
    }
    let page = |target: &str| {
        let reply = crate::support::http::ask(server.api(), &token, target);
        assert_eq!(reply.status, 200);
        let lines = json_lines(std::str::from_utf8(&reply.body).unwrap());
        let seqs: Vec<u64> = lines
            .iter()
            .map(|line| line["seq"].as_u64().unwrap())
            .collect();
        (seqs, reply.header("Profiletrail-Note").map(str::to_owned))
    };
    assert_eq!(page("/v1/tail?after=0&limit=2"), (vec![1, 2], None));
    assert_eq!(page("/v1/tail?after=2&limit=2"), (vec![3, 4], None));
    assert_eq!(page("/v1/tail?after=4&limit=2"), (vec![5], None));
    assert_eq!(page("/v1/tail?after=5"), (vec![], None));
    assert_eq!(page("/v1/tail?limit=2"), (vec![4, 5], None));
    let (seqs, note) = page("/v1/tail?after=6");
    assert!(seqs.is_empty() && note.unwrap().contains("the log ends with event 5"));
}

#[test]
fn one_whose_reader_has_gone_ends_though_nothing_comes() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    post(&server, "/webhook", &update(1, "a"));
    let mut command = clean(BINARY);
    command.args(["tail", "-f"]).arg("--data").arg(&data);
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(json_lines(&line)[0]["seq"], 1);
    drop(reader);
    eventually("it ends", || child.try_wait().unwrap().is_some());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn one_that_reads_nothing_keeps_no_server_from_its_end() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut command = clean(BINARY);
    command
        .args(["tail", "-f", "-n", "all"])
        .arg("--data")
        .arg(&data);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let long = "x".repeat(200_000);
    // More than pipes and sockets hold.
    for number in 1..=20 {
        post(&server, "/webhook", &update(number, &long));
    }
    // Others are answered, and follow.
    let following = Running::start(&data, &["-n", "1"]);
    assert_eq!(following.seq(), 20);
    server.stop();
    child.kill().unwrap();
    child.wait().unwrap();
}

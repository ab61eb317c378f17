//! Questions that speak of the same changes and states answer alike.
//!
//! Proven: `tail` heeds `--type` and `--cascade`, also over HTTP and in a feed with a
//! cursor file; `find` and `incidents undo` know of a subprofile's end what `show
//! --cascade` knows; a report counts a profile's delete once; the command of a loop is
//! not wider than its question; labels of strangers do not crowd `gaps`; an error
//! names its cause once.

use std::fs::File;
use std::process::Stdio;

use crate::support::http::{ask, token};
use crate::support::{BINARY, Cli, Server, clean, cli, data, has, json_lines, new_server};
use serde_json::{Value, json};

const BEGIN: u64 = 1_760_000_000;

/// A call of a profile of database 3, or of a subprofile of collection 5.
fn call(event_type: &str, time: u64, profile: u64, subprofile: Option<u64>, mail: &str) -> String {
    let mut body = format!(
        "type={event_type}&time={}&profile={profile}&database=3",
        BEGIN + time
    );
    if let Some(subprofile) = subprofile {
        body += &format!("&subprofile={subprofile}&collection=5");
    }
    if event_type != "delete" {
        body += &format!("&fields[mail]={mail}&parameters[mail]={mail}");
    }
    body
}

/// Two subprofiles that end with their profile, one of which comes back.
fn fill(server: &Server) {
    let mut client = server.client();
    for body in [
        call("create", 0, 7, None, "p"),
        call("create", 1, 7, Some(9), "a"),
        call("create", 2, 7, Some(10), "b"),
        call("delete", 5, 7, None, ""),
        call("update", 7, 7, Some(10), "b"),
        call("update", 8, 8, None, "q"),
    ] {
        client.post("/webhook", &body).seq();
    }
}

fn seqs(lines: &[Value]) -> Vec<(u64, Option<u64>)> {
    let of = |line: &Value| (line["seq"].as_u64().unwrap(), line["subprofile"].as_u64());
    lines.iter().map(of).collect()
}

#[test]
fn a_tail_heeds_type_and_cascade() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let data = data(&dir);
    fill(&server);
    let token = token(&data, "read");
    let tail = |args: &[&str]| {
        let said = cli(
            &data,
            &[&["tail", "--format", "jsonl", "-n", "100"], args].concat(),
        );
        json_lines(&said.stdout)
    };
    let with_ends = [
        (1, None),
        (2, Some(9)),
        (3, Some(10)),
        (4, None),
        (4, Some(9)),
        (4, Some(10)),
        (5, Some(10)),
        (6, None),
    ];
    let all = tail(&["--cascade"]);
    assert_eq!(seqs(&all), with_ends);
    // Each line is the one that `history` has of it.
    let history = ["history", "7", "--subprofiles", "--cascade", "--all"];
    let history = json_lines(&cli(&data, &history).ok());
    assert_eq!(all[..7], history[..]);
    // What it was is not known any more.
    let again = json!([{"field": "mail", "new": "b", "cause": "set"}]);
    assert_eq!(all[6]["changes"], again);
    assert_eq!(tail(&["--no-cascade"]).len(), 6);
    assert_eq!(seqs(&tail(&["--type", "delete"])), [(4, None)]);
    let ends = [(4, None), (4, Some(9)), (4, Some(10))];
    assert_eq!(seqs(&tail(&["--type", "delete", "--cascade"])), ends);
    assert_eq!(
        seqs(&tail(&["--type", "update"])),
        [(5, Some(10)), (6, None)]
    );
    // What only a subprofile has of a delete counts as that subprofile's.
    let ends = [(4, Some(9)), (4, Some(10))];
    assert_eq!(seqs(&tail(&["--cause", "cascade"])), ends);
    let of_one = ["--profile", "7/9", "--cascade"];
    assert_eq!(seqs(&tail(&of_one)), [(2, Some(9)), (4, Some(9))]);
    let of_collection = ["--collection", "5", "--cascade", "--type", "delete"];
    assert_eq!(seqs(&tail(&of_collection)), ends);
    // The newest are counted by event.
    let newest = cli(
        &data,
        &["tail", "--format", "jsonl", "-n", "3", "--cascade"],
    );
    assert_eq!(seqs(&json_lines(&newest.ok())), with_ends[3..]);
    // Over HTTP it is the same.
    for (target, args) in [
        ("type=delete", &["--type", "delete"][..]),
        ("cascade", &["--cascade"][..]),
        (
            "cascade&type=delete&profile=7/10",
            &["--cascade", "--type", "delete", "--profile", "7/10"][..],
        ),
    ] {
        let reply = ask(server.api(), &token, &format!("/v1/tail?after=0&{target}"));
        let lines = String::from_utf8(reply.body).unwrap();
        assert_eq!(json_lines(&lines), tail(args), "{target}");
    }
    // And in a feed.
    let cursor = dir.path().join("cursor");
    let cursor = cursor.to_str().unwrap();
    let feed = |args: &[&str]| {
        let first = ["tail", "--format", "jsonl", "--cursor-file", cursor];
        json_lines(&cli(&data, &[&first[..], args].concat()).stdout)
    };
    feed(&["-n", "0"]);
    let mut client = server.client();
    client
        .post("/webhook", call("delete", 20, 7, None, ""))
        .seq();
    client
        .post("/webhook", call("update", 21, 8, None, "r"))
        .seq();
    let filter = ["--type", "delete", "--cascade"];
    assert_eq!(seqs(&feed(&filter)), [(7, None), (7, Some(10))]);
    assert!(feed(&filter).is_empty());
}

#[test]
fn find_and_show_agree_on_what_ended_with_its_profile() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let data = data(&dir);
    fill(&server);
    let token = token(&data, "read");
    let show = |key: &str, flag: &str| {
        json_lines(&cli(&data, &["show", key, flag]).ok())[0]["state"].clone()
    };
    for (mail, key) in [("a", "7/9"), ("b", "7/10"), ("p", "7"), ("q", "8")] {
        for flag in ["--cascade", "--no-cascade"] {
            let text = format!("mail={mail}");
            let found = json_lines(&cli(&data, &["find", &text, flag]).stdout);
            let is_present = show(key, flag) == "present";
            assert_eq!(found.len(), usize::from(is_present), "{mail} {flag}");
            let target = match flag {
                "--cascade" => format!("/v1/find?q={text}&cascade"),
                _ => format!("/v1/find?q={text}"),
            };
            let reply = ask(server.api(), &token, &target);
            assert_eq!(json_lines(&String::from_utf8(reply.body).unwrap()), found);
        }
    }
    let ever = ["find", "mail=b", "--ever", "--cascade"];
    let ever = json_lines(&cli(&data, &ever).ok());
    let ends: Vec<_> = ever.iter().map(|line| line["until_seq"].clone()).collect();
    assert_eq!(ends, [json!(4), Value::Null]);
    assert_eq!(ever[1]["cause"], "set");
}

#[test]
fn undo_and_show_agree_on_what_ended_with_its_profile() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    let data = data(&dir);
    let mut client = server.client();
    // An incident of twenty subprofiles; the profiles of some were deleted once.
    for number in 1..=22 {
        for body in [
            call("create", 0, number, None, "p"),
            call("create", 1, number, Some(100 + number), "old"),
            call("update", 1000, number, Some(100 + number), "BAD"),
        ] {
            client.post("/webhook", &body).seq();
        }
    }
    for body in [
        // Deleted before the subprofile's later life, of which the profile has none.
        call("delete", 500, 1, None, ""),
        // Deleted after the incident, and created again.
        call("delete", 2000, 2, None, ""),
        call("create", 2001, 2, None, "p"),
        call("delete", 2000, 3, None, ""),
    ] {
        client.post("/webhook", &body).seq();
    }
    let found = json_lines(&cli(&data, &["incidents"]).ok());
    assert_eq!(found.len(), 1, "{found:?}");
    let id = found[0]["id"].as_str().unwrap();
    let token = token(&data, "read");
    let reply = ask(server.api(), &token, &format!("/v1/incidents?undo={id}"));
    let undo = json_lines(&String::from_utf8(reply.body).unwrap());
    assert!(undo.len() >= 20);
    let mut ended = Vec::new();
    for line in &undo {
        let key = format!("{}/{}", line["profile"], line["subprofile"]);
        let show = &json_lines(&cli(&data, &["show", &key, "--cascade"]).ok())[0];
        let is_present = show["state"] == "present";
        assert_eq!(line["now"].is_string(), is_present, "{key}: {line} {show}");
        assert_eq!(line["left"] == "deleted", !is_present, "{key}");
        if !is_present {
            ended.push(line["profile"].as_u64().unwrap());
        }
    }
    assert_eq!(ended, [2, 3]);
}

#[test]
fn a_report_counts_a_profile_s_delete_once() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut client = server.client();
    for profile in 1..=3 {
        for subprofile in 1..=40 {
            let own = Some(100 * profile + subprofile);
            client
                .post("/webhook", call("create", 1, profile, own, "a"))
                .seq();
        }
        client
            .post("/webhook", call("delete", 5, profile, None, ""))
            .seq();
    }
    let report = ["report", "--by", "type", "--cascade"];
    let lines = json_lines(&cli(&data, &report).ok());
    let deletes = lines.iter().find(|line| line["group"]["type"] == "delete");
    let deletes = deletes.unwrap();
    assert_eq!(
        (
            &deletes["events"],
            &deletes["changes"],
            &deletes["subprofiles"]
        ),
        (&json!(3), &json!(120), &json!(120))
    );
}

#[test]
fn the_command_of_a_loop_is_not_wider_than_its_question() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut client = server.client();
    for turn in 0..12 {
        let mail = if turn % 2 == 0 { "a" } else { "b" };
        client
            .post("/webhook", call("update", turn * 100, 1, None, mail))
            .seq();
    }
    let command = |args: &[&str]| {
        let lines = json_lines(&cli(&data, &[&["loops"], args].concat()).ok());
        lines.last().unwrap()["command"].clone()
    };
    assert!(command(&[]).as_str().unwrap().contains("history 1"));
    // `history` knows neither, so it would show more than what was asked.
    assert_eq!(command(&["--database", "3"]), Value::Null);
    cli(&data, &["loops", "--database", "4"]).failed(1);
}

#[test]
fn labels_of_strangers_do_not_crowd_gaps() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let line = |seq: u64, profile: u64, time: u64, label: &str, mail: &str| {
        format!(
            "{{\"seq\":{seq},\"received\":\"2025-10-09T08:53:20.{seq:06}Z\",\"remote\":null,\
             \"label\":\"{label}\",\"type\":\"update\",\"time\":\"2025-10-09T0{time}:00:00Z\",\
             \"time_source\":\"time\",\"profile\":{profile},\"subprofile\":null,\"database\":1,\
             \"collection\":null,\"created\":null,\"modified\":null,\"parameters\":{{}},\
             \"fields\":{{\"mail\":\"{mail}\"}},\"interests\":[],\"extra\":{{}}}}\n"
        )
    };
    let mut lines = String::new();
    for profile in 1..=5_100 {
        lines += &line(2 * profile, profile, 1, "first", "a");
        lines += &line(
            2 * profile + 1,
            profile,
            3,
            &format!("stranger-{profile}"),
            "b",
        );
    }
    server.stop();
    Cli::new(&data, &["import", "-"]).stdin(lines).run().ok();
    let said = cli(&data, &["gaps"]);
    let found = json_lines(&said.stdout);
    assert_eq!(found[0]["changes"], 5_100);
    assert!(found[0]["labels"].as_array().unwrap().len() <= 20);
    has(&said.stderr, &["more than 5000 labels"]);
}

#[test]
fn an_error_names_its_cause_once() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    fill(&server);
    server.stop();
    let full = File::options().write(true).open("/dev/full").unwrap();
    let run = clean(BINARY)
        .args(["changes", "--data", data.to_str().unwrap()])
        .stdout(Stdio::from(full))
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    let said = String::from_utf8(run.stderr).unwrap();
    assert_eq!(said.matches("No space left on device").count(), 1, "{said}");
    assert_eq!(run.status.code(), Some(3));
}

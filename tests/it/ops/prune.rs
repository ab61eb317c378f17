//! `prune` and `serve --keep`, driven as an operator drives them, and killed.

use std::path::Path;
use std::time::Duration;

use crate::support::{Cli, Dice, Server, cli, eventually, has, json_lines};
use serde_json::Value;

/// Times begin here.
const BEGIN: i64 = 1_500_000_000;

const SMALL: [&str; 2] = ["--segment-size", "900"];

/// A line that `import` takes, of an event that was received a second after it
/// happened.
fn line(seq: u64, profile: u64, time: i64, value: &str) -> String {
    let shown = |time: i64| {
        chrono::DateTime::from_timestamp(time, 0)
            .unwrap()
            .format("%Y-%m-%dT%H:%M:%S")
            .to_string()
    };
    format!(
        "{{\"seq\":{seq},\"received\":\"{}.000000Z\",\"remote\":null,\"label\":null,\"type\":\"update\",\"time\":\"{}Z\",\
         \"time_source\":\"time\",\"profile\":{profile},\"subprofile\":null,\"database\":1,\"collection\":null,\"created\":null,\
         \"modified\":null,\"parameters\":{{\"v\":\"{value}\"}},\"fields\":{{\"v\":\"{value}\",\"w\":\"{}\"}},\"interests\":[],\"extra\":{{}}}}\n",
        shown(time + 1),
        shown(time),
        "w".repeat(400),
    )
}

/// A folder with events of ten years, one a day of one of 50 profiles, in small
/// segments.
fn ten_years(data: &Path, days: u64) {
    let lines: String = (1..=days)
        .map(|day| {
            line(
                day,
                day % 50,
                BEGIN + day as i64 * 86_400,
                &format!("v{day}"),
            )
        })
        .collect();
    // One frame of an import makes one segment at least.
    for part in lines.split_inclusive('\n').collect::<Vec<_>>().chunks(40) {
        Cli::new(data, &["import", "--segment-size", "20KB"])
            .stdin(part.concat())
            .run()
            .ok();
    }
}

fn prune_line(data: &Path, args: &[&str]) -> Value {
    let mut all = vec!["prune"];
    all.extend(args);
    json_lines(&cli(data, &all).ok()).remove(0)
}

fn at(day: i64) -> String {
    format!("@{}", BEGIN + day * 86_400)
}

#[test]
fn it_shows_what_it_would_do_asks_and_frees_the_space() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    ten_years(data, 800);
    let before = at(400);
    let answers = |data: &Path| {
        let since = before.clone();
        let questions: [&[&str]; 4] = [
            &["changes", "--since", &since],
            &["history", "7", "--since", &since],
            &["show", "7", "--at", &since],
            &["diff", "7", "--from", &since, "--to", "@1700000000"],
        ];
        questions.map(|question| cli(data, question).ok())
    };
    let expected = answers(data);
    let no = cli(data, &["prune", "--before", &before]).failed(2);
    assert!(no.contains("--dry-run") && no.contains("--yes"), "{no}");
    let would = prune_line(data, &["--before", &before, "--dry-run"]);
    assert_eq!(
        (&would["events"], &would["profiles"], &would["dry_run"]),
        (&399.into(), &50.into(), &true.into())
    );
    let did = prune_line(data, &["--before", &before, "--yes"]);
    assert_eq!(
        (&did["events"], &did["baselines"], &did["dry_run"]),
        (&399.into(), &50.into(), &false.into())
    );
    assert!(
        did["bytes"].as_u64() > Some(0) && did["waiting"] == false,
        "{did}"
    );
    assert_eq!(answers(data), expected);
    let format = std::fs::read_to_string(data.join("format")).unwrap();
    assert!(format.contains("\"pruned\":{\"before\":"), "{format}");
    let again = cli(
        data,
        &["prune", "--before", &at(100), "--yes", "--format", "table"],
    )
    .ok();
    assert!(again.contains("pruned already"), "{again}");
    // What was before is reported as unknown, with the reason.
    let then = cli(data, &["show", "7", "--at", &at(100)]);
    has(&then.stderr, &["events of 7 up to", "pruned"]);
    assert!(then.ok().contains("\"state\":\"unknown\""));
    let row = json_lines(&cli(data, &["blame", "7", "--at", &before]).ok()).remove(0);
    assert_eq!(
        (&row["type"], &row["cause"], &row["value"]),
        (&"baseline".into(), &"baseline".into(), &"v357".into())
    );
    assert!(row.get("old").is_none());
    // The server does it, too, with the same words.
    let server = Server::start(data, &SMALL);
    let live = prune_line(data, &["--before", &at(600), "--yes"]);
    assert_eq!(live["events"], 200);
    let wrong = cli(data, &["prune", "--before", "2 hours ago", "--yes"]).failed(2);
    assert!(wrong.contains("less than a day ago"), "{wrong}");
    let wrong = cli(data, &["prune", "--before", "2100-01-01", "--yes"]).failed(2);
    assert!(wrong.contains("less than a day ago"), "{wrong}");
    server.stop();
}

#[test]
fn serve_keep_prunes_by_age_and_a_delete_still_finds_its_profile() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let created = format!(
        "{}{}",
        line(1, 70, BEGIN, "a").replace("\"subprofile\":null", "\"subprofile\":700"),
        line(2, 71, BEGIN, "a")
    );
    Cli::new(data, &["import", "--segment-size", "1"])
        .stdin(created)
        .run()
        .ok();
    ten_years(data, 800);
    // The year is counted back from the last event, not from the present time.
    let server = Server::start(data, &["--keep", "1y", "--log", "info"]);
    eventually("it prunes", || server.log().contains("pruned "));
    let mut kept = json_lines(&cli(data, &["export"]).ok());
    kept.retain(|line| line.get("baseline").is_none());
    assert!((365..420).contains(&kept.len()), "{}", kept.len());
    server.stop();
    std::fs::remove_dir_all(data.join("index")).unwrap();
    let server = Server::start(data, &[]);
    let reply = server
        .client()
        .post("/webhook", "type=delete&subprofile=700&time=1600000000");
    assert_eq!(reply.status, 200);
    let reply = server
        .client()
        .post("/webhook", "type=delete&subprofile=701&time=1600000000");
    assert_eq!(reply.status, 400);
    let line = json_lines(&cli(data, &["show", "70/700"]).ok()).remove(0);
    assert_eq!(
        (&line["state"], &line["profile"]),
        (&"deleted".into(), &70.into())
    );
    server.stop();
}

#[test]
fn no_kill_leaves_a_prune_half_done() {
    let dir = tempfile::tempdir().unwrap();
    let whole = dir.path().join("whole");
    ten_years(&whole, 600);
    let mut dice = Dice(20_260_301);
    let questions: [&[&str]; 3] = [
        &["changes", "--since", "@1530000000"],
        &["show", "7", "--at", "@1530000000"],
        &["history", "11", "--since", "@1530000000"],
    ];
    let expected = questions.map(|question| cli(&whole, question).ok());
    let data = dir.path().join("data");
    let (mut undone, mut done) = (0, 0);
    for _ in 0..25 {
        let _ = std::fs::remove_dir_all(&data);
        crate::support::copy_folder(&whole, &data);
        let mut child = crate::support::clean(crate::support::BINARY)
            .args(["prune", "--before", "@1530000000", "--yes", "--data"])
            .arg(&data)
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_micros(5_000 + dice.below(250_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        let format = std::fs::read_to_string(data.join("format")).unwrap();
        match format.contains("before") {
            true => done += 1,
            false => undone += 1,
        }
        for (question, expected) in questions.iter().zip(&expected) {
            assert_eq!(&cli(&data, question).ok(), expected, "{question:?}");
        }
        let rest = prune_line(&data, &["--before", "@1530000000", "--yes"]);
        assert_eq!(rest["events"] == 0, format.contains("before"), "{rest}");
        for (question, expected) in questions.iter().zip(&expected) {
            assert_eq!(&cli(&data, question).ok(), expected, "{question:?}");
        }
        let mut left = json_lines(&cli(&data, &["export"]).ok());
        left.retain(|line| line.get("baseline").is_none());
        assert!(
            left.iter()
                .all(|line| line["time"].as_str() >= Some("2018-06-26")),
            "{left:?}"
        );
    }
    assert!(undone + done == 25);
}

#[test]
fn a_backup_has_the_baselines_and_all_is_well_after_a_prune() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    ten_years(&data, 800);
    let (backup, restored) = (dir.path().join("backup"), dir.path().join("restored"));
    let take = || cli(&data, &["backup", backup.to_str().unwrap()]).ok();
    take();
    cli(&data, &["prune", "--before", &at(400), "--yes"]).ok();
    let verified = json_lines(&cli(&data, &["verify"]).ok());
    let summary = verified.last().unwrap();
    assert_eq!(
        (&summary["damages"], &summary["pruned"], &summary["events"]),
        (&0.into(), &399.into(), &401.into()),
        "{summary}"
    );
    let stats = json_lines(&cli(&data, &["stats"]).ok()).remove(0);
    assert_eq!(
        (&stats["events"], &stats["pruned"]),
        (&401.into(), &399.into()),
        "{stats}"
    );
    take();
    take();
    let kept = std::fs::read_dir(backup.join("baselines")).unwrap().count();
    assert!(kept > 0);
    cli(&restored, &["restore", backup.to_str().unwrap()]).ok();
    for question in [
        &["changes"][..],
        &["export", "--raw"],
        &["show", "7", "--at", "2035-01-01"],
        &["blame", "7", "--at", "2035-01-01"],
        &["history", "7"],
        &["stats"],
    ] {
        let (ours, theirs) = (cli(&data, question).ok(), cli(&restored, question).ok());
        if question != ["stats"] {
            assert_eq!(ours, theirs, "{question:?}");
        }
    }
}

/// Posts late calls, of which the time says 2014, or calls of now.
fn post(server: &Server, profiles: std::ops::Range<u64>, time: Option<i64>) {
    for profile in profiles {
        let time = time.map_or_else(String::new, |time| format!("&time={time}"));
        let body = format!("type=update&profile={profile}&fields[v]={profile}{time}");
        assert_eq!(server.client().post("/webhook", &body).status, 200);
    }
}

fn profiles_of(lines: &[Value]) -> Vec<u64> {
    let events = lines.iter().filter(|line| line.get("baseline").is_none());
    events
        .map(|line| line["profile"].as_u64().unwrap())
        .collect()
}

#[test]
fn each_event_is_judged_by_its_own_arrival_wherever_it_stands() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let size = ["--segment-size", "4KiB"];
    let server = Server::start(data, &size);
    post(&server, 1..41, Some(1_400_000_000));
    server.stop();
    // The same events as they would be after an import of an old store.
    let imported: String = json_lines(&cli(data, &["export"]).ok())
        .into_iter()
        .map(|mut line| {
            line["profile"] = (line["profile"].as_u64().unwrap() + 1_000).into();
            line["received"] = "2014-05-13T16:53:21.000000Z".into();
            format!("{line}\n")
        })
        .collect();
    Cli::new(data, &["import", "--segment-size", "4KiB"])
        .stdin(imported)
        .run()
        .ok();
    // More late calls and calls of now close the segments.
    let server = Server::start(data, &size);
    post(&server, 2_001..2_041, Some(1_400_000_000));
    post(&server, 3_001..3_041, None);
    server.stop();
    let kept: Vec<u64> = (1..41).chain(2_001..2_041).chain(3_001..3_041).collect();
    let histories: Vec<String> = kept
        .iter()
        .step_by(9)
        .map(|profile| cli(data, &["history", &profile.to_string()]).ok())
        .collect();

    let would = prune_line(data, &["--before", "2020-01-01", "--dry-run"]);
    assert_eq!(would["events"], 40, "{would}");
    let did = prune_line(data, &["--before", "2020-01-01", "--yes"]);
    assert_eq!((&did["events"], &did["profiles"]), (&40.into(), &40.into()));
    let rebuilt = |data: &Path| {
        std::fs::remove_dir_all(data.join("index")).unwrap();
        json_lines(&cli(data, &["export"]).ok())
    };
    for export in [json_lines(&cli(data, &["export"]).ok()), rebuilt(data)] {
        assert_eq!(profiles_of(&export), kept);
    }
    for (profile, expected) in kept.iter().step_by(9).zip(&histories) {
        assert_eq!(
            &cli(data, &["history", &profile.to_string()]).ok(),
            expected
        );
    }
    let state = json_lines(&cli(data, &["show", "1001"]).ok()).remove(0);
    assert_eq!(state["fields"]["v"], "1");
    let verified = json_lines(&cli(data, &["verify"]).ok());
    let summary = verified.last().unwrap();
    assert_eq!(
        (&summary["damages"], &summary["pruned"]),
        (&0.into(), &40.into())
    );
}

#[test]
fn rejected_calls_are_judged_by_their_own_arrival() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path();
    let server = Server::start(data, &["--segment-size", "4KiB"]);
    for number in 0..60 {
        let body = format!(
            "type=update&profile=none&fields[v]={number}{}",
            "x".repeat(300)
        );
        assert_eq!(server.client().post("/webhook", &body).status, 400);
    }
    let report = prune_line(data, &["--before", "2020-01-01", "--yes"]);
    assert_eq!(report["rejected"], 0);
    assert_eq!(json_lines(&cli(data, &["rejected"]).ok()).len(), 60);
    server.stop();
}

//! Nobody else's events change, whatever arrives meanwhile.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{PERSON, erase, import, lines};
use crate::support::{cli, has, json_lines, new_server};

#[test]
fn others_have_the_answers_of_a_log_in_which_the_person_never_was() {
    let dir = tempfile::tempdir().unwrap();
    let (data, never) = (dir.path().join("data"), dir.path().join("never"));
    import(&data, &lines(0..300, true));
    import(&never, &lines(0..300, false));
    erase(&data, &["--yes"]);
    for question in [
        &["changes"][..],
        &["changes", "--reverse", "--limit", "7"],
        &["history", "4"],
        &["show", "4", "--at", "@1520000000"],
        &["blame", "4"],
        &["report", "--by", "field"],
        &["gaps"],
        &["incidents"],
        &["loops"],
        &["find", "v=value 7"],
        &["stats"],
        &["export"],
    ] {
        let answer = |data: &Path| {
            let mut lines = json_lines(&cli(data, question).stdout);
            lines.retain(|line| line["type"] != "erased");
            for line in &mut lines {
                let line = line.as_object_mut().unwrap();
                // Numbers are given in the order of arrival; the folders are not equally large.
                for name in [
                    "seq",
                    "first_seq",
                    "last_seq",
                    "bytes",
                    "rejected_bytes",
                    "last_event",
                    "log_bytes",
                    "index_bytes",
                    "plain_segments",
                    "sealed_segments",
                ] {
                    line.remove(name);
                }
            }
            lines
        };
        assert_eq!(answer(&data), answer(&never), "{question:?}");
    }
}

#[test]
fn an_erasure_under_load_takes_nobody_else_s_events() {
    let (dir, server) = new_server(&["--segment-size", "20KB"]);
    let data = crate::support::data(&dir);
    let mut client = server.client();
    for number in 0..300 {
        // Every other event: whole blocks keep some of the others.
        let profile = if number % 2 == 0 { PERSON } else { 7 };
        let body =
            format!("type=update&profile={profile}&time={number}&fields%5Bv%5D={number:0200}");
        client.post("/webhook", body).seq();
    }
    // A subprofile of the person, who gave it away.
    for (profile, time) in [(PERSON, 500), (8, 501)] {
        let body =
            format!("type=update&profile={profile}&subprofile=77&time={time}&fields%5Bv%5D=x");
        client.post("/webhook", body).seq();
    }
    let sent = std::thread::scope(|scope| {
        let sender = scope.spawn(|| {
            let mut client = server.client();
            for number in 0..400 {
                let body = format!("type=update&profile=9&time={number}&fields%5Bv%5D={number}");
                client.post("/webhook", body).seq();
            }
            400
        });
        let done = erase(&data, &["--yes", "--still-present"]).remove(0);
        assert_eq!(
            (&done["events"], done["receipt"].is_u64()),
            (&151.into(), true)
        );
        sender.join().unwrap()
    });
    let count = |profile: &str| json_lines(&cli(&data, &["history", profile]).stdout).len();
    let counts = (
        count("7"),
        count("8/77"),
        count("9"),
        count(&PERSON.to_string()),
    );
    assert_eq!(counts, (150, 1, sent, 0));
    // Erased again, with what has come since.
    let body = format!("type=update&profile={PERSON}&time=900&fields%5Bv%5D=x");
    client.post("/webhook", body).seq();
    let again = erase(&data, &["--yes", "--still-present"]).remove(0);
    assert_eq!(again["events"], 1);
    // A call that names only the subprofile is of its new owner.
    let gone = client.post("/webhook", "type=delete&subprofile=77&time=950");
    assert_eq!((gone.status, count("8/77")), (200, 2));
    server.stop();
    let verified = json_lines(&cli(&data, &["verify"]).ok());
    let summary = verified.last().unwrap();
    assert_eq!(
        (&summary["damages"], &summary["pruned"]),
        (&0.into(), &152.into())
    );
    // Who removes an event in secret is found out.
    let format = fs::read_to_string(data.join("format")).unwrap();
    let begin = format.find(",\"erasures\":").unwrap();
    let end = begin + format[begin..].find(']').unwrap() + 1;
    fs::write(
        data.join("format"),
        [&format[..begin], &format[end..]].concat(),
    )
    .unwrap();
    let output = cli(&data, &["verify"]);
    assert_eq!(output.status, Some(3));
    has(&output.stdout, &["neither a prune nor the receipt"]);
}

#[test]
fn what_arrives_during_an_erasure_is_counted_in_it_or_kept() {
    let (dir, server) = new_server(&["--segment-size", "20KB"]);
    let data = crate::support::data(&dir);
    let send = |calls: std::ops::Range<u64>| {
        let mut client = server.client();
        for call in calls {
            let body = format!(
                "type=update&profile={PERSON}&subprofile={}&time={call}&fields%5Bv%5D={call}",
                call % 50 + 1
            );
            client.post("/webhook", body).seq();
        }
    };
    send(0..30);
    let done = std::thread::scope(|scope| {
        scope.spawn(|| send(30..600));
        erase(&data, &["--yes", "--still-present"]).remove(0)
    });
    let left = cli(&data, &["export"]).ok();
    let left = json_lines(&left)
        .iter()
        .filter(|line| line["profile"] == PERSON && line["type"] == "update")
        .count() as u64;
    let erased = done["events"].as_u64().unwrap();
    assert_eq!(erased + left, 600, "{done}");
    assert!(erased >= 30);
    let subprofiles = done["subprofiles"].as_array().unwrap().len() as u64;
    assert_eq!(subprofiles, erased.min(50), "{done}");
    let receipt = dir.path().join("receipt");
    let out = receipt.to_str().unwrap();
    cli(
        &data,
        &["prove", &done["receipt"].to_string(), "--out", out],
    )
    .ok();
    let record = fs::read(receipt.join("leaf")).unwrap();
    let record: Value = serde_json::from_slice(&record[1..]).unwrap();
    assert_eq!(record["erased"]["events"], done["events"]);
    assert_eq!(record["erased"]["subprofiles"], done["subprofiles"]);
    server.stop();
}

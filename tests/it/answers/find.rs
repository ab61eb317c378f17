//! Who has or had a value, asked of the real program.
//!
//! Proven: lines and exit statuses of every way to ask; the same answer from a
//! server with lookups, one without, and the folder alone; that kills, another
//! list of fields and a destroyed index change no answer; that `stats`, `verify`
//! and `doctor` know the lookups; that hostile values reach no terminal.

use std::path::Path;
use std::time::Duration;

use crate::support::{Client, Dice, Server, cli, data, eventually, json_lines, new_server};
use serde_json::Value;

const TIME: u64 = 1_760_000_000;

fn update(profile: u64, time: u64, mail: &str) -> String {
    let mail: String = form_urlencoded::byte_serialize(mail.as_bytes()).collect();
    format!(
        "type=update&profile={profile}&database=1&time={}&parameters%5Bmail%5D={mail}\
         &fields%5Bmail%5D={mail}&fields%5Bcity%5D=Delft&interests%5B%5D=news",
        TIME + time
    )
}

/// What `stats` says of the lookups.
fn lookup(data: &Path) -> Value {
    json_lines(&cli(data, &["stats"]).ok())[0]["lookup"].clone()
}

/// Waits until all events are in the lookups of some fields.
fn wait_for_lookup(data: &Path, fields: &[&str]) {
    eventually("the lookups are complete", || {
        let stats = &json_lines(&cli(data, &["stats"]).ok())[0];
        let lookup = &stats["lookup"];
        lookup["fields"] == serde_json::json!(fields) && lookup["up_to"] == stats["events"]
    });
}

#[test]
fn every_way_to_ask_is_answered() {
    let (dir, server) = new_server(&["--lookup", "mail,email"]);
    let data = data(&dir);
    let mut client = server.client();
    for body in [
        update(7, 0, "johny@example.com"),
        update(8, 5, "Johny@example.org"),
        update(7, 10, "new\u{1b}[31m@example.com"),
        "type=delete&profile=8&time=1760000020".to_owned(),
        update(9, 30, ""),
    ] {
        assert_eq!(client.post("/webhook", &body).status, 200);
    }
    wait_for_lookup(&data, &["email", "mail"]);
    let past = concat!(
        r#"{"profile":7,"subprofile":null,"database":1,"collection":null,"field":"mail","value":"johny@example.com","#,
        r#""since":"2025-10-09T08:53:20Z","since_seq":1,"cause":"set","until":"2025-10-09T08:53:30Z","until_seq":3}"#,
        "\n"
    );
    let whose = |args: &[&str]| -> Vec<(u64, bool)> {
        let lines = cli(&data, &[&["find"], args].concat());
        let lines = json_lines(&lines.stdout);
        lines
            .iter()
            .map(|line| (line["profile"].as_u64().unwrap(), line["until"].is_null()))
            .collect()
    };
    let ask = |live: bool| {
        let find = |args: &[&str]| cli(&data, &[&["find"], args].concat());
        assert_eq!(find(&["mail=johny@example.com", "--ever"]).ok(), past);
        let at = find(&["mail=johny@example.com", "--at", "@1760000009"]);
        assert_eq!(at.ok(), past, "{live}");
        let nobody = find(&["mail=johny@example.com"]).failed(1);
        assert!(nobody.contains("--ever"), "{nobody}");
        assert_eq!(whose(&["mail=johny@", "--prefix", "--ever"]), [(7, false)]);
        let both = [(7, false), (8, false)];
        assert_eq!(whose(&["mail=JOHNY@", "--prefix", "--ever", "-i"]), both);
        assert_eq!(
            whose(&["mail=@example\\.(com|org)$", "--match"]),
            [(7, true)]
        );
        assert_eq!(whose(&["mail="]), [(9, true)]);
        assert_eq!(whose(&["mail=", "--prefix"]), [(7, true), (9, true)]);
        assert_eq!(whose(&["mail=", "--prefix", "-n", "1"]), [(7, true)]);
        assert_eq!(whose(&["--field", "mail", ""]), [(9, true)]);
        assert_eq!(whose(&["--interest", "news"]), [(7, true), (9, true)]);
        assert_eq!(
            whose(&["city=Delft", "--database", "1"]),
            [(7, true), (9, true)]
        );
        assert_eq!(whose(&["city=Delft", "--database", "2"]), []);
        for wrong in [
            &["mail"][..],
            &[],
            &["mail=("],
            &["mail=x", "--interest", "news"],
            &["mail=x", "--ever", "--at", "now"],
            &["mail=x", "--prefix", "--match"],
            &["mail=x", "--at", "someday"],
        ] {
            let args = [
                wrong,
                if wrong == ["mail=("] {
                    &["--match"]
                } else {
                    &[]
                },
            ]
            .concat();
            find(&args).failed(2);
        }
        let table = find(&["mail=new", "--prefix", "--format", "table"]).ok();
        assert!(table.contains("new\\u{1b}[31m@example.com"), "{table}");
        assert!(
            table.contains("(still)") && !table.contains('\u{1b}'),
            "{table}"
        );
    };
    ask(true);
    let stats = cli(&data, &["stats", "--format", "table"]).ok();
    assert!(stats.contains("email, mail: "), "{stats}");
    let doctor = json_lines(&cli(&data, &["doctor", "--format", "jsonl"]).stdout);
    let check = doctor
        .iter()
        .find(|line| line["check"] == "lookup")
        .unwrap();
    assert_eq!(check["result"], "ok");
    server.stop();
    ask(false);
    // The folder remembers them.
    assert_eq!(lookup(&data)["entries"], 4);
    cli(&data, &["verify"]).ok();
}

#[test]
fn another_list_and_a_destroyed_index_change_no_answer() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    let mut client = server.client();
    for number in 0..300 {
        let body = update(
            number % 40 + 1,
            number,
            &format!("{}@example.com", number % 7),
        );
        assert_eq!(client.post("/webhook", &body).status, 200);
    }
    let args = ["find", "mail=3@example.com", "--ever"];
    let expected = cli(&data, &args).ok();
    assert!(expected.lines().count() > 30);
    assert_eq!(lookup(&data), Value::Null);
    server.stop();
    for (list, fields) in [
        ("mail", &["mail"][..]),
        ("city,mail", &["city", "mail"]),
        ("city", &["city"]),
    ] {
        let server = Server::start(&data, &["--lookup", list]);
        assert_eq!(cli(&data, &args).ok(), expected);
        wait_for_lookup(&data, fields);
        assert_eq!(cli(&data, &args).ok(), expected);
        server.stop();
        assert_eq!(cli(&data, &args).ok(), expected);
    }
    std::fs::remove_dir_all(data.join("index")).unwrap();
    assert_eq!(cli(&data, &args).ok(), expected);
    let server = Server::start(&data, &["--lookup", "mail"]);
    wait_for_lookup(&data, &["mail"]);
    assert_eq!(cli(&data, &args).ok(), expected);
    server.stop();
    // Without the flag there are none.
    let server = Server::start(&data, &[]);
    eventually("the lookups are dropped", || lookup(&data).is_null());
    assert_eq!(cli(&data, &args).ok(), expected);
    server.stop();
    assert_eq!(lookup(&data), Value::Null);
}

/// Posts until the server is gone; how many were acknowledged.
fn post_until_dead(mut client: Client, round: u64) -> u64 {
    for call in 0.. {
        let mail = format!("{}-{}@example.com", (round + call) % 5, call % 3);
        let body = update((round * 13 + call) % 200 + 1, round * 1000 + call, &mail);
        if client.try_post("/webhook", &body).is_err() {
            return call;
        }
    }
    0
}

#[test]
fn no_kill_makes_the_lookups_miss_anybody() {
    let dir = tempfile::tempdir().unwrap();
    let mut dice = Dice(20_260_203);
    let mut came = 0;
    for round in 0..60 {
        // On a busy machine few calls come in a round.
        if round >= 12 && came > 100 {
            break;
        }
        let lists = ["mail", "mail,city", "mail"];
        let list = lists[dice.below(3) as usize];
        let flags = ["--lookup", list, "--segment-size", "20KB", "--log", "warn"];
        let server = Server::start(dir.path(), &flags);
        let client = server.client();
        let posting = std::thread::spawn(move || post_until_dead(client, round));
        std::thread::sleep(Duration::from_micros(2_000 + dice.below(150_000)));
        server.kill();
        came += posting.join().unwrap();
    }
    assert!(came > 100, "{came}");
    let ask = |part: u64, ever: bool| {
        let value = format!("mail={part}-");
        let mut args = vec!["find", &value, "--prefix"];
        args.extend(ever.then_some("--ever"));
        cli(dir.path(), &args).stdout
    };
    let answers = || -> Vec<String> {
        (0..5)
            .flat_map(|part| [ask(part, true), ask(part, false)])
            .collect()
    };
    let as_it_is = answers();
    let server = Server::start(dir.path(), &["--lookup", "mail"]);
    wait_for_lookup(dir.path(), &["mail"]);
    let complete = answers();
    cli(dir.path(), &["verify"]).ok();
    server.stop();
    std::fs::remove_dir_all(dir.path().join("index")).unwrap();
    let scanned = answers();
    assert_eq!(as_it_is, scanned);
    assert_eq!(complete, scanned);
    assert!(scanned[0].lines().count() > 5);
}

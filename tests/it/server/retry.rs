//! `rejected --retry` and `--max-rejected`.
//!
//! Proven: what can be read now is entered under its first receipt time, label, sender and proof,
//! once, with and without a server and after a crash; what cannot is said to be; rejected calls
//! take no more space than they may, and the oldest go first.

use std::path::Path;
use std::time::Duration;

use crate::support::dns::DnsServer;
use crate::support::http::{again, ask, token};
use crate::support::signer::{ACCOUNT, Call, HOST, KEY_NAME, Key};
use crate::support::{
    BODY, Dice, Server, cli, data, entries, eventually, exported, json_lines, new_server,
};
use profiletrail::event::now_seconds;
use serde_json::{Value, json};

fn retry(data: &Path, numbers: &[&str]) -> Vec<Value> {
    json_lines(&cli(data, &[&["rejected", "--retry"], numbers].concat()).ok())
}

fn rejected(data: &Path) -> Vec<Value> {
    json_lines(&cli(data, &["rejected"]).ok())
}

#[test]
fn what_can_be_read_now_is_entered_once() {
    let (dir, server) = new_server(&["--max-body", "1000B"]);
    let data = data(&dir);
    let mut client = server.client();
    let bare = "type=delete&subprofile=70&time=1760000001";
    assert_eq!(client.post("/webhook/crm", bare).status, 400);
    assert_eq!(client.post("/webhook//crm", BODY).status, 404);
    assert_eq!(client.post("/webhook", "").status, 400);
    let long = format!("{BODY}&fields[x]={}", "y".repeat(1000));
    assert_eq!(client.post("/webhook", long).status, 413);
    let mut client = server.client();
    assert_eq!(
        client.post("/webhook", "type=click&id=a&time=1").status,
        400
    );
    let named = "type=create&profile=7&subprofile=70&time=1760000000";
    assert_eq!(client.post("/webhook", named).seq(), 1);

    let lines = retry(&data, &[]);
    assert_eq!(
        lines[..2],
        [
            json!({"number": 1, "outcome": "entered", "seq": 2}),
            json!({"number": 2, "outcome": "entered", "seq": 3}),
        ]
    );
    for (line, says) in lines[2..]
        .iter()
        .zip(["carries no event", "--max-body", "elsewhere"])
    {
        assert_eq!(line["outcome"], "rejected");
        assert!(line["error"].as_str().unwrap().contains(says), "{line}");
        assert!(line["where"].is_string() && line.get("seq").is_none());
    }
    let events = exported(&data);
    let calls = rejected(&data);
    assert_eq!(calls.len(), 5);
    for (event, call) in events[1..].iter().zip(&calls) {
        for key in ["received", "label", "remote", "body"] {
            assert_eq!(event[key], call[key]);
        }
    }
    assert_eq!(
        (&events[1]["profile"], &events[1]["label"]),
        (&json!(7), &json!("crm"))
    );
    assert_eq!(
        (&events[2]["profile"], &events[2]["label"]),
        (&json!(5), &Value::Null)
    );

    // Again, without the server and after a crash, nothing is added.
    let present = [
        json!({"number": 1, "outcome": "present", "seq": 2}),
        json!({"number": 2, "outcome": "present", "seq": 3}),
    ];
    assert_eq!(retry(&data, &["2", "1"]), present);
    server.kill();
    assert_eq!(retry(&data, &[])[..2], present);
    let server = Server::start(&data, &["--timezone", "UTC"]);
    assert_eq!(retry(&data, &[])[..2], present);
    assert_eq!(exported(&data), events);
    assert_eq!(server.client().post("/webhook", BODY).seq(), 4);
    assert_eq!(retry(&data, &["3"]).len(), 1);
    let none = cli(&data, &["rejected", "--retry", "99"]).failed(1);
    assert!(none.contains("nothing found"), "{none}");
    let table = cli(
        &data,
        &["rejected", "--retry", "1", "3", "--format", "table"],
    )
    .ok();
    assert!(
        table.starts_with("rejected call 1 is already event 2\nrejected call 3 cannot be read: "),
        "{table}"
    );
    cli(&data, &["rejected", "--retry", "--since", "yesterday"]).failed(2);
    server.stop();
    cli(&data, &["verify"]).ok();
}

#[test]
fn a_signed_call_keeps_its_proof_and_its_message_is_entered_once() {
    let (dir, key) = (tempfile::tempdir().unwrap(), Key::new("sender-2048"));
    let dns = DnsServer::start();
    dns.set_txt(KEY_NAME, 3600, &[&key.record()]);
    let address = dns.address().to_string();
    let args = [
        "--copernica-id",
        ACCOUNT,
        "--public-host",
        HOST,
        "--dns-server",
        &address,
        "--max-age",
        "3s",
    ];
    let server = Server::start(&data(&dir), &args);
    let send = |server: &Server, request: &[u8]| {
        let mut client = server.client();
        client.send(request).unwrap();
        client.receive(false).unwrap()
    };
    let data = data(&dir);
    // Its time is that of its receipt, so that a second event would be no duplicate.
    let accepted = Call::new("type=update&profile=1&fields[a]=1", now_seconds()).signed(&key);
    assert_eq!(send(&server, &accepted).seq(), 1);
    let ahead = Call::new("type=update&profile=1&fields[a]=2", now_seconds() + 3600).signed(&key);
    assert_eq!(send(&server, &ahead).status, 401);
    let late = Call::new("type=update&profile=2&fields[a]=3", now_seconds() - 60).signed(&key);
    assert_eq!(send(&server, &late).status, 401);
    eventually("the accepted message is too old", || {
        std::thread::sleep(Duration::from_millis(200));
        send(&server, &accepted).status == 401
    });
    // A restart forgets which messages were rejected.
    server.kill();
    let server = Server::start(&data, &args);
    assert_eq!(send(&server, &late).status, 401);
    let lines = retry(&data, &[]);
    let outcomes: Vec<_> = lines
        .iter()
        .map(|line| (line["outcome"].as_str().unwrap(), line["seq"].as_u64()))
        .collect();
    assert_eq!(
        outcomes,
        [
            ("entered", Some(2)),
            ("entered", Some(3)),
            ("present", Some(1)),
            ("rejected", None)
        ]
    );
    assert_eq!(retry(&data, &["4"])[0]["seq"], 3);
    let events = exported(&data);
    assert_eq!(events.len(), 3);
    assert!(events.iter().all(|event| event["verified"] == true));
    let evidence = json_lines(&cli(&data, &["evidence", "2", "--format", "jsonl"]).ok());
    assert!(
        evidence[0]["signed"].as_str().unwrap().contains(ACCOUNT),
        "{evidence:?}"
    );
    server.stop();
    // Its proof is one for an import, too.
    let lines = cli(&data, &["export", "--raw"]).ok();
    let copy = dir.path().join("copy");
    crate::support::Cli::new(&copy, &["import", "-"])
        .stdin(lines.clone())
        .run()
        .ok();
    assert_eq!(cli(&copy, &["export", "--raw"]).ok(), lines);
}

#[test]
fn rejected_calls_take_no_more_space_than_they_may() {
    const MOST: u64 = 512 << 10;
    let args = ["--max-rejected", "512KiB", "--api", "127.0.0.1:0"];
    let (dir, server) = new_server(&args);
    let data = data(&dir);
    let mut dice = Dice(7);
    let mut send = |server: &Server, count: usize| {
        let mut client = server.client();
        for _ in 0..count {
            // As good as incompressible.
            let body: String = (0..2000).map(|_| format!("{:x}", dice.next())).collect();
            assert_eq!(
                client
                    .post("/webhook", format!("type=update&profile=x&a={body}"))
                    .status,
                400
            );
        }
    };
    let bytes = || -> u64 {
        let files = entries(&data.join("rejected")).into_iter();
        files
            .map(|file| file.metadata().map_or(0, |data| data.len()))
            .sum()
    };
    send(&server, 40);
    let token = token(&data, "read");
    let before = ask(server.api(), &token, "/v1/rejected");
    eventually("the oldest are removed", || bytes() <= MOST);
    // Who has the answer of before gets the one of now.
    let tag = before.header("ETag").unwrap();
    let after = again(server.api(), &token, "/v1/rejected", tag);
    assert!(after.status == 200 || before.body == ask(server.api(), &token, "/v1/rejected").body);
    let kept = rejected(&data);
    let numbers: Vec<u64> = kept
        .iter()
        .map(|line| line["number"].as_u64().unwrap())
        .collect();
    let first = numbers[0];
    assert!(first > 5 && numbers.len() > 5, "{numbers:?}");
    assert_eq!(numbers, (first..=40).collect::<Vec<_>>());
    server.stop();
    cli(&data, &["verify"]).ok();
    let server = Server::start(&data, &args);
    send(&server, 10);
    eventually("the oldest are removed", || {
        bytes() <= MOST && rejected(&data)[0]["number"] != first
    });
    assert_eq!(rejected(&data).last().unwrap()["number"], 50);
    server.stop();
    cli(&data, &["verify"]).ok();
}

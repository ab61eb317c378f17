//! `doctor`: what it finds of a server that runs well, of one that does not, and
//! where there is none; and that it leaves everything as it is.

use std::collections::BTreeMap;
use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::SystemTime;

use crate::support::dns::DnsServer;
use crate::support::signer::{ACCOUNT, Call, HOST, KEY_NAME, Key};
use crate::support::{BODY, Cli, Outcome, Server, cli, data, json_lines, keys, new_server};
use profiletrail::event::now_seconds;
use serde_json::Value;

/// Every check that was made, and what it came to.
fn checks(outcome: &Outcome) -> BTreeMap<String, Value> {
    let lines = json_lines(&outcome.stdout).into_iter();
    lines
        .filter(|line| line.get("check").is_some())
        .map(|line| {
            assert_eq!(keys(&line), ["check", "result", "what", "fix"]);
            let bad = line["result"] == "warning" || line["result"] == "problem";
            assert!(!bad || line["fix"].is_string(), "{line}");
            (line["check"].as_str().unwrap().to_owned(), line)
        })
        .collect()
}

fn result<'a>(checks: &'a BTreeMap<String, Value>, name: &str) -> &'a str {
    checks[name]["result"].as_str().unwrap()
}

fn doctor(data: &Path, args: &[&str]) -> Outcome {
    let all: Vec<&str> = ["doctor", "--format", "jsonl"]
        .iter()
        .chain(args)
        .copied()
        .collect();
    cli(data, &all)
}

/// Every file below a folder with its length and the moment of its last change.
fn files(folder: &Path) -> BTreeMap<String, (u64, SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        }
        let data = path.metadata().unwrap();
        let name = path.to_str().unwrap().to_owned();
        found.insert(name, (data.len(), data.modified().unwrap()));
    }
    found
}

#[test]
fn a_server_that_runs_well_has_no_problem() {
    let (dir, server) = new_server(&["--min-free", "1MiB", "--max-connections", "33"]);
    for path in ["/webhook", "/webhook/crm", "/webhook/app-2", "/webhook/crm"] {
        assert_eq!(server.client().post(path, BODY).status, 200);
    }
    let data = data(&dir);
    let backup = dir.path().join("backup");
    let backup = backup.to_str().unwrap();
    cli(&data, &["backup", backup]).ok();
    let args = [
        "--offline",
        "--public-host",
        "hooks.example.com",
        "--backup",
        backup,
    ];
    let outcome = doctor(&data, &args);
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    let found = checks(&outcome);
    for name in [
        "folder",
        "files",
        "server",
        "listen",
        "index",
        "descriptors",
        "events",
        "rejected",
        "refused",
        "backup",
    ] {
        assert_eq!(result(&found, name), "ok", "{:?}", found[name]);
    }
    assert_eq!(result(&found, "signatures"), "warning");
    for name in ["clock", "dns", "public"] {
        assert_eq!(result(&found, name), "unknown", "{:?}", found[name]);
    }
    assert!(found.contains_key("disk") && found.contains_key("inodes"));
    // The settings of the server count, not the defaults of this command.
    let what = |name: &str| found[name]["what"].as_str().unwrap();
    assert!(what("server").contains(&server.pid().to_string()));
    assert!(what("listen").contains(&server.address.to_string()));
    assert!(
        what("disk").contains("--min-free is 1.0 MiB"),
        "{}",
        what("disk")
    );
    assert!(
        what("descriptors").contains("--max-connections is 33"),
        "{}",
        what("descriptors")
    );
    let addresses: Vec<Value> = json_lines(&outcome.stdout)
        .into_iter()
        .filter(|line| line.get("address").is_some())
        .collect();
    assert_eq!(keys(&addresses[0]), ["address", "label"]);
    let addresses: Vec<&str> = addresses
        .iter()
        .map(|line| line["address"].as_str().unwrap())
        .collect();
    let expected =
        ["", "/app-2", "/crm"].map(|end| format!("https://hooks.example.com/webhook{end}"));
    assert_eq!(addresses, expected);
    // The same for people.
    let table = cli(&data, &["doctor", "--offline", "--format", "table"]).ok();
    assert!(table.starts_with("CHECK "), "{table}");
    assert!(
        table.ends_with("\nhttps://YOUR-HOST/webhook/crm\n"),
        "{table}"
    );
    server.stop();
}

#[test]
fn problems_of_a_server_are_reported() {
    let (dir, server) = new_server(&["--min-free", "1PiB"]);
    let data = data(&dir);
    assert_eq!(server.client().post("/webhook", BODY).status, 503);
    fs::set_permissions(data.join("log"), fs::Permissions::from_mode(0o755)).unwrap();
    let outcome = doctor(&data, &["--offline"]);
    assert_eq!(outcome.status, Some(3));
    let found = checks(&outcome);
    for (name, expected) in [
        ("listen", "problem"),
        ("disk", "problem"),
        ("files", "warning"),
        ("events", "warning"),
        ("server", "ok"),
    ] {
        assert_eq!(result(&found, name), expected, "{:?}", found[name]);
    }
    assert!(
        found["listen"]["what"]
            .as_str()
            .unwrap()
            .contains("the disk is almost full")
    );
    let (what, fix) = (&found["files"]["what"], &found["files"]["fix"]);
    let log = data.join("log");
    assert!(
        what.as_str().unwrap().contains(log.to_str().unwrap()),
        "{what}"
    );
    assert!(fix.as_str().unwrap().starts_with("chmod -R go= "), "{fix}");
    server.stop();

    let server = Server::start(&data, &["--min-free", "0B"]);
    // The test button loses nothing.
    assert_eq!(server.client().post("/webhook", "test=1").status, 400);
    for headers in [
        "",
        "Content-Type: text/plain\r\nContent-Length: 0\r\n",
        "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
    ] {
        let call = format!("POST /webhook HTTP/1.1\r\nHost: a\r\n{headers}\r\n");
        assert_eq!(raw_status(&server, call.as_bytes()), 400, "{headers}");
    }
    let found = checks(&doctor(&data, &["--offline"]));
    assert_eq!(result(&found, "rejected"), "ok");
    // A rejected call is reported for a day.
    assert_eq!(
        server
            .client()
            .post("/webhook", "type=update&profile=x")
            .status,
        400
    );
    let found = checks(&doctor(&data, &["--offline"]));
    assert_eq!(result(&found, "rejected"), "warning");
    assert!(found["rejected"]["what"].as_str().unwrap().ends_with(": 1"));
    server.stop();
}

#[test]
fn where_no_server_runs_nothing_is_touched() {
    let (dir, server) = new_server(&[]);
    let data = data(&dir);
    assert_eq!(server.client().post("/webhook/crm", BODY).status, 200);
    server.kill();
    let before = files(&data);
    let outcome = doctor(&data, &["--offline"]);
    assert_eq!(outcome.status, Some(3));
    let found = checks(&outcome);
    assert_eq!(result(&found, "server"), "problem");
    let fix = found["server"]["fix"].as_str().unwrap();
    assert!(fix.starts_with("systemctl start profiletrail"), "{fix}");
    assert_eq!(result(&found, "events"), "ok");
    assert!(outcome.stdout.contains("https://YOUR-HOST/webhook/crm"));
    assert_eq!(files(&data), before);

    let none = dir.path().join("none");
    let outcome = doctor(&none, &["--offline"]);
    assert_eq!(outcome.status, Some(3));
    assert_eq!(result(&checks(&outcome), "folder"), "problem");
    assert!(!none.exists());
}

#[test]
fn the_name_server_is_asked() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let thread = std::thread::spawn(move || {
        let mut packet = [0; 512];
        let (len, from) = socket.recv_from(&mut packet).unwrap();
        // There is no such name: that is an answer.
        let end = 12 + packet[12..len].iter().position(|byte| *byte == 0).unwrap() + 5;
        packet[2..4].copy_from_slice(&[0x81, 0x83]);
        packet[6..12].fill(0);
        socket.send_to(&packet[..end], from).unwrap();
    });
    let (dir, server) = new_server(&[]);
    let args = ["--key-domain", "keys.example", "--dns-server", &address];
    let found = checks(&doctor(&data(&dir), &args));
    thread.join().unwrap();
    assert_eq!(result(&found, "dns"), "ok", "{:?}", found["dns"]);
    let found = checks(&doctor(&data(&dir), &args));
    assert_eq!(result(&found, "dns"), "problem", "{:?}", found["dns"]);
    server.stop();
}

#[test]
fn a_services_settings_are_read_from_its_file() {
    let (dir, server) = new_server(&[]);
    let file = dir.path().join("profiletrail.env");
    let text = format!(
        "# settings\nPROFILETRAIL_DATA={}\nPROFILETRAIL_PUBLIC_HOST=a.example,b.example:8443\nPROFILETRAIL_BACKUPS=x\n",
        data(&dir).display()
    );
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let args = [
        "doctor",
        "--offline",
        "--format",
        "jsonl",
        "--env-file",
        file,
    ];
    let outcome = Cli::bare(&args).run();
    assert_eq!(outcome.status, Some(0), "{outcome:?}");
    assert!(
        outcome
            .stdout
            .contains("\"https://b.example:8443/webhook\"")
    );
    let note = format!("profiletrail: note: unknown setting PROFILETRAIL_BACKUPS in {file}\n");
    assert_eq!(outcome.stderr, note);
    // The environment comes before the file, a flag before both.
    let elsewhere = dir.path().join("elsewhere");
    let outcome = Cli::bare(&args).env("PROFILETRAIL_DATA", &elsewhere).run();
    assert_eq!(outcome.status, Some(3), "{outcome:?}");
    let mut flagged = args.to_vec();
    let data = data(&dir);
    flagged.extend(["--data", data.to_str().unwrap()]);
    Cli::bare(&flagged)
        .env("PROFILETRAIL_DATA", &elsewhere)
        .run()
        .ok();
    let wrong = Cli::bare(&["stats", "--env-file", "/nowhere"])
        .run()
        .failed(2);
    assert!(wrong.contains("--env-file /nowhere: "), "{wrong}");
    server.stop();
}

#[test]
fn results_of_signature_checks_are_reported() {
    let args = [
        "--copernica-id",
        "account_1234",
        "--public-host",
        "hooks.example.com:8443",
    ];
    let (dir, server) = new_server(&args);
    assert_eq!(server.client().post("/webhook", BODY).status, 401);
    let outcome = doctor(&data(&dir), &["--offline", "--public-host", "a.example"]);
    let found = checks(&outcome);
    assert_eq!(result(&found, "signatures"), "ok");
    assert_eq!(result(&found, "refused"), "warning");
    let what = found["refused"]["what"].as_str().unwrap();
    assert!(what.ends_with(" 1"), "{what}");
    assert_eq!(result(&found, "clock"), "unknown");
    // The host that the server was started with, not this command's.
    let address = "\"https://hooks.example.com:8443/webhook\"";
    assert!(outcome.stdout.contains(address), "{}", outcome.stdout);
    server.stop();
}

#[test]
fn what_has_a_remedy_is_a_problem_and_names_it() {
    let (dir, server) = new_server(&["--max-body", "1000B"]);
    assert_eq!(server.client().post("/webhook//crm", BODY).status, 404);
    assert_eq!(
        server.client().post("/webhook", vec![b'x'; 2000]).status,
        413
    );
    assert_eq!(
        raw_status(
            &server,
            b"POST /webhook HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"
        ),
        411
    );
    let outcome = doctor(&data(&dir), &["--offline"]);
    assert_eq!(outcome.status, Some(3));
    let found = problems(&outcome);
    for says in [
        "--max-body",
        "to an unknown address below /webhook/",
        "answered 411",
        "rejected --retry",
    ] {
        let is_it = |line: &Value| line.to_string().contains(says);
        assert!(found.iter().any(is_it), "{says}: {found:?}");
    }
    server.stop();

    let key = Key::new("sender-2048");
    let dns = DnsServer::start();
    dns.set_txt(KEY_NAME, 3600, &[&key.record()]);
    let asked = dns.address().to_string();
    let args = [
        "--copernica-id",
        ACCOUNT,
        "--public-host",
        HOST,
        "--dns-server",
        &asked,
    ];
    let server = Server::start(&data(&dir), &args);
    let now = now_seconds();
    let signed = |call: Call| raw_status(&server, &call.signed(&key));
    // All calls are ahead: it is this machine's clock.
    assert_eq!(signed(Call::new(BODY, now + 120)), 401);
    assert_eq!(
        signed(Call::new(BODY, now).set("X-Copernica-ID", "account_5678")),
        401
    );
    assert_eq!(
        signed(Call::new(BODY, now).set("Host", "other.example.com")),
        401
    );
    let outcome = doctor(&data(&dir), &["--offline"]);
    let found = problems(&outcome);
    for (check, says) in [
        ("clock", "ahead of this machine's clock"),
        ("rejected", "with a wrong date: 1"),
        (
            "refused",
            "another account since the server's start: 1 (the last named \"account_5678\")",
        ),
        (
            "refused",
            "another host since the server's start: 1 (the last named \"other.example.com\")",
        ),
    ] {
        let is_it =
            |line: &Value| line["check"] == check && line["what"].as_str().unwrap().contains(says);
        assert!(found.iter().any(is_it), "{says}: {found:?}");
    }
    server.stop();
}

fn problems(outcome: &Outcome) -> Vec<Value> {
    let mut lines = json_lines(&outcome.stdout);
    lines.retain(|line| line["result"] == "problem");
    lines
}

fn raw_status(server: &Server, request: &[u8]) -> u16 {
    let mut client = server.client();
    client.send(request).unwrap();
    client.receive(false).unwrap().status
}

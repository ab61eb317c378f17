//! The server of `demo`, and what it prints.
//!
//! Proven: it takes calls and answers questions, and nothing is left when it
//! ends by whatever signal, unless a folder is to be kept; several run beside
//! each other; each printed command, the call too, is taken by a shell in
//! another folder and is answered; the printed token asks the query API, and the
//! printed address opens the page.

use std::io::BufRead;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::support::browser::{Browser, key};
use crate::support::fortnight::{AT, ask, story};
use crate::support::http::ask as ask_over_http;
use crate::support::visitor::Visitor;
use crate::support::{Cli, Server, clean, cli, entries, eventually};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// Starts `demo`; gives it, and the folder for temporary ones.
fn demo(args: &[&str]) -> (Server, tempfile::TempDir) {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = clean(crate::support::BINARY);
    command
        .env("TMPDIR", temporary.path())
        .arg("demo")
        .args(args);
    (Server::spawn(command).unwrap(), temporary)
}

#[test]
fn it_answers_until_a_signal_and_leaves_nothing() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let (server, temporary) = demo(&["--listen", "127.0.0.1:0", "--now", AT]);
        let data = entries(temporary.path()).remove(0);
        let newsletter = ["history", "1042", "--field", "newsletter", "--reverse"];
        assert_eq!(ask(&data, &newsletter).len(), 4);
        let body = "type=update&profile=1042&parameters[newsletter]=Nee";
        let seq = server.client().post("/webhook/by-hand", body).seq();
        assert_eq!(seq, story().calls.len() as u64 + 1);
        let last = &ask(&data, &newsletter)[0];
        assert_eq!(
            (&last["label"], &last["changes"][0]["cause"]),
            (&json!("by-hand"), &json!("set"))
        );
        server.signal(signal);
        let (status, log) = server.wait();
        assert_eq!(status.code(), Some(0), "{log}");
        assert!(log.contains("the folder is gone"), "{log}");
        assert_eq!(entries(temporary.path()), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_folder_can_be_kept_and_another_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("my shop");
    let keep = ["--listen", "127.0.0.1:0", "--keep", data.to_str().unwrap()];
    let (server, temporary) = demo(&keep);
    let log = server.stop();
    let way_on = format!("serve --data '{}'", data.display());
    assert!(log.contains(&way_on), "{log}");
    assert_eq!(entries(temporary.path()), Vec::<PathBuf>::new());
    assert_eq!(cli(&data, &["verify"]).status, Some(0));
    let refused = Cli::bare(&[&["demo"], &keep[..]].concat()).run().failed(2);
    assert!(refused.contains("is not empty"), "{refused}");
    let file = data.join("format");
    let refused = Cli::bare(&["demo", "--keep", file.to_str().unwrap()]).run();
    let refused = refused.failed(2);
    assert!(refused.contains("is not a folder"), "{refused}");
}

#[test]
fn a_second_one_takes_a_free_port() {
    // Whoever is at the usual one.
    let (first, of_first) = demo(&[]);
    let (second, of_second) = demo(&[]);
    assert_ne!(first.address, second.address);
    assert_ne!(first.api(), second.api());
    let body = "type=update&profile=1042&parameters[newsletter]=Nee";
    second.client().post("/webhook", body).seq();
    for (temporary, events) in [(&of_first, 4), (&of_second, 5)] {
        let data = entries(temporary.path()).remove(0);
        let lines = ask(&data, &["history", "1042", "--field", "newsletter"]);
        assert_eq!(lines.len(), events);
    }
    first.stop();
    assert_eq!(entries(of_first.path()), Vec::<PathBuf>::new());
    assert_eq!(entries(of_second.path()).len(), 1);
    second.stop();
}

/// `demo` as somebody sees it who starts it; ended when dropped.
struct Seen {
    child: Child,
    text: String,
    _temporary: tempfile::TempDir,
}

impl Seen {
    fn start() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut child = clean(crate::support::BINARY)
            .args(["demo", "--listen", "127.0.0.1:0", "--now", AT])
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut stdout = std::io::BufReader::new(child.stdout.take().unwrap());
        let mut seen = Self {
            child,
            text: String::new(),
            _temporary: temporary,
        };
        while !seen.text.contains("&parameters[newsletter]=Nee'\n") {
            let read = stdout.read_line(&mut seen.text).unwrap();
            assert!(read > 0, "{}", seen.text);
        }
        seen
    }

    /// The commands, as they are pasted.
    fn commands(&self) -> Vec<String> {
        let joined = self.text.replace(" \\\n", " \\\n\u{0}");
        let begins = |line: &str| {
            let word = line.trim_start().split(' ').next().unwrap_or_default();
            line.starts_with("   ") && (word.ends_with("/profiletrail") || word == "curl")
        };
        let mut commands: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in joined.lines() {
            match line.strip_prefix('\0') {
                Some(rest) if goes_on => {
                    let command = commands.last_mut().unwrap();
                    command.push('\n');
                    command.push_str(rest);
                }
                _ if begins(line) => commands.push(line.to_owned()),
                _ => {}
            }
            goes_on = line.ends_with(" \\");
        }
        commands
    }

    /// The address of the page, and the token behind it.
    fn page(&self) -> (std::net::SocketAddr, &str) {
        let line = self.text.lines().find(|line| line.contains("/#ptr_"));
        let (address, token) = line.unwrap().split_once("/#").unwrap();
        let address = address.trim().strip_prefix("http://").unwrap();
        (address.parse().unwrap(), token)
    }

    fn end(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn each_command_is_answered_in_another_terminal() {
    let seen = Seen::start();
    let commands = seen.commands();
    assert_eq!(commands.len(), 10, "{}", seen.text);
    let elsewhere = tempfile::tempdir().unwrap();
    for (command, answer) in commands.iter().zip([
        "\"city-3923\"",
        "\"changed_since\"",
        "\"turns\"",
        "06-12345678",
        "\"lost\"",
        "newsletter-form",
        "\"value\":\"Ja\"",
        "sanne.bakker@example.com",
        "\"delete\"",
        "{\"seq\":5354}",
    ]) {
        let answered = clean("sh")
            .args(["-c", command])
            .current_dir(elsewhere.path())
            .output()
            .unwrap();
        assert!(answered.status.success(), "{command}: {answered:?}");
        let stdout = String::from_utf8(answered.stdout).unwrap();
        assert!(stdout.contains(answer), "{command}: {stdout}");
    }
    let fix = std::fs::read_to_string(elsewhere.path().join("fix.csv")).unwrap();
    assert_eq!(fix.lines().count(), 106);
    seen.end();
}

#[test]
fn the_printed_token_asks_over_http() {
    let seen = Seen::start();
    let (address, token) = seen.page();
    let found = ask_over_http(
        address,
        token,
        "/v1/find?field=mail&value=emma.devries%40example.com",
    );
    assert_eq!(found.status, 200);
    let found: Value = serde_json::from_slice(&found.body).unwrap();
    assert_eq!(
        (&found["profile"], &found["cause"]),
        (&json!(1042), &json!("first_seen"))
    );
    eventually("all mail addresses in the lookup", || {
        let stats = ask_over_http(address, token, "/v1/stats");
        let stats: Value = serde_json::from_slice(&stats.body).unwrap();
        let lookup = &stats["lookup"];
        lookup["fields"] == json!(["mail"]) && lookup["up_to"] == json!(story().calls.len())
    });
    // Nobody is answered without it.
    assert_eq!(ask_over_http(address, "ptr_x", "/v1/stats").status, 401);
    seen.end();
}

#[test]
fn the_printed_address_opens_the_page() {
    let seen = Seen::start();
    let (address, token) = seen.page();
    let mut visitor = Visitor::new(address);
    assert_eq!(visitor.get("/").status, 303);
    assert_eq!(visitor.log_in(token).status, 303);
    assert!(visitor.page("/profile/1187").contains("deleted"));
    // A browser puts what stands behind the # into the form, and leaves it nowhere.
    let browser = Browser::start();
    browser.open(address, &format!("/#{token}"));
    assert_eq!(browser.target(), "/login?next=%2F");
    let filled = "return [document.getElementById('token').value, location.hash]";
    assert_eq!(browser.run(filled), json!([token, ""]));
    browser.keys(&[key::ENTER]);
    eventually("a login", || browser.target() == "/");
    browser.open(address, "/profile/1187");
    browser.open(address, &format!("/#{token}"));
    eventually("an address without it", || {
        browser.run("return location.pathname + location.hash") == json!("/")
    });
    drop(browser);
    seen.end();
}

//! Runs every code block of the README as a reader would, and compares what
//! comes out with what stands there.
//!
//! The server listens on ports of the kernel's choice instead of those shown, and
//! moments of receipt, which differ each time, are put in the place of those
//! that the README shows.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::demo;
use crate::support::demo::Demo;
use crate::support::dns::DnsServer;
use crate::support::signer::{ACCOUNT, Call, HOST, KEY_NAME, Key};
use crate::support::{Client, fixture};

const SERVE: &str = "cargo run --release -- serve";
const SERVE_SIGNED: &str = "cargo run --release -- serve --data ./hooks --listen 127.0.0.1:8081 --copernica-id account_1234 --public-host hooks.example.com";
const DEMO: &str = "cargo run --release -- demo";
const PROGRAM: &str = "target/release/profiletrail";

struct Block {
    language: String,
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut found = Vec::new();
    let mut open: Option<Block> = None;
    for line in page.lines() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    lines: Vec::new(),
                });
            }
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(block)) => block.lines.push(line.to_owned()),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// Commands with the output that the page shows.
fn commands(block: &Block) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in &block.lines {
        match line.strip_prefix("$ ") {
            Some(command) => found.push((command.to_owned(), String::new())),
            None => {
                let (_, output) = found
                    .last_mut()
                    .unwrap_or_else(|| panic!("output without a command: {line}"));
                output.push_str(line);
                output.push('\n');
            }
        }
    }
    found
}

struct Server {
    child: Child,
    address: String,
    api: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn clean(command: &mut Command, dir: &Path) {
    for (name, _) in std::env::vars() {
        if name.starts_with("PROFILETRAIL_") || name == "NO_COLOR" || name == "COLUMNS" {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).env("TZ", "UTC");
}

fn serve(dir: &Path, arguments: &[&str]) -> Server {
    let mut command = Command::new(env!("CARGO_BIN_EXE_profiletrail"));
    clean(&mut command, dir);
    let mut child = command
        .args(["serve", "--listen", "127.0.0.1:0", "--api", "127.0.0.1:0"])
        .arg("--ui")
        .args(arguments)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut address = |before: &str| {
        let mut line = String::new();
        stderr.read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix(before);
        address.unwrap_or_else(|| panic!("{line}")).to_owned()
    };
    let api = address("answering questions on http://");
    assert!(address("the page is at http://").starts_with(&api));
    let address = address("listening on http://");
    // What follows is read, so that the server can go on writing.
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    Server {
        child,
        address,
        api,
    }
}

/// A server that takes signed calls alone, once the documentation's example has
/// come to it from a sender whose key a DNS server of the test's has.
fn serve_signed(dir: &Path) -> (Server, DnsServer) {
    let key = Key::new("sender-2048");
    let dns = DnsServer::start();
    dns.set_txt(KEY_NAME, 3600, &[&key.record()]);
    let asked = dns.address().to_string();
    let server = serve(
        dir,
        &[
            "--data",
            "./hooks",
            "--copernica-id",
            ACCOUNT,
            "--public-host",
            HOST,
            "--dns-server",
            &asked,
        ],
    );
    let now = profiletrail::event::now_micros().div_euclid(1_000_000);
    let mut client = Client::connect(server.address.parse().unwrap());
    let example = fixture("signed/valid-2048.http");
    let (_, body) = example.split_once("\r\n\r\n").unwrap();
    client.send(&Call::new(body, now).signed(&key)).unwrap();
    assert_eq!(client.receive(false).unwrap().seq(), 1);
    (server, dns)
}

/// Puts the README's moment in the place of every moment of receipt: times of
/// this run's day or later, which the blocks' own events do not have.
fn normalise(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(place) = rest.find("\"received\":\"") {
        let (before, after) = rest.split_at(place + 12);
        out.push_str(before);
        out.push_str("2026-01-01T00:00:00.000000Z");
        rest = &after[27..];
    }
    out.push_str(rest);
    out.lines()
        .map(|line| {
            let row = line
                .strip_prefix("1       20")
                .filter(|_| line.contains("127.0.0.1"));
            match row {
                // Of `rejected`; summer and winter time differ in length.
                Some(row) => {
                    let from = row.find("127.0.0.1").unwrap();
                    format!("1       2026-01-01 01:00:00 CET  {}\n", &row[from..])
                }
                None => format!("{line}\n"),
            }
        })
        .collect()
}

/// Columns may be parted by one space more where a time is longer.
fn squeeze(text: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines()
        .map(|line| format!("{}\n", words(line)))
        .collect()
}

/// A text, of which the page may leave parts out, each with a line `…` for it.
fn shows(text: &str, expected: &str) {
    let parts: Vec<&str> = expected.split("…\n").collect();
    let (first, last) = (parts[0], parts[parts.len() - 1]);
    assert!(text.starts_with(first) && text.ends_with(last), "{text}");
    let mut rest = text;
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else {
            panic!("{part:?} is not in its place in {text}");
        };
        rest = after;
    }
}

/// A part of nginx's settings, as nginx reads it within a server's.
fn nginx_takes(dir: &Path, part: &str) {
    let settings = dir.join("nginx.conf");
    let whole = format!(
        "pid nginx.pid; error_log stderr;\nevents {{}}\n\
         http {{ access_log off; server {{ listen 127.0.0.1:1;\n{part}\n}} }}\n"
    );
    std::fs::write(&settings, whole).unwrap();
    let mut command = Command::new("nginx");
    clean(&mut command, dir);
    let output = command
        .args(["-t", "-q", "-p"])
        .arg(dir)
        .arg("-c")
        .arg(&settings)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn every_block_of_the_readme_does_what_it_shows() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("README.md")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut server = None;
    let mut signed = None;
    let mut ran = 0;
    let mut wrong = Vec::new();
    for block in blocks(&page) {
        match block.language.as_str() {
            "console" => {}
            "sh" => {
                // Running the tests from a test would not end.
                for line in &block.lines {
                    assert!(root.join(line).is_file(), "{line} is not there");
                    ran += 1;
                }
                continue;
            }
            // A part of another program's settings.
            "yaml" => continue,
            "nginx" => {
                ran += 1;
                nginx_takes(dir.path(), &block.lines.join("\n"));
                continue;
            }
            other => panic!("a block of {other:?} would not be run"),
        }
        for (command, expected) in commands(&block) {
            ran += 1;
            if command == SERVE {
                let started: Server = serve(dir.path(), &[]);
                assert_eq!(expected, "listening on http://127.0.0.1:8080\n");
                server = Some(started);
                continue;
            }
            if command == DEMO {
                let demo = Demo::start(dir.path());
                shows(&demo::normalise(&demo.text), &expected);
                demo.end();
                continue;
            }
            if command == SERVE_SIGNED {
                assert_eq!(expected, "listening on http://127.0.0.1:8081\n");
                signed = Some(serve_signed(dir.path()));
                continue;
            }
            let running = server.as_ref().unwrap();
            let line = command
                .replace("127.0.0.1:8080", &running.address)
                .replace("127.0.0.1:8082", &running.api)
                .replace(PROGRAM, env!("CARGO_BIN_EXE_profiletrail"));
            let mut shell = Command::new("sh");
            clean(&mut shell, dir.path());
            // As on a terminal, where tables are the default.
            if !command.contains("export") {
                shell.env("PROFILETRAIL_FORMAT", "table");
            }
            let output = shell
                .arg("-c")
                .arg(format!("{line} 2>&1"))
                .output()
                .unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            // curl ends without a line end, where a terminal's prompt begins.
            let text = if text.is_empty() || text.ends_with('\n') {
                text
            } else {
                text + "\n"
            };
            let text = normalise(&text.replace(&running.api, "127.0.0.1:8082"));
            if squeeze(&text) != squeeze(&expected) || !output.status.success() {
                wrong.push(format!("$ {command}\n{text}({})\n", output.status));
            }
        }
    }
    assert!(wrong.is_empty(), "otherwise:\n{}", wrong.concat());
    assert!(signed.is_some(), "no signed call was shown");
    assert!(ran > 15, "the README's blocks were not found");
}

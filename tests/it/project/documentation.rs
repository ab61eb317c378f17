//! Runs every code block of the README and of `docs/` as a reader would, and
//! compares the output with what the page shows.
//!
//! Each page has a server and a folder of its own. The server listens on ports of
//! the kernel's choice instead of those shown. Moments of receipt differ in each
//! run, so those of the page are put in their place. Pages other than the README
//! and `asking.md` begin with the calls that those two send.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::demo;
use crate::support::demo::Demo;
use crate::support::dns::DnsServer;
use crate::support::notary::{Authority, Witness};
use crate::support::signer::{ACCOUNT, Call, HOST, KEY_NAME, Key};
use crate::support::{Client, cli, eventually, fixture};
use profiletrail::event::now_seconds;

/// The beginning of a command that sends a call.
const SEND: &str = "curl -s http://127.0.0.1:8080/webhook";
const SERVE: &str = "cargo run --release -- serve";
const SERVE_SIGNED: &str = "cargo run --release -- serve --data ./hooks --listen 127.0.0.1:8081 --copernica-id account_1234 --public-host hooks.example.com";
const SERVE_ANCHORED: &str = "cargo run --release -- serve --data ./anchored --listen 127.0.0.1:8081 --timestamp https://tsa.example.com/tsr --witness \"https://witness.example.org/log=$(cat witness.key)\"";
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
    // Keep reading, so that the server never blocks on a full pipe.
    std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
    Server {
        child,
        address,
        api,
    }
}

/// A server that accepts signed calls only, after the example call has arrived
/// from a sender whose key the test's own DNS server has.
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
    let now = now_seconds();
    let mut client = Client::connect(server.address.parse().unwrap());
    let example = fixture("signed/valid-2048.http");
    let (_, body) = example.split_once("\r\n\r\n").unwrap();
    client.send(&Call::new(body, now).signed(&key)).unwrap();
    assert_eq!(client.receive(false).unwrap().seq(), 1);
    (server, dns)
}

/// A server with a call, of which an authority and a witness have signed a checkpoint. Their
/// certificate and key are in the folder.
fn serve_anchored(dir: &Path) -> (Server, Authority, Witness) {
    let data = dir.join("anchored");
    let authority = Authority::start(&["-newkey", "rsa:2048"]);
    let of_log = data.clone();
    let witness = Witness::start("witness.example.org", 1, move || {
        cli(&of_log, &["checkpoint", "--key"])
            .ok()
            .trim()
            .to_owned()
    });
    std::fs::copy(authority.root(), dir.join("tsa-root.pem")).unwrap();
    std::fs::write(dir.join("witness.key"), format!("{}\n", witness.key)).unwrap();
    let (url, text) = (authority.url(), witness.text());
    let args = [
        "--data",
        "./anchored",
        "--timestamp",
        &url,
        "--witness",
        &text,
    ];
    let server = serve(dir, &args);
    let mut client = Client::connect(server.address.parse().unwrap());
    client
        .post("/webhook", "type=update&profile=1&time=1760000000")
        .seq();
    eventually("an anchor", || {
        cli(&data, &["checkpoint", "--anchors"]).status == Some(0)
    });
    (server, authority, witness)
}

/// Replaces every moment of receipt by the one that the pages show.
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

/// Ignores how many spaces separate columns: a summer time is longer than a
/// winter time.
fn squeeze(text: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines()
        .map(|line| format!("{}\n", words(line)))
        .collect()
}

/// Checks an output of which the page leaves parts out, each marked by a line `…`.
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

/// Checks that nginx accepts a block inside a `server` section.
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

/// A reader's shell: a folder, and the servers that the page has started in it.
struct Session {
    dir: tempfile::TempDir,
    server: Option<Server>,
    signed: Option<(Server, DnsServer)>,
    anchored: Option<(Server, Authority, Witness)>,
    wrong: Vec<String>,
}

impl Session {
    /// A session in which the calls of some pages have been sent already.
    fn after(pages: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = (!pages.is_empty()).then(|| serve(dir.path(), &[]));
        let mut session = Self {
            dir,
            server,
            signed: None,
            anchored: None,
            wrong: Vec::new(),
        };
        for page in pages {
            let blocks = blocks(&text_of(page)).into_iter();
            for block in blocks.filter(|block| block.language == "console") {
                let sent = commands(&block).into_iter();
                for (command, expected) in sent.filter(|(command, _)| command.starts_with(SEND)) {
                    session.run(&command, &expected);
                }
            }
        }
        session
    }

    /// Runs one command and notes an output other than the expected one.
    fn run(&mut self, command: &str, expected: &str) {
        let dir = self.dir.path();
        match command {
            SERVE => {
                assert_eq!(expected, "listening on http://127.0.0.1:8080\n");
                self.server = Some(serve(dir, &[]));
            }
            SERVE_SIGNED => {
                assert_eq!(expected, "listening on http://127.0.0.1:8081\n");
                self.signed = Some(serve_signed(dir));
            }
            SERVE_ANCHORED => {
                assert_eq!(expected, "listening on http://127.0.0.1:8081\n");
                self.anchored = Some(serve_anchored(dir));
            }
            DEMO => {
                let demo = Demo::start(dir);
                shows(&demo::normalise(&demo.text), expected);
                demo.end();
            }
            _ => self.run_in_shell(command, expected),
        }
    }

    fn run_in_shell(&mut self, command: &str, expected: &str) {
        let mut line = command.replace(PROGRAM, env!("CARGO_BIN_EXE_profiletrail"));
        let mut api = "";
        if let Some(server) = &self.server {
            api = &server.api;
            line = line
                .replace("127.0.0.1:8080", &server.address)
                .replace("127.0.0.1:8082", api);
        }
        let mut shell = Command::new("sh");
        clean(&mut shell, self.dir.path());
        // As on a terminal, where tables are the default.
        if !command.contains("export") {
            shell.env("PROFILETRAIL_FORMAT", "table");
        }
        let output = shell
            .arg("-c")
            .arg(format!("{line} 2>&1"))
            .output()
            .unwrap();
        let mut text = String::from_utf8(output.stdout).unwrap();
        // curl's output does not end its line.
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        if !api.is_empty() {
            text = text.replace(api, "127.0.0.1:8082");
        }
        let text = normalise(&text);
        if squeeze(&text) != squeeze(expected) || !output.status.success() {
            let status = output.status;
            self.wrong.push(format!("$ {command}\n{text}({status})\n"));
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text_of(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap()
}

/// Runs every block of a page after the calls of some others.
fn check(page: &str, after: &[&str]) {
    let mut session = Session::after(after);
    for block in blocks(&text_of(page)) {
        match block.language.as_str() {
            "console" => {
                for (command, expected) in commands(&block) {
                    session.run(&command, &expected);
                }
            }
            // Running the tests from a test would not end.
            "sh" => {
                for line in &block.lines {
                    assert!(root().join(line).is_file(), "{line} is missing");
                }
            }
            "nginx" => nginx_takes(session.dir.path(), &block.lines.join("\n")),
            // Part of another program's settings, or a drawing.
            "yaml" | "text" => {}
            other => panic!("{page}: a block of {other:?} would not be run"),
        }
    }
    let wrong = session.wrong.concat();
    assert!(wrong.is_empty(), "{page} differs:\n{wrong}");
}

/// The pages of `docs/` with the calls that they assume. Each is a test.
macro_rules! pages {
    ($($name:ident: $page:literal after $calls:expr,)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[test]
            fn $name() {
                check($page, $calls);
            }
        )*
    };
}

const CALLS: &[&str] = &["README.md", "docs/asking.md"];

pages! {
    readme: "README.md" after &[],
    architecture: "docs/architecture.md" after &[],
    asking: "docs/asking.md" after &["README.md"],
    benchmarks: "docs/benchmarks.md" after &[],
    calls: "docs/calls.md" after &[],
    cluster: "docs/cluster.md" after &[],
    dossier: "docs/dossier.md" after CALLS,
    erasure: "docs/erasure.md" after &["README.md"],
    findings: "docs/findings.md" after CALLS,
    glossary: "docs/glossary.md" after &[],
    http_api: "docs/http-api.md" after CALLS,
    index_design: "docs/index-design.md" after &[],
    monitoring: "docs/monitoring.md" after &[],
    operations: "docs/operations.md" after CALLS,
    proofs: "docs/proofs.md" after CALLS,
    reconcile: "docs/reconcile.md" after CALLS,
    setup_in_copernica: "docs/setup-in-copernica.md" after &["README.md"],
    signatures: "docs/signatures.md" after &[],
    storage_format: "docs/storage-format.md" after &[],
    tls_and_proxies: "docs/tls-and-proxies.md" after &[],
    two_receivers: "docs/two-receivers.md" after CALLS,
    web_page: "docs/web-page.md" after CALLS,
}

#[test]
fn every_page_is_tested_and_every_link_leads_to_a_file() {
    let mut pages = vec!["README.md".to_owned()];
    for entry in std::fs::read_dir(root().join("docs")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") {
            pages.push(format!("docs/{name}"));
        }
    }
    for page in &pages {
        assert!(PAGES.contains(&page.as_str()), "{page} has no test");
        let folder = root().join(page);
        let folder = folder.parent().unwrap();
        for link in text_of(page).split("](").skip(1) {
            let target = link.split([')', '#']).next().unwrap();
            let here = target.is_empty() || target.starts_with("http");
            assert!(
                here || folder.join(target).exists(),
                "{page} links to {target}"
            );
        }
    }
}

//! The example configurations of proxies, as they stand in `scripts/`, with the
//! ports, the names and the certificate of a test: what a server gets through
//! them is what its sender signed, and a call through them is kept.
//!
//! nginx and Caddy themselves are run; `scripts/test` installs them.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::dns::DnsServer;
use crate::support::recorder::{recorder, value_of};
use crate::support::{Cli, Server, clean, cli, eventually, json_lines};

/// The name that stands in the examples, under which the tests call.
const HOST: &str = "hooks.example.com";

/// The headers of a signed call.
const SIGNED: [&str; 5] = [
    "Date: Tue, 07 Jun 2022 20:51:35 GMT",
    "Digest: SHA-256=qqlAJmTxpB9A67xSyZk+tmrrNmYClY/fqig7ceZNsSM=",
    "X-Copernica-ID: account_1234",
    "X-Nonce: 0123456789abcdef",
    "Signature: keyId=\"x.copernica.com\",algorithm=\"rsa-sha256\",headers=\"(request-target) host date\",signature=\"YWJj\"",
];

/// A proxy that runs, until it is dropped.
pub struct Proxy {
    child: Child,
    pub address: SocketAddr,
    dir: tempfile::TempDir,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the two kinds have in common: an example's text made that of a test,
/// and the command that runs it.
pub type Kind = fn(&Path, SocketAddr, SocketAddr) -> Command;

fn run(command: &mut Command) -> String {
    let what = format!("{command:?}");
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{what}: {error}; scripts/test installs what is needed"));
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{what}: {text}");
    text + &String::from_utf8_lossy(&output.stdout)
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("scripts")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// Puts one text in another's place; both must be there.
fn put(text: String, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from} is not in the example");
    text.replace(from, to)
}

/// A certificate of its own for the name, which no issuer has signed.
fn make_certificate(dir: &Path) {
    let config = format!(
        "[req]\ndistinguished_name=name\nx509_extensions=more\nprompt=no\n[name]\nCN=test\n\
         [more]\nbasicConstraints=critical,CA:FALSE\nsubjectAltName=DNS:{HOST},DNS:localhost\n"
    );
    fs::write(dir.join("openssl.cnf"), config).unwrap();
    let mut command = clean("openssl");
    command.args(["req", "-x509", "-newkey", "ec", "-nodes", "-days", "30"]);
    command.args(["-pkeyopt", "ec_paramgen_curve:P-256", "-config"]);
    command.arg(dir.join("openssl.cnf"));
    command.arg("-keyout").arg(dir.join("privkey.pem"));
    run(command.arg("-out").arg(dir.join("fullchain.pem")));
}

pub fn nginx(dir: &Path, address: SocketAddr, server: SocketAddr) -> Command {
    let port = address.port();
    let text = example("nginx.example");
    let text = put(text, "server 127.0.0.1:8080;", &format!("server {server};"));
    let text = put(
        text,
        "listen 443 ssl;",
        &format!("listen 127.0.0.1:{port} ssl;"),
    );
    let text = put(text, "listen [::]:443 ssl;", "");
    let live = format!("/etc/letsencrypt/live/{HOST}");
    let text = put(text, &live, &dir.display().to_string());
    fs::write(dir.join("site.conf"), text).unwrap();
    let user = if rustix::process::geteuid().is_root() {
        "user root;"
    } else {
        ""
    };
    let temp: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|what| format!("{what}_temp_path {}/{what};\n", dir.display()))
        .collect();
    // In one process, which ends with the test.
    let main = format!(
        "{user}\ndaemon off;\nmaster_process off;\nerror_log stderr warn;\npid {dir}/pid;\nevents {{}}\n\
         http {{\naccess_log off;\n{temp}include {dir}/site.conf;\n}}\n",
        dir = dir.display()
    );
    fs::write(dir.join("nginx.conf"), main).unwrap();
    let mut command = clean("/usr/sbin/nginx");
    command.args(["-e", "stderr", "-p"]).arg(dir);
    command.arg("-c").arg(dir.join("nginx.conf"));
    command
}

pub fn caddy(dir: &Path, address: SocketAddr, server: SocketAddr) -> Command {
    let text = example("caddy.example");
    let text = put(text, "127.0.0.1:8080", &server.to_string());
    // The certificate is the test's own; nobody is asked for one.
    let text = put(
        text,
        "\n{\n",
        "\n{\nadmin off\nauto_https disable_redirects\n",
    );
    let dir_text = dir.display();
    let site = format!(
        "https://{HOST}:{0}, https://localhost:{0} {{\nbind 127.0.0.1\ntls {dir_text}/fullchain.pem {dir_text}/privkey.pem\n",
        address.port()
    );
    let text = put(text, &format!("{HOST} {{\n"), &site);
    fs::write(dir.join("Caddyfile"), text).unwrap();
    let mut command = clean("caddy");
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("XDG_") {
            command.env_remove(&name);
        }
    }
    command.env("HOME", dir);
    command.args(["run", "--adapter", "caddyfile", "--config"]);
    command.arg(dir.join("Caddyfile"));
    command
}

/// Starts a proxy before a server, at a port that was free a moment ago: where
/// somebody else has taken it, at another.
pub fn start(kind: Kind, server: SocketAddr) -> Proxy {
    for _ in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        make_certificate(dir.path());
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap();
        drop(free);
        let mut command = kind(dir.path(), address, server);
        let log = fs::File::create(dir.path().join("log")).unwrap();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?}: {error}; scripts/test installs what is needed")
            });
        let mut ended = None;
        eventually("the proxy listens", || {
            ended = child.try_wait().unwrap();
            ended.is_some() || TcpStream::connect(address).is_ok()
        });
        let log = fs::read_to_string(dir.path().join("log")).unwrap();
        match ended {
            None => {
                return Proxy {
                    child,
                    address,
                    dir,
                };
            }
            Some(_) if log.contains("in use") => {}
            Some(status) => panic!("{command:?}: {status}: {log}"),
        }
    }
    panic!("every port was taken");
}

impl Proxy {
    /// Calls it as a sender does: status and body.
    pub fn call(&self, path: &str, headers: &[&str], body: &[u8]) -> (u16, String) {
        let mut command = clean("curl");
        command.args([
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--path-as-is",
        ]);
        command.args(["--write-out", "\n%{http_code}", "--cacert"]);
        command.arg(self.dir.path().join("fullchain.pem"));
        command.arg("--resolve");
        command.arg(format!("{HOST}:{}:127.0.0.1", self.address.port()));
        for header in headers {
            command.args(["--header", header]);
        }
        if !body.is_empty() {
            fs::write(self.dir.path().join("body"), body).unwrap();
            command.arg("--data-binary");
            command.arg(format!("@{}", self.dir.path().join("body").display()));
        }
        command.arg(format!("https://{HOST}:{}{path}", self.address.port()));
        let text = run(&mut command);
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    /// The certificate that its clients trust.
    pub fn certificate(&self) -> PathBuf {
        self.dir.path().join("fullchain.pem")
    }

    fn names(&self) -> Vec<PathBuf> {
        let names = fs::read_dir(self.dir.path()).unwrap();
        names.map(|entry| entry.unwrap().path()).collect()
    }
}

/// A call reaches the server as it was signed.
fn passes_on_what_was_signed(kind: Kind) {
    let (server, recorded) = recorder();
    let proxy = start(kind, server);
    let path = "/webhook/crm?a=b%20c&%64=%2F";
    let body = b"type=update&profile=5&time=1760000000&fields%5Bx%5D=%FF\r\n\0";
    let claims = [
        "X-Forwarded-For: 192.0.2.1",
        "Forwarded: for=192.0.2.1",
        "Content-Type: application/x-www-form-urlencoded",
    ];
    let headers: Vec<&str> = SIGNED.iter().chain(&claims).copied().collect();
    assert_eq!(proxy.call(path, &headers, body), (200, "ok".to_owned()));
    let (head, got) = recorded.join().unwrap();
    assert_eq!(head[0], format!("POST {path} HTTP/1.1"));
    assert_eq!(got, body);
    let port = proxy.address.port();
    assert_eq!(value_of(&head, "Host"), Some(format!("{HOST}:{port}")));
    for line in SIGNED.iter().chain(&claims[2..]) {
        let (name, value) = line.split_once(": ").unwrap();
        assert_eq!(value_of(&head, name).as_deref(), Some(value));
    }
    // Of where it came from, the server hears what the proxy saw.
    let from = value_of(&head, "X-Forwarded-For");
    assert_eq!(from.as_deref(), Some("127.0.0.1"));
    assert_eq!(value_of(&head, "Forwarded"), None);
}

/// Calls through a proxy are kept, refused and listed as those without one, and
/// nothing else of the server can be reached.
fn serves(kind: Kind) -> Proxy {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let proxy = start(kind, server.address);
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let big = format!(
        "type=update&profile=5&time=1760000000&x={}",
        "y".repeat(900_000)
    );
    for (number, body) in [crate::support::BODY, &big].iter().enumerate() {
        let kept = format!("{{\"seq\":{}}}", number + 1);
        assert_eq!(proxy.call("/webhook", &form, body.as_bytes()), (200, kept));
    }
    let (status, _) = proxy.call("/webhook/crm", &form, b"nothing");
    assert_eq!(status, 400);
    // What is too long for the server is the server's to refuse.
    let (status, text) = proxy.call("/webhook", &form, &vec![b'y'; 4_500_000]);
    assert_eq!(status, 413);
    assert!(text.contains("at most 4194304 are accepted"), "{text}");
    // The file that Copernica fetches before it calls, from either place.
    let file = data.path().join("smtpeter-abc12.txt");
    fs::write(&file, "x-42").unwrap();
    cli(data.path(), &["validation", "add", file.to_str().unwrap()]).ok();
    for path in ["/smtpeter-abc12.txt", "/webhook/smtpeter-abc12.txt"] {
        assert_eq!(
            proxy.call(path, &[], b""),
            (200, "x-42".to_owned()),
            "{path}"
        );
    }
    let healthy = (200, "{\"status\":\"ok\"}".to_owned());
    assert_eq!(proxy.call("/healthz", &[], b""), healthy);
    for path in ["/", "/webhooks", "/metrics", "/healthz/x", "/x/../webhooks"] {
        let (status, text) = proxy.call(path, &[], b"");
        assert_eq!(status, 404, "{path}");
        assert!(
            !text.contains("there is nothing here"),
            "{path} was passed on"
        );
    }
    let rejected = json_lines(&cli(data.path(), &["rejected"]).ok());
    assert_eq!(rejected.len(), 2);
    assert_eq!(crate::support::exported(data.path()).len(), 2);
    server.stop();
    proxy
}

#[test]
fn nginx_passes_on_what_was_signed() {
    passes_on_what_was_signed(nginx);
}

#[test]
fn caddy_passes_on_what_was_signed() {
    passes_on_what_was_signed(caddy);
}

#[test]
fn a_server_behind_nginx_is_reached() {
    let proxy = serves(nginx);
    // No body was ever in a file of nginx.
    let bodies = proxy.dir.path().join("client_body");
    assert!(proxy.names().contains(&bodies));
    assert_eq!(fs::read_dir(bodies).unwrap().count(), 0);
    let log = fs::read_to_string(proxy.dir.path().join("log")).unwrap();
    assert!(!log.contains("temporary file"), "{log}");
}

#[test]
fn a_server_behind_caddy_is_reached() {
    serves(caddy);
}

#[test]
fn doctor_tries_the_public_address() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), &[]);
    let proxy = start(nginx, server.address);
    let dns = DnsServer::start();
    let asked = dns.address().to_string();
    let trusted = proxy.certificate();
    let doctor = |roots: &Path, host: &str| {
        let certificate = trusted.to_str().unwrap();
        let args = ["doctor", "--format", "jsonl", "--public-host", host];
        let more = ["--tls-cert", certificate, "--dns-server", &asked];
        let outcome = Cli::new(data.path(), &[&args[..], &more].concat())
            .env("SSL_CERT_FILE", roots)
            .run();
        json_lines(&outcome.stdout)
    };
    let result = |lines: &[serde_json::Value], check: &str| {
        let line = lines.iter().find(|line| line["check"] == check).unwrap();
        (
            line["result"].as_str().unwrap().to_owned(),
            line.to_string(),
        )
    };
    let file = proxy.dir.path().join("v.txt");
    fs::write(&file, "content").unwrap();
    cli(data.path(), &["validation", "add", file.to_str().unwrap()]).ok();
    let host = format!("localhost:{}", proxy.address.port());
    let found = doctor(&trusted, &host);
    for check in ["public", "certificate", "validation"] {
        let (result, line) = result(&found, check);
        assert_eq!(result, "ok", "{line}");
    }
    // Nobody trusts it whose roots do not hold it.
    let none = proxy.dir.path().join("none.pem");
    fs::write(&none, "").unwrap();
    let (verdict, line) = result(&doctor(&none, &host), "public");
    assert_eq!(verdict, "problem", "{line}");
    assert!(line.contains("is not trusted"), "{line}");
    // Nor where the name is another.
    let other = format!("127.0.0.1:{}", proxy.address.port());
    let found = doctor(&trusted, &other);
    for check in ["public", "certificate"] {
        let (verdict, line) = result(&found, check);
        assert_eq!(verdict, "problem", "{line}");
    }
    // A proxy with nothing behind it.
    server.stop();
    let found = doctor(&trusted, &host);
    let (verdict, line) = result(&found, "public");
    assert_eq!(verdict, "problem", "{line}");
    assert!(line.contains("is answered 502"), "{line}");
    let (verdict, line) = result(&found, "validation");
    assert_eq!(verdict, "problem", "{line}");
}

#[test]
fn both_programs_find_the_examples_right() {
    let dir = tempfile::tempdir().unwrap();
    make_certificate(dir.path());
    let [address, server] = ["127.0.0.1:1", "127.0.0.1:2"].map(|text| text.parse().unwrap());
    let text = run(nginx(dir.path(), address, server).arg("-t"));
    assert!(!text.contains("[warn]"), "{text}");
    caddy(dir.path(), address, server);
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/caddy.example");
    let mut command = clean("caddy");
    command.args(["validate", "--adapter", "caddyfile", "--config"]);
    let text = run(command.arg(&file).env("HOME", dir.path()));
    assert!(!text.contains("\"level\":\"warn\""), "{text}");
}

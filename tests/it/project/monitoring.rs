//! The files for Prometheus and Grafana, held against a real Prometheus that
//! scrapes a real server.
//!
//! Proven: promtool finds nothing wrong with the exposition, each alert fires for
//! what it is made for, and each query of the dashboard and of the rules is answered
//! with samples of this server or names only metrics that it has.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use crate::support::http::token;
use crate::support::{BODY, Client, clean, data, eventually, new_server};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs promtool, which must be content and print nothing but that.
fn promtool(args: &[&str], input: &str) {
    let mut child = clean("promtool")
        .args(args)
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool; scripts/test installs what is needed");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
    assert!(output.status.success(), "{args:?}: {}", said.concat());
    assert!(said[1].is_empty(), "{args:?}: {}", said[1]);
}

#[test]
fn each_alert_fires_for_what_it_is_made_for() {
    promtool(&["check", "rules", "scripts/prometheus-rules.yml"], "");
    promtool(
        &["test", "rules", "tests/fixtures/monitoring/rules.yml"],
        "",
    );
    // Each is tried.
    let read = |name: &str| std::fs::read_to_string(root().join(name)).unwrap();
    let tried = read("tests/fixtures/monitoring/rules.yml");
    let rules = read("scripts/prometheus-rules.yml");
    let alerts = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    for alert in alerts {
        assert!(tried.contains(alert), "{alert}");
    }
}

/// A Prometheus that ends with its test.
struct Prometheus(Child, Client);

impl Prometheus {
    /// One that scrapes a server five times a second.
    fn start(dir: &Path, scraped: &str, token: &str) -> Self {
        let config = format!(
            "global: {{ scrape_interval: 200ms, evaluation_interval: 200ms }}\n\
             rule_files: [{}/scripts/prometheus-rules.yml]\n\
             scrape_configs:\n\
             - job_name: profiletrail\n  authorization: {{ credentials: {token} }}\n  \
             static_configs: [{{ targets: ['{scraped}'] }}]\n",
            root().display()
        );
        let file = dir.join("prometheus.yml");
        std::fs::write(&file, config).unwrap();
        let mut child = clean("prometheus")
            .arg(format!("--config.file={}", file.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                dir.join("tsdb").display()
            ))
            .arg("--web.listen-address=127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("prometheus; scripts/test installs what is needed");
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut log = String::new();
        let address = loop {
            let Some(line) = lines.next() else {
                panic!("no Prometheus: {log}");
            };
            let line = line.unwrap();
            if let Some((_, address)) = line.split_once("msg=\"Listening on\" address=") {
                break address.parse().unwrap();
            }
            log.push_str(&line);
        };
        // It must not block on a full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        eventually("Prometheus is ready", || {
            Client::connect(address).get("/-/ready").status == 200
        });
        Self(child, Client::connect(address))
    }

    fn ask(&mut self, target: &str) -> Value {
        let reply = self.1.get(target).json();
        assert_eq!(reply["status"], "success", "{target}: {reply}");
        reply["data"].clone()
    }

    /// The number of series that a query is answered with.
    fn series(&mut self, query: &str) -> usize {
        let query: String = form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let data = self.ask(&format!("/api/v1/query?query={query}"));
        data["result"].as_array().unwrap().len()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The names of this program's metrics in a text.
fn metrics_in(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    words
        .filter(|word| word.starts_with("profiletrail_"))
        .collect()
}

#[test]
fn the_exposition_the_dashboard_and_the_rules_are_right_about_each_other() {
    let (dir, server) = new_server(&["--api", "127.0.0.1:0"]);
    server.client().post("/webhook", BODY).seq();
    let token = token(&data(&dir), "metrics");
    let scraped = server.api().to_string();
    let bearer = format!("Bearer {token}");
    let scrape = || {
        let headers = [("Authorization", bearer.as_str()), ("Accept", "text/plain")];
        let reply = Client::connect(server.api()).request("GET", "/metrics", &headers, b"");
        String::from_utf8(reply.body).unwrap()
    };
    // Things that have happened once, so that they have a series.
    assert_eq!(server.client().post("/webhook", "x").status, 400);
    assert_eq!(server.client().get("/webhook").status, 405);
    let text = scrape();
    promtool(&["check", "metrics"], &text);

    let mut prometheus = Prometheus::start(dir.path(), &scraped, &token);
    let dashboard = std::fs::read_to_string(root().join("scripts/grafana-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let mut asked = 0;
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            // What only signed calls have.
            if query.contains("last_signed_date_age") {
                continue;
            }
            let query = query
                .replace("$job", "profiletrail")
                .replace("$instance", ".*")
                .replace("$__rate_interval", "30s");
            assert!(!query.contains('$'), "{query}");
            eventually(&query, || prometheus.series(&query) > 0);
            asked += 1;
        }
    }
    assert!(asked > 20, "{asked}");
    // The rules are evaluated without an error, and fire for the rejected call alone.
    let mut rules = Value::Null;
    eventually("the rules are evaluated", || {
        rules = prometheus.ask("/api/v1/rules")["groups"][0]["rules"].take();
        let rules = rules.as_array().unwrap();
        rules.iter().all(|rule| rule["health"] != "unknown")
    });
    for rule in rules.as_array().unwrap() {
        assert_eq!(rule["health"], "ok", "{rule}");
    }
    drop(prometheus);

    // And all names are names of metrics, in the page that explains them, too; which has all.
    let text = scrape()
        + "profiletrail_last_signed_date_age_seconds profiletrail_last_anchor_age_seconds profiletrail_last_anchor_event";
    let known = metrics_in(&text);
    for file in [
        "scripts/grafana-dashboard.json",
        "scripts/prometheus-rules.yml",
        "docs/monitoring.md",
    ] {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        for name in metrics_in(&text) {
            assert!(known.contains(name), "{file}: {name}");
        }
    }
    let page = std::fs::read_to_string(root().join("docs/monitoring.md")).unwrap();
    for name in known {
        let name = ["_bucket", "_count", "_sum"]
            .iter()
            .find_map(|end| name.strip_suffix(end))
            .unwrap_or(name);
        assert!(page.contains(name), "docs/monitoring.md: {name}");
    }
    server.stop();
}

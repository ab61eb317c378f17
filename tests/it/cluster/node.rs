//! A node: a server with its own folder, and the NATS server beside it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::nats::{COUNT, NatsServers};
use crate::support::{Client, Server, cli, eventually, json_lines};

pub struct Node {
    pub dir: PathBuf,
    pub server: Option<Server>,
    /// Its NATS servers, the nearest first.
    pub nats: String,
}

impl Node {
    /// A node that is not started.
    pub fn new(dir: PathBuf, servers: &NatsServers, own: usize) -> Self {
        let urls: Vec<_> = (own..own + COUNT)
            .map(|number| format!("nats://{}", servers.client(number % COUNT)))
            .collect();
        Self {
            dir,
            server: None,
            nats: urls.join(","),
        }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub fn run(&mut self) {
        let args = [
            "--nats",
            &self.nats,
            "--segment-size",
            "40KiB",
            "--log",
            "info",
        ];
        self.server = Some(Server::start(&self.data(), &args));
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    pub fn stop(&mut self) {
        self.server.take().unwrap().stop();
    }

    pub fn kill(&mut self) {
        self.server.take().unwrap().kill();
    }

    pub fn is_ready(&self) -> bool {
        let reply = Client::try_connect(self.server().address)
            .and_then(|mut client| client.try_request("GET", "/readyz", &[], b""));
        reply.is_ok_and(|reply| reply.status == 200)
    }

    #[track_caller]
    pub fn wait_ready(&self) {
        let log = || self.server().log();
        let begun = std::time::Instant::now();
        while !self.is_ready() {
            assert!(begun.elapsed() < super::PATIENCE, "never ready: {}", log());
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Makes its folder anew from a backup of another one.
    pub fn restore(&self, from: &Self) {
        let backup = self.dir.join("backup");
        let _ = std::fs::remove_dir_all(&backup);
        let _ = std::fs::remove_dir_all(self.data());
        std::fs::create_dir_all(&self.dir).unwrap();
        let path = backup.to_str().unwrap();
        cli(&from.data(), &["backup", path]).ok();
        cli(&self.data(), &["restore", path]).ok();
    }

    /// All events, with their numbers.
    pub fn events(&self) -> String {
        cli(&self.data(), &["export", "--raw"]).ok()
    }

    /// The body of each event, by its number.
    pub fn bodies(&self) -> BTreeMap<u64, String> {
        let lines = json_lines(&self.events());
        let line = |line: &Value| {
            let body = line["body"].as_str().unwrap_or_default().to_owned();
            (line["seq"].as_u64().unwrap(), body)
        };
        lines.iter().map(line).collect()
    }

    /// Everything that must be the same on all nodes.
    pub fn answers(&self) -> BTreeMap<&'static str, String> {
        let ask = |args: &[&str]| {
            let outcome = cli(&self.data(), args);
            assert!(
                matches!(outcome.status, Some(0 | 1)),
                "{args:?}: {outcome:?}"
            );
            outcome.stdout
        };
        let checkpoint = ask(&["checkpoint"]);
        // The signature is each node's own.
        let tree: Vec<_> = checkpoint.lines().skip(1).take(2).collect();
        let jsonl = |args: &[&str]| ask(&[args, &["--format", "jsonl"]].concat());
        BTreeMap::from([
            ("tree", tree.join("\n")),
            ("export", self.events()),
            ("rejected", jsonl(&["rejected"])),
            ("changes", jsonl(&["changes"])),
            (
                "history",
                jsonl(&["history", "1", "--all", "--subprofiles"]),
            ),
            ("show", jsonl(&["show", "2", "--at", "2030-01-01"])),
        ])
    }
}

/// Three nodes, the first of which has begun the order.
pub fn three(dir: &Path, servers: &NatsServers) -> Vec<Node> {
    let mut nodes: Vec<_> = (0..COUNT)
        .map(|own| Node::new(dir.join(format!("node{own}")), servers, own))
        .collect();
    std::fs::create_dir_all(&nodes[0].dir).unwrap();
    nodes[0].run();
    nodes[0].wait_ready();
    for own in 1..COUNT {
        nodes[own].restore(&nodes[0]);
        nodes[own].run();
        nodes[own].wait_ready();
    }
    nodes
}

/// Waits until all nodes have the same, and returns it.
#[track_caller]
pub fn converge(nodes: &[Node]) -> BTreeMap<&'static str, String> {
    let last = |node: &Node| {
        let stats = cli(&node.data(), &["stats", "--format", "jsonl"]).ok();
        (
            json_lines(&stats)[0]["events"].clone(),
            json_lines(&stats)[0]["rejected"].clone(),
        )
    };
    eventually("all nodes have as many", || {
        let first = last(&nodes[0]);
        nodes.iter().all(|node| last(node) == first)
    });
    let first = nodes[0].answers();
    for node in &nodes[1..] {
        let other = node.answers();
        for (question, answer) in &first {
            assert_eq!(
                &other[question],
                answer,
                "{question} differs in {}",
                node.dir.display()
            );
        }
    }
    first
}

//! Proven: a folder that belongs to a cluster is written to through the cluster alone, and one
//! that was not is found out; what one node erases is erased on all; and `doctor` names what
//! would lose calls.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use memchr::memmem;

use super::node::{converge, three};
use crate::support::nats::NatsServers;
use crate::support::{BODY, Cli, Server, cli, eventually, json_lines};

#[test]
fn a_folder_that_was_written_to_outside_takes_no_calls() {
    let dir = tempfile::tempdir().unwrap();
    let servers = NatsServers::start(&dir.path().join("nats"), true);
    let mut nodes = three(dir.path(), &servers);
    nodes[0].server().client().post("/webhook", BODY).seq();
    converge(&nodes);
    nodes[2].stop();
    // Nothing is appended without the others.
    let data = nodes[2].data();
    let line = cli(&data, &["export", "--raw"]).ok();
    let refused = Cli::new(&data, &["import"])
        .stdin(line.replace("mail", "other"))
        .run();
    assert!(refused.failed(3).contains("belongs to a cluster"));
    let refused = cli(
        &data,
        &["erase", "5", "--reason", "x", "--yes", "--still-present"],
    );
    assert!(refused.failed(3).contains("belongs to a cluster"));
    let (status, log) = Server::try_start(&data, &[]).map(drop).unwrap_err();
    assert!(
        status == Some(3) && log.contains("belongs to a cluster"),
        "{log}"
    );
    // Who removes the file has left, and takes calls alone.
    std::fs::remove_file(data.join("cluster")).unwrap();
    let alone = Server::start(&data, &[]);
    alone
        .client()
        .post("/webhook", BODY.replace("=a", "=b"))
        .seq();
    alone.stop();
    nodes[2].run();
    eventually("it is found out", || {
        nodes[2].server().log().contains("outside of the cluster")
    });
    assert!(!nodes[2].is_ready());
    assert_eq!(
        nodes[2].server().client().post("/webhook", BODY).status,
        503
    );
    nodes[2].kill();
    nodes[2].restore(&nodes[1]);
    nodes[2].run();
    nodes[2].wait_ready();
    converge(&nodes);
}

#[test]
fn who_is_erased_on_one_node_is_erased_on_one_that_was_away() {
    let dir = tempfile::tempdir().unwrap();
    let servers = NatsServers::start(&dir.path().join("nats"), true);
    let mut nodes = three(dir.path(), &servers);
    for call in 0..12 {
        let body = format!(
            "type=update&profile={}&time=17600000{call:02}&fields[v]=canary{call}",
            call % 3 + 5
        );
        nodes[call % 3]
            .server()
            .client()
            .post("/webhook", body)
            .seq();
    }
    converge(&nodes);
    nodes[2].stop();
    assert!(!files_with(&servers.store(0), b"canary4").is_empty());
    let order = [
        "erase",
        "6",
        "--reason",
        "asked",
        "--yes",
        "--still-present",
        "--format",
        "jsonl",
    ];
    let line = json_lines(&cli(&nodes[0].data(), &order).ok()).remove(0);
    assert_eq!(line["events"], 4);
    nodes[1].server().client().post("/webhook", BODY).seq();
    // Without the third node all of it must stay, and nothing is published to push it out.
    std::thread::sleep(Duration::from_secs(8));
    assert!(!files_with(&servers.store(0), b"canary4").is_empty());
    assert!(bytes_of(&servers.store(0)) < 1 << 20);
    nodes[2].run();
    nodes[2].wait_ready();
    for node in &nodes {
        eventually("the profile is erased", || {
            let asked = cli(&node.data(), &["history", "6"]);
            asked.status == Some(1) && asked.stderr.contains("was erased")
        });
    }
    let erased = |node: &super::node::Node| {
        let format = std::fs::read_to_string(node.data().join("format")).unwrap();
        serde_json::from_str::<serde_json::Value>(&format).unwrap()["erasures"].clone()
    };
    eventually("the receipt is the same", || {
        nodes.iter().all(|node| erased(node) == erased(&nodes[0]))
    });
    assert_eq!(erased(&nodes[0])[0]["receipt"], line["receipt"]);
    converge(&nodes);
    // Nor is it in a file of a NATS server, and the order goes on.
    let left = || {
        let own = |own: usize| files_with(&servers.store(own), b"canary4");
        (0..nodes.len()).flat_map(own).collect::<Vec<_>>()
    };
    let begun = Instant::now();
    while !left().is_empty() {
        assert!(begun.elapsed() < super::PATIENCE, "{:?}", left());
        std::thread::sleep(Duration::from_secs(1));
    }
    let seq = nodes[1].server().client().post("/webhook", BODY).seq();
    assert_eq!(
        nodes[0].server().client().post("/webhook", BODY).seq(),
        seq + 1
    );
    nodes[0].kill();
    nodes[0].run();
    nodes[0].wait_ready();
    converge(&nodes);
}

/// The files of a folder, in which a server works on.
fn files_of(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        for path in entries.map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            match std::fs::read(&path) {
                Ok(bytes) => files.push((path, bytes)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::NotFound, "{}", path.display()),
            }
        }
    }
    files
}

/// Those that have some bytes.
fn files_with(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let files = files_of(folder).into_iter();
    let found = files.filter(|(_, own)| memmem::find(own, bytes).is_some());
    found.map(|(path, _)| path).collect()
}

/// How long they are, without bytes that are 0: a block is as long as it may become.
fn bytes_of(folder: &Path) -> usize {
    let files = files_of(folder);
    let bytes = files.iter().flat_map(|(_, own)| own);
    bytes.filter(|byte| **byte != 0).count()
}

#[test]
fn doctor_names_servers_that_do_not_sync() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    for (syncs, result) in [(true, "ok"), (false, "problem")] {
        let servers = NatsServers::start(&dir.path().join(result), syncs);
        let monitor = servers.monitor(1);
        let args = [
            "doctor",
            "--offline",
            "--nats-monitor",
            &monitor,
            "--format",
            "jsonl",
        ];
        let findings = json_lines(&cli(&data, &args).stdout);
        let found = findings
            .iter()
            .find(|finding| finding["check"] == "nats")
            .unwrap();
        assert_eq!(found["result"], result, "{found}");
    }
}

//! The files by which Copernica validates an address, through the real binary.
//!
//! Proven: a file is served as soon as it is added and no longer once it is removed, byte for byte,
//! under its name alone; names, sizes and numbers beyond the limits are refused.

use std::fs;
use std::path::Path;

use crate::support::{BODY, Outcome, cli, data, has, json_lines, new_server};
use serde_json::json;

fn validation(data: &Path, args: &[&str]) -> Outcome {
    cli(data, &[&["validation"], args].concat())
}

fn add(dir: &Path, name: &str, content: impl AsRef<[u8]>) -> Outcome {
    let file = dir.join(name);
    fs::write(&file, content).unwrap();
    validation(&dir.join("data"), &["add", file.to_str().unwrap()])
}

#[test]
fn a_file_is_served_from_both_places_while_the_server_runs() {
    let (dir, server) = new_server(&[]);
    let mut client = server.client();
    let content = b"smtpeter=42\r\n\xff\0";
    let paths = ["/smtpeter-abc12.txt", "/webhook/smtpeter-abc12.txt"];
    for path in paths {
        assert_eq!(client.get(path).status, 404);
    }
    let line = add(dir.path(), "smtpeter-abc12.txt", content).ok();
    let expected = [json!({"name": "smtpeter-abc12.txt", "bytes": content.len()})];
    assert_eq!(json_lines(&line), expected);
    for path in [paths[0], paths[1], "/smtpeter-abc12.txt?a=/b"] {
        let reply = client.get(path);
        assert_eq!((reply.status, reply.body.as_slice()), (200, &content[..]));
        assert_eq!(reply.header("Content-Type"), Some("text/plain"));
        client
            .send(format!("HEAD {path} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes())
            .unwrap();
        let reply = client.receive(true).unwrap();
        let length = content.len().to_string();
        assert_eq!(
            (reply.status, reply.header("Content-Length")),
            (200, Some(length.as_str()))
        );
    }
    for path in [
        "/SMTPETER-abc12.txt",
        "/smtpeter-abc12",
        "/smtpeter-abc12.txt/",
        "/webhook/crm/smtpeter-abc12.txt",
        "/webhook//smtpeter-abc12.txt",
        "/../data/format",
        "/webhook/../format",
        "/validation/smtpeter-abc12.txt",
        "/smtpeter-abc12.txt.new",
    ] {
        assert_eq!(client.get(path).status, 404, "{path}");
    }
    // A call there is one to an unknown address; labels are none the worse.
    assert_eq!(client.post(paths[1], BODY).status, 404);
    assert_eq!(client.post("/webhook/smtpeter-abc12", BODY).status, 200);
    // Added again, it is replaced; removed, it is gone.
    add(dir.path(), "smtpeter-abc12.txt", "").ok();
    assert_eq!(client.get(paths[0]).body, b"");
    let data = data(&dir);
    assert_eq!(json_lines(&validation(&data, &["list"]).ok()).len(), 1);
    validation(&data, &["remove", "smtpeter-abc12.txt"]).ok();
    assert_eq!(client.get(paths[0]).status, 404);
    let said = validation(&data, &["remove", "smtpeter-abc12.txt"]).failed(1);
    assert!(said.contains("validation list"), "{said}");
    validation(&data, &["list"]).failed(1);
    server.stop();
}

#[test]
fn names_sizes_and_numbers_have_limits() {
    let dir = tempfile::tempdir().unwrap();
    for name in [
        "a.b.txt",
        "a.html",
        ".txt",
        "é.txt",
        "a b.txt",
        &format!("{}.txt", "a".repeat(65)),
    ] {
        let said = add(dir.path(), name, "x").failed(2);
        has(&said, &["is not the name of a validation file"]);
    }
    let long = add(dir.path(), "long.txt", vec![b'x'; 4097]).failed(3);
    assert!(long.contains("4096 bytes"), "{long}");
    add(
        dir.path(),
        &format!("{}.txt", "a".repeat(64)),
        vec![b'x'; 4096],
    )
    .ok();
    for number in 1..16 {
        add(dir.path(), &format!("{number}.txt"), "x").ok();
    }
    let said = add(dir.path(), "more.txt", "x").failed(3);
    assert!(said.contains("validation remove NAME"), "{said}");
    add(dir.path(), "1.txt", "y").ok();
    let listed = validation(&dir.path().join("data"), &["list"]).ok();
    assert_eq!(json_lines(&listed).len(), 16);
    let missing = dir.path().join("missing.txt");
    let said = validation(
        &dir.path().join("data"),
        &["add", missing.to_str().unwrap()],
    )
    .failed(3);
    assert!(said.contains("missing.txt"), "{said}");
}

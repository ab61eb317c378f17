//! A few calls, and an export that says otherwise.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Outcome, Server, cli};

pub const HOSTILE: &str = "<script>alert(1)</script>\u{202e}\u{1b}[31m";

/// The calls: profiles 1 to 5 of database 7, of which 4 is deleted, one of
/// another database, and two subprofiles.
pub const CALLS: [&str; 8] = [
    "type=create&profile=1&database=7&time=1760000000&fields[mail]=a&fields[city]=Utrecht&fields[note]=x%3By&interests[]=news",
    "type=create&profile=2&database=7&time=1760000000&fields[mail]=b&fields[city]=",
    "type=create&profile=3&database=7&time=1760000000&fields[mail]=c",
    "type=create&profile=4&database=7&time=1760000000&fields[mail]=d",
    "type=delete&profile=4&database=7&time=1760000100",
    "type=create&profile=6&database=8&time=1760000000&fields[mail]=f",
    "type=create&profile=1&subprofile=11&collection=3&database=7&time=1760000000&fields[order]=1",
    "type=create&profile=1&subprofile=12&collection=3&database=7&time=1760000000&fields[order]=2",
];

pub const AT: &str = "@1760001000";

pub struct Shop {
    pub dir: tempfile::TempDir,
    pub server: Option<Server>,
}

impl Shop {
    pub fn open() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::start(&dir.path().join("data"), &["--signature", "off"]);
        let mut client = server.client();
        for (seq, body) in (1..).zip(CALLS) {
            assert_eq!(client.post("/webhook/shop", body).seq(), seq);
        }
        Self {
            dir,
            server: Some(server),
        }
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn close(&mut self) {
        self.server.take().unwrap().stop();
    }

    pub fn file(&self, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.dir.path().join("export.csv");
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn reconcile(&self, bytes: impl AsRef<[u8]>, args: &[&str]) -> Outcome {
        reconcile(&self.data(), &self.file(bytes), args)
    }
}

pub fn reconcile(data: &Path, file: &Path, args: &[&str]) -> Outcome {
    let mut all = vec!["reconcile", file.to_str().unwrap(), "--at", AT];
    all.extend(args);
    cli(data, &all)
}

pub fn field(profile: u64, field: &str, trail: Value, file: &str) -> Value {
    json!({"profile": profile, "subprofile": null, "field": field, "trail": trail, "file": file})
}

pub fn finding(profile: u64, finding: &str) -> Value {
    json!({"profile": profile, "subprofile": null, "finding": finding})
}

/// All that differs in the file of [`WHOLE`].
pub fn differences() -> Vec<Value> {
    vec![
        field(1, "city", json!("Utrecht"), "'s-Gravenhage; \"Den Haag\"\n"),
        field(2, "note", Value::Null, HOSTILE),
        finding(3, "gone"),
        finding(4, "deleted"),
        finding(9, "unknown"),
    ]
}

/// Rows in no order, with all that a cell can have.
pub fn whole() -> String {
    format!(
        "\u{feff}ID;mail;city;note\r\n\
         9;z;;\r\n\
         1;a;\"'s-Gravenhage; \"\"Den Haag\"\"\n\";x;y\r\n\
         4;d;;\r\n\
         \" 2 \";b;;{HOSTILE}\r\n"
    )
    .replace(";x;y", ";\"x;y\"")
}

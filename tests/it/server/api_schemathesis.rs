//! The query API as schemathesis sees it, which makes requests from the API's
//! own description and holds every answer to it.
//!
//! Proven over a store with hostile values, damage and what was rejected: no
//! request fails the server; no answer has a status, a type, a header or a line
//! that is not described; what is described as wrong is refused, and what is
//! described as right is answered.

use std::path::Path;
use std::process::Command;

use crate::support::http::{self, token};
use crate::support::{Server, clean, data, flip, segments};

/// Calls with values that do harm elsewhere, of the profiles 1 to 4.
fn fill(server: &Server) {
    let mut client = server.client();
    let values = [
        "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "%E2%80%AE%00%1B%5B31m",
        "%F0%9F%91%A9%E2%80%8D%F0%9F%92%BB",
        "%ff%fe",
        "'%20OR%201%3D1%3B--",
        "",
    ];
    for (number, value) in values.iter().cycle().take(48).enumerate() {
        let profile = number % 4 + 1;
        let kind = ["create", "update", "click", "update", "update", "delete"][number / 4 % 6];
        let time = 1_760_000_000 + number * 977 % 40;
        let of = if number % 8 > 3 {
            "&subprofile=2&collection=9"
        } else {
            ""
        };
        let body = format!(
            "type={kind}&profile={profile}{of}&time={time}&parameters[{value}]=1&fields[{value}]={number}\
             &fields[mail]={value}&interests[{value}]=1&{value}=x&created={value}"
        );
        client
            .post(["/webhook", "/webhook/crm"][number % 2], body)
            .seq();
        client.post("/webhook", format!("type=update&profile={value}x"));
    }
    client
        .post(
            "/webhook",
            "profile=1&time=253402300799&type=update&fields[a]=1",
        )
        .seq();
    client
        .post(
            "/webhook",
            "profile=1&time=-62167219200&type=update&fields[a]=1",
        )
        .seq();
}

/// Where schemathesis is; it is installed where it is not.
fn programs() -> String {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis/install");
    let installed = Command::new(install).output().unwrap();
    let stderr = String::from_utf8_lossy(&installed.stderr).into_owned();
    assert!(installed.status.success(), "{stderr}");
    String::from_utf8(installed.stdout)
        .unwrap()
        .trim()
        .to_owned()
}

#[test]
fn schemathesis_finds_nothing() {
    let programs = programs();
    let dir = tempfile::tempdir().unwrap();
    let server = Server::start(&data(&dir), &["--segment-size", "1000B"]);
    fill(&server);
    server.stop();
    // An event in the middle is damaged.
    let segments = segments(&data(&dir));
    flip(&segments[segments.len() / 2], |bytes| bytes.len() / 2);
    let server = Server::start(&data(&dir), &["--api", "127.0.0.1:0"]);
    let lines = http::ask(server.api(), &token(&data(&dir), "read"), "/v1/export").body;
    assert!(String::from_utf8(lines).unwrap().contains("{\"damage\":"));
    let bearer = format!("Authorization: Bearer {}", token(&data(&dir), "read"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/schemathesis");
    let url = format!("http://{}/v1/openapi.json", server.api());
    let ran = clean(Path::new(&programs).join("schemathesis"))
        .current_dir(&folder)
        .args(["--config-file", "schemathesis.toml", "run"])
        .args(["--header", &bearer, "--continue-on-failure", &url])
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("SCHEMATHESIS_CACHE", dir.path())
        .output()
        .unwrap();
    let stdout = String::from_utf8_lossy(&ran.stdout);
    let stderr = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "{stdout}{stderr}");
    // That much was asked.
    let mut words = stdout.split_whitespace().rev();
    words.find(|word| *word == "generated,");
    let count = words.next().and_then(|count| count.parse::<u32>().ok());
    assert!(count.is_some_and(|count| count > 1000), "{stdout}");
    assert!(!server.log().contains("could not be"), "{}", server.log());
    server.stop();
}

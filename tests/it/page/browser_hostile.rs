//! Strangers' texts in a real browser.
//!
//! Proven: nothing that comes from outside runs, loads, asks or leads away,
//! wherever it stands: not in what is there at first, nor in what the page's
//! script puts there, nor in a document to keep. Had anything been tried, the
//! policy that forbids it would have said so in the console.

use crate::support::browser::{Browser, key};
use crate::support::hostile::{BURST, IN_BURST, PAYLOADS, hostile_bursts, hostile_calls};
use crate::support::looks::{judge_console, judge_looks, visited};
use profiletrail::event::now_seconds;
use serde_json::json;

fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// Nothing has run, been set or led away; counts how often that was looked at.
#[track_caller]
fn judge(browser: &Browser, looked: &mut u32, what: &str) {
    assert!(!browser.has_dialog(), "{what}");
    assert_eq!(
        browser.run("return [window.hit ?? null, location.hostname]"),
        json!([null, "127.0.0.1"]),
        "{what}"
    );
    *looked += 1;
}

#[test]
fn nothing_from_outside_runs() {
    let calls = hostile_calls(77, now_seconds() - 3600);
    let (_dir, server, browser) = visited(|client| {
        for call in calls.iter().chain(&hostile_bursts(now_seconds() - 50_000)) {
            client.post("/webhook/label", call).seq();
        }
        for payload in PAYLOADS {
            let body = format!("type=update&profile={}", encoded(payload));
            assert_eq!(client.post("/webhook", body).status, 400);
        }
    });
    let mut looked = 0;
    browser.open(server.api(), "/");
    for (panel, text) in [
        ("gaps", BURST[1]),
        ("incidents", BURST[0]),
        ("loops", BURST[2]),
        ("rejected", "in the last two weeks"),
    ] {
        browser.await_text(&format!("#{panel} + div"), text);
    }
    judge(&browser, &mut looked, "the start page");
    judge_looks(&browser, "the start page");
    // What comes live is put into the page by the script.
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let text = encoded(payload);
        let body = format!(
            "type=update&profile=78&time={}&fields[n]=live{number}&fields[{}]={text}&parameters[n]={number}",
            now_seconds(),
            text.replace("%5B", "(")
        );
        server.client().post("/webhook", body).seq();
    }
    browser.await_text("#live-rows", &format!("live{}", PAYLOADS.len() - 1));
    judge(&browser, &mut looked, "what comes live");
    // So is the state at a moment.
    browser.open(server.api(), "/profile/77");
    browser.run("document.getElementById('slider').focus()");
    for _ in 0..5 {
        browser.keys(&[key::PAGE_DOWN, key::LEFT]);
        browser.await_text("#state", " now.");
        judge(&browser, &mut looked, "the slider");
    }
    let events = (1..=calls.len()).step_by(3);
    let mut targets: Vec<String> = events.map(|seq| format!("/event/{seq}")).collect();
    for payload in PAYLOADS {
        let asked = [
            "/search?q=",
            "/profile/77?at=",
            "/profile/77?field=",
            "/profile/",
        ];
        targets.extend(asked.map(|target| format!("{target}{}", encoded(payload))));
    }
    for asked in [
        format!("{}={}", BURST[2], PAYLOADS[8]),
        format!("{}=*", BURST[2]),
        "mail=johny@example.com*".to_owned(),
        format!("interest {}", PAYLOADS[14]),
    ] {
        let target = format!("/search?q={}", encoded(&asked));
        browser.open(server.api(), &target);
        browser.await_text(".hits", "event");
        judge_looks(&browser, &target);
        targets.push(target);
    }
    targets.extend(
        [
            "/gaps",
            "/incidents",
            "/loops",
            "/rejected",
            "/changes",
            "/changes?order=oldest",
        ]
        .map(str::to_owned),
    );
    for target in &targets {
        browser.open(server.api(), target);
        judge(&browser, &mut looked, target);
    }
    browser.open(server.api(), "/changes");
    judge_looks(&browser, "changes");
    browser.open(server.api(), "/incidents");
    browser.click("a[href^='/incident?']");
    browser.await_text("h1", "Incident");
    judge(&browser, &mut looked, "an incident");
    judge_looks(&browser, "an incident");
    // An event of the burst, of which something was asked.
    browser.open(server.api(), &format!("/event/{}", calls.len() + 60));
    browser.await_text("[aria-labelledby=asked]", PAYLOADS[9]);
    judge(&browser, &mut looked, "what was asked");
    judge_looks(&browser, "what was asked");
    let name = encoded(BURST[2]);
    for target in [
        "/profile/77/dossier".to_owned(),
        format!(
            "/profile/{}/dossier?field={name}&interest={name}",
            IN_BURST.end
        ),
    ] {
        browser.open(server.api(), &target);
        browser.await_text("h1", "Dossier of profile");
        // Its one style is let in.
        assert_eq!(
            browser
                .run("return getComputedStyle(document.querySelector('header')).borderBottomWidth"),
            "3px"
        );
        judge(&browser, &mut looked, &target);
        judge_looks(&browser, &target);
    }
    assert!(looked > 80, "{looked}");
    judge_console(&browser);
    drop(browser);
    server.stop();
}

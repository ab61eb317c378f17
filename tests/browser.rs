//! The page in a real browser.
//!
//! Proven: a person logs in, finds a profile by mail address, moves the slider,
//! opens an event and sees another one arrive, by day and by night and on a
//! phone, and without a mouse; all that can be done without the script, too;
//! texts can be read on their ground, and nothing is wider than the screen;
//! nothing that comes from outside runs. The first paint of a profile of 5,000
//! events is told, and held to nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic
)]

#[path = "support/browser.rs"]
mod browser_support;
#[path = "support/hostile.rs"]
mod hostile;
mod support;

use browser_support::{Browser, LOOKS, Look, UNREADABLE, key};
use hostile::{PAYLOADS, hostile_calls};
use serde_json::json;
use support::http::token;
use support::{Client, Server, data, eventually, new_server};

const UI: [&str; 3] = ["--api", "127.0.0.1:0", "--ui"];

fn now() -> i64 {
    i64::try_from(
        std::time::SystemTime::UNIX_EPOCH
            .elapsed()
            .unwrap()
            .as_secs(),
    )
    .unwrap()
}

/// A server, and a browser that has logged in.
fn visited(fill: impl FnOnce(&mut Client)) -> (tempfile::TempDir, Server, Browser) {
    let (dir, server) = new_server(&UI);
    fill(&mut server.client());
    let browser = Browser::start();
    browser.open(server.api(), "/");
    assert_eq!(browser.target(), "/login?next=%2F");
    browser.type_into("#token", &token(&data(&dir), "read"));
    browser.keys(&[key::ENTER]);
    eventually("a login", || browser.target() == "/");
    (dir, server, browser)
}

/// How many events come before hers.
const OTHERS: u64 = 40;

/// A person who moved, changed her mind thrice, and mistyped her address; and
/// others, in the last two days.
fn fill(client: &mut Client) {
    for number in 0..OTHERS {
        let time = now() - i64::try_from(number * number * 90).unwrap();
        let body = format!(
            "type=create&profile={}&time={time}&fields[city]=Delft",
            200 + number
        );
        client.post("/webhook/shop", body).seq();
    }
    let mut post = |target: &str, days: i64, rest: &str| {
        let time = now() - days * 86_400;
        let body =
            format!("profile=123&database=1&time={time}&fields[name]=Johny%20de%20Vries&{rest}");
        client.post(target, body).seq();
    };
    post(
        "/webhook/form",
        20,
        "type=create&fields[mail]=johny%40example.com&fields[city]=Utrecht&fields[newsletter]=Ja",
    );
    for (days, newsletter) in [(16, "Nee"), (11, "Ja"), (6, "Nee")] {
        let rest = format!(
            "type=update&parameters[newsletter]={newsletter}&fields[newsletter]={newsletter}&fields[mail]=johny%40example.com&fields[city]=Utrecht"
        );
        post("/webhook/form", days, &rest);
    }
    post(
        "/webhook/crm",
        4,
        "type=update&parameters[city]=Gouda&fields[city]=Gouda&fields[newsletter]=Nee&fields[mail]=johny%40example.com&interests[]=news",
    );
    post(
        "/webhook/crm",
        2,
        "type=update&parameters[mail]=johnny%40example.com&fields[city]=Gouda&fields[newsletter]=Nee&fields[mail]=johnny%40example.com&interests[]=news",
    );
}

/// What of the page's texts cannot be read on its ground (WCAG AA), and what is
/// wider than the screen.
#[track_caller]
fn judge_looks(browser: &Browser, what: &str) {
    let unreadable = browser.run(UNREADABLE);
    assert_eq!(unreadable, json!([]), "{what}");
    let wide = browser.run("return document.documentElement.scrollWidth - innerWidth");
    assert!(wide.as_i64().unwrap() <= 0, "{what} is {wide} too wide");
}

/// Nothing was said that a page without a fault does not say.
#[track_caller]
fn judge_console(browser: &Browser) {
    let told = browser.console();
    let expected = |line: &&String| {
        line.contains("Password forms should have")
            || line.contains("the server responded with a status of 40")
    };
    let told: Vec<_> = told.iter().filter(|line| !expected(line)).collect();
    assert!(told.is_empty(), "{told:?}");
}

#[test]
fn a_person_finds_a_profile_and_sees_what_changed_when() {
    let (_dir, server, browser) = visited(fill);
    for (number, look) in LOOKS.into_iter().enumerate() {
        browser.look(look);
        let picture = |page: &str| browser.picture(&format!("{page}-{}", look.name));
        browser.open(server.api(), "/");
        // She is found by what her address was.
        browser.type_into("#q", "mail=johny@example.com");
        browser.keys(&[key::ENTER]);
        browser.await_text("h1", "Who has or had this value");
        judge_looks(&browser, "what was found");
        picture("found");
        browser.click("tbody th a");
        browser.await_text("h1", "Profile 123");
        assert_eq!(browser.target(), "/profile/123");
        assert_eq!(
            browser.run("return document.querySelectorAll('.lane:not(.axis)').length"),
            5
        );
        browser.await_text("#state", "Nothing differs now.");
        // The slider, by keys alone: each a step of a thousandth, or of a tenth.
        browser.run("document.getElementById('slider').focus()");
        browser.keys(&[key::PAGE_DOWN; 5]);
        browser.await_text("#state", "things differ now");
        browser.await_text("#state", "johnny@example.com");
        assert!(browser.text("#state").contains("johny@example.com"));
        let told = browser.run("const it = document.getElementById('slider'); return [it.ariaValueText, document.getElementById('at').value]");
        let (spoken, field) = (
            told[0].as_str().unwrap().replace(' ', "T"),
            told[1].as_str().unwrap(),
        );
        assert!(!field.is_empty() && spoken.starts_with(field), "{told}");
        judge_looks(&browser, "a profile");
        browser.run("scrollTo(0, 0)");
        picture("profile");
        // A change leads to its event.
        browser
            .run("document.querySelector('.lane [aria-label=mail] a.mark:last-of-type').focus()");
        browser.keys(&[key::ENTER]);
        browser.await_text("h1", &format!("Event {}", OTHERS + 6));
        browser.await_text("#main", "johnny@example.com");
        judge_looks(&browser, "an event");
        picture("event");
        // What comes now is seen without asking.
        browser.open(server.api(), "/");
        let body = format!(
            "type=update&profile=9&time={}&parameters[city]=Delft{number}&fields[city]=Delft{number}",
            now()
        );
        let seq = server.client().post("/webhook/live", body).seq();
        browser.await_text("#live-rows tr", &format!("Delft{number}"));
        browser.await_text("#live-told", "1 new event, the last at");
        assert_eq!(
            browser.text("#live-rows tr .what a"),
            format!("event {seq}")
        );
        browser.await_text("#gaps + div", "news");
        browser.await_text("#rejected + div", "every call could be read");
        judge_looks(&browser, "the start page");
        picture("start");
    }
    // Not once it is paused.
    browser.click("#live-pause");
    let shown = browser.run("return document.getElementById('live-rows').children.length");
    server.client().post("/webhook", support::BODY).seq();
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert_eq!(
        browser.run("return document.getElementById('live-rows').children.length"),
        shown
    );
    // On the smallest phone, too.
    browser.look(Look {
        name: "small",
        width: 360,
        height: 640,
        dark: true,
    });
    for target in [
        "/",
        "/profile/123",
        "/event/46",
        "/search?q=mail%3Djohny%40example.com",
        "/profile/123?at=x",
        "/nothing",
    ] {
        browser.open(server.api(), target);
        judge_looks(&browser, target);
    }
    judge_console(&browser);
    browser.click(".out button");
    browser.await_text("h1", "Log in");
    judge_looks(&browser, "the login");
    browser.open(server.api(), "/profile/123");
    browser.await_text("h1", "Log in");
    drop(browser);
    server.stop();
}

#[test]
fn all_can_be_done_without_a_script_and_without_a_mouse() {
    let (_dir, server, browser) = visited(fill);
    // The first thing that Tab reaches leads past the head.
    browser.open(server.api(), "/profile/123");
    browser.keys(&[key::TAB, key::ENTER]);
    assert_eq!(browser.run("return document.activeElement.id"), "main");
    let reached = browser.run(
        "return [...document.querySelectorAll('a, button, input:not([type=hidden]), summary')]
           .filter((it) => it.tabIndex < 0 && !it.closest('[hidden]')).length",
    );
    assert_eq!(reached, 0);
    // Every mark, form and picture has a name.
    let nameless = browser.run(
        "return [...document.querySelectorAll('a, button, input:not([type=hidden]), [role=img], [role=group]')]
           .filter((it) => !(it.ariaLabel || it.textContent.trim() || it.labels?.length)).length",
    );
    assert_eq!(nameless, 0);
    browser.command(
        "Emulation.setScriptExecutionDisabled",
        json!({ "value": true }),
    );
    browser.open(server.api(), "/profile/123");
    let state = || browser.text("#state");
    assert!(state().contains("Nothing differs now."));
    browser.click(".zooms a");
    assert!(browser.text("#main").contains("last day"));
    browser.open(
        server.api(),
        &format!("/profile/123?at=@{}", now() - 10 * 86_400),
    );
    assert!(
        state().contains("things differ now") && state().contains("Utrecht"),
        "{}",
        state()
    );
    browser.open(server.api(), "/");
    assert!(browser.text("#live-rows").contains("johnny@example.com"));
    browser.click("[data-panel='/gaps?part=panel'] a");
    assert!(
        browser.text("#main").contains("news"),
        "{}",
        browser.text("#main")
    );
    drop(browser);
    server.stop();
}

#[test]
fn nothing_from_outside_runs() {
    let calls = hostile_calls(77, now() - 3600);
    let (_dir, server, browser) = visited(|client| {
        for call in &calls {
            client.post("/webhook/label", call).seq();
        }
        for payload in PAYLOADS {
            let text: String = form_urlencoded::byte_serialize(payload.as_bytes()).collect();
            assert_eq!(
                client
                    .post("/webhook", format!("type=update&profile={text}"))
                    .status,
                400
            );
        }
    });
    let mut looked = 0;
    let mut judge = |what: &str| {
        assert!(!browser.has_dialog(), "{what}");
        assert_eq!(
            browser.run("return [window.hit ?? null, document.cookie, location.hostname]"),
            json!([null, "", "127.0.0.1"]),
            "{what}"
        );
        looked += 1;
    };
    browser.open(server.api(), "/");
    browser.await_text("#gaps + div", "changes");
    browser.await_text("#rejected + div", "in the last two weeks");
    judge("the start page");
    // What comes live is put into the page by the script.
    for (number, payload) in PAYLOADS.iter().enumerate() {
        let text: String = form_urlencoded::byte_serialize(payload.as_bytes()).collect();
        let body = format!(
            "type=update&profile=78&time={}&fields[n]=live{number}&fields[{}]={text}&parameters[n]={number}",
            now(),
            text.replace("%5B", "(")
        );
        server.client().post("/webhook", body).seq();
    }
    browser.await_text("#live-rows", &format!("live{}", PAYLOADS.len() - 1));
    judge("what comes live");
    // So is the state at a moment.
    browser.open(server.api(), "/profile/77");
    browser.run("document.getElementById('slider').focus()");
    for _ in 0..5 {
        browser.keys(&[key::PAGE_DOWN, key::LEFT]);
        browser.await_text("#state", "differ");
        judge("the slider");
    }
    let events = (1..=calls.len())
        .step_by(3)
        .map(|seq| format!("/event/{seq}"));
    let asked = PAYLOADS.iter().flat_map(|payload| {
        let text: String = form_urlencoded::byte_serialize(payload.as_bytes()).collect();
        [
            "/search?q=",
            "/profile/77?at=",
            "/profile/77?field=",
            "/profile/",
        ]
        .map(|target| format!("{target}{text}"))
    });
    for target in events.chain(asked) {
        browser.open(server.api(), &target);
        judge(&target);
    }
    assert!(looked > 80, "{looked}");
    // Had anything been tried, the policy would have said so here.
    judge_console(&browser);
    drop(browser);
    server.stop();
}

#[test]
fn a_profile_of_5000_events_is_shown_at_once() {
    let (_dir, server, browser) = visited(|client| {
        let mut values = [0_u32; 16];
        for number in 0..5000_u32 {
            let time = now() - 90 * 86_400 + i64::from(number) * 1500;
            let place = number.wrapping_mul(7) % 16;
            values[place as usize] = number;
            let mut body =
                format!("type=update&profile=5&time={time}&parameters[f{place}]=value%20{number}");
            for (place, value) in values.iter().enumerate() {
                body += &format!("&fields[f{place}]=value%20{value}");
            }
            client.post("/webhook/crm", body).seq();
        }
    });
    for look in LOOKS {
        browser.look(look);
        browser.open(server.api(), "/profile/5");
        let painted = "return performance.getEntriesByName('first-contentful-paint').length";
        eventually("a paint", || browser.run(painted) == 1);
        let told = browser.run(
            "const paint = performance.getEntriesByName('first-contentful-paint')[0]?.startTime;
             return [Math.round(paint), document.documentElement.outerHTML.length, document.querySelectorAll('.mark').length]",
        );
        println!(
            "5,000 events, {}: first paint after {} ms, {} bytes, {} marks",
            look.name, told[0], told[1], told[2]
        );
        assert!(
            told[1].as_u64().unwrap() < 2 << 20 && told[2].as_u64().unwrap() <= 1600,
            "{told}"
        );
        judge_looks(&browser, "many events");
        browser.picture(&format!("many-{}", look.name));
        // The list goes on, page by page, without a gap.
        let mut seqs: Vec<u64> = Vec::new();
        for _ in 0..3 {
            let shown = browser.run("return [...document.querySelectorAll('#list tr')].map((row) => Number(row.dataset.seq))");
            seqs.extend(
                shown
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(serde_json::Value::as_u64),
            );
            browser.click(".pages a[rel=next]");
        }
        assert_eq!(seqs, (4851..=5000).rev().collect::<Vec<_>>());
    }
    judge_console(&browser);
    drop(browser);
    server.stop();
}

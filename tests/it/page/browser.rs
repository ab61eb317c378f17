//! The page in a real browser.
//!
//! Proven: a person logs in, finds a profile by mail address, moves the slider,
//! opens an event and sees another one arrive, by day and by night and on a
//! phone, and without a mouse; all that can be done without the script, too;
//! texts can be read on their ground, and nothing is wider than the screen.

use crate::support::browser::{Look, key};
use crate::support::looks::{LOOKS, judge_console, judge_looks, visited};
use crate::support::{Client, has};
use profiletrail::event::now_seconds;
use serde_json::json;

/// How many events come before hers.
const OTHERS: u64 = 40;

/// A person who moved, changed her mind thrice, and mistyped her address; and
/// others, in the last two days.
fn fill(client: &mut Client) {
    for number in 0..OTHERS {
        let time = now_seconds() - i64::try_from(number * number * 90).unwrap();
        let body = format!(
            "type=create&profile={}&time={time}&fields[city]=Delft",
            200 + number
        );
        client.post("/webhook/shop", body).seq();
    }
    let mut post = |target: &str, days: i64, rest: &str| {
        let time = now_seconds() - days * 86_400;
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
        browser.await_text("h1", "Profiles that have or had this value");
        judge_looks(&browser, "what was found");
        picture("found");
        browser.click("tbody th a");
        browser.await_text("h1", "Profile 123");
        assert_eq!(browser.target(), "/profile/123");
        assert_eq!(
            browser.run("return document.querySelectorAll('.lane:not(.axis, .ends)').length"),
            5
        );
        browser.await_text("#state", "Same as now.");
        // The slider, by keys alone: each a step of a thousandth, or of a tenth.
        browser.run("document.getElementById('slider').focus()");
        browser.keys(&[key::PAGE_DOWN; 5]);
        browser.await_text("#state", "differences from now");
        browser.await_text("#state", "johnny@example.com");
        assert!(browser.text("#state").contains("johny@example.com"));
        let shown = browser.run("const it = document.getElementById('slider'); return [it.ariaValueText, document.getElementById('at').value]");
        let (spoken, field) = (
            shown[0].as_str().unwrap().replace(' ', "T"),
            shown[1].as_str().unwrap(),
        );
        assert!(!field.is_empty() && spoken.starts_with(field), "{shown}");
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
            now_seconds()
        );
        let seq = server.client().post("/webhook/live", body).seq();
        browser.await_text("#live-rows tr", &format!("Delft{number}"));
        browser.await_text("#live-status", "1 new event, the last at");
        assert_eq!(
            browser.text("#live-rows tr .what a"),
            format!("event {seq}")
        );
        browser.await_text("#gaps + div", "news");
        browser.await_text("#rejected + div", "None in the last two weeks");
        judge_looks(&browser, "the start page");
        picture("start");
    }
    // Not once it is paused.
    browser.click("#live-pause");
    let shown = browser.run("return document.getElementById('live-rows').children.length");
    server.client().post("/webhook", crate::support::BODY).seq();
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
    assert!(state().contains("Same as now."));
    browser.click(".zooms a");
    assert!(browser.text("#main").contains("last day"));
    browser.open(
        server.api(),
        &format!("/profile/123?at=@{}", now_seconds() - 10 * 86_400),
    );
    has(&state(), &["differences from now", "Utrecht"]);
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

//! The demo's shop in a real browser.
//!
//! Proven: the start page shows the import, the lost hour and the fight, each
//! leads to where it is seen, and by day, by night and on a phone all of it can
//! be read and fits; axe-core finds nothing wrong with any page; changes are
//! filtered by links, the moment of the slider is in the address and below its
//! line, commands are copied, and what cannot be loaded says so and can be tried
//! again. It also makes pictures; the README shows those whose names begin
//! with `page-`:
//!
//! ```text
//! SCREENSHOTS=FOLDER cargo test --all-features --test it browser_shop
//! ```

use crate::support::browser::{Browser, Look, key};
use crate::support::looks::{LOOKS, UI, judge_access, judge_console, judge_looks, log_in};
use crate::support::{Server, data, eventually};
use profiletrail::event::now_seconds;
use profiletrail::ops::demo::{SEED, Story, load};

/// Waits until a panel of the start page is there.
#[track_caller]
fn await_panels(browser: &Browser, story: &Story) {
    browser.await_text("#gaps + div", "No call at all from");
    browser.await_text("#incidents + div", story.import.value);
    browser.await_text("#loops + div", story.fight.field);
    browser.await_text("#rejected + div", "in the last two weeks");
}

/// How far the middle of the slider's knob is from the line of its moment.
const BESIDE: &str =
    "const it = document.getElementById('slider'), box = it.getBoundingClientRect();
    const part = (it.value - it.min) / (it.max - it.min);
    const line = document.querySelector('.lane line.at').getBoundingClientRect();
    return box.left + 8 + part * (box.width - 16) - (line.left + line.width / 2)";

/// Whether the moment of the slider is in the address, and its state is shown.
const SHOWN: &str = "const at = String(Math.round(document.getElementById('slider').value));
    return new URLSearchParams(location.search).get('at') === '@' + at
      && document.querySelector('#state .state')?.dataset.at === at";

/// What cannot be loaded is said, and comes when it is tried again; commands are copied.
fn nothing_is_left_empty(browser: &Browser, server: &Server, story: &Story) {
    let block = |urls: serde_json::Value| {
        browser.command("Network.enable", serde_json::json!({}));
        browser.command(
            "Network.setBlockedURLs",
            serde_json::json!({ "urls": urls }),
        );
    };
    block(serde_json::json!(["*part=panel*", "*part=state*"]));
    browser.open(server.api(), "/");
    browser.await_text("#gaps + div", "could not be loaded");
    browser.await_text("#rejected + div", "Try again");
    judge_looks(browser, "a failure");
    block(serde_json::json!([]));
    // In one step: the page tries again by itself, too, and then the button is gone.
    browser.run("document.querySelector('#gaps + div .error button')?.click()");
    browser.await_text("#gaps + div", "No call at all from");
    browser.run("document.querySelector('#gaps + div summary').click()");
    browser.click("#gaps + div .copy");
    eventually("a copy", || {
        let text = browser.run("return document.querySelector('#gaps + div .copy').textContent");
        text == "Copied" || text == "Selected"
    });
    browser.open(server.api(), &format!("/profile/{}", story.mind.profile));
    block(serde_json::json!(["*part=state*"]));
    browser.run("document.getElementById('slider').focus()");
    browser.keys(&[key::PAGE_DOWN]);
    browser.await_text("#state", "could not be loaded");
    block(serde_json::json!([]));
    browser.click("#state .error button");
    browser.await_text("#state", " now.");
    // Drops the console's messages on the blocked requests.
    browser.console();
}

#[test]
fn the_shop_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::generate(SEED, now_seconds());
    load(&story, &data(&dir), 8 << 20, 1 << 20).unwrap();
    let server = Server::start(
        &data(&dir),
        &[
            &UI[..],
            &["--lookup", "mail", "--title", "firstname,lastname"],
        ]
        .concat(),
    );
    let browser = log_in(&data(&dir), &server);
    let emma = &story.mind;
    for look in LOOKS {
        browser.look(look);
        let judge = |page: &str| {
            judge_looks(&browser, page);
            if look.name == "light" {
                judge_access(&browser, page);
            }
            browser.picture(&format!("{page}-{}", look.name));
        };
        browser.open(server.api(), "/");
        await_panels(&browser, &story);
        judge("start");
        // The fight is seen where it was.
        browser.click("#loops + div a");
        browser.await_text("#main", "Only the field");
        judge("fight");
        // A label in the list of changes filters by it, and so does the address.
        browser.click(".places a[href^='/changes']");
        browser.await_text("h1", "Changes of all profiles");
        browser.click("td a[href*='label=crm']");
        browser.await_text(".chips", "crm");
        assert!(browser.target().contains("label=crm"));
        judge("changes");
        browser.click(".places a[href='/incidents']");
        browser.click("a[href^='/incident?']");
        browser.await_text("h1", "Incident");
        browser.await_text("#left + ul", "changed since");
        judge("incident");
        browser.open(server.api(), "/search?q=nobody");
        judge("nobody");
        browser.open(server.api(), "/");
        browser.keys(&["/"]);
        assert_eq!(browser.run("return document.activeElement.id"), "q");
        browser.type_into("#q", &emma.mail);
        browser.keys(&[key::ENTER]);
        browser.await_text(".hits", "now");
        judge("found");
        browser.click("tbody th a");
        eventually("her page", || {
            browser.target() == format!("/profile/{}", emma.profile)
        });
        browser.run("document.getElementById('slider').focus()");
        browser.keys(&[key::PAGE_DOWN; 4]);
        eventually("the moment", || browser.run(SHOWN) == true);
        let beside = browser.run(BESIDE).as_f64().unwrap();
        assert!(beside.abs() < 1.5, "the knob is {beside} beside its line");
        let (target, summary) = (browser.target(), browser.text("#state .summary"));
        browser.open(server.api(), &target);
        assert_eq!(browser.text("#state .summary"), summary);
        browser.run("document.activeElement.blur(); scrollTo(0, 0)");
        judge("profile");
        // What she said last, and what came of it.
        let turn = "[...document.querySelectorAll('#list tr')].find((row) => row.textContent.includes('newsletter'))";
        browser.run(&format!("{turn}.querySelector('.what a').click()"));
        browser.await_text("[aria-labelledby=asked]", "applied");
        judge("event");
        for page in ["incidents", "gaps", "loops", "rejected"] {
            browser.open(server.api(), &format!("/{page}"));
            judge(page);
        }
        let gone = &story.vanished;
        browser.open(
            server.api(),
            &format!("/profile/{}/{}", gone.profile, gone.subprofiles[0]),
        );
        browser.await_text("[aria-labelledby=then]", "This is its last state");
        judge("gone");
        browser.open(server.api(), &format!("/profile/{}", emma.profile));
        browser.click("main p.note a");
        browser.await_text("h1", "Dossier of profile");
        // A light document by itself, to be printed; a phone shows it narrow.
        judge_looks(&browser, "a dossier");
        browser.picture(&format!("dossier-{}", look.name));
    }
    judge_console(&browser);
    nothing_is_left_empty(&browser, &server, &story);
    let (last, ..) = emma.turns.last().unwrap();
    let profile = format!("/profile/{}?at=@{}", emma.profile, last - 86_400);
    for (name, target, (width, height, dark)) in [
        ("page-start", "/", (1280, 760, false)),
        ("page-profile", &profile, (1000, 1290, false)),
        ("page-profile-dark", &profile, (1000, 1290, true)),
        ("page-phone", &profile, (390, 844, false)),
    ] {
        browser.look(Look {
            name,
            width,
            height,
            dark,
        });
        browser.open(server.api(), target);
        if target == "/" {
            await_panels(&browser, &story);
        }
        judge_looks(&browser, name);
        browser.picture(name);
    }
    judge_console(&browser);
    drop(browser);
    server.stop();
}

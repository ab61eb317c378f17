//! The demo's shop in a real browser.
//!
//! Proven: the start page tells the import, the lost hour and the fight, each
//! leads to where it is seen, and by day, by night and on a phone all of it can
//! be read and fits. Pictures of all of it are made here, of which the README has
//! those whose names begin with `page-`:
//!
//! ```text
//! SCREENSHOTS=FOLDER cargo test --all-features --test it browser_shop
//! ```

use crate::support::browser::{Browser, Look, key};
use crate::support::looks::{LOOKS, UI, judge_console, judge_looks, log_in, now};
use crate::support::{Server, data, eventually};
use profiletrail::ops::demo::{SEED, Story, load};

/// Waits until a panel of the start page is there.
#[track_caller]
fn await_panels(browser: &Browser, story: &Story) {
    browser.await_text("#gaps + div", "No call at all from");
    browser.await_text("#incidents + div", story.import.value);
    browser.await_text("#loops + div", story.fight.field);
    browser.await_text("#rejected + div", "in the last two weeks");
}

#[test]
fn the_shop_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::generate(SEED, now());
    load(&story, &data(&dir), 8 << 20, 1 << 20).unwrap();
    let server = Server::start(&data(&dir), &[&UI[..], &["--lookup", "mail"]].concat());
    let browser = log_in(&data(&dir), &server);
    let emma = &story.mind;
    for look in LOOKS {
        browser.look(look);
        browser.open(server.api(), "/");
        await_panels(&browser, &story);
        judge_looks(&browser, "the start page");
        browser.picture(&format!("start-{}", look.name));
        // The fight is seen where it was.
        browser.click("#loops + div a");
        browser.await_text("#main", "Only the field");
        judge_looks(&browser, "the fight");
        browser.picture(&format!("fight-{}", look.name));
        browser.open(server.api(), "/");
        browser.type_into("#q", &format!("mail={}", emma.mail));
        browser.keys(&[key::ENTER]);
        browser.await_text(".hits", "now");
        browser.picture(&format!("found-{}", look.name));
        browser.click("tbody th a");
        eventually("her page", || {
            browser.target() == format!("/profile/{}", emma.profile)
        });
        browser.run("document.getElementById('slider').focus()");
        browser.keys(&[key::PAGE_DOWN; 4]);
        browser.await_text("#state", " now.");
        eventually("the state", || {
            browser.run("return !document.querySelector('[aria-busy=true]')") == true
        });
        judge_looks(&browser, "a profile");
        browser.run("document.activeElement.blur(); scrollTo(0, 0)");
        browser.picture(&format!("profile-{}", look.name));
        // What she said last, and what came of it.
        let turn = "[...document.querySelectorAll('#list tr')].find((row) => row.textContent.includes('newsletter'))";
        browser.run(&format!("{turn}.querySelector('.what a').click()"));
        browser.await_text("[aria-labelledby=asked]", "applied");
        judge_looks(&browser, "an event");
        browser.picture(&format!("event-{}", look.name));
        for page in ["incidents", "gaps", "loops"] {
            browser.open(server.api(), &format!("/{page}"));
            judge_looks(&browser, page);
            browser.picture(&format!("{page}-{}", look.name));
        }
        let gone = &story.vanished;
        let target = format!("/profile/{}/{}", gone.profile, gone.subprofiles[0]);
        browser.open(server.api(), &target);
        judge_looks(&browser, &target);
        browser.picture(&format!("gone-{}", look.name));
        browser.open(server.api(), &format!("/profile/{}", emma.profile));
        browser.click("main p.note a");
        browser.await_text("h1", "Dossier of profile");
        // A light document by itself, to be printed; a phone shows it narrow.
        judge_looks(&browser, "a dossier");
        browser.picture(&format!("dossier-{}", look.name));
    }
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

//! The page for browsers: the findings, and what an event requested.
//!
//! Proven: for the demo's shop, whose story records what went wrong, the page shows
//! the import, the lost hour, the fight, who is found by her address and who is gone;
//! an event's page shows the outcome of each requested change; text from outside is
//! rendered as text in all of these, and in the dossiers.

use crate::support::dossier::must_be_harmless;
use crate::support::hostile::{
    BURST, IN_BURST, PAYLOADS, hostile_bursts, hostile_calls, judge_html, judge_text,
};
use crate::support::http::token;
use crate::support::visitor::{UI, Visitor, encoded, text, visited};
use crate::support::{Server, data, has};
use profiletrail::event::now_seconds;
use profiletrail::ops::demo::{SEED, Story, load};

/// Makes a page's panel, too, and holds it to be the same.
#[track_caller]
fn finding(visitor: &Visitor, path: &str) -> String {
    let page = visitor.page(path);
    let panel = visitor.page(&format!("{path}?part=panel"));
    judge_html(&page);
    judge_text(&page);
    assert!(page.contains(&panel) && !panel.contains("<html"), "{panel}");
    page
}

#[test]
fn what_went_wrong_in_the_shop_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::generate(SEED, now_seconds());
    load(&story, &data(&dir), 8 << 20, 1 << 20).unwrap();
    let server = Server::start(&data(&dir), &[&UI[..], &["--lookup", "mail"]].concat());
    let mut visitor = Visitor::new(server.api());
    visitor.log_in(&token(&data(&dir), "read"));
    let start = visitor.page("/");
    for panel in ["gaps", "incidents", "loops", "rejected"] {
        has(&start, &[&format!("data-panel=\"/{panel}?part=panel\"")]);
    }

    let import = &story.import;
    let page = finding(&visitor, "/incidents");
    has(
        &page,
        &[
            import.field,
            import.value,
            &format!("changed on {} profiles", import.harmed.len()),
            &format!("label <bdi>{}</bdi>", import.label),
            "profiletrail incidents undo ",
        ],
    );
    let page = finding(&visitor, "/gaps");
    has(&page, &["No call at all from", "profiletrail changes"]);
    for one in &story.lost.unexplained {
        has(&page, &[&format!("<bdi>{}</bdi>", one.field)]);
    }
    let fight = &story.fight;
    let page = finding(&visitor, "/loops");
    has(
        &page,
        &[
            &format!("{} changes back and forth", fight.changes),
            fight.sides[0].0,
            fight.sides[0].1,
            fight.sides[1].0,
            fight.sides[1].1,
        ],
    );
    // It leads to where the fight is seen, and to nothing else of the profile.
    let begin = format!("href=\"/profile/{}?", fight.profile);
    let at = page.find(&begin).unwrap();
    let link = page[at + 6..]
        .split('"')
        .next()
        .unwrap()
        .replace("&amp;", "&");
    let page = visitor.page(&link);
    has(
        &page,
        &["Only the field", &format!("aria-label=\"{}\"", fight.field)],
    );
    assert_eq!(page.matches("<div class=\"lane\">").count(), 1, "{page}");

    // Who is found, and who was.
    let mind = &story.mind;
    let found = |asked: &str| visitor.page(&format!("/search?q={}", encoded(asked)));
    let page = found(&format!("mail={}", mind.mail));
    has(
        &page,
        &[
            &format!("href=\"/profile/{}\"", mind.profile),
            ">now<",
            &format!("profiletrail find 'mail={}' --ever", mind.mail),
        ],
    );
    let (begin, _) = mind.mail.split_once('@').unwrap();
    has(
        &found(&format!(" mail={begin}* ")),
        &["begins with", &mind.mail, "--prefix"],
    );
    let gone = &story.vanished;
    let page = found(&format!("mail={}", gone.mail));
    assert!(!page.contains(">now<"), "{page}");
    has(&page, &[&format!("href=\"/profile/{}\"", gone.profile)]);
    for subprofile in &gone.subprofiles {
        let page = visitor.page(&format!("/profile/{}/{subprofile}", gone.profile));
        has(
            &page,
            &[
                "with its profile, by <a href=\"/event/",
                "<strong>deleted</strong> with its profile",
                "delete</bdi> of its profile",
                ">cascade<",
                "it ended with its profile",
            ],
        );
        judge_html(&page);
    }
    let page = visitor.page(&format!("/profile/{}", gone.profile));
    has(&page, &["deleted, with its subprofiles"]);
    server.stop();
}

#[test]
fn the_outcome_of_each_requested_change_is_shown() {
    let (_dir, server, visitor) = visited();
    let mut client = server.client();
    for body in [
        "type=create&profile=1&time=1760000000&parameters[a]=1&fields[a]=1&fields[b]=x&fields[c]=y&fields[d]=z",
        "type=update&profile=1&time=1760000100&parameters[a]=2&parameters[b]=x&parameters[c]=Y%20&parameters[none]=1\
         &fields[a]=2&fields[b]=x&fields[c]=Y&fields[d]=unasked&parameters[news]=1&interests[]=news",
        "type=update&profile=1&time=1760000200&parameters[a]=3&fields[a]=2&fields[b]=x&fields[c]=Y&fields[d]=unasked&interests[]=news",
        "type=click&profile=1&time=1760000300&parameters[link]=1",
        "type=update&profile=1&time=1760000200&parameters[a]=3&fields[a]=2&fields[b]=x&fields[c]=Y&fields[d]=unasked&interests[]=news",
        "type=update&profile=2&time=1760000200&parameters[a]=3&fields[a]=2&fields[b]=x",
    ] {
        client.post("/webhook", body).seq();
    }
    let rows = |seq: u64| -> Vec<String> {
        let page = visitor.page(&format!("/event/{seq}"));
        judge_html(&page);
        let Some((_, asked)) = page.split_once("What it requested") else {
            return Vec::new();
        };
        let (asked, _) = asked.split_once("</section>").unwrap();
        let rows = asked.split("<th scope=\"row\">").skip(1);
        // What stands in the cells, without the tags.
        rows.map(|row| {
            let texts = row.split('<').filter_map(|part| {
                part.split_once('>')
                    .map_or(Some(part), |(_, text)| Some(text))
            });
            let words: Vec<_> = texts
                .map(str::trim)
                .filter(|text| !text.is_empty())
                .collect();
            words.join("|")
        })
        .collect()
    };
    assert_eq!(
        rows(2),
        [
            "a|2|1|2|applied|changed as requested",
            "b|x|x|x|already so|it already had this value",
            "c|Y |y|Y|coerced|it became something other than requested",
            "none|1|(not there)|(not there)|ignored|the profile has no such field or interest",
            "news|interest|1|no|yes|applied|changed as requested",
            "d|(nothing)|z|unasked|unasked|it changed without a request",
        ]
        .map(|row| row.replace("Y |", "Y|"))
    );
    // What a creation makes unasked is what it creates.
    assert_eq!(rows(1), ["a|1|(not there)|1|applied|changed as requested"]);
    assert_eq!(rows(3), ["a|3|2|2|ignored|it did not change"]);
    // What changes nothing asks for nothing.
    assert!(rows(4).is_empty() && rows(5).is_empty());
    assert_eq!(rows(6)[0].split('|').nth(2), Some("(not known)"));
    has(
        &visitor.page("/event/6"),
        &["is not known: what it changed unasked is not, either"],
    );
    server.stop();
}

#[test]
fn a_text_from_outside_is_text_in_every_finding() {
    let (_dir, server, visitor) = visited();
    let mut client = server.client();
    for body in hostile_bursts(now_seconds() - 50_000) {
        client.post("/webhook/label", body).seq();
    }
    for body in hostile_calls(77, now_seconds() - 3600) {
        client.post("/webhook/label", body).seq();
    }
    let [set, unseen, loops] = BURST.map(|name| maud::html! { (name) }.into_string());
    let many = format!("{} profiles", IN_BURST.end - IN_BURST.start);
    for (path, name, text) in [
        ("/incidents", &set, many.as_str()),
        ("/gaps", &unseen, &many),
        ("/loops", &loops, "changes back and forth"),
    ] {
        has(
            &finding(&visitor, path),
            &[&format!("<bdi>{name}</bdi>"), text],
        );
    }
    let (mut targets, mut tags) = (Vec::new(), 0);
    for name in BURST.into_iter().chain(PAYLOADS) {
        let begin: String = name.chars().take(1).collect();
        let asked = [
            format!("{name}={}", PAYLOADS[9]),
            format!("{name}=*"),
            format!("interest {name}"),
            format!("mail=johny@example.com {name}"),
            format!("mail=johny@example.com {begin}*"),
        ];
        targets.extend(
            asked
                .iter()
                .map(|asked| format!("/search?q={}", encoded(asked))),
        );
    }
    targets.extend(
        (1..=12).map(|seq| format!("/event/{}", seq + 2 * (IN_BURST.end - IN_BURST.start))),
    );
    targets.push(format!("/profile/{}", IN_BURST.end));
    for target in &targets {
        let page = text(visitor.get(target));
        tags += judge_html(&page);
        judge_text(&page);
    }
    assert!(tags > 5_000, "{tags}");
    let asked = format!("{}={}", BURST[2], PAYLOADS[8]);
    let page = visitor.page(&format!("/search?q={}", encoded(&asked)));
    has(&page, &["href=\"/profile/340\"", ">now<"]);
    let page = visitor.page(&format!("/search?q={}", encoded("mail=johny@example.com*")));
    has(
        &page,
        &["href=\"/profile/77\"", "&lt;script&gt;window.hit=1"],
    );
    let name = encoded(BURST[2]);
    for target in [
        "/profile/77/dossier".to_owned(),
        format!(
            "/profile/{}/dossier?field={name}&interest={name}",
            IN_BURST.end
        ),
    ] {
        must_be_harmless(&text(visitor.get(&target)));
    }
    server.stop();
}

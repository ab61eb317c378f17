//! The page for browsers: what stands out, what was asked for, and documents to
//! keep.
//!
//! Proven: of the demo's shop, whose story knows what went wrong, the page tells
//! the import, the lost hour, the fight, who is found by her address and who is
//! gone; what came of each thing that an event asked for; that what an export
//! showed is no call; a dossier is the command's, however long, and bound like
//! one; a text from outside is text in all of these.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

#[path = "support/dossier.rs"]
mod dossier;
#[path = "support/hostile.rs"]
mod hostile;
mod support;
#[path = "support/visitor.rs"]
mod visitor;

use dossier::must_be_harmless;
use hostile::{BURST, IN_BURST, PAYLOADS, hostile_bursts, hostile_calls, judge_html, judge_text};
use profiletrail::demo::{SEED, Story, load};
use support::http::{Reply, token};
use support::{Server, cli, data};
use visitor::{UI, Visitor, encoded, visited};

fn now() -> i64 {
    profiletrail::event::now_micros().div_euclid(1_000_000)
}

#[track_caller]
fn has(page: &str, parts: &[&str]) {
    for part in parts {
        assert!(page.contains(part), "{part} in {page}");
    }
}

fn text(reply: Reply) -> String {
    String::from_utf8(reply.body).unwrap()
}

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
fn what_went_wrong_in_the_shop_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let story = Story::tell(SEED, now());
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
    has(&page, &["nor of its subprofiles"]);
    server.stop();
}

#[test]
fn what_came_of_what_was_asked_is_told() {
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
        let Some((_, asked)) = page.split_once("What it asked for") else {
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
            "a|2|1|2|applied|it is as asked, and was not before",
            "b|x|x|x|already so|it was so before",
            "c|Y |y|Y|coerced|it became something else than was asked",
            "none|1|(not there)|(not there)|ignored|nothing of the profile is called so",
            "news|interest|1|no|yes|applied|it is as asked, and was not before",
            "d|(nothing)|z|unasked|unasked|it changed without being asked for",
        ]
        .map(|row| row.replace("Y |", "Y|"))
    );
    // What a creation makes unasked is what it creates.
    assert_eq!(
        rows(1),
        ["a|1|(not there)|1|applied|it is as asked, and was not before"]
    );
    assert_eq!(rows(3), ["a|3|2|2|ignored|it is as it was before"]);
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
fn what_an_export_showed_is_no_call() {
    let (dir, server, visitor) = visited();
    let mut client = server.client();
    for body in [
        "type=create&profile=1&database=7&time=1760000000&fields[city]=Utrecht",
        "type=create&profile=2&database=7&time=1760000000&fields[city]=Utrecht",
        "type=observed&profile=1&database=7&time=1760000100&observed=present&fields[city]=forged",
    ] {
        client.post("/webhook", body).seq();
    }
    let file = dir.path().join("export.csv");
    std::fs::write(&file, "id,city\n1,<b>Gouda\n").unwrap();
    let args = ["reconcile", file.to_str().unwrap(), "--at", "@1760000200"];
    let more = ["--database", "7", "--record", "--yes"];
    cli(&data(&dir), &[&args[..], &more].concat()).ok();
    let page = visitor.page("/profile/1?from=@1759999900&to=@1760000300");
    has(
        &page,
        &[
            "from an export",
            "&lt;b&gt;Gouda",
            ">observed</span>",
            "an export shows it: it changed at some unseen moment before",
            "href=\"#m-observed\" x=",
            "an export shows it, event 4",
        ],
    );
    // The one that only calls itself so is none.
    assert_eq!(page.matches(">from an export<").count(), 1, "{page}");
    judge_html(&page);
    let page = visitor.page("/event/4");
    has(
        &page,
        &["What was seen", "it is no call", "Nothing proves it"],
    );
    has(
        &visitor.page("/event/3"),
        &["What was sent", "nobody looked"],
    );
    let page = visitor.page("/profile/2?from=@1759999900&to=@1760000300");
    has(
        &page,
        &[
            "an export has it no more",
            "<strong>deleted</strong>",
            "it is gone",
        ],
    );
    let page = text(visitor.get("/profile/1/dossier"));
    must_be_harmless(&page);
    has(
        &page,
        &[
            "no call: shown by an export",
            "changed unseen at some moment since",
        ],
    );
    has(
        &text(visitor.get("/profile/2/dossier")),
        &["no call: an export has it no more"],
    );
    server.stop();
}

#[test]
fn a_dossier_is_the_command_s_and_bound_like_one() {
    let (dir, server, visitor) = visited();
    let mut client = server.client();
    for number in 0..600 {
        let body = format!(
            "type=update&profile=5&time={}&parameters[a]=value-{number}&fields[a]=value-{number}&fields[b]=x{}",
            1_760_000_000 + number,
            number % 7
        );
        client.post("/webhook/crm", body).seq();
    }
    client
        .post(
            "/webhook",
            "type=create&profile=5&subprofile=6&collection=1&time=1760000000&fields[o]=1",
        )
        .seq();
    // All but the moment at which it is made.
    let timeless = |page: &str| {
        let parts = page.split("<time datetime=\"");
        let parts = parts.map(|part| match part.split_once("</time>") {
            Some((time, rest)) if !time.starts_with("2025-10-09") => rest,
            _ => part,
        });
        parts.collect::<Vec<_>>().join("<time>")
    };
    let of_command = |args: &[&str]| {
        let more = ["--format", "html", "--tz", "Europe/Amsterdam"];
        timeless(&cli(&data(&dir), &[&["dossier"], args, &more].concat()).ok())
    };
    let sent = |reply: Reply| {
        let page = text(reply);
        must_be_harmless(&page);
        timeless(&page)
    };
    for (target, args) in [
        ("/profile/5/dossier", &["5"][..]),
        ("/profile/5/6/dossier", &["5/6"]),
        (
            "/profile/5/dossier?field=b&field=o",
            &["5", "--field", "b", "--field", "o"],
        ),
        ("/profile/5/dossier?interest=b", &["5", "--interest", "b"]),
    ] {
        let reply = visitor.get(target);
        assert_eq!(reply.status, 200, "{target}");
        let policy = reply.header("Content-Security-Policy").unwrap();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-")
                && policy.ends_with(
                    "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
                ),
            "{policy}"
        );
        for (name, value) in [
            ("Content-Type", "text/html; charset=utf-8"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ] {
            assert_eq!(reply.header(name), Some(value), "{target}");
        }
        let name = args[0].replace('/', "-");
        assert_eq!(
            reply.header("Content-Disposition"),
            Some(&*format!("inline; filename=\"dossier-{name}.html\""))
        );
        assert_eq!(sent(reply), of_command(args), "{target}");
    }
    // The long one goes piece by piece.
    let reply = visitor.get("/profile/5/dossier");
    assert_eq!(reply.header("Transfer-Encoding"), Some("chunked"));
    assert!(reply.body.len() > 128 << 10, "{}", reply.body.len());
    let reply = visitor.ask("HEAD", "/profile/5/dossier", &[], "");
    assert!(reply.status == 200 && reply.body.is_empty());
    has(
        &visitor.page("/profile/5"),
        &["href=\"/profile/5/dossier\""],
    );
    has(
        &visitor.page("/profile/5?field=b"),
        &["href=\"/profile/5/dossier?field=b\""],
    );
    let reply = visitor.get("/profile/9/dossier");
    assert_eq!(
        (reply.status, reply.header("Content-Disposition")),
        (404, None)
    );
    has(&text(reply), &["No event of profile 9"]);
    assert_eq!(visitor.get("/profile/x/dossier").status, 400);
    let stranger = Visitor::new(server.api());
    assert_eq!(
        stranger.get("/profile/5/dossier").header("Location"),
        Some("/login?next=%2Fprofile%2F5%2Fdossier")
    );
    server.stop();
}

#[test]
fn a_text_from_outside_is_text_in_every_finding() {
    let (_dir, server, visitor) = visited();
    let mut client = server.client();
    for body in hostile_bursts(now() - 50_000) {
        client.post("/webhook/label", body).seq();
    }
    for body in hostile_calls(77, now() - 3600) {
        client.post("/webhook/label", body).seq();
    }
    let [set, unseen, loops] = BURST.map(|name| maud::html! { (name) }.into_string());
    let many = format!("{} profiles", IN_BURST.end - IN_BURST.start);
    for (path, name, told) in [
        ("/incidents", &set, many.as_str()),
        ("/gaps", &unseen, &many),
        ("/loops", &loops, "changes back and forth"),
    ] {
        has(
            &finding(&visitor, path),
            &[&format!("<bdi>{name}</bdi>"), told],
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

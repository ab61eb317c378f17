//! The page for browsers: dossiers, and what an export showed.
//!
//! Proven: a dossier equals that of the command, however long it is, has a content
//! security policy of its own, and is shown to nobody without a session; what an export
//! showed is marked as such on every page, and a call that only claims to be one is not.

use crate::support::dossier::must_be_harmless;
use crate::support::hostile::judge_html;
use crate::support::http::Reply;
use crate::support::visitor::{Visitor, text, visited};
use crate::support::{cli, data, has};

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
        &[
            "What was seen",
            "not a call",
            "No signature: it rests on the export",
        ],
    );
    has(
        &visitor.page("/event/3"),
        &["What was sent", "signature checks were off"],
    );
    let page = visitor.page("/profile/2?from=@1759999900&to=@1760000300");
    has(
        &page,
        &[
            "not in the export: deleted at some earlier moment",
            "<strong>deleted</strong>",
            "it is gone",
        ],
    );
    let page = text(visitor.get("/profile/1/dossier"));
    must_be_harmless(&page);
    has(
        &page,
        &[
            "not a call: shown by an export",
            "changed unseen at some moment since",
        ],
    );
    has(
        &text(visitor.get("/profile/2/dossier")),
        &["not a call: missing from an export"],
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
    has(&text(reply), &["No events of profile 9"]);
    assert_eq!(visitor.get("/profile/x/dossier").status, 400);
    let stranger = Visitor::new(server.api());
    assert_eq!(
        stranger.get("/profile/5/dossier").header("Location"),
        Some("/login?next=%2Fprofile%2F5%2Fdossier")
    );
    server.stop();
}

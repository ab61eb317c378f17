//! The page for browsers as a tool: filters, files, incidents, search and names.
//!
//! Proven over the demo's shop: the changes that are shown and their files equal those of
//! the command with the same filter, page by page; an incident's page shows each profile's
//! values, and its file equals that of `incidents undo`; findings link to their changes; a
//! value alone is looked up, and only names that occur are suggested; profiles have
//! names; commands that are shown work when they are pasted in another folder.

use std::path::PathBuf;

use crate::support::hostile::{judge_html, judge_text};
use crate::support::http::{Reply, token};
use crate::support::visitor::{UI, Visitor, encoded, text};
use crate::support::{BINARY, Server, clean, cli, data, has, json_lines};
use chrono::Utc;
use profiletrail::event::now_seconds;
use profiletrail::ops::demo::{SEED, Story, load};

struct Shop {
    dir: tempfile::TempDir,
    story: Story,
    visitor: Visitor,
}

impl Shop {
    fn open() -> (Self, Server) {
        let dir = tempfile::tempdir().unwrap();
        let now = now_seconds();
        let story = Story::generate(SEED, now);
        load(&story, &data(&dir), 8 << 20, 1 << 20).unwrap();
        let more = ["--lookup", "mail,phone", "--title", "firstname,lastname"];
        let server = Server::start(&data(&dir), &[&UI[..], &more].concat());
        let mut visitor = Visitor::new(server.api());
        visitor.log_in(&token(&data(&dir), "read"));
        let shop = Self {
            dir,
            story,
            visitor,
        };
        (shop, server)
    }

    fn data(&self) -> PathBuf {
        data(&self.dir)
    }

    fn page(&self, target: &str) -> String {
        let page = self.visitor.page(target);
        judge_html(&page);
        judge_text(&page);
        page
    }

    /// A page that is not there, or a refusal.
    #[track_caller]
    fn refused(&self, target: &str, status: u16) -> String {
        let reply = self.visitor.get(target);
        assert_eq!(reply.status, status, "{target}");
        let page = text(reply);
        judge_html(&page);
        page
    }

    #[track_caller]
    fn file(&self, target: &str, name: &str) -> Reply {
        let reply = self.visitor.get(target);
        let page = String::from_utf8_lossy(&reply.body);
        assert_eq!(reply.status, 200, "{target}: {page}");
        let kept = reply.header("Content-Disposition").unwrap();
        assert!(
            kept.starts_with(&format!("attachment; filename=\"{name}")),
            "{kept}"
        );
        reply
    }
}

/// The addresses of a page's links that begin so.
fn links(page: &str, begin: &str) -> Vec<String> {
    let all = page.split("href=\"").skip(1);
    let all = all.filter_map(|rest| rest.split('"').next());
    let own = all.filter(|link| link.starts_with(begin));
    own.map(|link| link.replace("&amp;", "&")).collect()
}

#[test]
fn the_shop_can_be_worked_with() {
    let (shop, server) = Shop::open();
    changes_are_those_of_the_command(&shop);
    an_incident_can_be_undone(&shop);
    values_are_found_and_profiles_named(&shop);
    commands_work_when_pasted(&shop);
    server.stop();
}

fn changes_are_those_of_the_command(shop: &Shop) {
    let import = &shop.story.import;
    let filter = format!(
        "field={}&new={}&label={}",
        import.field,
        encoded(import.value),
        import.label
    );
    let command = [
        "changes",
        "--field",
        import.field,
        "--new",
        import.value,
        "--label",
        import.label,
        "--cascade",
        "--reverse",
    ];
    let lines = cli(&shop.data(), &command).ok();
    let count = json_lines(&lines).len();
    assert!(count > 0 && count == import.harmed.len(), "{count}");
    let page = shop.page(&format!("/changes?{filter}"));
    has(
        &page,
        &[
            "Newest first",
            "aria-current=\"page\">Changes<",
            &format!("value=\"{}\"", import.label),
            "Remove the filter label",
            "profiletrail changes --field",
        ],
    );
    // The files have all of it, whatever the page shows.
    let reply = shop.file(&format!("/changes.jsonl?{filter}"), "changes-");
    assert_eq!(text(reply), lines);
    let csv = cli(&shop.data(), &[&command[..], &["--format", "csv"]].concat()).ok();
    let reply = shop.file(&format!("/changes.csv?{filter}"), "changes-");
    assert_eq!(
        reply.header("Content-Type"),
        Some("text/csv; charset=utf-8")
    );
    assert_eq!(text(reply), csv);
    let reply = shop.file(&format!("/changes.xlsx?{filter}"), "changes-");
    assert!(reply.body.starts_with(b"PK"));
    // Page after page, each change once; oldest first, too. A moment that every question names
    // alike: with "3 days ago" a change may leave the window between the page and the command.
    let since = format!("@{}", Utc::now().timestamp() - 3 * 86_400);
    for order in ["", "&order=oldest"] {
        let mut target = format!("/changes?cause=set&since={since}{order}");
        let mut seen = Vec::new();
        let mut pages = 0;
        loop {
            let page = shop.page(&target);
            let rows = page.split("<tbody>").nth(1).unwrap();
            let rows = rows.split("<tr>").skip(1);
            seen.extend(rows.map(|row| row.replace("&amp;", "&")));
            pages += 1;
            let next = page.split("rel=\"next\" href=\"").nth(1);
            match next.and_then(|rest| rest.split('"').next()) {
                Some(next) => target = next.replace("&amp;", "&"),
                None => break,
            }
        }
        let all = ["changes", "--cause", "set", "--since", &since, "--cascade"];
        let all = json_lines(&cli(&shop.data(), &all).ok());
        assert!(
            pages > 1 && seen.len() == all.len(),
            "{pages} pages, {} changes on them, {} in the command's answer",
            seen.len(),
            all.len()
        );
        let first = if order.is_empty() {
            all.last()
        } else {
            all.first()
        };
        let event = format!("event {}<", first.unwrap()["seq"]);
        assert!(seen[0].contains(&event), "{event} in {}", seen[0]);
        let filters = [
            "/changes?since=%40",
            "cause=set&label=",
            "type=update",
            "field=",
        ];
        for filter in filters {
            assert!(seen[0].contains(filter), "{filter} in {}", seen[0]);
        }
    }
    // A form leads to a tidy address; what is wrong is said beside it.
    let reply = shop
        .visitor
        .get("/changes?form=1&field=mail&field=&old=&since=+&empty=label");
    assert_eq!(
        (reply.status, reply.header("Location")),
        (303, Some("/changes?field=mail&label="))
    );
    for (asked, error) in [
        ("cause=x", "is not one of these"),
        ("since=sometime", "is not a time"),
        ("x=1", "there is no such parameter"),
        ("after=x", "not a cursor"),
        ("profile=x&profile=y", "only once"),
    ] {
        let page = shop.refused(&format!("/changes?{asked}"), 400);
        has(&page, &[error, "name=\"not-label\""]);
        shop.refused(&format!("/changes.csv?{asked}"), 400);
    }
    has(&shop.page("/changes?field=none"), &["No change matches"]);
    let stranger = Visitor::new(shop.visitor.address);
    for target in [
        "/changes",
        "/changes.csv",
        "/undo.csv?id=a-1",
        "/incident?id=a-1",
    ] {
        assert_eq!(stranger.get(target).status, 303, "{target}");
    }
}

fn an_incident_can_be_undone(shop: &Shop) {
    let import = &shop.story.import;
    let page = shop.page("/incidents");
    let target = links(&page, "/incident?id=").remove(0);
    let id = target.split('=').nth(1).unwrap();
    let page = shop.page(&target);
    let still = import.harmed.iter().filter(|one| one.still).count();
    let harmed = &import.harmed[0];
    has(
        &page,
        &[
            &format!("<dt>can be restored</dt><dd>{still}</dd>"),
            &format!(
                "<dt>left alone</dt><dd>{}</dd>",
                import.harmed.len() - still
            ),
            &format!("href=\"/profile/{}\"", harmed.profile),
            &harmed.before,
            import.value,
            "changed since",
            "Download the undo file",
        ],
    );
    has(&shop.page(&links(&page, "/changes?")[1]), &[import.value]);
    let out = shop.dir.path().join("undo.csv");
    let out = out.to_str().unwrap();
    cli(&shop.data(), &["incidents", "undo", id, "--out", out]).ok();
    let reply = shop.file(&format!("/undo.csv?id={id}"), &format!("{id}.csv"));
    assert_eq!(text(reply), std::fs::read_to_string(out).unwrap());
    let reply = shop.file(&format!("/incident.csv?id={id}"), "incident-");
    assert_eq!(text(reply).lines().count(), import.harmed.len() + 1);
    let refusal = shop.refused(&format!("/undo.csv?id={id}&collection-name=Pets"), 409);
    has(&refusal, &["have no collection"]);
    shop.refused("/incident?id=mail-999999", 404);
    shop.refused("/undo.csv?id=mail-999999", 404);
    shop.refused("/incident?id=%3Cb%3E", 400);
    // Gaps and loops lead to their changes.
    for path in ["/gaps", "/loops"] {
        let page = shop.page(path);
        let target = links(&page, "/changes?").into_iter().nth(1).expect(path);
        let page = shop.page(&target);
        assert!(page.contains("<td class=\"when\""), "{target}: {page}");
    }
}

fn values_are_found_and_profiles_named(shop: &Shop) {
    let mind = &shop.story.mind;
    let number = format!("/profile/{}", mind.profile);
    let search = |asked: &str| format!("/search?q={}", encoded(asked));
    let page = shop.page(&search(&format!(" {} ", mind.mail)));
    let lines = json_lines(&cli(&shop.data(), &["show", &mind.profile.to_string()]).ok());
    let field = |name: &str| lines[0]["fields"][name].as_str().unwrap().to_owned();
    let title = format!("{} {}", field("firstname"), field("lastname"));
    let named = format!("<span class=\"title\"><bdi>{title}</bdi>");
    has(
        &page,
        &["Looked for in the look-up fields", &number, &named, ">now<"],
    );
    has(&shop.page(&search(&field("phone"))), &[&number, "phone"]);
    let (begin, _) = mind.mail.split_once('@').unwrap();
    has(&shop.page(&search(&format!("{begin}@*"))), &[&number]);
    has(&shop.page(&number), &[&named, "of "]);
    has(&shop.page("/"), &["class=\"title\""]);
    // Only names that occur are suggested, and none that was tried.
    let page = shop.refused(&search(&format!("email={}", mind.mail)), 404);
    has(&page, &[&search(&format!("mail={}", mind.mail))]);
    assert!(!page.contains("--field"), "{page}");
    let page = shop.refused(&search("nobody@example.com"), 404);
    assert!(!page.contains("/search?q=mail"), "{page}");
    has(
        &shop.refused(&search("none=Delft"), 404),
        &[&search("city=Delft")],
    );
    // What was deleted opens on its last state.
    let gone = &shop.story.vanished;
    let page = shop.page(&format!("/profile/{}", gone.profile));
    has(
        &page,
        &[
            "This is its last state",
            "Now it is deleted",
            &gone.mail,
            ">deleted<",
        ],
    );
    let page = shop.page(&format!("/profile/{}?at=@{}", gone.profile, gone.time));
    assert!(!page.contains("This is its last state"), "{page}");
}

fn commands_work_when_pasted(shop: &Shop) {
    let elsewhere = tempfile::tempdir().unwrap();
    let mut count = 0;
    for target in [
        "/incidents",
        "/gaps",
        "/changes?field=city",
        &format!("/profile/{}", shop.story.mind.profile),
    ] {
        let page = text(shop.visitor.get(target));
        for command in page.split("<pre class=\"command\"><code>").skip(1) {
            let command = command.split("</code>").next().unwrap();
            let command = command
                .replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&amp;", "&");
            let words = shlex::split(&command).unwrap();
            let mut run = clean(BINARY);
            run.args(&words[1..]).current_dir(elsewhere.path());
            let ran = run.output().unwrap();
            let stderr = String::from_utf8_lossy(&ran.stderr);
            assert!(ran.status.success(), "{command}: {stderr}");
            count += 1;
        }
    }
    assert!(count > 4, "{count}");
}

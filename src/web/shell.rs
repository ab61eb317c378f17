//! The layout of all pages, and the simplest pages.

use maud::{DOCTYPE, Markup, html};

use super::assets::{ICON, SCRIPT, STYLE};
use super::reader::{Clock, Reader};

/// A whole page. `title` is shown before the program's name, `asked` in the search box;
/// `clock` has the zone of the times that are shown, and is missing before the login.
pub fn page(title: &str, asked: &str, clock: Option<&Clock>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) " · profiletrail" }
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                link rel="icon" href=(ICON.path) type="image/svg+xml";
                link rel="stylesheet" href=(STYLE.path);
                script src=(SCRIPT.path) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    a.brand href="/" { span.sign aria-hidden="true" {} "profiletrail" }
                    @if clock.is_some() {
                        (nav(title))
                        (search(asked))
                        form.out method="post" action="/logout" { button.quiet type="submit" { "Log out" } }
                    }
                }
                main #main tabindex="-1" { (body) }
                @if let Some(clock) = clock {
                    footer { "Times are in " (clock.zone.name()) ". These pages are read-only." }
                }
            }
        }
    }
}

/// The pages that are always one step away: address, name, title.
const PLACES: [(&str, &str, &str); 7] = [
    ("/", "Start", "Start"),
    ("/changes?since=7+days+ago", "Changes", "Changes"),
    ("/incidents", "Incidents", "Incidents"),
    ("/gaps", "Gaps", "Unexplained changes"),
    ("/loops", "Loops", "Loops"),
    ("/rejected", "Rejected", "Rejected calls"),
    ("/search", "Search", "Search"),
];

fn nav(here: &str) -> Markup {
    html! {
        nav.places aria-label="Pages" {
            @for (path, name, title) in PLACES {
                a href=(path) aria-current=[(title == here).then_some("page")] { (name) }
            }
        }
    }
}

fn search(asked: &str) -> Markup {
    html! {
        form.search role="search" method="get" action="/search" {
            label for="q" { "Search" }
            input #q type="search" name="q" value=(asked) placeholder="a number, a value or field=value" aria-keyshortcuts="/"
                autocomplete="off" autocapitalize="off" spellcheck="false" maxlength="1000";
            button type="submit" { "Search" }
        }
    }
}

/// A page with one message, and the next step.
pub fn message(title: &str, body: &Markup, clock: Option<&Clock>) -> Markup {
    page(
        title,
        "",
        clock,
        &html! { section.message { h1 { (title) } (body) } },
    )
}

/// The login form. `next` is the address after it; `clear` is whether the browser may
/// not use TLS.
pub fn login(next: &str, error: Option<&str>, clear: bool) -> Markup {
    let body = html! {
        section.login {
            h1 { "Log in" }
            @if let Some(error) = error { p.error role="alert" { (error) } }
            @if clear {
                p.notes role="note" {
                    "If the address above does not begin with " code { "https://" } ", others on the network can read the token: do not send it that way."
                }
            }
            form method="post" action="/login" {
                input type="hidden" name="next" value=(next);
                label for="token" { "Token" }
                input #token type="password" name="token" required autofocus autocomplete="current-password"
                    maxlength="200" spellcheck="false" aria-describedby="token-help";
                button type="submit" { "Log in" }
            }
            p #token-help {
                "Make a token on the server:"
            }
            pre { code { "profiletrail token create --name browser" } }
            p.note { "A token can read everything and change nothing. It is not stored in your browser. A session ends after 30 minutes without use, or when its token is revoked." }
        }
    };
    page("Log in", "", None, &body)
}

/// The notes above an answer: the missing events, and the reason.
pub fn notes(damage: &[String], notes: &[String], reader: &Reader<'_>) -> Markup {
    html! {
        @if !damage.is_empty() {
            div.damage role="note" {
                p { strong { "Some events that belong here cannot be read." } " " (reader.code("profiletrail verify")) " lists the damage." }
                ul { @for what in damage.iter().take(5) { li { (super::text::Text::new(what, 300)) } } }
                @if damage.len() > 5 { p { (damage.len() - 5) " more." } }
            }
        }
        @if !notes.is_empty() {
            div.notes role="note" {
                ul { @for note in notes { li { (super::text::Text::new(note, 300)) } } }
            }
        }
    }
}

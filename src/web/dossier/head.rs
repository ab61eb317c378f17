//! The head of the page, with totals.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use super::words::{Words, text};
use crate::format::{counted, who};
use crate::query::dossier::lines::{AboutPart, TotalPart};

const STYLE: &str = include_str!("style.css");

/// The policy that binds the browser which shows it: it lets nothing in but the
/// one style sheet, by its digest.
pub fn policy() -> String {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'")
}

/// All up to the first section of lines.
pub fn head(words: Words, about: &AboutPart<'_>, total: &TotalPart) -> Markup {
    let person = who(about.who);
    let names: Vec<(bool, &str)> = (about.fields.iter().map(|name| (true, &**name)))
        .chain(about.interests.iter().map(|name| (false, &**name)))
        .collect();
    let events = |count: u64, with: &str| {
        (count > 0).then(|| format!("{} with {with}", counted(count, "event")))
    };
    let damaged = counted(total.damaged, "report");
    let unsure = [
        events(total.unexplained, "changes that no call claims"),
        events(total.first_seen, "values of unknown beginning"),
        (total.damaged > 0).then(|| format!("{damaged} of events that cannot be read")),
        (total.pruned > 0).then(|| "older events were removed".to_owned()),
    ];
    let unsure: Vec<String> = unsure.into_iter().flatten().collect();
    html! {
        (DOCTYPE)
        (PreEscaped("<html lang=\"en\">"))
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy());
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="referrer" content="no-referrer";
            meta name="robots" content="noindex, nofollow";
            title { "Dossier of " (person) }
            style { (PreEscaped(STYLE)) }
        }
        (PreEscaped("<body>\n"))
        header {
            h1 { "Dossier of " (person) }
            @if !names.is_empty() {
                p.lead {
                    "Only of "
                    @for (number, (is_field, name)) in names.iter().enumerate() {
                        @if number > 0 { ", " }
                        @if *is_field { "the field " } @else { "the interest " }
                        b { (text(name)) }
                    }
                }
            }
        }
        section id="about" {
            dl {
                dt { "Made" } dd { (words.time(&about.made)) ", by profiletrail " (about.version) " from the calls that it has received from Copernica" }
                dt { "Covers" }
                dd {
                    @match &about.since {
                        Some(since) => { (words.time(since)) " to " (words.time(&about.at)) },
                        None => { "everything up to " (words.time(&about.at)) },
                    }
                }
                dt { "Events" }
                dd {
                    (counted(total.events, "event"))
                    @if let (Some(first), Some(last)) = (&total.first_event, &total.last_event) {
                        ", from " (words.time(&first.time)) " to " (words.time(&last.time))
                    }
                    @if total.subprofiles > 0 && about.who.subprofile.is_none() {
                        ", of the profile and " (counted(total.subprofiles, "subprofile"))
                    }
                    @if !names.is_empty() { "; only those that changed what is asked for" }
                    @if total.duplicates > 0 {
                        "; also " (counted(total.duplicates, "duplicate")) " of calls, which change nothing"
                    }
                }
                dt { "Who sent them" }
                dd {
                    (counted(total.verified, "event")) " signed by Copernica and checked, "
                    (total.unsigned) " not signed, " (total.unchecked) " not checked"
                }
                dt { "Completeness" }
                dd {
                    @if unsure.is_empty() {
                        "Nothing is known to be missing. A lost call cannot be noticed if no later event shows its effect."
                    } @else {
                        span.warn { (unsure.join(", ")) }
                        ": see " a href="#gaps" { "what is not known" } "."
                    }
                }
            }
        }
        "\n"
    }
}

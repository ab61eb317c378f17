//! The results of a search, and the unreadable calls.

use std::collections::VecDeque;

use maud::{Markup, html};

use super::links;
use super::reader::Reader;
use super::shell::{notes, page};
use super::text::{NAME, Name, SHORT, Shown, Text};
use crate::query::lines::{FindLine, RejectedLine};
use crate::query::{Answered, FindQuery};

/// The longest command in bytes that is shown.
const COMMAND: usize = 500;

/// A (sub)profile that has or had the value, and when, as a row; with the field and the
/// value if they can differ (`several`).
pub fn hit(line: &FindLine<'_>, several: bool, reader: &Reader<'_>) -> Markup {
    let key = line.who;
    let why = match &*line.cause {
        "first_seen" => "or before: first seen then",
        "unexplained" | "observed" => "or before: the change itself was not seen",
        "baseline" => "or before: older events were pruned",
        _ => "",
    };
    let event = |seq: u64| html! { a href=(links::event(seq)) { "event " (seq) } };
    html! {
        tr {
            th scope="row" { (reader.profile(key)) }
            @if several { td data-label="value" { (Name::of(&line.subject)) " " (Shown::of(Some(&line.value), SHORT)) } }
            td data-label="since" {
                (reader.line(&line.since)) " "
                @if !why.is_empty() { span.note { (why) } " " }
                (event(line.since_seq))
            }
            td data-label="until" {
                @match (&line.until, line.until_seq.unwrap_or_default()) {
                    (None, _) => span.badge.good { "now" },
                    (_, seq) if seq == line.since_seq => span.nothing { "known only at that moment" },
                    (Some(until), seq) => { (reader.line(until)) " " (event(seq)) },
                }
            }
        }
    }
}

#[derive(Default)]
pub struct Hits {
    /// The hits as rows: present values first.
    pub hits: Vec<Markup>,
    pub more: bool,
    /// The outcome of all answers of the page.
    pub answered: Answered,
    /// Searches to try instead.
    pub instead: Vec<String>,
}

/// The search target.
fn sought(sought: &FindQuery) -> Markup {
    let value = Shown::Text(Text::new(&sought.value, SHORT));
    html! {
        (Name::of(&sought.subject()))
        @if sought.field.is_some() {
            @match sought.prefix {
                true if sought.value.is_empty() => " has any value",
                true => { " begins with " (value) },
                false => { " = " (value) },
            }
        }
    }
}

/// The page of a search for a value of a field, of several, or for an interest.
pub fn hits(asked: &str, what: &[FindQuery], found: &Hits, reader: &Reader<'_>) -> Markup {
    let body = html! {
        h1 { "Profiles that have or had this value" }
        @if what.len() > 1 || !asked.contains('=') && !matches!(what, [one] if one.interest.is_some()) {
            p { "Looked for in the look-up fields (" code { "serve --lookup" } "):" }
        }
        ul.sought { @for what in what { li { (sought(what)) } } }
        (notes(&found.answered.damage, &found.answered.notes, reader))
        section {
            (table(found, can_differ(what)))
            details {
                summary { "The same on a terminal" }
                @for line in what.iter().filter_map(find_command) { (reader.command(&line)) }
            }
        }
    };
    page("Search", asked, Some(&reader.clock), &body)
}

/// Whether the fields or the values that are found can differ.
pub fn can_differ(what: &[FindQuery]) -> bool {
    what.len() > 1 || what.iter().any(|one| one.prefix || one.matches)
}

fn instead(searches: &[String]) -> Markup {
    html! {
        @if !searches.is_empty() {
            p { "Fields that occur, with this value:" }
            ul { @for query in searches { li { a href=(links::search(query)) { (Text::new(query, SHORT)) } } } }
        }
    }
}

fn table(found: &Hits, several: bool) -> Markup {
    html! {
        @if found.hits.is_empty() {
            p.empty { "No profile has or had this value. Write the value as Copernica sent it, and the field as it is called there; a " code { "*" } " at the end matches any ending." }
            @if !found.answered.hints.is_empty() {
                ul { @for hint in &found.answered.hints { li { (Text::new(hint, SHORT * 3)) } } }
            }
            (instead(&found.instead))
        } @else {
            table.cards.hits {
                thead {
                    tr {
                        th scope="col" { "profile" }
                        @if several { th scope="col" { "value" } }
                        th scope="col" { "since" }
                        th scope="col" { "until" }
                    }
                }
                tbody { @for hit in &found.hits { (hit) } }
            }
            @if found.more { p.note { "Only the first " (found.hits.len()) " are shown." } }
        }
    }
}

/// The command with the same answer; `None` if a name or a value looks like a flag, or
/// cannot be given to a command.
fn find_command(what: &FindQuery) -> Option<String> {
    let (name, value) = (what.subject(), what.value.as_str());
    let (name, text) = (name.name(), format!("{}={value}", name.name()));
    let (flag, given) = match what.interest.is_some() {
        true => (Some("--interest"), vec![name]),
        false if name.contains('=') => (Some("--field"), vec![name, value]),
        false => (None, vec![text.as_str()]),
    };
    if given.iter().any(|word| word.starts_with('-')) {
        return None;
    }
    let prefix = what.prefix.then_some("--prefix");
    let words = ["profiletrail", "find"].into_iter().chain(flag);
    let words = words.chain(given).chain(["--ever"]).chain(prefix);
    let line = shlex::try_join(words).ok()?;
    (line.len() <= COMMAND).then_some(line)
}

/// The page for a search that cannot be parsed. `searches` can be tried instead; `lookup`
/// is whether values without a field can be searched.
pub fn no_search(asked: &str, searches: &[String], lookup: bool, reader: &Reader<'_>) -> Markup {
    let body = html! {
        section.message {
            h1 { "Search" }
            @if !asked.trim().is_empty() {
                p {
                    "This is neither a profile nor a field with a value: " strong { (Text::new(asked, SHORT)) } ". "
                    @if !lookup { "Values alone are looked for in the fields that " code { "serve --lookup" } " names; none is named." }
                }
            }
            (instead(searches))
            ul {
                li { code { "123" } " is a profile, " code { "123/456" } " a subprofile of it" }
                @if lookup { li { code { "johny@example.com" } " is looked for in the look-up fields" } }
                li { code { "mail=johny@example.com" } " finds the profiles that have or had this value" }
                li { code { "mail=johny@*" } " finds the values that begin with this text" }
                li { code { "interest news" } " finds the profiles that are or were members" }
                li { code { "event 7" } " is the seventh event that arrived" }
            }
        }
    };
    page("Search", asked, Some(&reader.clock), &body)
}

/// A call that could not be read, as an item.
pub fn rejected_call(line: &RejectedLine<'_>, reader: &Reader<'_>) -> Markup {
    let name = |text: &str| Text::new(text, NAME);
    html! {
        li {
            p { (reader.line(&line.received)) " " span.badge.bad { (line.status) } }
            p { (Text::new(&line.error, SHORT)) " (" (name(&line.place)) ")" }
            @if let Some(label) = &line.label { p.note { "label " (name(label)) } }
            @if let Some(remote) = &line.remote { p.note { "from " (name(remote)) } }
        }
    }
}

/// Calls that could not be read: how many, and the last of them.
pub fn rejected(count: u64, last: &VecDeque<Markup>, reader: &Reader<'_>) -> Markup {
    html! {
        @if count == 0 {
            p.empty { "None in the last two weeks." }
        } @else {
            p { strong { (count) } " in the last two weeks. To list them:" }
            (reader.command("profiletrail rejected --since '14 days ago'"))
            ul.findings { @for call in last { (call) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suggested_input_runs_the_same_query() {
        let field = |name: &str, value: &str, prefix| FindQuery {
            field: Some(name.to_owned()),
            value: value.to_owned(),
            prefix,
            ..FindQuery::default()
        };
        let interest = FindQuery {
            interest: Some("it's".to_owned()),
            ..FindQuery::default()
        };
        for (sought, line) in [
            (
                field("mail", "a b", false),
                Some("profiletrail find 'mail=a b' --ever"),
            ),
            (
                field("mail", "", true),
                Some("profiletrail find 'mail=' --ever --prefix"),
            ),
            (
                field("a=b", "c", false),
                Some("profiletrail find --field 'a=b' c --ever"),
            ),
            (
                interest,
                Some("profiletrail find --interest \"it's\" --ever"),
            ),
            // A value that would be read as a flag, cannot be given, or is too long.
            (field("--out", "x", false), None),
            (field("a=b", "--ever", false), None),
            (field("a", "\0", false), None),
            (field("a", &"x".repeat(COMMAND), false), None),
        ] {
            assert_eq!(find_command(&sought).as_deref(), line, "{sought:?}");
        }
    }
}

//! Asking a question and writing the answer.

use std::io::{BufWriter, Write};

use super::Ending;
use super::args::{Format, Output};
use super::client;
use super::output::{Printed, printer};
use super::setting::Setting;
use crate::query::{FindQuery, Query, Sought, Span};
use crate::server::protocol::End;

/// Asks, and writes the answer in the form asked for.
pub fn run(query: &Query, output: &Output, setting: &Setting) -> anyhow::Result<Ending> {
    super::logging::of_command(setting);
    let mut stdout = BufWriter::with_capacity(1 << 16, super::Stdout::new());
    let end = match setting.format(output.format) {
        Format::Jsonl => client::ask(query, setting, &mut stdout)?,
        Format::Table => {
            let mut printed = Printed::new(printer(query, setting, &mut stdout));
            let end = client::ask(query, setting, &mut printed)?;
            printed.finish()?;
            end
        }
    };
    stdout.flush()?;
    Ok(lacking(query, &end).unwrap_or(Ending::Answered))
}

/// Says what an answer lacks, and how the command ends for it; `None` where it
/// was answered.
pub fn lacking(query: &Query, end: &End) -> Option<Ending> {
    super::say_notes(end);
    if !end.damage.is_empty() {
        for damage in &end.damage {
            super::say(&format!("profiletrail: {damage}"));
        }
        super::say("profiletrail: the answer lacks what cannot be read");
        return Some(Ending::Failed);
    }
    if end.found {
        return None;
    }
    super::say(&format!("profiletrail: nothing found: {}", nothing(query)));
    Some(Ending::NothingFound)
}

/// What was not found, and where to look.
fn nothing(query: &Query) -> String {
    let all = Span::default();
    let (key, narrowed) = match query {
        Query::History(query) => {
            let of_some = !query.fields.is_empty() || !query.interests.is_empty();
            (
                query.key,
                of_some || query.span != all || query.limit == Some(0),
            )
        }
        Query::Show(query) => (query.key, false),
        Query::Diff(query) => (query.key, false),
        Query::Blame(query) => {
            return format!("{} has no fields or interests at that moment", query.key);
        }
        Query::Changes(_) => return "no change is like that".to_owned(),
        Query::Find(query) => return nobody(query),
        Query::Export(_) => return "no event is like that".to_owned(),
        Query::Rejected(query) if query.span != all => {
            return "no call was rejected then".to_owned();
        }
        Query::Rejected(_) => return "every call could be read".to_owned(),
        Query::Evidence(query) => {
            let seq = query.seq;
            return format!(
                "there is no event {seq}, or it came without a signature, or while signatures were not checked"
            );
        }
    };
    match key.subprofile {
        _ if narrowed => format!("no event of {key} is like that"),
        None => format!("no event of profile {key} (its subprofiles are {key}/NUMBER)"),
        Some(_) => format!("no event of subprofile {key}"),
    }
}

/// Who was not found, and how to look further.
fn nobody(query: &FindQuery) -> String {
    let who = match &query.sought {
        Sought::Field { name, .. } => {
            format!(
                "no profile or subprofile has such a value in {:?}",
                super::output::plain(name)
            )
        }
        Sought::Interest(name) => {
            format!(
                "no profile has the interest {:?}",
                super::output::plain(name)
            )
        }
    };
    if query.ever {
        format!("{who}, or ever had; 'profiletrail stats' lists the names of fields")
    } else {
        format!("{who} at that moment; --ever tells who had it once")
    }
}

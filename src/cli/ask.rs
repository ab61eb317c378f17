//! Asking a question and writing the answer.

use std::io::{BufWriter, Write};

use super::Ending;
use super::args::{Format, Output};
use super::client;
use super::output::{Printed, printer};
use super::setting::Setting;
use crate::query::{Query, Span, Wanted};
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

/// Which incident was not found, and where to look.
fn no_incident(what: &Wanted) -> String {
    match what {
        Wanted::List => "no field changed in so many profiles at once, but at its usual rate; \
             --least and --within say what is an incident"
            .to_owned(),
        Wanted::Show(id) | Wanted::Undo(id) => format!(
            "there is no incident {id}: see 'profiletrail incidents', and give the flags that it was listed with"
        ),
    }
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
        Query::Dossier(query) => (query.key, false),
        Query::Blame(query) => {
            return format!("{} has no fields or interests at that moment", query.key);
        }
        Query::Changes(_) | Query::Report(_) => return "no change is like that".to_owned(),
        Query::Gaps(_) => return "no unexplained change is like that".to_owned(),
        Query::Incidents(query) => return no_incident(&query.what),
        Query::Loops(_) => {
            return "no field goes on changing like that; --least and --within say what is a loop"
                .to_owned();
        }
        Query::Export(_) => return "no event is like that".to_owned(),
        Query::Rejected(query) if query.span != all => {
            return "no call was rejected then".to_owned();
        }
        Query::Rejected(_) => return "every call could be read".to_owned(),
        Query::Tail(_) => return "no event is like that".to_owned(),
        Query::Explain(query) => {
            let seq = query.seq;
            return format!(
                "there is no event {seq}, or it was pruned; `profiletrail tail` shows the newest with their numbers"
            );
        }
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

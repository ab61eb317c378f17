//! Asking a question and writing the answer.

use std::io::{BufWriter, Write};

use super::Ending;
use super::args::{Format, Output};
use super::client;
use super::output::{self, Table};
use super::setting::Setting;
use crate::query::Query;

/// Asks, and writes the answer in the form asked for.
pub fn run(query: &Query, output: &Output, setting: &Setting) -> anyhow::Result<Ending> {
    super::serve::log_warnings();
    let mut stdout = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let end = match setting.format(output.format) {
        Format::Jsonl => client::ask(query, setting, &mut stdout)?,
        Format::Table => {
            let mut table = Table::new(query, setting, &mut stdout);
            let end = client::ask(query, setting, &mut table)?;
            table.finish()?;
            end
        }
    };
    stdout.flush()?;
    if !end.damage.is_empty() {
        for damage in &end.damage {
            eprintln!("profiletrail: {}", output::plain(damage));
        }
        eprintln!("profiletrail: the answer lacks what cannot be read");
        return Ok(Ending::Failed);
    }
    if end.found {
        return Ok(Ending::Answered);
    }
    eprintln!("profiletrail: nothing found: {}", nothing(query));
    Ok(Ending::NothingFound)
}

/// What was not found, and where to look.
fn nothing(query: &Query) -> String {
    let key = match query {
        Query::History(query) => query.key,
        Query::Show(query) => query.key,
        Query::Diff(query) => query.key,
        Query::Blame(query) => query.key,
        Query::Changes(_) => return "no change is like that".to_owned(),
        Query::Export(_) => return "no event is like that".to_owned(),
        Query::Rejected(_) => return "every call could be read".to_owned(),
    };
    match (query, key.subprofile) {
        (Query::History(query), _) if !query.fields.is_empty() || !query.interests.is_empty() => {
            format!("no event of {key} changed that")
        }
        (Query::Blame(_), _) => format!("{key} has no fields or interests at that moment"),
        (_, None) => format!("no event of profile {key} (its subprofiles are {key}/NUMBER)"),
        (_, Some(_)) => format!("no event of subprofile {key}"),
    }
}

//! Completion in a shell: `COMPLETE=bash profiletrail -- …`, as the script of
//! `completions` calls it. Names of fields, interests, labels and types, and numbers of
//! profiles, are those of the newest events.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use clap::{Arg, Command, FromArgMatches, ValueHint};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};

use super::context::{CommandContext, Common};
use super::{client, env_file};
use crate::format::{LineSplitter, is_unsafe};
use crate::query::lines::HistoryLine;
use crate::query::{Query, TailQuery};

/// How many of the newest events are read.
const NEWEST: u64 = 500;

/// What can be completed from the events.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Field,
    Interest,
    Label,
    Type,
    Profile,
}

/// Completes and exits, if a shell asks for that.
pub fn complete() {
    CompleteEnv::with_factory(|| with_values(env_file::command())).complete();
}

/// The command line whose arguments know their values.
fn with_values(command: Command) -> Command {
    let known = |arg: Arg| {
        let kind = match arg.get_id().as_str() {
            "fields" | "field" => Kind::Field,
            "interests" | "interest" => Kind::Interest,
            "labels" | "not_labels" => Kind::Label,
            "types" => Kind::Type,
            "key" | "profile" => Kind::Profile,
            "data" => return arg.value_hint(ValueHint::DirPath),
            "env_file" => return arg.value_hint(ValueHint::FilePath),
            _ => return arg,
        };
        arg.add(ArgValueCompleter::new(move |typed: &OsStr| {
            candidates(kind, typed).unwrap_or_default()
        }))
    };
    command.mut_args(known).mut_subcommands(with_values)
}

/// The values of that kind which begin with what was typed; none if the data cannot be
/// read.
fn candidates(kind: Kind, typed: &OsStr) -> Option<Vec<CompletionCandidate>> {
    let typed = typed.to_str()?;
    // The words of the command line come after the first `--`.
    let words = std::env::args_os().skip_while(|word| word != "--").skip(1);
    let words: Vec<_> = words.collect();
    let command = env_file::with_sources(&words, &mut |_| ()).ok()?;
    let matches = command.ignore_errors(true).try_get_matches_from(words);
    let common = Common::from_arg_matches(&matches.ok()?).ok()?;
    let mut context = CommandContext::new(&common).ok()?;
    context.progress = false;
    let mut found = BTreeSet::new();
    let mut take = |text: &str| {
        if text.starts_with(typed) && !text.is_empty() && !text.contains(is_unsafe) {
            found.insert(text.to_owned());
        }
    };
    let mut lines = LineSplitter::new(Box::new(|line: &[u8]| {
        let line: HistoryLine<'_> = serde_json::from_slice(line)?;
        let subjects = line.changes.iter().map(|change| &change.subject);
        match kind {
            Kind::Field | Kind::Interest => subjects
                .filter(|subject| subject.is_interest() == (kind == Kind::Interest))
                .for_each(|subject| take(subject.name())),
            Kind::Label => take(line.label.as_deref().unwrap_or_default()),
            Kind::Type => take(&line.event_type),
            Kind::Profile => take(&line.who.to_string()),
        }
        Ok(())
    }));
    let query = Query::Tail(TailQuery {
        last: Some(NEWEST),
        ..TailQuery::default()
    });
    client::ask(&query, &context, &mut lines).ok()?;
    drop(lines);
    Some(found.into_iter().map(CompletionCandidate::new).collect())
}

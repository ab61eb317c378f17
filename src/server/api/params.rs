//! The parameters of a request, read by the definition of the command's flags.
//!
//! A question's parameters are its command's flags, which clap knows
//! ([`super::questions`]). The target's pairs are turned into such flags and parsed by
//! clap; the description of the API has clap's data about each flag. A parsed query is
//! serialized in one canonical form, with times in Unix seconds: it identifies the query
//! and keeps its meaning later.
//!
//! Only the declared parameters of a question reach clap: hidden flags are refused like
//! unknown ones.

use std::any::TypeId;
use std::error::Error as _;
use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use percent_encoding::percent_decode_str;
use serde::Serialize;
use serde_json::Value;

use crate::event::DecodeError;
use crate::query::{Clock, params_of, with_clock};

/// The parameters whose values are times, in Unix seconds when serialized.
const TIMES: [&str; 5] = ["since", "until", "at", "from", "to"];

/// The parameter whose value is a duration, in seconds when serialized.
const WITHIN: &str = "within";

/// Names and values as they are written in a target.
pub(super) type Pairs = Vec<(String, String)>;

/// The flags of a question as a command of clap.
pub(super) fn command_of<T: Args>() -> Command {
    T::augment_args(Command::new("question"))
        .no_binary_name(true)
        .disable_help_flag(true)
}

/// The parameters that a question takes: its flags, but for hidden ones.
pub(super) fn declared_params(command: &Command) -> impl Iterator<Item = (&str, &Arg)> {
    let args = command.get_arguments().filter(|arg| !arg.is_hide_set());
    args.filter_map(|arg| Some((arg.get_long()?, arg)))
}

/// Decodes the query of a target.
pub(super) fn decode_pairs(query: &str) -> Result<Pairs, DecodeError> {
    let mut pairs = Vec::new();
    for raw in query.split('&').filter(|raw| !raw.is_empty()) {
        for (name, value) in form_urlencoded::parse(raw.as_bytes()) {
            // Invalid UTF-8 in the decoded texts is replaced. A pair is UTF-8 if both are:
            // neither `=` nor `+` is a byte of another character.
            if percent_decode_str(raw).decode_utf8().is_err() {
                return Err(DecodeError::new("it is not UTF-8", name));
            }
            pairs.push((name.into_owned(), value.into_owned()));
        }
    }
    Ok(pairs)
}

/// Refuses any parameter, where none is declared.
pub(super) fn refuse_params(query: &str) -> Result<(), DecodeError> {
    match decode_pairs(query)?.first() {
        None => Ok(()),
        Some((name, _)) => Err(unknown(&Command::new("question"), name)),
    }
}

/// Parses the pairs of a target; `subject` is what the path names, where a flag of
/// the command is positional.
pub(super) fn parse_pairs(
    command: Command,
    subject: Option<String>,
    pairs: Pairs,
    clock: Clock,
) -> Result<ArgMatches, DecodeError> {
    let mut args: Vec<OsString> = subject.into_iter().map(OsString::from).collect();
    let mut seen: Vec<&str> = Vec::new();
    for (name, value) in &pairs {
        let Some((_, arg)) = declared_params(&command).find(|(known, _)| known == name) else {
            return Err(unknown(&command, name));
        };
        if !is_repeatable(arg) && seen.contains(&name.as_str()) {
            return Err(DecodeError::new("it can be given only once", name));
        }
        seen.push(name);
        if !is_flag(arg) {
            args.push(format!("--{name}={value}").into());
            continue;
        }
        match value.as_str() {
            "false" | "0" => {}
            "" | "true" | "1" => args.push(format!("--{name}").into()),
            other => {
                let what = format!("{other:?} is neither true nor false");
                return Err(DecodeError::new(what, name));
            }
        }
    }
    let command = with_clock(command, clock);
    command
        .try_get_matches_from(args)
        .map_err(|error| invalid(&error))
}

/// The question that was parsed, and its parameters in canonical form.
pub(super) fn read<T: FromArgMatches + Serialize>(
    matches: &ArgMatches,
) -> Result<(T, Pairs), DecodeError> {
    let question = T::from_arg_matches(matches).map_err(|error| invalid(&error))?;
    let mut pairs = Pairs::new();
    for (name, value) in params_of(&question) {
        let text = match value {
            Value::String(text) => text,
            Value::Number(number) if TIMES.contains(&name.as_str()) => format!("@{number}"),
            Value::Number(number) if name == WITHIN => format!("{number}s"),
            Value::Array(_) | Value::Object(_) => continue,
            other => other.to_string(),
        };
        pairs.push((name, text));
    }
    Ok((question, pairs))
}

/// Whether a parameter is a flag without a value.
pub(super) fn is_flag(arg: &Arg) -> bool {
    !arg.get_action().takes_values()
}

pub(super) fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The allowed words of a parameter; none if any value is allowed.
pub(super) fn choices(arg: &Arg) -> Vec<String> {
    let name = |value: PossibleValue| value.get_name().to_owned();
    match is_flag(arg) {
        true => Vec::new(),
        false => arg.get_possible_values().into_iter().map(name).collect(),
    }
}

pub(super) fn is_number(arg: &Arg) -> bool {
    arg.get_value_parser().type_id() == TypeId::of::<u64>()
}

fn unknown(command: &Command, name: &str) -> DecodeError {
    let known: Vec<_> = declared_params(command).map(|(name, _)| name).collect();
    let what = match known.is_empty() {
        true => "there is no such parameter; this question has none".to_owned(),
        false => format!(
            "there is no such parameter; the parameters are {}",
            known.join(", ")
        ),
    };
    DecodeError::new(what, name)
}

/// What clap found wrong, and with which parameter.
fn invalid(error: &clap::Error) -> DecodeError {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(", "),
        _ => String::new(),
    };
    // Such as `--since <TIME>`.
    let arg = text(ContextKind::InvalidArg);
    let name = arg.split([' ', '=', ',']).next().unwrap_or_default();
    let name = name.trim_start_matches("--");
    let value = text(ContextKind::InvalidValue);
    let what = match (error.kind(), error.source()) {
        (ErrorKind::MissingRequiredArgument, _) => "it is required".to_owned(),
        (ErrorKind::InvalidValue, _) => format!(
            "{value:?} is not one of these: {}",
            text(ContextKind::ValidValue)
        ),
        (_, Some(reason)) => {
            let reason = reason.to_string();
            match reason.contains(&value) && !value.is_empty() {
                true => reason,
                false => format!("{value:?} cannot be read: {reason}"),
            }
        }
        (kind, None) => kind.to_string(),
    };
    DecodeError::new(what, name)
}

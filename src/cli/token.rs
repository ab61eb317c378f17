//! `token`: the tokens of the query API.

use clap::Subcommand;
use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use super::Ending;
use super::args::{Format, TellOutput};
use super::output::plain;
use super::setting::{Setting, UsageError};
use crate::tokens::{Scope, Token, TokenFile, TokensError};
use crate::trail::Folder;

/// `token`
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A token lets a program ask over HTTP what the commands answer, where `serve --api ADDR` runs; \
    it changes nothing. The server takes notice of a change at once.\n\n\
    Example: profiletrail token create --name report"
)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

/// What is to be done with tokens.
#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Make a token, and show it: it cannot be shown again
    Create {
        /// What you call it, to know it by later
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// What it is good for
        #[arg(long, value_name = "SCOPE", default_value = "read")]
        scope: Scope,
        #[command(flatten)]
        output: TellOutput,
    },
    /// List the tokens there are, without what is secret
    List {
        #[command(flatten)]
        output: TellOutput,
    },
    /// Revoke a token
    Revoke {
        /// Its id, as list shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        output: TellOutput,
    },
}

/// A token as it is shown: `token` only where it was just made.
#[derive(Serialize)]
struct TokenLine<'a> {
    id: &'a str,
    name: &'a str,
    scope: Scope,
    created: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

impl<'a> TokenLine<'a> {
    fn of(token: &'a Token, text: Option<&'a str>) -> Self {
        Self {
            id: &token.id,
            name: &token.name,
            scope: token.scope,
            created: &token.created,
            token: text,
        }
    }
}

/// `token`
pub fn run(args: &TokenArgs, setting: &Setting) -> anyhow::Result<Ending> {
    super::logging::of_command(setting);
    let file = TokenFile::of(&setting.data);
    match &args.command {
        TokenCommand::Create {
            name,
            scope,
            output,
        } => {
            let (token, text) = Token::new(name, *scope).map_err(|error| match error {
                TokensError::Name => UsageError::new(error.to_string()).into(),
                error => anyhow::Error::from(error),
            })?;
            Folder::make(&setting.data)?;
            file.add(token.clone())?;
            show(&[TokenLine::of(&token, Some(&text))], output, setting)?;
            super::say(
                "profiletrail: keep the token where its program reads it: it is not shown again",
            );
            Ok(Ending::Answered)
        }
        TokenCommand::List { output } => {
            let tokens = file.read()?;
            let lines: Vec<_> = tokens
                .iter()
                .map(|token| TokenLine::of(token, None))
                .collect();
            if lines.is_empty() {
                super::say(
                    "profiletrail: nothing found: no token was made, or all are revoked; `profiletrail token create` makes one",
                );
                return Ok(Ending::NothingFound);
            }
            show(&lines, output, setting)?;
            Ok(Ending::Answered)
        }
        TokenCommand::Revoke { id, output } => {
            // Where nothing was ever made, nothing is made for it.
            let known = file.read()?.iter().any(|token| token.id == *id);
            let removed = if known { file.remove(id)? } else { None };
            let Some(token) = removed else {
                let id = plain(id);
                super::say(&format!(
                    "profiletrail: nothing found: no token has the id {id}; `profiletrail token list` shows those there are"
                ));
                return Ok(Ending::NothingFound);
            };
            show(&[TokenLine::of(&token, None)], output, setting)?;
            super::say("profiletrail: revoked");
            Ok(Ending::Answered)
        }
    }
}

fn show(lines: &[TokenLine<'_>], output: &TellOutput, setting: &Setting) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    if setting.format(output.format) == Format::Jsonl {
        for line in lines {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
        }
    } else {
        bytes = table_of(lines, setting).into_bytes();
    }
    super::care::write(&bytes)
}

fn table_of(lines: &[TokenLine<'_>], setting: &Setting) -> String {
    let shown = lines.iter().any(|line| line.token.is_some());
    let mut table = Table::new();
    table
        .load_preset(presets::NOTHING)
        // A token that is cut in two is none.
        .set_content_arrangement(ContentArrangement::Disabled);
    let mut header = vec!["ID", "NAME", "SCOPE", "CREATED"];
    if shown {
        header.push("TOKEN");
    }
    table.set_header(header);
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1));
    }
    for line in lines {
        let scope = match line.scope {
            Scope::Read => "read",
            Scope::Metrics => "metrics",
        };
        let mut row = vec![
            line.id.to_owned(),
            plain(line.name),
            scope.to_owned(),
            setting.local(line.created),
        ];
        row.extend(line.token.map(str::to_owned));
        table.add_row(row);
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

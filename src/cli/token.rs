//! `token`: the tokens of the query API.

use std::io;

use clap::Subcommand;
use serde::Serialize;

use super::ExitStatus;
use super::args::{Format, ResultOutput};
use super::context::{CommandContext, UsageError};
use super::output::{Cell, CellContext, Column, Layout, TablePrinter};
use crate::auth::tokens::{Scope, Token, TokenFile, TokensError};
use crate::format::{Role, View, plain};
use crate::store::Folder;

/// `token`
#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A token lets a program read over HTTP (`serve --api ADDR`) what the commands answer; it can change \
    nothing. The server applies changes of tokens at once.\n\n\
    Example: profiletrail token create --name report"
)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

/// What is to be done with tokens.
#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Create a token, and show it this once
    Create {
        /// A name to recognise it by
        #[arg(long, value_name = "NAME", default_value = "")]
        name: String,
        /// What it may be used for
        #[arg(long, value_name = "SCOPE", default_value = "read")]
        scope: Scope,
        #[command(flatten)]
        output: ResultOutput,
    },
    /// List the tokens, without their secrets
    List {
        #[command(flatten)]
        output: ResultOutput,
    },
    /// Revoke a token
    Revoke {
        /// Its id, as list shows it
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        output: ResultOutput,
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
pub fn run(args: &TokenArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let file = TokenFile::of(&context.data);
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
            Folder::make(&context.data)?;
            file.add(token.clone())?;
            show(&[TokenLine::of(&token, Some(&text))], output, context)?;
            super::say(
                "profiletrail: store the token where your program reads it: it is not shown again",
            );
            Ok(ExitStatus::Success)
        }
        TokenCommand::List { output } => {
            let tokens = file.read()?;
            let lines: Vec<_> = tokens
                .iter()
                .map(|token| TokenLine::of(token, None))
                .collect();
            if lines.is_empty() {
                super::say(
                    "profiletrail: nothing found: there are no tokens; `profiletrail token create` creates one",
                );
                return Ok(ExitStatus::Nothing);
            }
            show(&lines, output, context)?;
            Ok(ExitStatus::Success)
        }
        TokenCommand::Revoke { id, output } => {
            // Without any token there is no file, and none is created.
            let known = file.read()?.iter().any(|token| token.id == *id);
            let removed = if known { file.remove(id)? } else { None };
            let Some(token) = removed else {
                let id = plain(id);
                super::say(&format!(
                    "profiletrail: nothing found: no token has the id {id}; `profiletrail token list` lists them"
                ));
                return Ok(ExitStatus::Nothing);
            };
            show(&[TokenLine::of(&token, None)], output, context)?;
            super::say("profiletrail: revoked");
            Ok(ExitStatus::Success)
        }
    }
}

fn show(
    lines: &[TokenLine<'_>],
    output: &ResultOutput,
    context: &CommandContext,
) -> anyhow::Result<()> {
    let mut bytes = Vec::new();
    if context.format(output.format) == Format::Jsonl {
        for line in lines {
            serde_json::to_writer(&mut bytes, line)?;
            bytes.push(b'\n');
        }
    } else {
        table(lines, context, &mut bytes)?;
    }
    super::maintenance::write(&bytes)
}

const fn columns<'a>() -> [Column<TokenLine<'a>>; 5] {
    [
        Layout::fixed("ID").cell(|line, _| Cell::of(Role::Seq, plain(line.id))),
        Layout::fixed("NAME").cell(|line, _| Cell::outside(line.name)),
        Layout::fixed("SCOPE").cell(|line, _| {
            let scope = match line.scope {
                Scope::Read => "read",
                Scope::Metrics => "metrics",
            };
            Cell::of(Role::Plain, scope)
        }),
        Layout::fixed("CREATED").cell(|line, _| Cell::time(line.created)),
        Layout::fixed("TOKEN")
            .hide_empty()
            .cell(|line, _| Cell::of(Role::New, plain(line.token.unwrap_or_default()))),
    ]
}

fn table(lines: &[TokenLine<'_>], context: &CommandContext, out: &mut Vec<u8>) -> io::Result<()> {
    let view = View {
        // A token that is cut in two is useless.
        width: None,
        ..context.view()
    };
    let context = CellContext { view, at: None };
    let columns = columns();
    let mut table = TablePrinter::new(&columns, context, out).of_few();
    for line in lines {
        table.row(line)?;
    }
    table.end()
}

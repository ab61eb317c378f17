//! `token`: the tokens of the query API.

use clap::Subcommand;
use serde::Serialize;

use super::output::{Cell, CellContext, Column, TablePrinter};
use super::{CommandContext, ExitStatus, Format, ResultOutput, UsageError};
use crate::auth::tokens::{Scope, Token, TokenFile, TokensError};
use crate::format::{Role, View, plain};
use crate::store::Folder;

#[derive(Debug, clap::Args)]
#[command(
    arg_required_else_help = true,
    after_help = "A token lets a program ask the commands' questions over HTTP (`serve --api \
    ADDR`); it cannot change anything. The server applies changes of tokens at once.\n\n\
    Example: profiletrail token create --name report"
)]
pub struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
enum TokenCommand {
    /// Create a token, and show it once
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

/// A token as it is shown: its text only after its creation.
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
            show(&[TokenLine::of(&token, Some(&text))], *output, context)?;
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
                super::say(&format!(
                    "profiletrail: nothing found: there are no tokens; {} creates one",
                    context.command("token create")
                ));
                return Ok(ExitStatus::Nothing);
            }
            show(&lines, *output, context)?;
            Ok(ExitStatus::Success)
        }
        TokenCommand::Revoke { id, output } => {
            // Without any token there is no file, and none is created.
            let known = file.read()?.iter().any(|token| token.id == *id);
            let removed = if known { file.remove(id)? } else { None };
            let Some(token) = removed else {
                let id = plain(id);
                super::say(&format!(
                    "profiletrail: nothing found: no token has the id {id}; {} lists them",
                    context.command("token list")
                ));
                return Ok(ExitStatus::Nothing);
            };
            show(&[TokenLine::of(&token, None)], *output, context)?;
            super::say("profiletrail: revoked");
            Ok(ExitStatus::Success)
        }
    }
}

fn show(
    lines: &[TokenLine<'_>],
    output: ResultOutput,
    context: &CommandContext,
) -> anyhow::Result<()> {
    if context.format(output.format) == Format::Jsonl {
        return lines.iter().try_for_each(super::print_json);
    }
    let view = View {
        // A token that is cut in two is useless.
        width: None,
        ..context.view()
    };
    let columns = [
        Column::fixed("ID", |line: &TokenLine<'_>, _| {
            Cell::of(Role::Seq, plain(line.id))
        }),
        Column::fixed("NAME", |line, _| Cell::outside(line.name)),
        Column::fixed("SCOPE", |line, _| {
            Cell::plain(match line.scope {
                Scope::Read => "read",
                Scope::Metrics => "metrics",
            })
        }),
        Column::fixed("CREATED", |line, _| Cell::time(line.created)),
        Column::fixed("TOKEN", |line: &TokenLine<'_>, _| {
            Cell::of(Role::New, plain(line.token.unwrap_or_default()))
        })
        .hide_empty(),
    ];
    let context = CellContext { view, at: None };
    let mut shown = Vec::new();
    let mut table = TablePrinter::new(&columns, context, &mut shown);
    for line in lines {
        table.row(line)?;
    }
    table.end()?;
    super::print(shown)
}

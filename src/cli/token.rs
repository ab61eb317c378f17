//! `token`: the tokens of the query API.

use clap::Subcommand;
use schemars::JsonSchema;
use serde::Serialize;

use super::output::{Cell, Column, TablePrinter};
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

pub fn run(args: &TokenArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
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
            show(std::slice::from_ref(&token), Some(&text), *output, context)?;
            message!("store the token where your program reads it: it is not shown again");
            Ok(ExitStatus::Success)
        }
        TokenCommand::List { output } => {
            let tokens = file.read()?;
            if tokens.is_empty() {
                let create = context.command("token create");
                return super::nothing_found(&format!("there are no tokens; {create} creates one"));
            }
            show(&tokens, None, *output, context)?;
            Ok(ExitStatus::Success)
        }
        TokenCommand::Revoke { id, output } => {
            // Without any token there is no file, and none is created.
            let known = file.read()?.iter().any(|token| token.id == *id);
            let removed = if known { file.remove(id)? } else { None };
            let Some(token) = removed else {
                let list = context.command("token list");
                return super::nothing_found(&format!(
                    "no token has the id {id}; {list} lists them"
                ));
            };
            show(&[token], None, *output, context)?;
            message!("revoked");
            Ok(ExitStatus::Success)
        }
    }
}

/// A token, as a line of the answer.
#[derive(Serialize, JsonSchema)]
pub(super) struct TokenLine<'a> {
    /// Names it to `revoke`.
    id: &'a str,
    /// Its name, given by the owner; may be empty.
    name: &'a str,
    /// Its scope.
    scope: Scope,
    /// When it was made.
    #[schemars(extend("format" = "date-time"))]
    created: &'a str,
    /// The token itself: only where it was just created.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
}

/// Writes tokens; with its text the one that was just created.
fn show(
    tokens: &[Token],
    text: Option<&str>,
    output: ResultOutput,
    context: &CommandContext,
) -> anyhow::Result<()> {
    let mut lines = tokens.iter().map(|token| TokenLine {
        id: &token.id,
        name: &token.name,
        scope: token.scope,
        created: &token.created,
        token: text,
    });
    if context.format(output.format) == Format::Jsonl {
        return lines.try_for_each(|line| super::print_json(&line, context));
    }
    let view = View {
        // A token that is cut in two is useless.
        width: None,
        ..context.view
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
    let mut shown = Vec::new();
    let mut table = TablePrinter::new(&columns, view, &mut shown);
    lines.try_for_each(|line| table.row(&line))?;
    table.end()?;
    super::print(shown)
}

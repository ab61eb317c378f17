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
    if context.format(output.format) == Format::Jsonl {
        return tokens.iter().try_for_each(|token| {
            super::print_json(&TokenLine {
                id: &token.id,
                name: &token.name,
                scope: token.scope,
                created: &token.created,
                token: text,
            })
        });
    }
    let view = View {
        // A token that is cut in two is useless.
        width: None,
        ..context.view
    };
    type Line<'a> = (&'a Token, Option<&'a str>);
    let columns = [
        Column::fixed("ID", |(token, _): &Line<'_>, _| {
            Cell::of(Role::Seq, plain(&token.id))
        }),
        Column::fixed("NAME", |(token, _), _| Cell::outside(&*token.name)),
        Column::fixed("SCOPE", |(token, _), _| {
            Cell::plain(match token.scope {
                Scope::Read => "read",
                Scope::Metrics => "metrics",
            })
        }),
        Column::fixed("CREATED", |(token, _), _| Cell::time(&token.created)),
        Column::fixed("TOKEN", |(_, text): &Line<'_>, _| {
            Cell::of(Role::New, plain(text.unwrap_or_default()))
        })
        .hide_empty(),
    ];
    let mut shown = Vec::new();
    let mut table = TablePrinter::new(&columns, view, &mut shown);
    for token in tokens {
        table.row(&(token, text))?;
    }
    table.end()?;
    super::print(shown)
}

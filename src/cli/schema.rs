//! `schema`: the stable format for programs, generated from the types of the answers.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::{Value, json};

use super::ExitStatus;
use super::context::UsageError;
use super::proofs::ProofFileLine;
use super::token::TokenLine;
use super::validation::ValidationLine;
use crate::log::SealedSegment;
use crate::ops::backup::BackupLine;
use crate::ops::doctor::{Address, Finding};
use crate::ops::{RepairLine, VerifyLine};
use crate::proofs::Checked;
use crate::query::{ReconcileLine, RetryLine};
use crate::server::{line_schemas, openapi, schema_generator};
use crate::store::{EraseLine, PruneReport};

#[derive(Debug, clap::Args)]
#[command(after_help = "Neither a server nor a token is needed.\n\n\
    Examples: profiletrail schema changes > changes.schema.json\n          \
    profiletrail schema --openapi > openapi.json")]
pub struct SchemaArgs {
    /// Describe the lines of this command
    #[arg(value_name = "COMMAND", conflicts_with = "openapi")]
    pub command: Option<String>,
    /// Write the OpenAPI description of the HTTP API instead
    #[arg(long)]
    pub openapi: bool,
}

pub fn run(args: &SchemaArgs) -> anyhow::Result<ExitStatus> {
    let document = match args.openapi {
        true => openapi(),
        false => lines(args.command.as_deref())?,
    };
    super::print(serde_json::to_string_pretty(&document)? + "\n")?;
    Ok(ExitStatus::Success)
}

/// The schema of the lines of a command, or of all: `$defs` has one of each command's name, and those
/// of the types that they refer to.
fn lines(command: Option<&str>) -> Result<Value, UsageError> {
    let mut generator = schema_generator("/$defs");
    let mut lines = line_schemas(&mut generator);
    let of = &mut generator;
    lines.extend([
        ("backup", line::<BackupLine>(of)),
        ("doctor", {
            let either = [line::<Finding>(of), line::<Address>(of)];
            json_schema!({ "anyOf": either })
        }),
        ("erase", line::<EraseLine>(of)),
        ("prove", line::<ProofFileLine>(of)),
        ("prove --check", line::<Checked>(of)),
        ("prune", line::<PruneReport>(of)),
        ("reconcile", line::<ReconcileLine<'_>>(of)),
        ("rejected --retry", line::<RetryLine>(of)),
        ("repair", line::<RepairLine>(of)),
        ("seal", line::<SealedSegment>(of)),
        ("token", line::<TokenLine<'_>>(of)),
        ("validation", line::<ValidationLine<'_>>(of)),
        ("verify", line::<VerifyLine>(of)),
    ]);
    lines.sort_by_key(|(name, _)| *name);
    let names = || lines.iter().map(|(name, _)| *name);
    let wanted = match command {
        None => "A line of any command".to_owned(),
        Some(name) if names().any(|known| known == name) => format!("A line of {name}"),
        Some(name) => {
            let near = crate::query::nearest(name, names());
            let next = near.map_or_else(
                || format!("one of {}", names().collect::<Vec<_>>().join(", ")),
                |near| format!("did you mean {near}?"),
            );
            let what = format!("no lines are described under the name {name}: {next}");
            return Err(UsageError::new(what));
        }
    };
    let refer = |name: &str| json!({ "$ref": format!("#/$defs/{}", name.replace(' ', "%20")) });
    let all = match command {
        Some(name) => vec![refer(name)],
        None => names().map(refer).collect(),
    };
    let mut definitions = generator.take_definitions(true);
    let lines = lines.into_iter();
    definitions.extend(lines.map(|(name, line)| (name.to_owned(), line.to_value())));
    Ok(json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": wanted,
        "description": "A line of --format jsonl. A later version may add properties; it does not remove \
            or retype one, and what is required stays",
        "anyOf": all,
        "$defs": definitions,
    }))
}

fn line<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

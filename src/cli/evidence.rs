//! `evidence`: the proof that Copernica sent an event, as a line, a list, or
//! files that a stranger can check with openssl.

use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer_args::Output;
use super::ask;
use super::client;
use super::{CommandContext, ExitStatus, Format, formats};
use crate::query::lines::EvidenceLine;
use crate::query::{EventQuery, Query};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example: profiletrail evidence 17 --out ./event-17")]
pub struct EvidenceArgs {
    #[command(flatten)]
    pub event: EventQuery,
    /// Write the proof as files into this new folder; with --format xlsx, a workbook
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, value_name = "FORMAT", value_parser = formats([Format::Table, Format::Jsonl, Format::Csv, Format::Xlsx]))]
    pub format: Option<Format>,
}

pub fn run(args: &EvidenceArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let query = Query::Evidence(args.event.clone());
    let dir = args.out.as_ref();
    let Some(dir) = dir.filter(|_| args.format != Some(Format::Xlsx)) else {
        let output = Output {
            format: args.format,
            out: args.out.clone(),
        };
        return ask::run(query, output, context);
    };
    let mut answer = Vec::new();
    let end = client::ask(&query, context, &mut answer)?;
    if let Some(ending) = ask::lacking(&query, &end, context) {
        return Ok(ending);
    }
    let line: EvidenceLine<'_> = serde_json::from_slice(&answer)?;
    write_files(dir, &line, &answer)
        .with_context(|| format!("writing the evidence into {}", dir.display()))?;
    super::print(format!(
        "wrote the evidence of event {} to {}; to check it there:\n\
         openssl dgst -sha256 -verify public-key.pem -signature signature.bin signed.txt\n\
         openssl dgst -sha256 -binary body.bin | openssl base64\n\
         The second prints the digest in signed.txt.\n",
        line.seq,
        crate::format::plain(&dir.display().to_string())
    ))?;
    Ok(ExitStatus::Success)
}

/// Writes each part of the proof to a file of its own.
fn write_files(dir: &Path, line: &EvidenceLine<'_>, answer: &[u8]) -> anyhow::Result<()> {
    let body = match (&line.body, &line.body_base64) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(text)) => STANDARD.decode(text.as_bytes())?,
        (None, None) => Vec::new(),
    };
    let signature = STANDARD.decode(&line.signature)?;
    std::fs::create_dir(dir)?;
    let files: [(&str, &[u8]); 6] = [
        ("body.bin", &body),
        ("signed.txt", line.signed.as_bytes()),
        ("signature.bin", &signature),
        ("public-key.pem", line.public_key.as_bytes()),
        ("key-record.txt", line.record.as_bytes()),
        ("evidence.json", answer),
    ];
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).with_context(|| name.to_owned())?;
    }
    Ok(())
}

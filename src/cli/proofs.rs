//! `checkpoint` and `prove`.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use schemars::JsonSchema;
use serde::Serialize;

use super::context::UsageError;
use super::maintenance::parse_lines;
use super::{CommandContext, ExitStatus, Format, formats};
use crate::format::{counted, grouped, plain};
use crate::proofs::{BundleFile, Checked, CheckedStamp, Checkpoint, Trusted, Vkey, check_bundle};
use crate::query::{
    AnchorLine, AnchorsQuery, Answered, CheckpointLine, CheckpointQuery, EventQuery, Query,
};

/// The longest checkpoint that is read, in bytes.
const MAX_NOTE: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Keep checkpoints where nobody who can change the data folder can change them, too: a later \
    checkpoint shows with --since whether the log still begins with the same events. Exit status 1: it does not.\n\n\
    Examples: profiletrail checkpoint > monday.checkpoint\n          \
    profiletrail checkpoint --since monday.checkpoint"
)]
pub struct CheckpointArgs {
    /// Prove that the log only grew since this checkpoint
    #[arg(long, value_name = "FILE")]
    pub since: Option<PathBuf>,
    /// Print the key that verifies checkpoints instead
    #[arg(long, conflicts_with = "since")]
    pub key: bool,
    /// List the checkpoints that others have signed, too (serve --timestamp and --witness)
    #[arg(long, conflicts_with_all = ["since", "key"])]
    pub anchors: bool,
    /// The form of the answer [default: the signed note]
    #[arg(long, value_name = "FORMAT", value_parser = formats([Format::Table, Format::Jsonl]))]
    pub format: Option<Format>,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The folder holds the event itself, which is personal data. Whoever gets it needs your key from \
    elsewhere (profiletrail checkpoint --key), and checks it with this command or with the check.sh in it.\n\n\
    Examples: profiletrail prove 17 --out ./event-17\n          \
    profiletrail prove --check ./event-17 --vkey profiletrail/1f2e…+0a1b2c3d+AX…"
)]
pub struct ProveArgs {
    /// The event's number
    #[arg(
        value_name = "SEQ",
        required_unless_present = "check",
        requires = "out"
    )]
    pub seq: Option<u64>,
    /// Write the proof into this new folder
    #[arg(long, value_name = "DIR", requires = "seq")]
    pub out: Option<PathBuf>,
    /// Check the proof in this folder; no data folder is needed
    #[arg(long, value_name = "DIR", conflicts_with_all = ["seq", "out"], requires = "vkey")]
    pub check: Option<PathBuf>,
    /// The key of who signed it, as you know it from elsewhere
    #[arg(long, value_name = "KEY", requires = "check")]
    pub vkey: Option<String>,
    /// The certificates (PEM) that vouch for the time-stamping authority; the proof must have a time
    /// stamp
    #[arg(long, value_name = "FILE", requires = "check")]
    pub tsa: Option<PathBuf>,
    /// The key of a witness that must have signed, too; can be repeated
    #[arg(long, value_name = "KEY", requires = "check")]
    pub witness: Vec<String>,
    /// The form of the answer [default: table on a terminal, jsonl elsewhere]
    #[arg(long, value_name = "FORMAT", value_parser = formats([Format::Table, Format::Jsonl]))]
    pub format: Option<Format>,
}

/// A file of a proof that was written; a line of `prove`.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProofFileLine {
    /// Its path.
    file: PathBuf,
    /// Its length.
    bytes: u64,
}

/// The signed note of a file; what `checkpoint --since` printed before it is skipped.
pub(super) fn read_note(path: &Path) -> anyhow::Result<String> {
    let reading = || format!("reading {}", path.display());
    // A pipe and a device have no length to ask for.
    let opened = File::open(path).with_context(reading)?;
    let mut text = Vec::new();
    let read = opened.take(MAX_NOTE + 1).read_to_end(&mut text);
    read.with_context(reading)?;
    if text.len() as u64 > MAX_NOTE {
        bail!("{} is too long for a checkpoint", path.display());
    }
    let text = String::from_utf8(text).with_context(reading)?;
    let note = match text.split_once("\n\n") {
        Some((proof, note)) if proof.starts_with("old ") => note.to_owned(),
        _ => text,
    };
    if let Err(why) = Checkpoint::parse(&note) {
        bail!("{}: {why}", path.display());
    }
    Ok(note)
}

fn ask(query: Query, context: &CommandContext) -> anyhow::Result<(Vec<u8>, Answered)> {
    let mut lines = Vec::new();
    let end = super::client::ask(&query, context, &mut lines)?;
    Ok((lines, end))
}

/// Prints why something was not found.
fn say_why(end: &Answered) {
    for why in &end.hints {
        message!("{why}");
    }
}

/// Prints an answer as lines or as text, and says why something was not found.
fn finish(
    lines: Vec<u8>,
    text: String,
    is_jsonl: bool,
    end: &Answered,
    context: &CommandContext,
) -> anyhow::Result<ExitStatus> {
    match is_jsonl {
        true => super::print_lines(lines, context)?,
        false => super::print(text)?,
    }
    say_why(end);
    Ok(match end.found {
        true => ExitStatus::Success,
        false => ExitStatus::Nothing,
    })
}

fn anchors(args: &CheckpointArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let (lines, end) = ask(Query::Anchors(AnchorsQuery {}), context)?;
    let mut text = String::new();
    for line in parse_lines::<AnchorLine>(&lines)? {
        let size = counted(line.size, "event");
        text.push_str(&format!("{}  {size} of {}", line.time, line.origin));
        if let Some(stamped) = &line.stamped {
            text.push_str(&format!("; time stamp of {stamped}"));
        }
        if !line.witnesses.is_empty() {
            text += &plain(&format!("; signed by {}", line.witnesses.join(", ")));
        }
        text.push('\n');
    }
    let is_jsonl = context.format(args.format) == Format::Jsonl;
    finish(lines, text, is_jsonl, &end, context)
}

pub fn checkpoint(args: &CheckpointArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    if args.anchors {
        return anchors(args, context);
    }
    let since = args.since.as_deref().map(read_note).transpose()?;
    let (lines, end) = ask(Query::Checkpoint(CheckpointQuery { since }), context)?;
    let read: Vec<CheckpointLine> = parse_lines(&lines)?;
    if read.is_empty() {
        bail!(end.hints.join("; "));
    }
    let mut text = String::new();
    for line in &read {
        match &line.since {
            _ if args.key => text.push_str(&format!("{}\n", line.vkey)),
            Some(since) if since.consistent => {
                text.push_str(&format!("old {}\n", since.size));
                text.extend(since.proof.iter().map(|hash| format!("{hash}\n")));
                text.push_str(&format!("\n{}", line.note));
            }
            _ => text.push_str(&line.note),
        }
    }
    finish(
        lines,
        text,
        args.format == Some(Format::Jsonl),
        &end,
        context,
    )
}

pub fn prove(args: &ProveArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    if let (Some(dir), Some(key)) = (&args.check, &args.vkey) {
        let trusted = trusted(key, args)?;
        return check(dir, &trusted, args.format, context);
    }
    let (Some(seq), Some(dir)) = (args.seq, &args.out) else {
        wrong_usage!("name an event and a folder for its proof");
    };
    if dir.symlink_metadata().is_ok() {
        wrong_usage!("--out: {} already exists; name a new folder", dir.display());
    }
    let (lines, end) = ask(Query::Proof(EventQuery { seq }), context)?;
    if !end.found {
        say_why(&end);
        return Ok(ExitStatus::Nothing);
    }
    let files: Vec<BundleFile> = parse_lines(&lines)?;
    fs::create_dir(dir).with_context(|| format!("making {}", dir.display()))?;
    let mut written = String::new();
    for line in &files {
        let (file, content) = (dir.join(&line.file), line.bytes()?);
        fs::write(&file, &content).with_context(|| format!("writing {}", file.display()))?;
        let bytes = content.len() as u64;
        written.push_str(&serde_json::to_string(&ProofFileLine { file, bytes })?);
        written.push('\n');
    }
    match context.format(args.format) {
        Format::Jsonl => super::print_lines(written, context)?,
        _ => super::print(format!(
            "wrote the proof of event {} to {}; to check it there: sh check.sh KEY, with the key that \
             {} prints\n",
            grouped(seq),
            plain(&dir.display().to_string()),
            context.command("checkpoint --key")
        ))?,
    }
    Ok(ExitStatus::Success)
}

/// Whom the reader of a proof trusts.
fn trusted(key: &str, args: &ProveArgs) -> anyhow::Result<Trusted> {
    let witnesses = args.witness.iter();
    let witnesses = witnesses.map(|key| Vkey::parse_witness(key.trim()).map_err(UsageError::new));
    let authorities = match &args.tsa {
        None => Vec::new(),
        Some(path) => {
            let read = CertificateDer::pem_file_iter(path)
                .and_then(Iterator::collect::<Result<Vec<_>, _>>);
            let read = read.with_context(|| format!("reading {}", path.display()))?;
            if read.is_empty() {
                bail!("{} has no certificate", path.display());
            }
            read
        }
    };
    Ok(Trusted {
        key: Vkey::parse(key.trim()).map_err(UsageError::new)?,
        authorities,
        witnesses: witnesses.collect::<Result<_, _>>()?,
    })
}

/// Checks a proof, without a data folder.
fn check(
    dir: &Path,
    trusted: &Trusted,
    format: Option<Format>,
    context: &CommandContext,
) -> anyhow::Result<ExitStatus> {
    let checked = check_bundle(&|name| fs::read(dir.join(name)), trusted);
    let checked = checked.map_err(|why| anyhow::anyhow!("not proved: {why}"))?;
    match context.format(format) {
        Format::Jsonl => super::print_json(&checked, context)?,
        _ => super::print(text_of(&checked))?,
    }
    Ok(ExitStatus::Success)
}

/// The third parties that have signed, and when.
fn text_of_others(checked: &Checked) -> String {
    let mut text = String::new();
    for witness in &checked.witnesses {
        text.push_str(&format!(
            "; the witness {} has signed it at {}",
            witness.name, witness.time
        ));
    }
    match &checked.stamp {
        Some(CheckedStamp { time, verified: true }) => {
            text.push_str(&format!("; a time-stamping authority has signed it at {time}"));
        }
        Some(CheckedStamp { time, .. }) => text.push_str(&format!(
            "; it has a time stamp of {time}, which was not checked: name who vouches for the authority with --tsa"
        )),
        None => {}
    }
    text
}

fn text_of(checked: &Checked) -> String {
    let Checked {
        seq,
        origin,
        size,
        received,
        event_type,
        profile,
        subprofile,
        body_bytes,
        ..
    } = checked;
    let subprofile = subprofile.map_or_else(String::new, |number| format!("/{number}"));
    let others = text_of_others(checked);
    if let Some(erased) = &checked.erased {
        let text = format!(
            "proved: event {seq} of {origin} is the receipt of an erasure, in the checkpoint of {}: of profile \
             {profile}, {} that had arrived by {received}; reason: {}{others}",
            counted(*size, "event"),
            counted(erased.events, "event"),
            erased.reason
        );
        return plain(&text) + "\n";
    }
    let text = format!(
        "proved: event {seq} of {origin}, of type {event_type} for {profile}{subprofile}, received {received}, with \
         the body of {} in this folder, is in the checkpoint of {}{others}",
        counted(*body_bytes, "byte"),
        counted(*size, "event")
    );
    plain(&text) + "\n"
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_end_is_no_checkpoint() {
        let error = read_note(Path::new("/dev/zero")).unwrap_err();
        assert!(error.to_string().contains("too long"), "{error:#}");
    }
}

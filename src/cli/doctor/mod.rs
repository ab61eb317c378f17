//! `doctor`: the checks of a server, and their findings.

mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use super::client::{Connection, Part, connect};
use super::server_args::ServerArgs;
use super::{CommandContext, ExitStatus, Format, PagedStdout, ResultOutput};
use crate::ops::doctor::{Facts, Finding, Running, Verdict, examine};
use crate::server::control::Request;

/// How long a running server may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "The flags are those of serve. They apply if no server runs; a running server \
    reports its own settings.\nExit status: 0 no problem, 3 a problem.\n\n\
    Example: profiletrail doctor --env-file /etc/profiletrail.env --public-host hooks.example.com"
)]
pub struct DoctorArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// A backup to check
    #[arg(long, value_name = "DIR")]
    pub backup: Option<PathBuf>,
    /// Use no network: no DNS, no public address
    #[arg(long)]
    pub offline: bool,
    #[command(flatten)]
    pub output: ResultOutput,
}

pub fn run(args: &DoctorArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    let mut facts = Facts::new(context.data.clone(), context.view.now);
    facts.settings = args.server.settings();
    facts.backup.clone_from(&args.backup);
    facts.outside = !args.offline;
    facts.contact = ask(context);
    let json = context.format(args.output.format) == Format::Jsonl;
    let mut findings = Vec::new();
    let mut written = Ok(());
    let addresses = examine(facts, &mut |finding: Finding| {
        if json && written.is_ok() {
            written = super::print_json(&finding);
        }
        findings.push(finding);
    });
    written?;
    if json {
        for address in &addresses {
            super::print_json(address)?;
        }
    } else {
        let mut screen = PagedStdout::new(context, Format::Table);
        table::write(&findings, &addresses, context, &mut screen)?;
        screen.finish()?;
    }
    let is_problem = |finding: &Finding| finding.result == Verdict::Problem;
    Ok(match findings.iter().any(is_problem) {
        true => ExitStatus::Failed,
        false => ExitStatus::Success,
    })
}

/// The running server's description; else why a running server gave none.
fn ask(context: &CommandContext) -> Result<Running, Option<String>> {
    match connect(&context.data) {
        Ok(Some(connection)) => describe(connection).map_err(|error| Some(format!("{error:#}"))),
        Ok(None) => Err(None),
        Err(error) => Err(Some(error.to_string())),
    }
}

fn describe(connection: Connection) -> anyhow::Result<Running> {
    connection.set_patience(PATIENCE)?;
    let mut answer = connection.send(&Request::About)?;
    match answer.next()? {
        Part::Line(line) => serde_json::from_slice(line).context("it is another version"),
        Part::Control(_) => bail!("it sent nothing"),
    }
}

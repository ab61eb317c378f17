//! `doctor`: the checks of a server, and their findings.

use std::io::{self, Write};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};

use super::client::{Connection, Part, connect};
use super::output::details::{self, Field};
use super::server_args::ServerArgs;
use super::{CommandContext, ExitStatus, Format, PagedStdout, ResultOutput};
use crate::format::{Role, Text, plain};
use crate::ops::doctor::{Address, Facts, Finding, Running, Verdict, examine};
use crate::server::control::Request;

/// How long a running server may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// Between the name of a check and its result.
const GAP: &str = "  ";

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
            written = super::print_json(&finding, context);
        }
        findings.push(finding);
    });
    written?;
    if json {
        for address in &addresses {
            super::print_json(address, context)?;
        }
    } else {
        let mut screen = PagedStdout::new(context, Format::Table);
        write(&findings, &addresses, context, &mut screen)?;
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

/// Writes each finding with what to do below it, and what to enter in Copernica.
fn write(
    findings: &[Finding],
    addresses: &[Address],
    context: &CommandContext,
    out: &mut dyn Write,
) -> io::Result<()> {
    let view = context.view;
    let names = findings.iter().map(|finding| finding.check.len());
    let widest = names.max().unwrap_or(0).max("CHECK".len());
    let head = |text: &str| Text::of(Role::Head, text);
    let mut rows: Vec<Field> = vec![(
        head(&format!("{:widest$}{GAP}RESULT", "CHECK")),
        head("FOUND, AND WHAT TO DO").into(),
    )];
    for finding in findings {
        let (word, role) = match finding.result {
            Verdict::Ok => ("ok", Role::New),
            Verdict::Unknown => ("unknown", Role::Time),
            Verdict::Warning => ("warning", Role::Warning),
            Verdict::Problem => ("PROBLEM", Role::Old),
        };
        let name = Text::of(Role::Plain, format!("{:widest$}{GAP}", finding.check)).and(role, word);
        rows.push((name, Text::outside(Role::Plain, &finding.what).into()));
        if let Some(fix) = &finding.fix {
            let fix = Text::of(Role::Dim, "→ ").and(Role::Plain, plain(fix));
            rows.push((Text::default(), fix.into()));
        }
    }
    details::write_at("", widest + GAP.len() + "PROBLEM".len(), &rows, &view, out)?;
    writeln!(out)?;
    let title = "Addresses for webhooks in Copernica, one label for each source of calls:";
    details::title(&Text::of(Role::Plain, title), &view, out)?;
    for address in addresses {
        writeln!(out, "{}", plain(&address.address))?;
    }
    Ok(())
}

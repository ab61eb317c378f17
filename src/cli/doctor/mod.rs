//! `doctor`: the checks around a server, and what they found.

mod args;
mod table;

pub use args::DoctorArgs;

use std::time::Duration;

use anyhow::{Context, bail};

use super::ExitStatus;
use super::args::Format;
use super::client::{Connection, connect};
use super::context::CommandContext;
use super::pager::PagedStdout;
use crate::ops::doctor::{Examination, Finding, Running, Settings, Verdict, examine};
use crate::server::control::Request;

/// How long a running server may take to describe itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// `doctor`
pub fn run(args: &DoctorArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::of_command(context);
    let examination = Examination {
        data: context.data.clone(),
        settings: Settings {
            listen: Some(args.listen),
            max_connections: Some(args.max_connections.into()),
            min_free: Some(args.min_free.as_u64()),
            public_hosts: args
                .public_host
                .iter()
                .map(|host| host.to_string())
                .collect(),
            tls_cert: args.tls_cert.clone(),
            key_domain: Some(args.key_domain.to_string()),
            dns_server: args.dns_server,
            alert_after: args.alert_after.map(|after| after.as_secs()),
        },
        backup: args.backup.clone(),
        outside: !args.offline,
        running: ask(context),
        now: context.now,
    };
    let json = context.format(args.output.format) == Format::Jsonl;
    let mut findings = Vec::new();
    let mut written = Ok(());
    let found = examine(&examination, &mut |finding: Finding| {
        if json && written.is_ok() {
            written = super::print_json(&finding);
        }
        findings.push(finding);
    });
    written?;
    if json {
        for address in &found.addresses {
            super::print_json(address)?;
        }
    } else {
        let mut screen = PagedStdout::new(context);
        table::write(&findings, &found.addresses, context, &mut screen)?;
        screen.finish()?;
    }
    Ok(match found.worst {
        Some(Verdict::Problem) => ExitStatus::Failed,
        _ => ExitStatus::Success,
    })
}

/// The running server's description; else why a running server gave none.
fn ask(context: &CommandContext) -> Result<Running, Option<String>> {
    use std::io::ErrorKind::{ConnectionRefused, NotFound};
    match connect(&context.data) {
        Ok(connection) => describe(connection).map_err(|error| Some(format!("{error:#}"))),
        // A socket without a listener was left by a crash.
        Err(error) if matches!(error.kind(), ConnectionRefused | NotFound) => Err(None),
        Err(error) => Err(Some(error.to_string())),
    }
}

fn describe(connection: Connection) -> anyhow::Result<Running> {
    connection.set_patience(PATIENCE)?;
    let mut line = Vec::new();
    connection.ask(&Request::About, &mut |_| Ok(()), &mut line)?;
    if line.is_empty() {
        bail!("it sent nothing");
    }
    serde_json::from_slice(&line).context("it is another version")
}

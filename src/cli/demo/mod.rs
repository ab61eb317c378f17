//! `demo`: a server with a made-up fortnight of events, until a signal.
//!
//! Its query API and its page listen on a free loopback port, with a token for the
//! reader of the [`guide`]. The folder, with the token in it, is removed however the
//! command ends, unless it is killed.

mod guide;

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;
use tracing::level_filters::LevelFilter;

use super::{CommandContext, ExitStatus};
use crate::auth::tokens::{Scope, Token, TokenFile};
use crate::format::shell;
use crate::ops::demo::{SEED, Story, load};
use crate::ops::doctor::Settings;
use crate::query::unix_time;
use crate::server::{Server, ServerConfig};
use guide::{Guide, program};

/// The preferred address.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The address of the API and the page, on a port that the system chooses.
const FREE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The segment size: small, so that there are several.
const SEGMENT_SIZE: u64 = 1 << 20;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Ctrl-C ends it and removes its temporary folder, unless --keep names a folder; --data is \
    ignored. Several can run at once.\n\nExample: profiletrail demo"
)]
pub struct DemoArgs {
    /// The address to listen on; port 0 picks a free one [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Keep the data in this folder, which must be empty or missing
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// The moment at which the fortnight ends
    #[arg(long, value_name = "TIME", hide = true, allow_hyphen_values = true, value_parser = unix_time)]
    pub now: Option<i64>,
}

/// The folder for the data. A temporary one is removed with the value that owns it.
fn folder(keep: Option<&Path>) -> anyhow::Result<(PathBuf, Option<TempDir>)> {
    let Some(keep) = keep else {
        let made = tempfile::Builder::new()
            .prefix("profiletrail-demo-")
            .tempdir();
        let made = made.context(
            "making a temporary folder (name another place with TMPDIR, or a folder with --keep)",
        )?;
        return Ok((std::path::absolute(made.path())?, Some(made)));
    };
    let wrong = match std::fs::read_dir(keep) {
        Ok(mut names) => names.next().map(|_| "is not empty"),
        Err(error) => (error.kind() == ErrorKind::NotADirectory).then_some("is not a folder"),
    };
    match wrong {
        None => Ok((std::path::absolute(keep)?, None)),
        Some(wrong) => {
            let keep = keep.display();
            wrong_usage!("--keep: {keep} {wrong}: name an empty folder, or a new one")
        }
    }
}

pub fn run(args: &DemoArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::from(LevelFilter::WARN, super::logging::LogFormat::Text, context);
    // From here on a signal ends the command in order, so that the folder is removed.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("waiting for signals")?;
    let story = Story::generate(SEED, args.now.unwrap_or(context.view.now));
    let (data, temporary) = folder(args.keep.as_deref())?;
    load(&story, &data, context.cache, SEGMENT_SIZE)?;
    let (token, text) = Token::new("demo", Scope::Read)?;
    TokenFile::of(&data).add(token)?;
    let server = start(args.listen, &data, context)?;
    let page = server.api_address();
    if let Some(page) = page {
        super::say(&format!("answering questions on http://{page}"));
    }
    super::say(&format!("listening on http://{}", server.address()));
    let guide = Guide {
        story: &story,
        program: program(),
        data: shell(&data.to_string_lossy()),
        kept: temporary.is_none(),
        calls: server.address(),
        page,
        token: &text,
        width: context.view.width,
    };
    let written = super::print(guide.text());
    // A closed output is not a failure: the server runs regardless.
    let written = written.or_else(|error| match super::is_closed_pipe(&error) {
        true => Ok(()),
        false => Err(error),
    });
    if written.is_ok() {
        signals.forever().next();
    }
    server.stop();
    match temporary {
        None => message!(
            "stopped; {} serve --data {} continues with it",
            program(),
            shell(&data.to_string_lossy())
        ),
        Some(folder) => {
            folder.close().context("removing the temporary folder")?;
            message!("stopped, and the folder is gone");
        }
    }
    written?;
    Ok(ExitStatus::Success)
}

/// Starts the server, on a free port if the preferred one is taken.
fn start(
    listen: Option<SocketAddr>,
    data: &Path,
    context: &CommandContext,
) -> anyhow::Result<Server> {
    let config = ServerConfig {
        data: data.to_owned(),
        listen: listen.unwrap_or(USUAL),
        zone: context.zone,
        max_body: 1 << 20,
        segment_size: SEGMENT_SIZE,
        cache: context.cache,
        workers: 2,
        max_connections: 256,
        tls: None,
        max_per_address: 256,
        trusted_proxies: Vec::new(),
        min_free: 0,
        max_rejected: 64 << 20,
        signature: None,
        keep: None,
        api: Some(FREE),
        ui: true,
        title: ["firstname", "lastname"].map(str::to_owned).to_vec(),
        lookup: vec!["mail".to_owned()],
        alert_after: None,
        settings: Settings::default(),
        #[cfg(feature = "nats")]
        cluster: None,
    };
    match Server::start(&config) {
        Err(_) if listen.is_none() && TcpListener::bind(USUAL).is_err() => {
            Server::start(&ServerConfig {
                listen: FREE,
                ..config
            })
        }
        started => started,
    }
}

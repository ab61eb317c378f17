//! `serve`: running the server until a signal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use bytesize::ByteSize;
use clap::builder::BoolishValueParser;
use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::ExitStatus;
use super::context::{CommandContext, UsageError, bytes, segment_size};
use super::frontend_args::FrontendArgs;
use super::progress::Bar;
use super::signature_args::SignatureArgs;
use super::time::{parse_duration, parse_span};
use crate::event::MAX_BODY;
use crate::frontend::Proxies;
use crate::index::MAX_FIELDS;
use crate::server::{OWN_DESCRIPTORS, Server, ServerConfig};
use crate::store::RetentionPeriod;

/// The default address of the page: reachable from this machine only.
const UI_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

/// `serve`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: profiletrail serve --data /var/lib/profiletrail --listen 127.0.0.1:8080"
)]
pub struct ServeArgs {
    /// The address to listen on; port 0 picks a free one
    #[arg(
        long,
        env = "PROFILETRAIL_LISTEN",
        value_name = "ADDR",
        default_value = "127.0.0.1:8080"
    )]
    pub listen: SocketAddr,
    /// The largest body of a call
    #[arg(
        long,
        env = "PROFILETRAIL_MAX_BODY",
        value_name = "SIZE",
        default_value = "4MiB"
    )]
    pub max_body: ByteSize,
    /// The largest total size of rejected calls; beyond it the oldest are removed
    #[arg(
        long,
        env = "PROFILETRAIL_MAX_REJECTED",
        value_name = "SIZE",
        default_value = "64MiB"
    )]
    pub max_rejected: ByteSize,
    /// Segment size of the log
    #[arg(
        long,
        env = "PROFILETRAIL_SEGMENT_SIZE",
        value_name = "SIZE",
        default_value = "64MiB"
    )]
    pub segment_size: ByteSize,
    /// Threads that decode calls
    #[arg(long, env = "PROFILETRAIL_WORKERS", value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    #[command(flatten)]
    pub frontend: FrontendArgs,
    /// Free space to leave on the data's disk: with less, calls are answered 503 [0: no limit]
    #[arg(
        long,
        env = "PROFILETRAIL_MIN_FREE",
        value_name = "SIZE",
        default_value = "256MiB"
    )]
    pub min_free: ByteSize,
    /// Prune events older than this (5y, '18 months', 90d; at least a day), once a day
    #[arg(long, env = "PROFILETRAIL_KEEP", value_name = "SPAN", value_parser = parse_span)]
    pub keep: Option<RetentionPeriod>,
    /// Comma-separated fields to index for fast `find`
    #[arg(
        long,
        env = "PROFILETRAIL_LOOKUP",
        value_name = "FIELDS",
        value_delimiter = ','
    )]
    pub lookup: Vec<String>,
    /// Serve the HTTP API at this address; clients need a token (`profiletrail token create`)
    #[arg(long, env = "PROFILETRAIL_API", value_name = "ADDR")]
    pub api: Option<SocketAddr>,
    /// Serve the web page at the address of --api [127.0.0.1:8082 without --api]; log in with a token
    /// (`profiletrail token create`)
    #[arg(long, env = "PROFILETRAIL_UI", value_parser = BoolishValueParser::new())]
    pub ui: bool,
    /// Warn, and fail /healthz, after this long without events (90s, 30m, 6h, 2d)
    #[arg(long, env = "PROFILETRAIL_ALERT_AFTER", value_name = "SPAN", value_parser = parse_duration)]
    pub alert_after: Option<Duration>,
    #[command(flatten)]
    pub signature: SignatureArgs,
    /// What to log: error, warn, info, debug or trace
    #[arg(
        long,
        env = "PROFILETRAIL_LOG",
        value_name = "LEVEL",
        default_value = "info"
    )]
    pub log: tracing::level_filters::LevelFilter,
}

pub fn run(args: &ServeArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::from(args.log, context);
    let config = ServerConfig {
        data: context.data.clone(),
        listen: args.listen,
        zone: context.zone,
        max_body: usize::try_from(bytes("--max-body", args.max_body, 1, MAX_BODY as u64)?)?,
        segment_size: segment_size(args.segment_size)?,
        cache: context.cache,
        workers: usize::from(args.workers),
        max_connections: args.frontend.max_connections as usize,
        tls: args.frontend.tls()?,
        max_per_address: args.frontend.per_address() as usize,
        trusted_proxies: Proxies::new(args.frontend.trusted_proxy.iter().copied()),
        max_rejected: args.max_rejected.as_u64(),
        min_free: args.min_free.as_u64(),
        signature: args.signature.config()?,
        keep: args.keep,
        lookup: indexed(&args.lookup)?,
        api: args.api.or(args.ui.then_some(UI_ADDRESS)),
        ui: args.ui,
        alert_after: args.alert_after,
    };
    raise_descriptor_limit(args.frontend.max_connections)?;
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("waiting for signals")?;
    let server = Server::start(&config)?;
    if let Some(address) = server.api_address() {
        super::say(&format!("answering questions on http://{address}"));
        if config.ui {
            super::say(&format!(
                "the page is at http://{address}/ (profiletrail token create makes a token to log in with)"
            ));
        }
    }
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    super::say(&format!("listening on {scheme}://{}", server.address()));
    if config.signature.is_none() && args.signature.is_unsaid() {
        tracing::warn!(
            "signatures are not checked: anyone who reaches {} can add events. Start with --copernica-id account_1234 \
             --public-host YOUR-HOST to accept Copernica's calls only, or with --signature off",
            server.address()
        );
    }
    let mut early = None;
    if context.progress {
        early = show_progress(&server, &mut signals);
    }
    if let Some(signal) = early.or_else(|| signals.forever().next()) {
        tracing::info!(
            "stopping on {}",
            if signal == SIGINT {
                "SIGINT"
            } else {
                "SIGTERM"
            }
        );
    }
    // A second signal does not wait.
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            3,
            Arc::new(AtomicBool::new(true)),
        )
        .context("waiting for signals")?;
    }
    server.stop();
    Ok(ExitStatus::Success)
}

/// The fields whose values are indexed.
fn indexed(lookup: &[String]) -> Result<Vec<String>, UsageError> {
    let fields = lookup.iter().filter(|field| !field.is_empty());
    let fields: Vec<String> = fields.cloned().collect();
    if fields.len() > MAX_FIELDS {
        return Err(UsageError::new(format!(
            "--lookup: {} fields are named, and at most {MAX_FIELDS} can be indexed; find works without an index, too",
            fields.len()
        )));
    }
    Ok(fields)
}

/// Raises the limit on open files to its maximum, and checks that connections leave
/// descriptors for the log, the index and commands: if a segment cannot be opened,
/// no call is accepted.
fn raise_descriptor_limit(max_connections: u32) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!("cannot raise the limit on open files: {error}");
        }
    }
    let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = open_files.saturating_sub(OWN_DESCRIPTORS);
    if u64::from(max_connections) > room {
        let what = format!(
            "--max-connections {max_connections}: this process may open {open_files} files, which leaves \
             {room} for connections; raise the limit (ulimit -n, or LimitNOFILE in the systemd unit)"
        );
        return Err(UsageError::new(what).into());
    }
    Ok(())
}

/// Shows a bar while the index is built; returns a signal that came meanwhile.
fn show_progress(server: &Server, signals: &mut Signals) -> Option<i32> {
    let mut bar = Bar::new("building the index", true);
    loop {
        let progress = server.index_progress();
        if progress.last.saturating_sub(progress.applied) < 10_000 {
            return None;
        }
        bar.set(progress.applied, progress.last);
        if let Some(signal) = signals.pending().next() {
            return Some(signal);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

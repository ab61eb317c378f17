//! `serve`: runs the server until a signal.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use bytesize::ByteSize;
use clap::builder::BoolishValueParser;
use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::context::{bytes, segment_size};
use super::logging::{LogFormat, announce};
use super::server_args::{ServerArgs, SignatureArgs};
use super::{Bar, CommandContext, ExitStatus, UsageError};
#[cfg(feature = "nats")]
use crate::cluster::ClusterConfig;
use crate::event::MAX_BODY;
use crate::frontend::{Network, TlsFiles};
use crate::index::MAX_FIELDS;
use crate::query::parse_span;
use crate::server::{OWN_DESCRIPTORS, Server, ServerConfig};
use crate::store::RetentionPeriod;

/// The default address of the page: reachable from this machine only.
const UI_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8082);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: profiletrail serve --data /var/lib/profiletrail --listen 127.0.0.1:8080"
)]
pub struct ServeArgs {
    #[command(flatten)]
    pub server: ServerArgs,
    /// The largest body of a call
    #[arg(long, value_name = "SIZE", default_value = "4MiB")]
    pub max_body: ByteSize,
    /// The largest total size of rejected calls; beyond it the oldest are removed
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub max_rejected: ByteSize,
    /// Segment size of the log
    #[arg(long, value_name = "SIZE", default_value = "64MiB")]
    pub segment_size: ByteSize,
    /// Threads that decode calls
    #[arg(long, value_name = "N", default_value_t = 4,
        value_parser = clap::value_parser!(u16).range(1..=256))]
    pub workers: u16,
    /// The largest number of connections from one address; trusted proxies are exempt [default: half]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub max_connections_per_address: Option<u32>,
    /// The address or network of a proxy whose X-Forwarded-For or Forwarded header is trusted; can
    /// be repeated
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    pub trusted_proxy: Vec<Network>,
    /// The certificate's private key (PEM)
    #[arg(long, value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Prune events older than this (5y, '18 months', 90d; at least a day), once a day
    #[arg(long, value_name = "SPAN", value_parser = parse_span)]
    pub keep: Option<RetentionPeriod>,
    /// Comma-separated fields to index for fast `find`
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub lookup: Vec<String>,
    /// Serve the HTTP API at this address; clients need a token (`profiletrail token create`)
    #[arg(long, value_name = "ADDR")]
    pub api: Option<SocketAddr>,
    /// Serve the web page at the address of --api [127.0.0.1:8082 without --api]; log in with a token
    /// (`profiletrail token create`)
    #[arg(long, value_parser = BoolishValueParser::new())]
    pub ui: bool,
    /// Comma-separated fields whose values the page shows as a profile's name, such as
    /// firstname,lastname
    #[arg(long, value_name = "FIELDS", value_delimiter = ',')]
    pub title: Vec<String>,
    /// Share the order of events with other nodes over these NATS servers (nats://HOST:4222), the
    /// nearest first; see docs/cluster.md
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    pub nats: Vec<String>,
    /// The file with the credentials for the NATS servers
    #[cfg(feature = "nats")]
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub nats_creds: Option<PathBuf>,
    #[command(flatten)]
    pub signature: SignatureArgs,
    /// What to log: error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info")]
    pub log: tracing::level_filters::LevelFilter,
    /// The form of the log
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

impl ServeArgs {
    /// The certificate and its key, if there are any. Half a pair is refused, from any
    /// source: without TLS, calls would be readable.
    fn tls(&self) -> Result<Option<TlsFiles>, UsageError> {
        let half = |given: &str, missing: &str| {
            let what = format!("{given} is set and {missing} is not: TLS needs both");
            Err(UsageError::new(what))
        };
        match (self.server.tls_cert.clone(), self.tls_key.clone()) {
            (Some(cert), Some(key)) => Ok(Some(TlsFiles { cert, key })),
            (None, None) => Ok(None),
            (Some(_), None) => half("--tls-cert", "--tls-key"),
            (None, Some(_)) => half("--tls-key", "--tls-cert"),
        }
    }
}

pub fn run(args: &ServeArgs, context: &CommandContext) -> anyhow::Result<ExitStatus> {
    super::logging::from(args.log, args.log_format, context);
    let max_body = usize::try_from(bytes("--max-body", args.max_body, 1, MAX_BODY as u64)?)?;
    let per_address = args.max_connections_per_address;
    let per_address = per_address.unwrap_or(args.server.max_connections.div_ceil(2));
    let config = ServerConfig {
        data: context.data.clone(),
        listen: args.server.listen,
        zone: context.zone,
        max_body,
        segment_size: segment_size(args.segment_size)?,
        cache: context.cache,
        workers: usize::from(args.workers),
        max_connections: args.server.max_connections as usize,
        tls: args.tls()?,
        max_per_address: per_address as usize,
        trusted_proxies: args.trusted_proxy.clone(),
        max_rejected: args.max_rejected.as_u64(),
        min_free: args.server.min_free.as_u64(),
        signature: args.signature.config(&args.server)?,
        keep: args.keep,
        lookup: indexed(&args.lookup)?,
        api: args.api.or(args.ui.then_some(UI_ADDRESS)),
        ui: args.ui,
        title: named(&args.title),
        alert_after: args.server.alert_after,
        settings: args.server.settings(),
        #[cfg(feature = "nats")]
        cluster: (!args.nats.is_empty()).then(|| ClusterConfig {
            servers: args.nats.clone(),
            credentials: args.nats_creds.clone(),
            max_body,
        }),
    };
    raise_descriptor_limit(args.server.max_connections)?;
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("waiting for signals")?;
    let server = Server::start(&config)?;
    if let Some(address) = server.api_address() {
        announce(&format!("answering questions on http://{address}"));
        if config.ui {
            announce(&format!(
                "the page is at http://{address}/ (profiletrail token create makes a token to log in with)"
            ));
        }
    }
    let scheme = if config.tls.is_some() {
        "https"
    } else {
        "http"
    };
    announce(&format!("listening on {scheme}://{}", server.address()));
    if config.signature.is_none() && args.signature.signature.is_none() {
        tracing::warn!(
            "signatures are not checked: anyone who reaches {} can add events. Start with --copernica-id account_1234 \
             --public-host YOUR-HOST to accept Copernica's calls only, or with --signature off",
            server.address()
        );
    }
    let early = context
        .progress
        .then(|| show_progress(&server, &mut signals));
    if let Some(signal) = early.flatten().or_else(|| signals.forever().next()) {
        let name = signal_hook::low_level::signal_name(signal).unwrap_or_default();
        tracing::info!("stopping on {name}");
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

/// The fields that a list names.
fn named(list: &[String]) -> Vec<String> {
    let fields = list.iter().filter(|field| !field.is_empty());
    fields.cloned().collect()
}

/// The fields whose values are indexed.
fn indexed(lookup: &[String]) -> Result<Vec<String>, UsageError> {
    let fields = named(lookup);
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
        wrong_usage!(
            "--max-connections {max_connections}: this process may open {open_files} files, which leaves \
             {room} for connections; raise the limit (ulimit -n, or LimitNOFILE in the systemd unit)"
        );
    }
    Ok(())
}

/// Shows a progress bar while the index is built; returns a signal that arrives during
/// that.
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

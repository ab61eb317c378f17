//! `serve`: running the server until a signal.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use rustix::process::{Resource, getrlimit, setrlimit};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::Ending;
use super::args::ServeArgs;
use super::progress::Bar;
use super::setting::{Setting, UsageError, bytes, segment_size};
use crate::gate::Proxies;
use crate::server::{OWN_DESCRIPTORS, Server, ServerConfig};

pub fn run(args: &ServeArgs, setting: &Setting) -> anyhow::Result<Ending> {
    super::logging::from(args.log, setting);
    let config = ServerConfig {
        data: setting.data.clone(),
        listen: args.listen,
        zone: setting.zone,
        max_body: usize::try_from(bytes("--max-body", args.max_body, 1, 64 << 20)?)?,
        segment_size: segment_size(args.segment_size)?,
        cache: setting.cache,
        workers: usize::from(args.workers),
        max_connections: args.gate.max_connections as usize,
        tls: args.gate.tls(),
        max_per_address: args.gate.per_address() as usize,
        trusted_proxies: Proxies::new(args.gate.trusted_proxy.iter().copied()),
        min_free: args.min_free.as_u64(),
        signature: args.signature.config()?,
        keep: args.keep,
        lookup: args.lookup.fields()?,
        api: args.api.address(),
        ui: args.api.ui,
        alert_after: args.api.alert_after,
    };
    raise_descriptor_limit(args.gate.max_connections)?;
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
            "signatures are not checked: whoever reaches {} can add events. Start with --copernica-id account_1234 \
             --public-host YOUR-HOST, so that only Copernica's calls are taken, or say --signature off",
            server.address()
        );
    }
    let mut early = None;
    if setting.progress {
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
    Ok(Ending::Answered)
}

/// Raises the limit on open files as far as it goes, and sees to it that the
/// connections leave room for the log, the index and commands: where a segment
/// cannot be opened, nothing more is accepted.
fn raise_descriptor_limit(max_connections: u32) -> anyhow::Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        limit.current = limit.maximum;
        if let Err(error) = setrlimit(Resource::Nofile, limit) {
            tracing::warn!("the limit on open files could not be raised: {error}");
        }
    }
    let open_files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let room = open_files.saturating_sub(OWN_DESCRIPTORS);
    if u64::from(max_connections) > room {
        let what = format!(
            "--max-connections {max_connections}: this process may have {open_files} files open, which leaves \
             {room} for connections; raise the limit (ulimit -n, or LimitNOFILE in the systemd unit)"
        );
        return Err(UsageError::new(what).into());
    }
    Ok(())
}

/// A bar while an index is made, on a terminal; the signal that came meanwhile.
fn show_progress(server: &Server, signals: &mut Signals) -> Option<i32> {
    let mut bar = Bar::new("the index is made", true);
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

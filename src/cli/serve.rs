//! `serve`: running the server until a signal.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tracing::level_filters::LevelFilter;

use super::Ending;
use super::args::ServeArgs;
use super::progress::Bar;
use super::setting::{Setting, UsageError};
use crate::server::{Server, ServerConfig};

/// Logs to standard error from a level on. Colours only where it is a terminal.
fn log_from(level: LevelFilter) {
    let logged = tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none())
        .with_target(false)
        .with_max_level(level)
        .try_init();
    if logged.is_ok() {
        // A panic that was contained is a line of the log, not a page.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

/// What commands other than `serve` log.
pub fn log_warnings() {
    log_from(LevelFilter::WARN);
}

fn bytes(flag: &str, size: bytesize::ByteSize, least: u64, most: u64) -> anyhow::Result<u64> {
    let size = size.as_u64();
    if (least..=most).contains(&size) {
        return Ok(size);
    }
    let shown = |bytes: u64| bytesize::ByteSize(bytes).display().iec();
    let what = format!(
        "{flag}: from {} to {} can be had",
        shown(least),
        shown(most)
    );
    Err(UsageError::new(what).into())
}

pub fn run(args: &ServeArgs, setting: &Setting) -> anyhow::Result<Ending> {
    log_from(args.log);
    let config = ServerConfig {
        data: setting.data.clone(),
        listen: args.listen,
        zone: setting.zone,
        max_body: usize::try_from(bytes("--max-body", args.max_body, 1, 64 << 20)?)?,
        segment_size: bytes("--segment-size", args.segment_size, 1, 1 << 40)?,
        cache: setting.cache,
        workers: usize::from(args.workers),
        queue: args.queue as usize,
        max_connections: args.max_connections as usize,
    };
    let mut signals = Signals::new([SIGTERM, SIGINT]).context("waiting for signals")?;
    let server = Server::start(&config)?;
    eprintln!("listening on http://{}", server.address());
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

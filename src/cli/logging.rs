//! The log on standard error.

use std::io::{self, IsTerminal, Write};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::context::CommandContext;

/// Standard error; if it is closed, log lines are dropped and the server goes on.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs from a level on, with colours where standard error is a terminal.
pub fn from(level: LevelFilter, context: &CommandContext) {
    // The resolver warns of every odd answer, which strangers can provoke; the result
    // of a look-up is logged by its caller.
    let levels = Targets::new()
        .with_default(level)
        .with_target("hickory_resolver", LevelFilter::OFF)
        .with_target("hickory_net", LevelFilter::OFF)
        .with_target("hickory_proto", LevelFilter::OFF);
    let logged = tracing_subscriber::fmt()
        .with_writer(|| Stderr)
        .with_ansi(io::stderr().is_terminal() && context.error_color)
        .with_target(false)
        .with_max_level(level)
        .log_internal_errors(false)
        .finish()
        .with(levels)
        .try_init();
    if logged.is_ok() {
        // A panic that was caught is one line of the log.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

/// Logging of commands other than `serve`: progress is a bar on a terminal, and log
/// lines elsewhere.
pub fn of_command(context: &CommandContext) {
    from(
        if context.progress {
            LevelFilter::WARN
        } else {
            LevelFilter::INFO
        },
        context,
    );
}

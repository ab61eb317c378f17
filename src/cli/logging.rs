//! The log on standard error.
//!
//! Three forms: text with times for terminals and files; JSON objects (`--log-format json`) for
//! collectors; and under journald, which adds its own times, lines that begin with a priority
//! (`<4>`, see sd-daemon(3)), so that `journalctl -p warning` finds the warnings.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{MakeWriter, layer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::context::CommandContext;

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines of text; under journald without the time
    Text,
    /// A JSON object per line
    Json,
}

/// The form of the log of this process, once it has one.
static FORMAT: OnceLock<LogFormat> = OnceLock::new();

/// Whether standard error goes to journald, as systemd says by its device and inode.
fn is_journal() -> bool {
    let named = std::env::var("JOURNAL_STREAM").unwrap_or_default();
    rustix::fs::fstat(io::stderr())
        .is_ok_and(|stat| named == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Standard error, one write for each event; if it is closed, log lines are dropped and the server
/// goes on.
struct Stderr {
    journal: bool,
}

struct Event(&'static str);

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Event;

    fn make_writer(&'a self) -> Event {
        Event("")
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Event {
        let level = *event.level();
        Event(if self.journal { priority(level) } else { "" })
    }
}

/// The syslog priority of a level, as journald reads it at the start of a line.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

impl Write for Event {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // An event is one line: a second one would have neither time nor priority.
        let text = String::from_utf8_lossy(bytes);
        let line = text.trim_end().replace('\n', "\\n");
        let _ = io::stderr().write_all(format!("{}{line}\n", self.0).as_bytes());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Logs from a level on, with colours where standard error is a terminal.
pub fn from(level: LevelFilter, format: LogFormat, context: &CommandContext) {
    // The resolver warns of every odd answer, which strangers can provoke; the caller
    // logs the result of a look-up.
    let levels = Targets::new()
        .with_default(level)
        .with_target("hickory_resolver", LevelFilter::OFF)
        .with_target("hickory_net", LevelFilter::OFF)
        .with_target("hickory_proto", LevelFilter::OFF);
    let journal = is_journal();
    let text = layer()
        .with_writer(Stderr { journal })
        .with_ansi(io::stderr().is_terminal() && context.error_color)
        .with_target(false)
        .log_internal_errors(false);
    let layer = match format {
        LogFormat::Json => {
            let json = text.json().flatten_event(true);
            json.with_current_span(false).with_span_list(false).boxed()
        }
        LogFormat::Text if journal => text.without_time().with_level(false).boxed(),
        LogFormat::Text => text.boxed(),
    };
    let registry = tracing_subscriber::registry();
    let logged = registry.with(layer.with_filter(levels)).try_init();
    if logged.is_ok() {
        let _ = FORMAT.set(format);
        // A panic that was caught is one line of the log.
        std::panic::set_hook(Box::new(|panic| tracing::error!("{panic}")));
    }
}

/// Logging of commands other than `serve`: progress is a bar on a terminal, and log
/// lines elsewhere.
pub fn of_command(context: &CommandContext) {
    let level = if context.progress {
        LevelFilter::WARN
    } else {
        LevelFilter::INFO
    };
    from(level, LogFormat::Text, context);
}

/// Logs an important message about the server at any log level.
pub fn announce(line: &str) {
    match FORMAT.get() {
        Some(LogFormat::Json) => tracing::info!("{line}"),
        _ => super::say(line),
    }
}

/// Says why the program ends.
pub fn fail(line: &str) {
    match FORMAT.get() {
        Some(LogFormat::Json) => tracing::error!("{line}"),
        _ if is_journal() => super::say(&format!("{}{line}", priority(Level::ERROR))),
        _ => super::say(line),
    }
}

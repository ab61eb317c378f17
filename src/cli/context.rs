//! The context of a command: flags, terminal, environment and clock, read once.

use std::io::IsTerminal;
use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ColorChoice;

use super::Format;
use crate::event::{DecodeError, Zone, now_seconds, zone_from_name};
use crate::format::{Styles, View};

/// The data folder of a command that names none.
pub const DEFAULT_DATA: &str = "./profiletrail-data";

/// A narrower terminal counts as this many columns.
const MIN_COLUMNS: usize = 20;

/// Options of every command.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Common {
    /// The data folder
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        default_value = DEFAULT_DATA
    )]
    pub data: PathBuf,
    /// The time zone of the sender's timestamps, and of times that name none
    #[arg(long, global = true, value_name = "ZONE",
        default_value = "Europe/Amsterdam", value_parser = zone_from_name)]
    pub timezone: Zone,
    /// The time zone in which times are shown, such as Europe/Amsterdam, or local for this
    /// machine's [default: that of --timezone]
    #[arg(long, global = true, value_name = "ZONE", value_parser = reader_zone)]
    pub tz: Option<Zone>,
    /// Show times in UTC, whatever --tz says
    #[arg(long, global = true)]
    pub utc: bool,
    /// Read settings from a file of NAME=VALUE lines, as systemd does; flags and the environment take precedence
    #[arg(long, global = true, value_name = "FILE")]
    pub env_file: Option<PathBuf>,
    /// Cache size of the index
    #[arg(long, global = true, value_name = "SIZE", default_value = "8MiB")]
    pub cache_size: ByteSize,
    /// When to use colours: auto is on a terminal, unless NO_COLOR is set
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    /// The pager for answers on a terminal [default: $PAGER, or less]
    #[arg(long, global = true, value_name = "COMMAND")]
    pub pager: Option<String>,
    /// Use no pager
    #[arg(long, global = true)]
    pub no_pager: bool,
    /// Those of these flags that were typed and decide what an answer says.
    #[arg(skip)]
    pub typed: String,
}

/// A zone by its name, or this machine's.
fn reader_zone(name: &str) -> Result<Zone, String> {
    if name != "local" {
        return zone_from_name(name);
    }
    // As the C library does it: first what the environment says.
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    let named = named.or_else(|| iana_time_zone::get_timezone().ok());
    let zone = named.and_then(|name| zone_from_name(name.trim_start_matches(':')).ok());
    zone.ok_or_else(|| {
        "cannot find out this machine's time zone: write one such as Europe/Amsterdam or UTC"
            .to_owned()
    })
}

/// Arguments that are wrong in a way that clap cannot check.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

impl UsageError {
    pub fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// For a flag that is wrong in combination with others.
impl From<DecodeError> for UsageError {
    fn from(error: DecodeError) -> Self {
        Self::new(format!("--{}: {}", error.place, error.reason))
    }
}

/// A size in bytes that was given for a flag, within bounds.
pub fn bytes(flag: &str, size: ByteSize, least: u64, most: u64) -> anyhow::Result<u64> {
    let size = size.as_u64();
    if (least..=most).contains(&size) {
        return Ok(size);
    }
    let (least, most) = (crate::format::size(least), crate::format::size(most));
    wrong_usage!("{flag}: must be between {least} and {most}")
}

pub fn segment_size(size: ByteSize) -> anyhow::Result<u64> {
    bytes("--segment-size", size, 1, 1 << 40)
}

/// The width of the terminal that standard output is, else what `COLUMNS` says.
fn width(terminal: bool) -> Option<usize> {
    let size = || terminal_size::terminal_size_of(std::io::stdout());
    let of_terminal = || terminal.then(size)?.map(|(width, _)| usize::from(width.0));
    let of_environment = || std::env::var("COLUMNS").ok()?.parse().ok();
    // A terminal that does not know its size says 0.
    let columns = of_terminal().filter(|columns| *columns > 0);
    let columns = columns
        .or_else(of_environment)
        .filter(|columns| *columns > 0);
    columns.map(|columns: usize| columns.max(MIN_COLUMNS))
}

/// The requested pager; none if the terminal could not show it.
fn pager(common: &Common) -> Option<String> {
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if common.no_pager || dumb {
        return None;
    }
    let of_all = || std::env::var("PAGER").ok();
    let pager = common.pager.clone().or_else(of_all);
    let pager = pager.unwrap_or_else(|| "less".to_owned());
    // As in git, both of these disable the pager.
    (!matches!(pager.trim(), "" | "cat")).then_some(pager)
}

#[derive(Clone)]
pub struct CommandContext {
    pub data: PathBuf,
    /// The zone of the sender's timestamps, and of times that name none.
    pub zone: Zone,
    /// The reader of answers for people.
    pub view: View,
    /// The index's cache in bytes.
    pub cache: u64,
    /// Whether colours are wanted on standard error, where it is a terminal.
    pub error_color: bool,
    /// Whether standard output is a terminal.
    pub terminal: bool,
    /// The pager for answers on a terminal.
    pub pager: Option<String>,
    /// Whether standard error is a terminal.
    pub progress: bool,
    /// The flags that a suggested command must repeat: which data, and in which zones.
    pub flags: String,
}

impl CommandContext {
    pub fn new(common: &Common) -> anyhow::Result<Self> {
        let terminal = std::io::stdout().is_terminal();
        // https://no-color.org: any value but an empty one.
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Ok(Self {
            data: common.data.clone(),
            zone: common.timezone,
            view: View {
                // Times are shown as they can be typed, and as Copernica shows them.
                zone: match common.utc {
                    true => Zone::UTC,
                    false => common.tz.unwrap_or(common.timezone),
                },
                styles: Styles {
                    on: match common.color {
                        ColorChoice::Always => true,
                        ColorChoice::Never => false,
                        ColorChoice::Auto => terminal && !no_color,
                    },
                },
                width: width(terminal),
                now: now_seconds(),
                at: None,
            },
            cache: bytes("--cache-size", common.cache_size, 1 << 20, 1 << 40)?,
            error_color: common.color != ColorChoice::Never && !no_color,
            terminal,
            pager: pager(common).filter(|_| terminal),
            progress: std::io::stderr().is_terminal(),
            flags: common.typed.clone(),
        })
    }

    /// A command to be typed, with the flags in force, in backquotes.
    pub fn command(&self, words: &str) -> String {
        format!("`profiletrail {words}{}`", self.flags)
    }

    /// Whether standard output is a terminal that text for programs could control.
    pub fn escapes(&self, format: Format) -> bool {
        self.terminal && format != Format::Table
    }

    /// The form of an answer: as requested, else by its destination.
    pub fn format(&self, asked: Option<Format>) -> Format {
        asked.unwrap_or(if self.terminal {
            Format::Table
        } else {
            Format::Jsonl
        })
    }
}

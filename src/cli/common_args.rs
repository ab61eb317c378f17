//! The arguments of every command.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ColorChoice;

use crate::event::{Zone, zone_from_name};

/// The data folder of a command that names none.
pub const DEFAULT_DATA: &str = "./profiletrail-data";

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
    // Like the C library: the environment comes first.
    let named = std::env::var("TZ").ok().filter(|name| !name.is_empty());
    let named = named.or_else(|| iana_time_zone::get_timezone().ok());
    let zone = named.and_then(|name| zone_from_name(name.trim_start_matches(':')).ok());
    zone.ok_or_else(|| {
        "cannot find out this machine's time zone: write one such as Europe/Amsterdam or UTC"
            .to_owned()
    })
}

//! The arguments that every command knows.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::ValueEnum;

use crate::event::{Zone, zone_from_name};

/// What every command knows.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// The data folder
    #[arg(
        long,
        global = true,
        env = "PROFILETRAIL_DATA",
        value_name = "DIR",
        default_value = "./profiletrail-data"
    )]
    pub data: PathBuf,
    /// The time zone of the sender's timestamps, and of times that name none
    #[arg(long, global = true, env = "PROFILETRAIL_TIMEZONE", value_name = "ZONE",
        default_value = "Europe/Amsterdam", value_parser = zone_from_name)]
    pub timezone: Zone,
    /// Read settings that are given nowhere else from such a file as systemd reads
    #[arg(
        long,
        global = true,
        env = "PROFILETRAIL_ENV_FILE",
        value_name = "FILE"
    )]
    pub env_file: Option<PathBuf>,
    /// Memory for the index's cache
    #[arg(
        long,
        global = true,
        env = "PROFILETRAIL_CACHE_SIZE",
        value_name = "SIZE",
        default_value = "8MiB"
    )]
    pub cache_size: ByteSize,
    /// When to use colours
    #[arg(
        long,
        global = true,
        env = "PROFILETRAIL_COLOR",
        value_name = "WHEN",
        default_value = "auto"
    )]
    pub color: ColorChoice,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

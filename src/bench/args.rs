//! The command line.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

use super::generate::{Bodies, Mix, Plan};
use super::peers::Which;

/// The first event's time where none is named: 2025-10-09T08:53:20Z.
pub const SINCE: i64 = 1_760_000_000;

/// A day in seconds.
pub const DAY: f64 = 86_400.0;

/// Measures profiletrail beside peers and the machine's own limits.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  scripts/bench                                   a million events, all peers
  scripts/bench --events 10000000 --store /var/tmp/stores --json bench.json
  scripts/bench --events 0 --seconds 1 --connections 32 --peers none
  scripts/bench scale --json bench.json --plots .
  scripts/bench erasure --events 10000000 --store /var/tmp/stores
  scripts/bench proofs --connections 32,128 --seconds 8 --rounds 20
  scripts/bench plot bench.json .
  scripts/bench generate --events 1000 --profiles 100 > bodies.txt")]
pub struct Args {
    /// What to do; without one, `run`.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// What `run` takes.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Measure at one size (the default)
    Run(RunArgs),
    /// Measure at several sizes, and plot cost against size
    Scale(ScaleArgs),
    /// Measure proofs and the erasure of a person alone
    Erasure(RunArgs),
    /// Measure calls per second with proofs beside those without
    Proofs(RunArgs),
    /// Plot what `--json` wrote
    Plot {
        /// What `scale --json` wrote
        json: PathBuf,
        /// Where the PNG files go
        dir: PathBuf,
        /// The folder with the peers [default: target/bench]
        #[arg(long, value_name = "DIR")]
        base: Option<PathBuf>,
    },
    /// Write webhook bodies, one a line
    Generate(GenerateArgs),
    /// Serve calls and do nothing with them
    #[command(hide = true)]
    BaselineServer {
        /// Threads that answer
        #[arg(long)]
        workers: usize,
    },
    /// Become a program that ends with the process that started it
    #[command(hide = true)]
    Supervised {
        /// The program and its arguments
        #[arg(last = true)]
        command: Vec<OsString>,
    },
    /// Run a program several times and print what it took, as JSON
    #[command(hide = true)]
    Time {
        /// How often at most
        #[arg(long)]
        times: usize,
        /// The program and its arguments
        #[arg(last = true)]
        command: Vec<OsString>,
    },
}

/// What is generated.
#[derive(Debug, clap::Args)]
pub struct GenerateArgs {
    #[command(flatten)]
    plan: Plan,
    #[command(flatten)]
    mix: Mix,
}

impl GenerateArgs {
    /// How many bodies, and the generator of them.
    pub fn bodies(&self) -> (u64, Bodies) {
        let bodies = Bodies::new(self.plan.clone(), self.mix.clone());
        (self.plan.events, bodies)
    }
}

/// Sizes, and what is measured at each.
#[derive(Debug, clap::Args)]
pub struct ScaleArgs {
    /// Numbers of events; `--events` is not used
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "10000,100000,1000000,10000000"
    )]
    pub sizes: Vec<u64>,
    /// The folder for the PNG files
    #[arg(long, value_name = "DIR")]
    pub plots: Option<PathBuf>,
    /// What is measured at each size.
    #[command(flatten)]
    pub run: RunArgs,
}

/// What is measured, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Events of the store; 0 leaves out all that needs one
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub events: u64,
    /// Profiles that the events are of [default: one for 20 events]
    #[arg(long, value_name = "P")]
    pub profiles: Option<u64>,
    /// Events of one more profile, the hot one [default: a tenth of the events, at most 100,000]
    #[arg(long, value_name = "N")]
    pub hot: Option<u64>,
    /// Events of 960 kB in a store of their own, all of one profile; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 1_200)]
    pub large: u64,
    /// Over how many days the events of the store are spread
    #[arg(long, value_name = "D", default_value_t = 365.0)]
    pub days: f64,
    /// Equal seeds give equal bodies
    #[arg(long, value_name = "S", default_value_t = 7)]
    pub seed: u64,
    /// How long each turn of each server is
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub seconds: f64,
    /// How many turns each server has; 0 leaves rates out
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: usize,
    /// Signed calls that profiletrail gets in a turn of its own; 0 leaves that out. To sign
    /// them takes most of the time
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub signed: usize,
    /// How often a question is asked; one over everything at most 3 times, a start 5 times
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub times: usize,
    /// Numbers of connections
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "1,32,128"
    )]
    pub connections: Vec<usize>,
    /// Worker threads of profiletrail and of the do-nothing server
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub workers: usize,
    /// Who is measured beside it: fastapi, node, node-group, or none
    #[arg(
        long,
        value_name = "NAME,…",
        value_delimiter = ',',
        default_value = "fastapi,node,node-group"
    )]
    pub peers: Vec<Which>,
    /// Events of the peers' store, where there are more in all
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub peer_events: u64,
    /// The folder for data, on the disk that is to be measured [default: target/bench]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Keep the stores here, each in a folder named after its number of events, and use
    /// them again
    #[arg(long, value_name = "DIR")]
    pub store: Option<PathBuf>,
    /// The program to measure [default: the one built beside this]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Another build of the program, to be measured in the same rounds
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// The program nats-server: a cluster of three nodes is measured, too. `tests/nats/install`
    /// installs it and prints its folder
    #[arg(long, value_name = "FILE")]
    pub cluster: Option<PathBuf>,
    /// Write what was measured as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How often what happens.
    #[command(flatten)]
    pub mix: Mix,
}

impl RunArgs {
    /// The events of a store of `events`.
    pub fn plan(&self, events: u64) -> Plan {
        Plan {
            events,
            profiles: self.profiles.unwrap_or(events / 20).max(1),
            seed: self.seed.wrapping_add(2),
            since: SINCE,
            days: self.days,
            hot: self.hot.unwrap_or(events / 10).min(100_000),
        }
    }

    /// Calls that come when the store is there, of the same profiles.
    pub fn later_bodies(&self) -> Bodies {
        let mut plan = self.plan(self.events.max(100_000));
        plan.seed = self.seed.wrapping_add(1);
        plan.since += (plan.days * DAY) as i64;
        plan.hot = 0;
        Bodies::new(plan, self.mix.clone())
    }

    /// How often what takes long is measured, where `most` is enough.
    pub fn times_at_most(&self, most: usize) -> usize {
        self.times.clamp(1, most)
    }

    /// How long a turn is.
    pub fn turn(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.05, 3600.0))
    }
}

//! `profiletrail-bench`: what the program does in a second, in memory and on
//! disk, beside what the machine can do at all.
//!
//! | module | what it does |
//! | --- | --- |
//! | `generate`, `form`, `random` | webhook bodies, the same for the same seed |
//! | `source`, `load` | requests, and the one thread that sends them |
//! | `child`, `nothing` | the servers, each a process of its own |
//! | `disk` | append and sync without a server |
//! | `rates` | events per second, everything in turn |
//! | `keeping` | memory, bytes on disk, start, queries |
//! | `report` | tables and JSON |

mod child;
mod disk;
mod form;
mod generate;
mod keeping;
mod load;
mod nothing;
mod profile;
mod random;
mod rates;
mod report;
mod source;

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{Parser, Subcommand};

use generate::{Bodies, Mix, Plan};

/// The first event's time where none is named: 2025-10-09T08:53:20Z.
const SINCE: i64 = 1_760_000_000;

/// Measures profiletrail beside the machine's own limits.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
#[command(
    after_help = "Examples:\n  scripts/bench\n  scripts/bench --events 0 --seconds 1 --connections 32\n  \
    scripts/bench generate --events 1000 --profiles 100 > bodies.txt"
)]
struct Args {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure (the default)
    Run(RunArgs),
    /// Write webhook bodies, one a line
    Generate(GenerateArgs),
    /// Serve calls and do nothing with them
    #[command(hide = true)]
    Nothing {
        /// Threads that answer
        #[arg(long)]
        workers: usize,
    },
}

#[derive(Debug, clap::Args)]
struct GenerateArgs {
    /// How many
    #[arg(long, value_name = "N")]
    events: u64,
    /// Over how many profiles
    #[arg(long, value_name = "P")]
    profiles: u64,
    /// Equal seeds give equal bodies
    #[arg(long, value_name = "S", default_value_t = 7)]
    seed: u64,
    /// The first event's time
    #[arg(long, value_name = "UNIX", default_value_t = SINCE)]
    since: i64,
    /// Over how many days they are spread
    #[arg(long, value_name = "D", default_value_t = 30.0)]
    days: f64,
    /// About how many of them are of one profile, number P + 1
    #[arg(long, value_name = "N", default_value_t = 0)]
    hot: u64,
    #[command(flatten)]
    mix: Mix,
}

/// What is measured, and how long.
#[derive(Clone, Debug, clap::Args)]
pub struct RunArgs {
    /// Events to load for memory, disk, start and query times; 0 leaves that out
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    pub events: u64,
    /// Profiles that the events are of [default: one for 20 events]
    #[arg(long, value_name = "P")]
    pub profiles: Option<u64>,
    /// Equal seeds give equal bodies
    #[arg(long, value_name = "S", default_value_t = 7)]
    pub seed: u64,
    /// How long each turn of each server is
    #[arg(long, value_name = "S", default_value_t = 2.0)]
    pub seconds: f64,
    /// How many turns each server has; 0 leaves rates out
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub rounds: usize,
    /// Numbers of connections
    #[arg(
        long,
        value_name = "N,…",
        value_delimiter = ',',
        default_value = "1,32,128"
    )]
    pub connections: Vec<usize>,
    /// Worker threads of every server
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub workers: usize,
    /// The folder for data, on the disk that is to be measured [default: target/bench]
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// The program to measure [default: the one built beside this]
    #[arg(long, value_name = "FILE")]
    pub binary: Option<PathBuf>,
    /// Another build of the program, to be measured in the same rounds
    #[arg(long, value_name = "FILE")]
    pub against: Option<PathBuf>,
    /// Write what was measured as JSON too
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// How often what happens.
    #[command(flatten)]
    pub mix: Mix,
}

impl RunArgs {
    /// The bodies of a run; `salt` makes others of the same kind.
    fn bodies(&self, salt: u64) -> Bodies {
        let events = self.events.max(100_000);
        let plan = Plan {
            events,
            profiles: self.profiles.unwrap_or(events / 20),
            seed: self.seed.wrapping_add(salt),
            since: SINCE,
            days: 30.0,
            hot: 0,
        };
        Bodies::new(plan, self.mix.clone())
    }

    fn turn(&self) -> Duration {
        Duration::from_secs_f64(self.seconds.clamp(0.05, 3600.0))
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.command {
        None => run(&args.run),
        Some(Command::Run(args)) => run(&args),
        Some(Command::Generate(args)) => generate(&args),
        Some(Command::Nothing { workers }) => nothing::serve(workers),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("profiletrail-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn generate(args: &GenerateArgs) -> anyhow::Result<()> {
    let plan = Plan {
        events: args.events,
        profiles: args.profiles,
        seed: args.seed,
        since: args.since,
        days: args.days,
        hot: args.hot,
    };
    let mut output = BufWriter::new(std::io::stdout().lock());
    let count = usize::try_from(args.events)?;
    for body in Bodies::new(plan, args.mix.clone()).take(count) {
        output.write_all(&body)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(())
}

/// The programs and the folder of a run.
pub struct Place {
    /// The program that is measured.
    pub binary: PathBuf,
    /// Where data goes; gone afterwards.
    pub dir: tempfile::TempDir,
}

impl Place {
    fn new(args: &RunArgs) -> anyhow::Result<Self> {
        let own = std::env::current_exe()?;
        let beside = own.parent().context("no folder of programs")?;
        let target = beside.parent().unwrap_or(beside);
        let dir = args.dir.clone().unwrap_or_else(|| target.join("bench"));
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(Self {
            binary: args
                .binary
                .clone()
                .unwrap_or_else(|| beside.join("profiletrail")),
            dir: tempfile::Builder::new().prefix("run-").tempdir_in(dir)?,
        })
    }

    fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }
}

fn run(args: &RunArgs) -> anyhow::Result<()> {
    let place = Place::new(args)?;
    let mut report = report::Report::default();
    if args.rounds > 0 {
        report.rates = Some(rates::measure(args, &place)?);
        report::print_rates(report.rates.as_ref());
    }
    if args.events > 0 {
        report.keeping = Some(keeping::measure(args, &place)?);
        report::print_keeping(report.keeping.as_ref());
    }
    if let Some(path) = &args.json {
        let json = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// The middle value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.get(middle.wrapping_sub(1))) {
        (Some(high), Some(low)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (Some(value), _) => *value,
        _ => f64::NAN,
    }
}

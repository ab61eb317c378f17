//! `profiletrail-bench`: throughput, memory and disk use, compared with other servers
//! and with the limits of the machine.
//!
//! | module | what it does |
//! | --- | --- |
//! | `args`, `place` | the arguments, and the paths |
//! | `generate`, `profile`, `random` | webhook bodies, the same for the same seed |
//! | `load`, `wire` | requests, and the one thread that sends them |
//! | `signed`, `dns` | signed calls, and where their sender's key is found |
//! | `child`, `baseline_server`, `supervised` | the servers, each a process of its own |
//! | `timed` | commands as whole processes: time, memory, output |
//! | `peers` | other servers of the same kind |
//! | `disk`, `raw` | append and sync without a server; `zstd -3` of the raw lines |
//! | `store`, `peer_store` | stores of many events |
//! | `rates` | calls per second, everything in turn |
//! | `storage_cost`, `questions`, `looked_up` | bytes on disk, memory, start, questions |
//! | `proofs`, `erasure` | what proofs cost, and erasing a person |
//! | `cluster` | three nodes that share their order over NATS |
//! | `large_events` | a store of large events of one profile: the memory of every question |
//! | `scale` | all of it at several sizes |
//! | `report`, `table` | tables and JSON |
//! | `compared`, `targets` | all side by side, and whether the targets are met |

mod args;
mod baseline_server;
mod child;
mod cluster;
mod compared;
mod disk;
mod dns;
mod erasure;
mod generate;
mod large_events;
mod load;
mod looked_up;
mod peer_store;
mod peers;
mod place;
mod profile;
mod proofs;
mod questions;
mod random;
mod rates;
mod raw;
mod report;
mod scale;
mod signed;
mod storage_cost;
mod store;
mod supervised;
mod table;
mod targets;
mod timed;
mod wire;
mod wrk;

use std::io::{BufWriter, Write};
use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command, GenerateArgs, RunArgs};
use peers::Peers;
use place::Place;
use report::Report;

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match args.command {
        None => run(&args.run),
        Some(Command::Run(args)) => run(&args),
        Some(Command::Scale(args)) => scale::run(&args),
        Some(Command::Erasure(args)) => erase(&args),
        Some(Command::Proofs(args)) => proofs::run(&args),
        Some(Command::Plot { json, dir, base }) => {
            place::base(base.as_deref()).and_then(|base| peers::plot(&base, &json, &dir))
        }
        Some(Command::Generate(args)) => generate(&args),
        Some(Command::BaselineServer { workers }) => baseline_server::serve(workers),
        Some(Command::Supervised { command }) => {
            supervised::become_it(&command).map(|never| match never {})
        }
        Some(Command::Time { times, command }) => timed::run(times, &command),
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
    let mut output = BufWriter::new(std::io::stdout().lock());
    let (count, bodies) = args.bodies();
    for body in bodies.take(usize::try_from(count)?) {
        output.write_all(&body)?;
        output.write_all(b"\n")?;
    }
    output.flush()?;
    Ok(())
}

fn run(args: &RunArgs) -> anyhow::Result<()> {
    let report = measure(args)?;
    report.print();
    match &args.json {
        Some(path) => scale::write(path, &[report]),
        None => Ok(()),
    }
}

/// Measures proofs and an erasure.
fn erase(args: &RunArgs) -> anyhow::Result<()> {
    let place = Place::new(args)?;
    let store = store::prepare(args, &place)?;
    let scratch = store.to_write(&place)?;
    let plan = args.plan(args.events);
    let (usual, _) = questions::usual_profile(&place.binary, &store.data, &plan)?;
    let erasure = erasure::measure(args, &place.binary, &scratch, usual)?;
    report::print_erasure(&erasure, args.events);
    targets::print(&targets::of_erasure(&erasure, args.events));
    Ok(())
}

/// Measures everything at one size.
fn measure(args: &RunArgs) -> anyhow::Result<Report> {
    let place = Place::new(args)?;
    let peers = Peers::set_up(&place.base, &args.peers)?;
    let mut report = Report {
        events: args.events,
        missing: peers.missing.clone(),
        ..Report::default()
    };
    let mut full = None;
    if args.events > 0 {
        let store = store::prepare(args, &place)?;
        let scratch = store.to_write(&place)?;
        report.storage_cost = Some(storage_cost::measure(args, &place, &store, &scratch)?);
        report.peers = peer_store::measure(args, &place, &peers)?;
        full = Some(scratch);
        if args.large > 0 {
            report.large_events = large_events::measure(args, &place)?;
        }
    }
    if args.rounds > 0 {
        report.rates = Some(rates::measure(args, &place, &peers, full.as_deref())?);
    }
    report.targets = targets::of(&report);
    Ok(report)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match (values.get(middle), values.get(middle.wrapping_sub(1))) {
        (Some(high), Some(low)) if values.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        (Some(value), _) => *value,
        _ => f64::NAN,
    }
}

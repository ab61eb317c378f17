//! Cost against size: everything is measured at several sizes.

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use super::args::{RunArgs, ScaleArgs};
use super::report::Report;
use super::{measure, peers, place};

/// Connections at all sizes but the largest.
const CONNECTIONS: usize = 32;

/// Measures each size and plots; the largest is printed.
pub fn run(args: &ScaleArgs) -> anyhow::Result<()> {
    let mut sizes = args.sizes.clone();
    sizes.sort_unstable();
    sizes.dedup();
    let largest = *sizes.last().context("no sizes")?;
    let mut runs = Vec::new();
    for size in sizes {
        eprintln!("== {size} events");
        let mut run = RunArgs {
            events: size,
            ..args.run.clone()
        };
        if size < largest {
            run.connections = vec![CONNECTIONS];
        }
        runs.push(measure(&run)?);
        // Measurements are not lost if a larger size fails.
        if let Some(path) = &args.run.json {
            write(path, &runs)?;
        }
    }
    if let Some(report) = runs.last() {
        report.print();
    }
    let Some(plots) = &args.plots else {
        return Ok(());
    };
    let scratch = tempfile::NamedTempFile::new()?;
    write(scratch.path(), &runs)?;
    peers::plot(
        &place::base(args.run.dir.as_deref())?,
        scratch.path(),
        plots,
    )
}

/// Writes reports as JSON, one for each size.
pub fn write(path: &Path, runs: &[Report]) -> anyhow::Result<()> {
    let json = serde_json::to_vec_pretty(&json!({
        "version": env!("CARGO_PKG_VERSION"),
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
        "runs": runs,
    }))?;
    std::fs::write(path, json).with_context(|| format!("writing {}", path.display()))
}

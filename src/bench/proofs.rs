//! The cost of proofs for a call: the rate of a server with proofs relative to one without.

use super::args::RunArgs;
use super::child::Server;
use super::load::{Load, prepare};
use super::place::Place;
use super::table::{Printed, whole};
use super::targets;

/// Requests that are prepared; they are sent again and again.
const PREPARED: usize = 100_000;

pub fn run(args: &RunArgs) -> anyhow::Result<()> {
    let place = Place::new(args)?;
    let requests = prepare(&mut args.later_bodies(), PREPARED);
    let mut table = Printed::new(
        &["connections", "with proofs", "without", "ratio", "error"],
        0,
    );
    let mut costs = Vec::new();
    for connections in &args.connections {
        let (mut with, mut without, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..args.rounds {
            let rate = |proofs| turn(args, &place, *connections, &requests, proofs);
            // The first of a pair finds a quieter disk.
            let (one, other) = if round % 2 == 0 {
                (rate(true)?, rate(false)?)
            } else {
                let other = rate(false)?;
                (rate(true)?, other)
            };
            eprintln!(
                "{connections} connections, pair {}: {:.3}",
                round + 1,
                one / other
            );
            with.push(one);
            without.push(other);
            ratios.push(one / other);
        }
        let (with, without) = (mean(&with), mean(&without));
        // The mean of the ratios would be too high: noise upwards counts for more in it.
        let ratio = with / without;
        table.row([
            connections.to_string(),
            whole(with),
            whole(without),
            format!("{ratio:.3}"),
            format!("{:.3}", standard_error(&ratios)),
        ]);
        costs.push((*connections, ratio));
    }
    table.print("Calls per second with proofs and without, in pairs of turns");
    targets::print(&targets::of_proofs(&costs));
    Ok(())
}

/// The calls per second that a server with an empty store answers.
fn turn(
    args: &RunArgs,
    place: &Place,
    connections: usize,
    requests: &[Vec<u8>],
    with_proofs: bool,
) -> anyhow::Result<f64> {
    let data = place.data("turn");
    let serve = || Server::profiletrail(&place.binary, &data, args.workers, &[]);
    serve()?.stop()?;
    let proofs = data.join("proofs");
    if !with_proofs {
        // With a file in the place of its folder, the tree cannot be kept, and is not made.
        if proofs.exists() {
            std::fs::remove_dir_all(&proofs)?;
        }
        std::fs::write(&proofs, [])?;
    }
    let server = serve()?;
    let mut requests = requests.iter().cycle();
    let mut load = Load::open(server.address, connections, &mut requests, None)?;
    let outcome = load.run(&mut requests, Some(args.turn()))?.all_kept()?;
    server.kill()?;
    std::fs::remove_dir_all(&data)?;
    Ok(outcome.rate())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The standard error of the mean.
fn standard_error(values: &[f64]) -> f64 {
    let (mean, count) = (mean(values), values.len() as f64);
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (squares / (count - 1.0) / count).sqrt()
}

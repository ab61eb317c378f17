//! What proofs cost, and how long it takes to erase a person.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::args::RunArgs;
use super::child::{Memory, Server};
use super::storage_cost::milliseconds;
use super::store::disk_bytes;
use super::timed::{answer, ask};

/// How long is waited between two questions whether the person is hidden.
const PAUSE: Duration = Duration::from_millis(20);

/// Proofs, and an erasure, of a running server.
#[derive(Debug, Serialize)]
pub struct Erasure {
    /// To the first checkpoint, in milliseconds: the tree of all events is made.
    pub first_checkpoint_ms: f64,
    /// To the proof of an event in the middle, in milliseconds, as a whole process.
    pub prove_ms: f64,
    /// Bytes of the tree on disk.
    pub proofs_bytes: u64,
    /// Events that were erased.
    pub events: u64,
    /// Until no answer had the person, in milliseconds.
    pub hidden_ms: f64,
    /// Until nothing of the person was in any file, in milliseconds.
    pub done_ms: f64,
    /// The server's memory, and the most meanwhile.
    pub server: Memory,
}

/// Measures it in a folder that is written to; `profile` is erased.
pub fn measure(
    args: &RunArgs,
    binary: &Path,
    data: &Path,
    profile: u64,
) -> anyhow::Result<Erasure> {
    let server = Server::profiletrail(binary, data, args.workers)?;
    ask(binary, data, &["show", "1"], 1)?;
    eprintln!("proving and erasing");
    let first_checkpoint_ms = ask(binary, data, &["checkpoint"], 1)?.ms();
    let place = tempfile::tempdir().context("making a folder for proofs")?;
    let mut took = Vec::new();
    for number in 0..args.times.max(1) {
        let out = place.path().join(number.to_string());
        let middle = (args.events / 2 + number as u64).to_string();
        let out = out.to_str().context("the folder's name")?;
        took.push(ask(binary, data, &["prove", &middle, "--out", out], 1)?.ms());
    }
    let proofs_bytes = disk_bytes(&data.join("proofs"))?;
    server.forget_peak();
    let profile = profile.to_string();
    let begun = Instant::now();
    let (hidden_ms, line) = std::thread::scope(|scope| {
        let erase = [
            "erase",
            &profile,
            "--reason",
            "benchmark",
            "--yes",
            "--still-present",
        ];
        let erasing = scope.spawn(move || answer(binary, data, &erase));
        // The erasure itself ends later.
        while ask(binary, data, &["history", &profile], 1)?.lines > 0 {
            std::thread::sleep(PAUSE);
        }
        let hidden_ms = milliseconds(begun);
        let line = erasing.join();
        let line = line.map_err(|_| anyhow::anyhow!("the erasure panicked"))??;
        anyhow::Ok((hidden_ms, line))
    })?;
    let done_ms = milliseconds(begun);
    let memory = server.memory()?;
    server.stop()?;
    Ok(Erasure {
        first_checkpoint_ms,
        prove_ms: super::median(took),
        proofs_bytes,
        events: line
            .get("events")
            .and_then(serde_json::Value::as_u64)
            .context("how many were erased")?,
        hidden_ms,
        done_ms,
        server: memory,
    })
}

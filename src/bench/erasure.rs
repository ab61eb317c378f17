//! Measures the cost of proofs, and the time to erase a person.

use std::path::Path;
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::args::RunArgs;
use super::child::{Memory, Server};
use super::load::{Load, prepare};
use super::storage_cost::milliseconds;
use super::store::disk_bytes;
use super::timed::{answer, ask};

/// The pause between two checks whether the person is hidden.
const PAUSE: Duration = Duration::from_millis(20);

/// How long calls are sent before each check whether an erasure has ended.
const PART: Duration = Duration::from_millis(250);

/// Connections over which calls come during an erasure.
const CONNECTIONS: usize = 32;

/// Requests that are prepared for it; they are sent again and again.
const PREPARED: usize = 100_000;

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
    /// Calls per second over 32 connections while another person is erased, relative to
    /// those before and after it.
    pub calls_meanwhile: f64,
    /// Until nothing of that person was in any file, in milliseconds.
    pub loaded_done_ms: f64,
    /// The server's memory, and its peak during the erasure.
    pub server: Memory,
    /// The same after the erasure under load.
    pub loaded_server: Memory,
}

/// Measures it in a folder that is written to; `profile` is erased.
pub fn measure(
    args: &RunArgs,
    binary: &Path,
    data: &Path,
    profile: u64,
) -> anyhow::Result<Erasure> {
    let server = Server::profiletrail(binary, data, args.workers, &[])?;
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
    let begun = Instant::now();
    let (hidden_ms, line) = while_erasing(binary, data, profile, |erasing| {
        // The erasure itself ends later.
        let asked = profile.to_string();
        while !erasing.is_finished() && ask(binary, data, &["history", &asked], 1)?.lines > 0 {
            std::thread::sleep(PAUSE);
        }
        Ok(milliseconds(begun))
    })?;
    let done_ms = milliseconds(begun);
    let memory = server.memory()?;
    let (calls_meanwhile, loaded_done_ms) = under_load(args, &server, binary, data, profile + 1)?;
    let loaded_server = server.memory()?;
    server.stop()?;
    Ok(Erasure {
        first_checkpoint_ms,
        prove_ms: super::median(took),
        proofs_bytes,
        events: line
            .get("events")
            .and_then(Value::as_u64)
            .context("how many were erased")?,
        hidden_ms,
        done_ms,
        calls_meanwhile,
        loaded_done_ms,
        server: memory,
        loaded_server,
    })
}

/// Erases a profile and runs something at the same time. Returns its result, and the line
/// of `erase`.
fn while_erasing<T>(
    binary: &Path,
    data: &Path,
    profile: u64,
    meanwhile: impl FnOnce(&ScopedJoinHandle<'_, anyhow::Result<Value>>) -> anyhow::Result<T>,
) -> anyhow::Result<(T, Value)> {
    std::thread::scope(|scope| {
        let erasing = scope.spawn(move || {
            let profile = profile.to_string();
            let erase = [
                "erase",
                &profile,
                "--reason",
                "benchmark",
                "--yes",
                "--still-present",
            ];
            answer(binary, data, &erase)
        });
        let found = meanwhile(&erasing);
        let line = erasing.join();
        let line = line.map_err(|_| anyhow::anyhow!("the erasure panicked"))??;
        Ok((found?, line))
    })
}

/// Erases a profile while calls are sent. Returns their rate relative to that without an
/// erasure, and the duration of the erasure in milliseconds.
fn under_load(
    args: &RunArgs,
    server: &Server,
    binary: &Path,
    data: &Path,
    profile: u64,
) -> anyhow::Result<(f64, f64)> {
    eprintln!("erasing while calls come");
    let prepared = prepare(&mut args.later_bodies(), PREPARED);
    let mut requests = prepared.iter().cycle();
    let mut load = Load::open(server.address, CONNECTIONS, &mut requests, None)?;
    // In parts alike, as each waits for its last answers.
    let mut calls_until = |over: &dyn Fn() -> bool| -> anyhow::Result<(f64, f64)> {
        let (mut calls, mut seconds) = (0.0, 0.0);
        while !over() {
            let part = load.run(&mut requests, Some(PART))?.all_kept()?;
            calls += part.kept as f64;
            seconds += part.elapsed.as_secs_f64();
        }
        Ok((calls, seconds))
    };
    let usual = |since: Instant| move || since.elapsed() > args.turn();
    let before = calls_until(&usual(Instant::now()))?;
    let begun = Instant::now();
    let ((calls, seconds), _) = while_erasing(binary, data, profile, |erasing| {
        calls_until(&|| erasing.is_finished())
    })?;
    let done_ms = milliseconds(begun);
    let after = calls_until(&usual(Instant::now()))?;
    let usual = (before.0 + after.0) / (before.1 + after.1);
    Ok((calls / seconds / usual, done_ms))
}

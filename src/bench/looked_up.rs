//! Cost and benefit of `serve --lookup`: the time to index the existing values, their
//! size, the server's memory, and `find` by such a field. It uses a copy of the store,
//! which is removed afterwards.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;
use serde_json::Value;

use super::args::RunArgs;
use super::child::{Memory, Server};
use super::place::Place;
use super::questions::Question;
use super::storage_cost::{Asked, ask_all, milliseconds};
use super::store::{Store, copy_folder};
use super::timed::answer;

/// The field whose values are entered; every profile has its own.
const FIELD: &str = "mail";

/// How long it may take until all values are entered.
const PATIENCE: Duration = Duration::from_secs(3600);

#[derive(Debug, Serialize)]
pub struct LookedUp {
    /// From the start of the server until all values are entered, in milliseconds.
    pub entered_ms: f64,
    /// The server's memory then, and the most until then.
    pub entering: Memory,
    /// Values that are kept.
    pub entries: u64,
    /// Bytes that they take on disk, once the server has stopped.
    pub bytes: u64,
    pub asked: Vec<Asked>,
}

/// Measures it; the value that is asked for is that of a profile with the usual
/// number of events.
pub fn measure(
    args: &RunArgs,
    place: &Place,
    store: &Store,
    usual: u64,
) -> anyhow::Result<LookedUp> {
    let binary = &place.binary;
    let data = place.data("looked-up");
    copy_folder(&store.data, &data)?;
    let wanted = value(binary, &data, usual)?;
    eprintln!("entering the values of {FIELD}");
    let begun = Instant::now();
    let lookup = [format!("--lookup={FIELD}")];
    let server = Server::profiletrail(binary, &data, args.workers, &lookup)?;
    let lookup = loop {
        let lookup = state(binary, &data)?;
        if number(&lookup, "up_to") >= store.made.events {
            break lookup;
        }
        anyhow::ensure!(begun.elapsed() < PATIENCE, "the lookups are never complete");
        // The question walks the index, and must not delay the build.
        std::thread::sleep((begun.elapsed() / 8).max(Duration::from_millis(5)));
    };
    let entered_ms = milliseconds(begun);
    let entering = server.memory()?;
    let (wanted, times) = (format!("{FIELD}={wanted}"), args.times.max(1));
    let questions = [
        Question::new("find", times, &["find", &wanted]),
        Question::new("find --ever", times, &["find", &wanted, "--ever"]),
    ];
    let asked = ask_all(args, binary, &data, server, &questions)?;
    for asked in &asked {
        anyhow::ensure!(asked.live.lines > 0, "{}: nothing found", asked.command);
    }
    let bytes = number(&state(binary, &data)?, "bytes");
    std::fs::remove_dir_all(&data).with_context(|| format!("removing {}", data.display()))?;
    Ok(LookedUp {
        entered_ms,
        entering,
        entries: number(&lookup, "entries"),
        bytes,
        asked,
    })
}

/// The current value of the field in a profile.
fn value(binary: &Path, data: &Path, profile: u64) -> anyhow::Result<String> {
    let shown = answer(binary, data, &["show", &profile.to_string()])?;
    let value = shown
        .pointer(&format!("/fields/{FIELD}"))
        .and_then(Value::as_str);
    let value = value.with_context(|| format!("profile {profile} has no {FIELD}"))?;
    Ok(value.to_owned())
}

/// The lookups in the answer of `stats`, over no event, so that it is quick.
fn state(binary: &Path, data: &Path) -> anyhow::Result<Value> {
    let never = "2200-01-01T00:00:00Z";
    let mut stats = answer(binary, data, &["stats", "--since", never])?;
    Ok(stats.get_mut("lookup").map(Value::take).unwrap_or_default())
}

/// A number of an answer, or 0.
fn number(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or_default()
}

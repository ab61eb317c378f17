//! What keeping many events costs: memory, bytes on disk, the time to start
//! after a clean stop and after a kill, and the time to answer questions from
//! the command line, each as a whole process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::child::{Memory, Server};
use super::load::Load;
use super::rates::ask;
use super::source::Fresh;
use super::{Place, RunArgs, median};

/// Connections over which the events are loaded.
const CONNECTIONS: usize = 128;

/// How often a question is asked.
const TIMES: usize = 20;

/// How often a question over everything is asked.
const TIMES_OVER_ALL: usize = 3;

/// Events that are sent right before the kill.
const BEFORE_KILL: u64 = 20_000;

/// The time of a command in milliseconds.
#[derive(Debug, Serialize)]
pub struct Asked {
    /// The command.
    pub command: String,
    /// While the server runs.
    pub live_ms: f64,
    /// While it does not.
    pub offline_ms: f64,
}

/// From the start of the process, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Start {
    /// To the first answer.
    pub answer_ms: f64,
    /// To the first answer out of the index.
    pub query_ms: f64,
}

/// All of it.
#[derive(Debug, Serialize)]
pub struct Keeping {
    /// The events that were loaded.
    pub events: u64,
    /// How many of them in a second.
    pub load_per_second: f64,
    /// The mean length of a body.
    pub body_bytes: f64,
    /// Bytes of the log for an event.
    pub log_bytes: f64,
    /// Bytes of the index for an event.
    pub index_bytes: f64,
    /// After the load.
    pub after_load: Memory,
    /// After an export of everything.
    pub after_export: Memory,
    /// Events exported in a second.
    pub export_per_second: f64,
    /// Commands.
    pub asked: Vec<Asked>,
    /// After a clean stop.
    pub after_stop: Start,
    /// After a kill under load.
    pub after_kill: Start,
}

/// Loads the events and measures.
pub fn measure(args: &RunArgs, place: &Place) -> anyhow::Result<Keeping> {
    let data = place.data("keeping");
    let binary = &place.binary;
    let start = || Server::profiletrail(binary, &data, args.workers);
    let server = start()?;
    eprintln!("loading {} events", args.events);
    let mut bodies = args.bodies(2);
    let (outcome, body_bytes) = {
        let mut requests = Fresh::new(&mut bodies, args.events);
        let mut load = Load::open(server.address, CONNECTIONS, &mut requests)?;
        let outcome = load.run(&mut requests, None)?;
        (outcome, requests.body_bytes as f64 / args.events as f64)
    };
    ask(binary, &data, &["show", "7"])?;
    let after_load = server.memory()?;
    eprintln!("asking while the server runs");
    let commands = commands(args);
    let live = times(binary, &data, &commands)?;
    let export = ask(binary, &data, &["export", "--raw"])?;
    let after_export = server.memory()?;
    server.stop()?;
    let bytes =
        |name: &str| folder_bytes(&data.join(name)).map(|bytes| bytes as f64 / args.events as f64);
    let (log_bytes, index_bytes) = (bytes("log")?, bytes("index")?);
    eprintln!("asking while it does not");
    let offline = times(binary, &data, &commands)?;
    let (server, after_stop) = timed_start(start, binary, &data)?;
    {
        let mut requests = Fresh::new(&mut bodies, BEFORE_KILL);
        let mut load = Load::open(server.address, CONNECTIONS, &mut requests)?;
        load.run(&mut requests, None)?;
    }
    server.kill()?;
    let (server, after_kill) = timed_start(start, binary, &data)?;
    server.stop()?;
    let asked = commands
        .iter()
        .zip(live.iter().zip(offline))
        .map(|(command, (live, offline))| Asked {
            command: command.join(" "),
            live_ms: *live,
            offline_ms: offline,
        })
        .collect();
    Ok(Keeping {
        events: args.events,
        load_per_second: outcome.rate(),
        body_bytes,
        log_bytes,
        index_bytes,
        after_load,
        after_export,
        export_per_second: args.events as f64 / export.as_secs_f64(),
        asked,
        after_stop,
        after_kill,
    })
}

/// The questions; the last one reads everything.
fn commands(args: &RunArgs) -> Vec<Vec<&'static str>> {
    // A profile that every load has.
    let mut commands: Vec<Vec<&str>> = vec![vec!["history", "7"], vec!["show", "7"]];
    commands.push(vec!["blame", "7"]);
    if args.mix.fields > 4 {
        commands.push(vec!["changes", "--field", "newsletter"]);
    }
    commands
}

fn times(binary: &Path, data: &Path, commands: &[Vec<&str>]) -> anyhow::Result<Vec<f64>> {
    commands
        .iter()
        .map(|command| {
            let over_all = command.contains(&"changes");
            let times = if over_all { TIMES_OVER_ALL } else { TIMES };
            let took = (0..times)
                .map(|_| Ok(milliseconds(ask(binary, data, command)?)))
                .collect::<anyhow::Result<Vec<_>>>()?;
            Ok(median(took))
        })
        .collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

fn timed_start(
    start: impl Fn() -> anyhow::Result<Server>,
    binary: &Path,
    data: &Path,
) -> anyhow::Result<(Server, Start)> {
    let begun = Instant::now();
    let server = start()?;
    first_answer(server.address).context("the first answer")?;
    let answer_ms = milliseconds(begun.elapsed());
    ask(binary, data, &["show", "7"])?;
    let start = Start {
        answer_ms,
        query_ms: milliseconds(begun.elapsed()),
    };
    Ok((server, start))
}

fn first_answer(address: SocketAddr) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    anyhow::ensure!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(())
}

/// The bytes that a folder takes on disk.
fn folder_bytes(folder: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    /// The unit of a file's blocks, on every Linux file system.
    const BLOCK: u64 = 512;
    let mut bytes = 0;
    for entry in
        std::fs::read_dir(folder).with_context(|| format!("reading {}", folder.display()))?
    {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() {
            folder_bytes(&entry.path())?
        } else {
            about.blocks() * BLOCK
        };
    }
    Ok(bytes)
}

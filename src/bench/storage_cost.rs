//! The cost of storing many events: bytes on disk, memory, the time to start
//! after a clean stop and after a kill, and the time to answer questions from
//! the command line, each as a whole process.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::args::RunArgs;
use super::child::{Memory, Server};
use super::erasure::{self, Erasure};
use super::load::{Load, request};
use super::looked_up::{self, LookedUp};
use super::median;
use super::place::Place;
use super::questions::{self, Question};
use super::store::{Made, Store, disk_bytes};
use super::timed::{Timed, ask};

/// Connections that send events before a kill.
const CONNECTIONS: usize = 32;

/// Events that are sent before a kill.
const BEFORE_KILL: u64 = 20_000;

/// How often a start is timed at most.
pub const STARTS: usize = 5;

/// How long a first answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A question and its cost.
#[derive(Debug, Serialize)]
pub struct Asked {
    /// Its name.
    pub name: &'static str,
    pub command: String,
    /// While the server runs.
    pub live: Timed,
    /// The server's memory after it, and the most while it was asked.
    pub server: Memory,
    /// While the server does not run.
    pub offline: Timed,
}

/// Asks questions while a server runs, stops it, and asks them again.
pub fn ask_all(
    args: &RunArgs,
    binary: &Path,
    data: &Path,
    server: Server,
    questions: &[Question],
) -> anyhow::Result<Vec<Asked>> {
    let mut all = Vec::new();
    for question in questions {
        let command = question.command.join(" ");
        eprintln!("asking while the server runs: {command}");
        server.forget_peak();
        all.push(Asked {
            name: question.name,
            command,
            live: ask(binary, data, &question.command, question.times)?,
            server: server.memory()?,
            offline: Timed::default(),
        });
    }
    server.stop()?;
    for (question, asked) in questions.iter().zip(&mut all) {
        eprintln!("asking while it does not: {}", asked.command);
        asked.offline = ask(binary, data, &question.command, question.times)?;
        asked.check(args.events)?;
    }
    Ok(all)
}

impl Asked {
    /// A fast answer that is wrong would be worth nothing.
    fn check(&self, events: u64) -> anyhow::Result<()> {
        let Self { live, offline, .. } = self;
        anyhow::ensure!(
            live.bytes == offline.bytes,
            "{}: {} bytes while the server runs, {} while it does not",
            self.command,
            live.bytes,
            offline.bytes
        );
        anyhow::ensure!(
            !self.name.starts_with("export") || offline.lines == events,
            "{}: {} of {events} events",
            self.command,
            offline.lines
        );
        Ok(())
    }
}

/// From the start of the process, in milliseconds; medians.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Start {
    /// To the first answer.
    pub answer_ms: f64,
    /// To the first answer out of the index.
    pub query_ms: f64,
}

#[derive(Debug, Serialize)]
pub struct StorageCost {
    pub made: Made,
    /// Bytes of the log on disk.
    pub log_bytes: u64,
    /// Bytes of the index on disk.
    pub index_bytes: u64,
    /// Events of the profile whose history is asked.
    pub usual_events: u64,
    pub after_start: Memory,
    pub asked: Vec<Asked>,
    /// The cost and benefit of looking up a field's values.
    pub looked_up: LookedUp,
    /// After a clean stop.
    pub after_stop: Start,
    /// After a kill under load.
    pub after_kill: Start,
    /// Proofs, and erasing a person.
    pub erasure: Erasure,
}

impl StorageCost {
    /// The question with a name.
    pub fn asked(&self, name: &str) -> Option<&Asked> {
        let all = self.asked.iter().chain(&self.looked_up.asked);
        all.into_iter().find(|asked| asked.name == name)
    }

    /// Bytes on disk for an event.
    pub fn bytes_per_event(&self) -> f64 {
        (self.log_bytes + self.index_bytes) as f64 / self.made.events as f64
    }

    /// Bytes on disk relative to `zstd -3` of the raw lines.
    pub fn to_zstd(&self) -> f64 {
        (self.log_bytes + self.index_bytes) as f64 / self.made.zstd_bytes as f64
    }

    /// The most memory that the server ever took, in KiB.
    pub fn server_peak_kib(&self) -> u64 {
        let asked = self.asked.iter().map(|asked| asked.server.peak_kib);
        let others = [
            self.made.memory.peak_kib,
            self.after_start.peak_kib,
            self.erasure.server.peak_kib,
        ];
        let all = asked.chain(others);
        all.max().unwrap_or_default()
    }

    /// The most memory that a command took without a server, in KiB.
    pub fn offline_peak_kib(&self) -> u64 {
        let asked = self.asked.iter().map(|asked| asked.offline.peak_kib);
        asked.max().unwrap_or_default()
    }
}

/// Measures a store; `scratch` is one of the same events, to be written to.
pub fn measure(
    args: &RunArgs,
    place: &Place,
    store: &Store,
    scratch: &Path,
) -> anyhow::Result<StorageCost> {
    let (binary, data) = (&place.binary, &store.data);
    let log_bytes = disk_bytes(&data.join("log"))?;
    let index_bytes = disk_bytes(&data.join("index"))?;
    let mut starts = Vec::new();
    for _ in 0..args.times_at_most(STARTS) {
        let (server, start) = timed_start(args, binary, data)?;
        starts.push(start);
        server.stop()?;
    }
    let after_stop = middle(&starts);
    let (server, _) = timed_start(args, binary, data)?;
    let after_start = server.memory()?;
    let (usual, usual_events) = questions::usual_profile(binary, data, &args.plan(args.events))?;
    let asked = ask_all(args, binary, data, server, &questions::all(args, usual))?;
    let looked_up = looked_up::measure(args, place, store, usual)?;
    let after_kill = kills(args, binary, scratch)?;
    let erasure = erasure::measure(args, binary, scratch, usual)?;
    Ok(StorageCost {
        made: store.made.clone(),
        log_bytes,
        index_bytes,
        usual_events,
        after_start,
        asked,
        looked_up,
        after_stop,
        after_kill,
        erasure,
    })
}

/// Starts after kills under load.
fn kills(args: &RunArgs, binary: &Path, data: &Path) -> anyhow::Result<Start> {
    let mut bodies = args.later_bodies();
    let mut starts = Vec::new();
    let (mut server, _) = timed_start(args, binary, data)?;
    for _ in 0..args.times_at_most(STARTS) {
        load_some(server.address, &mut bodies, args.events)?;
        server.kill()?;
        let start;
        (server, start) = timed_start(args, binary, data)?;
        starts.push(start);
    }
    server.stop()?;
    Ok(middle(&starts))
}

/// Sends some events to a server that holds `events`.
pub fn load_some(
    address: SocketAddr,
    bodies: &mut super::generate::Bodies,
    events: u64,
) -> anyhow::Result<()> {
    let count = BEFORE_KILL.min(events / 10).max(100);
    let mut requests = bodies.take(count as usize).map(|body| request(&body));
    Load::open(address, CONNECTIONS, &mut requests, None)?.run(&mut requests, None)?;
    Ok(())
}

fn middle(starts: &[Start]) -> Start {
    Start {
        answer_ms: median(starts.iter().map(|start| start.answer_ms).collect()),
        query_ms: median(starts.iter().map(|start| start.query_ms).collect()),
    }
}

fn timed_start(args: &RunArgs, binary: &Path, data: &Path) -> anyhow::Result<(Server, Start)> {
    let begun = Instant::now();
    let server = Server::profiletrail(binary, data, args.workers, &[])?;
    get(server.address, "/healthz").context("the first answer")?;
    let answer_ms = milliseconds(begun);
    ask(binary, data, &["show", "1"], 1)?;
    let start = Start {
        answer_ms,
        query_ms: milliseconds(begun),
    };
    Ok((server, start))
}

pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Asks for an address on a new connection, which must be answered 200.
pub fn get(address: SocketAddr, path: &str) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    anyhow::ensure!(
        answer.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&answer)
    );
    Ok(())
}

//! The storage cost of the peers. They share a database of the same schema, loaded in
//! large transactions: a million single calls would take an hour and make the same file.

use std::ffi::OsString;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::args::RunArgs;
use super::child::{Memory, Server};
use super::generate::Bodies;
use super::median;
use super::peers::{Peers, Which};
use super::place::Place;
use super::questions::TIMES_OVER_ALL;
use super::storage_cost::{STARTS, get, load_some, milliseconds};
use super::store::{disk_bytes, folder, known, plan_of};
use super::supervised::is_installed;
use super::timed::{Timed, time};

/// What the creation of a database recorded.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Made {
    /// The generated events.
    plan: String,
    pub events: u64,
    /// A profile with about 20 events.
    usual: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

/// The measurements of a peer.
#[derive(Debug, Serialize)]
pub struct PeerKeeping {
    pub which: Which,
    pub name: &'static str,
    /// From the start after a clean stop to the first answer, in milliseconds.
    pub after_stop_ms: f64,
    /// The same after a kill.
    pub after_kill_ms: f64,
    /// Its answer with one profile's events, over a new connection, in milliseconds.
    pub history_ms: f64,
    /// The same for the hot profile.
    pub hot_ms: f64,
    /// Its memory after the usual histories; the peak is that of the hot one too.
    pub memory: Memory,
}

/// The measurements of all peers.
#[derive(Debug, Serialize)]
pub struct PeersStorageCost {
    pub made: Made,
    pub peers: Vec<PeerKeeping>,
    /// One profile's events by a process of the `sqlite3` shell, if it is installed.
    pub shell_history: Option<Timed>,
    /// All bodies by the shell.
    pub shell_export: Option<Timed>,
}

/// Measures all that are ready.
pub fn measure(
    args: &RunArgs,
    place: &Place,
    peers: &Peers,
) -> anyhow::Result<Option<PeersStorageCost>> {
    if peers.ready.is_empty() {
        return Ok(None);
    }
    let events = args.events.min(args.peer_events);
    let (database, made) = prepare(args, place, peers, events)?;
    let scratch = place.data("peers.db");
    std::fs::copy(&database, &scratch).context("copying the peers' database")?;
    let hot = args.plan(events).hot_profile();
    let mut measured = Vec::new();
    for which in &peers.ready {
        eprintln!("asking {}", which.name());
        measured.push(one(args, peers, *which, &scratch, (made.usual, hot))?);
    }
    let columns = "SELECT seq, time, type, subprofile, body FROM events";
    let history = format!(
        "{columns} WHERE profile = {} ORDER BY time, seq",
        made.usual
    );
    let shell_history = shell(&database, &history, args.times.max(1))?;
    let shell_export = shell(
        &database,
        "SELECT body FROM events",
        args.times_at_most(TIMES_OVER_ALL),
    )?;
    remove(&scratch)?;
    Ok(Some(PeersStorageCost {
        made,
        peers: measured,
        shell_history,
        shell_export,
    }))
}

/// The database with this many events: the kept one, or a new one.
fn prepare(
    args: &RunArgs,
    place: &Place,
    peers: &Peers,
    events: u64,
) -> anyhow::Result<(PathBuf, Made)> {
    let (dir, _) = folder(args, place, events);
    std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    let (database, about) = (dir.join("peers.db"), dir.join("peers.json"));
    let plan = plan_of(args, events);
    if let Some(made) = known(&about, &plan, |made: &Made| &made.plan)? {
        return Ok((database, made));
    }
    remove(&database)?;
    eprintln!("loading {events} events into the peers' database");
    let mut child = peers
        .python("load_sqlite.py")?
        .arg(&database)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut stdin = BufWriter::new(child.stdin.take().context("no standard input")?);
    let bodies = Bodies::new(args.plan(events), args.mix.clone());
    for body in bodies.take(usize::try_from(events)?) {
        stdin.write_all(&body)?;
        stdin.write_all(b"\n")?;
    }
    stdin.flush()?;
    drop(stdin);
    let output = child.wait_with_output()?;
    anyhow::ensure!(
        output.status.success(),
        "the peers' database was not loaded"
    );
    let said = String::from_utf8(output.stdout)?;
    let usual = said.trim().parse().context("what the loader said")?;
    let made = Made {
        plan,
        events,
        usual,
        bytes: disk_bytes(&database)?,
    };
    std::fs::write(about, serde_json::to_vec_pretty(&made)?)?;
    Ok((database, made))
}

fn one(
    args: &RunArgs,
    peers: &Peers,
    which: Which,
    database: &Path,
    (usual, hot): (u64, u64),
) -> anyhow::Result<PeerKeeping> {
    let start = || -> anyhow::Result<(Server, f64)> {
        let begun = Instant::now();
        let server = peers.start(which, database)?;
        get(server.address, "/healthz").context("the first answer")?;
        Ok((server, milliseconds(begun)))
    };
    let mut after_stop = Vec::new();
    for _ in 0..args.times_at_most(STARTS) {
        let (server, took) = start()?;
        after_stop.push(took);
        // However it ends, it has nothing open.
        server.end()?;
    }
    let (mut server, _) = start()?;
    let ask = |profile: u64, times: usize| -> anyhow::Result<f64> {
        let mut took = Vec::new();
        for _ in 0..times {
            let begun = Instant::now();
            get(server.address, &format!("/history?profile={profile}"))?;
            took.push(milliseconds(begun));
        }
        Ok(median(took))
    };
    let history_ms = ask(usual, args.times.max(1))?;
    let mut memory = server.memory()?;
    let hot_ms = ask(hot, args.times_at_most(TIMES_OVER_ALL))?;
    memory.peak_kib = server.memory()?.peak_kib;
    let mut bodies = args.later_bodies();
    let mut after_kill = Vec::new();
    for _ in 0..args.times_at_most(STARTS) {
        load_some(server.address, &mut bodies, 10_000)?;
        server.kill()?;
        let took;
        (server, took) = start()?;
        after_kill.push(took);
    }
    server.end()?;
    Ok(PeerKeeping {
        which,
        name: which.name(),
        after_stop_ms: median(after_stop),
        after_kill_ms: median(after_kill),
        history_ms,
        hot_ms,
        memory,
    })
}

/// A query with the `sqlite3` shell, if it is installed.
fn shell(database: &Path, query: &str, times: usize) -> anyhow::Result<Option<Timed>> {
    if !is_installed("sqlite3") {
        return Ok(None);
    }
    let command: [OsString; 4] = [
        "sqlite3".into(),
        "-readonly".into(),
        database.into(),
        query.into(),
    ];
    time(&command, times).map(Some)
}

/// Removes a database with its other files.
fn remove(database: &Path) -> anyhow::Result<()> {
    for end in ["", "-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("removing {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

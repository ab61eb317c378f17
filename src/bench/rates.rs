//! Events per second. Every contestant has a turn in every round, and the median of
//! the rounds counts, because machines are noisy. Ratios are computed within a round,
//! where the noise is about the same for all. The order rotates from round to round,
//! since a turn after a writer finds a busy disk.
//!
//! In a round all receive the same new bodies. Signed calls have other bodies, and their
//! turn ends when they are used up. profiletrail takes part twice: with an empty store
//! and with one of many events.
//!
//! After each turn of profiletrail, a query waits until the index has every event. Its
//! duration is reported, so deferred work is visible.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

use super::args::RunArgs;
use super::child::{Memory, Server};
use super::cluster::{Cluster, Outage};
use super::load::{Load, prepare};
use super::peers::Peers;
use super::place::Place;
use super::signed::Sender;
use super::supervised::is_installed;
use super::wire::Secure;
use super::{disk, median, timed, wrk};

/// The requests prepared for a second of a turn; for a faster server, they are sent
/// again.
const PREPARED: f64 = 40_000.0;

/// The most requests that are prepared, of about a kilobyte each.
const MOST_PREPARED: f64 = 200_000.0;

/// Sizes of the groups that are appended and synced.
const GROUPS: [usize; 3] = [1, 32, 128];

/// The pause in which the machine becomes quiet after a turn.
const REST: Duration = Duration::from_millis(200);

/// The kind of a contestant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// profiletrail with a store that was empty.
    Empty,
    /// profiletrail with a store of many events.
    Full,
    /// profiletrail with TLS, and a store that was empty.
    Tls,
    /// profiletrail that verifies signed calls, with a store that was empty.
    Signed,
    /// profiletrail under the load of wrk, with a store that was empty.
    Wrk,
    /// Another build of it, with a store that was empty.
    Against,
    /// A node of three, with a store that was empty.
    Cluster,
    /// A peer with a database that was empty.
    Peer,
    /// The do-nothing server.
    Nothing,
}

/// A contestant at a number of connections.
#[derive(Debug, Serialize)]
pub struct Row {
    pub kind: Kind,
    /// Keep-alive connections, one request under way on each.
    pub connections: usize,
    pub name: String,
    /// Calls answered 200 in a second.
    pub per_second: f64,
    /// Half of the calls took less, in microseconds.
    pub p50_us: f64,
    /// Of a hundred calls 99 took less, in microseconds.
    pub p99_us: f64,
    /// Processor time of the server for a call, in microseconds.
    pub processor_us: f64,
    /// The rate relative to the do-nothing server's.
    #[serde(rename = "to_nothing")]
    pub to_baseline: f64,
    /// The rate relative to the first contestant's.
    pub to_first: f64,
    /// How long the index took after a turn, in milliseconds.
    pub index_ms: Option<f64>,
    /// Its memory after the last turn.
    pub memory: Memory,
}

/// Appends and syncs without a server.
#[derive(Debug, Serialize)]
pub struct DiskRow {
    /// Bodies in a group.
    pub group: usize,
    /// Bodies in a second.
    pub per_second: f64,
}

#[derive(Debug, Serialize)]
pub struct Rates {
    /// By connections and contestant.
    pub rows: Vec<Row>,
    /// By group.
    pub disk: Vec<DiskRow>,
    /// The cost of killing each NATS server of a cluster.
    pub outages: Vec<Outage>,
}

struct Contestant {
    kind: Kind,
    name: String,
    server: Server,
    /// The program and the folder, of which the index is asked.
    asked: Option<(PathBuf, PathBuf)>,
    /// The certificate, if it uses TLS.
    secure: Option<Secure>,
    /// The signer of its calls, if they are signed.
    sender: Option<Sender>,
}

impl Contestant {
    /// One without index, TLS and signatures.
    fn new(kind: Kind, name: &str, server: Server) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            server,
            asked: None,
            secure: None,
            sender: None,
        }
    }
}

/// The measurements of a turn.
#[derive(Clone, Copy, Default)]
pub struct Turn {
    /// Calls answered 200 in a second.
    pub rate: f64,
    /// Half of the calls took less, in microseconds.
    pub p50: f64,
    /// Of a hundred calls 99 took less, in microseconds.
    pub p99: f64,
    /// The server's after it.
    pub memory: Memory,
    /// Processor time of the server for a call, in microseconds.
    pub processor: f64,
    /// How long the index took after it, in milliseconds.
    pub index: f64,
}

/// Measures everything in turn; `full` is a store of many events, to be written
/// to.
pub fn measure(
    args: &RunArgs,
    place: &Place,
    peers: &Peers,
    full: Option<&Path>,
) -> anyhow::Result<Rates> {
    let mut cluster = None;
    let mut contestants = contestants(args, place, peers, full)?;
    if let Some(program) = &args.cluster {
        let (started, node) = Cluster::start(args, place, program)?;
        cluster = Some(started);
        let name = "a node of three over NATS";
        contestants.insert(1, Contestant::new(Kind::Cluster, name, node));
    }
    let mut bodies = args.later_bodies();
    let requests = (PREPARED * args.turn().as_secs_f64()).clamp(1_000.0, MOST_PREPARED);
    let mut rows = Vec::new();
    let mut disk_turns: Vec<Vec<f64>> = GROUPS.iter().map(|_| Vec::new()).collect();
    for connections in &args.connections {
        let mut turns: Vec<Vec<Turn>> = contestants.iter().map(|_| Vec::new()).collect();
        for round in 0..args.rounds {
            eprintln!(
                "{connections} connections, round {} of {}",
                round + 1,
                args.rounds
            );
            let prepared = prepare(&mut bodies, requests as usize);
            let count = contestants.len();
            let mut order: Vec<_> = contestants.iter().zip(&mut turns).collect();
            order.rotate_left(round % count.max(1));
            for (contestant, turns) in order {
                let sender = contestant.sender.as_ref();
                let signed =
                    sender.map(|sender| sender.calls(&mut bodies, args.signed + connections));
                let signed = signed.transpose()?;
                std::thread::sleep(REST);
                let time = args.turn();
                turns.push(match signed {
                    _ if contestant.kind == Kind::Wrk => {
                        let script = place.data("requests.lua");
                        wrk_turn(contestant, *connections, &prepared, (&script, time))?
                    }
                    None => turn(contestant, *connections, prepared.iter().cycle(), time)?,
                    Some(calls) => turn(contestant, *connections, calls.iter(), time)?,
                });
            }
            for (group, turns) in GROUPS.iter().zip(&mut disk_turns) {
                let time = args.turn() / 8;
                turns.push(disk::append_and_sync(
                    place.path(),
                    &mut bodies,
                    *group,
                    time,
                )?);
            }
        }
        rows.extend(summarize(*connections, &contestants, &turns));
    }
    let mut outages = Vec::new();
    let node = contestants.iter().find(|own| own.kind == Kind::Cluster);
    if let (Some(cluster), Some(node)) = (&mut cluster, node) {
        outages = cluster.kill_servers(args, &node.server)?;
    }
    for contestant in contestants {
        match contestant.kind {
            Kind::Nothing => contestant.server.kill()?,
            Kind::Peer => {
                contestant.server.end()?;
            }
            _ => contestant.server.stop()?,
        }
    }
    let disk = GROUPS
        .iter()
        .zip(disk_turns)
        .map(|(group, turns)| DiskRow {
            group: *group,
            per_second: median(turns),
        })
        .collect();
    Ok(Rates {
        rows,
        disk,
        outages,
    })
}

fn contestants(
    args: &RunArgs,
    place: &Place,
    peers: &Peers,
    full: Option<&Path>,
) -> anyhow::Result<Vec<Contestant>> {
    let data = |name: &str| place.data(&format!("{name}-{}", args.events));
    let own = |kind, name: &str, binary: &Path, data: PathBuf, flags: &[String]| {
        let server = Server::profiletrail(binary, &data, args.workers, flags)?;
        anyhow::Ok(Contestant {
            asked: Some((binary.to_owned(), data)),
            ..Contestant::new(kind, name, server)
        })
    };
    let binary = place.binary.as_path();
    let mut contestants = vec![own(
        Kind::Empty,
        "profiletrail",
        binary,
        data("empty"),
        &[],
    )?];
    if let Some(full) = full {
        let name = format!("profiletrail, holding {}", args.events);
        contestants.push(own(Kind::Full, &name, binary, full.to_owned(), &[])?);
    }
    if is_installed("wrk") {
        let name = "profiletrail, load by wrk";
        contestants.push(own(Kind::Wrk, name, binary, data("wrk"), &[])?);
    } else {
        eprintln!("wrk is not installed: the load generator is not compared with it");
    }
    let secure = Secure::new(place.path())?;
    let name = "profiletrail, TLS";
    let tls = own(Kind::Tls, name, binary, data("tls"), &secure.flags)?;
    contestants.push(Contestant {
        secure: Some(secure),
        ..tls
    });
    if args.signed > 0 {
        let sender = Sender::new()?;
        let name = "profiletrail, signed calls";
        let signed = own(Kind::Signed, name, binary, data("signed"), &sender.flags())?;
        contestants.push(Contestant {
            sender: Some(sender),
            ..signed
        });
    }
    if let Some(other) = &args.against {
        let data = data("against");
        contestants.push(own(Kind::Against, "the other build", other, data, &[])?);
    }
    for which in &peers.ready {
        let database = place.data(&format!("{which:?}-{}.db", args.events));
        let server = peers.start(*which, &database)?;
        contestants.push(Contestant::new(Kind::Peer, which.name(), server));
    }
    let server = Server::baseline(args.workers)?;
    contestants.push(Contestant::new(
        Kind::Nothing,
        "do-nothing tiny_http",
        server,
    ));
    Ok(contestants)
}

fn turn(
    contestant: &Contestant,
    connections: usize,
    mut requests: impl Iterator<Item = impl AsRef<[u8]>>,
    time: Duration,
) -> anyhow::Result<Turn> {
    let server = &contestant.server;
    let secure = contestant.secure.as_ref();
    let mut load = Load::open(server.address, connections, &mut requests, secure)?;
    let before = server.processor_time()?;
    let outcome = load.run(&mut requests, Some(time))?.all_kept();
    let outcome = outcome.with_context(|| contestant.name.clone())?;
    drop(load);
    let turn = Turn {
        rate: outcome.rate(),
        p50: outcome.quantile(0.5),
        p99: outcome.quantile(0.99),
        ..Turn::default()
    };
    ended(contestant, before, outcome.kept as f64, turn)
}

fn wrk_turn(
    contestant: &Contestant,
    connections: usize,
    requests: &[Vec<u8>],
    (script, time): (&Path, Duration),
) -> anyhow::Result<Turn> {
    let server = &contestant.server;
    let before = server.processor_time()?;
    let found = wrk::run(script, server.address, connections, requests, time)?;
    let calls = found.rate * wrk::whole_seconds(time) as f64;
    ended(contestant, before, calls, found)
}

/// A turn with what its calls cost since `before`.
fn ended(
    contestant: &Contestant,
    before: Duration,
    calls: f64,
    turn: Turn,
) -> anyhow::Result<Turn> {
    let asked = Instant::now();
    if let Some((binary, data)) = &contestant.asked {
        timed::ask(binary, data, &["show", "1"], 1)?;
    }
    let index = asked.elapsed();
    let server = &contestant.server;
    let processor = server.processor_time()?.saturating_sub(before);
    Ok(Turn {
        memory: server.memory()?,
        processor: processor.as_secs_f64() * 1e6 / calls.max(1.0),
        index: index.as_secs_f64() * 1e3,
        ..turn
    })
}

fn summarize(connections: usize, contestants: &[Contestant], turns: &[Vec<Turn>]) -> Vec<Row> {
    let of = |turns: &[Turn], value: fn(&Turn) -> f64| median(turns.iter().map(value).collect());
    let to = |own: &[Turn], other: Option<&Vec<Turn>>| {
        let pairs = own.iter().zip(other.into_iter().flatten());
        median(pairs.map(|(own, other)| own.rate / other.rate).collect())
    };
    contestants
        .iter()
        .zip(turns)
        .map(|(contestant, own)| Row {
            kind: contestant.kind,
            connections,
            name: contestant.name.clone(),
            per_second: of(own, |turn| turn.rate),
            p50_us: of(own, |turn| turn.p50),
            p99_us: of(own, |turn| turn.p99),
            processor_us: of(own, |turn| turn.processor),
            to_baseline: to(own, turns.last()),
            to_first: to(own, turns.first()),
            index_ms: contestant
                .asked
                .is_some()
                .then(|| of(own, |turn| turn.index)),
            memory: own.last().map(|turn| turn.memory).unwrap_or_default(),
        })
        .collect()
}

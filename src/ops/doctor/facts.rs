//! The facts about a server and its data folder: its settings, its own report, and
//! the content of its logs.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::cluster::ClusterFacts;
use crate::event::{DecodeError, now_seconds};
use crate::log::record::{EventHead, EventRecord, RejectedRecord, received_time, rejected_time};
use crate::log::{Log, OpenMode};
use crate::proofs::{Countersigner, CountersignerState};
use crate::storage::{RealDisk, bytes_of};
use crate::store::{Folder, Trail};

/// How many of the newest events are read for their labels, and of the newest rejected calls for
/// their reasons.
const LABELLED: u64 = 20_000;

/// Among how many of the newest records the last call is looked for.
const NEWEST: u64 = 1_024;

/// The most labels that are reported.
const MAX_LABELS: usize = 100;

const DAY: i64 = 86_400;

/// Over how long growth is measured, in seconds.
const MONTH: i64 = 30 * DAY;

/// The settings of a server that are checked. Missing ones have defaults, so
/// that versions understand each other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// The address to listen on.
    pub listen: Option<SocketAddr>,
    /// How many connections may be open.
    pub max_connections: Option<u64>,
    /// How many bytes are to stay free on the data's disk.
    pub min_free: Option<u64>,
    /// The public names, with a port if it is not 443.
    pub public_hosts: Vec<String>,
    /// The certificate with its chain, if the server speaks TLS itself.
    pub tls_cert: Option<PathBuf>,
    /// The domain of the sender's keys.
    pub key_domain: Option<String>,
    /// The name server to use instead of the system's.
    pub dns_server: Option<SocketAddr>,
    /// After how many seconds without an event the server raises an alarm.
    pub alert_after: Option<u64>,
    /// The countersigners of checkpoints.
    pub countersigners: Vec<Countersigner>,
    /// The monitoring addresses of the NATS servers.
    pub nats_monitors: Vec<String>,
}

impl Settings {
    /// These, and `others` for what is not set.
    pub fn or(self, others: Self) -> Self {
        fn own_or<T>(own: Vec<T>, other: Vec<T>) -> Vec<T> {
            if own.is_empty() { other } else { own }
        }
        Self {
            listen: self.listen.or(others.listen),
            max_connections: self.max_connections.or(others.max_connections),
            min_free: self.min_free.or(others.min_free),
            public_hosts: own_or(self.public_hosts, others.public_hosts),
            tls_cert: self.tls_cert.or(others.tls_cert),
            key_domain: self.key_domain.or(others.key_domain),
            dns_server: self.dns_server.or(others.dns_server),
            alert_after: self.alert_after.or(others.alert_after),
            countersigners: own_or(self.countersigners, others.countersigners),
            nats_monitors: own_or(self.nats_monitors, others.nats_monitors),
        }
    }
}

/// A running server's description of itself, as JSON over its socket.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// Its settings.
    pub settings: Settings,
    /// How many files it may have open.
    pub open_files: u64,
    /// The last indexed event, and the last event.
    pub indexed: (u64, u64),
    /// The look-up fields and the last event in the look-ups; `None` without
    /// look-ups.
    pub lookup: Option<(Vec<String>, u64)>,
    /// Why it has stopped signing checkpoints, if it has.
    pub unsigned: Option<String>,
    /// How many erasures are not finished.
    pub erasing: u64,
    /// The state of each countersigner of checkpoints.
    pub countersigners: Vec<CountersignerState>,
    /// The state of its logs.
    pub log: LogFacts,
    /// Whether it checks signatures.
    pub checks: bool,
    /// The age in seconds of the date of the last signed call since its start when it
    /// arrived, whether it was accepted or not; negative if the date was in the future.
    pub last_age: Option<i64>,
    /// The calls since its start of which nothing was kept.
    pub refused: Vec<Refused>,
    /// The state of its cluster, if it is a node of one.
    pub cluster: Option<ClusterFacts>,
}

/// Calls of which nothing was kept, for one reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refused {
    /// The reason, in one word.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// The value that the last of them named, if that matters.
    pub last: Option<String>,
}

impl Running {
    /// The facts of the calling process, without those that only a server knows.
    pub fn of(trail: &Trail, settings: Settings) -> Self {
        let progress = trail.index().progress();
        let (events, rejected) = (trail.events(), trail.rejected());
        let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
        let lookup = trail.index().ask(|index| Ok(index.lookup_state()));
        Self {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            settings,
            open_files: limit.current.unwrap_or(u64::MAX),
            indexed: (progress.applied, progress.last),
            lookup: lookup
                .ok()
                .flatten()
                .map(|state| (state.fields, state.up_to)),
            unsigned: trail.prover().refusal(),
            erasing: trail.retention().unfinished().count() as u64,
            log: LogFacts::of(events, rejected, trail.folder().path()),
            ..Self::default()
        }
    }
}

/// The state of the two logs in the last days, from a few of their records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFacts {
    /// When the last event arrived, in Unix seconds.
    pub last_received: Option<i64>,
    /// By how many bytes the folder grew a day in the last month; `None` if
    /// there is less than a day of events.
    pub growth: Option<u64>,
    /// The number of rejected calls of the last day, by their fault: signed well with a
    /// `wrong_date`; `too_large` for `--max-body`; to an `unknown_address`; `unreadable`
    /// otherwise; and `no_event`: of the sender's test button, or of other webhooks.
    pub rejected: BTreeMap<String, u64>,
    /// The labels of the newest events, sorted.
    pub labels: Vec<String>,
}

/// The rejected calls of a log that arrived since a moment in Unix seconds, by their fault;
/// if there are very many, only the newest.
fn rejected_since(log: &Log, moment: i64) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    let first = first_since(log, moment, rejected_time);
    let mut scan = log.scan(first.max(log.last_seq().saturating_sub(LABELLED)));
    while let Ok(Some(records)) = scan.next_records(|_| ()) {
        for (_, bytes) in records {
            let Ok(RejectedRecord { head, .. }) = RejectedRecord::decode(bytes) else {
                continue;
            };
            let reason = match head.status {
                401 => "wrong_date",
                404 => "unknown_address",
                413 => "too_large",
                _ if DecodeError::is_no_event(head.reason) => "no_event",
                _ => "unreadable",
            };
            *counts.entry(reason.to_owned()).or_default() += 1;
        }
    }
    counts
}

impl LogFacts {
    /// The state of the logs of a data folder.
    pub fn of(events: &Log, rejected: &Log, folder: &Path) -> Self {
        let now = now_seconds();
        let last_received = last_received(events).map(|micros| micros.div_euclid(1_000_000));
        Self {
            last_received,
            growth: growth(events, last_received, folder),
            rejected: rejected_since(rejected, now - DAY),
            labels: labels(events).into_iter().collect(),
        }
    }
}

/// Reads the state of the logs of a folder without its lock: nothing is written. `None`
/// if they cannot be read.
pub fn read_folder(path: &Path) -> Option<LogFacts> {
    let log_id = Folder::peek(path).ok()?;
    let open = |name: &str| {
        let opened = Log::open(Arc::new(RealDisk), &path.join(name), log_id, OpenMode::Read);
        opened.ok().map(|opened| opened.log)
    };
    Some(LogFacts::of(&open("log")?, &open("rejected")?, path))
}

/// The moment of receipt of the last call that can be read, among the newest records, in
/// Unix microseconds.
pub fn last_received(events: &Log) -> Option<i64> {
    let last = events.last_seq();
    let mut cursor = events.cursor();
    (last.saturating_sub(NEWEST).max(1)..=last)
        .rev()
        .find_map(|seq| {
            let record = EventRecord::decode(cursor.get(seq).ok()?).ok()?;
            // Observed events are no calls.
            let called = record.head.body_kind.seen().is_none();
            called.then_some(record.head.received)
        })
}

/// The first number from which all records arrived since a moment, or the one
/// after the last. A record that cannot be read counts as older.
fn first_since(log: &Log, moment: i64, time_of: fn(&[u8]) -> Option<i64>) -> u64 {
    let mut cursor = log.cursor();
    let (mut low, mut high) = (1, log.last_seq() + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let time = cursor.get(middle).ok().and_then(time_of);
        if time.is_some_and(|time| time >= moment) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The number of events a day in the last month, times the bytes that an event
/// takes in this folder.
fn growth(events: &Log, last_received: Option<i64>, folder: &Path) -> Option<u64> {
    let last = last_received?;
    let first = first_since(events, last.saturating_sub(MONTH), received_time);
    let seconds = last - events.cursor().get(first).ok().and_then(received_time)?;
    let count = events.last_seq().checked_sub(first)? + 1;
    let oldest = events.segments().first().map_or(1, |(first, _)| *first);
    let all = (events.last_seq() + 1).saturating_sub(oldest).max(1);
    let seconds = u128::try_from(seconds).ok().filter(|it| *it >= 86_400)?;
    let bytes = u128::from(bytes_of(folder)) * u128::from(count) * 86_400;
    u64::try_from(bytes / u128::from(all) / seconds).ok()
}

fn labels(events: &Log) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    let mut scan = events.scan(events.last_seq().saturating_sub(LABELLED));
    while let Ok(Some(records)) = scan.next_records(|_| ()) {
        for (_, bytes) in records {
            let label = EventHead::decode(bytes).ok().and_then(|head| head.label);
            if let Some(label) = label
                && labels.len() < MAX_LABELS
                && !labels.contains(label)
            {
                labels.insert(label.to_owned());
            }
        }
    }
    labels
}

//! What the two logs say of the last days, from a few of their records.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::now_micros;
use crate::log::record::{EventHead, received_time, rejected_time};
use crate::log::{Log, LogError, OpenMode, Scanned};
use crate::storage::RealDisk;
use crate::store::{Folder, TrailError};

/// How many of the last events are looked at for their labels.
const LABELLED: u64 = 20_000;

/// The most labels that are told.
const LABELS: usize = 100;

/// Over how long growth is measured, in seconds.
const MONTH: i64 = 30 * 86_400;

/// What the logs say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogFacts {
    /// When the last event arrived, in Unix seconds.
    pub last_received: Option<i64>,
    /// How many bytes the folder grows by in a day, as of the last month; `None`
    /// where there is less than a day to tell it from.
    pub growth: Option<u64>,
    /// How many calls could not be read that arrived within a day.
    pub rejected_lately: u64,
    /// The labels of the last events, in their order.
    pub labels: Vec<String>,
}

impl LogFacts {
    /// What the logs of a data folder say.
    pub fn of(events: &Log, rejected: &Log, folder: &Path) -> Self {
        let now = now_micros().div_euclid(1_000_000);
        let last_received = time_at(events, events.last_seq(), received_time);
        let first_rejected = first_since(rejected, now - 86_400, rejected_time);
        Self {
            last_received,
            growth: growth(events, last_received, folder),
            rejected_lately: (rejected.last_seq() + 1).saturating_sub(first_rejected),
            labels: labels(events).into_iter().collect(),
        }
    }
}

/// Reads what the logs of a folder say, without its lock: nothing is written.
pub fn read_folder(path: &Path) -> Result<LogFacts, ReadError> {
    let (_, log_id) = Folder::peek(path)?;
    let open = |name: &str| {
        let opened = Log::open(Arc::new(RealDisk), &path.join(name), log_id, OpenMode::Read);
        opened.map(|opened| opened.log)
    };
    Ok(LogFacts::of(&open("log")?, &open("rejected")?, path))
}

/// Why a folder's logs could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The folder.
    #[error(transparent)]
    Trail(#[from] TrailError),
    /// One of its logs.
    #[error(transparent)]
    Log(#[from] LogError),
}

fn time_at(log: &Log, seq: u64, time_of: fn(&[u8]) -> Option<i64>) -> Option<i64> {
    let mut cursor = log.cursor();
    cursor.get(seq).ok().and_then(time_of)
}

/// The first number at and after which all arrived since a moment, or the one
/// after the last. What cannot be read counts as older.
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

/// The events of the last month, at what an event takes in this folder.
fn growth(events: &Log, last_received: Option<i64>, folder: &Path) -> Option<u64> {
    let last = last_received?;
    let first = first_since(events, last.saturating_sub(MONTH), received_time);
    let span = last - time_at(events, first, received_time)?;
    let count = events.last_seq().checked_sub(first)? + 1;
    let kept = events.segments().first().map_or(1, |(first, _)| *first);
    let all = (events.last_seq() + 1).saturating_sub(kept).max(1);
    let days = u128::try_from(span).ok().filter(|span| *span >= 86_400)?;
    let bytes = u128::from(bytes_of(folder)) * u128::from(count) * 86_400;
    u64::try_from(bytes / u128::from(all) / days).ok()
}

fn labels(events: &Log) -> BTreeSet<String> {
    let mut labels = BTreeSet::new();
    let mut scan = events.scan(events.last_seq().saturating_sub(LABELLED));
    while let Ok(Some(found)) = scan.step() {
        let Scanned::Records(records) = found else {
            continue;
        };
        for (_, bytes) in records {
            let head = EventHead::decode(bytes);
            if let Ok((
                EventHead {
                    label: Some(label), ..
                },
                _,
            )) = head
                && labels.len() < LABELS
                && !labels.contains(label)
            {
                labels.insert(label.to_owned());
            }
        }
    }
    labels
}

/// What a folder takes on the disk, with all in it.
fn bytes_of(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(data) if data.is_dir() => bytes_of(&entry.path()),
            Ok(data) => data.blocks() * 512,
            Err(_) => 0,
        })
        .sum()
}

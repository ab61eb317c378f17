//! Opening a data folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::appender::Appender;
use super::damages::{Damages, Missing};
use super::error::TrailError;
use super::folder::Folder;
use super::pruning::Pruning;
use super::reader::EventReader;
use crate::event::ProfileKey;
use crate::index::{Indexer, PresentRetention, Progress};
use crate::log::record::Lost;
use crate::log::{Log, OpenMode, Report, Scan, clear};
use crate::storage::{RealDisk, Storage};
use crate::store::retention::Retention;

/// How many (sub)profiles are asked of the index at once: while it answers, no
/// event is entered.
pub(super) const KEYS: usize = 1024;

/// What a folder is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Answering questions: the logs are not written.
    Ask,
    /// Adding events, in a server or a command.
    Append {
        /// Whether a server does it; it is not waited for by others.
        server: bool,
        /// The size in bytes at which a segment is closed.
        segment_size: u64,
    },
}

/// How a folder is opened.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// What for.
    pub purpose: Purpose,
    /// The index's cache in bytes.
    pub cache: u64,
    /// How long to wait for a command that has the folder open.
    pub patience: Duration,
}

/// The log and the index of a data folder that this process has locked.
pub struct Trail {
    // Declared first so that it is dropped first: its thread reads the log.
    pub(super) indexer: Indexer,
    pub(super) events: Log,
    pub(super) rejected: Log,
    folder: Folder,
    /// What is pruned; another one takes its place when more is.
    pub(super) retention: PresentRetention,
    /// Held by whoever prunes.
    pub(super) pruning: Mutex<Pruning>,
    /// What is pruned is to be removed, and nobody does it.
    pub(super) removal_due: AtomicBool,
}

impl Trail {
    /// Opens a data folder, which must exist. The appender is there where it
    /// was asked for; it refuses where the log can be read but not be written.
    pub fn open(
        path: &Path,
        options: OpenOptions,
    ) -> Result<(Arc<Self>, Option<Appender>), TrailError> {
        let (mode, server) = match options.purpose {
            Purpose::Ask => (OpenMode::Read, false),
            Purpose::Append {
                server,
                segment_size,
            } => (OpenMode::Append { segment_size }, server),
        };
        let mut folder = Folder::lock(path, server, options.patience)?;
        if mode != OpenMode::Read {
            folder.raise_format()?;
        }
        let events = Log::open(Arc::new(RealDisk), &folder.log(), folder.log_id, mode)?;
        let rejected = Log::open(Arc::new(RealDisk), &folder.rejected(), folder.log_id, mode)?;
        tell(&events.report);
        tell(&rejected.report);
        let retention = open_retention(&folder, mode)?;
        let retention = Arc::new(RwLock::new(Arc::new(retention)));
        let indexer = Indexer::start(
            events.log.clone(),
            &folder.index(),
            options.cache,
            folder.log_id,
            Arc::clone(&retention),
        )
        .map_err(TrailError::io("starting the index of", path))?;
        let trail = Arc::new(Self {
            indexer,
            events: events.log,
            rejected: rejected.log,
            removal_due: AtomicBool::new(folder.pruned.is_some()),
            folder,
            retention,
            pruning: Mutex::default(),
        });
        let appender = match (events.writer, rejected.writer) {
            (Some(events), Some(rejected)) => {
                Some(Appender::new(Arc::clone(&trail), events, rejected))
            }
            _ => None,
        };
        Ok((trail, appender))
    }

    /// The data folder.
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The logs of events and of calls that could not be read.
    pub const fn logs(&self) -> (&Log, &Log) {
        (&self.events, &self.rejected)
    }

    /// The `seq` of the last synced event; 0 where there is none.
    pub fn last_seq(&self) -> u64 {
        self.events.last_seq()
    }

    /// Waits until every event synced before the call is in the index, so that
    /// an answer contains it. `tell` is called some ten times a second meanwhile.
    pub fn wait_for_index(&self, tell: impl FnMut(Progress)) -> Result<(), TrailError> {
        let waited = self.indexer.wait_for(self.last_seq(), None, tell);
        waited.map(|_| ()).map_err(TrailError::Index)
    }

    /// First and last `seq` of events of which it is not known whose they are,
    /// since they cannot be read.
    pub fn unreadable(&self) -> Result<Vec<(u64, u64)>, TrailError> {
        self.indexer.unreadable().map_err(TrailError::Index)
    }

    /// As [`Self::unreadable`], without what a repair has found to be lost; that
    /// is handed to `lost`.
    pub fn without_owner(&self, lost: &mut Damages) -> Result<Vec<(u64, u64)>, TrailError> {
        let mut others = Vec::new();
        let mut cursor = self.events.cursor();
        for (first, last) in self.unreadable()? {
            let mut seq = first;
            while seq <= last
                && let Some(loss) = cursor.get(seq).ok().and_then(Lost::decode)
                && loss.last >= seq
            {
                lost.add(Missing::Lost(loss));
                seq = loss.last.saturating_add(1);
            }
            if seq <= last {
                others.push((seq, last));
            }
        }
        Ok(others)
    }

    /// How far the index is.
    pub fn index_progress(&self) -> Progress {
        self.indexer.progress()
    }

    /// What is pruned now. While an answer is given that reads events, one is
    /// held from before the first is looked for.
    pub fn retention(&self) -> Arc<Retention> {
        let retention = self.retention.read();
        Arc::clone(&retention.unwrap_or_else(PoisonError::into_inner))
    }

    /// What makes up the folder beside its two logs, as far as it is pruned: the
    /// text of its `format` file, and the baselines' files. All of it, and every
    /// event that is not pruned by it, stays in place as long as `held`, which
    /// [`Trail::retention`] gave, is held.
    pub fn pruned_parts(&self, held: &Retention) -> Result<(String, Vec<PathBuf>), TrailError> {
        let dir = self.folder.baselines();
        let files = match held.baselines() {
            Some(baselines) => baselines
                .files(&RealDisk, &dir)
                .map_err(TrailError::io("listing", dir))?,
            None => Vec::new(),
        };
        Ok((self.folder.format_text(held.pruned), files))
    }

    /// The profile of a subprofile's last event, or of its last pruned one.
    pub fn profile_of(&self, subprofile: u64) -> Result<Option<u64>, TrailError> {
        let found = self.indexer.profile_of(subprofile);
        match (
            found.map_err(TrailError::Index)?,
            self.retention().baselines(),
        ) {
            (None, Some(baselines)) => Ok(baselines.owner_of(subprofile)?),
            (found, _) => Ok(found),
        }
    }

    /// Hands (sub)profiles to `each`, in order, a profile before its
    /// subprofiles: one subprofile, or a profile with its subprofiles, or all of
    /// which there are or were events.
    pub fn each_key<E: From<TrailError>>(
        &self,
        profile: Option<u64>,
        subprofile: Option<u64>,
        mut each: impl FnMut(ProfileKey) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut after = match (profile, subprofile) {
            (Some(profile), Some(subprofile)) => {
                return each(ProfileKey::subprofile(profile, subprofile));
            }
            (Some(profile), None) => {
                let key = ProfileKey::profile(profile);
                each(key)?;
                Some(key)
            }
            (None, _) => None,
        };
        let retention = self.retention();
        loop {
            let keys = self.keys_after(&retention, after, KEYS)?;
            for key in &keys {
                if profile.is_some_and(|profile| profile != key.profile) {
                    return Ok(());
                }
                each(*key)?;
            }
            match keys.last() {
                Some(last) => after = Some(*last),
                None => return Ok(()),
            }
        }
    }

    /// Hands (sub)profiles to `each` as [`Trail::each_key`] does, with their
    /// (event time, `seq`) pairs, ordered by both, where any is not pruned: of
    /// one profile with its subprofiles, or of all. One ordered pass over the
    /// index.
    pub fn each_timeline<E: From<TrailError>>(
        &self,
        profile: Option<u64>,
        each: impl FnMut(ProfileKey, Vec<(i64, u64)>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_timeline_with(&self.retention(), profile, each)
    }

    /// The same with what was pruned at a moment.
    pub fn each_timeline_with<E: From<TrailError>>(
        &self,
        retention: &Retention,
        profile: Option<u64>,
        mut each: impl FnMut(ProfileKey, Vec<(i64, u64)>) -> Result<(), E>,
    ) -> Result<(), E> {
        // The last one before the profile's own.
        let mut after = profile
            .and_then(|profile| profile.checked_sub(1))
            .map(|before| ProfileKey::subprofile(before, u64::MAX));
        loop {
            let timelines = self
                .indexer
                .each_timeline(after, KEYS)
                .map_err(TrailError::Index)?;
            let Some((last, _)) = timelines.last() else {
                return Ok(());
            };
            after = Some(*last);
            for (key, mut pairs) in timelines {
                if profile.is_some_and(|profile| profile != key.profile) {
                    return Ok(());
                }
                pairs.retain(|(time, seq)| !retention.hides(*time, *seq));
                if !pairs.is_empty() {
                    each(key, pairs)?;
                }
            }
        }
    }

    /// Some (sub)profiles in order, from the one after `after`, of which there
    /// are or were events; none where there is no more.
    pub fn some_keys_after(
        &self,
        after: Option<ProfileKey>,
    ) -> Result<Vec<ProfileKey>, TrailError> {
        self.keys_after(&self.retention(), after, KEYS)
    }

    /// Up to `limit` (sub)profiles in order, from the one after `after`, of which
    /// there are events or a baseline.
    pub(super) fn keys_after(
        &self,
        retention: &Retention,
        after: Option<ProfileKey>,
        limit: usize,
    ) -> Result<Vec<ProfileKey>, TrailError> {
        let keys = self.indexer.keys_after(after, limit);
        let mut keys = keys.map_err(TrailError::Index)?;
        if let Some(baselines) = retention.baselines() {
            keys.extend(baselines.keys_after(after, limit)?);
            keys.sort_unstable();
            keys.dedup();
            // What comes after the last of either is not known yet.
            keys.truncate(limit);
        }
        Ok(keys)
    }

    /// A reader for single events.
    pub fn reader(&self) -> EventReader {
        EventReader::new(self.events.cursor())
    }

    /// All events from a `seq` on that are synced now, in the order of arrival.
    pub fn scan(&self, seq: u64) -> Scan {
        self.events.scan(seq)
    }

    /// The log of events.
    pub const fn events(&self) -> &Log {
        &self.events
    }

    /// The log of calls that could not be read.
    pub const fn rejected(&self) -> &Log {
        &self.rejected
    }

    /// The same up to another `seq`.
    pub fn scan_range(&self, seq: u64, last: u64) -> Scan {
        self.events.scan_range(seq, last)
    }
}

/// Opens what is left of pruned events; what a prune has left behind that was
/// not finished is removed.
fn open_retention(folder: &Folder, mode: OpenMode) -> Result<Retention, TrailError> {
    let (dir, pruned) = (folder.baselines(), folder.pruned);
    if mode != OpenMode::Read && dir.exists() {
        // What the format file says must stay so before anything is removed.
        let synced = RealDisk.sync_dir(folder.path());
        synced.map_err(TrailError::io("syncing", folder.path()))?;
        let kept = pruned.map_or(0..0, |pruned| pruned.baselines..pruned.end);
        if let Err(error) = clear(&RealDisk, &dir, kept) {
            tracing::warn!("what an unfinished prune has left is still there: {error}");
        }
    }
    Ok(Retention::open(
        Arc::new(RealDisk),
        &dir,
        folder.log_id,
        pruned,
    )?)
}

/// Tells the operator what opening a log found.
fn tell(report: &Report) {
    if let Some(torn) = &report.torn {
        let aside = match &torn.saved {
            Some(path) => format!("; its bytes are kept as {}", path.display()),
            None => String::new(),
        };
        tracing::warn!(
            "the last write to {} was cut short by a crash, at offset {} ({} bytes){aside}",
            torn.segment.display(),
            torn.offset,
            torn.bytes
        );
    }
    for damage in &report.damage {
        tracing::error!("{damage}");
    }
    if let Some(poison) = &report.poison {
        tracing::error!(
            "no event is accepted until this is mended and the server started again: {poison}. Questions are answered"
        );
    }
}

//! Opening a data folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard, RwLock};

use super::appender::Appender;
use super::error::TrailError;
use super::folder::{Folder, Format, Membership};
use super::pruning::Pruning;
use super::sequencer::Local;
use crate::index::{Indexer, PresentRetention, Progress};
use crate::log::{Erasure, Log, OpenMode, Report, remove_segments_outside};
use crate::proofs::Prover;
use crate::storage::{RealDisk, Storage};
use crate::store::retention::{Pruned, Retention, SeqSet};

/// Options for opening a folder.
#[derive(Clone, Copy, Debug)]
pub struct OpenOptions {
    /// Whether events are appended, or only queries answered.
    pub mode: OpenMode,
    /// Whether this is a server: other processes do not wait for a server to finish.
    pub server: bool,
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
    pub(super) prover: Arc<Prover>,
    folder: Folder,
    /// Whether a server has opened it.
    server: bool,
    /// The pruned events. Replaced by each prune.
    pub(super) retention: PresentRetention,
    /// Locked during a prune.
    pub(super) pruning: Mutex<Pruning>,
    imports: Mutex<()>,
    /// Whether pruned records may still be on disk, with no removal running.
    pub(super) removal_due: AtomicBool,
}

impl Trail {
    /// Opens a data folder, which must exist. Returns an appender for
    /// [`OpenMode::Append`]; it refuses events if the log can only be read.
    pub fn open(
        path: &Path,
        options: OpenOptions,
    ) -> Result<(Arc<Self>, Option<Appender>), TrailError> {
        let OpenOptions { mode, server, .. } = options;
        let folder = Folder::lock(path, server, options.patience)?;
        let events = Log::open(Arc::new(RealDisk), &folder.log(), folder.log_id, mode)?;
        let rejected = Log::open(Arc::new(RealDisk), &folder.rejected(), folder.log_id, mode)?;
        log_report(&events.report);
        log_report(&rejected.report);
        let retention = open_retention(&folder, events.log.last_seq(), mode)?;
        let retention = Arc::new(RwLock::new(Arc::new(retention)));
        let indexer = Indexer::start(
            events.log.clone(),
            &folder.index(),
            options.cache,
            folder.log_id,
            Arc::clone(&retention),
        )
        .map_err(TrailError::io("starting the index of", path))?;
        let prover = Arc::new(Prover::new(
            Arc::new(RealDisk),
            events.log.clone(),
            folder.proofs(),
            folder.log_id,
            folder.format.salts.clone(),
        ));
        let trail = Arc::new(Self {
            indexer,
            prover,
            events: events.log,
            rejected: rejected.log,
            removal_due: AtomicBool::new(folder.format.pruned.is_some()),
            folder,
            server,
            retention,
            pruning: Mutex::default(),
            imports: Mutex::default(),
        });
        let appender = match (events.writer, rejected.writer) {
            (Some(mut events), Some(mut rejected)) => {
                if let Err(refused) = trail.refuse_outside_cluster() {
                    events.refuse(refused.to_string());
                    rejected.refuse(refused.to_string());
                }
                let local = Local::new(Arc::clone(&trail), events, rejected);
                Some(Appender::new(Arc::clone(&trail), Box::new(local)))
            }
            _ => None,
        };
        Ok((trail, appender))
    }

    /// Fails if the folder belongs to a cluster, and no server has opened it: appends and
    /// erasures must go through the cluster.
    pub(super) fn refuse_outside_cluster(&self) -> Result<(), TrailError> {
        let path = self.folder.path();
        match !self.server && Membership::exists(path) {
            true => Err(TrailError::Refused(Membership::refusal(path))),
            false => Ok(()),
        }
    }

    /// The data folder.
    pub const fn folder(&self) -> &Folder {
        &self.folder
    }

    /// The `seq` of the last synced event; 0 without events.
    pub fn last_seq(&self) -> u64 {
        self.events.last_seq()
    }

    /// Imports, retries, recorded comparisons and erasures check which events exist before
    /// they append or remove some. Each holds this lock, so that only one runs at a time.
    pub(crate) fn lock_imports(&self) -> MutexGuard<'_, ()> {
        self.imports.lock()
    }

    /// Waits until every event synced before the call is in the index, so that
    /// an answer contains it. Meanwhile `progress` is called about ten times a second.
    pub fn wait_for_index(&self, progress: impl FnMut(Progress)) -> Result<(), TrailError> {
        self.snapshot().wait_for_index(progress)
    }

    /// The index of the events.
    pub const fn index(&self) -> &Indexer {
        &self.indexer
    }

    /// The pruned events. An answer that reads events must take this before its first
    /// read and hold it to its end.
    pub fn retention(&self) -> Arc<Retention> {
        let retention = self.retention.read();
        Arc::clone(&retention)
    }

    /// The text of the `format` file and the paths of the baselines' files: with the
    /// two logs, everything that a copy of the folder needs. These files, and every
    /// event that `held` does not hide, stay in place as long as `held`, which comes
    /// from [`Trail::retention`], exists.
    pub fn pruned_parts(&self, held: &Retention) -> Result<(String, Vec<PathBuf>), TrailError> {
        let dir = self.folder.baselines();
        let files = match &held.baselines {
            Some(baselines) => baselines
                .files(&RealDisk, &dir)
                .map_err(TrailError::io("listing", dir))?,
            None => Vec::new(),
        };
        Ok((self.format_text(held.pruned, &held.erasures), files))
    }

    /// The text of the `format` file with these bounds of pruning and erasures.
    pub(super) fn format_text(&self, pruned: Option<Pruned>, erasures: &[Erasure]) -> String {
        let format = Format {
            log_id: self.folder.log_id,
            salts: self.prover.salt_tree(),
            pruned,
            erasures: erasures.to_vec(),
        };
        format.text()
    }

    /// The proofs over the events.
    pub const fn prover(&self) -> &Arc<Prover> {
        &self.prover
    }

    /// The log of events.
    pub const fn events(&self) -> &Log {
        &self.events
    }

    /// The log of rejected calls.
    pub const fn rejected(&self) -> &Log {
        &self.rejected
    }
}

/// Opens the baselines, and removes the files of an unfinished prune.
fn open_retention(folder: &Folder, last_seq: u64, mode: OpenMode) -> Result<Retention, TrailError> {
    let (dir, pruned) = (folder.baselines(), folder.format.pruned);
    if mode != OpenMode::Read && dir.exists() {
        // The format file must be durable before anything is removed.
        let synced = RealDisk.sync_dir(folder.path());
        synced.map_err(TrailError::io("syncing", folder.path()))?;
        let kept = Pruned::kept(pruned.as_ref());
        if let Err(error) = remove_segments_outside(&RealDisk, &dir, kept) {
            tracing::warn!("the remains of an unfinished prune could not be removed: {error}");
        }
    }
    // Whatever the file says, no more is kept in memory than the log has events.
    let erasures = folder.format.erasures.iter().cloned();
    let erasures = erasures.map(|erasure| erasure.up_to(last_seq)).collect();
    Ok(Retention::open(
        Arc::new(RealDisk),
        &dir,
        folder.log_id,
        (pruned, erasures),
        SeqSet::default(),
    )?)
}

/// Logs the findings at the opening of a log.
fn log_report(report: &Report) {
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
            "no event is accepted until this is repaired and the server restarted: {poison}. Questions are answered"
        );
    }
}

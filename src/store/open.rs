//! Opening a data folder.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use super::appender::Appender;
use super::error::TrailError;
use super::folder::Folder;
use super::pruning::Pruning;
use crate::index::{Indexer, PresentRetention, Progress};
use crate::log::{Log, OpenMode, Report, remove_segments_outside};
use crate::storage::{RealDisk, Storage};
use crate::store::retention::{Retention, SeqSet};

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
        let folder = Folder::lock(path, server, options.patience)?;
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
        self.snapshot().wait_for_index(tell)
    }

    /// The index of the events.
    pub const fn index(&self) -> &Indexer {
        &self.indexer
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

    /// The log of events.
    pub const fn events(&self) -> &Log {
        &self.events
    }

    /// The log of calls that could not be read.
    pub const fn rejected(&self) -> &Log {
        &self.rejected
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
        if let Err(error) = remove_segments_outside(&RealDisk, &dir, kept) {
            tracing::warn!("what an unfinished prune has left is still there: {error}");
        }
    }
    Ok(Retention::open(
        Arc::new(RealDisk),
        &dir,
        folder.log_id,
        pruned,
        SeqSet::default(),
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

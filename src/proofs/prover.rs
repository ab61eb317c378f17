//! Keeps the tiles, and signs checkpoints.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use super::anchors::{AnchorSummary, Anchors};
use super::edge::Edge;
use super::note::{Checkpoint, Signer, Vkey};
use super::source::{Leaves, Source, each_tile};
use super::stamp::Stamp;
use super::tree::{Frontier, Hash, Subtrees, consistency, inclusion, is_consistent, root};
use crate::log::salt::{SaltTree, Salts};
use crate::log::{Log, LogError, TILE};
use crate::storage::{Storage, StorageFile, atomic_replace, found, read_start};

/// How many bytes of tiles are written at once.
const WRITE_LEN: usize = 8 << 10;

/// The longest small file that is read.
const MAX_LEN: usize = 1 << 20;

/// Why there is no proof, or no checkpoint.
#[derive(Debug, thiserror::Error)]
pub enum ProofError {
    /// The tree differs from the signed one: nothing more is signed.
    #[error("no checkpoint is signed: {0}")]
    Refused(String),
    /// The log does not have the events of a tile that the tree has.
    #[error("events {0} to {1} are not those that the tree has: run `profiletrail verify`")]
    Differs(u64, u64),
    /// The event to prove does not exist.
    #[error("{0}")]
    Missing(String),
    /// The caller stopped it.
    #[error("it was stopped")]
    Stopped,
    /// The log, or a file of the proofs, cannot be read or written.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl ProofError {
    pub(super) const fn io(
        what: &'static str,
        name: &'static str,
    ) -> impl FnOnce(io::Error) -> Self + Copy {
        move |cause| Self::Log(LogError::io(what, format!("proofs/{name}"))(cause))
    }
}

/// Logs why a thread's work failed, unless the reason is the same as the last one. A refusal is
/// logged when it occurs.
pub(super) fn log_failure(done: Result<(), ProofError>, what: &str, last: &mut String) {
    let reason = match done {
        Ok(()) | Err(ProofError::Stopped | ProofError::Refused(_)) => String::new(),
        Err(error) => error.to_string(),
    };
    if !reason.is_empty() && reason != *last {
        tracing::warn!("{what}: {reason}");
    }
    *last = reason;
}

/// The tree over a log, its files and its signer.
pub struct Prover {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) log: Log,
    pub(super) dir: PathBuf,
    log_id: u64,
    salts: Mutex<SaltTree>,
    /// `None` until it is used.
    state: Mutex<Option<State>>,
    /// Why nothing more is signed.
    refusal: Mutex<Option<String>>,
    pub(super) anchors: Mutex<Anchors>,
}

/// The content of `proofs/`, and the size of the tree.
pub(super) struct State {
    pub signer: Signer,
    pub checkpoint: Option<Checkpoint>,
    /// The leaves after the last tile of the checkpoint.
    pub edge: Edge,
    pub tiles: Arc<dyn StorageFile>,
    /// The tree of the tiles.
    pub whole: Frontier,
    /// The leaves after them.
    pub rest: Vec<Hash>,
}

impl State {
    fn size(&self) -> u64 {
        self.whole.len() * TILE + self.rest.len() as u64
    }

    pub fn root(&self) -> Hash {
        self.whole.root_with(&Frontier::of(&self.rest))
    }

    fn signed(&self) -> u64 {
        self.checkpoint.as_ref().map_or(0, |signed| signed.size)
    }
}

/// Tiles that were made earlier.
pub(super) struct Old {
    pub tiles: Arc<dyn StorageFile>,
    pub whole: u64,
}

/// The part of the proofs in a backup; the tiles follow the checkpoint.
#[derive(Clone, Debug)]
pub struct Kept {
    /// The text of `checkpoint`.
    pub checkpoint: Vec<u8>,
    /// The bytes of `partial`.
    pub partial: Vec<u8>,
    /// The path of `tiles`.
    pub tiles: PathBuf,
    /// The paths of the anchors' files.
    pub anchors: Vec<PathBuf>,
}

impl Prover {
    /// The tree over a log, whose files are in `dir`. Nothing is read or written yet.
    pub fn new(
        storage: Arc<dyn Storage>,
        log: Log,
        dir: PathBuf,
        log_id: u64,
        salts: SaltTree,
    ) -> Self {
        Self {
            storage,
            log,
            dir,
            log_id,
            salts: Mutex::new(salts),
            state: Mutex::default(),
            refusal: Mutex::default(),
            anchors: Mutex::default(),
        }
    }

    /// The secrets of the salts of its leaves.
    pub fn salt_tree(&self) -> SaltTree {
        self.salts.lock().clone()
    }

    /// Replaces them by those that are left after an erasure.
    pub fn set_salt_tree(&self, tree: SaltTree) {
        *self.salts.lock() = tree;
    }

    /// Derives the salts of its leaves.
    pub fn salts(&self) -> Salts {
        Salts::new(self.salt_tree())
    }

    pub(super) fn leaves(&self) -> Leaves<'_> {
        Leaves {
            log: &self.log,
            salts: self.salts(),
        }
    }

    /// Why nothing more is signed, if that is so.
    pub fn refusal(&self) -> Option<String> {
        self.refusal.lock().clone()
    }

    /// Appends the tiles of synced events, of `most` events at most.
    pub fn follow(&self, most: u64, stop: &dyn Fn() -> bool) -> Result<(), ProofError> {
        self.with(stop, |state| self.grow(state, most, stop))
    }

    /// Signs the tree of all that was synced, if it has grown since the last
    /// checkpoint, and returns the last checkpoint.
    pub fn sign(&self, stop: &dyn Fn() -> bool) -> Result<Checkpoint, ProofError> {
        self.follow_and_sign(u64::MAX, stop)
    }

    /// The same of the tree after [`Self::follow`].
    pub fn follow_and_sign(
        &self,
        most: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Checkpoint, ProofError> {
        self.with(stop, |state| self.sign_state(state, most, stop))
    }

    /// The number of tiles whose roots are on stable storage and pinned by a checkpoint.
    pub fn signed_tiles(&self, stop: &dyn Fn() -> bool) -> Result<u64, ProofError> {
        Ok(self.sign(stop)?.size / TILE)
    }

    /// The public key, a checkpoint, and the proof that the event's leaf is in it. The
    /// checkpoint is the oldest anchor with a time stamp that covers the event, or else the
    /// oldest anchor, or else the last checkpoint.
    pub(super) fn inclusion(&self, seq: u64) -> Result<Inclusion, ProofError> {
        let anchors = self.anchors()?;
        self.with(&|| false, |state| {
            let own = &state.signer.vkey.name;
            let covers = |anchor: &&AnchorSummary| anchor.size >= seq && anchor.origin == *own;
            let stamped = anchors.iter().filter(|anchor| anchor.stamped.is_some());
            for anchor in stamped.chain(&anchors).filter(covers) {
                // Without its leaves, or its files, another serves as well.
                if let Ok(anchor) = self.anchor(anchor.time)
                    && let Ok(found) =
                        self.inclusion_in(state, seq, anchor.checkpoint, anchor.stamp)
                {
                    return Ok(found);
                }
            }
            if state.signed() < seq {
                self.sign_state(state, u64::MAX, &|| false)?;
            }
            let Some(checkpoint) = state.checkpoint.clone().filter(|of| of.size >= seq) else {
                let why = format!(
                    "event {seq} is not in the tree yet, as events before it cannot be read"
                );
                return Err(ProofError::Missing(why));
            };
            self.inclusion_in(state, seq, checkpoint, None)
        })
    }

    fn inclusion_in(
        &self,
        state: &State,
        seq: u64,
        checkpoint: Checkpoint,
        stamp: Option<Stamp>,
    ) -> Result<Inclusion, ProofError> {
        let mut source = self.source(state);
        Ok(Inclusion {
            vkey: state.signer.vkey.clone(),
            path: inclusion(&mut source, seq - 1, checkpoint.size)?,
            // Also where the proof needs no other leaf of the tile.
            leaf: source.subtree(0, seq - 1)?,
            checkpoint,
            stamp,
        })
    }

    /// The proof that an older tree of some size is the beginning of that of a checkpoint of
    /// this log, and the present root of the older tree.
    pub fn consistency(
        &self,
        old: u64,
        checkpoint: &Checkpoint,
    ) -> Result<(Vec<Hash>, Hash), ProofError> {
        self.with(&|| false, |state| {
            let mut source = self.source(state);
            let old = old.min(checkpoint.size);
            let proof = consistency(&mut source, old, checkpoint.size)?;
            let then = root(&mut source, old)?;
            Ok((proof, then))
        })
    }

    /// The root of the tree over the first events, which must be there. Nothing is signed.
    pub fn root_of(&self, size: u64) -> Result<Hash, ProofError> {
        self.with(&|| false, |state| {
            self.grow(state, u64::MAX, &|| false)?;
            if state.size() < size {
                let why = format!("event {size} is not in the tree yet");
                return Err(ProofError::Missing(why));
            }
            root(&mut self.source(state), size)
        })
    }

    /// The public key of the signer.
    pub fn vkey(&self) -> Result<Vkey, ProofError> {
        self.with(&|| false, |state| Ok(state.signer.vkey.clone()))
    }

    /// Reads a checkpoint, which must be of this log, and, if this process has its key, signed by
    /// that.
    pub fn read_checkpoint(&self, note: &str) -> Result<Checkpoint, String> {
        let checkpoint = Checkpoint::parse(note)?;
        let origin = self.origin();
        let rest = checkpoint.origin.strip_prefix(&origin);
        if !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
            let theirs = &checkpoint.origin;
            return Err(format!(
                "the checkpoint is of {theirs}, and this log is {origin}"
            ));
        }
        let key = self.read("key").unwrap_or_default();
        let signer = std::str::from_utf8(&key).ok().and_then(Signer::parse);
        // One of another origin is from before a fork.
        if let Some(signer) = signer.filter(|signer| signer.vkey.name == checkpoint.origin) {
            checkpoint.verify(&signer.vkey)?;
        }
        Ok(checkpoint)
    }

    /// The last checkpoint, if one was signed and can be read.
    pub fn last(&self) -> Option<Checkpoint> {
        let note = String::from_utf8(self.read("checkpoint").ok()?).ok()?;
        Checkpoint::parse(&note).ok()
    }

    /// The part of the proofs in a backup; `None` if nothing was signed yet. Call this
    /// before the backup looks at the log, which then has at least these events.
    pub fn kept(&self) -> io::Result<Option<Kept>> {
        // No checkpoint is replaced during this.
        let _state = self.state.lock();
        let Some(checkpoint) = found(self.read("checkpoint"))? else {
            return Ok(None);
        };
        Ok(Some(Kept {
            checkpoint,
            partial: self.read("partial").unwrap_or_default(),
            tiles: self.dir.join("tiles"),
            anchors: self.anchor_paths()?,
        }))
    }

    pub(super) fn origin(&self) -> String {
        format!("profiletrail/{:016x}", self.log_id)
    }

    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        read_start(self.storage.as_ref(), &self.dir.join(name), MAX_LEN)
    }

    /// Works on the state, which is loaded first if necessary. After an error it is
    /// loaded again; a refusal stays.
    fn with<T>(
        &self,
        stop: &dyn Fn() -> bool,
        work: impl FnOnce(&mut State) -> Result<T, ProofError>,
    ) -> Result<T, ProofError> {
        let mut place = self.state.lock();
        if let Some(refusal) = self.refusal() {
            return Err(ProofError::Refused(refusal));
        }
        let loaded = place.take().map_or_else(|| self.load(stop), Ok);
        let done = loaded.and_then(|mut state| {
            let done = work(&mut state);
            if let Ok(_) | Err(ProofError::Missing(_) | ProofError::Differs(..)) = &done {
                *place = Some(state);
            }
            done
        });
        if let Err(ProofError::Refused(why)) = &done {
            tracing::error!("no checkpoint is signed any more: {why}. Run `profiletrail verify`");
            *self.refusal.lock() = Some(why.clone());
        }
        done
    }

    fn source<'a>(&'a self, state: &'a State) -> Source<'a> {
        Source {
            tiles: state.tiles.as_ref(),
            whole: state.whole.len(),
            rest: &state.rest,
            edge: &state.edge,
            leaves: self.leaves(),
            tile: None,
        }
    }

    pub(super) fn refuse_shrunk(&self, signed: u64) -> Result<(), ProofError> {
        let last = self.log.last_seq();
        if last >= signed {
            return Ok(());
        }
        Err(ProofError::Refused(format!(
            "the last checkpoint has {signed} events, and the log only {last}"
        )))
    }

    /// Adds leaves of synced events: the signed ones, and at most `most` after them.
    fn grow(
        &self,
        state: &mut State,
        most: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<(), ProofError> {
        let begin = state.size().max(state.signed());
        let last = self.log.last_seq().min(begin.saturating_add(most));
        if let Some(damage) = self.grow_to(state, last, None, stop)? {
            let events = state.size();
            tracing::debug!("the tree ends after event {events}: {damage}");
        }
        Ok(())
    }

    /// Adds the leaves up to a size, and writes complete tiles. A tile of which leaves
    /// are lost takes its root from `old`, if it is there. Returns the damage that it
    /// stopped at.
    pub(super) fn grow_to(
        &self,
        state: &mut State,
        size: u64,
        old: Option<&Old>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<String>, ProofError> {
        let State {
            edge,
            tiles,
            whole,
            rest,
            ..
        } = state;
        let begin = whole.len() * TILE + rest.len() as u64;
        let (mut written, mut unwritten, mut has_all) = (whole.len(), Vec::new(), true);
        let mut write = |unwritten: &mut Vec<u8>| {
            let done = tiles.write_at(unwritten, written * 32);
            written += unwritten.len() as u64 / 32;
            unwritten.clear();
            done.map_err(ProofError::io("writing", "tiles"))
        };
        let mut leaves = self.leaves();
        let damage = leaves.each((begin, size), edge, |_, leaf, own| {
            rest.push(leaf);
            has_all &= own;
            if rest.len() as u64 == TILE {
                let mut root = Frontier::of(rest).root();
                if let Some(old) = old.filter(|old| !has_all && whole.len() < old.whole) {
                    each_tile(old.tiles.as_ref(), whole.len(), whole.len() + 1, |hash| {
                        root = hash
                    })
                    .map_err(ProofError::io("reading", "tiles"))?;
                }
                whole.push(root);
                rest.clear();
                has_all = true;
                unwritten.extend(root);
                if unwritten.len() >= WRITE_LEN {
                    write(&mut unwritten)?;
                }
                if stop() {
                    return Err(ProofError::Stopped);
                }
            }
            Ok(())
        })?;
        write(&mut unwritten)?;
        Ok(damage)
    }

    fn sign_state(
        &self,
        state: &mut State,
        most: u64,
        stop: &dyn Fn() -> bool,
    ) -> Result<Checkpoint, ProofError> {
        self.grow(state, most, stop)?;
        let (size, root) = (state.size(), state.root());
        let last = state.checkpoint.clone();
        if let Some(last) = last.as_ref().filter(|last| last.size >= size) {
            if last.size > size {
                self.refuse_shrunk(last.size)?;
                let why =
                    format!("the events after {size} cannot be read: run `profiletrail verify`");
                return Err(ProofError::Missing(why));
            }
            return Ok(last.clone());
        }
        let synced = state.tiles.sync();
        synced.map_err(ProofError::io("syncing", "tiles"))?;
        if let Some(last) = &last {
            let proof = consistency(&mut self.source(state), last.size, size)?;
            if !is_consistent((last.size, last.root), (size, root), &proof) {
                return Err(ProofError::Refused(format!(
                    "the tree of {size} events does not begin with that of the last checkpoint, {last}"
                )));
            }
        }
        let edge = Edge {
            first: state.whole.len() * TILE,
            leaves: state.rest.clone(),
        };
        let checkpoint = state.signer.sign(size, root);
        let put = |name: &'static str, bytes: &[u8]| {
            let written = atomic_replace(self.storage.as_ref(), &self.dir.join(name), bytes);
            written.map_err(ProofError::io("writing", name))
        };
        put("partial", &edge.encode())?;
        put("checkpoint", checkpoint.note.as_bytes())?;
        state.edge = edge;
        state.checkpoint = Some(checkpoint.clone());
        Ok(checkpoint)
    }
}

/// The proof of a leaf.
pub(super) struct Inclusion {
    pub vkey: Vkey,
    pub checkpoint: Checkpoint,
    pub stamp: Option<Stamp>,
    pub path: Vec<Hash>,
    pub leaf: Hash,
}

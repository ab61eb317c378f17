//! Reads the files of the proofs, and handles files that differ from the signed state.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::edge::Edge;
use super::note::{Checkpoint, Signer};
use super::prover::{Old, ProofError, Prover, State};
use super::source::each_tile;
use super::tree::Frontier;
use crate::log::TILE;
use crate::storage::{Access, StorageFile, atomic_replace, found, name_of_new, rename_durably};

impl Prover {
    /// Reads the files, and compares them with the last checkpoint. Tiles that it does
    /// not cover may not be on stable storage: they are made again.
    pub(super) fn load(&self, stop: &dyn Fn() -> bool) -> Result<State, ProofError> {
        let made = self.storage.make_dir(&self.dir);
        made.map_err(ProofError::io("making", ""))?;
        let optional = |name| found(self.read(name)).map_err(ProofError::io("reading", name));
        let checkpoint = optional("checkpoint")?.map(|bytes| {
            let text = String::from_utf8(bytes).map_err(|_| "it is no text".to_owned());
            let read = text.and_then(|text| self.read_checkpoint(&text));
            read.map_err(|why| ProofError::Refused(format!("proofs/checkpoint: {why}")))
        });
        let checkpoint = checkpoint.transpose()?;
        let path = self.dir.join("tiles");
        let tiles = found(self.storage.open(&path, Access::Write));
        let tiles = tiles.map_err(ProofError::io("opening", "tiles"))?;
        let signer = match optional("key")? {
            Some(text) => std::str::from_utf8(&text).ok().and_then(Signer::parse),
            None => Some(self.make_signer(checkpoint.is_some() || tiles.is_some())?),
        };
        let damaged = || ProofError::Refused("proofs/key is damaged".to_owned());
        let signer = signer.ok_or_else(damaged)?;
        let tiles = match tiles {
            Some(tiles) => tiles,
            None => self.create(&path)?,
        };
        let signed = checkpoint.as_ref().map_or(0, |signed| signed.size);
        let partial = optional("partial")?.unwrap_or_default();
        let mut state = State {
            signer,
            edge: Edge::default(),
            whole: Frontier::default(),
            rest: Vec::new(),
            tiles,
            checkpoint,
        };
        let failed = ProofError::io("reading", "tiles");
        let kept = (state.tiles.len().map_err(failed)? / 32).min(signed / TILE);
        let whole = &mut state.whole;
        each_tile(state.tiles.as_ref(), 0, kept, |hash| whole.push(hash)).map_err(failed)?;
        if let Some(checkpoint) = &state.checkpoint {
            state.edge = Edge::signed(&partial, whole, checkpoint);
        }
        self.refuse_shrunk(signed)?;
        if state.checkpoint.is_none() {
            // If leaves are removed, nothing else has the roots.
            let (log, tiles) = (self.log.last_seq(), Arc::clone(&state.tiles));
            let old = Old {
                whole: (tiles.len().map_err(failed)? / 32).min(log / TILE),
                tiles,
            };
            self.grow_to(&mut state, log, Some(&old), stop)?;
        } else {
            self.grow_to(&mut state, signed, None, stop)?;
        }
        if let Some(checkpoint) = state.checkpoint.clone()
            && state.root() != checkpoint.root
        {
            state = self.rebuild(state, &checkpoint, stop)?;
        }
        let cut = state.tiles.set_len(state.whole.len() * 32);
        cut.map_err(ProofError::io("cutting", "tiles"))?;
        Ok(state)
    }

    fn create(&self, path: &Path) -> Result<Arc<dyn StorageFile>, ProofError> {
        let created = self.storage.open(path, Access::CreateNew);
        let created = created.map_err(ProofError::io("making", "tiles"))?;
        let synced = self.storage.sync_dir(&self.dir);
        synced.map_err(ProofError::io("syncing", ""))?;
        Ok(created)
    }

    /// Makes a key. If proofs exist that were made without it, this folder was restored,
    /// and may reuse numbers of another folder: it is a fork.
    fn make_signer(&self, is_fork: bool) -> Result<Signer, ProofError> {
        let failed = ProofError::io("making", "key");
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|error| failed(io::Error::other(error)))?;
        let origin = self.origin();
        let signer = Signer::new(seed, |key| match (is_fork, key) {
            (true, [a, b, c, d, ..]) => format!("{origin}/{a:02x}{b:02x}{c:02x}{d:02x}"),
            _ => origin.clone(),
        });
        let signer = signer.ok_or_else(|| failed(io::Error::other("no key could be made")))?;
        let parent = self.dir.parent().unwrap_or(&self.dir);
        let synced = self.storage.sync_dir(parent);
        synced.map_err(ProofError::io("syncing", ""))?;
        let path = self.dir.join("key");
        let written = atomic_replace(self.storage.as_ref(), &path, signer.text().as_bytes());
        written.map_err(failed)?;
        if is_fork {
            tracing::warn!(
                "this folder has proofs without their key, so it was restored from a backup: from here on \
                 checkpoints are signed as {}, by a new key",
                signer.vkey
            );
        }
        Ok(signer)
    }

    /// Makes the tiles again from the log, as they do not have the root that was signed.
    fn rebuild(
        &self,
        state: State,
        checkpoint: &Checkpoint,
        stop: &dyn Fn() -> bool,
    ) -> Result<State, ProofError> {
        let path = self.dir.join("tiles");
        let new = name_of_new(&path);
        let removed = self.storage.remove_if_there(&new);
        removed.map_err(ProofError::io("removing", "tiles.new"))?;
        let old = Old {
            whole: state.whole.len(),
            tiles: state.tiles,
        };
        let mut made = State {
            tiles: self.create(&new)?,
            whole: Frontier::default(),
            rest: Vec::new(),
            ..state
        };
        let damage = self.grow_to(&mut made, checkpoint.size, Some(&old), stop)?;
        if made.root() != checkpoint.root {
            let damage = damage.map_or_else(String::new, |damage| format!(" ({damage})"));
            let _ = self.storage.remove(&new);
            return Err(ProofError::Refused(format!(
                "neither the tiles nor the log have the root that was signed for the first {} events{damage}",
                checkpoint.size
            )));
        }
        let synced = made.tiles.sync();
        synced.map_err(ProofError::io("syncing", "tiles.new"))?;
        let renamed = rename_durably(self.storage.as_ref(), &new, &path);
        renamed.map_err(ProofError::io("renaming", "tiles.new"))?;
        tracing::warn!("proofs/tiles was damaged, and was made again from the log");
        Ok(made)
    }
}

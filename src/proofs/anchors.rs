//! Anchors: checkpoints that a third party has also signed, each in one or two files in
//! `proofs/`, named after the moment when it was stored:
//!
//! | file | content |
//! | --- | --- |
//! | `anchor-20261130T120000Z.checkpoint` | the note, with the signatures of witnesses |
//! | `anchor-20261130T120000Z.tsr` | the time stamp of the note as the log has signed it |
//!
//! The checkpoint is written last, so a stamp without one was not kept.

use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use chrono::{DateTime, NaiveDateTime};

use super::note::Checkpoint;
use super::prover::{ProofError, Prover};
use super::stamp::Stamp;
use crate::log::TILE;
use crate::storage::{atomic_replace, found};

const BEGIN: &str = "anchor-";
const NOTE: &str = ".checkpoint";
const STAMP: &str = ".tsr";

/// How the moment is written in a name.
const MOMENT: &str = "%Y%m%dT%H%M%SZ";

/// A checkpoint that a third party has also signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Anchor {
    /// When it was kept, in Unix seconds.
    pub time: i64,
    /// The note, with the signatures of witnesses.
    pub checkpoint: Checkpoint,
    /// The time stamp, if there is one.
    pub stamp: Option<Stamp>,
}

/// The part of an anchor that is kept in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnchorSummary {
    /// When it was kept, in Unix seconds.
    pub time: i64,
    /// Whose log it is.
    pub origin: String,
    /// The number of events.
    pub size: u64,
    /// The moment of the time stamp, in Unix seconds, if there is one.
    pub stamped: Option<i64>,
    /// The names of the witnesses.
    pub witnesses: Vec<String>,
}

impl Anchor {
    fn summary(&self) -> AnchorSummary {
        let witnesses = self.checkpoint.witnesses().into_iter();
        AnchorSummary {
            time: self.time,
            origin: self.checkpoint.origin.clone(),
            size: self.checkpoint.size,
            stamped: self.stamp.as_ref().map(|stamp| stamp.time),
            witnesses: witnesses.map(str::to_owned).collect(),
        }
    }
}

fn name_of(time: i64, end: &str) -> String {
    let moment = DateTime::from_timestamp(time, 0).unwrap_or_default();
    format!("{BEGIN}{}{end}", moment.format(MOMENT))
}

/// The moment in the name of an anchor's file, in Unix seconds, with the end of the name.
fn moment_of(name: &str) -> Option<(i64, &'static str)> {
    let rest = name.strip_prefix(BEGIN)?;
    [NOTE, STAMP].into_iter().find_map(|end| {
        let moment = NaiveDateTime::parse_from_str(rest.strip_suffix(end)?, MOMENT).ok()?;
        let time = moment.and_utc().timestamp();
        (name_of(time, end) == name).then_some((time, end))
    })
}

/// Whether an anchor's file has this name.
pub fn is_anchor_name(name: &str) -> bool {
    moment_of(name).is_some()
}

#[derive(Default)]
pub(super) struct Anchors {
    /// In the order of time; `None` until they are used.
    kept: Option<Vec<AnchorSummary>>,
    /// The size of a checkpoint that others are signing at this moment.
    pending: Option<u64>,
}

impl Prover {
    /// The anchors, in the order of time. One that cannot be read is left out.
    pub fn anchors(&self) -> Result<Vec<AnchorSummary>, ProofError> {
        let mut anchors = self.anchors.lock();
        if let Some(kept) = &anchors.kept {
            return Ok(kept.clone());
        }
        let mut kept = Vec::new();
        for time in self.anchor_times()? {
            match self.anchor(time) {
                Ok(anchor) => kept.push(anchor.summary()),
                Err(error) => tracing::warn!("{error}: run `profiletrail verify`"),
            }
        }
        anchors.kept = Some(kept.clone());
        Ok(kept)
    }

    /// The last anchor, if there is one.
    pub fn last_anchor(&self) -> Option<AnchorSummary> {
        self.anchors().ok()?.pop()
    }

    /// The moments of the anchors whose files are there.
    pub(super) fn anchor_times(&self) -> Result<Vec<i64>, ProofError> {
        let names = found(self.storage.list(&self.dir)).map_err(ProofError::io("listing", ""))?;
        let moments = names.iter().flatten().filter_map(|name| moment_of(name));
        let mut times: Vec<i64> = moments
            .filter(|(_, end)| *end == NOTE)
            .map(|(time, _)| time)
            .collect();
        times.sort_unstable();
        Ok(times)
    }

    /// The anchor that was kept at a moment in Unix seconds.
    pub fn anchor(&self, time: i64) -> Result<Anchor, ProofError> {
        let (note, stamp) = (name_of(time, NOTE), name_of(time, STAMP));
        let wrong =
            |name: &str, why: &dyn Display| ProofError::Missing(format!("proofs/{name}: {why}"));
        let text = self.read(&note).map_err(|error| wrong(&note, &error))?;
        let text = String::from_utf8(text).map_err(|_| wrong(&note, &"it is no text"))?;
        let checkpoint = self.read_checkpoint(&text);
        let checkpoint = checkpoint.map_err(|why| wrong(&note, &why))?;
        let der = found(self.read(&stamp)).map_err(|error| wrong(&stamp, &error))?;
        let read = der.map(Stamp::parse).transpose();
        let read = read.map_err(|why| wrong(&stamp, &why))?;
        let is_of_other = |read: &Stamp| !read.is_of(checkpoint.own_note().as_bytes());
        if read.as_ref().is_some_and(is_of_other) {
            return Err(wrong(&stamp, &format!("it is no stamp of {note}")));
        }
        Ok(Anchor {
            time,
            checkpoint,
            stamp: read,
        })
    }

    /// Keeps a checkpoint that others have signed, too.
    pub(super) fn keep_anchor(
        &self,
        mut time: i64,
        checkpoint: Checkpoint,
        stamp: Option<Stamp>,
    ) -> Result<AnchorSummary, ProofError> {
        // No other has its name, even after the clock was set back.
        let times = self.anchor_times()?;
        while times.contains(&time) {
            time += 1;
        }
        let anchor = Anchor {
            time,
            checkpoint,
            stamp,
        };
        let put = |end: &str, bytes: &[u8]| {
            let path = self.dir.join(name_of(time, end));
            let written = atomic_replace(self.storage.as_ref(), &path, bytes);
            written.map_err(ProofError::io("writing", "anchor"))
        };
        if let Some(stamp) = &anchor.stamp {
            put(STAMP, &stamp.der)?;
        }
        put(NOTE, anchor.checkpoint.note.as_bytes())?;
        let summary = anchor.summary();
        if let Some(kept) = &mut self.anchors.lock().kept {
            kept.push(summary.clone());
            kept.sort_by_key(|anchor| anchor.time);
        }
        Ok(summary)
    }

    /// Has a prune keep the leaves that a checkpoint of this size ends in, until
    /// [`Self::keep_anchor`] was called or `None` is set.
    pub(super) fn set_pending(&self, size: Option<u64>) {
        self.anchors.lock().pending = size;
    }

    /// The tiles in which an anchor ends: consistency from there needs their leaves.
    pub fn anchored_tiles(&self) -> Result<Vec<u64>, ProofError> {
        let sizes = self.anchors()?.into_iter().map(|anchor| anchor.size);
        let sizes = sizes.chain(self.anchors.lock().pending);
        let within = sizes.filter(|size| size % TILE > 0);
        Ok(within.map(|size| size / TILE).collect())
    }

    /// The paths of the anchors' files, for a backup.
    pub(super) fn anchor_paths(&self) -> io::Result<Vec<PathBuf>> {
        let mut names = self.storage.list(&self.dir)?;
        names.retain(|name| is_anchor_name(name));
        Ok(names.iter().map(|name| self.dir.join(name)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_that_of_a_moment() {
        assert_eq!(name_of(0, NOTE), "anchor-19700101T000000Z.checkpoint");
        for time in [0, 1_793_361_600, 4_102_444_800] {
            assert_eq!(moment_of(&name_of(time, STAMP)), Some((time, STAMP)));
        }
        for name in [
            "checkpoint",
            "anchor-.tsr",
            "anchor-19700101T000000Z",
            "anchor-19700101T000000Z.tsr~",
            "anchor-1970101T000000Z.tsr",
            "anchor-19701301T000000Z.tsr",
        ] {
            assert!(!is_anchor_name(name), "{name}");
        }
    }
}

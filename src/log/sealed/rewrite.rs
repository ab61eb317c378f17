//! Replacing a closed segment by a sealed one, which may hold fewer records.

use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::seal::{NotSealed, Plain, seal};
use super::unfinished_path;
use crate::log::error::LogError;
use crate::log::segment::{Log, Segment, sealed_name};

/// How long to wait for the files before looking whether to stop.
const PAUSE: Duration = Duration::from_millis(20);

/// A segment that was sealed; a line of `seal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SealedSegment {
    /// `seq` of its first record.
    pub first_seq: u64,
    /// Its length before, in bytes.
    pub plain_bytes: u64,
    /// Its length now, in bytes.
    pub sealed_bytes: u64,
}

/// What replaces the record of a `seq`.
type Replace<'a> = dyn Fn(u64, &[u8]) -> Option<Vec<u8>> + 'a;

/// How to rewrite a segment.
pub struct Rewriting<'a> {
    /// Returns a record's time in Unix seconds; `None` if it cannot be read.
    pub time_of: &'a dyn Fn(&[u8]) -> Option<i64>,
    /// What to write in place of the record of a `seq`; `None` keeps it.
    pub replace: &'a Replace<'a>,
    /// Called often; `true` ends the work and leaves the segment as it is.
    pub stop: &'a dyn Fn() -> bool,
}

impl Log {
    /// First `seq` and length in bytes of the closed segments that are plain.
    pub fn unsealed(&self) -> Vec<(u64, u64)> {
        let closed = self.closed_segments(u64::MAX).into_iter();
        closed
            .filter(|(segment, _)| !segment.is_sealed())
            .filter_map(|(segment, _)| Some((segment.first_seq, segment.end(&self.inner).ok()?)))
            .collect()
    }

    /// Seals the closed segment that begins with a `seq`; `None` if there is no plain
    /// one. `time_of` returns a record's time in Unix seconds; `stop` is called often.
    /// Readers continue; one segment is sealed at a time.
    pub fn seal(
        &self,
        first_seq: u64,
        time_of: &dyn Fn(&[u8]) -> Option<i64>,
        stop: &dyn Fn() -> bool,
    ) -> Result<Option<SealedSegment>, NotSealed> {
        let rewriting = Rewriting {
            time_of,
            replace: &|_, _| None,
            stop,
        };
        self.rewrite(first_seq, |segment| !segment.is_sealed(), &rewriting)
    }

    /// Rewrites the closed segment that begins with a `seq`, plain or sealed, as a
    /// sealed one in which some records are replaced; `None` if there is no
    /// such segment. Otherwise as [`Log::seal`].
    pub fn prune(
        &self,
        first_seq: u64,
        rewriting: &Rewriting<'_>,
    ) -> Result<Option<SealedSegment>, NotSealed> {
        self.rewrite(first_seq, |_| true, rewriting)
    }

    fn rewrite(
        &self,
        first_seq: u64,
        wanted: impl Fn(&Segment) -> bool,
        rewriting: &Rewriting<'_>,
    ) -> Result<Option<SealedSegment>, NotSealed> {
        let inner = &self.inner;
        let _alone = loop {
            match inner.rewrite_lock.try_write_for(PAUSE) {
                Some(alone) => break alone,
                // A backup may take long.
                None if (rewriting.stop)() => return Err(NotSealed::Stopped),
                None => {}
            }
        };
        let found = self.closed_segments(first_seq).pop();
        let is_meant = |segment: &Segment| segment.first_seq == first_seq && wanted(segment);
        let Some((segment, last)) = found.filter(|(segment, _)| is_meant(segment)) else {
            return Ok(None);
        };
        let storage = inner.storage.as_ref();
        let before = segment
            .open_raw(storage)?
            .len()
            .map_err(LogError::io("reading", &segment.path))?;
        let plain = Plain {
            path: &segment.path,
            file: segment.open(inner, false)?,
            len: segment.end(inner)?,
            first_seq,
            next_seq: last + 1,
            log_id: inner.id,
        };
        let target = inner.dir.join(sealed_name(first_seq));
        let unfinished = unfinished_path(&inner.dir, first_seq);
        storage
            .remove_if_there(&unfinished)
            .map_err(LogError::io("removing", &unfinished))?;
        let sealed_bytes = seal(&plain, rewriting, storage, &unfinished).inspect_err(|_| {
            // Otherwise the next opening or sealing removes it.
            let _ = storage.remove(&unfinished);
        })?;
        let sealed = Arc::new(Segment::sealed(&inner.dir, first_seq));
        inner.replace(&segment, sealed, || {
            storage
                .rename(&unfinished, &target)
                .map_err(LogError::io("renaming", &unfinished))
        })?;
        storage
            .sync_dir(&inner.dir)
            .map_err(LogError::io("syncing", &inner.dir))?;
        // From here on the sealed form is the segment, even if the plain one stays
        // until the next start removes it.
        if !segment.is_sealed()
            && let Err(error) = storage.remove_if_there(&segment.path)
        {
            tracing::warn!("{} could not be removed: {error}", segment.path.display());
        }
        Ok(Some(SealedSegment {
            first_seq,
            plain_bytes: before,
            sealed_bytes,
        }))
    }
}

//! What changes in the `format` file while a folder is open.
//!
//! Two write it: whoever prunes, and whoever adds the first observed event. One
//! waits for the other, so that neither takes back what the other has written.

use std::sync::{MutexGuard, PoisonError};

use super::Folder;
use super::format::Format;
use crate::store::TrailError;
use crate::store::retention::Pruned;

/// What changes in the `format` file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Written {
    pub pruned: Option<Pruned>,
    pub observed: bool,
}

impl Folder {
    /// What the `format` file says where so much is pruned.
    pub fn format_text(&self, pruned: Option<Pruned>) -> String {
        let observed = self.written().observed;
        self.format(Written { pruned, observed }).text()
    }

    /// Has the `format` file written for what is pruned from now on: `write`
    /// takes its text.
    pub fn put_pruned<E>(
        &self,
        pruned: Pruned,
        write: impl FnOnce(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut written = self.written();
        let next = Written {
            pruned: Some(pruned),
            ..*written
        };
        write(&self.format(next).text())?;
        *written = next;
        Ok(())
    }

    /// Makes the folder one that may have observed events, if it is not one
    /// yet. When this returns that is on stable storage.
    pub fn allow_observed(&self) -> Result<(), TrailError> {
        let mut written = self.written();
        if written.observed {
            return Ok(());
        }
        let next = Written {
            observed: true,
            ..*written
        };
        let raised = self.format(next).write(&self.path);
        raised.map_err(TrailError::io("raising the format of", &self.path))?;
        *written = next;
        drop(written);
        tracing::info!(
            "the data folder may have observed events from now on; older versions of profiletrail do not open it any more"
        );
        Ok(())
    }

    fn format(&self, written: Written) -> Format {
        let Written { pruned, observed } = written;
        Format::of(self.log_id, self.salt_root, pruned, observed)
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The file `cluster` of a data folder: which stream it follows.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::storage::{Links, RealDisk, atomic_replace, found, read_small};

/// The longest file in bytes.
const MAX_LEN: u64 = 64 << 10;

/// A folder's membership in its cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The identity of the stream.
    pub stream: String,
    /// The events up to this `seq` were searched for erasures of other nodes.
    pub checked: u64,
    /// The stream no longer has the events that were erased up to the control record with
    /// this `seq`.
    #[serde(default)]
    pub purged: u64,
}

impl Membership {
    /// The path of the file.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join("cluster")
    }

    /// Whether a folder belongs to a cluster.
    pub fn exists(folder: &Path) -> bool {
        std::fs::symlink_metadata(Self::path(folder)).is_ok()
    }

    /// Why nothing is appended to a folder outside of its cluster.
    pub fn refusal(folder: &Path) -> String {
        format!(
            "the data folder {} belongs to a cluster: start its server with --nats, and ask that. To leave \
             the cluster for good, stop all nodes and remove {}",
            folder.display(),
            Self::path(folder).display()
        )
    }

    /// Reads the file, if it is there.
    pub fn read(folder: &Path) -> io::Result<Option<Self>> {
        let bytes = found(read_small(&Self::path(folder), MAX_LEN, Links::Refuse))?;
        let read = bytes.map(|bytes| serde_json::from_slice(&bytes));
        Ok(read.transpose()?)
    }

    /// Writes the file durably.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let bytes = serde_json::to_vec(self)?;
        atomic_replace(&RealDisk, &Self::path(folder), &bytes)
    }
}

//! The profiles of the subprofiles that have baselines.

use std::io;
use std::path::Path;

use super::PruneError;
use crate::event::ProfileKey;
use crate::log::NotSealed;
use crate::store::Sorter;
use crate::store::retention::BaselineWriter;

/// Collects subprofiles with their profiles, and writes them in subprofile order.
pub(super) struct Owners {
    sorter: Sorter<(u64, u64, u64)>,
}

impl Owners {
    /// An empty collection. What exceeds memory is spilled to `dir`.
    pub fn new(dir: &Path) -> Self {
        Self {
            sorter: Sorter::new(dir),
        }
    }

    /// Records the profile of a subprofile; the highest `seq` wins.
    pub fn note(&mut self, key: ProfileKey, seq: u64) -> Result<(), PruneError> {
        let Some(subprofile) = key.subprofile else {
            return Ok(());
        };
        let owner = (subprofile, seq, key.profile);
        let pushed = self.sorter.push(owner, Vec::new());
        pushed.map_err(PruneError::Baselines)
    }

    /// Writes them after the baselines.
    pub fn write(self, mut writer: BaselineWriter) -> Result<BaselineWriter, PruneError> {
        writer.begin_owners()?;
        self.sorter
            .finish::<OwnerError>(|(subprofile, _, profile), _| {
                let added = writer.add_owner(subprofile, profile);
                added.map_err(OwnerError::Log)?;
                Ok(true)
            })?;
        Ok(writer)
    }
}

/// Why the owners were not written.
enum OwnerError {
    Io(io::Error),
    Log(NotSealed),
}

impl From<io::Error> for OwnerError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<OwnerError> for PruneError {
    fn from(error: OwnerError) -> Self {
        match error {
            OwnerError::Io(error) => Self::Baselines(error),
            OwnerError::Log(error) => Self::Log(error),
        }
    }
}

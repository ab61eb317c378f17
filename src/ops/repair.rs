//! `repair`: makes the logs whole again, as far as that can be.
//!
//! Never through a server: the folder is locked by who repairs. The index needs
//! no repair: what it says of events that are lost is looked up in the log, and
//! where it knows more than the log does it is made anew.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::CareError;
use crate::event::{micros_to_rfc3339, now_micros};
use crate::log::record::{event_time, rejected_time};
use crate::log::repair::{Finding, Remedy, repair_segment, survey};
use crate::storage::{RealDisk, Storage};
use crate::store::Folder;

/// How long a command that has the folder open is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A segment that is not whole, or that was repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairLine {
    /// `events` or `rejected`.
    pub log: String,
    /// The segment's file.
    pub segment: String,
    /// `rewrite`: it is written anew; `make`: it is missing, and made; `cut`: its
    /// last write is not whole, and is cut off.
    pub remedy: String,
    /// How many of its records can be read; all of them are kept.
    pub kept: u64,
    /// First and last `seq` of those that are lost.
    pub lost: Vec<(u64, u64)>,
    /// Whether there may have been more at its end, whose numbers are given anew.
    pub unknown: bool,
    /// Where the damaged file, or what was cut off, is kept; null before the
    /// repair, and where there was none.
    pub aside: Option<String>,
}

/// A data folder that is locked to be repaired.
pub struct Repair {
    folder: Folder,
    disk: Arc<dyn Storage>,
    /// What is to be done, oldest first.
    found: Vec<(Log, Finding)>,
}

/// Tells a record's time in Unix seconds.
type TimeOf = fn(&[u8]) -> Option<i64>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Events,
    Rejected,
}

impl Log {
    const fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Rejected => "rejected",
        }
    }
}

impl Repair {
    /// Locks a data folder and looks what is to be done. Nothing is changed.
    pub fn survey(path: &Path) -> Result<Self, CareError> {
        let folder = Folder::lock(path, false, PATIENCE)?;
        let disk: Arc<dyn Storage> = Arc::new(RealDisk);
        let mut found = Vec::new();
        for (log, dir) in [
            (Log::Events, folder.log()),
            (Log::Rejected, folder.rejected()),
        ] {
            let findings = survey(&disk, &dir, folder.log_id)?;
            found.extend(findings.into_iter().map(|finding| (log, finding)));
        }
        Ok(Self {
            folder,
            disk,
            found,
        })
    }

    /// What is to be done.
    pub fn lines(&self) -> Vec<RepairLine> {
        let lines = self.found.iter();
        lines
            .map(|(log, finding)| line_of(*log, finding, None))
            .collect()
    }

    /// Does it; each segment that is mended is told.
    pub fn carry_out(self, tell: &mut dyn FnMut(RepairLine)) -> Result<(), CareError> {
        let now = now_micros();
        let time = micros_to_rfc3339(now);
        let stamp: String = time
            .chars()
            .take(19)
            .filter(|c| !"-:".contains(*c))
            .collect();
        let stamp = format!("{stamp}Z");
        for (log, finding) in self.found {
            let (dir, time_of): (_, TimeOf) = match log {
                Log::Events => (self.folder.log(), event_time),
                Log::Rejected => (self.folder.rejected(), rejected_time),
            };
            let id = self.folder.log_id;
            let repaired = repair_segment(&self.disk, &dir, id, finding, (now, &stamp), &time_of)?;
            tell(line_of(log, &repaired.finding, repaired.aside.as_deref()));
        }
        Ok(())
    }
}

fn line_of(log: Log, finding: &Finding, aside: Option<&Path>) -> RepairLine {
    RepairLine {
        log: log.name().to_owned(),
        segment: finding.segment.display().to_string(),
        remedy: match finding.remedy {
            Remedy::Rewrite => "rewrite",
            Remedy::Make => "make",
            Remedy::Cut => "cut",
        }
        .to_owned(),
        kept: finding.kept,
        lost: finding.lost.clone(),
        unknown: finding.unknown,
        aside: aside.map(|path| path.display().to_string()),
    }
}

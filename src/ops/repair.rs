//! `repair`: repairs the logs as far as possible.
//!
//! Never through a server: the repair holds the folder's lock. The index needs no
//! repair: lost events are looked up in the log, and an index that has more
//! events than the log is rebuilt.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::event::{micros_to_rfc3339, now_micros};
use crate::log::record::{event_time, rejected_time};
use crate::log::repair::{Finding, repair_segment, survey};
use crate::storage::{RealDisk, Storage};
use crate::store::Folder;

/// How long to wait for a command that has the folder open.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// A damaged segment, or one that was repaired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RepairLine {
    /// `events` or `rejected`.
    pub log: String,
    /// What is wrong, and what to do.
    #[serde(flatten)]
    pub finding: Finding,
    /// Where the damaged file, or what was cut off, is kept; null before the
    /// repair, and if there was none.
    pub aside: Option<PathBuf>,
}

/// A data folder that is locked for a repair.
pub struct Repair {
    folder: Folder,
    disk: Arc<dyn Storage>,
    /// What to do, oldest first.
    found: Vec<(&'static Part, RepairLine)>,
}

/// One of the two logs.
struct Part {
    name: &'static str,
    dir: fn(&Folder) -> PathBuf,
    /// A record's time in Unix seconds.
    time_of: fn(&[u8]) -> Option<i64>,
}

static PARTS: [Part; 2] = [
    Part {
        name: "events",
        dir: Folder::log,
        time_of: event_time,
    },
    Part {
        name: "rejected",
        dir: Folder::rejected,
        time_of: rejected_time,
    },
];

impl Repair {
    /// Locks a data folder and examines it. Nothing is changed.
    pub fn survey(path: &Path) -> anyhow::Result<Self> {
        let folder = Folder::lock(path, false, LOCK_TIMEOUT)?;
        let disk: Arc<dyn Storage> = Arc::new(RealDisk);
        let mut found = Vec::new();
        for part in &PARTS {
            let findings = survey(&disk, &(part.dir)(&folder), folder.log_id)?;
            let lines = findings.into_iter().map(|finding| RepairLine {
                log: part.name.to_owned(),
                finding,
                aside: None,
            });
            found.extend(lines.map(|line| (part, line)));
        }
        Ok(Self {
            folder,
            disk,
            found,
        })
    }

    /// What to do.
    pub fn lines(&self) -> Vec<RepairLine> {
        self.found.iter().map(|(_, line)| line.clone()).collect()
    }

    /// Repairs, and hands over a line for each segment.
    pub fn run(self, each: &mut dyn FnMut(RepairLine)) -> anyhow::Result<()> {
        let now = now_micros();
        let time = micros_to_rfc3339(now);
        let digits = time.chars().take(19).filter(|c| !"-:".contains(*c));
        let stamp = digits.chain(['Z']).collect::<String>();
        for (part, mut line) in self.found {
            let (dir, id) = ((part.dir)(&self.folder), self.folder.log_id);
            let (finding, when) = (&line.finding, (now, stamp.as_str()));
            line.aside = repair_segment(&self.disk, &dir, id, finding, when, &part.time_of)?;
            each(line);
        }
        Ok(())
    }
}

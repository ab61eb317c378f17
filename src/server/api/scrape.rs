//! The server's state at the moment of a scrape.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::worker::Shared;
use crate::event::now_micros;
use crate::metrics::Gauges;
use crate::storage::bytes_of;

/// Everything that is not counted. Lists the folder's files, one for each segment.
pub(super) fn gauges(shared: &Shared) -> Gauges {
    let (trail, parts) = (&shared.parts.trail, &shared.parts);
    let (folder, progress) = (trail.folder(), trail.index().progress());
    let since = parts.inactivity.last_event();
    let age = since.map(|last| now_micros().saturating_sub(last).max(0));
    let bytes = |folder: &Path| folder.is_dir().then(|| bytes_of(folder));
    Gauges {
        events: trail.last_seq(),
        lag: progress.last.saturating_sub(progress.applied),
        log: [bytes(&folder.log()), bytes(&folder.rejected())],
        index: bytes(&folder.index()),
        unsealed: trail.unsealed_segments() as u64,
        free: parts.health.free(),
        memory: resident(),
        age: age.map(|age| Duration::from_micros(age.unsigned_abs())),
        silent: parts.inactivity.is_alarm(),
        frontends: vec![
            ("webhook", parts.webhook.snapshot()),
            ("api", shared.answers.snapshot()),
        ],
        signed_age: parts.refusals.last_age(),
        asked: shared.questions.count(),
    }
}

/// The resident memory in bytes; the kernel reports KiB.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.saturating_mul(1024))
}

//! What there is when the metrics are asked for.

use std::fs;
use std::time::Duration;

use super::worker::Shared;
use crate::event::now_micros;
use crate::metrics::Figures;
use crate::ops::bytes_of;

/// Looks at everything that is not counted. It lists the folder's files, whose
/// number is that of the segments.
pub(super) fn figures(shared: &Shared) -> Figures {
    let (trail, parts) = (&shared.parts.trail, &shared.parts);
    let (folder, progress) = (trail.folder(), trail.index().progress());
    let since = parts.inactivity.last_event();
    let age = since.map(|last| now_micros().saturating_sub(last).max(0));
    Figures {
        events: trail.last_seq(),
        lag: progress.last.saturating_sub(progress.applied),
        log: [bytes_of(&folder.log()), bytes_of(&folder.rejected())],
        index: bytes_of(&folder.index()),
        unsealed: trail.unsealed_segments(),
        free: parts.health.free(),
        memory: resident(),
        age: age.map(|age| Duration::from_micros(age.unsigned_abs())),
        silent: parts.inactivity.is_alarm(),
        gates: vec![
            ("webhook", parts.webhook.snapshot()),
            ("api", shared.answers.snapshot()),
        ],
        unsigned: parts.refusals.counts(),
        signed_age: parts.refusals.last_age(),
        asked: shared.questions.in_use(),
    }
}

/// The resident memory in bytes, as the kernel tells it in KiB.
fn resident() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib.saturating_mul(1024))
}

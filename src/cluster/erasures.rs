//! Repeats erasures of other nodes on this node.
//!
//! The control record of an erasure comes through the stream, at the same place in each log. A
//! thread reads appended records and repeats the erasures among them. Its position is stored
//! in the folder, so that erasures are repeated after a crash, too.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::status::Status;
use crate::background::{Background, Stop};
use crate::log::{Control, Erasure};
use crate::store::{Arrival, EraseError, Membership, Outcome, Trail};

/// The pause between two looks at the log.
const PAUSE: Duration = Duration::from_secs(1);

/// How often the position in the log is saved.
const NOTED: Duration = Duration::from_secs(60);

/// Starts the thread. `append` closes segments of the own log.
pub fn start_erasures(
    trail: Arc<Trail>,
    status: Status,
    append: impl Fn(Vec<Arrival>) -> Vec<Outcome> + Send + 'static,
) -> io::Result<Background> {
    Background::start_idle("erasures", move |stop| {
        let mut noted: Option<(u64, Instant)> = None;
        while !stop.wait(PAUSE) {
            if status.trouble().is_some() {
                continue;
            }
            if let Err(error) = repeat_new(&trail, &status, &mut noted, &append, stop) {
                tracing::warn!("what another node erased is not erased here yet: {error}");
            }
        }
    })
}

/// Repeats the erasures that are new in the log. `noted` is how far it was read, and when that was written.
fn repeat_new(
    trail: &Trail,
    status: &Status,
    noted: &mut Option<(u64, Instant)>,
    append: &dyn Fn(Vec<Arrival>) -> Vec<Outcome>,
    stop: &Stop,
) -> Result<(), EraseError> {
    let folder = trail.folder().path();
    let failed = |error: io::Error| EraseError::Append(format!("the file `cluster`: {error}"));
    let Some(mut membership) = Membership::read(folder).map_err(failed)? else {
        return Ok(());
    };
    status.set_purged(membership.purged);
    status.note_erased(trail.last_receipt());
    let (checked, written) = *noted.get_or_insert((membership.checked, Instant::now()));
    let last = trail.last_seq();
    let mut found: Vec<Erasure> = Vec::new();
    let mut scan = trail.events().scan_range(checked + 1, last);
    while let Some(records) = scan.next_records(|_| ())? {
        for (seq, record) in records {
            if let Some(Control::Erased(erasure)) = Control::decode(record) {
                found.push(erasure.up_to(seq));
            }
        }
        if stop.is_set() {
            return Ok(());
        }
    }
    for erasure in &found {
        if trail.repeat_erasure(erasure, append, &|| stop.is_set())? {
            tracing::info!("profile {} is erased, as on another node", erasure.profile);
        }
    }
    let purged = status.purged();
    let is_due = !found.is_empty() || purged > membership.purged || written.elapsed() >= NOTED;
    if is_due && (last, purged) != (membership.checked, membership.purged) {
        (membership.checked, membership.purged) = (last, purged);
        membership.write(folder).map_err(failed)?;
        *noted = Some((last, Instant::now()));
    } else {
        *noted = Some((last, written));
    }
    Ok(())
}

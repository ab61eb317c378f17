//! `verify`: reads everything and tells what is not as it should be.
//!
//! Of both logs every byte is read: checksums, numbers without gaps, every
//! record as what it was taken for, and of sealed segments whether the footer
//! tells the truth. Then the index is compared with the log ([`digest`]).
//! Nothing is written. It may run beside a server: what is looked at is what was
//! synced when it began.

mod digest;
mod files;
mod index;
mod lines;
mod logs;
mod lookup;
mod ranges;

pub use lines::{DamageLine, IndexLine, LostLine, NoteLine, VerifyLine, VerifySummary};

use super::{CareError, Told};
use crate::log::LogError;
use crate::query::Answered;
use crate::store::{Snapshot, Trail};
use digest::Digest;
use logs::{Part, check_log};

/// The most damages that are told one by one.
const NAMED: usize = 10_000;

pub(super) fn carry_out(trail: &Trail, told: &mut Told<'_>) -> Result<Answered, CareError> {
    let digest = Digest::new();
    let snapshot = trail.snapshot();
    let all = snapshot.last_seq() + trail.rejected().last_seq();
    let mut summary = VerifySummary::default();
    let events = Part::events(&snapshot, &digest);
    let mut absent = check_log(&events, told, (0, all), &mut summary)?;
    let rejected = Part::rejected(&snapshot);
    check_log(&rejected, told, (events.last, all), &mut summary)?;
    absent.arrange();
    let differences = index::compare(&snapshot, &digest, &absent, events.last, told)?;
    let lacking = lookup::check(&snapshot, told)?;
    for what in differences.into_iter().chain(lacking) {
        summary.damages += 1;
        told.line(&VerifyLine::Index(IndexLine { what }))?;
    }
    for (file, what) in files::strangers(trail) {
        let what = what.to_owned();
        told.line(&VerifyLine::Note(NoteLine { file, what }))?;
    }
    let unread = read_baselines(&snapshot).err();
    summary.damages += u64::from(unread.is_some());
    told.line(&VerifyLine::Summary(summary))?;
    let mut damage = match summary.damages {
        0 => Vec::new(),
        1 => vec!["1 damage was found".to_owned()],
        count => vec![format!("{count} damages were found")],
    };
    damage.extend(unread.map(|error| error.to_string()));
    Ok(Answered {
        found: true,
        damage,
        ..Answered::default()
    })
}

/// Reads what is left of pruned events to its end.
fn read_baselines(snapshot: &Snapshot<'_>) -> Result<(), LogError> {
    if let Some(baselines) = snapshot.baselines() {
        let mut walk = baselines.walk();
        while walk.step()?.is_some() {}
    }
    Ok(())
}

//! The content of the start page.

use std::time::Duration;

use maud::Markup;

use super::latest::{hours, latest, refreshed};
use super::pages::{Failure, Site};
use crate::web::start::Page;

/// How long the hourly counts stay cached.
const LASTS: Duration = Duration::from_secs(10);

pub(super) fn page(site: &Site<'_>) -> Result<Markup, Failure> {
    let (parts, clock) = (site.parts, &site.clock);
    let progress = parts.trail.index().progress();
    let last = parts.inactivity.last_event();
    let cursor = parts.trail.last_seq();
    let page = Page {
        trouble: parts.health.trouble(),
        silent: parts.inactivity.is_alarm(),
        last: last.map(|micros| micros.div_euclid(1_000_000)),
        events: progress.last,
        behind: progress.last.saturating_sub(progress.applied),
        free: parts.health.disk.free(),
        checkpoint: parts.trail.prover().last(),
        anchor: parts.trail.prover().last_anchor(),
        hours: refreshed(site.ui.hours.lock(), LASTS, || {
            hours(&parts.trail, clock.now)
        })?,
        cursor,
        latest: latest(site, 0, cursor)?.rows,
        webhook: parts.pages.webhook.clone(),
    };
    Ok(page.render(&site.reader()))
}

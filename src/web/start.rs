//! The start page.

use maud::{Markup, html};

use super::events::table;
use super::reader::{Clock, Reader};
use super::scale::percent;
use super::shell::page;
use crate::format::{counted, grouped, size};
use crate::proofs::{AnchorSummary, Checkpoint};

/// The height of the tallest bar.
const HEIGHT: u64 = 90;

/// Events in hours that follow each other.
#[derive(Clone, Debug)]
pub struct Hours {
    /// When the first begins, in Unix seconds.
    pub from: i64,
    /// How many events there are in each.
    pub counts: Vec<u64>,
}

/// The page's first content; slower panels are fetched after it.
pub struct Page {
    /// Why events cannot be kept, if so.
    pub trouble: Option<&'static str>,
    /// Whether no event has arrived for too long.
    pub silent: bool,
    /// When the last event arrived, in Unix seconds.
    pub last: Option<i64>,
    /// How many events there are.
    pub events: u64,
    /// The number of events that are not indexed yet.
    pub behind: u64,
    /// Free disk space in bytes, if known.
    pub free: Option<u64>,
    /// The last checkpoint of the log, if one was signed.
    pub checkpoint: Option<Checkpoint>,
    /// The last one that others have signed, too.
    pub anchor: Option<AnchorSummary>,
    /// Events of the last hours; `None` if they are too many to be counted.
    pub hours: Option<Hours>,
    /// The latest events, newest first.
    pub latest: Vec<Markup>,
    /// The last event that is shown.
    pub cursor: u64,
    /// The address that receives calls.
    pub webhook: String,
}

impl Page {
    fn health(&self, reader: &Reader<'_>) -> Markup {
        html! {
            dl.facts.health {
                div {
                    dt { "calls" }
                    dd {
                        @match (self.trouble, self.silent) {
                            (Some(trouble), _) => { span.badge.bad { "not kept" } " " (trouble) "; run " (reader.code("profiletrail doctor")) }
                            (None, true) => { span.badge.bad { "silent" } " no event has arrived for too long; run " (reader.code("profiletrail doctor")) }
                            (None, false) => span.badge.good { "ok" },
                        }
                    }
                }
                div { dt { "events" } dd { (grouped(self.events)) } }
                @if let Some(last) = self.last { div { dt { "last event" } dd { (reader.ago(last)) } } }
                @if self.behind > 0 { div { dt { "not indexed yet" } dd { (grouped(self.behind)) } } }
                @if let Some(signed) = &self.checkpoint {
                    div { dt { "last checkpoint" } dd title=(signed.to_string()) { "of " (counted(signed.size, "event")) } }
                }
                @if let Some(anchor) = &self.anchor {
                    div {
                        dt { "last anchor" }
                        dd title={ "of " (counted(anchor.size, "event")) } {
                            (reader.ago(anchor.time))
                            @if anchor.stamped.is_some() { ", with a time stamp" }
                            @if !anchor.witnesses.is_empty() { ", by " (counted(anchor.witnesses.len() as u64, "witness")) }
                        }
                    }
                }
                @if let Some(free) = self.free { div { dt { "free disk space" } dd { (size(free)) } } }
            }
        }
    }

    pub fn render(&self, reader: &Reader<'_>) -> Markup {
        let body = html! {
            h1.quiet { "What changed when" }
            (self.health(reader))
            section aria-labelledby="hours" {
                h2 #hours { "Events per hour" }
                @match &self.hours {
                    None => p.empty { "Too many to count here: run " (reader.code("profiletrail stats --since yesterday")) "." },
                    Some(hours) if hours.counts.iter().all(|count| *count == 0) => p.empty { "None in the last two days." },
                    Some(hours) => (bars(hours, reader)),
                }
            }
            div.columns {
                section.wide aria-labelledby="latest" {
                    div.bar {
                        h2 #latest { "Latest events" }
                        span #live-status.note role="status" aria-live="polite" {}
                        button #live-pause.quiet type="button" hidden aria-pressed="false" { "Pause" }
                    }
                    @if self.latest.is_empty() {
                        p.empty #live-none {
                            "No event has arrived yet. Point Copernica's webhooks at " code { "/webhook" }
                            " on the address that receives calls, or try it:"
                        }
                        pre.command { code { "curl -d 'type=create&profile=1&fields[mail]=johny@example.com' " (self.webhook) } }
                    }
                    div #live data-cursor=(self.cursor) { (table(&self.latest, true, "live-rows", reader)) }
                }
                div.panels {
                    (panel("incidents", "/incidents", "Incidents"))
                    (panel("gaps", "/gaps", "Unexplained changes"))
                    (panel("loops", "/loops", "Loops"))
                    (panel("rejected", "/rejected", "Rejected calls"))
                }
            }
        };
        page("Start", "", Some(&reader.clock), &body)
    }
}

/// A bar chart; each bar has its number as a title, for screen readers.
fn bars(hours: &Hours, clock: &Clock) -> Markup {
    let most = hours.counts.iter().copied().max().unwrap_or(0);
    let all: u64 = hours.counts.iter().sum();
    let count = u32::try_from(hours.counts.len().max(1)).unwrap_or(1);
    let place = |number: usize| percent(u32::try_from(number).unwrap_or(0), count);
    let width = format!("{:.2}%", 80.0 / f64::from(count));
    let begin = |number: usize| {
        let number = i64::try_from(number).unwrap_or_default();
        hours.from.saturating_add(number.saturating_mul(3_600))
    };
    let label = format!(
        "{} in the last {count} hours, at most {} in one",
        counted(all, "event"),
        grouped(most)
    );
    let height = |events: u64| {
        let height = events.saturating_mul(HEIGHT).checked_div(most).unwrap_or(0);
        if events > 0 { height.max(2) } else { 0 }
    };
    html! {
        figure.bars {
            svg width="100%" height=(HEIGHT + 24) role="img" aria-label=(label) {
                line.base x1="0" x2="100%" y1=(HEIGHT + 1) y2=(HEIGHT + 1) {}
                @for (number, events) in hours.counts.iter().enumerate() {
                    rect.bar x=(place(number)) y=(HEIGHT - height(*events)) width=(width) height=(height(*events)) {}
                    rect.hover x=(place(number)) y="0" width=(width) height=(HEIGHT) {
                        title { (counted(*events, "event")) " from " (clock.format(begin(number), "%a %H:%M")) }
                    }
                    @if number % 12 == 0 {
                        text x=(place(number)) y=(HEIGHT + 18) { (clock.format(begin(number), "%a %H:%M")) }
                    }
                }
            }
            figcaption { (label) "." }
        }
    }
}

/// A panel whose content the script fetches; without it, a link leads there.
fn panel(id: &str, path: &str, title: &str) -> Markup {
    html! {
        section aria-labelledby=(id) {
            h2 id=(id) { (title) }
            div data-panel={ (path) "?part=panel" } aria-busy="false" { p { a href=(path) { "Look" } } }
        }
    }
}

/// The events after one.
pub struct Latest {
    /// As rows, newest first.
    pub rows: Vec<Markup>,
    /// When the newest happened.
    pub last: Option<String>,
    /// The number left out beyond the limit.
    pub skipped: u64,
}

/// The events that arrived up to `cursor`: a fragment for the script.
pub fn live(latest: &Latest, cursor: u64, reader: &Reader<'_>) -> Markup {
    html! {
        table {
            tbody data-cursor=(cursor) { @for row in &latest.rows { (row) } }
        }
        p #live-summary {
            @if latest.skipped > 0 { (counted(latest.skipped, "more event")) " arrived, without being shown; " }
            @if let Some(last) = &latest.last {
                (counted(latest.rows.len() as u64, "new event"))
                ", the last at " (reader.line(last))
            }
        }
    }
}

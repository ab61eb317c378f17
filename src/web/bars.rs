//! A bar chart of hourly counts.

use maud::{Markup, html};

use super::time_format::Clock;
use crate::format::{counted, grouped};

/// Events in hours that follow each other.
#[derive(Clone, Debug)]
pub struct Hours {
    /// When the first begins, in Unix seconds.
    pub from: i64,
    /// How many events there are in each.
    pub counts: Vec<u64>,
}

/// The height of the tallest bar.
const HEIGHT: u64 = 90;

/// The drawing; each bar has its number as a title, for screen readers.
pub fn bars(hours: &Hours, clock: &Clock) -> Markup {
    let most = hours.counts.iter().copied().max().unwrap_or(0);
    let all: u64 = hours.counts.iter().sum();
    let count = u32::try_from(hours.counts.len().max(1)).unwrap_or(1);
    let place = |number: usize| super::scale::percent(u32::try_from(number).unwrap_or(0), count);
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

//! Renders a timeline: one SVG for each row.
//!
//! Positions are percentages of the width, so that one drawing fits every screen and its
//! text is not scaled. Values are spans; truncated text ends with a sign, so that it is
//! not read as a whole value. Changes are marks that link to their events, distinguished
//! by shape and not only by colour.

use maud::{Markup, PreEscaped, Render, html};

use super::links;
use super::reader::Clock;
use super::scale::percent;
use super::text::Shown;
use super::timeline::{Mark, PARTS, Row, Timeline};
use crate::format::counted;
use crate::history::Cause;

/// The height of a line.
const HEIGHT: u32 = 30;

/// A span of at least this many places is wide enough for text.
const FOR_TEXT: u32 = 12;

/// The most characters of a value in a title.
const TITLE: usize = 60;

/// The forms of marks, which the lines refer to.
const FORMS: &str = r#"<svg class="forms" width="0" height="0" aria-hidden="true" focusable="false"><defs>
<g id="m-set"><rect class="hit" x="-6" y="0" width="12" height="30"/><path d="M0 3V27"/></g>
<g id="m-create"><rect class="hit" x="-6" y="0" width="12" height="30"/><path d="M0 3V27"/><circle cx="0" cy="5" r="4"/></g>
<g id="m-unexplained"><rect class="hit" x="-6" y="0" width="12" height="30"/><path d="M0 3V27" stroke-dasharray="3 2"/><path class="fill" d="M0 9L6 15L0 21L-6 15Z"/></g>
<g id="m-observed"><rect class="hit" x="-6" y="0" width="12" height="30"/><path d="M0 3V9M0 21V27M0 9L6 15L0 21L-6 15Z"/></g>
<g id="m-other"><rect class="hit" x="-6" y="0" width="12" height="30"/><path d="M0 3V27" stroke-dasharray="1 3"/></g>
<g id="m-deleted"><rect class="hit" x="-6" y="0" width="12" height="30"/><path d="M0 3V27M-5 10L5 20M5 10L-5 20"/></g>
<g id="m-many"><rect class="hit" x="-6" y="0" width="12" height="30"/><path class="fill" d="M-2 3H2V27H-2Z"/></g>
</defs></svg>"#;

/// The whole drawing. `at` is the moment of which the state is shown.
pub fn timeline_svg(timeline: &Timeline, at: i64, clock: &Clock) -> Markup {
    let ticks = timeline.scale.ticks(clock);
    let places: Vec<String> = ticks
        .iter()
        .map(|(moment, _)| timeline.scale.percent(*moment))
        .collect();
    // A label that would not fit after its place is drawn before it.
    let ends = |moment: i64| timeline.scale.part(moment, 100) > 90;
    let now = timeline.scale.part(clock.now, PARTS);
    let at = timeline.scale.percent(at);
    html! {
        (PreEscaped(FORMS))
        div.lanes {
            @for row in timeline.rows.values() {
                div.lane {
                    div.label title=(row.name.text.line()) { (row.name) }
                    svg width="100%" height=(HEIGHT) role="group" aria-label=(row.name.text.line()) {
                        @for place in &places { line.grid x1=(place) x2=(place) y1="0" y2=(HEIGHT) {} }
                        (spans(row, now))
                        @for mark in &row.marks { (drawn(row, mark, clock)) }
                        line.at x1=(at) x2=(at) y1="0" y2=(HEIGHT) {}
                    }
                }
            }
            div.lane.axis aria-hidden="true" {
                div.label {}
                svg width="100%" height="20" {
                    @for ((moment, text), place) in ticks.iter().zip(&places) {
                        text x=(place) y="14" text-anchor=[ends(*moment).then_some("end")] { (text) }
                    }
                }
            }
            div.lane.ends {
                div.label {}
                p { span { (clock.time(timeline.scale.from)) } span.zone { (clock.zone.name()) } span { (clock.time(timeline.scale.to)) } }
            }
        }
    }
}

/// The tints of a row's values, assigned in order of appearance, so that neighbours differ and a
/// value that returns has its tint again.
#[derive(Default)]
struct Tints(Vec<u32>);

/// Their classes.
const TINTS: [&str; 6] = ["t0", "t1", "t2", "t3", "t4", "t5"];

impl Tints {
    fn class(&mut self, value: &Shown) -> &'static str {
        let fingerprint = match value {
            Shown::Text(text) => text.fingerprint,
            Shown::Member(true) => return "yes",
            Shown::Member(false) | Shown::Absent => return "none",
            Shown::Unknown => return "unknown",
        };
        let known = self.0.iter().position(|it| *it == fingerprint);
        let place = known.unwrap_or_else(|| {
            self.0.push(fingerprint);
            self.0.len() - 1
        });
        TINTS.get(place % TINTS.len()).copied().unwrap_or_default()
    }
}

/// The values of a row, from place to place.
fn spans(row: &Row, now: u32) -> Markup {
    let marks = || row.marks.iter();
    let begins =
        std::iter::once((0, &row.before)).chain(marks().map(|mark| (mark.part, &mark.new)));
    let ends = marks().map(|mark| mark.part).chain(std::iter::once(now));
    let mut tints = Tints::default();
    let spans = begins
        .zip(ends)
        .map(|((begin, value), end)| (begin, end, value, tints.class(value)));
    html! {
        @for (begin, end, value, class) in spans {
            @if end > begin { (span(begin, end, value, class)) }
        }
    }
}

fn span(begin: u32, end: u32, value: &Shown, class: &str) -> Markup {
    let (x, width) = (
        percent(begin, PARTS),
        percent(end.saturating_sub(begin), PARTS),
    );
    let text = value.line(TITLE);
    let wide = end.saturating_sub(begin) >= FOR_TEXT;
    let silent = matches!(value, Shown::Absent | Shown::Member(false));
    html! {
        @if silent {
            rect.span.(class) x=(x) y="14" width=(width) height="2" { title { (text) } }
        } @else {
            rect.span.(class) x=(x) y="5" width=(width) height="20" { title { (text) } }
            @if wide {
                foreignObject.text x=(x) y="5" width=(width) height="20" { div { span { (text) } } }
            }
        }
    }
}

/// The class of a mark, by which [`FORMS`] has its form.
const fn look(mark: &Mark) -> &'static str {
    match mark.cause {
        Some(Cause::Unexplained { .. }) => "unexplained",
        Some(Cause::Observed { .. }) => "observed",
        None | Some(Cause::Cascade) => "deleted",
        _ if mark.count > 1 => "many",
        Some(Cause::Set) => "set",
        Some(Cause::Create) => "create",
        _ => "other",
    }
}

fn drawn(row: &Row, mark: &Mark, clock: &Clock) -> Markup {
    let class = look(mark);
    let (old, new) = (mark.old.line(TITLE), mark.new.line(TITLE));
    let when = clock.text(mark.time);
    let name = row.name.text.line();
    let why = match mark.cause {
        None => "it is gone",
        Some(Cause::Cascade) => "it ended with its profile",
        Some(Cause::Observed { .. }) => "an export shows it",
        Some(cause) => cause.name(),
    };
    let title = if mark.count > 1 {
        format!(
            "{} changes of {name}: {old} → … → {new}, the last at {when}, event {}",
            mark.count, mark.seq
        )
    } else {
        format!("{name}: {old} → {new}, {when}, {why}, event {}", mark.seq)
    };
    html! {
        a.mark.(class) href=(links::event(mark.seq)) {
            title { (title) }
            use href={ "#m-" (class) } x=(percent(mark.part, PARTS)) {}
        }
    }
}

/// The classes of marks and their meaning.
const MARKS: [(&str, &str); 7] = [
    ("create", "created"),
    ("set", "set by an update"),
    ("unexplained", "unexplained"),
    ("observed", "shown by an export"),
    ("other", "first seen"),
    ("many", "several changes"),
    ("deleted", "deleted"),
];

pub fn legend(timeline: &Timeline) -> Markup {
    let rows = || timeline.rows.values();
    let marks = || rows().flat_map(|row| &row.marks);
    let has = |is: fn(&Shown) -> bool| {
        let values = marks().map(|mark| &mark.new);
        values.chain(rows().map(|row| &row.before)).any(is)
    };
    let span = |class: &str, height: u32, text: &str| {
        html! {
            li {
                svg width="26" height=(HEIGHT) aria-hidden="true" {
                    rect.span.(class) x="1" y=((HEIGHT - height) / 2) width="24" height=(height) {}
                }
                (text)
            }
        }
    };
    html! {
        ul.legend aria-label="what is drawn" {
            @for (class, text) in MARKS {
                @if marks().any(|mark| look(mark) == class) {
                    li {
                        svg width="14" height=(HEIGHT) aria-hidden="true" { g.mark.(class) { use href={ "#m-" (class) } x="7" {} } }
                        (text)
                    }
                }
            }
            @if has(|it| matches!(it, Shown::Text(_))) { (span("t0", 20, "a value; the same colour is the same value")) }
            @if has(|it| *it == Shown::Member(true)) { (span("yes", 20, "an interest that is held")) }
            @if has(|it| matches!(it, Shown::Absent | Shown::Member(false))) { (span("none", 2, "not there")) }
            @if has(|it| *it == Shown::Unknown) { (span("unknown", 20, "not known")) }
            li {
                svg width="8" height=(HEIGHT) aria-hidden="true" { line.at x1="4" x2="4" y1="3" y2="27" {} }
                "the moment below"
            }
        }
    }
}

/// A note on what the drawing merges or omits.
impl Render for Timeline {
    fn render(&self) -> Markup {
        let drawn = self.rows.values().flat_map(|row| &row.marks);
        let together = drawn.filter(|mark| mark.count > 1).count();
        html! {
            p.note {
                (counted(self.changes, "change")) " in " (counted(self.events, "event"))
                @if together > 0 {
                    ", drawn as " (counted(self.marks() as u64, "mark")) ": changes too close together share a mark. "
                    "Choose a shorter span to see each"
                }
                "."
                @if self.is_cut() {
                    " Only the first " (self.rows.len()) " fields and interests are drawn; "
                    (counted(self.left_out, "change")) " of others are in the list of events."
                }
            }
        }
    }
}

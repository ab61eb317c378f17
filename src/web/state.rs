//! 'As it was on …': the state at a moment, next to the current state.

use indexmap::IndexMap;
use maud::{Markup, Render, html};

use super::links;
use super::reader::Clock;
use super::text::{Name, SHORT, change, values};
use crate::format::seconds_of;
use crate::history::Subject;
use crate::query::lines::{DiffLine, LastEvent, ShowLine};

/// The most rows.
const ROWS: usize = 300;

/// The state at a moment, and the differences from now.
pub struct State {
    /// The moment in Unix seconds.
    pub at: i64,
    word: String,
    /// Whether it was deleted with its profile.
    cascade: bool,
    last: Option<LastEvent>,
    rows: IndexMap<Subject<'static>, Row>,
    /// How many fields and interests did not fit into `rows`.
    left_out: usize,
    changed: usize,
    /// Whether it is compared with the state now.
    compared: bool,
}

struct Row {
    then: Markup,
    /// The current value, if it differs.
    now: Option<Markup>,
}

impl State {
    /// From the line of a state; `compared` is whether there is a state now that it can be
    /// compared with.
    pub fn new(show: &ShowLine<'_>, compared: bool) -> Self {
        let mut state = Self {
            at: seconds_of(&show.at).unwrap_or_default(),
            word: show.state.clone(),
            cascade: show.cascade.is_some(),
            last: show.last_event.clone(),
            rows: IndexMap::new(),
            left_out: 0,
            changed: 0,
            compared,
        };
        for (subject, value) in values(show, SHORT) {
            state.put(&subject, value.render(), None);
        }
        state
    }

    fn put(&mut self, subject: &Subject<'_>, then: Markup, now: Option<Markup>) {
        if self.rows.len() >= ROWS && !self.rows.contains_key(subject) {
            self.left_out += 1;
            return;
        }
        self.rows.insert(subject.to_owned(), Row { then, now });
    }

    /// Takes a difference between then and now.
    pub fn differs(&mut self, line: &DiffLine<'_>) {
        self.changed += 1;
        let [then, now] = change(line.old.as_ref(), &line.new, SHORT);
        self.put(&line.subject, then, Some(now));
    }

    /// The table, with a title line above it.
    pub fn table(&self, clock: &Clock) -> Markup {
        html! {
            div.state data-at=(self.at) {
                p.summary {
                    "As it was on " strong { (clock.time(self.at)) } ": "
                    @match self.word.as_str() {
                        "present" => { "present" }
                        "deleted" => { strong { "deleted" } @if self.cascade { " with its profile" } }
                        _ => { strong { "not known" } ": before the first event" }
                    }
                    @if let Some(last) = &self.last {
                        ", after " a href=(links::event(last.seq)) { "event " (last.seq) } " of " (clock.line(&last.time))
                    }
                    ". "
                    @match self.changed {
                        _ if !self.compared => { "Now it is deleted." }
                        0 => { "Same as now." }
                        1 => { "1 difference from now." }
                        count => { (count) " differences from now." }
                    }
                }
                @if self.changed > 0 {
                    table.cards.then {
                        thead {
                            tr { th scope="col" { "field" } th scope="col" { "as it was" } th scope="col" { "now" } }
                        }
                        tbody {
                            @for (subject, row) in &self.rows {
                                @if let Some(now) = &row.now {
                                    tr.differs {
                                        th scope="row" { (Name::of(subject)) }
                                        td data-label="as it was" { (row.then) }
                                        td data-label="now" { span.differing { (now) } }
                                    }
                                }
                            }
                        }
                    }
                }
                @let unchanged = self.rows.values().filter(|row| row.now.is_none()).count();
                @if unchanged > 0 && self.changed > 0 {
                    details.unchanged {
                        summary { (unchanged) " unchanged" }
                        (self.unchanged())
                    }
                } @else if unchanged > 0 {
                    (self.unchanged())
                }
                @if self.left_out > 0 {
                    p.note { "Not shown here: " (self.left_out) " of the fields and interests." }
                }
            }
        }
    }

    fn unchanged(&self) -> Markup {
        html! {
            table.cards.then {
                thead { tr { th scope="col" { "field" } th scope="col" { "value" } } }
                tbody {
                    @for (subject, row) in self.rows.iter().filter(|(_, row)| row.now.is_none()) {
                        tr { th scope="row" { (Name::of(subject)) } td data-label="value" { (row.then) } }
                    }
                }
            }
        }
    }
}

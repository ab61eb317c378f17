//! 'As it was on …': the state at a moment beside the state now.

use std::collections::HashMap;

use maud::{Markup, Render, html};

use super::links;
use super::text::{Name, SHORT, Shown, change};
use super::time_format::Clock;
use crate::format::seconds_of;
use crate::history::Value;
use crate::query::lines::{DiffLine, LastEvent, ShowLine};

/// The most rows.
const ROWS: usize = 300;

/// The state at a moment, and what differs now.
pub struct State {
    at: i64,
    word: String,
    /// Whether it ended with its profile.
    cascade: bool,
    last: Option<LastEvent>,
    rows: Vec<Row>,
    /// How many of each are not among them.
    left_out: usize,
    changed: usize,
    places: HashMap<(bool, String), usize>,
}

struct Row {
    name: Name,
    then: Markup,
    /// What it is now, if that differs.
    now: Option<Markup>,
}

impl State {
    /// From the line of a state.
    pub fn new(show: &ShowLine<'_>) -> Self {
        let mut state = Self {
            at: seconds_of(&show.at).unwrap_or_default(),
            word: show.state.clone(),
            cascade: show.cascade.is_some(),
            last: show.last_event.clone(),
            rows: Vec::new(),
            left_out: 0,
            changed: 0,
            places: HashMap::new(),
        };
        for (name, value) in show.fields.iter() {
            let value = Value::Text(value.as_ref().into());
            let then = Shown::of(Some(&value), SHORT).render();
            state.push(Name::new(name, false), name, then, None);
        }
        for name in &show.interests {
            let then = Shown::Member(true).render();
            state.push(Name::new(name, true), name, then, None);
        }
        state
    }

    fn push(&mut self, name: Name, raw: &str, then: Markup, now: Option<Markup>) {
        if self.rows.len() >= ROWS {
            self.left_out += 1;
            return;
        }
        let key = (name.interest, raw.to_owned());
        self.places.insert(key, self.rows.len());
        self.rows.push(Row { name, then, now });
    }

    /// Takes a difference between then and now.
    pub fn differs(&mut self, line: &DiffLine<'_>) {
        let (name, raw) = (Name::of(&line.subject), line.subject.name());
        self.changed += 1;
        let [then, now] = change(line.old.as_ref(), &line.new, SHORT);
        let place = self.places.get(&(name.interest, raw.to_owned()));
        match place.and_then(|place| self.rows.get_mut(*place)) {
            Some(row) => (row.then, row.now) = (then, Some(now)),
            None => self.push(name, raw, then, Some(now)),
        }
    }

    /// The moment.
    pub const fn at(&self) -> i64 {
        self.at
    }

    /// The table, with a line above it that says what it is.
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
                        0 => { "Same as now." }
                        1 => { "1 difference from now." }
                        count => { (count) " differences from now." }
                    }
                }
                @if !self.rows.is_empty() {
                    table.cards.then {
                        thead {
                            tr { th scope="col" { "field" } th scope="col" { "as it was" } th scope="col" { "now" } }
                        }
                        tbody {
                            @for row in &self.rows {
                                tr.differs[row.now.is_some()] {
                                    th scope="row" { (row.name) }
                                    td data-label="as it was" { (row.then) }
                                    td data-label="now" {
                                        @match &row.now {
                                            Some(now) => span.differing { (now) },
                                            None => span.same { "the same" },
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
                @if self.left_out > 0 {
                    p.note { (self.left_out) " more fields and interests: profiletrail show lists them all." }
                }
            }
        }
    }
}

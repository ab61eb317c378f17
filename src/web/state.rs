//! 'As it was on …': the state at a moment beside the state now.

use std::collections::HashMap;

use maud::{Markup, html};

use super::text::{Change, Name, SHORT, Shown};
use super::time_format::Clock;
use crate::format::seconds_of;
use crate::history::Value;
use crate::query::lines::{DiffLine, ShowLine};

/// The most rows.
const ROWS: usize = 300;

/// The state at a moment, and what differs now.
#[derive(Clone, Debug)]
pub struct State {
    at: i64,
    word: String,
    /// Whether it ended with its profile.
    cascade: bool,
    last: Option<(u64, i64)>,
    rows: Vec<Row>,
    /// How many of each are not among them.
    left_out: usize,
    changed: usize,
    places: HashMap<(bool, String), usize>,
}

#[derive(Clone, Debug)]
struct Row {
    name: Name,
    then: Shown,
    differs: Option<Change>,
}

impl State {
    /// From the line of a state.
    pub fn new(show: &ShowLine<'_>) -> Self {
        let last = show.last_event.as_ref();
        let mut state = Self {
            at: seconds_of(&show.at).unwrap_or_default(),
            word: show.state.clone(),
            cascade: show.cascade.is_some(),
            last: last.and_then(|event| Some((event.seq, seconds_of(&event.time)?))),
            rows: Vec::new(),
            left_out: 0,
            changed: 0,
            places: HashMap::new(),
        };
        for (name, value) in show.fields.iter() {
            let value = Value::Text(value.as_ref().into());
            state.push(name, false, Shown::of(Some(&value), SHORT), None);
        }
        for name in &show.interests {
            state.push(name, true, Shown::Member(true), None);
        }
        state
    }

    fn push(&mut self, name: &str, interest: bool, then: Shown, differs: Option<Change>) {
        if self.rows.len() >= ROWS {
            self.left_out += 1;
            return;
        }
        self.places
            .insert((interest, name.to_owned()), self.rows.len());
        self.rows.push(Row {
            name: Name::new(name, interest),
            then,
            differs,
        });
    }

    /// Takes a difference between then and now.
    pub fn differs(&mut self, line: &DiffLine<'_>) {
        let (name, interest) = match (&line.field, &line.interest) {
            (None, Some(interest)) => (interest, true),
            (Some(field), _) => (field, false),
            (None, None) => return,
        };
        self.changed += 1;
        let change = Change::difference(line, SHORT);
        let place = self.places.get(&(interest, name.clone().into_owned()));
        match place.and_then(|place| self.rows.get_mut(*place)) {
            Some(row) => row.differs = Some(change),
            None => self.push(name, interest, change.old.clone(), Some(change)),
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
                    @if let Some((seq, time)) = self.last {
                        ", after " a href=(super::links::event(seq)) { "event " (seq) } " of " (clock.time(time))
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
                                tr.differs[row.differs.is_some()] {
                                    th scope="row" { (row.name) }
                                    @match &row.differs {
                                        Some(change) => {
                                            td data-label="as it was" { (change.old()) }
                                            td data-label="now" { span.differing { (change.new_value()) } }
                                        }
                                        None => {
                                            td data-label="as it was" { (row.then) }
                                            td data-label="now" { span.same { "the same" } }
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

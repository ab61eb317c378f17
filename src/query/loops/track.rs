//! Detects a loop in the changes of a field.
//!
//! *Turns*: each change reverts the previous one, within a maximum time. *Rewrites*: each
//! change comes within [`FEW_SECONDS`] of the previous one, with any values. A run is a
//! maximal sequence in which this holds for each change but the first; it is a loop if it
//! has enough changes.

use crate::event::Event;
use crate::history::{Cause, Change, Value};
use crate::query::counter::sample;

use super::lines::{LoopKind, LoopValue, LoopWriter};

/// The maximum number of seconds between rewrites.
pub(super) const FEW_SECONDS: i64 = 10;

/// The minimum number of rewrites: two or three in a row are a form that was
/// submitted again.
const REWRITES: u64 = 10;

/// The maximum number of distinct writers of a loop, and of distinct values of a
/// writer.
const NAMES: usize = 8;

/// The criteria of a loop.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The maximum number of seconds between two turns.
    pub within: i64,
    /// The minimum number of changes of a loop.
    pub least: u64,
}

/// Consecutive changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub kind: LoopKind,
    pub changes: u64,
    /// Time and `seq`.
    pub first: (i64, u64),
    pub last: (i64, u64),
    pub writers: Vec<LoopWriter<'static>>,
    /// About how many bytes it holds.
    pub held: usize,
}

impl Run {
    fn new(kind: LoopKind, event: &Event<'_>, change: &Change<'_>) -> Self {
        let mut run = Self {
            kind,
            changes: 0,
            first: (event.time, event.seq),
            last: (event.time, event.seq),
            writers: Vec::new(),
            held: size_of::<Self>(),
        };
        run.add(event, change);
        run
    }

    fn add(&mut self, event: &Event<'_>, change: &Change<'_>) {
        self.changes += 1;
        self.last = (event.time, event.seq);
        let (label, claimed) = (event.label.as_deref(), change.cause == Cause::Set);
        let own =
            |writer: &LoopWriter<'_>| writer.label.as_deref() == label && writer.claimed == claimed;
        if self.writers.len() < NAMES && !self.writers.iter().any(own) {
            self.held += size_of::<LoopWriter<'_>>();
            self.writers.push(LoopWriter {
                label: label.map(|label| label.to_owned().into()),
                claimed,
                changes: 0,
                values: Vec::new(),
            });
        }
        let Some(writer) = self.writers.iter_mut().find(|writer| own(writer)) else {
            return;
        };
        writer.changes += 1;
        let value = sample(&change.new);
        if let Some(known) = writer.values.iter_mut().find(|known| known.value == value) {
            known.changes += 1;
        } else if writer.values.len() < NAMES {
            self.held += size_of::<LoopValue<'_>>() + value.text_len();
            writer.values.push(LoopValue { value, changes: 1 });
        }
    }

    fn is_loop(&self, rule: Rule) -> bool {
        let least = match self.kind {
            LoopKind::Turns => rule.least,
            LoopKind::Rewrites => rule.least.max(REWRITES),
        };
        self.changes >= least
    }
}

/// The changes of one field of one (sub)profile, in order.
#[derive(Debug, Default)]
pub(super) struct Track {
    /// The old and the new value of the last change.
    last: Option<(Option<Value<'static>>, Value<'static>)>,
    turns: Option<Run>,
    rewrites: Option<Run>,
    found: Vec<Run>,
    /// About how many bytes these hold.
    found_held: usize,
}

impl Track {
    /// Takes the next change, and its event.
    pub fn step(&mut self, rule: Rule, event: &Event<'_>, change: &Change<'_>) {
        let takes_back = self.last.as_ref().is_some_and(|(old, new)| {
            old.as_ref() == Some(&change.new) && Some(new) == change.old.as_ref()
        });
        let since = |run: &Run| event.time.saturating_sub(run.last.0);
        match &mut self.turns {
            Some(run) if takes_back && since(run) <= rule.within => run.add(event, change),
            _ => {
                let new = Run::new(LoopKind::Turns, event, change);
                let run = self.turns.replace(new);
                self.keep(run, rule);
            }
        }
        match &mut self.rewrites {
            Some(run) if since(run) <= FEW_SECONDS => run.add(event, change),
            _ => {
                let new = Run::new(LoopKind::Rewrites, event, change);
                let run = self.rewrites.replace(new);
                self.keep(run, rule);
            }
        }
        let old = change.old.as_ref().map(Value::to_owned);
        self.last = Some((old, change.new.to_owned()));
    }

    /// Keeps a run that is over, if it is a loop.
    fn keep(&mut self, run: Option<Run>, rule: Rule) {
        if let Some(run) = run.filter(|run| run.is_loop(rule)) {
            self.found_held += run.held;
            self.found.push(run);
        }
    }

    /// About how many bytes it holds.
    pub fn held(&self) -> usize {
        let values = self.last.iter().map(|(old, new)| {
            let old = old.as_ref().map_or(0, Value::text_len);
            old + new.text_len()
        });
        let runs = self.turns.iter().chain(&self.rewrites).map(|run| run.held);
        size_of::<Self>() + values.sum::<usize>() + runs.sum::<usize>() + self.found_held
    }

    /// The loops found. Rewrites that are mostly turns are reported as turns only.
    pub fn finish(self, rule: Rule) -> Vec<Run> {
        let mut found = self.found;
        let last = self.turns.into_iter().chain(self.rewrites);
        found.extend(last.filter(|run| run.is_loop(rule)));
        let (turns, mut rewrites): (Vec<Run>, Vec<Run>) = found
            .into_iter()
            .partition(|run| run.kind == LoopKind::Turns);
        rewrites.retain(|run| {
            let within = |turns: &&Run| run.first <= turns.last && turns.first <= run.last;
            let turn_changes: u64 = turns.iter().filter(within).map(|turns| turns.changes).sum();
            turn_changes < run.changes.div_ceil(2)
        });
        let mut found = turns;
        found.extend(rewrites);
        found.sort_by_key(|run| run.first);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Subject;
    use proptest::prelude::*;
    use std::borrow::Cow;

    const RULE: Rule = Rule {
        within: 86_400,
        least: 4,
    };

    fn text(text: &str) -> Value<'_> {
        Value::Text(Cow::Borrowed(text))
    }

    /// Changes at these times to these values, the labels alternating.
    fn runs(first: &str, steps: &[(i64, &str, Option<&str>)]) -> Vec<Run> {
        let mut track = Track::default();
        let mut old = text(first);
        for ((time, new, label), seq) in steps.iter().zip(1..) {
            let event = Event {
                time: *time,
                seq,
                label: label.map(Cow::Borrowed),
                ..Event::default()
            };
            let change = Change {
                subject: Subject::Field(Cow::Borrowed("mail")),
                old: Some(old),
                new: text(new),
                cause: Cause::Set,
            };
            track.step(RULE, &event, &change);
            old = change.new;
        }
        track.finish(RULE)
    }

    #[test]
    fn two_systems_that_fight_are_a_loop_and_one_who_changes_her_mind_thrice_is_not() {
        let fight: Vec<_> = (0..6)
            .map(|n| {
                (
                    n * 3_600,
                    if n % 2 == 0 { "a" } else { "b" },
                    Some(if n % 2 == 0 { "crm" } else { "shop" }),
                )
            })
            .collect();
        let found = runs("b", &fight);
        assert_eq!(found.len(), 1);
        let run = &found[0];
        assert_eq!(
            (run.kind, run.changes, run.first, run.last),
            (LoopKind::Turns, 6, (0, 1), (5 * 3_600, 6))
        );
        let wrote: Vec<_> = run
            .writers
            .iter()
            .map(|writer| {
                let values = writer.values.iter();
                let values = values.map(|known| (known.value.clone(), known.changes));
                (writer.label.as_deref(), values.collect::<Vec<_>>())
            })
            .collect();
        assert_eq!(
            wrote,
            [
                (Some("crm"), vec![(text("a"), 3)]),
                (Some("shop"), vec![(text("b"), 3)])
            ]
        );
        assert_eq!(runs("b", &fight[..3]), []);
        // Another value, or too long a pause, ends a run.
        let other: Vec<_> = ["a", "b", "c", "b", "c", "b"]
            .iter()
            .zip(0..)
            .map(|(new, time)| (time, *new, None))
            .collect();
        assert_eq!(runs("b", &other).len(), 1);
        assert_eq!(runs("b", &other[..5]), []);
        let late: Vec<_> = fight
            .iter()
            .map(|(time, new, label)| (time * 30, *new, *label))
            .collect();
        assert_eq!(runs("b", &late), []);
    }

    #[test]
    fn a_counter_that_is_written_every_few_seconds_is_a_loop() {
        let values: Vec<String> = (0..30).map(|n| n.to_string()).collect();
        let steps: Vec<_> = values
            .iter()
            .zip(0..)
            .map(|(value, n)| (n * 7, value.as_str(), None))
            .collect();
        let found = runs("x", &steps);
        assert_eq!(
            (found.len(), found[0].kind, found[0].changes),
            (1, LoopKind::Rewrites, 30)
        );
        assert!(found[0].writers[0].values.len() <= NAMES);
        assert_eq!(runs("x", &steps[..9]), []);
        let slow: Vec<_> = steps
            .iter()
            .map(|(time, value, label)| (time * 2, *value, *label))
            .collect();
        assert_eq!(runs("x", &slow), []);
        // Turns every second are reported once, as turns.
        let both: Vec<_> = (0..20)
            .map(|n| (n, if n % 2 == 0 { "a" } else { "b" }, None))
            .collect();
        let found = runs("b", &both);
        assert_eq!((found.len(), found[0].kind), (1, LoopKind::Turns));
    }

    proptest! {
        #[test]
        fn a_run_of_turns_is_as_long_as_each_takes_the_one_before_back(
            steps in proptest::collection::vec((0_i64..40_000, 0_u8..3), 0..40)
        ) {
            let names = ["a", "b", "c"];
            let (mut time, mut last) = (0, 0);
            let mut changes = Vec::new();
            for (pause, value) in steps {
                if value != last {
                    time += pause * 4;
                    changes.push((time, names[usize::from(value)], None));
                    last = value;
                }
            }
            let mut lengths = Vec::new();
            let mut length = 0;
            for place in 0..changes.len() {
                let back = place > 0 && {
                    let before = if place > 1 { changes[place - 2].1 } else { "a" };
                    changes[place].1 == before && changes[place].0 - changes[place - 1].0 <= RULE.within
                };
                if !back {
                    lengths.push(length);
                    length = 0;
                }
                length += 1;
            }
            lengths.push(length);
            lengths.retain(|length| *length >= RULE.least);
            let found = runs("a", &changes).into_iter().filter(|run| run.kind == LoopKind::Turns);
            prop_assert_eq!(found.map(|run| run.changes).collect::<Vec<_>>(), lengths);
        }
    }
}

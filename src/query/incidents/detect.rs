//! Detects which minutes of a field are a burst.
//!
//! Time is divided into slices, [`SLICES`] of which are as long as `within`; each has the
//! number of (sub)profiles that had the field changed in it. A slice is hot if the
//! stretch of length `within` that ends with it counts at least `least`, and [`TIMES`]
//! times the usual rate of the field at that time.
//!
//! The *usual* rate is the 90th percentile of such stretches of the day before and the
//! day after, including quiet ones. If a shop is busy for some hours of a day, it is the
//! rate of these hours, even with quiet nights, and rare events do not affect it. Time
//! before the trail begins or after it ends is ignored. A period that counts `least` for
//! at most [`SHORT`] stretches is excluded from its own baseline, so that a bad import in
//! a young store does not count as usual.
//!
//! A burst is the part of a hot period from the first to the last slice that has a
//! tenth of its fullest slice and twice the usual rate: this cuts off ordinary
//! changes before and after. Slices start at whole multiples of their length, and
//! nothing depends on the requested span, so the same events always make the same
//! burst.

use std::collections::HashMap;

/// The number of slices as long as `within`.
pub(super) const SLICES: i64 = 5;

/// A burst has this many times the usual count.
const TIMES: u64 = 4;

/// A period that counts `least` for at most this many times `within` is excluded
/// from the usual count.
const SHORT: i64 = 12;

/// How many cells are examined together.
const CELLS: usize = 1 << 20;

/// The number of (sub)profiles that had a field changed in a slice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// Its number since 1970.
    pub slice: i64,
    pub count: u32,
}

/// The criteria of a burst.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    /// The minimum number of (sub)profiles.
    pub least: u64,
    /// The number of slices before and after it from which the usual count is
    /// taken.
    pub around: i64,
    /// The first and the last slice with known events.
    pub known: (i64, i64),
    /// Whether the usual count is ignored.
    pub any_rate: bool,
}

/// Slices in which many (sub)profiles had a field changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Burst {
    pub first: i64,
    /// The last slice, inclusive.
    pub last: i64,
    /// The usual number of changes in a stretch as long as `within`.
    pub usual: u64,
    /// The number of changes in the burst.
    pub count: u64,
}

/// Finds the bursts of a field from its cells, given one by one in order.
pub(super) struct Detector {
    rule: Rule,
    cells: Vec<Cell>,
    /// Bursts before this slice were found already.
    done: i64,
    most: usize,
    pub bursts: Vec<Burst>,
}

impl Detector {
    pub const fn new(rule: Rule) -> Self {
        Self {
            rule,
            cells: Vec::new(),
            done: i64::MIN,
            most: CELLS,
            bursts: Vec::new(),
        }
    }

    /// Takes the next cell, or more of the last one.
    pub fn push(&mut self, cell: Cell) {
        if let Some(last) = self.cells.last_mut()
            && last.slice == cell.slice
        {
            last.count = last.count.saturating_add(cell.count);
            return;
        }
        if self.cells.len() >= self.most {
            // Slices closer to the end are judged when more is known.
            let far = self.rule.around.saturating_mul(2);
            self.find(cell.slice.saturating_sub(far));
            let kept = self.done.saturating_sub(far);
            let old = self.cells.partition_point(|cell| cell.slice < kept);
            self.cells.drain(..old);
            // If this many cells are near, they are examined together.
            self.most = self.most.max(self.cells.len() * 2);
        }
        self.cells.push(cell);
    }

    /// Finds the remaining bursts.
    pub fn finish(mut self) -> Vec<Burst> {
        self.find(i64::MAX);
        self.bursts
    }

    /// Finds the bursts that begin before a slice.
    fn find(&mut self, until: i64) {
        let found = detect(&self.cells, self.rule);
        let new = |burst: &Burst| self.done <= burst.first && burst.first < until;
        self.bursts.extend(found.into_iter().filter(new));
        self.done = self.done.max(until);
    }
}

/// The bursts of a field's cells, which are in order.
fn detect(cells: &[Cell], rule: Rule) -> Vec<Burst> {
    let mut bursts: Vec<Burst> = Vec::new();
    let usual = Usual::new(cells, rule);
    for busy in busy_times(cells, rule.least) {
        let mut run: Option<Burst> = None;
        let mut hourly: HashMap<i64, u64> = HashMap::new();
        for slice in busy.0..=busy.1 {
            let stretch = count(cells, slice - SLICES + 1, slice);
            let part = slice.div_euclid(SLICES * SHORT);
            let usual = if rule.any_rate {
                0
            } else {
                *hourly.entry(part).or_insert_with(|| usual.at(part, busy))
            };
            let hot = stretch >= rule.least.max(1) && stretch >= usual.saturating_mul(TIMES);
            if !hot {
                close(run.take(), cells, &mut bursts);
                continue;
            }
            let run = run.get_or_insert(Burst {
                first: slice - SLICES + 1,
                last: slice,
                usual,
                count: 0,
            });
            run.last = slice;
            run.usual = run.usual.max(usual);
        }
        close(run.take(), cells, &mut bursts);
    }
    bursts
}

/// The burst of a hot period.
fn close(run: Option<Burst>, cells: &[Cell], bursts: &mut Vec<Burst>) {
    let Some(run) = run else {
        return;
    };
    let after = bursts.last().map_or(i64::MIN, |last| last.last);
    let own = || {
        of(cells, run.first, run.last)
            .iter()
            .filter(|cell| cell.slice > after)
    };
    let fullest = own().map(|cell| u64::from(cell.count)).max().unwrap_or(0);
    let enough = fullest
        .div_ceil(10)
        .max((2 * run.usual).div_ceil(SLICES.unsigned_abs()));
    let full = || own().filter(|cell| u64::from(cell.count) >= enough);
    if let (Some(first), Some(last)) = (full().next(), full().next_back()) {
        bursts.push(Burst {
            first: first.slice,
            last: last.slice,
            usual: run.usual,
            count: count(cells, first.slice, last.slice),
        });
    }
}

/// The cells of these slices.
fn of(cells: &[Cell], first: i64, last: i64) -> &[Cell] {
    let begin = cells.partition_point(|cell| cell.slice < first);
    let end = cells.partition_point(|cell| cell.slice <= last);
    cells.get(begin..end).unwrap_or_default()
}

fn count(cells: &[Cell], first: i64, last: i64) -> u64 {
    of(cells, first, last)
        .iter()
        .map(|cell| u64::from(cell.count))
        .sum()
}

/// The periods in which every stretch as long as `within` counts at least `least`:
/// the first and the last slice.
fn busy_times(cells: &[Cell], least: u64) -> Vec<(i64, i64)> {
    let mut times: Vec<(i64, i64)> = Vec::new();
    let (mut begin, mut sum) = (0, 0);
    for (place, cell) in cells.iter().enumerate() {
        sum += u64::from(cell.count);
        // A stretch may also end in a slice without a change.
        let next = cells.get(place + 1).map_or(i64::MAX, |next| next.slice);
        for slice in cell.slice..next.min(cell.slice + SLICES) {
            while let Some(old) = cells.get(begin).filter(|old| old.slice <= slice - SLICES) {
                sum -= u64::from(old.count);
                begin += 1;
            }
            if sum < least.max(1) {
                continue;
            }
            match times.last_mut() {
                Some(last) if last.1 + 1 >= slice => last.1 = slice,
                _ => times.push((slice, slice)),
            }
        }
    }
    times
}

/// The usual counts of a field.
struct Usual {
    rule: Rule,
    /// The counts of stretches as long as `within`, by their number since 1970.
    stretches: Vec<(i64, u64)>,
}

impl Usual {
    fn new(cells: &[Cell], rule: Rule) -> Self {
        let mut stretches: Vec<(i64, u64)> = Vec::new();
        for cell in cells {
            let number = cell.slice.div_euclid(SLICES);
            match stretches.last_mut() {
                Some((last, count)) if *last == number => *count += u64::from(cell.count),
                _ => stretches.push((number, u64::from(cell.count))),
            }
        }
        Self { rule, stretches }
    }

    /// The usual count around the `part`th period of [`SHORT`] stretches, in a busy time.
    fn at(&self, part: i64, busy: (i64, i64)) -> u64 {
        let around = self.rule.around / SLICES;
        let (known_first, known_last) = self.rule.known;
        let first = (part * SHORT - around).max(known_first.div_euclid(SLICES));
        let last = ((part + 1) * SHORT + around).min(known_last.div_euclid(SLICES));
        let own = (
            (busy.0 - SLICES + 1).div_euclid(SLICES),
            busy.1.div_euclid(SLICES),
        );
        let short = own.1 - own.0 < SHORT;
        let left_out = |number: i64| short && own.0 <= number && number <= own.1;
        let begin = self
            .stretches
            .partition_point(|(number, _)| *number < first);
        let mut counts: Vec<u64> = self
            .stretches
            .iter()
            .skip(begin)
            .take_while(|(number, _)| *number <= last)
            .filter(|(number, _)| !left_out(*number))
            .map(|(_, count)| *count)
            .collect();
        let mut all = (last - first + 1).max(0);
        if short {
            all -= (own.1.min(last) - own.0.max(first) + 1).max(0);
        }
        // Nine of ten do not exceed it; stretches without a change are not listed.
        let above = usize::try_from(all / 10).unwrap_or(0);
        if above >= counts.len() {
            return 0;
        }
        let (_, usual, _) = counts.select_nth_unstable_by(above, |a, b| b.cmp(a));
        *usual
    }
}

#[cfg(test)]
mod tests;

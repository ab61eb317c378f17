//! Counts how many (sub)profiles had which field changed when, in bounded memory:
//! counts beyond the limit are sorted on disk.

use std::collections::HashMap;
use std::io;

use super::detect::Cell;
use crate::event::{Event, ProfileKey};
use crate::history::{Change, Subject};
use crate::query::answer::QueryError;
use crate::query::changes::ChangeVisitor;
use crate::query::counter::TimeRange;
use crate::query::interner::Interner;
use crate::store::{Snapshot, Sorter, TrailError};

/// The maximum number of distinct fields, per database and collection.
pub(super) const GROUPS: usize = 2_000;

/// The maximum number of counts in memory.
const CELLS: usize = 200_000;

/// A field of a database's profiles, or of a collection's subprofiles.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Group<'a> {
    pub subject: Subject<'a>,
    pub database: Option<u64>,
    pub collection: Option<u64>,
    pub subprofiles: bool,
}

impl<'a> Group<'a> {
    pub fn of(event: &Event<'_>, change: &'a Change<'_>) -> Self {
        Self {
            subject: change.subject.borrowed(),
            database: event.database,
            collection: event.collection,
            subprofiles: event.key.subprofile.is_some(),
        }
    }

    /// Whether an event can change it.
    pub fn is_of(&self, event: &Event<'_>) -> bool {
        self.database == event.database
            && self.collection == event.collection
            && self.subprofiles == event.key.subprofile.is_some()
    }

    pub fn to_owned(&self) -> Group<'static> {
        Group {
            subject: self.subject.to_owned(),
            ..*self
        }
    }
}

/// Counts on one thread.
pub(super) struct Counts<'w> {
    /// The length of a slice in seconds.
    slice: i64,
    /// If set, only these fields are counted.
    wanted: Option<&'w str>,
    groups: Interner<Group<'static>>,
    /// By group and slice.
    cells: HashMap<(u32, i64), u32>,
    /// The slice in which the current (sub)profile was counted last, by group.
    seen: HashMap<u32, i64>,
    key: Option<ProfileKey>,
    /// The number of changes of fields that are not counted separately.
    left_out: u64,
    /// The times of the first and of the last event with a change.
    time_range: TimeRange<i64>,
}

impl<'w> Counts<'w> {
    pub fn new(slice: i64, wanted: Option<&'w str>) -> Self {
        Self {
            slice: slice.max(1),
            wanted,
            groups: Interner::new(GROUPS),
            cells: HashMap::new(),
            seen: HashMap::new(),
            key: None,
            left_out: 0,
            time_range: TimeRange::default(),
        }
    }

    /// The number of a group; `None` if there are too many.
    fn group(&mut self, group: &Group<'_>) -> Option<u32> {
        let numbers: &HashMap<Group<'_>, u32> = self.groups.numbers();
        let known = numbers.get(group).copied();
        known.or_else(|| self.groups.number(group.to_owned()))
    }
}

impl ChangeVisitor for Counts<'_> {
    fn visit(&mut self, event: &Event<'_>, changes: Vec<Change<'_>>) -> Result<(), QueryError> {
        self.time_range.add(event.time);
        if self.key != Some(event.key) {
            self.key = Some(event.key);
            self.seen.clear();
        }
        let slice = event.time.div_euclid(self.slice);
        for change in &changes {
            let group = Group::of(event, change);
            if self
                .wanted
                .is_some_and(|wanted| wanted != super::id::word(&group.subject))
            {
                continue;
            }
            let Some(number) = self.group(&group) else {
                self.left_out += 1;
                continue;
            };
            // A (sub)profile counts once in a slice.
            if self.seen.insert(number, slice) != Some(slice) {
                *self.cells.entry((number, slice)).or_default() += 1;
            }
        }
        Ok(())
    }
}

/// All counts.
pub(super) struct Total<'t> {
    snapshot: &'t Snapshot<'t>,
    groups: Interner<Group<'static>>,
    cells: HashMap<(u32, i64), u32>,
    sorter: Sorter,
    /// The number of counts of fields that are not counted separately.
    pub left_out: u64,
    pub time_range: TimeRange<i64>,
}

impl<'t> Total<'t> {
    pub fn new(snapshot: &'t Snapshot<'t>) -> Self {
        Self {
            snapshot,
            groups: Interner::new(GROUPS),
            cells: HashMap::new(),
            sorter: Sorter::new(snapshot.trail().folder().path()),
            left_out: 0,
            time_range: TimeRange::default(),
        }
    }

    /// Merges the counts of a thread, whose (sub)profiles are different ones.
    pub fn join(&mut self, counts: Counts<'_>) -> Result<(), QueryError> {
        self.left_out += counts.left_out;
        let mut numbers = Vec::new();
        for group in counts.groups.iter() {
            numbers.push(self.groups.number(group.clone()));
        }
        for ((number, slice), count) in counts.cells {
            match numbers.get(number as usize).copied().flatten() {
                Some(number) => *self.cells.entry((number, slice)).or_default() += count,
                None => self.left_out += u64::from(count),
            }
        }
        self.time_range.join(counts.time_range);
        if self.cells.len() > CELLS {
            self.spill()?;
        }
        Ok(())
    }

    fn spill(&mut self) -> Result<(), QueryError> {
        for ((number, slice), count) in self.cells.drain() {
            let mut blob = number.to_le_bytes().to_vec();
            blob.extend_from_slice(&slice.to_le_bytes());
            blob.extend_from_slice(&count.to_le_bytes());
            // By number, the lowest first.
            let place = slice.cast_unsigned() ^ (1 << 63);
            self.sorter
                .push(i64::from(number), place, blob)
                .map_err(TrailError::io(
                    "sorting in",
                    self.snapshot.trail().folder().path(),
                ))?;
        }
        Ok(())
    }

    /// Returns the cells in order, field by field.
    pub fn each(
        mut self,
        mut take: impl FnMut(&Group<'static>, Cell) -> Result<(), QueryError>,
    ) -> Result<(), QueryError> {
        self.spill()?;
        let groups = self.groups;
        let mut last: Option<(u32, Cell)> = None;
        let mut hand_out = |(number, cell): (u32, Cell)| match groups.get(number) {
            Some(group) => take(group, cell),
            None => Ok(()),
        };
        self.sorter.finish::<QueryError>(|blob| {
            let Some((number, cell)) = read(blob) else {
                return Err(io::Error::other("the disk gave back something else").into());
            };
            match &mut last {
                Some((known, held)) if *known == number && held.slice == cell.slice => {
                    held.count = held.count.saturating_add(cell.count);
                }
                _ => {
                    if let Some(held) = last.replace((number, cell)) {
                        hand_out(held)?;
                    }
                }
            }
            Ok(true)
        })?;
        last.map_or(Ok(()), hand_out)
    }
}

fn read(blob: &[u8]) -> Option<(u32, Cell)> {
    let (number, rest) = blob.split_first_chunk()?;
    let (slice, rest) = rest.split_first_chunk()?;
    let (count, _) = rest.split_first_chunk()?;
    let cell = Cell {
        slice: i64::from_le_bytes(*slice),
        count: u32::from_le_bytes(*count),
    };
    Some((u32::from_le_bytes(*number), cell))
}

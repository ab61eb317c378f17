//! Sorts the lines of a dossier into the order of its parts, on disk if there are
//! many.

use std::io;

use serde::Serialize;

use crate::event::ProfileKey;
use crate::history::{Place, Subject};
use crate::query::answer::{Lines, QueryError};
use crate::store::{Snapshot, Sorter, TrailError};

/// The place of a line in the dossier.
#[derive(Clone, Copy, Debug)]
pub(super) enum SortKey<'s> {
    About,
    Total,
    State(u32),
    /// By the (sub)profile's number, then the value's.
    Now(u32, u64),
    /// By the (sub)profile's number, then the value's among those of all subjects.
    Value(u32, &'s Subject<'s>, u64),
    /// Gaps without a known (sub)profile sort first.
    Gap(Option<Place>, u32),
    Event(Place, u32),
    Key(u64),
}

impl SortKey<'_> {
    /// The number of the part, and a byte string that sorts as its lines do.
    fn encode(self) -> (i64, Vec<u8>) {
        match self {
            Self::About => (0, Vec::new()),
            Self::Total => (1, Vec::new()),
            Self::State(track) => (2, [&track.to_be_bytes()[..], &[0]].concat()),
            Self::Now(track, number) => {
                let parts: [&[u8]; 3] = [&track.to_be_bytes(), &[1], &number.to_be_bytes()];
                (2, parts.concat())
            }
            Self::Value(track, subject, number) => {
                let kind = u8::from(matches!(subject, Subject::Interest(_)));
                let mut place = track.to_be_bytes().to_vec();
                place.push(kind);
                // A name must not look like another name followed by a number.
                for byte in subject.name().bytes() {
                    place.push(byte);
                    if byte == 0 {
                        place.push(1);
                    }
                }
                place.extend([0, 0]);
                place.extend(number.to_be_bytes());
                (3, place)
            }
            Self::Gap(None, track) => (4, [&[0][..], &track.to_be_bytes()].concat()),
            Self::Gap(Some(place), track) => {
                let mut bytes = vec![1];
                bytes.extend(bytes_of(place, track));
                (4, bytes)
            }
            Self::Event(place, track) => (5, bytes_of(place, track)),
            Self::Key(number) => (6, number.to_be_bytes().to_vec()),
        }
    }
}

fn bytes_of(place: Place, number: u32) -> Vec<u8> {
    let time = (place.time.cast_unsigned() ^ (1 << 63)).to_be_bytes();
    let parts: [&[u8]; 4] = [
        &time,
        &[place.rank],
        &place.seq.to_be_bytes(),
        &number.to_be_bytes(),
    ];
    parts.concat()
}

/// Collects the lines.
pub(super) struct LineSorter<'t> {
    snapshot: &'t Snapshot<'t>,
    sorter: Sorter,
}

impl<'t> LineSorter<'t> {
    pub fn new(snapshot: &'t Snapshot<'t>) -> Self {
        Self {
            snapshot,
            sorter: Sorter::new(snapshot.trail().folder().path()),
        }
    }

    /// Adds a line.
    pub fn push(&mut self, key: SortKey<'_>, line: &impl Serialize) -> Result<(), QueryError> {
        let (part, mut blob) = key.encode();
        let len = u32::try_from(blob.len()).map_err(io::Error::other)?;
        serde_json::to_writer(&mut blob, line).map_err(io::Error::from)?;
        blob.extend_from_slice(&len.to_le_bytes());
        self.sorter.push(part, 0, blob).map_err(TrailError::io(
            "sorting in",
            self.snapshot.trail().folder().path(),
        ))?;
        Ok(())
    }

    /// Writes all lines in order.
    pub fn finish(self, lines: &mut Lines<'_>) -> Result<(), QueryError> {
        self.sorter.finish::<io::Error>(|blob| {
            let Some((rest, len)) = blob.split_last_chunk::<4>() else {
                return Ok(true);
            };
            let len = u32::from_le_bytes(*len) as usize;
            lines.put_one(rest.get(len..).unwrap_or_default())
        })?;
        Ok(())
    }
}

/// A (sub)profile and its number among those of a dossier.
#[derive(Clone, Copy, Debug)]
pub(super) struct NumberedKey {
    pub number: u32,
    pub key: ProfileKey,
}

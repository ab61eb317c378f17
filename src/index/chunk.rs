//! The bytes of a (sub)profile's entries.
//!
//! A *chunk* holds up to [`CHUNK_LEN`] pairs in the order of arrival. Numbers
//! are LEB128 varints, signed ones zigzag: the number of pairs; the least and
//! the greatest time; the last time and the last `seq`; then for each pair the
//! time and the `seq` as differences to the pair before (to 0 in the first).

/// The most pairs in one chunk. A full chunk gets a value of its own, so that
/// a (sub)profile with many events costs no more per event than a quiet one.
pub(super) const CHUNK_LEN: u64 = 256;

/// A chunk, its pairs still as bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Chunk {
    pub count: u64,
    min_time: i64,
    max_time: i64,
    last_time: i64,
    last_seq: u64,
    deltas: Vec<u8>,
}

impl Chunk {
    /// Adds an event, which has come after those before.
    pub fn push(&mut self, time: i64, seq: u64) {
        if self.count == 0 {
            (self.min_time, self.max_time) = (time, time);
        }
        self.min_time = self.min_time.min(time);
        self.max_time = self.max_time.max(time);
        put(&mut self.deltas, zigzag(time.wrapping_sub(self.last_time)));
        put(&mut self.deltas, seq.wrapping_sub(self.last_seq));
        (self.last_time, self.last_seq) = (time, seq);
        self.count += 1;
    }

    /// Whether the pairs' span of time overlaps another (`until` exclusive).
    pub fn overlaps(&self, since: i64, until: i64) -> bool {
        self.count > 0 && self.min_time < until && self.max_time >= since
    }

    pub fn encode(&self, bytes: &mut Vec<u8>) {
        put(bytes, self.count);
        put(bytes, zigzag(self.min_time));
        put(bytes, zigzag(self.max_time));
        put(bytes, zigzag(self.last_time));
        put(bytes, self.last_seq);
        bytes.extend_from_slice(&self.deltas);
    }

    pub fn decode(mut bytes: &[u8]) -> Option<Self> {
        Some(Self {
            count: take(&mut bytes)?,
            min_time: unzigzag(take(&mut bytes)?),
            max_time: unzigzag(take(&mut bytes)?),
            last_time: unzigzag(take(&mut bytes)?),
            last_seq: take(&mut bytes)?,
            deltas: bytes.to_vec(),
        })
    }

    /// Adds the pairs to `pairs`; `None` where the bytes make no sense.
    pub fn pairs(&self, pairs: &mut Vec<(i64, u64)>) -> Option<()> {
        let mut bytes = self.deltas.as_slice();
        let (mut time, mut seq) = (0_i64, 0_u64);
        for _ in 0..self.count {
            time = time.wrapping_add(unzigzag(take(&mut bytes)?));
            seq = seq.wrapping_add(take(&mut bytes)?);
            pairs.push((time, seq));
        }
        bytes.is_empty().then_some(())
    }
}

const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

const fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -(value & 1).cast_signed()
}

/// Appends a varint.
pub(super) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7F) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a varint off the front.
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_chunk_reads_what_was_written(pairs: Vec<(i64, u64)>) {
            let mut chunk = Chunk::default();
            for (time, seq) in &pairs {
                chunk.push(*time, *seq);
            }
            let mut bytes = Vec::new();
            chunk.encode(&mut bytes);
            let read = Chunk::decode(&bytes).unwrap();
            let mut found = Vec::new();
            prop_assert_eq!(read.pairs(&mut found), Some(()));
            prop_assert_eq!(found, pairs);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            if let Some(chunk) = Chunk::decode(&bytes) {
                let mut pairs = Vec::new();
                let _ = chunk.pairs(&mut pairs);
            }
        }
    }
}

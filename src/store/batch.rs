//! A batch of records in memory.

/// Records in the order of arrival, with their bytes in one buffer.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// The `seq` of each record, and where it ends in `bytes`.
    ends: Vec<(u64, usize)>,
}

impl Batch {
    /// Adds a record. Its `seq` is higher than those before.
    pub fn push(&mut self, seq: u64, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push((seq, self.bytes.len()));
    }

    /// Removes all records but keeps the allocated memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
    }

    /// How many bytes the records have.
    pub const fn bytes_len(&self) -> usize {
        self.bytes.len()
    }

    /// How many records there are.
    pub const fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are no records.
    pub const fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The `seq` of the last record.
    pub fn last_seq(&self) -> Option<u64> {
        self.ends.last().map(|(seq, _)| *seq)
    }

    /// The records with their `seq`.
    pub fn iter(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let mut begin = 0;
        self.ends.iter().map(move |(seq, end)| {
            let record = self.bytes.get(begin..*end).unwrap_or_default();
            begin = *end;
            (*seq, record)
        })
    }

    /// The record of a `seq`.
    pub fn get(&self, seq: u64) -> Option<&[u8]> {
        let place = self.ends.binary_search_by_key(&seq, |(seq, _)| *seq).ok()?;
        let begin = match place.checked_sub(1) {
            Some(before) => self.ends.get(before)?.1,
            None => 0,
        };
        self.bytes.get(begin..self.ends.get(place)?.1)
    }
}

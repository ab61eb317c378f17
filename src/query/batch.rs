//! Records that go to a thread together.

/// How many bytes of records make a batch.
const BATCH_LEN: usize = 256 << 10;

/// Records in the order of arrival, as bytes in one piece.
#[derive(Debug, Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// The `seq` of each record, and where it ends in `bytes`.
    ends: Vec<(u64, usize)>,
    /// What cannot be read after them.
    pub damage: Option<String>,
    /// Those of them that carry their bodies, ascending.
    pub with_body: Vec<u64>,
}

impl Batch {
    pub fn push(&mut self, seq: u64, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push((seq, self.bytes.len()));
    }

    pub fn is_full(&self) -> bool {
        self.bytes.len() >= BATCH_LEN
    }

    pub fn last_seq(&self) -> Option<u64> {
        self.ends.last().map(|(seq, _)| *seq)
    }

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

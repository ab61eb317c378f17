//! Events that an export without bodies would make indistinguishable.
//!
//! A line holds the meaning of a body, not its bytes. Two events of one (sub)profile,
//! type and second with the same meaning but different bytes are not duplicates, but
//! would become duplicates after an import. So among such events, those whose bytes
//! differ from a reference event carry their bodies even if bodies are not requested. The
//! reference is the first event, or an imported one whose original bytes are unknown.
//! Equal bytes with different meanings, because of two charsets, are duplicates, too, and
//! carry their bodies.
//!
//! The index finds the seconds with several events of a (sub)profile, mostly
//! retries. Twelve bytes are held for each of these events; they are compared when
//! the export reaches the first of them.

use std::collections::{HashMap, HashSet};

use sha2::{Digest, Sha256};

use super::filter::Span;
use crate::event::Seen;
use crate::log::record::{EventRecord, RecordError};

/// Marks the last `seq` of a second.
const LAST: u64 = 1 << 63;

type Digest32 = [u8; 32];

/// The seconds in which a (sub)profile has several events.
#[derive(Debug, Default)]
pub(super) struct Crowded {
    /// The `seq` of their events, second by second, ascending in each.
    seqs: Vec<u64>,
    /// Where each second begins in `seqs`.
    begins: Vec<usize>,
    /// The number of seconds already returned.
    done: usize,
    /// Seconds without an event beyond this `seq` are skipped.
    after: u64,
}

impl Crowded {
    /// The seconds that have an event beyond a `seq`.
    pub fn beyond(after: u64) -> Self {
        Self {
            after,
            ..Self::default()
        }
    }

    /// Takes the (time, `seq`) pairs of a (sub)profile, ordered by both.
    pub fn add(&mut self, times: &[(i64, u64)], span: &Span) {
        for second in times.chunk_by(|a, b| a.0 == b.0) {
            if let [(time, _), .., (_, last)] = second
                && *last > self.after
                && span.contains(*time)
            {
                self.begins.push(self.seqs.len());
                self.seqs.extend(second.iter().map(|(_, seq)| *seq));
                self.seqs.pop();
                self.seqs.push(last | LAST);
            }
        }
    }

    /// Sorts the seconds by their first events.
    pub fn arrange(&mut self) {
        self.seqs.shrink_to_fit();
        let seqs = &self.seqs;
        self.begins
            .sort_unstable_by_key(|begin| seqs.get(*begin).copied());
    }

    /// The events of the next second, if its first one is not after `until`.
    pub fn next(&mut self, until: u64) -> Option<Vec<u64>> {
        let rest = self.seqs.get(*self.begins.get(self.done)?..)?;
        if *rest.first()? > until {
            return None;
        }
        self.done += 1;
        let count = rest.iter().take_while(|seq| *seq & LAST == 0).count() + 1;
        Some(rest.iter().take(count).map(|seq| seq & !LAST).collect())
    }
}

/// The comparison key of an event.
pub(super) struct Compared {
    seq: u64,
    /// The bytes are those that an import makes.
    is_content: bool,
    meaning: Digest32,
    bytes: Digest32,
}

impl Compared {
    pub fn read(seq: u64, record: &EventRecord<'_>) -> Result<Self, RecordError> {
        let event = record.to_event(seq)?;
        let mut meaning = Sha256::new();
        meaning.update(event.event_type.name());
        meaning.update([0]);
        meaning.update(event.event_type.seen().map_or("", Seen::name));
        meaning.update(serde_json::to_vec(&event.content).unwrap_or_default());
        Ok(Self {
            seq,
            is_content: !record.head.body_kind.is_as_sent(),
            meaning: meaning.finalize().into(),
            bytes: Sha256::digest(record.body).into(),
        })
    }
}

/// The events of one second, ordered by `seq`, that need their bodies.
pub(super) fn needing_bodies(second: Vec<Compared>) -> Vec<u64> {
    let mut groups: HashMap<Digest32, Vec<Compared>> = HashMap::new();
    let mut meaning: HashMap<Digest32, Digest32> = HashMap::new();
    let mut ambiguous: HashSet<Digest32> = HashSet::new();
    for event in second {
        if *meaning.entry(event.bytes).or_insert(event.meaning) != event.meaning {
            ambiguous.insert(event.bytes);
        }
        groups.entry(event.meaning).or_default().push(event);
    }
    let mut found = Vec::new();
    for group in groups.into_values() {
        // One spelling needs no body: an import makes the same bytes of all events
        // that have it, and they stay duplicates.
        let reference = group
            .iter()
            .find(|event| event.is_content)
            .or(group.first());
        let reference = reference.map(|event| event.bytes);
        let others = group
            .iter()
            .filter(|event| Some(event.bytes) != reference || ambiguous.contains(&event.bytes));
        found.extend(others.map(|event| event.seq));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_bytes_of_another_meaning_need_their_bodies() {
        let need = |second: &[(u64, u8, u8)]| {
            let compared = second.iter().map(|(seq, meaning, bytes)| Compared {
                seq: *seq,
                is_content: false,
                meaning: [*meaning; 32],
                bytes: [*bytes; 32],
            });
            let mut found = needing_bodies(compared.collect());
            found.sort_unstable();
            found
        };
        // In two charsets, a retry of the first, and another spelling of it.
        let second = [(1, 1, 1), (2, 2, 1), (3, 1, 1), (4, 1, 2)];
        assert_eq!(need(&second), [1, 2, 3, 4]);
        assert!(need(&[(1, 1, 1), (2, 1, 1), (3, 2, 2)]).is_empty());
    }
}

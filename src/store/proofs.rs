//! The proofs of recently kept signed calls.

use super::error::TrailError;
use super::open::Trail;
use crate::auth::signature::{Evidence, Proof};
use crate::log::record::EventRecord;

/// The number of events that are read at once, from the newest backwards. Imports put
/// old events in between: if this many in a row are old, all before them are assumed to
/// be old.
const CHUNK: u64 = 16 * 1024;

impl Trail {
    /// Returns the proofs of the events received since a time in Unix microseconds.
    /// Unreadable events are skipped, since their proofs are unknown.
    pub fn each_proof_since(
        &self,
        since: i64,
        mut each: impl FnMut(u64, &Proof),
    ) -> Result<(), TrailError> {
        let mut last = self.last_seq();
        let mut found = true;
        while found && last > 0 {
            found = false;
            let first = last.saturating_sub(CHUNK - 1).max(1);
            let mut scan = self.events.scan_range(first, last);
            while let Some(records) = scan.next_records(|_| ())? {
                for (seq, bytes) in records {
                    let Ok(record) = EventRecord::decode(bytes) else {
                        continue;
                    };
                    if record.head.received < since {
                        continue;
                    }
                    found = true;
                    let read = Evidence::proof(record.head.evidence, record.body);
                    if let Ok(Some(proof)) = read {
                        each(seq, &proof);
                    }
                }
            }
            last = first - 1;
        }
        Ok(())
    }
}

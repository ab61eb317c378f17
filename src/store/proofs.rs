//! Which signed calls were kept lately.

use super::error::TrailError;
use super::open::Trail;
use crate::auth::signature::{Evidence, Proof};
use crate::log::Scanned;
use crate::log::record::EventRecord;

/// How many events are looked through at one time, from the newest on. Imports
/// bring old events in between: where so many in a row are old, all before
/// them are taken to be.
const CHUNK: u64 = 16 * 1024;

impl Trail {
    /// Hands out the proofs of the events that were received since a moment in
    /// Unix microseconds. What cannot be read is passed over: of it nothing
    /// could be told anyway.
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
            while let Some(step) = scan.step()? {
                let Scanned::Records(records) = step else {
                    continue;
                };
                for (seq, bytes) in records {
                    let Ok(record) = EventRecord::decode(bytes) else {
                        continue;
                    };
                    if record.head.received < since {
                        continue;
                    }
                    found = true;
                    let evidence = record.head.evidence;
                    let read = evidence.map(|bytes| Evidence::decode(bytes, record.body));
                    if let Some(Ok(Evidence::Proof(proof))) = read {
                        each(seq, &proof);
                    }
                }
            }
            last = first - 1;
        }
        Ok(())
    }
}

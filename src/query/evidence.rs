//! `evidence`: the proof that Copernica sent an event.

use super::answer::{Lines, QueryError};
use super::lines::{EvidenceLine, body_fields};
use super::request::EventQuery;
use crate::auth::signature::Evidence;
use crate::event::{micros_to_rfc3339, seconds_to_rfc3339};
use crate::log::record::EventRecord;
use crate::proofs::{base64, pem};
use crate::store::{Missing, Snapshot};

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &EventQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let seq = query.seq;
    let written = snapshot.record_of(seq, |record| {
        let line = line_of(seq, record)?;
        Ok(line.map(|line| lines.put(&line)))
    });
    let written = lines.damage.readable(written)?;
    Ok(written.flatten().flatten().transpose()?.is_some())
}

/// The line of an event; `None` if it has no stored proof. A proof that does not
/// verify is damage.
fn line_of(seq: u64, bytes: &[u8]) -> Result<Option<EvidenceLine<'_>>, Missing> {
    let damage = |error: String| Missing::Damage(format!("event {seq}: {error}"));
    let EventRecord { head, body } =
        EventRecord::decode(bytes).map_err(|error| Missing::of_record(seq, error))?;
    let proof = Evidence::proof(head.evidence, body).map_err(|error| damage(error.to_string()))?;
    let Some(proof) = proof else {
        return Ok(None);
    };
    proof
        .check(body)
        .map_err(|refusal| damage(format!("its evidence proves nothing: {refusal}")))?;
    let key = proof
        .public_key()
        .map_err(|error| damage(error.to_string()))?;
    let (sent, sent_base64) = body_fields(body);
    Ok(Some(EvidenceLine {
        seq,
        received: micros_to_rfc3339(head.received),
        remote: head.remote.map(Into::into),
        verified_at: seconds_to_rfc3339(proof.verified),
        key: proof.key,
        record: proof.record,
        public_key: pem(&key.der),
        signed: proof.text,
        signature: base64(&proof.signature),
        body: sent,
        body_base64: sent_base64,
    }))
}

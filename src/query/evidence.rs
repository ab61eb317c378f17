//! `evidence`: the proof that Copernica sent an event.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{Lines, QueryError};
use super::lines::{EvidenceLine, body_fields};
use super::request::EvidenceQuery;
use crate::auth::signature::Evidence;
use crate::event::{micros_to_rfc3339, seconds_to_rfc3339};
use crate::log::record::{EventRecord, RecordError};
use crate::store::{Missing, Snapshot};

/// Characters in a line of PEM.
const PEM_LINE: usize = 64;

pub(super) fn answer(
    snapshot: &Snapshot<'_>,
    query: &EvidenceQuery,
    lines: &mut Lines<'_>,
) -> Result<bool, QueryError> {
    let seq = query.seq;
    let written = snapshot.record_of(seq, |record| {
        let line = line_of(seq, record)?;
        Ok(line.map(|line| lines.put(&line)))
    });
    match written {
        Ok(written) => Ok(written.flatten().transpose()?.is_some()),
        Err(unreadable) => {
            lines.damage.add(unreadable.into_damage()?);
            Ok(false)
        }
    }
}

/// The line of an event; `None` if it has no stored proof. A proof that does not
/// verify is damage.
fn line_of(seq: u64, bytes: &[u8]) -> Result<Option<EvidenceLine<'_>>, Missing> {
    let unreadable = |error: RecordError| Missing::of_record(seq, error);
    let damage = |error: String| Missing::Damage(format!("event {seq}: {error}"));
    let EventRecord { head, body } = EventRecord::decode(bytes).map_err(unreadable)?;
    let Some(evidence) = head.evidence else {
        return Ok(None);
    };
    let proof = match Evidence::decode(evidence, body) {
        Ok(Evidence::Proof(proof)) => *proof,
        Ok(Evidence::Unsigned | Evidence::VerifiedElsewhere) => return Ok(None),
        Err(error) => return Err(damage(error.to_string())),
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
        public_key: pem(key.der()),
        signed: proof.text,
        signature: STANDARD.encode(&proof.signature),
        body: sent,
        body_base64: sent_base64,
    }))
}

/// A public key as PEM (RFC 7468).
fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut text = "-----BEGIN PUBLIC KEY-----\n".to_owned();
    let mut rest = encoded.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at_checked(PEM_LINE).unwrap_or((rest, ""));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str("-----END PUBLIC KEY-----\n");
    text
}

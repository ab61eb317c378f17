//! The proof of one event, as files: C2SP tlog-proof, and the path from the body to its
//! leaf.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls::pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::note::{Checkpoint, Vkey, base64, hash_of};
use super::prover::{ProofError, Prover};
use super::stamp::Stamp;
use super::tree::is_included;
use crate::event::{micros_to_rfc3339, seconds_to_rfc3339};
use crate::log::record::{EventHead, EventRecord, Lost, control_json, is_pruned};
use crate::log::{Control, Erasure, LogError, body_commitment, hash_leaf, leaf_input};
use crate::storage::found;

/// The first line of a proof.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The script that checks a proof only with openssl.
const CHECK: &str = include_str!("check.sh");

/// The SHA-256 of the first version of it, which proofs still have.
const FIRST_CHECK: &str = "0cbe30a1733a9bdaf4ee6ce1877b753bcb41ede37eed86d63a92c32b74de4cf7";

/// The time stamp of the checkpoint.
const STAMP: &str = "stamp.tsr";

/// A file of a proof.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleFile {
    /// Its name.
    pub file: String,
    /// Its content, in base64.
    pub content: String,
}

impl BundleFile {
    fn new(file: &str, content: impl AsRef<[u8]>) -> Self {
        Self {
            file: file.to_owned(),
            content: base64(content.as_ref()),
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> io::Result<Vec<u8>> {
        BASE64.decode(&self.content).map_err(io::Error::other)
    }
}

/// What a proof proves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Checked {
    /// The event's number.
    pub seq: u64,
    /// The log.
    pub origin: String,
    /// How many events the checkpoint has.
    pub size: u64,
    /// The root that was signed, in base64.
    pub root: String,
    /// When the call arrived, by the signer's clock.
    pub received: String,
    /// The event's time.
    pub time: String,
    /// The event's type.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The profile.
    pub profile: u64,
    /// The subprofile.
    pub subprofile: Option<u64>,
    /// The length of the body in bytes.
    pub body_bytes: u64,
    /// Only for the receipt of an erasure: what was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erasure>,
    /// The time stamp of the checkpoint, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<CheckedStamp>,
    /// The witnesses that were to be checked, which have signed the checkpoint.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub witnesses: Vec<CheckedWitness>,
}

/// A time stamp.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedStamp {
    /// The moment that it states.
    pub time: String,
    /// Whether it was checked that the authority has signed it.
    pub verified: bool,
}

/// A witness that has signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CheckedWitness {
    /// Its name.
    pub name: String,
    /// When, by its clock.
    pub time: String,
}

/// The keys and certificates that the reader of a proof trusts, known from elsewhere.
#[derive(Clone, Debug)]
pub struct Trusted {
    /// The key of the log.
    pub key: Vkey,
    /// The certificates that vouch for time-stamping authorities; if there are any, a time
    /// stamp is demanded.
    pub authorities: Vec<CertificateDer<'static>>,
    /// The keys of witnesses, each of which must have signed.
    pub witnesses: Vec<Vkey>,
}

/// Trusts only the log.
impl From<Vkey> for Trusted {
    fn from(key: Vkey) -> Self {
        Self {
            key,
            authorities: Vec::new(),
            witnesses: Vec::new(),
        }
    }
}

fn proof_text(index: u64, path: &[String], note: &str) -> String {
    let path: String = path.iter().map(|hash| format!("{hash}\n")).collect();
    format!("{HEADER}\nindex {index}\n{path}\n{note}")
}

impl Prover {
    /// The files that prove an event, or a control record: its JSON is in the leaf.
    pub fn prove(&self, seq: u64) -> Result<Vec<BundleFile>, ProofError> {
        let missing = |why: String| ProofError::Missing(why);
        let mut cursor = self.log.cursor();
        let record = cursor.get(seq).map_err(|error| match error {
            LogError::NotFound { .. } => missing(format!("there is no event {seq}")),
            LogError::Damaged { .. } => missing(error.to_string()),
            error => error.into(),
        })?;
        if is_pruned(record) {
            return Err(pruned(seq));
        }
        if let Some(lost) = Lost::decode(record) {
            return Err(missing(format!(
                "{lost}, and with it what a proof would be about"
            )));
        }
        let unreadable = |error| missing(format!("event {seq}: {error}"));
        let mut salts = self.salts();
        let leaf = leaf_input(seq, record, &mut salts).map_err(unreadable)?;
        let mut files = vec![BundleFile::new("leaf", &leaf)];
        if control_json(record).is_none() {
            let body = EventRecord::decode(record).map_err(unreadable)?.body;
            files.push(BundleFile::new("body", body));
            files.extend(salts.salt(seq).map(|salt| BundleFile::new("salt", salt)));
        }
        let found = self.inclusion(seq)?;
        if hash_leaf(&leaf) != found.leaf {
            return Err(ProofError::Differs(seq, seq));
        }
        let path: Vec<String> = found.path.iter().map(|hash| base64(hash)).collect();
        let note = &found.checkpoint.note;
        files.extend([
            BundleFile::new("event.tlog-proof", proof_text(seq - 1, &path, note)),
            BundleFile::new("checkpoint", note),
            BundleFile::new("vkey", format!("{}\n", found.vkey)),
            BundleFile::new("key.pem", found.vkey.pem()),
            BundleFile::new("check.sh", CHECK),
        ]);
        let stamp = found.stamp.iter();
        files.extend(stamp.map(|stamp| BundleFile::new(STAMP, &stamp.der)));
        Ok(files)
    }
}

/// Why a pruned event is not proved.
pub fn pruned(seq: u64) -> ProofError {
    ProofError::Missing(format!(
        "event {seq} was pruned: a proof would be about a content that is gone"
    ))
}

/// Checks the time stamp of a checkpoint, if there is one.
fn check_stamp(
    read: io::Result<Vec<u8>>,
    checkpoint: &Checkpoint,
    authorities: &[CertificateDer<'_>],
) -> Result<Option<CheckedStamp>, String> {
    let Some(der) = found(read).map_err(|error| format!("{STAMP}: {error}"))? else {
        return match authorities.is_empty() {
            true => Ok(None),
            false => Err("it has no time stamp".to_owned()),
        };
    };
    let stamp = Stamp::parse(der).map_err(|why| format!("{STAMP}: {why}"))?;
    if !stamp.is_of(checkpoint.own_note().as_bytes()) {
        return Err("the time stamp is not of the checkpoint".to_owned());
    }
    let verified = !authorities.is_empty();
    if verified {
        stamp.verify(authorities)?;
    }
    let time = seconds_to_rfc3339(stamp.time);
    Ok(Some(CheckedStamp { time, verified }))
}

/// Checks a proof against what its reader trusts. `read` returns the content of a file of the
/// proof.
pub fn check_bundle(
    read: &dyn Fn(&str) -> io::Result<Vec<u8>>,
    trusted: &Trusted,
) -> Result<Checked, String> {
    let key = &trusted.key;
    let bytes = |name: &str| read(name).map_err(|error| format!("{name}: {error}"));
    let text =
        |name: &str| String::from_utf8(bytes(name)?).map_err(|_| format!("{name} is no text"));
    let same = |name: &str, expected: &str| match bytes(name)? == expected.as_bytes() {
        true => Ok(()),
        false => Err(format!("{name} is not the file that belongs to this proof")),
    };
    let leaf = bytes("leaf")?;
    let is_control = control_json(&leaf).is_some();
    let mut body = Vec::new();
    if !is_control {
        body = bytes("body")?;
        let salt = bytes("salt")?.try_into();
        let salt = salt.map_err(|_| "the salt does not have 16 bytes".to_owned())?;
        if !leaf.ends_with(&body_commitment(salt, &body)) {
            return Err("the body is not the one of the leaf".to_owned());
        }
    }
    let note = text("checkpoint")?;
    let checkpoint = Checkpoint::parse(&note)?;
    checkpoint.verify(key)?;
    let proof = text("event.tlog-proof")?;
    let wrong = || "event.tlog-proof is not a proof with this checkpoint".to_owned();
    let (head, _) = proof.split_once("\n\n").ok_or_else(wrong)?;
    let mut lines = head.lines().skip(1);
    let index = lines.next().and_then(|line| line.strip_prefix("index "));
    let index: u64 = index.and_then(|text| text.parse().ok()).ok_or_else(wrong)?;
    let path: Vec<String> = lines.map(str::to_owned).collect();
    let hashes: Option<Vec<_>> = path.iter().map(|line| hash_of(line)).collect();
    let hashes = hashes.ok_or_else(wrong)?;
    if proof != proof_text(index, &path, &note) {
        return Err(wrong());
    }
    let (size, root) = (checkpoint.size, checkpoint.root);
    if !is_included(hash_leaf(&leaf), index, size, &hashes, root) {
        return Err("the event is not in the tree that was signed".to_owned());
    }
    same("vkey", &format!("{key}\n"))?;
    same("key.pem", &key.pem())?;
    let script = bytes("check.sh")?;
    if script != CHECK.as_bytes() && format!("{:x}", Sha256::digest(&script)) != FIRST_CHECK {
        return Err("check.sh is not the file that belongs to this proof".to_owned());
    }
    let stamp = check_stamp(read(STAMP), &checkpoint, &trusted.authorities)?;
    let witnesses = trusted.witnesses.iter().map(|witness| {
        let time = i64::try_from(checkpoint.cosigned(witness)?);
        Ok(CheckedWitness {
            name: witness.name.clone(),
            time: seconds_to_rfc3339(time.unwrap_or(i64::MAX)),
        })
    });
    let witnesses = witnesses.collect::<Result<_, String>>()?;
    let of_tree = Checked {
        seq: index + 1,
        size,
        root: base64(&root),
        origin: checkpoint.origin,
        stamp,
        witnesses,
        ..Checked::default()
    };
    if is_control {
        let Some(Control::Erased(erasure)) = Control::decode(&leaf) else {
            return Err("the leaf is a control record of an unknown kind".to_owned());
        };
        return Ok(Checked {
            received: micros_to_rfc3339(erasure.until),
            time: seconds_to_rfc3339(erasure.until.div_euclid(1_000_000)),
            event_type: "erased".to_owned(),
            profile: erasure.profile,
            erased: Some(erasure),
            ..of_tree
        });
    }
    let head = EventHead::decode(&leaf)
        .map_err(|error| format!("the leaf is not that of an event: {error}"))?;
    Ok(Checked {
        received: micros_to_rfc3339(head.received),
        time: seconds_to_rfc3339(head.time),
        event_type: head.what().name().to_owned(),
        profile: head.profile,
        subprofile: head.subprofile,
        body_bytes: body.len() as u64,
        ..of_tree
    })
}

//! Checkpoints: C2SP tlog-checkpoint, a signed note about the size and the root of a tree;
//! the Ed25519 keys of signed notes; and C2SP tlog-cosignature, with which a witness signs
//! another log's checkpoint.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::tree::Hash;

/// How the key of a signer begins as text.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The byte before the Ed25519 key of a log.
const LOG_KIND: u8 = 1;

/// The byte before the Ed25519 key of a witness, whose signatures have a time.
const WITNESS_KIND: u8 = 4;

/// The bytes before those of an Ed25519 key in a `SubjectPublicKeyInfo`.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

const PEM_LINE: usize = 64;

/// Bytes in base64, as notes and proofs have them.
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A public key, as a `SubjectPublicKeyInfo`, in PEM (RFC 7468).
pub fn pem(der: &[u8]) -> String {
    let encoded = base64(der);
    let lines = encoded.as_bytes().chunks(PEM_LINE);
    let lines: String = lines
        .map(|line| String::from_utf8_lossy(line) + "\n")
        .collect();
    format!("-----BEGIN PUBLIC KEY-----\n{lines}-----END PUBLIC KEY-----\n")
}

/// A hash in base64; `None` unless it is written in the one right way.
pub fn hash_of(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// The public key of a signer: `<name>+<key id>+<key>`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vkey {
    /// The signer's name; of a log, the origin of its checkpoints.
    pub name: String,
    kind: u8,
    key: [u8; 32],
}

impl Vkey {
    fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', self.kind])
            .chain_update(self.key);
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        [a, b, c, d]
    }

    /// Reads the key of a log.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_kind(text, LOG_KIND).ok_or_else(|| {
            format!("{text:?} is not a verifier key: NAME+ID+KEY, as the file vkey of a proof has")
        })
    }

    /// Reads the key of a witness.
    pub fn parse_witness(text: &str) -> Result<Self, String> {
        Self::parse_kind(text, WITNESS_KIND).ok_or_else(|| {
            format!("{text:?} is not the key of a witness: NAME+ID+KEY, with a key for cosignatures of Ed25519")
        })
    }

    fn parse_kind(text: &str, kind: u8) -> Option<Self> {
        let mut parts = text.splitn(3, '+');
        let (name, _, key) = (parts.next()?, parts.next()?, parts.next()?);
        let key = BASE64.decode(key).ok()?;
        let vkey = Self {
            name: name.to_owned(),
            kind,
            key: key.strip_prefix(&[kind])?.try_into().ok()?,
        };
        (vkey.to_string() == text && is_name(name)).then_some(vkey)
    }

    /// The signature of this key below a note, without its number.
    fn signature_in(&self, signatures: &str) -> Option<Vec<u8>> {
        signatures.lines().find_map(|line| {
            let rest = line.strip_prefix("— ")?.strip_prefix(self.name.as_str())?;
            let bytes = BASE64.decode(rest.strip_prefix(' ')?).ok()?;
            Some(bytes.strip_prefix(&self.id())?.to_vec())
        })
    }

    fn has_signed(&self, text: &str, signature: &[u8]) -> bool {
        let public = UnparsedPublicKey::new(&ED25519, self.key);
        public.verify(text.as_bytes(), signature).is_ok()
    }

    /// The key for openssl.
    pub fn pem(&self) -> String {
        pem(&[SPKI.as_slice(), &self.key].concat())
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let key = base64(&[&[self.kind], self.key.as_slice()].concat());
        write!(f, "{}+{id:08x}+{key}", self.name)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// The signer of checkpoints.
pub struct Signer {
    /// Its public key.
    pub vkey: Vkey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl Signer {
    /// A signer, whose name is made from its public key.
    pub fn new(seed: [u8; 32], name: impl FnOnce(&[u8; 32]) -> String) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let key = pair.public_key().as_ref().try_into().ok()?;
        let vkey = Vkey {
            name: name(&key),
            kind: LOG_KIND,
            key,
        };
        Some(Self { vkey, seed, pair })
    }

    /// The text of the key file: `PRIVATE+KEY+<name>+<key id>+<seed>`, as other
    /// signers of notes write it.
    pub fn text(&self) -> String {
        let seed = base64(&[&[LOG_KIND], self.seed.as_slice()].concat());
        let id = u32::from_be_bytes(self.vkey.id());
        format!("{PRIVATE}{}+{id:08x}+{seed}\n", self.vkey.name)
    }

    /// Reads a key file.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim_end().strip_prefix(PRIVATE)?.split_once('+')?;
        let seed = BASE64.decode(rest.split_once('+')?.1).ok()?;
        let seed = seed.strip_prefix(&[LOG_KIND])?.try_into().ok()?;
        let signer = Self::new(seed, |_| name.to_owned())?;
        (signer.text() == text && is_name(name)).then_some(signer)
    }

    /// Signs the size and the root of a tree.
    pub fn sign(&self, size: u64, root: Hash) -> Checkpoint {
        let name = &self.vkey.name;
        let body = format!("{name}\n{size}\n{}\n", base64(&root));
        let signature = self.pair.sign(body.as_bytes());
        let signature = base64(&[self.vkey.id().as_slice(), signature.as_ref()].concat());
        Checkpoint {
            origin: name.clone(),
            size,
            root,
            note: format!("{body}\n— {name} {signature}\n"),
        }
    }
}

/// A signed statement about a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The owner of the tree.
    pub origin: String,
    /// The number of leaves.
    pub size: u64,
    /// The root.
    pub root: Hash,
    /// The whole signed note.
    pub note: String,
}

impl Checkpoint {
    /// Reads a signed note; [`Self::verify`] checks the signature.
    pub fn parse(note: &str) -> Result<Self, String> {
        let wrong = |what: &str| format!("it is not a checkpoint: {what}");
        let (body, signatures) = note
            .split_once("\n\n")
            .ok_or_else(|| wrong("it has no signature"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| is_name(line));
        let origin = origin.ok_or_else(|| wrong("the first line is no origin"))?;
        let text = lines.next().unwrap_or_default();
        let size: u64 = text
            .parse()
            .ok()
            .filter(|size: &u64| size.to_string() == text)
            .ok_or_else(|| wrong("the second line is no number of events"))?;
        let root = lines.next().and_then(hash_of);
        let root = root.ok_or_else(|| wrong("the third line is no hash"))?;
        let is_signature = |line: &str| line.starts_with("— ");
        let signed = signatures.strip_suffix('\n');
        if !signed.is_some_and(|lines| lines.split('\n').all(is_signature)) {
            return Err(wrong("its signatures make no sense"));
        }
        Ok(Self {
            origin: origin.to_owned(),
            size,
            root,
            note: note.to_owned(),
        })
    }

    /// Whether the key has signed it.
    pub fn verify(&self, key: &Vkey) -> Result<(), String> {
        if key.name != self.origin {
            let (theirs, ours) = (&self.origin, &key.name);
            return Err(format!(
                "the checkpoint is of {theirs}, and the key of {ours}"
            ));
        }
        let (text, signatures) = self.parts();
        let signature = key.signature_in(signatures);
        match signature.is_some_and(|signature| key.has_signed(text, &signature)) {
            true => Ok(()),
            false => Err(format!("the checkpoint is not signed by {key}")),
        }
    }

    /// When a witness has signed it, in Unix seconds by the clock of the witness.
    pub fn cosigned(&self, witness: &Vkey) -> Result<u64, String> {
        let (text, signatures) = self.parts();
        let signature = witness.signature_in(signatures).ok_or_else(|| {
            format!(
                "the checkpoint has no signature of the witness {}",
                witness.name
            )
        })?;
        let time = signature.split_first_chunk().and_then(|(time, signature)| {
            let time = u64::from_be_bytes(*time);
            let signed = format!("cosignature/v1\ntime {time}\n{text}");
            witness.has_signed(&signed, signature).then_some(time)
        });
        time.ok_or_else(|| format!("the signature of the witness {} is wrong", witness.name))
    }

    /// Adds the signature of a witness, a line without its end.
    #[must_use]
    pub fn with_signature(mut self, line: &str) -> Self {
        self.note.push_str(line);
        self.note.push('\n');
        self
    }

    /// The names of its signers after the first, which is the log.
    pub fn witnesses(&self) -> Vec<&str> {
        let lines = self.parts().1.lines().skip(1);
        let names = lines.filter_map(|line| line.strip_prefix("— ")?.split(' ').next());
        names.collect()
    }

    /// The note as the log has signed it, without the signatures of witnesses.
    pub fn own_note(&self) -> &str {
        let (text, signatures) = self.parts();
        let first = signatures.split_inclusive('\n').next().unwrap_or_default();
        self.note
            .get(..text.len() + 1 + first.len())
            .unwrap_or(&self.note)
    }

    /// The text that is signed, and the lines of the signatures.
    fn parts(&self) -> (&str, &str) {
        let end = self
            .note
            .find("\n\n")
            .map_or(self.note.len(), |end| end + 1);
        let (text, signatures) = self.note.split_at(end);
        (text, signatures.strip_prefix('\n').unwrap_or_default())
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            origin, size, root, ..
        } = self;
        write!(f, "{origin} {size} {}", base64(root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_and_its_keys_are_those_of_the_format_and_nothing_else_is_accepted() {
        let signer = Signer::new([7; 32], |_| "profiletrail/00".to_owned()).unwrap();
        assert!(Signer::parse(&signer.text()).is_some());
        let vkey = signer.vkey.to_string();
        assert_eq!(Vkey::parse(&vkey), Ok(signer.vkey.clone()));
        let checkpoint = signer.sign(300, [9; 32]);
        assert_eq!(Checkpoint::parse(&checkpoint.note), Ok(checkpoint.clone()));
        assert_eq!(checkpoint.verify(&signer.vkey), Ok(()));
        assert_eq!(checkpoint.note.lines().count(), 5);
        for place in 0..checkpoint.note.len() {
            for bit in [0, 5, 7] {
                let mut bytes = checkpoint.note.clone().into_bytes();
                bytes[place] ^= 1 << bit;
                let read = String::from_utf8(bytes).map_err(|error| error.to_string());
                let checked = read
                    .and_then(|note| Checkpoint::parse(&note))
                    .and_then(|other| other.verify(&signer.vkey));
                assert!(checked.is_err(), "{place} {bit}");
            }
        }
        for place in 0..vkey.len() {
            let mut bytes = vkey.clone().into_bytes();
            bytes[place] ^= 1;
            let other = Vkey::parse(std::str::from_utf8(&bytes).unwrap());
            assert!(other.is_err(), "{place}");
        }
        let other = Signer::new([8; 32], |_| "profiletrail/00".to_owned()).unwrap();
        assert!(checkpoint.verify(&other.vkey).is_err());
        for note in [
            "",
            "\n\n",
            "a\n1\n\n— a b\n",
            "a\n01\n",
            "a\n1\nAA==\n\n— a b\n",
        ] {
            assert!(Checkpoint::parse(note).is_err(), "{note}");
        }
    }
}

//! Checkpoints: C2SP tlog-checkpoint, a signed note about the size and the root of a
//! tree, and the Ed25519 keys of signed notes.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};

use super::tree::Hash;

/// How the key of a signer begins as text.
const PRIVATE: &str = "PRIVATE+KEY+";

/// The byte of Ed25519 before a key.
const ED25519_KIND: u8 = 1;

/// What comes before the 32 bytes of an Ed25519 key as a `SubjectPublicKeyInfo`.
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// Bytes in base64, as notes and proofs have them.
pub fn base64(bytes: &[u8]) -> String {
    BASE64.encode(bytes)
}

/// A hash in base64; `None` unless it is written in the one right way.
pub fn hash_of(text: &str) -> Option<Hash> {
    BASE64.decode(text).ok()?.try_into().ok()
}

/// The public key of a signer: `<name>+<key id>+<key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vkey {
    /// The signer's name: the origin of its checkpoints.
    pub name: String,
    key: [u8; 32],
}

impl Vkey {
    fn id(&self) -> [u8; 4] {
        let mut hash = Sha256::new();
        hash.update(self.name.as_bytes());
        hash.update([b'\n', ED25519_KIND]);
        hash.update(self.key);
        let [a, b, c, d, ..]: [u8; 32] = hash.finalize().into();
        [a, b, c, d]
    }

    /// Reads a key that [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("{text:?} is not a verifier key: NAME+ID+KEY, as the file vkey of a proof has")
        };
        let mut parts = text.splitn(3, '+');
        let (name, _, key) = (parts.next(), parts.next(), parts.next());
        let key = BASE64
            .decode(key.unwrap_or_default())
            .map_err(|_| wrong())?;
        let key = key.strip_prefix(&[ED25519_KIND]).unwrap_or_default();
        let vkey = Self {
            name: name.unwrap_or_default().to_owned(),
            key: key.try_into().map_err(|_| wrong())?,
        };
        match vkey.to_string() == text && is_name(&vkey.name) {
            true => Ok(vkey),
            false => Err(wrong()),
        }
    }

    /// The key for openssl.
    pub fn pem(&self) -> String {
        let spki = [SPKI.as_slice(), &self.key].concat();
        format!(
            "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
            base64(&spki)
        )
    }
}

impl fmt::Display for Vkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = u32::from_be_bytes(self.id());
        let key = base64(&[&[ED25519_KIND], self.key.as_slice()].concat());
        write!(f, "{}+{id:08x}+{key}", self.name)
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// Who signs checkpoints.
pub struct Signer {
    /// Its public key.
    pub vkey: Vkey,
    seed: [u8; 32],
    pair: Ed25519KeyPair,
}

impl Signer {
    /// One whose name is made from its public key.
    pub fn new(seed: [u8; 32], name: impl FnOnce(&[u8; 32]) -> String) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).ok()?;
        let key = pair.public_key().as_ref().try_into().ok()?;
        let vkey = Vkey {
            name: name(&key),
            key,
        };
        Some(Self { vkey, seed, pair })
    }

    /// The text of the key file: `PRIVATE+KEY+<name>+<key id>+<seed>`, as other
    /// signers of notes write it.
    pub fn text(&self) -> String {
        let seed = base64(&[&[ED25519_KIND], self.seed.as_slice()].concat());
        let id = u32::from_be_bytes(self.vkey.id());
        format!("{PRIVATE}{}+{id:08x}+{seed}\n", self.vkey.name)
    }

    /// Reads a key file.
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.trim_end().strip_prefix(PRIVATE)?.split_once('+')?;
        let seed = BASE64.decode(rest.split_once('+')?.1).ok()?;
        let seed = seed.strip_prefix(&[ED25519_KIND])?.try_into().ok()?;
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
    /// Whose tree it is.
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
        let Some((body, signatures)) = self.note.split_once("\n\n") else {
            return Err("the checkpoint has no signature".to_owned());
        };
        let text = format!("{body}\n");
        let is_valid = |line: &str| {
            let rest = line.strip_prefix("— ")?.strip_prefix(key.name.as_str())?;
            let bytes = BASE64.decode(rest.strip_prefix(' ')?).ok()?;
            let signature = bytes.strip_prefix(&key.id())?;
            let public = UnparsedPublicKey::new(&ED25519, key.key);
            public.verify(text.as_bytes(), signature).ok()
        };
        match signatures.lines().any(|line| is_valid(line).is_some()) {
            true => Ok(()),
            false => Err(format!("the checkpoint is not signed by {key}")),
        }
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

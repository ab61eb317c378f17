//! Time stamps of a time-stamping authority: RFC 3161, whose answers are signed as RFC 5652
//! says.

use chrono::NaiveDateTime;
use der::asn1::{ObjectIdentifier, UintRef};
use der::{AnyRef, Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use sha2::{Digest, Sha256, Sha384, Sha512};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, KeyUsage};

const SHA_256: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.1");
const SHA_384: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.2");
const SHA_512: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.101.3.4.2.3");
const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const STAMP_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");

/// The purpose `timeStamping` of a certificate, 1.3.6.1.5.5.7.3.8.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

/// `[0]`.
const FIRST: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(0),
};

/// An authority's statement that some bytes existed at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The authority's answer, as it was received.
    pub der: Vec<u8>,
    /// The moment that it states, in Unix seconds.
    pub time: i64,
    imprint: Vec<u8>,
    nonce: Option<Vec<u8>>,
}

/// The request for a stamp of some bytes, and its nonce.
pub fn request(stamped: &[u8], nonce: [u8; 8]) -> der::Result<Vec<u8>> {
    let algorithm = sequence(&[SHA_256.to_der()?, vec![5, 0]])?;
    let hash = AnyRef::new(Tag::OctetString, &Sha256::digest(stamped))?.to_der()?;
    sequence(&[
        1_u8.to_der()?,
        sequence(&[algorithm, hash])?,
        UintRef::new(&nonce)?.to_der()?,
        // The answer is to have the certificate of the authority.
        true.to_der()?,
    ])
}

fn sequence(parts: &[Vec<u8>]) -> der::Result<Vec<u8>> {
    AnyRef::new(Tag::Sequence, &parts.concat())?.to_der()
}

/// The elements that follow each other in some bytes.
fn elements(bytes: &[u8]) -> Option<Vec<AnyRef<'_>>> {
    let (mut found, mut reader) = (Vec::new(), SliceReader::new(bytes).ok()?);
    while !reader.is_finished() {
        found.push(reader.decode().ok()?);
    }
    Some(found)
}

/// The elements of a sequence, a set, or a tagged element.
fn within<'a>(element: Option<&AnyRef<'a>>, tag: Tag) -> Option<Vec<AnyRef<'a>>> {
    elements(element.filter(|element| element.tag() == tag)?.value())
}

fn oid(element: Option<&AnyRef<'_>>) -> Option<ObjectIdentifier> {
    element?.decode_as().ok()
}

fn octets<'a>(element: Option<&AnyRef<'a>>) -> Option<&'a [u8]> {
    let element = element.filter(|element| element.tag() == Tag::OctetString)?;
    Some(element.value())
}

/// The signed part of an answer.
struct Signed<'a> {
    /// The signed statement.
    content: &'a [u8],
    certificates: Vec<CertificateDer<'a>>,
    /// The digest of the statement, and the other signed attributes.
    attributes: &'a [u8],
    digest: ObjectIdentifier,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// For the token of an answer.
    fn read(token: Option<&AnyRef<'a>>) -> Option<Self> {
        let token = within(token, Tag::Sequence)?;
        let signed = within(token.get(1), FIRST)?;
        let signed = within(signed.first(), Tag::Sequence)?;
        let content = within(signed.get(2), Tag::Sequence)?;
        let is_stamp = oid(token.first())? == SIGNED_DATA && oid(content.first())? == STAMP_INFO;
        let content = within(content.get(1), FIRST).filter(|_| is_stamp)?;
        let certificates = signed.get(3..)?.iter().filter(|part| part.tag() == FIRST);
        let mut der = Vec::new();
        for certificate in certificates
            .filter_map(|part| elements(part.value()))
            .flatten()
        {
            der.push(CertificateDer::from(certificate.to_der().ok()?));
        }
        let signers = within(signed.last(), Tag::Set)?;
        let signer = within(signers.first(), Tag::Sequence)?;
        let digest = within(signer.get(2), Tag::Sequence)?;
        let attributes = signer.get(3).filter(|part| part.tag() == FIRST)?;
        Some(Self {
            content: octets(content.first())?,
            certificates: der,
            attributes: attributes.value(),
            digest: oid(digest.first())?,
            signature: octets(signer.get(5))?,
        })
    }

    /// The value of a signed attribute.
    fn attribute(&self, kind: ObjectIdentifier) -> Option<AnyRef<'a>> {
        elements(self.attributes)?.iter().find_map(|attribute| {
            let attribute = within(Some(attribute), Tag::Sequence)?;
            let values = within(attribute.get(1), Tag::Set)?;
            let is_wanted = oid(attribute.first())? == kind;
            values.first().filter(|_| is_wanted).copied()
        })
    }

    /// Whether the attributes are those of the statement.
    fn has_digest(&self) -> bool {
        let hash = match self.digest {
            SHA_256 => Sha256::digest(self.content).to_vec(),
            SHA_384 => Sha384::digest(self.content).to_vec(),
            SHA_512 => Sha512::digest(self.content).to_vec(),
            _ => return false,
        };
        let digest = self.attribute(MESSAGE_DIGEST);
        octets(digest.as_ref()) == Some(&hash)
            && oid(self.attribute(CONTENT_TYPE).as_ref()) == Some(STAMP_INFO)
    }
}

impl Stamp {
    /// Reads an authority's answer. [`Self::verify`] checks its signature.
    pub fn parse(der: Vec<u8>) -> Result<Self, String> {
        let unread = || "the answer is no time stamp of RFC 3161".to_owned();
        let answer = AnyRef::from_der(&der).map_err(|_| unread())?;
        let answer = within(Some(&answer), Tag::Sequence).ok_or_else(unread)?;
        let status = within(answer.first(), Tag::Sequence).ok_or_else(unread)?;
        let code: u8 = status
            .first()
            .and_then(|code| code.decode_as().ok())
            .ok_or_else(unread)?;
        // 0: granted; 1: granted with changes.
        if code > 1 {
            let texts = within(status.get(1), Tag::Sequence).unwrap_or_default();
            let texts: Vec<_> = texts
                .iter()
                .map(|text| String::from_utf8_lossy(text.value()).into_owned())
                .collect();
            return Err(format!(
                "the authority refused, with status {code} {}",
                texts.join("; ")
            ));
        }
        let read = || {
            let signed = Signed::read(answer.get(1))?;
            let info = AnyRef::from_der(signed.content).ok()?;
            let info = within(Some(&info), Tag::Sequence)?;
            let imprint = within(info.get(2), Tag::Sequence)?;
            let algorithm = within(imprint.first(), Tag::Sequence)?;
            if oid(algorithm.first())? != SHA_256 {
                return None;
            }
            let imprint = octets(imprint.get(1))?.to_vec();
            let time = info.get(4)?;
            let text = std::str::from_utf8(time.value()).ok()?;
            let time = NaiveDateTime::parse_from_str(text, "%Y%m%d%H%M%S%.fZ").ok()?;
            let nonce = info
                .get(5..)?
                .iter()
                .find(|part| part.tag() == Tag::Integer);
            let nonce = nonce.map(|nonce| nonce.value().to_vec());
            Some((imprint, time.and_utc().timestamp(), nonce))
        };
        let (imprint, time, nonce) = read().ok_or_else(unread)?;
        Ok(Self {
            der,
            time,
            imprint,
            nonce,
        })
    }

    /// Whether it is of these bytes.
    pub fn is_of(&self, stamped: &[u8]) -> bool {
        self.imprint == Sha256::digest(stamped).as_slice()
    }

    /// Whether it answers a request with this nonce.
    pub fn has_nonce(&self, nonce: [u8; 8]) -> bool {
        let sent = UintRef::new(&nonce).and_then(|nonce| nonce.to_der());
        let sent = sent.ok();
        let read = sent.as_deref().and_then(|der| AnyRef::from_der(der).ok());
        read.is_some_and(|sent| self.nonce.as_deref() == Some(sent.value()))
    }

    /// Whether an authority that one of these certificates vouches for has signed it, with a
    /// certificate for time stamps.
    pub fn verify(&self, roots: &[CertificateDer<'_>]) -> Result<(), String> {
        let wrong = |what: &str| format!("the time stamp is not valid: {what}");
        let answer = AnyRef::from_der(&self.der)
            .ok()
            .and_then(|answer| within(Some(&answer), Tag::Sequence));
        let answer = answer.unwrap_or_default();
        let signed = Signed::read(answer.get(1)).ok_or_else(|| wrong("it has no signature"))?;
        if !signed.has_digest() {
            return Err(wrong("its signature is of something else"));
        }
        let attributes = AnyRef::new(Tag::Set, signed.attributes).and_then(|set| set.to_der());
        let attributes = attributes.map_err(|_| wrong("it has no signature"))?;
        let read = signed.certificates.iter().map(EndEntityCert::try_from);
        let signer = read.filter_map(Result::ok).find(|certificate| {
            ALL_VERIFICATION_ALGS.iter().any(|algorithm| {
                certificate
                    .verify_signature(*algorithm, &attributes, signed.signature)
                    .is_ok()
            })
        });
        let signer = signer.ok_or_else(|| wrong("none of the certificates in it has signed it"))?;
        let roots: Vec<TrustAnchor<'_>> = roots
            .iter()
            .filter_map(|root| webpki::anchor_from_trusted_cert(root).ok())
            .collect();
        let time = u64::try_from(self.time).map_err(|_| wrong("its time makes no sense"))?;
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(time));
        let purpose = KeyUsage::required(TIME_STAMPING);
        let others = &signed.certificates;
        let verified = signer.verify_for_usage(
            ALL_VERIFICATION_ALGS,
            &roots,
            others,
            time,
            purpose,
            None,
            None,
        );
        match verified {
            Ok(_) => Ok(()),
            Err(error) => Err(wrong(&format!(
                "the authority's certificate is not accepted: {error}"
            ))),
        }
    }
}

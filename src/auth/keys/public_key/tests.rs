//! Keys and signatures of the sender's own library, and records that must be refused.

use proptest::prelude::*;

use super::*;
use crate::auth::keys::KeyDomain;

const RECORDS: &str = include_str!("../../../../tests/fixtures/signed/dns-records.tsv");

fn name() -> KeyName {
    KeyName::below("one._domainkey.copernica.com", &KeyDomain::default()).unwrap()
}

fn published(name: &str) -> &'static str {
    let mut lines = RECORDS.lines().filter_map(|line| line.split_once('\t'));
    lines.find(|(of, _)| *of == name).unwrap().1
}

fn one() -> &'static str {
    published("one._domainkey.copernica.com")
}

fn key(record: &str) -> Result<PublicKey, KeyError> {
    PublicKey::from_record(&name(), record)
}

#[test]
fn takes_records_as_publishers_write_them() {
    let p = one().split_once("p=").unwrap().1;
    let der = key(one()).unwrap().der;
    let (first, rest) = p.split_at(100);
    for record in [
        format!("p={p}"),
        format!("v=DKIM1;p={p};"),
        format!(" v = DKIM1 ; k = rsa ; h=sha1 : sha256; t=y:s; s=email; n=a note; p = {p} ; "),
        format!("k=rsa; zz_9=unknown; p={first} \t\r\n {rest}"),
        format!("p={}", p.trim_end_matches('=')),
    ] {
        let key = key(&record).unwrap();
        assert_eq!(key.der, der);
        assert_eq!(key.record, record);
    }
}

#[test]
fn refuses_records_that_are_no_key_to_verify_with() {
    let p = one().split_once("p=").unwrap().1;
    for record in [
        String::new(),
        "v=spf1 -all".to_owned(),
        "v=DKIM1; k=rsa".to_owned(),
        "v=DKIM1; k=rsa; p=".to_owned(),
        "v=DKIM1; k=rsa; p= \t".to_owned(),
        format!("v=DKIM2; p={p}"),
        format!("v=dkim1; p={p}"),
        format!("k=rsa; v=DKIM1; p={p}"),
        format!("v=DKIM1; k=ed25519; p={p}"),
        format!("v=DKIM1; k=RSA; p={p}"),
        format!("v=DKIM1; h=sha1; p={p}"),
        format!("v=DKIM1; p={p}; p={p}"),
        format!("v=DKIM1; p=*{p}"),
        format!("v=DKIM1; p={}", &p[..p.len() - 8]),
        format!("v=DKIM1; p={}AAAA", p.trim_end_matches('=')),
        format!("v=DKIM1; P={p}"),
    ] {
        assert!(
            matches!(key(&record), Err(KeyError::Unusable(_))),
            "{record}"
        );
    }
}

/// One value in DER.
fn value(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap().to_be_bytes();
    let head = match content.len() {
        0..=127 => vec![tag, len[1]],
        128..=255 => vec![tag, 0x81, len[1]],
        _ => vec![tag, 0x82, len[0], len[1]],
    };
    [head.as_slice(), content].concat()
}

fn integer(number: &[u8]) -> Vec<u8> {
    let is_negative = number.first().is_none_or(|byte| *byte >= 0x80);
    let sign: &[u8] = if is_negative { &[0] } else { &[] };
    value(2, &[sign, number].concat())
}

/// `1.2.840.113549.1.1.1` with NULL.
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
/// The same for RSASSA-PSS.
const PSS: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0a\x05\x00";

fn record(algorithm: &[u8], modulus: &[u8], exponent: &[u8]) -> String {
    let key = value(0x30, &[integer(modulus), integer(exponent)].concat());
    let key = value(3, &[&[0], key.as_slice()].concat());
    let info = value(0x30, &[value(0x30, algorithm), key].concat());
    format!("v=DKIM1; k=rsa; p={}", BASE64.encode(info))
}

/// An odd number with this many bits.
fn modulus(bits: usize) -> Vec<u8> {
    let mut bytes = vec![0x5a; bits.div_ceil(8)];
    let top = (bits - 1) % 8;
    bytes[0] = 1 << top;
    *bytes.last_mut().unwrap() |= 1;
    bytes
}

#[test]
fn bounds_the_modulus_and_the_exponent() {
    let f4 = [1, 0, 1];
    for bits in [1024, 1025, 2047, 2048, 4096, 8192] {
        let key = key(&record(RSA, &modulus(bits), &f4)).unwrap();
        assert_eq!(key.bits, bits);
        // Made up, but one that the verifier takes and finds nothing signed with.
        assert!(!key.verify(b"message", &vec![1; bits.div_ceil(8)]));
    }
    let good = modulus(2048);
    let mut even = good.clone();
    *even.last_mut().unwrap() -= 1;
    for exponent in [&[3][..], &[17], &[1, 0xff, 0xff, 0xff, 0xff]] {
        assert!(key(&record(RSA, &good, exponent)).is_ok(), "{exponent:?}");
    }
    // Without the NULL.
    assert!(key(&record(&RSA[..11], &good, &f4)).is_ok());
    for wrong in [
        record(RSA, &modulus(512), &f4),
        record(RSA, &modulus(1023), &f4),
        record(RSA, &modulus(8193), &f4),
        record(RSA, &even, &f4),
        record(RSA, &[], &f4),
        record(RSA, &good, &[1]),
        record(RSA, &good, &[2]),
        record(RSA, &good, &[1, 0, 0]),
        record(RSA, &good, &[]),
        record(RSA, &good, &[2, 0, 0, 0, 1]),
        record(RSA, &good, &good),
        record(PSS, &good, &f4),
        record(&[&RSA[..11], &integer(&f4)].concat(), &good, &f4),
    ] {
        assert!(matches!(key(&wrong), Err(KeyError::Unusable(_))), "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*", any in any::<String>(), cut in 0..400_usize) {
        for text in [text.clone(), any, format!("v=DKIM1; k=rsa; p={text}")] {
            let _ = key(&text);
        }
        // A good record with any bytes removed or inserted is a complete key or none.
        let good = one();
        let cut = cut % good.len();
        let (left, right) = good.split_at(cut);
        for text in [left.to_owned(), right.to_owned(), format!("{left}{text}{right}")] {
            if let Ok(key) = key(&text) {
                prop_assert!(BITS.contains(&key.bits));
                prop_assert!(!key.verify(b"", text.as_bytes()));
            }
        }
    }

    #[test]
    fn no_der_makes_it_panic(der in prop::collection::vec(any::<u8>(), 0..400), at in 0..294_usize, byte: u8) {
        let _ = key(&format!("p={}", BASE64.encode(&der)));
        let mut der = key(one()).unwrap().der;
        der[at] = byte;
        if let Ok(key) = key(&format!("p={}", BASE64.encode(&der))) {
            prop_assert!(!key.verify(b"", &[1; 256]));
        }
    }
}

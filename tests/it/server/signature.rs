//! Who is taken for Copernica: the calls made by the sender's own library, and
//! forged variants of everything that is checked.

use std::collections::HashMap;

use crate::support::signer;
use crate::support::signer::{ACCOUNT, Call, HOST, KEY_NAME, Key, digest, http_date};
use crate::support::{fixture, fixture_path};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use profiletrail::auth::keys::{KeyDomain, KeyName, PublicKey};
use profiletrail::auth::signature::{Evidence, Head, Policy, Proof, Refusal};
use proptest::prelude::*;

const NOW: i64 = 1_763_892_005; // 2025-11-23T10:00:05Z

fn policy() -> Policy {
    Policy {
        required: true,
        accounts: vec![ACCOUNT.parse().unwrap()],
        hosts: vec![HOST.parse().unwrap()],
        max_age: 60,
        key_domain: KeyDomain::default(),
    }
}

/// Judges a whole request at [`NOW`], with the keys that are published.
fn judge(
    policy: &Policy,
    request: &[u8],
    keys: &HashMap<String, String>,
) -> Result<Option<Proof>, Refusal> {
    let end = request
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap()
        + 4;
    let (head, body) = request.split_at(end);
    let head = Head::parse(head).unwrap();
    let Some(claim) = policy.check(&head, Some(body), NOW)? else {
        return Ok(None);
    };
    let record = keys.get(claim.key.as_str()).ok_or(Refusal::NoKey)?;
    let key = PublicKey::from_record(&claim.key, record).map_err(|_| Refusal::NoKey)?;
    let proof = claim.verify_signature(&key, NOW)?;
    let proof = claim.wrong_date.map_or(Ok(proof), Err)?;
    assert_eq!(proof.check(body), Ok(()));
    Ok(Some(proof))
}

fn published() -> HashMap<String, String> {
    fixture("signed/dns-records.tsv")
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split_once('\t').unwrap())
        .map(|(name, record)| (name.to_owned(), record.to_owned()))
        .collect()
}

#[test]
fn the_senders_own_calls_are_judged_as_they_must_be() {
    let expected = [
        ("valid-2048", Ok(())),
        ("valid-1024", Ok(())),
        ("body-tampered", Err(Refusal::Digest)),
        ("digest-of-another-body", Err(Refusal::Digest)),
        ("no-signature", Err(Refusal::Unsigned)),
        ("host-not-signed", Err(Refusal::NotCovered("host"))),
        ("date-not-signed", Err(Refusal::NotCovered("date"))),
        ("digest-not-signed", Err(Refusal::NotCovered("digest"))),
        (
            "account-not-signed",
            Err(Refusal::NotCovered("x-copernica-id")),
        ),
        ("wrong-account", Err(Refusal::Account)),
        ("wrong-host", Err(Refusal::Host)),
        ("stale-date", Err(Refusal::Stale(605))),
        ("signed-with-another-key", Err(Refusal::Wrong)),
        ("key-outside-copernica", Err(Refusal::KeyName)),
    ];
    let files = std::fs::read_dir(fixture_path("signed")).unwrap();
    let calls = files.filter(|file| file.as_ref().unwrap().path().extension().unwrap() == "http");
    assert_eq!(calls.count(), expected.len());
    let keys = published();
    for (name, expected) in expected {
        let request = std::fs::read(fixture_path(&format!("signed/{name}.http"))).unwrap();
        let judged = judge(&policy(), &request, &keys);
        assert_eq!(
            judged.map(|proof| assert!(proof.is_some())),
            expected,
            "{name}"
        );
    }
}

/// Judges what a key signed whose record is published.
fn judge_own(request: &[u8]) -> Result<Option<Proof>, Refusal> {
    let key = Key::new("sender-2048");
    let keys = HashMap::from([(KEY_NAME.to_owned(), key.record())]);
    judge(&policy(), request, &keys)
}

fn call() -> Call {
    Call::new("type=update&profile=1&fields[a]=b", NOW - 5)
}

#[test]
fn what_is_covered_and_what_is_said_may_be_written_in_other_ways() {
    let key = Key::new("sender-2048");
    let good = [
        call(),
        call().set("X-Copernica-ID", "account-1234"),
        call().set("Host", "HOOKS.example.com:443"),
        call().set("Date", http_date(NOW - 60)),
        call().set("Date", http_date(NOW + 60)),
        call().covering("digest x-copernica-id date host (request-target)"),
        call().key_id("ONE._domainkey.Copernica.com"),
        call().set("Digest", format!("MD5=AAAA, {}", digest(&call().body))),
        call().set("Digest", digest(&call().body).replace("SHA-256", "sha-256")),
    ];
    for call in good {
        let judged = judge_own(&call.signed(&key));
        assert!(
            judged.as_ref().is_ok_and(Option::is_some),
            "{judged:?}: {}",
            call.text()
        );
    }
    let mut labelled = call();
    labelled.target = "/webhook/crm?x=1".to_owned();
    assert!(judge_own(&labelled.signed(&key)).is_ok());
}

#[test]
fn every_check_refuses_what_is_forged() {
    let key = Key::new("sender-2048");
    let other = Key::new("other-2048");
    let refused = |request: Vec<u8>, expected: Refusal| {
        assert_eq!(
            judge_own(&request),
            Err(expected),
            "{}",
            String::from_utf8_lossy(&request)
        );
    };
    let signed = |call: Call| call.signed(&key);
    let good = call();
    // Signed well, but not for here or not now.
    refused(
        signed(call().set("X-Copernica-ID", "account_12345")),
        Refusal::Account,
    );
    refused(
        signed(call().set("X-Copernica-ID", "account_1234, account_5")),
        Refusal::Account,
    );
    refused(
        signed(call().set("Host", "hooks.example.com.evil.net")),
        Refusal::Host,
    );
    refused(
        signed(call().set("Date", http_date(NOW - 61))),
        Refusal::Stale(61),
    );
    refused(
        signed(call().set("Date", http_date(NOW + 61))),
        Refusal::Ahead(61),
    );
    refused(
        signed(call().set("Date", "now")),
        Refusal::Malformed("the date is malformed"),
    );
    refused(
        signed(call().set("Digest", digest(b"another"))),
        Refusal::Digest,
    );
    refused(
        signed(call().set(
            "Digest",
            format!("{}, {}", digest(&good.body), digest(b"x")),
        )),
        Refusal::Digest,
    );
    let md5 = signed(call().set("Digest", "MD5=AAAA"));
    refused(md5, Refusal::Malformed("the digest is not ALGORITHM=VALUE"));
    for name in [
        "(request-target)",
        "host",
        "date",
        "x-copernica-id",
        "digest",
    ] {
        let covered = signer::COVERED
            .split(' ')
            .filter(|covered| *covered != name);
        let covered = covered.collect::<Vec<_>>().join(" ");
        refused(signed(call().covering(&covered)), Refusal::NotCovered(name));
    }
    refused(
        signed(call().covering(&format!("{} x-more", signer::COVERED))),
        Refusal::NotSent,
    );
    for name in [
        "copernica.com",
        "one.evilcopernica.com",
        "one.copernica.com.evil.net",
        "one..copernica.com",
        "one.copernica.com.",
        "",
    ] {
        refused(signed(call().key_id(name)), Refusal::KeyName);
    }
    refused(
        signed(call().key_id("two._domainkey.copernica.com")),
        Refusal::NoKey,
    );
    // Signed by somebody else, or otherwise.
    refused(call().signed(&other), Refusal::Wrong);
    refused(
        good.with(&good.signature(&key.sign_sha512(&good.text()))),
        Refusal::Wrong,
    );
    refused(
        good.with(&good.signature(&key.sign("another text"))),
        Refusal::Wrong,
    );
    let mut flipped = key.sign(&good.text());
    flipped[17] ^= 1;
    refused(good.with(&good.signature(&flipped)), Refusal::Wrong);
    for len in [1, 128, 255, 257, 512] {
        let mut bytes = key.sign(&good.text());
        bytes.resize(len, 0);
        refused(good.with(&good.signature(&bytes)), Refusal::Wrong);
    }
    // The public key taken for a secret that two know.
    let secret = STANDARD.decode(key.public()).unwrap();
    let secret = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &secret);
    let mac = ring::hmac::sign(&secret, good.text().as_bytes());
    refused(good.with(&good.signature(mac.as_ref())), Refusal::Wrong);
    let claimed = good
        .signature(mac.as_ref())
        .replace("rsa-sha256", "hmac-sha256");
    refused(good.with(&claimed), Refusal::Algorithm);
    // A signature of one call on another.
    let signature = good.signature(&key.sign(&good.text()));
    let moved = |change: &dyn Fn(&mut Call)| {
        let mut call = call();
        change(&mut call);
        call.with(&signature)
    };
    refused(
        moved(&|call| call.target = "/webhook/other".to_owned()),
        Refusal::Wrong,
    );
    refused(moved(&|call| call.body[0] = b'T'), Refusal::Digest);
    refused(
        moved(&|call| *call = call.clone().set("Date", http_date(NOW - 4))),
        Refusal::Wrong,
    );
    refused(
        moved(&|call| *call = call.clone().set("X-Nonce", "another")),
        Refusal::Wrong,
    );
    let mut put = good.with(&signature);
    put.splice(..4, *b"PUT");
    refused(put, Refusal::Wrong);
    // What decides is there twice: two readers could differ.
    for (name, value) in [
        ("Host", HOST.to_owned()),
        ("Date", http_date(NOW - 5)),
        ("X-Copernica-ID", ACCOUNT.to_owned()),
        ("Digest", digest(&good.body)),
    ] {
        let mut twice = call();
        twice.headers.push((name.to_ascii_lowercase(), value));
        let judged = judge_own(&twice.signed(&key));
        assert!(
            matches!(judged, Err(Refusal::Twice(_))),
            "{name}: {judged:?}"
        );
    }
    let mut twice = good.clone();
    twice
        .headers
        .push(("Signature".to_owned(), signature.clone()));
    twice.headers.push(("signature".to_owned(), signature));
    refused(twice.unsigned(), Refusal::Twice("Signature"));
}

#[test]
fn without_a_signature_a_call_is_taken_where_none_is_required() {
    let optional = Policy {
        required: false,
        ..policy()
    };
    let none = HashMap::new();
    assert_eq!(judge(&optional, &call().unsigned(), &none), Ok(None));
    assert_eq!(
        judge(&policy(), &call().unsigned(), &none),
        Err(Refusal::Unsigned)
    );
    // One that is there must be good all the same.
    let empty = call().set("Signature", "").unsigned();
    assert!(matches!(
        judge(&optional, &empty, &none),
        Err(Refusal::Malformed(_))
    ));
}

#[test]
fn a_body_that_was_not_taken_whole_is_not_judged_good() {
    let request = call().signed(&Key::new("sender-2048"));
    let head = Head::parse(&request).unwrap();
    let judged = policy().check(&head, None, NOW);
    assert!(matches!(judged, Err(Refusal::NotWhole)));
}

#[test]
fn evidence_reads_what_was_kept_and_proves_its_body_alone() {
    let key = Key::new("sender-2048");
    let body = call().body;
    for call in [
        call(),
        call().set("Digest", format!("MD5=AAAA, {}", digest(&body))),
    ] {
        let proof = judge_own(&call.signed(&key)).unwrap().unwrap();
        let evidence = Evidence::Proof(Box::new(proof.clone()));
        let bytes = evidence.encode(&body).unwrap();
        assert_eq!(Evidence::decode(&bytes, &body), Ok(evidence));
        assert_eq!(Evidence::is_verified(&bytes), Some(true));
        assert_eq!(proof.date(), Some(NOW - 5));
        // With another body the digest is another, and so the text.
        let Ok(Evidence::Proof(moved)) = Evidence::decode(&bytes, b"another body") else {
            panic!("it is a proof still");
        };
        assert!(moved.check(b"another body").is_err() && moved.check(&body).is_err());
        for len in 0..bytes.len() {
            assert!(Evidence::decode(&bytes[..len], &body).is_err());
        }
    }
    for (evidence, verified) in [
        (Evidence::Unsigned, false),
        (Evidence::VerifiedElsewhere, true),
    ] {
        let bytes = evidence.encode(b"").unwrap();
        assert_eq!(Evidence::decode(&bytes, b"x"), Ok(evidence));
        assert_eq!(Evidence::is_verified(&bytes), Some(verified));
    }
    let other = PublicKey::from_record(
        &KeyName::below(KEY_NAME, &KeyDomain::default()).unwrap(),
        &Key::new("other-2048").record(),
    );
    let mut forged = judge_own(&call().signed(&key)).unwrap().unwrap();
    forged.record = other.unwrap().record;
    assert_eq!(forged.check(&body), Err(Refusal::Wrong));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        request in proptest::collection::vec(any::<u8>(), 0..300),
        cut in 0usize..900,
        flips in proptest::collection::vec((0usize..900, any::<u8>()), 0..4),
    ) {
        let _ = Head::parse(&request);
        let _ = Evidence::decode(&request, b"body");
        let mut signed = call().with(&call().signature(&[7; 256]));
        for (place, byte) in flips {
            let place = place % signed.len();
            signed[place] = byte;
        }
        signed.truncate(cut.max(1));
        if let Some(head) = Head::parse(&signed) {
            let _ = policy().check(&head, Some(b"body"), NOW);
        }
    }
}

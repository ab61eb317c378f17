//! The fuzz target of signatures and evidence.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken promise must end the run of a target"
)]

use super::{Evidence, Head, Policy, Refusal};
use crate::auth::keys::KeyDomain;

/// When the calls of the corpus were signed, in Unix seconds.
const NOW: i64 = 1_763_892_005;

/// Verifies a call. The first two bytes are the length of the body after the head,
/// limited to the bytes present.
///
/// Invariants: nothing panics; a signature that is valid except for its key covers
/// every required component exactly once; nothing is accepted without a signature
/// where one is required; evidence that was read is written unchanged.
pub fn signature(bytes: &[u8]) {
    evidence(bytes);
    let Some((len, rest)) = bytes.split_first_chunk() else {
        return;
    };
    let len = usize::from(u16::from_le_bytes(*len)).min(rest.len());
    let (head, body) = rest.split_at(rest.len() - len);
    let Some(head) = Head::parse(head) else {
        return;
    };
    let policy = |required| Policy {
        required,
        accounts: vec!["account_1234".parse().expect("an account")],
        hosts: vec!["hooks.example.com".parse().expect("a host")],
        max_age: 60,
        key_domain: KeyDomain::default(),
    };
    let judged = policy(true).check(&head, Some(body), NOW);
    match (&judged, policy(false).check(&head, Some(body), NOW)) {
        (Ok(Some(claim)), Ok(Some(_))) => {
            for line in [
                "(request-target): ",
                "host: ",
                "date: ",
                "x-copernica-id: ",
                "digest: ",
            ] {
                let lines = claim.text.split('\n');
                assert_eq!(lines.filter(|found| found.starts_with(line)).count(), 1);
            }
            assert_eq!(claim.wrong_date.is_none(), (claim.date - NOW).abs() <= 60);
            assert!(claim.key.as_str().ends_with(".copernica.com"));
        }
        (Err(Refusal::Unsigned), Ok(None)) => {}
        (Err(one), Err(other)) => assert_eq!(*one, other),
        (required, optional) => panic!("{required:?} and {optional:?}"),
    }
}

fn evidence(bytes: &[u8]) {
    if let Ok(evidence) = Evidence::decode(bytes, b"body") {
        assert!(Evidence::is_verified(bytes).is_some());
        let encoded = evidence.encode(b"body").expect("it was read");
        assert_eq!(Evidence::decode(&encoded, b"body"), Ok(evidence));
    }
}

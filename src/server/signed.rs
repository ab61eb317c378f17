//! Checking who sent a call, before anything of it is kept.
//!
//! What needs no key is judged at once, in the worker; so is the signature,
//! where its key is known, which nearly always it is. A call whose key is to be
//! looked up waits on the key ring's thread, not on a worker's, and is judged
//! there when the answer has come. What waits is bounded by the ring.
//!
//! Left out are what is judged and how ([`crate::auth::signature`]), and where keys
//! come from ([`crate::auth::keys`]).

use std::sync::Arc;

use super::refusals::Refusals;
use crate::auth::keys::{KeyError, KeyRing, Lookup, PublicKey};
use crate::auth::signature::{Admitted, Claim, Evidence, Head, Judged, Policy, Refusal, Replays};
use crate::event::now_micros;
use crate::store::{Trail, TrailError};

/// Who checks calls; clones share everything.
#[derive(Clone)]
pub(super) struct Checker {
    policy: Arc<Policy>,
    keys: KeyRing,
    replays: Replays,
    refusals: Arc<Refusals>,
}

/// What a call was found to be.
pub(super) enum Checked {
    /// It may be kept, with this evidence.
    Good(Evidence, Admitted),
    /// It is not taken.
    Refused(Refusal),
    /// Its key must be looked up first.
    KeyWanted(Box<Claim>),
}

/// The present second.
fn now() -> i64 {
    now_micros().div_euclid(1_000_000)
}

impl Checker {
    /// A checker that knows the messages that a trail has from the time in
    /// which they could be sent again.
    pub fn new(
        policy: Policy,
        keys: KeyRing,
        refusals: Arc<Refusals>,
        trail: &Trail,
    ) -> Result<Self, TrailError> {
        let replays = Replays::default();
        // A date may be as far ahead of its receipt as it may be behind.
        let since = now().saturating_sub(policy.max_age.saturating_mul(2));
        trail.each_proof_since(since.saturating_mul(1_000_000), |proof| {
            if let Some(date) = proof.date() {
                replays.note(&proof.text, policy.expires(date));
            }
        })?;
        Ok(Self {
            policy: Arc::new(policy),
            keys,
            replays,
            refusals,
        })
    }

    /// Judges a call: its head as it came, and its body, or `None` where that
    /// was not taken whole.
    pub fn check(&self, head: &[u8], body: Option<&[u8]>, remote: Option<&str>) -> Checked {
        let now = now();
        let malformed = Refusal::Malformed("the head is none");
        let judged = Head::parse(head)
            .ok_or(malformed)
            .and_then(|head| self.policy.judge(&head, body, now));
        match judged {
            Ok(Judged::Unsigned) => Checked::Good(Evidence::Unsigned, None),
            Ok(Judged::Signed(claim)) => match self.keys.get(claim.key()) {
                // It may have been changed since it was looked up.
                Lookup::Key(key) if claim.verify(&key, now).is_err() && self.keys.doubted(&key) => {
                    Checked::KeyWanted(claim)
                }
                Lookup::Key(key) => self.verified(&claim, Ok(key), remote),
                Lookup::Refused(error) => self.verified(&claim, Err(error), remote),
                Lookup::Unknown => Checked::KeyWanted(claim),
            },
            Err(refusal) => self.refuse(refusal, None, remote),
        }
    }

    /// Has the key of a claim looked up and judges by it; `then` is called on
    /// the key ring's thread, or dropped where too much is looked up already.
    pub fn when_key_comes(
        &self,
        claim: Box<Claim>,
        remote: Option<String>,
        then: impl FnOnce(Checked) + Send + 'static,
    ) {
        let checker = self.clone();
        let name = claim.key().clone();
        let asker = remote.clone().unwrap_or_default();
        let judge = move |found: Result<Arc<PublicKey>, KeyError>| {
            then(checker.verified(&claim, found, remote.as_deref()));
        };
        if let Err(busy) = self.keys.look_up(name, &asker, Box::new(judge)) {
            self.refusals
                .note(Refusal::KeyUnknown, &busy.to_string(), Some(&asker));
        }
    }

    /// Judges by the key, or by why there is none.
    fn verified(
        &self,
        claim: &Claim,
        found: Result<Arc<PublicKey>, KeyError>,
        remote: Option<&str>,
    ) -> Checked {
        let key = match found {
            Ok(key) => key,
            Err(error) => {
                let refusal = match error.may_pass() {
                    true => Refusal::KeyUnknown,
                    false => Refusal::NoKey,
                };
                let what = format!("{}: {error}", claim.key());
                return self.refuse(refusal, Some(&what), remote);
            }
        };
        let now = now();
        let proof = match claim.verify(&key, now) {
            Ok(proof) => proof,
            Err(refusal) => {
                return self.refuse(refusal, Some(claim.key().as_str()), remote);
            }
        };
        self.keys.seen_valid(&key);
        self.refusals.saw_age(now.saturating_sub(claim.date()));
        let expires = self.policy.expires(claim.date());
        match self.replays.admit(claim.text(), expires, now) {
            Ok(admission) => Checked::Good(Evidence::Proof(Box::new(proof)), Some(admission)),
            Err(refusal) => self.refuse(refusal, None, remote),
        }
    }

    fn refuse(&self, refusal: Refusal, what: Option<&str>, remote: Option<&str>) -> Checked {
        let dated = match refusal {
            Refusal::Stale(age) => Some(format!("{age} s ago by this machine's clock")),
            Refusal::Ahead(by) => Some(format!("{by} s ahead of this machine's clock")),
            _ => None,
        };
        let what = dated.as_deref().or(what);
        self.refusals
            .note(refusal, what.unwrap_or_default(), remote);
        Checked::Refused(refusal)
    }
}

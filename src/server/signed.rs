//! Checks the sender of a call before it is kept.
//!
//! [`Checker::check`] makes the cheap checks that need no key; [`Checker::verify`] verifies the
//! signature once, on any free worker. A call whose key must be looked up waits for the key ring,
//! not on a worker; the ring bounds how many wait.
//!
//! Not here: the policy ([`crate::auth::signature`]) and the keys ([`crate::auth::keys`]).

use std::sync::Arc;

use super::refusals::Refusals;
use crate::auth::keys::{KeyError, KeyResult, KeyRing, PublicKey};
use crate::auth::signature::{Admission, Claim, Head, Policy, Proof, Refusal, Replays};
use crate::event::now_seconds;
use crate::store::{Trail, TrailError};

/// Checks calls; clones share everything.
#[derive(Clone)]
pub(super) struct Checker {
    policy: Arc<Policy>,
    keys: KeyRing,
    replays: Replays,
    refusals: Arc<Refusals>,
}

/// A call with a valid signature.
pub(super) struct Verified {
    pub proof: Proof,
    pub admission: Admission,
    /// Why it is kept as rejected all the same: its date is wrong.
    pub fault: Option<Refusal>,
}

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;

impl Checker {
    /// A checker that knows the signed messages in the trail that could be sent again, and
    /// those in `replays`.
    pub fn new(
        policy: Policy,
        keys: KeyRing,
        refusals: Arc<Refusals>,
        trail: &Trail,
        replays: Replays,
    ) -> Result<Self, TrailError> {
        let checker = Self {
            policy: Arc::new(policy),
            keys,
            replays,
            refusals,
        };
        checker.note_events(trail)?;
        Ok(checker)
    }

    /// Takes in the signed messages that are events of the trail and could be sent again.
    pub fn note_events(&self, trail: &Trail) -> Result<(), TrailError> {
        // A date may be as far ahead of its receipt as it may be behind.
        let since = now_seconds().saturating_sub(self.policy.max_age.saturating_mul(2));
        trail.each_proof_since(since.saturating_mul(1_000_000), |seq, proof| {
            if let Some(date) = proof.date() {
                let expires = self.policy.expires(date);
                self.replays.note(&proof.text, expires, seq);
            }
        })
    }

    /// Checks all that needs no key. `head` is the request's head as received; `body` is `None` if
    /// it was not received whole. `None` if it has no signature, and needs none.
    pub fn check(
        &self,
        head: &[u8],
        body: Option<&[u8]>,
        remote: Option<&str>,
    ) -> Result<Option<Box<Claim>>, Refusal> {
        let malformed = Refusal::Malformed("the head is not HTTP");
        let head = Head::parse(head).ok_or_else(|| self.refuse(malformed, None, remote))?;
        let checked = self.policy.check(&head, body, now_seconds());
        checked.map_err(|refusal| {
            // The receiver may have forgotten to set the value that the call named.
            let named = match refusal {
                Refusal::Account => head.one("X-Copernica-ID"),
                Refusal::Host => head.one("Host"),
                _ => Ok(None),
            };
            let named = named.ok().flatten().map(|name| {
                let name: String = name.chars().take(100).collect();
                format!("{name:?}")
            });
            self.refuse(refusal, named.as_deref(), remote)
        })
    }

    /// Verifies a claim's signature and calls `then`: at once if the key is cached, else on the
    /// key ring's thread. `then` is dropped if too many keys are being looked up.
    pub fn verify(
        &self,
        claim: Box<Claim>,
        remote: Option<String>,
        then: impl FnOnce(Result<Verified, Refusal>) + Send + 'static,
    ) {
        match self.keys.get(&claim.key) {
            Some(Ok(key)) => match claim.verify_signature(&key, now_seconds()) {
                // Another key may have been published since.
                Err(Refusal::Wrong) if self.keys.recheck(&key) => {}
                result => return then(self.admit(&claim, &key, result, remote.as_deref())),
            },
            Some(Err(error)) => {
                return then(Err(self.no_key(&claim, &error, remote.as_deref())));
            }
            None => {}
        }
        let (checker, name, address) = (self.clone(), claim.key.clone(), remote.clone());
        let judge = move |found: KeyResult| {
            let remote = remote.as_deref();
            then(match found {
                Err(error) => Err(checker.no_key(&claim, &error, remote)),
                Ok(key) => {
                    let result = claim.verify_signature(&key, now_seconds());
                    checker.admit(&claim, &key, result, remote)
                }
            });
        };
        if let Err(busy) = self.keys.look_up(name, Box::new(judge)) {
            let address = address.as_deref();
            self.refusals
                .note(Refusal::KeyUnknown, &busy.to_string(), address);
        }
    }

    /// Turns a verification into the evidence to keep, unless the message was received
    /// before.
    fn admit(
        &self,
        claim: &Claim,
        key: &PublicKey,
        result: Result<Proof, Refusal>,
        remote: Option<&str>,
    ) -> Result<Verified, Refusal> {
        let proof =
            result.map_err(|refusal| self.refuse(refusal, Some(claim.key.as_str()), remote))?;
        self.keys.mark_verified(key);
        let now = now_seconds();
        *self.refusals.last_age.lock() = Some(now.saturating_sub(claim.date));
        let fault = claim.wrong_date;
        let expires = match fault {
            None => self.policy.expires(claim.date),
            // It is kept as rejected, once a day at most.
            Some(fault) => {
                self.refuse(fault, None, remote);
                (now / DAY + 1) * DAY
            }
        };
        match self.replays.admit(&claim.text, expires, now) {
            Ok(admission) => Ok(Verified {
                proof,
                admission,
                fault,
            }),
            // An honest sender that missed the answer sends the same message again.
            Err(refusal @ Refusal::Replay(_)) => Err(refusal),
            Err(refusal) => Err(self.refuse(refusal, None, remote)),
        }
    }

    fn no_key(&self, claim: &Claim, error: &KeyError, remote: Option<&str>) -> Refusal {
        let refusal = match error.is_temporary() {
            true => Refusal::KeyUnknown,
            false => Refusal::NoKey,
        };
        let detail = format!("{}: {error}", claim.key);
        self.refuse(refusal, Some(&detail), remote)
    }

    fn refuse(&self, refusal: Refusal, detail: Option<&str>, remote: Option<&str>) -> Refusal {
        let dated = match refusal {
            Refusal::Stale(age) => Some(format!("{age} s ago by this machine's clock")),
            Refusal::Ahead(by) => Some(format!("{by} s ahead of this machine's clock")),
            _ => None,
        };
        let detail = dated.as_deref().or(detail);
        self.refusals
            .note(refusal, detail.unwrap_or_default(), remote);
        refusal
    }
}

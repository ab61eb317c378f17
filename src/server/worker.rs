//! Decoding requests and queueing them for the committer.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tiny_http::{Method, Request};

use super::committer::{Health, Queue};
use super::health::health;
use super::reply::{Caller, Reply};
use super::signed::{Checked, Checker};
use super::silence::Silence;
use crate::auth::signature::{Evidence, Refusal};
use crate::event::{BodyKind, DecodeError, Zone, decode_envelope, is_label, now_micros};
use crate::frontend::{Answers, CALL_HEADER, CallId, FAULT_HEADER, HEAD_HEADER, PEER_HEADER};
use crate::metrics::Metrics;
use crate::store::ParsedCall;

/// Room in bytes for a head before a body.
const MAX_HEAD: usize = 16 * 1024;

/// What every worker knows.
#[derive(Clone)]
pub(super) struct Worker {
    pub queue: Queue,
    /// Where the gate's clients are answered.
    pub answers: Answers,
    pub health: Arc<Health>,
    pub silence: Silence,
    pub metrics: Metrics,
    /// Checks who sent a call, where that is asked for.
    pub checker: Option<Checker>,
    pub zone: Zone,
    pub max_body: usize,
    /// When it was last told that calls are lost, in Unix microseconds.
    pub told_lost: Arc<AtomicI64>,
}

/// A call as it came.
struct Taken {
    /// The moment of receipt in Unix microseconds.
    received: i64,
    /// The sender's address.
    remote: Option<String>,
    /// The label in the webhook's address.
    label: Option<String>,
    /// The `Content-Type`.
    content_type: Option<String>,
    /// What the gate found wrong with it.
    fault: Option<(u16, DecodeError)>,
    /// The body, as far as it was taken.
    body: Vec<u8>,
}

/// What a path leads to.
enum Route<'a> {
    Webhook(Option<&'a str>),
    /// A webhook's address with a label that is none.
    WrongLabel(DecodeError),
    /// `/healthz` and `/readyz`.
    Health(&'a str),
    Unknown(DecodeError),
}

fn route(target: &str) -> Route<'_> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let shown = || path.chars().take(200).collect::<String>();
    let unknown = || {
        let reason = "nothing is here: calls go to /webhook or /webhook/LABEL";
        Route::Unknown(DecodeError::new(reason, shown()))
    };
    if matches!(path, "/healthz" | "/readyz") {
        return Route::Health(path);
    }
    match path.strip_prefix("/webhook") {
        Some("" | "/") => Route::Webhook(None),
        Some(rest) => match rest.strip_prefix('/') {
            Some(label) if is_label(label) => Route::Webhook(Some(label)),
            Some(_) => Route::WrongLabel(DecodeError::new(
                "a label is 1 to 64 of A-Z, a-z, 0-9, _ and -: /webhook/LABEL",
                shown(),
            )),
            None => unknown(),
        },
        None => unknown(),
    }
}

/// A header's first value.
pub(super) fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request
        .headers()
        .iter()
        .find(|header| header.field.equiv(name))
        .map(|header| header.value.as_str())
}

impl Worker {
    /// Handles one request; its answer is sent now, or by the committer.
    pub fn handle(&self, mut request: Request) {
        // First of all the request is taken to its end, so that whatever becomes
        // of it holds up nothing that comes after it on its connection. The gate
        // has all of its body, and no more of it than is accepted.
        let len = request.body_length().unwrap_or(0);
        let mut body = Vec::with_capacity(len.min(self.max_body.saturating_add(MAX_HEAD)));
        let whole = request.as_reader().read_to_end(&mut body);
        let method = request.method().clone();
        let target = request.url().to_owned();
        let owned = |name| header(&request, name).map(str::to_owned);
        let (content_type, remote) = (owned("Content-Type"), owned(PEER_HEADER));
        let fault = owned(FAULT_HEADER);
        let head_len = header(&request, HEAD_HEADER).and_then(|len| len.parse().ok());
        let call = header(&request, CALL_HEADER).and_then(CallId::parse);
        let caller = Caller::new(request, call, &self.answers);
        if let Err(error) = whole {
            tracing::debug!("a body could not be read: {error}");
            self.metrics.refused("unreadable");
            let error = DecodeError::new("the body could not be read", "body");
            return caller.answer(&Reply::refused(400, &error));
        }
        let label = match (route(&target), &method) {
            // The gate's greeting of a private connection.
            (Route::Unknown(error), _) if call.is_none() => {
                return caller.answer(&Reply::refused(404, &error));
            }
            (Route::Unknown(error), _) => {
                self.metrics.refused("not_found");
                return caller.answer(&Reply::refused(404, &error));
            }
            (Route::Health(path), Method::Get | Method::Head) => {
                return caller.answer(&health(path, &self.health, &self.silence));
            }
            (Route::Health(_), _) => return caller.answer(&Reply::wrong_method("GET, HEAD")),
            (Route::Webhook(label), Method::Post) => label.map(str::to_owned),
            (Route::WrongLabel(error), _) => {
                self.metrics.refused("label");
                self.tell_lost(&error);
                return caller.answer(&Reply::refused(404, &error));
            }
            (Route::Webhook(_), _) => {
                self.metrics.refused("method");
                return caller.answer(&Reply::wrong_method("POST"));
            }
        };
        let fault = fault.map(|fault| self.fault(&fault));
        if let Some((411, error)) = &fault {
            self.metrics.refused("no_length");
            self.tell_lost(error);
            return caller.answer(&Reply::refused(411, error));
        }
        // The gate puts the head as it came before the body.
        let (head, body) = match head_len {
            Some(len) if len <= body.len() => {
                let rest = body.split_off(len);
                (body, rest)
            }
            _ => (Vec::new(), body),
        };
        let taken = Taken {
            received: now_micros(),
            remote,
            label,
            content_type,
            fault,
            body,
        };
        let Some(checker) = &self.checker else {
            return self.keep(taken, None, caller);
        };
        let whole = taken.fault.is_none().then_some(taken.body.as_slice());
        match checker.check(&head, whole, taken.remote.as_deref()) {
            Checked::KeyWanted(claim) => {
                let (worker, remote) = (self.clone(), taken.remote.clone());
                checker.when_key_comes(claim, remote, move |checked| {
                    worker.judged(checked, taken, caller);
                });
            }
            checked => self.judged(checked, taken, caller),
        }
    }

    /// Keeps a call that was found good, or answers why it was not.
    fn judged(&self, checked: Checked, taken: Taken, mut caller: Caller) {
        match checked {
            Checked::Good(evidence, admitted) => {
                caller.admitted = admitted;
                self.keep(taken, Some(evidence), caller);
            }
            Checked::Refused(refusal) => caller.answer(&Reply::unsigned(refusal)),
            Checked::KeyWanted(_) => caller.answer(&Reply::unsigned(Refusal::KeyUnknown)),
        }
    }

    /// Reads a call and queues it for the committer.
    fn keep(&self, taken: Taken, evidence: Option<Evidence>, caller: Caller) {
        let read = match taken.fault {
            Some(fault) => Err(fault),
            None => self.read(taken.content_type.as_deref(), &taken.body),
        };
        let evidence = evidence.map(|evidence| evidence.encode(&taken.body));
        let evidence = match evidence.transpose() {
            Ok(evidence) => evidence,
            Err(error) => {
                self.metrics.refused("evidence");
                tracing::error!("the evidence of a call could not be kept: {error}");
                return caller.answer(&Reply::unavailable("the call's evidence cannot be kept"));
            }
        };
        let call = ParsedCall {
            received: taken.received,
            remote: taken.remote,
            label: taken.label,
            content_type: taken.content_type,
            evidence,
            read,
            body: taken.body,
        };
        self.queue.call(call, caller);
    }

    fn read(
        &self,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<(BodyKind, crate::event::Envelope), (u16, DecodeError)> {
        let kind = BodyKind::from_content_type(content_type).ok_or_else(|| {
            let reason = "only application/x-www-form-urlencoded and application/json are read";
            (415, DecodeError::new(reason, "Content-Type"))
        })?;
        match decode_envelope(kind, body, self.zone) {
            Ok(envelope) => Ok((kind, envelope)),
            Err(error) => Err((400, error)),
        }
    }

    /// Says, once a minute at most, that calls are lost by the way in which they
    /// are sent: nothing of them is kept, so nobody would find out.
    fn tell_lost(&self, error: &DecodeError) {
        let now = now_micros();
        let told = self.told_lost.load(Ordering::Relaxed);
        if now - told > 60_000_000 || now < told {
            self.told_lost.store(now, Ordering::Relaxed);
            tracing::warn!("a call was refused and nothing of it kept: {error}");
        }
    }

    /// What the gate found wrong with a body.
    fn fault(&self, fault: &str) -> (u16, DecodeError) {
        let (status, reason) = match fault.strip_prefix("too-large ") {
            Some(declared) => {
                let most = self.max_body;
                (
                    413,
                    format!("the body has {declared} bytes, and at most {most} are read"),
                )
            }
            None => (411, "the body's length must be sent".to_owned()),
        };
        (status, DecodeError::new(reason, "Content-Length"))
    }
}

//! Decoding requests and queueing them for the committer.

use std::borrow::Cow;
use std::sync::Arc;

use percent_encoding::percent_decode_str;
use tiny_http::{Method, Request};

use super::committer::Queue;
use super::http_server::Rest;
use super::inactivity::InactivityAlarm;
use super::refusals::Refusals;
use super::reply::{Reply, Responder};
use super::signed::{Checker, Verified};
use crate::auth::signature::{Admission, Evidence, Refusal};
use crate::event::{BodyKind, DecodeError, Envelope, Zone, decode_envelope, is_label, now_micros};
use crate::frontend::{CallId, Fault, PEER_HEADER, Payload};
use crate::log_limiter::LogLimiter;
use crate::store::{ParsedCall, ValidationFiles};

/// A request with more bytes of body is long: others are received while it is decoded.
const LONG: usize = 32 * 1024;

/// Shared by all workers.
#[derive(Clone)]
pub(super) struct Worker {
    pub queue: Queue,
    pub inactivity: InactivityAlarm,
    /// Checks who sent a call, if signatures are checked.
    pub checker: Option<Checker>,
    pub zone: Zone,
    pub max_body: usize,
    /// The file that Copernica fetches before it calls an address.
    pub validation: ValidationFiles,
    /// Counts calls of which nothing is kept.
    pub refusals: Arc<Refusals>,
    /// Logs calls to unknown addresses.
    pub lost_log: LogLimiter,
}

/// A received call.
struct Received {
    /// The moment of receipt in Unix microseconds.
    at: i64,
    /// The sender's address.
    remote: Option<String>,
    /// The label in the webhook's address.
    label: Option<String>,
    /// The `Content-Type`.
    content_type: Option<String>,
    /// Why it is kept as rejected regardless of its body: a status and a reason.
    fault: Option<(u16, DecodeError)>,
    /// The body, as far as it was received.
    body: Vec<u8>,
}

/// The target of a path.
enum Route<'a> {
    Webhook(Option<Cow<'a, str>>),
    /// An unknown address below the webhook's, such as an invalid label.
    BelowWebhook(DecodeError),
    /// `/healthz` and `/readyz`.
    Health(&'a str),
    Unknown(DecodeError),
}

/// The path of a request's target.
pub(super) fn path_of(target: &str) -> &str {
    target.split(['?', '#']).next().unwrap_or_default()
}

fn route(target: &str) -> Route<'_> {
    let path = path_of(target);
    let shown = || path.chars().take(200).collect::<String>();
    if matches!(path, "/healthz" | "/readyz") {
        return Route::Health(path);
    }
    let Some(label) = path
        .strip_prefix("/webhook")
        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
    else {
        let reason = "there is nothing here: calls go to /webhook or /webhook/LABEL";
        return Route::Unknown(DecodeError::new(reason, shown()));
    };
    let label = label.strip_prefix('/').unwrap_or(label);
    let label = label.strip_suffix('/').unwrap_or(label);
    if label.is_empty() && path.len() <= "/webhook/".len() {
        return Route::Webhook(None);
    }
    match percent_decode_str(label).decode_utf8() {
        Ok(label) if is_label(&label) => Route::Webhook(Some(label)),
        _ => Route::BelowWebhook(DecodeError::new(
            "a label is 1 to 64 of A-Z, a-z, 0-9, _ and -: /webhook/LABEL",
            shown(),
        )),
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
    /// Handles a request. It is answered now or by the committer. Expensive work is returned: the
    /// decoding of a long request and the verification of a signature.
    pub fn handle(&self, request: Request, call: CallId, payload: Payload) -> Option<Rest> {
        if payload.body.len() <= LONG {
            return self.receive(request, call, payload);
        }
        let worker = self.clone();
        Some(Box::new(move || {
            if let Some(rest) = worker.receive(request, call, payload) {
                rest();
            }
        }))
    }

    fn receive(&self, request: Request, call: CallId, payload: Payload) -> Option<Rest> {
        let method = request.method().clone();
        let target = request.url().to_owned();
        let owned = |name| header(&request, name).map(str::to_owned);
        let (content_type, remote) = (owned("Content-Type"), owned(PEER_HEADER));
        let responder = Responder::new(request, call, &self.queue.answers);
        let Payload { head, body, fault } = payload;
        let answer = |responder: Responder, reply: Reply| {
            responder.answer(&reply);
            None
        };
        if matches!(method, Method::Get | Method::Head)
            && let Some(content) = self.validation.at_path(path_of(&target))
        {
            return answer(responder, Reply::new(200, "text/plain", content));
        }
        let (label, fault) = match (route(&target), &method) {
            (Route::Unknown(error), _) => {
                self.queue.metrics.refused("not_found");
                return answer(responder, Reply::refused(404, &error));
            }
            (Route::Health(path), method) => {
                let health = &self.queue.health;
                return answer(responder, health.reply(method, path, &self.inactivity));
            }
            (Route::Webhook(label), Method::Post) => {
                let fault = fault.map(|fault| self.fault(fault));
                (label.map(Cow::into_owned), fault)
            }
            (Route::BelowWebhook(error), Method::Post) => {
                self.lost_log
                    .warn(format!("a call came to an unknown address: {error}"));
                (None, Some((404, error)))
            }
            (Route::BelowWebhook(error), _) => {
                self.queue.metrics.refused("label");
                return answer(responder, Reply::refused(404, &error));
            }
            (Route::Webhook(_), _) => {
                self.queue.metrics.refused("method");
                return answer(responder, Reply::wrong_method("POST"));
            }
        };
        if let Some((411, error)) = &fault {
            let message = format!("a call was refused and not kept: {error}");
            self.refusals.count("no_length", None, message);
            return answer(responder, Reply::refused(411, error));
        }
        let is_whole = !matches!(fault, Some((413, _)));
        let call = Received {
            at: now_micros(),
            remote,
            label,
            content_type,
            fault,
            body,
        };
        let Some(checker) = &self.checker else {
            self.keep(call, None, responder);
            return None;
        };
        let body = is_whole.then_some(call.body.as_slice());
        match checker.check(&head, body, call.remote.as_deref()) {
            Ok(None) => self.keep(call, Some(Evidence::Unsigned), responder),
            Ok(Some(claim)) => {
                // It is kept, or answered why not: at once or when its key arrives.
                let (worker, checker) = (self.clone(), checker.clone());
                return Some(Box::new(move || {
                    let remote = call.remote.clone();
                    checker.verify(claim, remote, move |verified| {
                        worker.keep_verified(verified, call, responder);
                    });
                }));
            }
            Err(refusal) => responder.answer(&Reply::unsigned(refusal)),
        }
        None
    }

    fn keep_verified(
        &self,
        verified: Result<Verified, Refusal>,
        mut call: Received,
        mut responder: Responder,
    ) {
        match verified {
            Ok(verified) => {
                responder.admitted = Some(verified.admission);
                let fault = verified.fault.map(|refusal| {
                    let error = DecodeError::new(refusal.to_string(), "Date");
                    (refusal.status(), error)
                });
                call.fault = call.fault.or(fault);
                let evidence = Evidence::Proof(Box::new(verified.proof));
                self.keep(call, Some(evidence), responder);
            }
            Err(Refusal::Replay(seq)) => responder.answer(&Reply::kept(seq)),
            Err(refusal) => responder.answer(&Reply::unsigned(refusal)),
        }
    }

    /// Decodes a call and queues it for the committer.
    fn keep(&self, call: Received, evidence: Option<Evidence>, responder: Responder) {
        let read = match call.fault {
            Some(fault) => Err(fault),
            None => self.read(call.content_type.as_deref(), &call.body),
        };
        let read = match &evidence {
            None | Some(Evidence::Unsigned) => read,
            Some(_) => read.map_err(|(status, error)| (status, error.with_good_signature())),
        };
        let evidence = evidence.map(|evidence| evidence.encode(&call.body));
        let evidence = match evidence.transpose() {
            Ok(evidence) => evidence,
            Err(error) => {
                self.queue.metrics.refused("evidence");
                tracing::error!("the evidence of a call could not be encoded: {error}");
                return responder.answer(&Reply::unavailable("the call's evidence cannot be kept"));
            }
        };
        let call = ParsedCall {
            received: call.at,
            remote: call.remote,
            label: call.label,
            content_type: call.content_type,
            evidence,
            read,
            body: call.body,
            is_repeated: responder
                .admitted
                .as_ref()
                .is_some_and(Admission::is_repeated),
        };
        self.queue.call(call, responder);
    }

    fn read(
        &self,
        content_type: Option<&str>,
        body: &[u8],
    ) -> Result<(BodyKind, Envelope), (u16, DecodeError)> {
        let kind = BodyKind::from_content_type(content_type, body).map_err(|error| (415, error))?;
        match decode_envelope(kind, body, self.zone) {
            Ok(envelope) => Ok((kind, envelope)),
            Err(error) => Err((400, error)),
        }
    }

    /// A fault of a body as a status and a reason.
    fn fault(&self, fault: Fault) -> (u16, DecodeError) {
        let most = self.max_body;
        match fault {
            Fault::NoLength => {
                let reason = "the body's length is unknown: send Content-Length, or chunks";
                (411, DecodeError::new(reason, "Content-Length"))
            }
            Fault::Encoded => {
                let reason = "the body is compressed (Content-Encoding): send it uncompressed";
                (415, DecodeError::new(reason, "Content-Encoding"))
            }
            Fault::TooLarge(len) => {
                let reason =
                    format!("the body has {len} bytes; at most {most} are accepted (--max-body)");
                (413, DecodeError::new(reason, "Content-Length"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_may_be_percent_encoded_and_end_with_a_slash() {
        let label = |target| match route(target) {
            Route::Webhook(label) => Some(label.map(Cow::into_owned)),
            _ => None,
        };
        for (target, expected) in [
            ("/webhook", None),
            ("/webhook/", None),
            ("/webhook?x=/y", None),
            ("/webhook/crm", Some("crm")),
            ("/webhook/crm/", Some("crm")),
            ("/webhook/nieuws%2Dbrief", Some("nieuws-brief")),
            ("/webhook/%63rm/?a=b", Some("crm")),
        ] {
            assert_eq!(label(target), Some(expected.map(str::to_owned)), "{target}");
        }
        for target in [
            "/webhook//",
            "/webhook//crm",
            "/webhook/crm//",
            "/webhook/a/b",
            "/webhook/a%2Fb",
            "/webhook/%ff",
            "/webhook/a%20b",
            "/webhook/é",
        ] {
            assert!(matches!(route(target), Route::BelowWebhook(_)), "{target}");
        }
        assert!(matches!(route("/webhooks"), Route::Unknown(_)));
        assert!(matches!(route("/healthz"), Route::Health("/healthz")));
    }
}

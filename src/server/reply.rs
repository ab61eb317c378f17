//! HTTP answers, and how they reach the client.
//!
//! An answer is formatted here as one piece rather than by tiny_http, which would format each header
//! again for each answer, on the one thread that also syncs.

use std::fmt::{Display, Write as _};
use std::io::Write;

use chrono::{DateTime, Utc};
use parking_lot::Mutex;
use tiny_http::{Method, Request, StatusCode};

use crate::auth::signature::{Admission, Refusal};
use crate::event::DecodeError;
use crate::frontend::{Answers, CallId, ResponseStream, SAFETY_HEADERS};
use crate::store::Outcome;

/// Answers one request. Dropping an unanswered `Responder` sends 503.
pub(super) struct Responder {
    call: CallId,
    answers: Answers,
    bodyless: bool,
    is_answered: bool,
    /// Marks a signed message as in flight.
    pub admitted: Option<Admission>,
}

impl Responder {
    /// Takes a request from tiny_http. Nothing is written to its connection, so the next request
    /// there need not wait.
    pub fn new(request: Request, call: CallId, answers: &Answers) -> Self {
        let bodyless = *request.method() == Method::Head;
        drop(request.into_writer());
        Self {
            call,
            answers: answers.clone(),
            bodyless,
            is_answered: false,
            admitted: None,
        }
    }

    /// The call is on stable storage, as the event `seq` or as a rejected call. To be called before
    /// the answer is sent.
    pub fn was_kept(&mut self, seq: Option<u64>) {
        if let Some(admission) = self.admitted.take() {
            admission.was_kept(seq);
        }
    }

    /// Sends the answer, unless the client has disconnected.
    pub fn answer(self, reply: &Reply) {
        Batch::default().add(self, reply);
    }

    /// Begins a streamed answer with a head without its empty line.
    pub fn stream(mut self, mut head: Vec<u8>) -> ResponseStream {
        self.is_answered = true;
        head.extend_from_slice(b"\r\n");
        ResponseStream::begin(self.call, self.answers.clone(), head)
    }

    fn put(&mut self, reply: &Reply, batch: &mut Batch) {
        self.is_answered = true;
        batch.ready.push((self.call, reply.bytes(self.bodyless)));
        batch.answers.get_or_insert_with(|| self.answers.clone());
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        if !self.is_answered {
            let reply = Reply::unavailable("the call was not finished");
            self.put(&reply, &mut Batch::default());
        }
    }
}

/// Answers that are sent when it is dropped, and wake the frontend once. All must belong to one
/// frontend.
#[derive(Default)]
pub(super) struct Batch {
    ready: Vec<(CallId, Vec<u8>)>,
    answers: Option<Answers>,
}

impl Batch {
    pub fn add(&mut self, mut responder: Responder, reply: &Reply) {
        responder.put(reply, self);
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        if let Some(answers) = &self.answers {
            answers.send(self.ready.drain(..));
        }
    }
}

/// Appends an HTTP date; it is formatted once a second.
fn append_date(bytes: &mut Vec<u8>, now: DateTime<Utc>) {
    static LAST: Mutex<(i64, String)> = Mutex::new((i64::MIN, String::new()));
    let mut last = LAST.lock();
    if last.0 != now.timestamp() {
        last.0 = now.timestamp();
        last.1.clear();
        // Writing to a string does not fail.
        let _ = write!(last.1, "{}", now.format("%a, %d %b %Y %H:%M:%S GMT"));
    }
    bytes.extend_from_slice(last.1.as_bytes());
}

/// An answer: status, body, and headers beyond the common ones.
pub(super) struct Reply {
    status: u16,
    content_type: &'static str,
    body: Vec<u8>,
    /// Headers beyond the common ones, each with its line break.
    headers: String,
    /// The value of `Cache-Control`.
    caching: &'static str,
    /// Headers for browsers, each with its line break.
    safety: &'static str,
}

const JSON: &str = "application/json";

impl Reply {
    /// An answer of any media type, which must not be cached.
    pub const fn new(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self {
            status,
            content_type,
            body,
            headers: String::new(),
            caching: "no-store",
            safety: SAFETY_HEADERS,
        }
    }

    /// The same with other headers for browsers.
    pub const fn bound_by(mut self, safety: &'static str) -> Self {
        self.safety = safety;
        self
    }

    pub const fn json(status: u16, body: Vec<u8>) -> Self {
        Self::new(status, JSON, body)
    }

    /// The same with another body.
    pub fn with_body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// The same with a header.
    pub fn with(mut self, name: &str, value: impl Display) -> Self {
        // Writing to a string does not fail.
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }

    /// The same with further headers, each with its line break.
    pub fn with_headers(mut self, headers: &str) -> Self {
        self.headers.push_str(headers);
        self
    }

    /// The same, which may be cached for ever.
    pub const fn immutable(mut self) -> Self {
        self.caching = "public, max-age=31536000, immutable";
        self
    }

    /// The same with its tag: the client may cache it, and revalidates it.
    pub fn tagged(mut self, tag: &str) -> Self {
        self.caching = "private, no-cache";
        self.with("ETag", tag)
    }

    /// The client has the answer with that tag already (304).
    pub fn unchanged(tag: &str) -> Self {
        Self::new(304, JSON, Vec::new()).tagged(tag)
    }

    pub fn kept(seq: u64) -> Self {
        Self::json(200, format!("{{\"seq\":{seq}}}").into_bytes())
    }

    pub fn healthy() -> Self {
        Self::json(200, b"{\"status\":\"ok\"}".to_vec())
    }

    /// The call is refused, with the reason.
    pub fn refused(status: u16, error: &DecodeError) -> Self {
        Self::json(status, serde_json::to_vec(error).unwrap_or_default())
    }

    /// The call is not accepted as Copernica's.
    pub fn unsigned(refusal: Refusal) -> Self {
        let error = DecodeError::new(refusal.to_string(), "Signature");
        let reply = Self::refused(refusal.status(), &error);
        match refusal.status() {
            503 => reply.with("Retry-After", "5"),
            401 => reply.with("WWW-Authenticate", "Signature"),
            _ => reply,
        }
    }

    /// The path does not support the method.
    pub fn wrong_method(allowed: &'static str) -> Self {
        let error = DecodeError::new(format!("only {allowed} is allowed here"), "method");
        Self::refused(405, &error).with("Allow", allowed)
    }

    /// The call is not kept; it may be sent again (503 with `Retry-After`).
    pub fn unavailable(reason: &str) -> Self {
        Self::refused(503, &DecodeError::new(reason, "server")).with("Retry-After", "5")
    }

    /// The whole answer.
    pub fn bytes(&self, bodyless: bool) -> Vec<u8> {
        let mut bytes = self.head();
        // A 304 has no length.
        if self.status != 304 {
            let _ = write!(bytes, "Content-Length: {}\r\n", self.body.len());
        }
        bytes.extend_from_slice(b"\r\n");
        if !bodyless {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// The head, without `Content-Length` and the empty line.
    pub fn head(&self) -> Vec<u8> {
        let status = StatusCode(self.status);
        let mut bytes = Vec::with_capacity(512 + self.body.len());
        let reason = status.default_reason_phrase();
        // Writing to a vector does not fail.
        let _ = write!(bytes, "HTTP/1.1 {} {reason}\r\nDate: ", self.status);
        append_date(&mut bytes, Utc::now());
        bytes.extend_from_slice(b"\r\n");
        // A 304 has no type.
        if self.status != 304 {
            let _ = write!(bytes, "Content-Type: {}\r\n", self.content_type);
        }
        bytes.extend_from_slice(self.safety.as_bytes());
        let _ = write!(bytes, "Cache-Control: {}\r\n", self.caching);
        bytes.extend_from_slice(self.headers.as_bytes());
        bytes
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Kept(seq) => Self::kept(seq),
            Outcome::Rejected(status, error) => Self::refused(status, &error),
            Outcome::Unavailable(reason) => {
                // The reason is for the operator.
                tracing::debug!("a call was answered 503: {reason}");
                Self::unavailable("events cannot be kept now; send it again later")
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn a_responder_dropped_by_a_panic_sends_503() {
        let answers = Answers::default();
        let call = CallId::parse("7").unwrap();
        let request = || tiny_http::Request::from(tiny_http::TestRequest::new());
        let responder = Responder::new(request(), call, &answers);
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
            let _caller = responder;
            std::panic::resume_unwind(Box::new(()));
        }));
        assert!(panicked.is_err());
        // A dropped batch is sent too.
        let mut batch = Batch::default();
        batch.add(Responder::new(request(), call, &answers), &Reply::kept(3));
        drop(batch);
        let waiting = answers.waiting();
        let texts: Vec<_> = waiting
            .iter()
            .map(|(to, bytes)| (*to, std::str::from_utf8(bytes).unwrap()))
            .collect();
        assert_eq!(texts.len(), 2);
        assert!(texts.iter().all(|(to, _)| *to == call));
        assert!(texts[0].1.starts_with("HTTP/1.1 503 ") && texts[0].1.contains("Retry-After: "));
        assert!(texts[1].1.ends_with("\r\n\r\n{\"seq\":3}"));
    }
}

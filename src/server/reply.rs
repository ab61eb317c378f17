//! The HTTP answers of the webhook's side.
//!
//! An answer is written as one piece, past tiny_http's own printing: that makes
//! every header anew for every answer, on the one thread that also syncs.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use serde_json::json;
use tiny_http::{Method, Request, StatusCode};

use crate::event::DecodeError;
use crate::trail::Outcome;

/// Every answer's headers but the date and the length.
const COMMON: &str = "Content-Type: application/json\r\n\
    X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n";

/// Someone who waits for an answer. One who is let go without it is told to
/// ask again.
pub(super) struct Caller {
    writer: Option<Box<dyn Write + Send>>,
    bodyless: bool,
}

impl From<Request> for Caller {
    fn from(request: Request) -> Self {
        Self {
            bodyless: *request.method() == Method::Head,
            writer: Some(request.into_writer()),
        }
    }
}

impl Caller {
    /// Sends the answer. A sender that has gone gets none.
    pub fn answer(mut self, reply: &Reply) {
        self.send(reply);
    }

    fn send(&mut self, reply: &Reply) {
        let Some(mut writer) = self.writer.take() else {
            return;
        };
        let bytes = reply.bytes(self.bodyless);
        if let Err(error) = writer.write_all(&bytes).and_then(|()| writer.flush()) {
            tracing::debug!("an answer could not be sent: {error}");
        }
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        if self.writer.is_some() {
            self.send(&Reply::unavailable("the call was not finished"));
        }
    }
}

/// Appends the moment as HTTP writes it. It is made once a second.
fn append_date(bytes: &mut Vec<u8>, now: DateTime<Utc>) {
    static LAST: Mutex<(i64, String)> = Mutex::new((i64::MIN, String::new()));
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if last.0 != now.timestamp() {
        last.0 = now.timestamp();
        last.1.clear();
        // Writing to a string does not fail.
        let _ = write!(last.1, "{}", now.format("%a, %d %b %Y %H:%M:%S GMT"));
    }
    bytes.extend_from_slice(last.1.as_bytes());
}

/// An answer's status, body and the headers beyond the common ones.
pub(super) struct Reply {
    status: u16,
    body: Vec<u8>,
    more: Option<(&'static str, &'static str)>,
}

impl Reply {
    /// The call is kept.
    pub fn kept(seq: u64) -> Self {
        Self {
            status: 200,
            body: format!("{{\"seq\":{seq}}}").into_bytes(),
            more: None,
        }
    }

    /// All is well.
    pub fn healthy() -> Self {
        Self {
            status: 200,
            body: b"{\"status\":\"ok\"}".to_vec(),
            more: None,
        }
    }

    /// The call is refused, and the sender is told why.
    pub fn refused(status: u16, error: &DecodeError) -> Self {
        Self {
            status,
            body: serde_json::to_vec(error).unwrap_or_default(),
            more: None,
        }
    }

    /// The method is not one that the path knows.
    pub fn wrong_method(allowed: &'static str) -> Self {
        let error = DecodeError::new(format!("only {allowed} is answered here"), "method");
        Self {
            more: Some(("Allow", allowed)),
            ..Self::refused(405, &error)
        }
    }

    /// The call is not kept; it may be sent again.
    pub fn unavailable(reason: &str) -> Self {
        let body = json!({ "error": reason, "where": "server" });
        Self {
            status: 503,
            body: body.to_string().into_bytes(),
            more: Some(("Retry-After", "5")),
        }
    }

    /// The whole answer.
    fn bytes(&self, bodyless: bool) -> Vec<u8> {
        let status = StatusCode(self.status);
        let mut bytes = Vec::with_capacity(256 + self.body.len());
        let reason = status.default_reason_phrase();
        // Writing to a vector does not fail.
        let _ = write!(bytes, "HTTP/1.1 {} {reason}\r\nDate: ", self.status);
        append_date(&mut bytes, Utc::now());
        let _ = write!(bytes, "\r\n{COMMON}");
        if let Some((name, value)) = self.more {
            let _ = write!(bytes, "{name}: {value}\r\n");
        }
        let _ = write!(bytes, "Content-Length: {}\r\n\r\n", self.body.len());
        if !bodyless {
            bytes.extend_from_slice(&self.body);
        }
        bytes
    }

    /// Sends the answer to a request.
    pub fn send(self, request: Request) {
        Caller::from(request).answer(&self);
    }
}

impl From<Outcome> for Reply {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Kept(seq) => Self::kept(seq),
            Outcome::Rejected(status, error) => Self::refused(status, &error),
            Outcome::Unavailable(reason) => {
                // What the log says of its disk is the operator's to read.
                tracing::debug!("a call was answered 503: {reason}");
                Self::unavailable("events cannot be kept now; send it again later")
            }
        }
    }
}

//! The HTTP answers of the webhook's side.

use std::io::Cursor;
use std::sync::LazyLock;

use serde_json::json;
use tiny_http::{Header, Request, Response};

use crate::event::DecodeError;
use crate::trail::Outcome;

static COMMON: LazyLock<Vec<Header>> = LazyLock::new(|| {
    [
        ("Content-Type", "application/json"),
        ("X-Content-Type-Options", "nosniff"),
        ("Cache-Control", "no-store"),
    ]
    .iter()
    .filter_map(|(name, value)| header(name, value))
    .collect()
});

fn header(name: &str, value: &str) -> Option<Header> {
    Header::from_bytes(name, value).ok()
}

/// An answer's status, body and the headers beyond the common ones.
pub(super) struct Reply {
    status: u16,
    body: Vec<u8>,
    more: Option<Header>,
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
    pub fn wrong_method(allowed: &str) -> Self {
        let error = DecodeError::new(format!("only {allowed} is answered here"), "method");
        Self {
            more: header("Allow", allowed),
            ..Self::refused(405, &error)
        }
    }

    /// The call is not kept; it may be sent again.
    pub fn unavailable(reason: &str) -> Self {
        let body = json!({ "error": reason, "where": "server" });
        Self {
            status: 503,
            body: body.to_string().into_bytes(),
            more: header("Retry-After", "5"),
        }
    }

    /// Sends the answer. A sender that has gone gets none.
    pub fn send(self, request: Request) {
        let length = self.body.len();
        let mut headers = COMMON.clone();
        headers.extend(self.more);
        let response = Response::new(
            self.status.into(),
            headers,
            Cursor::new(self.body),
            Some(length),
            None,
        )
        .with_chunked_threshold(usize::MAX);
        if let Err(error) = request.respond(response) {
            tracing::debug!("an answer could not be sent: {error}");
        }
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

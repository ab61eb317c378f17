//! Decoding requests and queueing them for the committer.

use std::sync::Arc;

use tiny_http::{Method, Request};

use super::committer::{Health, Queue};
use super::reply::Reply;
use crate::event::{BodyKind, DecodeError, Zone, decode_envelope, is_label, now_micros};
use crate::gate::{FAULT_HEADER, PEER_HEADER};
use crate::trail::ParsedCall;

/// What every worker knows.
#[derive(Clone)]
pub(super) struct Worker {
    pub queue: Queue,
    pub health: Arc<Health>,
    pub zone: Zone,
    pub max_body: usize,
}

/// What a path leads to.
enum Route<'a> {
    Webhook(Option<&'a str>),
    Health,
    Unknown(DecodeError),
}

fn route(target: &str) -> Route<'_> {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    let unknown = |reason: &str| {
        Route::Unknown(DecodeError::new(
            reason,
            path.chars().take(200).collect::<String>(),
        ))
    };
    if path == "/healthz" {
        return Route::Health;
    }
    match path.strip_prefix("/webhook") {
        Some("" | "/") => Route::Webhook(None),
        Some(rest) => match rest.strip_prefix('/') {
            Some(label) if is_label(label) => Route::Webhook(Some(label)),
            Some(_) => unknown("a label is 1 to 64 of A-Z, a-z, 0-9, _ and -: /webhook/LABEL"),
            None => unknown("nothing is here: calls go to /webhook or /webhook/LABEL"),
        },
        None => unknown("nothing is here: calls go to /webhook or /webhook/LABEL"),
    }
}

fn header<'a>(request: &'a Request, name: &'static str) -> Option<&'a str> {
    request
        .headers()
        .iter()
        .find(|header| header.field.equiv(name))
        .map(|header| header.value.as_str())
}

impl Worker {
    /// Handles one request; its answer is sent now, or by the committer.
    pub fn handle(&self, mut request: Request) {
        let target = request.url().to_owned();
        let label = match (route(&target), request.method()) {
            (Route::Unknown(error), _) => return Reply::refused(404, &error).send(request),
            (Route::Health, Method::Get | Method::Head) => {
                let reply = match self.health.trouble() {
                    None => Reply::healthy(),
                    Some(reason) => Reply::unavailable(reason),
                };
                return reply.send(request);
            }
            (Route::Health, _) => return Reply::wrong_method("GET, HEAD").send(request),
            (Route::Webhook(label), Method::Post) => label.map(str::to_owned),
            (Route::Webhook(_), _) => return Reply::wrong_method("POST").send(request),
        };
        let fault = header(&request, FAULT_HEADER).map(str::to_owned);
        if fault.as_deref() == Some("no-length") {
            let error = DecodeError::new("the body's length must be sent", "Content-Length");
            return Reply::refused(411, &error).send(request);
        }
        let mut body = Vec::with_capacity(request.body_length().unwrap_or(0).min(self.max_body));
        if let Err(error) = request.as_reader().read_to_end(&mut body) {
            tracing::debug!("a body could not be read: {error}");
            let error = DecodeError::new("the body could not be read", "body");
            return Reply::refused(400, &error).send(request);
        }
        let content_type = header(&request, "Content-Type").map(str::to_owned);
        let remote = header(&request, PEER_HEADER).map(str::to_owned);
        let read = match fault {
            Some(fault) => Err((413, self.too_large(&fault))),
            None => self.read(content_type.as_deref(), &body),
        };
        let call = ParsedCall {
            received: now_micros(),
            remote,
            label,
            content_type,
            read,
            body,
        };
        self.queue.call(
            call,
            Box::new(move |outcome| Reply::from(outcome).send(request)),
        );
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

    fn too_large(&self, fault: &str) -> DecodeError {
        let declared = fault.rsplit(' ').next().unwrap_or_default();
        DecodeError::new(
            format!(
                "the body has {declared} bytes, and at most {} are read",
                self.max_body
            ),
            "Content-Length",
        )
    }
}

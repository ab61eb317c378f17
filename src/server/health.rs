//! What `/healthz` and `/readyz` answer.

use serde_json::json;

use super::committer::Health;
use super::reply::Reply;
use super::silence::Silence;
use crate::event::micros_to_rfc3339;

/// The answer at one of the two paths: whether events can be kept, and at
/// `/healthz` whether any come, too.
pub(super) fn health(path: &str, health: &Health, silence: &Silence) -> Reply {
    if let Some(reason) = health.trouble() {
        return Reply::unavailable(reason);
    }
    if path == "/readyz" || !silence.is_alarm() {
        return Reply::healthy();
    }
    let body = json!({
        "status": "silent",
        "last_event": silence.last_event().map(micros_to_rfc3339),
    });
    Reply::new(503, "application/json", body.to_string().into_bytes())
}

//! What `/healthz` and `/readyz` answer.

use serde_json::json;

use super::committer::Health;
use super::inactivity::InactivityAlarm;
use super::reply::Reply;
use crate::event::micros_to_rfc3339;

/// The answer at one of the two paths: whether events can be kept and, at `/healthz`, whether any
/// arrive.
pub(super) fn health(path: &str, health: &Health, inactivity: &InactivityAlarm) -> Reply {
    if let Some(reason) = health.trouble() {
        return Reply::unavailable(reason);
    }
    if path == "/readyz" || !inactivity.is_alarm() {
        return Reply::healthy();
    }
    let body = json!({
        "status": "silent",
        "last_event": inactivity.last_event().map(micros_to_rfc3339),
    });
    Reply::new(503, "application/json", body.to_string().into_bytes())
}

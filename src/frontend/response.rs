//! The few answers that the frontend gives itself.

use super::head::Refusal;

/// Headers of every answer that keep browsers from guessing its type and from embedding it in
/// other pages. Webhook answers are not meant for browsers.
pub const SAFETY_HEADERS: &str = "X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
    X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\n";

/// The frontend's own answer, which always ends the connection.
pub(super) fn own(refusal: Refusal, bodyless: bool) -> Vec<u8> {
    let status = tiny_http::StatusCode(refusal.status);
    let body = format!(
        "{{\"error\":\"{}\",\"where\":\"{}\"}}",
        refusal.error, refusal.place
    );
    let retry = match refusal.status {
        503 => "Retry-After: 1\r\n",
        _ => "",
    };
    let head = format!(
        "HTTP/1.1 {} {}\r\nContent-Type: application/json\r\n{SAFETY_HEADERS}\
         Cache-Control: no-store\r\nConnection: close\r\n{retry}Content-Length: {}\r\n\r\n",
        refusal.status,
        status.default_reason_phrase(),
        body.len()
    );
    match bodyless {
        true => head.into_bytes(),
        false => (head + &body).into_bytes(),
    }
}

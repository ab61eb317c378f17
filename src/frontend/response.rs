//! Answers: where one from tiny_http ends, and the few the frontend gives itself.
//!
//! Leaves out their delivery. Invariant: an answer whose end is not certain is never relayed.

use super::head::{Refusal, push_number};
use httparse::{EMPTY_HEADER, Response, Status};

/// The headers of every answer that keep browsers from guessing what it is, and from showing it
/// in or to other pages. Nothing here is for browsers, and none may keep any of it.
pub const SAFETY_HEADERS: &str = "X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n\
    X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
    Cross-Origin-Resource-Policy: same-origin\r\nCache-Control: no-store\r\n";

/// Headers an answer may have.
const MAX_HEADERS: usize = 64;
/// Bytes its head may have.
const MAX_HEAD: usize = 64 * 1024;

/// The length of the answer that starts `bytes`, head and body; `None` when its head is not
/// complete, an error when it cannot be relayed.
pub(super) fn length(bytes: &[u8], bodyless: bool) -> Result<Option<usize>, &'static str> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut response = Response::new(&mut headers);
    let head = match response.parse(bytes) {
        Ok(Status::Complete(head)) => head,
        Ok(Status::Partial) if bytes.len() <= MAX_HEAD => return Ok(None),
        Ok(Status::Partial) => return Err("its head is too large"),
        Err(_) => return Err("it is not HTTP"),
    };
    let code = response.code.unwrap_or(0);
    if code < 200 {
        return Err("it is an interim answer");
    }
    let mut body: Option<usize> = None;
    for header in response.headers.iter() {
        if header.name.eq_ignore_ascii_case("Transfer-Encoding") {
            return Err("it has a transfer coding");
        }
        if header.name.eq_ignore_ascii_case("Content-Length") {
            let length = std::str::from_utf8(header.value)
                .ok()
                .and_then(|text| text.parse().ok())
                .ok_or("its length is not a number")?;
            if body.is_some_and(|before| before != length) {
                return Err("it has two lengths");
            }
            body = Some(length);
        }
    }
    let body = match (body, bodyless || code == 204 || code == 304) {
        (_, true) => 0,
        (Some(length), false) => length,
        (None, false) => return Err("it has no length"),
    };
    head.checked_add(body).map(Some).ok_or("it is too long")
}

/// Where the first line of an answer ends, after its line break.
pub(super) fn first_line(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .position(|byte| *byte == b'\n')
        .map_or(0, |at| at.saturating_add(1))
}

/// The reason phrase of a status the frontend gives.
fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        408 => "Request Timeout",
        417 => "Expectation Failed",
        431 => "Request Header Fields Too Large",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

/// Appends the frontend's own answer, which always ends the connection.
pub(super) fn own(out: &mut Vec<u8>, refusal: Refusal, bodyless: bool) {
    const PARTS: [&[u8]; 3] = [b"{\"error\":\"", b"\",\"where\":\"", b"\"}"];
    let [open, middle, close] = PARTS;
    let length = [
        open,
        refusal.error.as_bytes(),
        middle,
        refusal.place.as_bytes(),
        close,
    ]
    .iter()
    .fold(0usize, |sum, part| sum.saturating_add(part.len()));
    out.extend_from_slice(b"HTTP/1.1 ");
    push_number(out, u64::from(refusal.status));
    out.push(b' ');
    out.extend_from_slice(reason(refusal.status).as_bytes());
    out.extend_from_slice(b"\r\nContent-Type: application/json\r\n");
    out.extend_from_slice(SAFETY_HEADERS.as_bytes());
    out.extend_from_slice(b"Connection: close\r\n");
    if refusal.status == 503 {
        out.extend_from_slice(b"Retry-After: 1\r\n");
    }
    out.extend_from_slice(b"Content-Length: ");
    push_number(out, u64::try_from(length).unwrap_or(0));
    out.extend_from_slice(b"\r\n\r\n");
    if !bodyless {
        out.extend_from_slice(open);
        out.extend_from_slice(refusal.error.as_bytes());
        out.extend_from_slice(middle);
        out.extend_from_slice(refusal.place.as_bytes());
        out.extend_from_slice(close);
    }
}

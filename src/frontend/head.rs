//! A client's request head: parsed, checked, and rewritten for tiny_http.
//!
//! Invariants: the head written upstream contains no byte of the client but the method, the target
//! and the values of [`PASSED`], each checked to be plain ASCII, and it announces no body. The body,
//! and the head as received, for signatures that cover headers which are not known beforehand, are
//! passed in process ([`super::call::Payload`]).

use super::FrontendConfig;
use super::client::ResponseOptions;
use super::origin::Peer;
use crate::event::parse_number;
use httparse::{EMPTY_HEADER, Error, Request, Status};

/// The client's headers that go upstream, each with its first value. No others do but the
/// frontend's own; tiny_http needs no `Host`.
pub(super) const PASSED: [&str; 8] = [
    "Content-Type",
    "Authorization",
    "If-None-Match",
    "Accept",
    "Cookie",
    "Host",
    "Origin",
    "Sec-Fetch-Site",
];

/// How many of them always go upstream; the others only if browsers are served.
const ALWAYS: usize = 4;

/// The header by which tiny_http learns the client's address.
pub const PEER_HEADER: &str = "X-Peer";

/// The fault of a request's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Its length was not sent, or its end is not known.
    NoLength,
    /// It has a content coding, such as gzip.
    Encoded,
    /// It is longer than is accepted: its length in bytes, as announced or, if chunked, at least.
    TooLarge(u64),
}

/// Headers a request may have.
const MAX_HEADERS: usize = 64;

/// Why a request is not passed on: the frontend answers it itself and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    /// The fault, for people.
    pub(super) error: &'static str,
    /// Where in the request.
    pub(super) place: &'static str,
}

impl Refusal {
    /// A refusal; its texts must need no escaping in JSON.
    pub(super) const fn new(status: u16, error: &'static str, place: &'static str) -> Self {
        Self {
            status,
            error,
            place,
        }
    }
}

/// The body that follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// This many bytes, all of which are passed on; 0 also if no length was announced.
    Whole(usize),
    /// More than is accepted.
    TooLarge {
        /// The bytes that have arrived; they are passed on with the fault.
        arrived: usize,
        /// The bytes that the client still sends, as far as it announced them.
        missing: u64,
    },
    /// A body in the chunked coding. Whether it is too large, or is empty and therefore has no
    /// [`Fault::Encoded`], is known once it is decoded.
    Chunked,
    /// Bytes whose end is unknown; none is passed on.
    Unframed,
}

/// A head that can be passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Its length in bytes, with the empty line.
    pub(super) len: usize,
    pub(super) body: Body,
    pub(super) fault: Option<Fault>,
    pub(super) options: ResponseOptions,
    /// Whether the client waits for `100 Continue`.
    pub(super) expects_continue: bool,
    /// Whether the head is to be passed on as received, too.
    pub(super) passed: bool,
}

const BAD_LENGTH: Refusal = Refusal::new(
    400,
    "the length of the body is not one number",
    "Content-Length",
);
const BAD_TARGET: Refusal = Refusal::new(
    400,
    "the target is not a path of printable ASCII",
    "request line",
);

const BARE_LINE_FEED: Refusal = Refusal::new(
    400,
    "a line does not end with a carriage return and a line feed",
    "headers",
);

#[derive(Default)]
struct Facts<'b> {
    hosts: usize,
    host: &'b [u8],
    compressed: bool,
    length: Option<&'b [u8]>,
    encoded: bool,
    /// The only transfer coding is `chunked`.
    chunked: bool,
    expects_continue: bool,
    close: bool,
    keep: bool,
    passed: [Option<&'b [u8]>; PASSED.len()],
}

/// Parses the head at the start of `bytes` and writes the head that goes upstream for it to
/// `out`; `None` when it is not complete. It came from a peer, who may be one of the trusted proxies.
pub(super) fn parse(
    bytes: &[u8],
    peer: &Peer,
    config: &FrontendConfig,
    out: &mut Vec<u8>,
) -> Result<Option<Head>, Refusal> {
    let mut headers = [EMPTY_HEADER; MAX_HEADERS];
    let mut request = Request::new(&mut headers);
    let len = match request.parse(bytes) {
        Ok(Status::Complete(len)) if len <= config.max_head => len,
        Ok(Status::Partial) if bytes.len() < config.max_head => return Ok(None),
        Ok(_) => return Err(Refusal::new(431, "the head is too large", "headers")),
        Err(error) => return Err(refusal_of(error)),
    };
    let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version)
    else {
        return Err(Refusal::new(400, "not an HTTP request", "request line"));
    };
    if !all_lines_end_with_crlf(bytes.get(..len).unwrap_or(bytes)) {
        return Err(BARE_LINE_FEED);
    }
    let path = path_of(target).ok_or(BAD_TARGET)?;
    let facts = check_headers(request.headers)?;
    let client = peer.client(request.headers, &config.trusted_proxies);
    if facts.hosts > 1 || (facts.hosts == 0 && minor == 1) {
        return Err(Refusal::new(400, "not exactly one Host", "Host"));
    }
    if facts.hosts == 1 && !is_host(facts.host) {
        return Err(Refusal::new(400, "Host is not a name with a port", "Host"));
    }
    if facts.encoded && facts.length.is_some() {
        return Err(Refusal::new(
            400,
            "both a length and a transfer coding",
            "Transfer-Encoding",
        ));
    }
    let declared = facts.length.map(number).transpose()?;
    let chunked = facts.chunked && minor == 1;
    let body = match declared {
        _ if chunked => Body::Chunked,
        _ if facts.encoded => Body::Unframed,
        None => Body::Whole(0),
        Some(length) => match usize::try_from(length) {
            Ok(length) if length <= config.max_body => Body::Whole(length),
            _ => {
                let arrived = bytes.len().saturating_sub(len).min(config.max_body);
                Body::TooLarge {
                    arrived,
                    missing: length.saturating_sub(arrived as u64),
                }
            }
        },
    };
    let wants_body = matches!(method, "POST" | "PUT" | "PATCH");

    out.clear();
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    if !path.starts_with('/') {
        out.push(b'/');
    }
    out.extend_from_slice(path.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    let passed = if config.pass_browser {
        PASSED.len()
    } else {
        ALWAYS
    };
    for (name, value) in PASSED.iter().zip(facts.passed).take(passed) {
        if let Some(value) = value {
            push_header(out, name, value);
        }
    }
    push_header(out, PEER_HEADER, client.as_bytes());
    out.extend_from_slice(b"\r\n");

    // Whoever names a type means to send a body: a proxy may have lost its length.
    let [content_type, ..] = facts.passed;
    let lost_body = declared.is_none() && wants_body && content_type.is_some();
    let fault = match body {
        Body::Whole(_) if lost_body => Some(Fault::NoLength),
        Body::Whole(0) => None,
        Body::Whole(_) | Body::Chunked => facts.compressed.then_some(Fault::Encoded),
        Body::TooLarge { .. } => Some(Fault::TooLarge(declared.unwrap_or(u64::MAX))),
        Body::Unframed => Some(Fault::NoLength),
    };
    let framed = matches!(body, Body::Whole(_) | Body::Chunked);
    // Nothing is read after a chunked body: request smuggling relies on different views of its
    // end.
    let close = !framed || chunked || facts.close || (minor == 0 && !facts.keep);
    Ok(Some(Head {
        len,
        body,
        fault,
        options: ResponseOptions {
            close,
            linger: !framed,
            bodyless: method == "HEAD",
            http10: minor == 0,
        },
        expects_continue: facts.expects_continue && minor == 1,
        passed: config.pass_head && wants_body,
    }))
}

fn refusal_of(error: Error) -> Refusal {
    match error {
        Error::TooManyHeaders => Refusal::new(431, "too many headers", "headers"),
        Error::Version => Refusal::new(505, "only HTTP/1.0 and HTTP/1.1", "request line"),
        Error::HeaderName | Error::HeaderValue => {
            Refusal::new(400, "a header is malformed", "headers")
        }
        Error::NewLine | Error::Token | Error::Status => {
            Refusal::new(400, "not an HTTP request", "request line")
        }
    }
}

/// Whether every line feed follows a carriage return: a proxy may take a bare one for a part of a
/// value.
fn all_lines_end_with_crlf(head: &[u8]) -> bool {
    let mut ends = memchr::memchr_iter(b'\n', head);
    ends.all(|at| at.checked_sub(1).and_then(|before| head.get(before)) == Some(&b'\r'))
}

/// Checks each header once.
fn check_headers<'b>(headers: &[httparse::Header<'b>]) -> Result<Facts<'b>, Refusal> {
    let mut facts = Facts::default();
    for header in headers {
        let (name, value) = (header.name, header.value);
        for (wanted, slot) in PASSED.iter().zip(facts.passed.iter_mut()) {
            if slot.is_none() && name.eq_ignore_ascii_case(wanted) {
                *slot = Some(value);
            }
        }
        if name.eq_ignore_ascii_case("Host") {
            facts.hosts = facts.hosts.saturating_add(1);
            facts.host = value;
        } else if name.eq_ignore_ascii_case("Content-Length") {
            if facts.length.is_some_and(|before| before != value) {
                return Err(BAD_LENGTH);
            }
            facts.length = Some(value);
        } else if name.eq_ignore_ascii_case("Transfer-Encoding") {
            facts.chunked = !facts.encoded && value.eq_ignore_ascii_case(b"chunked");
            facts.encoded = true;
        } else if name.eq_ignore_ascii_case("Content-Encoding") {
            facts.compressed |= !value.is_empty() && !value.eq_ignore_ascii_case(b"identity");
        } else if name.eq_ignore_ascii_case("Expect") {
            if !value.eq_ignore_ascii_case(b"100-continue") {
                return Err(Refusal::new(417, "only 100-continue", "Expect"));
            }
            facts.expects_continue = true;
        } else if name.eq_ignore_ascii_case("Connection") {
            for option in value.split(|byte| *byte == b',') {
                let option = option.trim_ascii();
                facts.close |= option.eq_ignore_ascii_case(b"close");
                facts.keep |= option.eq_ignore_ascii_case(b"keep-alive");
            }
        }
    }
    Ok(facts)
}

/// Whether a `Host` is a name or an address, with or without a port (RFC 9110, section 7.2).
fn is_host(value: &[u8]) -> bool {
    let (host, port) = match value.iter().rposition(|byte| matches!(byte, b':' | b']')) {
        Some(at) if value.get(at) == Some(&b':') => value.split_at(at),
        _ => (value, &b""[..]),
    };
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let is_name = match host
        .strip_prefix(b"[")
        .and_then(|host| host.strip_suffix(b"]"))
    {
        Some(address) => address.iter().all(|byte| in_name(byte) || *byte == b':'),
        None => host.iter().all(in_name),
    };
    !host.is_empty() && is_name && port.iter().skip(1).all(u8::is_ascii_digit)
}

/// The path and query of a target; `None` if it cannot be passed on.
fn path_of(target: &str) -> Option<&str> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    if target.starts_with('/') {
        return Some(target);
    }
    let after = |scheme: &str| {
        let (start, rest) = target.split_at_checked(scheme.len())?;
        start.eq_ignore_ascii_case(scheme).then_some(rest)
    };
    let rest = after("http://").or_else(|| after("https://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if end == 0 {
        return None;
    }
    rest.get(end..)
}

/// A number of digits only, without overflow.
fn number(text: &[u8]) -> Result<u64, Refusal> {
    let text = std::str::from_utf8(text).ok();
    text.and_then(parse_number).ok_or(BAD_LENGTH)
}

/// Appends a header. A byte of its value that is not printable ASCII is sent as `?`, because the server
/// behind refuses such and would end the private connection.
fn push_header(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let plain = |byte: &u8| match byte {
        b'\t' | b' ' => *byte,
        byte if byte.is_ascii_graphic() => *byte,
        _ => b'?',
    };
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.iter().map(plain));
    out.extend_from_slice(b"\r\n");
}

//! The fuzz target of request heads.

#![allow(
    clippy::expect_used,
    clippy::panic,
    reason = "a broken promise must end the run of a target"
)]

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use super::FrontendConfig;
use super::chunked::ChunkDecoder;
use super::head::{Body, Fault, Head, PASSED, PEER_HEADER, parse};
use super::origin::{Network, Peer};

const PEER: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

/// Decodes a chunked body. The first byte chooses the limit, the second the size of the pieces.
///
/// Invariants: nothing panics, no more than the limit is decoded, and the result does not depend on
/// the pieces in which a body arrives.
pub fn chunked(bytes: &[u8]) {
    let Some(([limit, piece], bytes)) = bytes.split_first_chunk() else {
        return;
    };
    let limit = usize::from(*limit);
    let decode = |piece: usize| {
        let (mut decoder, mut body, mut waiting) = (ChunkDecoder::new(), Vec::new(), Vec::new());
        for bytes in bytes.chunks(piece) {
            waiting.extend_from_slice(bytes);
            let used = decoder.decode(&waiting, &mut body, limit);
            assert!(body.len() <= limit);
            match used {
                Ok(used) => waiting.drain(..used),
                Err(error) => return Err(error),
            };
        }
        Ok(decoder.is_done().then_some((body, waiting)))
    };
    assert_eq!(decode(usize::from(*piece).max(1)), decode(1));
}

/// Parses a head. The first byte selects the limits.
///
/// Invariants: nothing panics; an incomplete head is never passed on; upstream gets one
/// well-formed head of printable ASCII with only the frontend's own and the passed
/// headers, and without a body; and no header that could frame a body differently is
/// overlooked.
pub fn head(bytes: &[u8]) {
    let Some((choice, bytes)) = bytes.split_first() else {
        return;
    };
    let max_head = if choice % 2 == 0 { 16 << 10 } else { 200 };
    let max_body = if choice / 2 % 2 == 0 { 1 << 20 } else { 50 };
    let trusted = choice / 8 % 2 == 1;
    let everybody = "::/0".parse::<Network>().expect("a network");
    let config = FrontendConfig {
        max_head,
        max_body,
        pass_head: choice / 4 % 2 == 1,
        pass_browser: choice / 16 % 2 == 1,
        trusted_proxies: trusted.then_some(everybody).into_iter().collect(),
        ..FrontendConfig::default()
    };
    let peer = Peer::new(SocketAddr::from((PEER, 1)), &config.trusted_proxies);
    let mut out = b"what was there before".to_vec();
    let head = match parse(bytes, &peer, &config, &mut out) {
        Err(refusal) => {
            assert!(matches!(refusal.status, 400 | 417 | 431 | 505));
            return;
        }
        Ok(None) => {
            assert!(bytes.len() < max_head, "waits for more than it takes");
            return;
        }
        Ok(Some(head)) => head,
    };
    assert!(head.len <= bytes.len().min(max_head));
    let (own, after) = bytes.split_at(head.len);
    for cut in [0, head.len / 2, head.len.saturating_sub(2), head.len - 1] {
        let mut out = Vec::new();
        let part = bytes.get(..cut).unwrap_or_default();
        let parsed = parse(part, &peer, &config, &mut out);
        assert!(matches!(parsed, Ok(None) | Err(_)), "a part is a head");
    }

    match head.body {
        Body::Whole(length) => assert!(length <= max_body),
        Body::TooLarge { arrived, .. } => {
            assert!(arrived <= max_body && arrived <= after.len());
        }
        Body::Chunked => return check_framing(own, &head),
        Body::Unframed => {}
    }
    if !matches!(head.body, Body::Whole(_)) {
        assert!(head.options.close && !head.expects_continue);
    }
    assert!(config.pass_head || !head.passed);
    let peers = match trusted {
        false => Some(PEER.to_string()),
        true => None,
    };
    check_upstream(&out, &head, peers.as_deref());
    check_framing(own, &head);
}

/// The head for upstream, for a peer without a proxy.
fn check_upstream(out: &[u8], head: &Head, peer: Option<&str>) {
    let text = std::str::from_utf8(out).expect("ASCII");
    let plain = |byte: &u8| matches!(byte, b'\t' | b' '..=b'~');
    let lines = text.strip_suffix("\r\n\r\n").expect("an end");
    for line in lines.split("\r\n") {
        assert!(line.as_bytes().iter().all(plain) && !line.is_empty());
    }
    let mut headers = [httparse::EMPTY_HEADER; 16];
    let mut request = httparse::Request::new(&mut headers);
    let parsed = request.parse(out).expect("a head");
    assert_eq!(parsed, httparse::Status::Complete(out.len()));
    assert_eq!(request.version, Some(1));
    assert!(request.path.is_some_and(|path| path.starts_with('/')));
    assert_eq!(request.method == Some("HEAD"), head.options.bodyless);
    let values = |name: &str| {
        let same = |header: &&httparse::Header<'_>| header.name == name;
        let found = request.headers.iter().filter(same);
        found.map(|header| header.value).collect::<Vec<_>>()
    };
    let peers = values(PEER_HEADER);
    let reported = peers
        .first()
        .and_then(|value| std::str::from_utf8(value).ok());
    assert!(peer.is_none() || reported == peer);
    assert!(reported.is_some_and(|reported| reported.parse::<IpAddr>().is_ok()));
    match (head.body, head.fault) {
        (Body::Whole(0), None | Some(Fault::NoLength)) => {}
        (Body::Whole(1..), None | Some(Fault::Encoded)) => {}
        (Body::TooLarge { .. }, Some(Fault::TooLarge(_))) => {}
        (Body::Unframed, Some(Fault::NoLength)) => {}
        (body, fault) => panic!("{body:?} with {fault:?}"),
    }
    for header in request.headers.iter() {
        let known = header.name == PEER_HEADER || PASSED.contains(&header.name);
        assert!(known && values(header.name).len() == 1, "{}", header.name);
    }
}

/// The client's lines that a very lenient parser could take for the framing of a body.
fn check_framing(own: &[u8], head: &Head) {
    for line in own.split(|byte| matches!(byte, b'\n' | b'\r')).skip(1) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        match name.trim_ascii().to_ascii_lowercase().as_slice() {
            b"transfer-encoding" => {
                assert!(matches!(head.body, Body::Chunked | Body::Unframed));
            }
            b"content-length" => {
                let number = std::str::from_utf8(value).expect("digits");
                let number: u64 = number.parse().expect("a number");
                match head.body {
                    Body::Whole(length) => assert_eq!(number, length as u64),
                    Body::TooLarge { arrived, missing } => {
                        assert_eq!(number, missing + arrived as u64);
                    }
                    Body::Chunked | Body::Unframed => panic!("both a length and a transfer coding"),
                }
            }
            _ => {}
        }
    }
}

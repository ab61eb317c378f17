//! Tests of the heads that go upstream.

#![allow(clippy::unwrap_used)]

use super::head::{Limits, parse};
use super::origin::{Peer, Proxies};

#[test]
fn what_browsers_are_known_by_goes_upstream_only_where_they_are_answered() {
    let proxies = Proxies::default();
    let peer = Peer::new("192.0.2.7:9".parse().unwrap(), &proxies);
    let sent =
        b"GET / HTTP/1.1\r\nHost: a.example\r\ncookie: a=b\r\nCookie: c\r\nAuthorization: x\r\n\
        Origin: null\r\nReferer: y\r\nSec-Fetch-Site: none\r\nX-Peer: 1.1.1.1\r\n\r\n";
    let upstream = |pass_browser| {
        let limits = Limits {
            head: 1000,
            body: 0,
            pass_head: false,
            pass_browser,
        };
        let mut out = Vec::new();
        parse(sent, (&peer, &proxies), limits, &mut out)
            .unwrap()
            .unwrap();
        String::from_utf8(out).unwrap()
    };
    let common = "X-Peer: 192.0.2.7\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        upstream(false),
        format!("GET / HTTP/1.1\r\nAuthorization: x\r\n{common}")
    );
    assert_eq!(
        upstream(true),
        format!(
            "GET / HTTP/1.1\r\nAuthorization: x\r\nCookie: a=b\r\nHost: a.example\r\nOrigin: null\r\n\
             Sec-Fetch-Site: none\r\n{common}"
        )
    );
}

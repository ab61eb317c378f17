//! The client of a request that proxies pass on.
#![allow(clippy::unwrap_used)]

use crate::frontend::origin::{Network, Peer, is_trusted};
use httparse::Header;

fn proxies(networks: &[&str]) -> Vec<Network> {
    networks.iter().map(|text| text.parse().unwrap()).collect()
}

/// The client, when 10.0.0.1 passes on these headers and 10/8 and fd00::/8 are trusted.
fn client(headers: &[(&str, &str)]) -> String {
    let trusted = proxies(&["10.0.0.0/8", "fd00::/8"]);
    let peer = Peer::new("10.0.0.1:4711".parse().unwrap(), &trusted);
    let headers: Vec<_> = headers
        .iter()
        .map(|(name, value)| Header {
            name,
            value: value.as_bytes(),
        })
        .collect();
    peer.client(&headers, &trusted).into_owned()
}

fn x(value: &str) -> String {
    client(&[("x-forwarded-FOR", value)])
}

fn standard(value: &str) -> String {
    client(&[("forwarded", value)])
}

const PROXY: &str = "10.0.0.1";

#[test]
fn a_list_is_read_from_the_right_past_trusted_proxies() {
    assert_eq!(client(&[]), PROXY);
    assert_eq!(x("192.0.2.7"), "192.0.2.7");
    assert_eq!(x("6.6.6.6, 192.0.2.7"), "192.0.2.7");
    assert_eq!(x("6.6.6.6, 192.0.2.7,10.1.2.3 , fd00::1"), "192.0.2.7");
    assert_eq!(x("what ever, 192.0.2.7, 10.1.2.3"), "192.0.2.7");
    assert_eq!(x("10.9.9.9, 10.1.2.3"), "10.9.9.9");
    assert_eq!(
        client(&[
            ("X-Forwarded-For", "6.6.6.6"),
            ("X-Forwarded-For", "192.0.2.7, 10.3.3.3"),
            ("X-Forwarded-For", "10.4.4.4"),
        ]),
        "192.0.2.7"
    );
}

#[test]
fn ports_brackets_and_mapped_addresses_are_understood() {
    for (text, address) in [
        ("192.0.2.7:80", "192.0.2.7"),
        ("2001:db8::7", "2001:db8::7"),
        ("[2001:DB8:0::7]", "2001:db8::7"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("[::ffff:192.0.2.7]:1", "192.0.2.7"),
        ("192.0.2.7, ::ffff:10.0.0.9", "192.0.2.7"),
    ] {
        assert_eq!(x(text), address, "{text}");
    }
}

#[test]
fn what_is_no_address_leaves_the_proxys_own() {
    for text in [
        "",
        ",",
        "192.0.2.7,",
        "unknown",
        "unix:",
        "_hidden",
        "192.0.2.300",
        "192.0.2.7:99999",
        "[192.0.2.7]",
        "[2001:db8::7",
        "fe80::1%eth0",
        "192.0.2.7 10.0.0.1",
        "192.0.2.7:",
        "\"192.0.2.7\"",
        "192.0.2.7, gibberish, 10.0.0.2",
    ] {
        assert_eq!(x(text), PROXY, "{text}");
    }
    let nonsense = Header {
        name: "X-Forwarded-For",
        value: b"192.0.2.7, \xff",
    };
    let trusted = proxies(&["10.0.0.1"]);
    let peer = Peer::new("10.0.0.1:1".parse().unwrap(), &trusted);
    assert_eq!(peer.client(&[nonsense], &trusted), PROXY);
}

#[test]
fn the_standard_header_is_read_too() {
    for (text, address) in [
        ("for=192.0.2.7", "192.0.2.7"),
        ("For=192.0.2.7;proto=https;by=10.0.0.1", "192.0.2.7"),
        ("proto=http ; for=\"192.0.2.7:4711\"", "192.0.2.7"),
        ("for=\"[2001:db8::7]:4711\"", "2001:db8::7"),
        (
            "for=6.6.6.6, for=192.0.2.7;by=\"a,b;for=1.1.1.1\", for=10.0.0.3",
            "192.0.2.7",
        ),
        (
            "for=6.6.6.6;by=\"x\\\",for=7.7.7.7;\", for=192.0.2.7",
            "192.0.2.7",
        ),
    ] {
        assert_eq!(standard(text), address, "{text}");
    }
    for text in [
        "",
        "for",
        "for=",
        "for=unknown",
        "for=_x",
        "by=192.0.2.7",
        "for=192.0.2.7;for=192.0.2.7",
        "for=\"192.0.2.7",
        "for=192.0.2.7;",
        "for=6.6.6.6, proto=http",
        "for=\"192\\.0.2.7\"",
    ] {
        assert_eq!(standard(text), PROXY, "{text}");
    }
}

#[test]
fn two_headers_must_agree() {
    let both = |one, other| client(&[("X-Forwarded-For", one), ("Forwarded", other)]);
    assert_eq!(both("192.0.2.7", "for=192.0.2.7"), "192.0.2.7");
    assert_eq!(both("192.0.2.7", "for=6.6.6.6"), PROXY);
    assert_eq!(both("192.0.2.7", "for=unknown"), PROXY);
}

#[test]
fn nobody_else_is_believed() {
    let trusted = proxies(&["10.0.0.0/8"]);
    let headers = [Header {
        name: "X-Forwarded-For",
        value: b"192.0.2.7",
    }];
    for (address, shown) in [
        ("11.0.0.1:1", "11.0.0.1"),
        ("[::ffff:11.0.0.1]:1", "11.0.0.1"),
        ("[::1]:1", "::1"),
    ] {
        let peer = Peer::new(address.parse().unwrap(), &trusted);
        assert_eq!(peer.client(&headers, &trusted), shown);
        assert_eq!(peer.client(&headers, &[]), shown);
    }
    let mapped = Peer::new("[::ffff:10.0.0.1]:1".parse().unwrap(), &trusted);
    assert_eq!(mapped.client(&headers, &trusted), "192.0.2.7");
}

#[test]
fn connections_are_counted_by_what_a_stranger_has() {
    let counted = |text: &str| {
        let trusted = proxies(&["10.0.0.0/8"]);
        Peer::new(text.parse().unwrap(), &trusted).counted
    };
    assert_eq!(counted("10.0.0.1:1"), None);
    assert_eq!(counted("192.0.2.7:1"), counted("[::ffff:192.0.2.7]:2"));
    assert_eq!(counted("[2001:db8::1]:1"), counted("[2001:db8::ffff:2]:1"));
    assert_ne!(counted("[2001:db8::1]:1"), counted("[2001:db8:0:1::1]:1"));
}

#[test]
fn networks_are_read_as_people_write_them() {
    let contains =
        |network: &str, address: &str| is_trusted(&proxies(&[network]), address.parse().unwrap());
    assert!(contains("10.1.2.3/8", "10.9.9.9"));
    assert!(contains("192.0.2.7", "192.0.2.7") && !contains("192.0.2.7", "192.0.2.8"));
    assert!(contains("::1", "::1") && contains("fd00::/8", "fdff::1"));
    assert!(contains("::ffff:10.0.0.0/104", "10.9.9.9"));
    assert!(contains("::ffff:10.0.0.1", "10.0.0.1"));
    assert!(contains("0.0.0.0/0", "1.2.3.4") && !contains("0.0.0.0/0", "::1"));
    for text in [
        "",
        "10.0.0.0/33",
        "10.0.0/8",
        "localhost",
        "10.0.0.0/8,::1",
        "[::1]",
    ] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
}

//! Whose a request is: the address of the connection's peer, or, where the peer is a trusted
//! proxy, the address that it passes on.
//!
//! A proxy appends what it saw to what the client had sent, so a list is read from its right end,
//! past the proxies that are trusted, and the first address that is none of them is the client's;
//! whatever stands further left was written by strangers. Nobody else's headers are looked at.
//!
//! Both `X-Forwarded-For` and `Forwarded` (RFC 7239) are read, and where both are there they must
//! agree: a proxy that sets one lets the other through as the client wrote it. Where they do not,
//! or where what is needed of them is no address (`unknown`, a hidden name, a Unix socket), the
//! proxy's own address stands for the client, so that nobody can choose another's.
//!
//! Leaves out what is done with the address. Invariant: addresses are canonical: an IPv4 address
//! in an IPv6 one is an IPv4 address, in lists of proxies too.

use httparse::Header;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// The networks of proxies whose word counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies(Vec<IpNet>);

impl Proxies {
    /// Trusts these networks.
    pub fn new(networks: impl IntoIterator<Item = Network>) -> Self {
        Self(networks.into_iter().map(|network| network.0).collect())
    }

    /// Whether an address is that of a trusted proxy.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A network of addresses, or one address: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

/// What is no [`Network`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address with or without a prefix length: 10.0.0.0/8, 192.0.2.7, fd00::/8")]
pub struct NotANetwork;

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => canonical(text.parse().map_err(|_| NotANetwork)?),
        };
        Ok(Self(network.trunc()))
    }
}

/// The IPv4 network that an IPv6 one holds and is nothing but.
fn canonical(network: IpNet) -> IpNet {
    /// Bits before the IPv4 address.
    const BEFORE: u8 = 96;
    let IpNet::V6(six) = network else {
        return network;
    };
    let mapped = six.addr().to_ipv4_mapped();
    match (mapped, six.prefix_len().checked_sub(BEFORE)) {
        (Some(address), Some(length)) => Ipv4Net::new(address, length).map_or(network, IpNet::V4),
        _ => network,
    }
}

/// The peer of a connection.
#[derive(Debug, Clone)]
pub(super) struct Peer {
    text: String,
    /// What its connections are counted under: for IPv6 the network of 64 bits, of which a
    /// stranger has all; `None` for a trusted proxy, whose connections are not counted.
    pub(super) counted: Option<IpAddr>,
}

impl Peer {
    /// The peer at an address.
    pub(super) fn new(address: SocketAddr, proxies: &Proxies) -> Self {
        let address = address.ip().to_canonical();
        let counted = match address {
            _ if proxies.trusts(address) => None,
            IpAddr::V4(_) => Some(address),
            IpAddr::V6(six) => {
                Some(Ipv6Net::new(six, 64).map_or(address, |network| IpAddr::V6(network.network())))
            }
        };
        Self {
            text: address.to_string(),
            counted,
        }
    }

    /// The address of the client whose request has these headers.
    pub(super) fn client<'p>(&'p self, headers: &[Header<'_>], proxies: &Proxies) -> Cow<'p, str> {
        if self.counted.is_some() {
            return Cow::Borrowed(&self.text);
        }
        let x = lists(headers, "X-Forwarded-For", proxies, forwarded_for);
        let standard = lists(headers, "Forwarded", proxies, forwarded);
        match (x, standard) {
            (Found::Address(one), Found::Address(other)) if one == other => {
                Cow::Owned(one.to_string())
            }
            (Found::Address(one), Found::Nothing) | (Found::Nothing, Found::Address(one)) => {
                Cow::Owned(one.to_string())
            }
            _ => Cow::Borrowed(&self.text),
        }
    }
}

/// What the headers of one name say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    /// There is none.
    Nothing,
    /// It is not known.
    Unclear,
    /// The client's address.
    Address(IpAddr),
}

/// Reads the headers of one name, which are one list, from the right. `read` gives the addresses
/// of one header from the left, with `None` for what is no address.
fn lists(
    headers: &[Header<'_>],
    name: &str,
    proxies: &Proxies,
    read: fn(&str) -> Vec<Option<IpAddr>>,
) -> Found {
    let mut last = Found::Nothing;
    for header in headers.iter().rev() {
        if !header.name.eq_ignore_ascii_case(name) {
            continue;
        }
        let Ok(text) = std::str::from_utf8(header.value) else {
            return Found::Unclear;
        };
        for address in read(text).into_iter().rev() {
            match address {
                Some(address) if proxies.trusts(address) => last = Found::Address(address),
                Some(address) => return Found::Address(address),
                None => return Found::Unclear,
            }
        }
    }
    // All of them are proxies: the one furthest away asks for itself.
    last
}

/// Reads an `X-Forwarded-For`.
fn forwarded_for(text: &str) -> Vec<Option<IpAddr>> {
    text.split(',').map(|entry| node(entry.trim())).collect()
}

/// Reads a `Forwarded`: elements between commas, each of pairs between semicolons.
fn forwarded(text: &str) -> Vec<Option<IpAddr>> {
    let element = |element: &str| {
        let mut found = None;
        for pair in split(element, ';') {
            let (name, value) = pair.split_once('=')?;
            if name.trim().eq_ignore_ascii_case("for") {
                let twice = found.replace(node(unquoted(value.trim())?)).is_some();
                if twice {
                    return None;
                }
            }
        }
        found.flatten()
    };
    split(text, ',').into_iter().map(element).collect()
}

/// Splits where a separator stands outside quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |found: char| {
        if escaped {
            escaped = false;
        } else if quoted && found == '\\' {
            escaped = true;
        } else if found == '"' {
            quoted = !quoted;
        }
        !quoted && found == separator
    })
    .collect()
}

/// The value of a token or a quoted string; no address needs an escape, and so none is read.
fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// The address of a node, which may have a port, and then brackets if it is IPv6.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse()
        .ok()
        .or_else(|| bracketed(text).map(IpAddr::V6))
        .or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
        .map(|address| address.to_canonical())
}

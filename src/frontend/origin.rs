//! The client's address: that of the connection's peer or, if the peer is a trusted proxy, the
//! address that the proxy passes on.
//!
//! A proxy appends the address it saw to what the client had sent. So a list is read from its right
//! end, past trusted proxies; the first other address is the client's, and everything left of it is
//! untrusted. The headers of untrusted peers are ignored.
//!
//! `X-Forwarded-For` and `Forwarded` (RFC 7239) must agree if both are present: a proxy that sets
//! one passes the other through as the client wrote it. If they differ, or if a needed entry is not
//! an address (`unknown`, a hidden name, a Unix socket), the proxy's own address is used, so that
//! nobody can choose another address.
//!
//! Invariant: addresses are canonical: an IPv4 address mapped into IPv6 is an IPv4 address, in lists
//! of proxies too.

use httparse::Header;
use ipnet::{IpNet, Ipv4Net};
use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// A network of addresses, or one address: `10.0.0.0/8`, `::1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(IpNet);

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WRONG: &str = "a network is an address with or without a prefix length: 10.0.0.0/8, \
                             192.0.2.7, fd00::/8";
        let network = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address.to_canonical()),
            Err(_) => canonical(text.parse().map_err(|_| WRONG)?),
        };
        Ok(Self(network.trunc()))
    }
}

/// Whether an address is that of a trusted proxy.
pub(super) fn is_trusted(proxies: &[Network], address: IpAddr) -> bool {
    proxies.iter().any(|network| network.0.contains(&address))
}

/// The IPv4 network that an IPv6 network of mapped addresses stands for.
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

/// The key under which a client is counted: its address, or for IPv6 its /64 network, all of
/// which one machine can have.
pub fn client_network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() >> 64 << 64).into()),
        address => address,
    }
}

#[derive(Debug, Clone)]
pub(super) struct Peer {
    text: String,
    /// The key of its connections ([`client_network`]); `None` for a trusted proxy, whose
    /// connections are not counted.
    pub(super) counted: Option<IpAddr>,
}

impl Peer {
    pub(super) fn new(address: SocketAddr, proxies: &[Network]) -> Self {
        let address = address.ip().to_canonical();
        let counted = (!is_trusted(proxies, address)).then(|| client_network(address));
        Self {
            text: address.to_string(),
            counted,
        }
    }

    /// The address of the client whose request has these headers.
    pub(super) fn client<'p>(
        &'p self,
        headers: &[Header<'_>],
        proxies: &[Network],
    ) -> Cow<'p, str> {
        if self.counted.is_some() {
            return Cow::Borrowed(&self.text);
        }
        let x = address_in(headers, "X-Forwarded-For", proxies, forwarded_for);
        let standard = address_in(headers, "Forwarded", proxies, forwarded);
        let address = match (x, standard) {
            (Ok(Some(one)), Ok(Some(other))) if one == other => Some(one),
            (Ok(Some(one)), Ok(None)) | (Ok(None), Ok(Some(one))) => Some(one),
            _ => None,
        };
        address.map_or(Cow::Borrowed(&self.text), |it| Cow::Owned(it.to_string()))
    }
}

/// An entry that is needed is not an address.
struct NoAddress;

/// Reads the headers of one name, which are one list, from the right, and returns the client's
/// address if there is such a header. `read` returns the entries of one header from the left, with
/// `None` for one that is not an address.
fn address_in(
    headers: &[Header<'_>],
    name: &str,
    proxies: &[Network],
    read: fn(&str) -> Vec<Option<IpAddr>>,
) -> Result<Option<IpAddr>, NoAddress> {
    let mut last = None;
    for header in headers.iter().rev() {
        if !header.name.eq_ignore_ascii_case(name) {
            continue;
        }
        let text = std::str::from_utf8(header.value).map_err(|_| NoAddress)?;
        for address in read(text).into_iter().rev() {
            last = Some(address.ok_or(NoAddress)?);
            if last.is_some_and(|address| !is_trusted(proxies, address)) {
                return Ok(last);
            }
        }
    }
    // All entries are proxies: the furthest one is the client.
    Ok(last)
}

fn forwarded_for(text: &str) -> Vec<Option<IpAddr>> {
    text.split(',').map(|entry| node(entry.trim())).collect()
}

/// Reads a `Forwarded`: elements separated by commas, each of pairs separated by semicolons.
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

/// Splits at separators outside quotes.
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

/// The value of a token or a quoted string, without escapes, which no address needs.
fn unquoted(value: &str) -> Option<&str> {
    match value.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"'),
        None => Some(value),
    }
}

/// The address of a node, which may have a port and, for IPv6, brackets.
fn node(text: &str) -> Option<IpAddr> {
    let bracketed = |text: &str| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    text.parse()
        .ok()
        .or_else(|| bracketed(text).map(IpAddr::V6))
        .or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))
        .map(|address| address.to_canonical())
}

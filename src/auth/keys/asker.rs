//! Who asks for keys, as far as it is counted.

use std::net::{IpAddr, Ipv6Addr};

/// An address, of IPv6 the network of 64 bits that one household has; what is no address counts
/// as one asker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asker(Option<IpAddr>);

impl Asker {
    pub(super) fn of(address: &str) -> Self {
        let address = address.parse::<IpAddr>().ok();
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                IpAddr::V6(Ipv6Addr::from(network))
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_a_network_as_one() {
        assert_eq!(Asker::of("2001:db8::1"), Asker::of("2001:db8::ffff:2"));
        assert_ne!(Asker::of("2001:db8::1"), Asker::of("2001:db8:0:1::1"));
        assert_eq!(Asker::of("::ffff:192.0.2.1"), Asker::of("192.0.2.1"));
        assert_ne!(Asker::of("192.0.2.1"), Asker::of("192.0.2.2"));
        assert_eq!(Asker::of("unknown"), Asker::of(""));
    }
}

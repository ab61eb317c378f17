//! The public address: whether it leads here.

use std::net::{IpAddr, ToSocketAddrs, UdpSocket};

use super::Finding;
use super::http::{Health, health};
use super::words::shell;

const CHECK: &str = "public";

/// The name in a public host, without a port.
pub(super) fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|c| c.is_ascii_digit()) => {
            name
        }
        _ => host,
    }
}

/// Whether a public host leads to a server that keeps events.
pub(super) fn host(host: &str) -> Finding {
    judge(
        host,
        &health(&format!("https://{host}")),
        &addresses(name_of(host)),
    )
}

/// The addresses of a name, and whether each is this machine's.
fn addresses(name: &str) -> Vec<(IpAddr, bool)> {
    let found = (name, 443).to_socket_addrs();
    let mut addresses: Vec<IpAddr> = found
        .into_iter()
        .flatten()
        .map(|found| found.ip())
        .collect();
    addresses.dedup();
    // Only an address of its own can be bound to.
    let is_own = |address: &IpAddr| UdpSocket::bind((*address, 0)).is_ok();
    addresses
        .iter()
        .map(|address| (*address, is_own(address)))
        .collect()
}

fn judge(host: &str, health: &Health, addresses: &[(IpAddr, bool)]) -> Finding {
    let shown: Vec<String> = addresses
        .iter()
        .map(|(address, own)| match own {
            true => format!("{address}, this machine"),
            false => format!("{address}, another machine or a router"),
        })
        .collect();
    let at = match shown.is_empty() {
        true => String::new(),
        false => format!(" ({})", shown.join("; ")),
    };
    let proxy = "see to the proxy in front: scripts/nginx.example and scripts/caddy.example pass on what is needed";
    match health {
        Health::Well => Finding::ok(
            CHECK,
            format!("https://{host}{at} leads to a server that keeps events"),
        ),
        Health::Ill(reason) => Finding::problem(
            CHECK,
            format!("https://{host}{at} leads to a server, which says: {reason}"),
            "see to the other checks, and to the server's log: journalctl -u profiletrail -n 50",
        ),
        Health::Other(status) => Finding::problem(
            CHECK,
            format!("https://{host}/healthz{at} is answered {status}"),
            proxy,
        ),
        Health::NoName => Finding::problem(
            CHECK,
            format!("{host} has no address"),
            format!("make an A or AAAA record for {} in DNS", name_of(host)),
        ),
        Health::Untrusted(reason) => Finding::problem(
            CHECK,
            format!("https://{host}{at} is not trusted, and Copernica will not either: {reason}"),
            format!("curl -v {}", shell(&format!("https://{host}/healthz"))),
        ),
        // A router may not lead a machine to its own public address.
        Health::Silent(reason) => Finding::warning(
            CHECK,
            format!("https://{host}{at} cannot be reached from here: {reason}"),
            format!(
                "curl -v {} from another machine; if that fails too, see to the firewall, and to the proxy or --listen",
                shell(&format!("https://{host}/healthz"))
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn each_outcome_has_its_verdict() {
        let text = "why".to_owned();
        let cases = [
            (Health::Well, Verdict::Ok),
            (Health::Ill(text.clone()), Verdict::Problem),
            (Health::Other(404), Verdict::Problem),
            (Health::NoName, Verdict::Problem),
            (Health::Untrusted(text.clone()), Verdict::Problem),
            (Health::Silent(text), Verdict::Warning),
        ];
        for (health, result) in cases {
            let found = judge("h.example", &health, &addresses("127.0.0.1"));
            assert_eq!(found.result, result, "{found:?}");
            assert!(found.what.contains("h.example"), "{found:?}");
            assert_eq!(found.fix.is_some(), result > Verdict::Unknown);
        }
    }

    #[test]
    fn an_address_is_told_from_others() {
        assert_eq!(
            addresses("127.0.0.1"),
            [("127.0.0.1".parse().unwrap(), true)]
        );
        assert_eq!(
            addresses("192.0.2.1"),
            [("192.0.2.1".parse().unwrap(), false)]
        );
        assert_eq!(name_of("a.example:8443"), "a.example");
        assert_eq!(name_of("a.example"), "a.example");
        assert_eq!(name_of("::1"), "::1");
    }
}

//! Checks that ask other machines: DNS for the sender's keys, and the public
//! address.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::str::FromStr;
use std::sync::mpsc::channel;
use std::time::Duration;

use indexmap::IndexSet;

use super::health::{Health, health};
use super::{Facts, Finding};
use crate::auth::keys::{KeyConfig, KeyDomain, KeyError, KeyName, KeyRing};
use crate::format::shell;
use crate::http_request::get;
use crate::store::ValidationFiles;

/// The label that is looked up below the key domain. It need not exist: any
/// answer will do.
const LABEL: &str = "profiletrail-doctor";

/// Longer than a look-up may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(15);

/// Whether DNS answers for the domain of the sender's keys.
pub(super) fn dns(facts: &Facts) -> Vec<Finding> {
    let Facts { settings, .. } = facts;
    match facts.outside {
        true => name_server(settings.key_domain.as_deref(), settings.dns_server),
        false => offline(),
    }
}

/// Whether each public host leads to a server that keeps events.
pub(super) fn public(facts: &Facts) -> Vec<Finding> {
    let hosts = &facts.settings.public_hosts;
    if !facts.outside {
        offline()
    } else if hosts.is_empty() {
        Finding::unknown(
            "no public host name is given",
            "name it with --public-host to have it tried",
        )
    } else {
        let check = |host: &String| {
            let health = health(&format!("https://{host}"));
            judge(host, &health, &addresses(name_of(host)))
        };
        hosts.iter().flat_map(check).collect()
    }
}

/// Whether there is a file by which Copernica validates the address, and whether each public host
/// serves it.
pub(super) fn validation(facts: &Facts) -> Vec<Finding> {
    let files = ValidationFiles::of(&facts.data);
    let names = files.names().unwrap_or_default();
    let hosts = &facts.settings.public_hosts;
    let first = match &facts.log {
        None => return Vec::new(),
        Some(log) => log.last_received.is_none(),
    };
    match names.as_slice() {
        [] if first => Finding::unknown(
            "there is no validation file, which Copernica fetches before it calls an address",
            format!(
                "save it under the name that Copernica shows, and: profiletrail validation add FILE --data {}",
                facts.data_word
            ),
        ),
        [] => Finding::ok("there is no validation file, and none is needed: calls have arrived"),
        names if !facts.outside || hosts.is_empty() => Finding::unknown(
            format!(
                "{} is there; not checked whether the public address serves it",
                names.join(", ")
            ),
            "name the host with --public-host, and leave --offline out",
        ),
        names => {
            let each = names
                .iter()
                .flat_map(|name| hosts.iter().map(move |host| (name, host)));
            each.flat_map(|(name, host)| {
                is_served(name, host, &files.read(name).unwrap_or_default(), first)
            })
            .collect()
        }
    }
}

fn is_served(name: &str, host: &str, content: &[u8], first: bool) -> Vec<Finding> {
    let urls = ["", "/webhook"].map(|folder| format!("https://{host}{folder}/{name}"));
    let is_there =
        |url: &&String| get(url).is_ok_and(|answer| answer.status == 200 && answer.body == content);
    let (there, absent): (Vec<_>, Vec<_>) = urls.iter().partition(is_there);
    let fix = "pass both addresses on, as scripts/nginx.example and scripts/caddy.example do";
    match (there.as_slice(), absent.as_slice()) {
        (_, []) if first => Finding::ok(format!(
            "{} and {} are served: let Copernica validate the address",
            urls[0], urls[1]
        )),
        (_, []) => Finding::ok(format!(
            "{} is served; once the address is validated: profiletrail validation remove {name}",
            urls[0]
        )),
        ([there, ..], [absent, ..]) => {
            Finding::warning(format!("{there} is served, but {absent} is not"), fix)
        }
        _ => Finding::problem(
            format!("neither {} nor {} is served", urls[0], urls[1]),
            fix,
        ),
    }
}

fn offline() -> Vec<Finding> {
    Finding::unknown("not checked: --offline was given", "leave --offline out")
}

fn name_server(domain: Option<&str>, server: Option<SocketAddr>) -> Vec<Finding> {
    let domain = match domain.map_or_else(|| Ok(KeyDomain::default()), KeyDomain::from_str) {
        Ok(domain) => domain,
        Err(error) => return Finding::problem(error.to_string(), "correct --key-domain"),
    };
    let whose = server.map_or_else(
        || "the system's name server".to_owned(),
        |server| server.to_string(),
    );
    match look_up(&domain, server) {
        Ok(()) => Finding::ok(format!("{whose} answers for {domain}")),
        Err(reason) => Finding::problem(
            format!(
                "{whose} does not answer for {domain}, the domain of the signature keys: {reason}"
            ),
            format!(
                "correct /etc/resolv.conf until `getent hosts {domain}` answers, or name another server with --dns-server"
            ),
        ),
    }
}

/// Looks a name up as the server does. An error if there is no answer.
fn look_up(domain: &KeyDomain, server: Option<SocketAddr>) -> Result<(), String> {
    let name = KeyName::below(&format!("{LABEL}.{domain}"), domain)
        .ok_or_else(|| format!("{domain} is too long for names below it"))?;
    let config = KeyConfig {
        domain: domain.clone(),
        dns_server: server,
        ..KeyConfig::default()
    };
    let ring = KeyRing::start(config).map_err(|error| error.to_string())?;
    let (sender, answer) = channel();
    let then = Box::new(move |found: Result<_, KeyError>| {
        // The receiver may have timed out.
        let _ = sender.send(found.err());
    });
    let asked = ring.look_up(name, then);
    let found = asked.map_err(|error| error.to_string()).and_then(|()| {
        let answer = answer.recv_timeout(LOOKUP_TIMEOUT);
        answer.map_err(|_| "there was no answer in time".to_owned())
    });
    ring.stop();
    match found? {
        Some(KeyError::Unreachable(reason)) => Err(reason.into_owned()),
        _ => Ok(()),
    }
}

/// The name in a public host, without a port.
pub(super) fn name_of(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') && port.bytes().all(|c| c.is_ascii_digit()) => {
            name
        }
        _ => host,
    }
}

/// The addresses of a name, and whether each is this machine's.
fn addresses(name: &str) -> Vec<(IpAddr, bool)> {
    let found = (name, 443).to_socket_addrs().into_iter().flatten();
    let addresses: IndexSet<IpAddr> = found.map(|found| found.ip()).collect();
    // A socket can only be bound to an address of this machine.
    let is_own = |address: &IpAddr| UdpSocket::bind((*address, 0)).is_ok();
    addresses
        .iter()
        .map(|address| (*address, is_own(address)))
        .collect()
}

fn judge(host: &str, health: &Health, addresses: &[(IpAddr, bool)]) -> Vec<Finding> {
    let shown = addresses.iter().map(|(address, own)| match own {
        true => format!("{address}, this machine"),
        false => format!("{address}, another machine or a router"),
    });
    let url = match shown.collect::<Vec<_>>().join("; ") {
        shown if shown.is_empty() => format!("https://{host}"),
        shown => format!("https://{host} ({shown})"),
    };
    let curl = format!("curl -v {}", shell(&format!("https://{host}/healthz")));
    match health {
        Health::Healthy => Finding::ok(format!("{url} leads to a server that keeps events")),
        Health::Unhealthy(reason) => Finding::problem(
            format!("{url} leads to a server that reports: {reason}"),
            "see the other checks, and the server's log: journalctl -u profiletrail -n 50",
        ),
        Health::Other(status) => Finding::problem(
            format!("/healthz of {url} is answered {status}"),
            "correct the proxy in front: scripts/nginx.example and scripts/caddy.example pass on what is needed",
        ),
        Health::NoAddress => Finding::problem(
            format!("{host} has no address in DNS"),
            format!("create an A or AAAA record for {}", name_of(host)),
        ),
        Health::Untrusted(reason) => Finding::problem(
            format!("{url} is not trusted, so Copernica will not call it: {reason}"),
            curl,
        ),
        // A router may not lead a machine to its own public address.
        Health::Unreachable(reason) => Finding::warning(
            format!("{url} cannot be reached from here: {reason}"),
            format!(
                "{curl} on another machine; if that fails too, check the firewall, and the proxy or --listen"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// A name server that says to one question that it has failed.
    fn failing_server() -> (SocketAddr, std::thread::JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(LOOKUP_TIMEOUT)).unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 512];
            let Ok((len, from)) = socket.recv_from(&mut packet) else {
                return;
            };
            // The header and the question, without answers.
            let end = 12 + packet[12..len].iter().position(|byte| *byte == 0).unwrap() + 5;
            packet[2..4].copy_from_slice(&[0x81, 0x82]);
            packet[6..12].fill(0);
            socket.send_to(&packet[..end], from).unwrap();
        });
        (address, thread)
    }

    #[test]
    fn a_failing_name_server_is_a_problem() {
        // It closes its socket after the first answer, so that nobody answers later.
        let (address, thread) = failing_server();
        let found = name_server(Some("example.org"), Some(address)).remove(0);
        assert_eq!(found.result, Verdict::Problem, "{found:?}");
        assert!(found.what.contains("example.org"));
        thread.join().unwrap();
        let found = name_server(Some("org"), None).remove(0);
        assert_eq!(found.result, Verdict::Problem);
    }

    #[test]
    fn each_health_has_its_result() {
        let text = "why".to_owned();
        let cases = [
            (Health::Healthy, Verdict::Ok),
            (Health::Unhealthy(text.clone()), Verdict::Problem),
            (Health::Other(404), Verdict::Problem),
            (Health::NoAddress, Verdict::Problem),
            (Health::Untrusted(text.clone()), Verdict::Problem),
            (Health::Unreachable(text), Verdict::Warning),
        ];
        for (health, result) in cases {
            let found = judge("h.example", &health, &addresses("127.0.0.1")).remove(0);
            assert_eq!(found.result, result, "{found:?}");
            assert!(found.what.contains("h.example"), "{found:?}");
            assert_eq!(found.fix.is_some(), result > Verdict::Unknown);
        }
    }

    #[test]
    fn this_machines_addresses_are_recognised() {
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

//! Whether DNS answers for the domain of the sender's keys.

use std::net::SocketAddr;
use std::str::FromStr;
use std::sync::mpsc::channel;
use std::time::Duration;

use super::Finding;
use crate::auth::keys::{KeyConfig, KeyDomain, KeyError, KeyName, KeyRing};

/// The label that is asked for below the key domain: what stands there does not
/// matter, only that there is an answer.
const LABEL: &str = "profiletrail-doctor";

/// Longer than a look-up may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// Asks as the server does: whether there is an answer, and if not, why.
pub(super) fn ask(domain: &KeyDomain, server: Option<SocketAddr>) -> Result<(), String> {
    let name = KeyName::below(&format!("{LABEL}.{domain}"), domain)
        .ok_or_else(|| format!("{domain} is too long for names below it"))?;
    let config = KeyConfig {
        domain: domain.clone(),
        dns_server: server,
        ..KeyConfig::default()
    };
    let ring = KeyRing::start(config).map_err(|error| error.to_string())?;
    let (told, answer) = channel();
    let then = Box::new(move |found: Result<_, KeyError>| {
        // Whoever has asked may have given up.
        let _ = told.send(found.err());
    });
    let asked = ring.look_up(name, then);
    let found = asked.map_err(|error| error.to_string()).and_then(|()| {
        let answer = answer.recv_timeout(PATIENCE);
        answer.map_err(|_| "there was no answer in time".to_owned())
    });
    ring.stop();
    match found? {
        Some(KeyError::Unreachable(reason)) => Err(reason.into_owned()),
        _ => Ok(()),
    }
}

/// Whether the keys of a domain can be looked up.
pub(super) fn answers(domain: Option<&str>, server: Option<SocketAddr>) -> Finding {
    const CHECK: &str = "dns";
    let domain = match domain.map_or_else(|| Ok(KeyDomain::default()), KeyDomain::from_str) {
        Ok(domain) => domain,
        Err(error) => return Finding::problem(CHECK, error.to_string(), "see to --key-domain"),
    };
    let whose = server.map_or_else(
        || "the system's name server".to_owned(),
        |server| server.to_string(),
    );
    match ask(&domain, server) {
        Ok(()) => Finding::ok(CHECK, format!("{whose} answers for {domain}")),
        Err(reason) => Finding::problem(
            CHECK,
            format!("{whose} does not answer for {domain}, where keys of signatures are: {reason}"),
            format!(
                "see to /etc/resolv.conf until `getent hosts {domain}` answers, or name another with --dns-server"
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::super::Verdict;
    use super::*;

    /// A name server that answers one question: that it knows no such name, or
    /// that it failed.
    fn server(code: u8, questions: usize) -> (SocketAddr, std::thread::JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let address = socket.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            for _ in 0..questions {
                let mut packet = [0; 512];
                let Ok((len, from)) = socket.recv_from(&mut packet) else {
                    return;
                };
                // Up to the question's end, with neither answers nor more.
                let end = 12 + packet[12..len].iter().position(|byte| *byte == 0).unwrap() + 5;
                packet[2] = 0x81;
                packet[3] = 0x80 | code;
                packet[6..12].fill(0);
                socket.send_to(&packet[..end], from).unwrap();
            }
        });
        (address, thread)
    }

    #[test]
    fn a_server_that_knows_no_such_name_answers() {
        let (address, thread) = server(3, 1);
        let found = answers(None, Some(address));
        assert_eq!(found.result, Verdict::Ok, "{found:?}");
        assert!(found.what.ends_with("answers for copernica.com"));
        thread.join().unwrap();
    }

    #[test]
    fn a_server_that_fails_is_told() {
        // It closes its socket with the first answer: nobody is there then.
        let (address, thread) = server(2, 1);
        let found = answers(Some("example.org"), Some(address));
        assert_eq!(found.result, Verdict::Problem, "{found:?}");
        assert!(found.what.contains("example.org"));
        thread.join().unwrap();
        assert_eq!(answers(Some("org"), None).result, Verdict::Problem);
    }
}

//! Whether a server runs, and answers where it listens.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::http::{Health, health};
use super::{Finding, Running};
use crate::store::Holder;

/// How long a connection may take to be accepted.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a server runs on the folder: what it told, or why it could not be
/// asked, or who holds the folder's lock instead.
pub(super) fn runs(found: &Result<Running, Option<String>>, holder: Option<&Holder>) -> Finding {
    const CHECK: &str = "server";
    let version = env!("CARGO_PKG_VERSION");
    match (found, holder) {
        (Ok(running), _) if running.version == version => Finding::ok(
            CHECK,
            format!("version {version} runs as process {}", running.pid),
        ),
        (Ok(running), _) => Finding::warning(
            CHECK,
            format!("version {} runs, and this is {version}", running.version),
            "systemctl restart profiletrail",
        ),
        (Err(Some(reason)), _) => Finding::problem(
            CHECK,
            format!("it cannot be asked: {reason}"),
            "systemctl restart profiletrail, if it is of another version; else run this as the folder's owner",
        ),
        (Err(None), Some(holder)) => Finding::warning(
            CHECK,
            format!("the folder is in use by {holder}, which answers nothing"),
            "ask again in a moment: a server may be starting",
        ),
        (Err(None), None) => Finding::problem(
            CHECK,
            "none runs on this folder: calls are lost",
            "systemctl start profiletrail; journalctl -u profiletrail -n 50 says why it had ended",
        ),
    }
}

/// Whether there is an answer where a server listens; with TLS only whether a
/// connection is accepted, as its certificate is for its public name.
pub(super) fn listens(listen: SocketAddr, tls: bool) -> Finding {
    let address = local(listen);
    let found = match tls {
        false => health(&format!("http://{address}")),
        true => match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => Health::Well,
            Err(error) => Health::Silent(error.to_string()),
        },
    };
    answered(listen, &found)
}

/// An address by which this machine reaches what listens at one.
fn local(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

fn answered(listen: SocketAddr, found: &Health) -> Finding {
    const CHECK: &str = "listen";
    match found {
        Health::Well => Finding::ok(CHECK, format!("{listen} is answered")),
        Health::Ill(reason) => Finding::problem(
            CHECK,
            format!("{listen} is answered, and calls are not kept: {reason}"),
            "journalctl -u profiletrail -n 50 says why",
        ),
        Health::Other(status) => Finding::problem(
            CHECK,
            format!("{listen} is answered {status}, by something else"),
            format!(
                "ss -ltnp 'sport = :{}' shows by what; or name another with --listen",
                listen.port()
            ),
        ),
        Health::NoName | Health::Untrusted(_) | Health::Silent(_) => {
            let reason = match found {
                Health::Untrusted(reason) | Health::Silent(reason) => reason,
                _ => "it has no address",
            };
            Finding::problem(
                CHECK,
                format!("{listen} is not answered: {reason}"),
                "systemctl restart profiletrail; if it is full of connections, see to what comes in front of it",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn a_server_is_told_from_others() {
        let running = |version: &str| {
            Ok(Running {
                version: version.to_owned(),
                ..Running::default()
            })
        };
        let holder = Holder {
            pid: 7,
            server: false,
        };
        let none = || Err(None);
        assert_eq!(
            runs(&running(env!("CARGO_PKG_VERSION")), None).result,
            Verdict::Ok
        );
        assert_eq!(runs(&running("0.0.0"), None).result, Verdict::Warning);
        assert_eq!(runs(&none(), Some(&holder)).result, Verdict::Warning);
        assert_eq!(runs(&none(), None).result, Verdict::Problem);
        let asked = Err(Some("denied".to_owned()));
        assert_eq!(runs(&asked, None).result, Verdict::Problem);
    }

    #[test]
    fn what_listens_is_judged_by_its_answer() {
        let any: SocketAddr = "0.0.0.0:80".parse().unwrap();
        assert_eq!(local(any), "127.0.0.1:80".parse().unwrap());
        assert_eq!(
            local("[::]:80".parse().unwrap()),
            "[::1]:80".parse().unwrap()
        );
        let text = "why".to_owned();
        let of = |health: Health| answered(any, &health).result;
        assert_eq!(of(Health::Well), Verdict::Ok);
        for health in [
            Health::Ill(text.clone()),
            Health::Other(404),
            Health::Silent(text),
        ] {
            assert_eq!(of(health), Verdict::Problem);
        }
    }
}

//! Asks a server for its health, as a load balancer would.

use std::error::Error;
use std::io;

use crate::http_request::{HttpAnswer, get};

/// The result of asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Health {
    /// A profiletrail that keeps events.
    Healthy,
    /// A profiletrail that gives a reason why it is not healthy.
    Unhealthy(String),
    /// Another program answered, with this status.
    Other(u16),
    /// The name has no address.
    NoAddress,
    /// Its certificate is not accepted, for this reason.
    Untrusted(String),
    /// Nothing answered, for this reason.
    Unreachable(String),
}

/// Asks for `/healthz` of a base URL such as `https://hooks.example.com`.
pub(super) fn health(base: &str) -> Health {
    match get(&format!("{base}/healthz")) {
        Ok(HttpAnswer { status, body }) => judge(status, &body),
        Err(error) => failed(&error),
    }
}

/// The meaning of an answer.
fn judge(status: u16, body: &[u8]) -> Health {
    let body: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
    let word = |name: &str| body.get(name).and_then(serde_json::Value::as_str);
    match (status, word("status"), word("error")) {
        (200, Some("ok"), _) => Health::Healthy,
        (200 | 503, _, Some(reason)) | (200 | 503, Some(reason), None) => {
            Health::Unhealthy(reason.chars().take(300).collect())
        }
        _ => Health::Other(status),
    }
}

fn failed(error: &ureq::Error) -> Health {
    match error {
        ureq::Error::HostNotFound => Health::NoAddress,
        ureq::Error::Rustls(error) => Health::Untrusted(error.to_string()),
        ureq::Error::Io(error) => match tls_error(error) {
            Some(reason) => Health::Untrusted(reason),
            None => Health::Unreachable(error.to_string()),
        },
        error => Health::Unreachable(error.to_string()),
    }
}

/// The error of TLS, if that is the cause.
fn tls_error(error: &(dyn Error + 'static)) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls.to_string());
    }
    // The source of an I/O error is that of the error in it.
    let io_error = error.downcast_ref::<io::Error>();
    match io_error.and_then(io::Error::get_ref) {
        Some(inner) => tls_error(inner),
        None => tls_error(error.source()?),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn each_answer_has_its_meaning() {
        let unhealthy = |text: &str| Health::Unhealthy(text.to_owned());
        let cases = [
            (200, r#"{"status":"ok"}"#, Health::Healthy),
            (
                503,
                r#"{"error":"the disk is full","where":"server"}"#,
                unhealthy("the disk is full"),
            ),
            (200, r#"{"status":"silent"}"#, unhealthy("silent")),
            (200, "<html>", Health::Other(200)),
            (
                404,
                r#"{"error":"there is nothing here"}"#,
                Health::Other(404),
            ),
            (301, "", Health::Other(301)),
        ];
        for (status, body, health) in cases {
            assert_eq!(judge(status, body.as_bytes()), health, "{status} {body}");
        }
    }

    #[test]
    fn a_server_that_is_gone_is_unreachable() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}")
                .unwrap();
        });
        assert_eq!(health(&format!("http://{address}")), Health::Healthy);
        thread.join().unwrap();
        // The listener is gone now.
        assert!(matches!(
            health(&format!("http://{address}")),
            Health::Unreachable(_)
        ));
    }
}

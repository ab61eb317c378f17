//! The server's own certificate: its end, its names, its chain.

use std::fs;
use std::path::Path;

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::Finding;
use super::public::name_of;
use super::words::{shell, span};

/// How long before its end it is told, in seconds: certbot renews 30 days before.
const SOON: i64 = 21 * 86_400;

const CHECK: &str = "certificate";

/// What is said of a certificate file.
pub(super) fn file(path: &Path, hosts: &[String], now: i64) -> Finding {
    let shown = path.display();
    match fs::read(path) {
        Ok(bytes) => chain(&bytes, &shown.to_string(), hosts, now),
        Err(error) => Finding::problem(
            CHECK,
            format!("{shown} cannot be read: {error}"),
            "name the right file with --tls-cert, readable for the server's user",
        ),
    }
}

/// What is said of a certificate with its chain, in PEM.
fn chain(pem: &[u8], shown: &str, hosts: &[String], now: i64) -> Finding {
    let bad = |what: String| {
        Finding::problem(
            CHECK,
            format!("{shown} {what}"),
            format!(
                "openssl x509 -noout -text -in {} shows what it is",
                shell(shown)
            ),
        )
    };
    let found: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = match found {
        Ok(chain) => chain,
        Err(error) => return bad(format!("is no PEM file: {error}")),
    };
    let Some(own) = chain.first() else {
        return bad("holds no certificate".to_owned());
    };
    let (read, parsed) = match (Certificate::from_der(own), ParsedCertificate::try_from(own)) {
        (Ok(read), Ok(parsed)) => (read, parsed),
        (Err(error), _) => return bad(format!("cannot be read: {error}")),
        (_, Err(error)) => return bad(format!("cannot be used: {error}")),
    };
    let tbs = read.tbs_certificate();
    let seconds = |time: &x509_cert::time::Time| {
        i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX)
    };
    let renew = "certbot renew, and see why it was not done by itself: systemctl list-timers";
    let begin = seconds(&tbs.validity().not_before);
    if begin > now {
        return bad(format!("is valid only in {}", span(begin - now)));
    }
    let left = seconds(&tbs.validity().not_after) - now;
    if left <= 0 {
        let what = format!("{shown} ended {} ago: nobody calls any more", span(-left));
        return Finding::problem(CHECK, what, renew);
    }
    for host in hosts {
        let name = ServerName::try_from(name_of(host));
        let covered = name.is_ok_and(|name| verify_server_name(&parsed, &name).is_ok());
        if !covered {
            return Finding::problem(
                CHECK,
                format!("{shown} is not for {host}"),
                format!(
                    "certbot certonly -d {} gives one that is",
                    shell(name_of(host))
                ),
            );
        }
    }
    let what = format!("{shown} ends in {}", span(left));
    if left < SOON {
        return Finding::warning(CHECK, what, renew);
    }
    if chain.len() == 1 && tbs.issuer() != tbs.subject() {
        return Finding::warning(
            CHECK,
            what + ", and has no issuer's certificate with it, which callers need",
            "name the file with the whole chain (certbot: fullchain.pem) with --tls-cert",
        );
    }
    Finding::ok(CHECK, what)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    /// Made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256
    /// -days 90 -subj /CN=test -addext
    /// subjectAltName=DNS:hooks.example.com,DNS:*.example.org`.
    const PEM: &str = include_str!("certificate.pem");

    fn of(pem: &str, host: &str, now: i64) -> Finding {
        chain(pem.as_bytes(), "a.pem", &[host.to_owned()], now)
    }

    #[test]
    fn a_certificate_is_judged_by_its_end_and_its_names() {
        const DAY: i64 = 86_400;
        let read = Certificate::from_der(&CertificateDer::from_pem_slice(PEM.as_bytes()).unwrap())
            .unwrap();
        let validity = read.tbs_certificate().validity();
        let begin = validity.not_before.to_unix_duration().as_secs() as i64;
        let cases = [
            ("hooks.example.com", 0, Verdict::Ok),
            ("HOOKS.example.com:8443", 60 * DAY, Verdict::Ok),
            ("a.example.org", 68 * DAY, Verdict::Ok),
            ("a.example.org", 70 * DAY, Verdict::Warning),
            ("a.example.org", 90 * DAY, Verdict::Problem),
            ("a.b.example.org", 0, Verdict::Problem),
            ("example.com", 0, Verdict::Problem),
            ("no name", 0, Verdict::Problem),
            ("hooks.example.com", -1, Verdict::Problem),
        ];
        for (host, after, result) in cases {
            let found = of(PEM, host, begin + after);
            assert_eq!(found.result, result, "{found:?}");
        }
        let found = of(PEM, "hooks.example.com", begin + 91 * DAY);
        assert!(found.what.contains("ended 24 hours ago"), "{found:?}");
    }

    #[test]
    fn what_is_no_certificate_is_told() {
        for pem in [
            "",
            "x",
            &PEM[..200],
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(of(pem, "a", 0).result, Verdict::Problem, "{pem}");
        }
        let found = file(Path::new("/nowhere"), &[], 0);
        assert_eq!(found.result, Verdict::Problem);
    }
}

//! The check of the server's own certificate: validity, names, chain.

use std::path::Path;

use rustls::client::verify_server_name;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use x509_cert::Certificate;
use x509_cert::der::Decode;

use super::finding::duration;
use super::network::name_of;
use super::{Facts, Finding};
use crate::format::shell;
use crate::storage::{Links, read_small};

/// How long before its expiry it is a warning, in seconds; certbot renews 30 days
/// before.
const SOON: i64 = 21 * 86_400;

/// Whether the certificate is valid for the public hosts.
pub(super) fn certificate(facts: &Facts) -> Vec<Finding> {
    let Facts { settings, now, .. } = facts;
    let path = settings.tls_cert.iter();
    path.flat_map(|path| file(path, &settings.public_hosts, *now))
        .collect()
}

fn file(path: &Path, hosts: &[String], now: i64) -> Vec<Finding> {
    let shown = path.display();
    match read_small(path, 1 << 20, Links::Follow) {
        Ok(bytes) => chain(&bytes, &shown.to_string(), hosts, now),
        Err(error) => Finding::problem(
            format!("{shown} cannot be read: {error}"),
            "name the right file with --tls-cert, and let the server's user read it",
        ),
    }
}

/// Judges a certificate with its chain, in PEM.
fn chain(pem: &[u8], shown: &str, hosts: &[String], now: i64) -> Vec<Finding> {
    let bad = |what: String| {
        Finding::problem(
            format!("{shown} {what}"),
            format!(
                "openssl x509 -noout -text -in {} shows its content",
                shell(shown)
            ),
        )
    };
    let found: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let chain = match found {
        Ok(chain) => chain,
        Err(error) => return bad(format!("is not a PEM file: {error}")),
    };
    let Some(own) = chain.first() else {
        return bad("contains no certificate".to_owned());
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
    let renew = "certbot renew, and find out why the timer did not: systemctl list-timers";
    let begin = seconds(&tbs.validity().not_before);
    if begin > now {
        return bad(format!("becomes valid only in {}", duration(begin - now)));
    }
    let left = seconds(&tbs.validity().not_after) - now;
    if left <= 0 {
        let what = format!("{shown} expired {} ago: every call fails", duration(-left));
        return Finding::problem(what, renew);
    }
    for host in hosts {
        let name = ServerName::try_from(name_of(host));
        let covered = name.is_ok_and(|name| verify_server_name(&parsed, &name).is_ok());
        if !covered {
            return Finding::problem(
                format!("{shown} is not valid for {host}"),
                format!(
                    "certbot certonly -d {} creates one that is",
                    shell(name_of(host))
                ),
            );
        }
    }
    let what = format!("{shown} expires in {}", duration(left));
    if left < SOON {
        return Finding::warning(what, renew);
    }
    if chain.len() == 1 && tbs.issuer() != tbs.subject() {
        return Finding::warning(
            what + ", but lacks the issuer's certificate, which senders need",
            "use the file with the whole chain (certbot: fullchain.pem) for --tls-cert",
        );
    }
    Finding::ok(what)
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
        chain(pem.as_bytes(), "a.pem", &[host.to_owned()], now).remove(0)
    }

    #[test]
    fn a_certificate_is_judged_by_its_validity_and_its_names() {
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
        assert!(found.what.contains("expired 24 hours ago"), "{found:?}");
    }

    #[test]
    fn other_files_are_problems() {
        for pem in [
            "",
            "x",
            &PEM[..200],
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert_eq!(of(pem, "a", 0).result, Verdict::Problem, "{pem}");
        }
        let found = file(Path::new("/nowhere"), &[], 0).remove(0);
        assert_eq!(found.result, Verdict::Problem);
    }
}

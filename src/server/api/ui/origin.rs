//! The origin of a browser's form, and whether it was sent over TLS.
//!
//! Browsers report the origin in headers that no page can set: `Sec-Fetch-Site` on a
//! trusted connection (TLS, or this machine), else `Origin`. `Origin` also shows whether
//! the browser uses TLS, regardless of proxies behind it. A program that sends neither
//! does not run another site's page.

use std::net::IpAddr;

use super::ApiRequest;
use crate::server::worker::path_of;

/// The origin of a form, according to its headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormOrigin {
    /// It came from this site's own page, over TLS (`true`) or on loopback.
    Own(bool),
    /// It came from this site's own page, unencrypted over the network.
    Clear,
    /// Another site's page made it.
    Foreign,
}

/// Determines a form's origin. `loopback`: only this machine reaches the listener.
pub(super) fn form_origin(request: &ApiRequest, loopback: bool) -> FormOrigin {
    let origin = request.origin.as_deref();
    let parts = origin.and_then(|origin| origin.split_once("://"));
    let is_own = |(_, host): (&str, &str)| {
        let own = request.host.as_deref();
        own.is_some_and(|own| own.eq_ignore_ascii_case(host))
    };
    match request.fetch_site.as_deref() {
        Some("same-origin") => {}
        None if origin.is_none() || parts.is_some_and(is_own) => {}
        _ => return FormOrigin::Foreign,
    }
    match parts {
        Some(("https", _)) => FormOrigin::Own(true),
        Some((_, host)) if is_loopback(host) => FormOrigin::Own(false),
        Some(_) => FormOrigin::Clear,
        None => FormOrigin::Own(!loopback),
    }
}

/// Whether a browser may be connected without TLS over the network, before it has sent a
/// form: it sends `Sec-Fetch-Site` only on a connection that it trusts.
pub(super) fn may_be_clear(request: &ApiRequest) -> bool {
    let here = request.host.as_deref().is_some_and(is_loopback);
    request.fetch_site.is_none() && !here
}

/// Whether a host name, with or without a port, means this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let name = name.to_ascii_lowercase();
    let address = name.parse::<IpAddr>();
    name == "localhost"
        || name.ends_with(".localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

/// The target after a login: always one of this site, regardless of the request.
pub(super) fn own_target(next: &str) -> &str {
    let plain = next.len() <= 2000
        && next
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let path = path_of(next);
    let own = plain && next.starts_with('/') && !next.starts_with("//");
    if own && !matches!(path, "/login" | "/logout" | "/live") {
        next
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiny_http::Method;

    fn request(origin: Option<&str>, site: Option<&str>, host: &str) -> ApiRequest {
        ApiRequest {
            method: Method::Post,
            target: "/login".to_owned(),
            peer: String::new(),
            authorization: None,
            accept: None,
            cookie: None,
            host: Some(host.to_owned()),
            origin: origin.map(str::to_owned),
            fetch_site: site.map(str::to_owned),
            tag: None,
            content_type: None,
            body: Vec::new(),
            fault: false,
        }
    }

    #[test]
    fn other_sites_are_known() {
        for (origin, site, host, expected) in [
            (
                Some("http://127.0.0.1:8082"),
                Some("same-origin"),
                "127.0.0.1:8082",
                FormOrigin::Own(false),
            ),
            (
                Some("https://trail.example"),
                Some("same-origin"),
                "127.0.0.1:8082",
                FormOrigin::Own(true),
            ),
            (
                Some("https://trail.example"),
                None,
                "Trail.Example",
                FormOrigin::Own(true),
            ),
            (
                Some("http://[::1]:8082"),
                None,
                "[::1]:8082",
                FormOrigin::Own(false),
            ),
            (
                Some("http://10.0.0.5:8082"),
                None,
                "10.0.0.5:8082",
                FormOrigin::Clear,
            ),
            (
                Some("http://evil.example"),
                None,
                "10.0.0.5:8082",
                FormOrigin::Foreign,
            ),
            (Some("null"), None, "10.0.0.5:8082", FormOrigin::Foreign),
            (
                Some("null"),
                Some("same-origin"),
                "trail.example",
                FormOrigin::Own(true),
            ),
            (
                Some("http://127.0.0.1:8082"),
                Some("cross-site"),
                "127.0.0.1:8082",
                FormOrigin::Foreign,
            ),
            (
                Some("http://127.0.0.1:9"),
                Some("same-site"),
                "127.0.0.1:8082",
                FormOrigin::Foreign,
            ),
            (None, Some("none"), "127.0.0.1:8082", FormOrigin::Foreign),
            (None, None, "127.0.0.1:8082", FormOrigin::Own(true)),
        ] {
            assert_eq!(
                form_origin(&request(origin, site, host), false),
                expected,
                "{origin:?} {site:?} {host}"
            );
        }
        assert_eq!(
            form_origin(&request(None, None, "x"), true),
            FormOrigin::Own(false)
        );
        assert!(!is_loopback("127.0.0.1.evil.example:80") && !is_loopback("notlocalhost"));
        assert!(is_loopback("a.localhost:1") && is_loopback("127.8.8.8"));
    }

    #[test]
    fn a_login_leads_nowhere_else() {
        for own in ["/", "/profile/1?at=%402", "/search?q=//x"] {
            assert_eq!(own_target(own), own);
        }
        for foreign in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nX: y",
            "/login",
            "/logout?x",
            "/é",
        ] {
            assert_eq!(own_target(foreign), "/", "{foreign}");
        }
    }
}

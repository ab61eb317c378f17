//! The session cookie.
//!
//! `HttpOnly`: no script reads it. `SameSite=Strict`: no other site's link or form
//! sends it. Over TLS it is `Secure` and named `__Host-…`: no other host and no
//! connection without TLS can set or see it. On loopback without TLS that
//! protection is neither available nor needed. Its name ends with the listener's port,
//! because browsers send a host's cookies to all of its ports.

use super::sessions::LONGEST;

/// The session cookie of one listener.
#[derive(Clone, Copy, Debug)]
pub(super) struct SessionCookie {
    pub port: u16,
}

impl SessionCookie {
    fn name(self, secure: bool) -> String {
        let prefix = if secure { "__Host-" } else { "" };
        format!("{prefix}profiletrail-{}", self.port)
    }

    /// The session names in a `Cookie` header, and whether each has the TLS cookie name.
    pub(super) fn sessions(self, cookie: Option<&str>) -> impl Iterator<Item = (&str, bool)> {
        let names = [true, false].map(|secure| (self.name(secure), secure));
        let pairs = cookie.unwrap_or_default().split(';');
        pairs.filter_map(move |pair| {
            let (known, value) = pair.trim().split_once('=')?;
            let (_, secure) = names.iter().find(|(name, _)| name == known)?;
            Some((value, *secure))
        })
    }

    fn header(self, value: &str, secure: bool, age: u64) -> String {
        let name = self.name(secure);
        let more = if secure { "; Secure" } else { "" };
        format!(
            "Set-Cookie: {name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{more}\r\n"
        )
    }

    /// The header that sets the cookie.
    pub(super) fn set_header(self, session: &str, secure: bool) -> String {
        self.header(session, secure, LONGEST.as_secs())
    }

    /// The headers that delete the cookie under either name.
    pub(super) fn clear_headers(self) -> String {
        self.header("", true, 0) + &self.header("", false, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: SessionCookie = SessionCookie { port: 8081 };

    #[test]
    fn only_its_own_cookie_is_read() {
        let read = |text| COOKIE.sessions(Some(text)).collect::<Vec<_>>();
        assert_eq!(read("a=b; profiletrail-8081=x; c"), [("x", false)]);
        assert_eq!(
            read("__Host-profiletrail-8081=y;profiletrail-8081=x"),
            [("y", true), ("x", false)]
        );
        for other in [
            "profiletrail-8081",
            "Profiletrail-8081=x; xprofiletrail-8081=y",
            "profiletrail-8082=x; profiletrail=y",
        ] {
            assert!(read(other).is_empty(), "{other}");
        }
        assert_eq!(COOKIE.sessions(None).count(), 0);
    }

    #[test]
    fn what_is_given_is_hardened() {
        assert_eq!(
            COOKIE.set_header("x", true),
            "Set-Cookie: __Host-profiletrail-8081=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure\r\n"
        );
        assert!(
            COOKIE
                .set_header("x", false)
                .starts_with("Set-Cookie: profiletrail-8081=x; Path=/; HttpOnly; SameSite=Strict;")
        );
        assert_eq!(COOKIE.clear_headers().matches("Max-Age=0").count(), 2);
    }
}

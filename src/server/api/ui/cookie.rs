//! The session cookie.
//!
//! `HttpOnly`: no script reads it. `SameSite=Strict`: no other site's link or form
//! sends it. Over TLS it is `Secure` and named `__Host-…`: no other host and no
//! connection without TLS can set or see it. On loopback without TLS that
//! protection is neither available nor needed.

use super::sessions::LONGEST;

/// Its name over TLS, and without.
const NAMES: [&str; 2] = ["__Host-profiletrail", "profiletrail"];

const fn name(secure: bool) -> &'static str {
    let [host, plain] = NAMES;
    if secure { host } else { plain }
}

/// The session names in a `Cookie` header, and whether each has the TLS cookie name.
pub(super) fn sessions(cookie: Option<&str>) -> impl Iterator<Item = (&str, bool)> {
    let pairs = cookie.unwrap_or_default().split(';');
    pairs.filter_map(|pair| {
        let (known, value) = pair.trim().split_once('=')?;
        let secure = [true, false].into_iter().find(|it| name(*it) == known)?;
        Some((value, secure))
    })
}

fn header(value: &str, secure: bool, age: u64) -> String {
    let name = name(secure);
    let more = if secure { "; Secure" } else { "" };
    format!(
        "Set-Cookie: {name}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{more}\r\n"
    )
}

/// The header that sets the cookie.
pub(super) fn given(session: &str, secure: bool) -> String {
    header(session, secure, LONGEST.as_secs())
}

/// The headers that delete the cookie under either name.
pub(super) fn taken() -> String {
    format!("{}{}", header("", true, 0), header("", false, 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_cookie_is_read() {
        let read = |text| sessions(Some(text)).collect::<Vec<_>>();
        assert_eq!(read("a=b; profiletrail=x; c"), [("x", false)]);
        assert_eq!(
            read("__Host-profiletrail=y;profiletrail=x"),
            [("y", true), ("x", false)]
        );
        assert!(
            read("profiletrail").is_empty() && read("Profiletrail=x; xprofiletrail=y").is_empty()
        );
        assert_eq!(sessions(None).count(), 0);
    }

    #[test]
    fn what_is_given_is_hardened() {
        assert_eq!(
            given("x", true),
            "Set-Cookie: __Host-profiletrail=x; Path=/; HttpOnly; SameSite=Strict; Max-Age=43200; Secure\r\n"
        );
        assert!(
            given("x", false)
                .starts_with("Set-Cookie: profiletrail=x; Path=/; HttpOnly; SameSite=Strict;")
        );
        assert_eq!(taken().matches("Max-Age=0").count(), 2);
    }
}

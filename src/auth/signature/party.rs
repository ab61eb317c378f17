//! Whose call it is and to whom: accounts and public hosts.

use std::fmt;
use std::str::FromStr;

/// An account of Copernica. Senders write `account_1234` and `account-1234`;
/// the digits decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account(u64);

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = match text.get(.."account".len()) {
            Some(word) if word.eq_ignore_ascii_case("account") => text
                .get("account".len()..)
                .and_then(|rest| rest.strip_prefix(['_', '-'])),
            _ => Some(text),
        };
        digits
            .filter(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| {
                "an account is written account_1234, as in Copernica's X-Copernica-ID".to_owned()
            })
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "account_{}", self.0)
    }
}

/// A host under which the receiver is called, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHost {
    name: String,
    port: Option<u16>,
}

/// The usual ports, which a `Host` need not name.
const USUAL_PORTS: [u16; 2] = [80, 443];

impl PublicHost {
    /// Whether a `Host` header names it. Without a port in either, or with one
    /// of the usual ones in the header, the name decides.
    pub fn is_named_by(&self, header: &str) -> bool {
        let Ok(named) = header.parse::<Self>() else {
            return false;
        };
        let is_usual = |port: u16| USUAL_PORTS.contains(&port);
        named.name == self.name
            && match (self.port, named.port) {
                (Some(ours), Some(theirs)) => ours == theirs,
                (Some(ours), None) => is_usual(ours),
                (None, port) => port.is_none_or(is_usual),
            }
    }

    /// The name, in lower case.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for PublicHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no host: write it as in the webhook's address, as hooks.example.com or hooks.example.com:8443"
            )
        };
        // An address of the sixth version stands in brackets.
        let end = match text.strip_prefix('[') {
            Some(_) => text.find(']').map(|end| end + 1).ok_or_else(wrong)?,
            None => text.find(':').unwrap_or(text.len()),
        };
        let (name, rest) = text.split_at_checked(end).ok_or_else(wrong)?;
        let port = match rest.strip_prefix(':') {
            Some(port) if !port.starts_with('+') => Some(port.parse().map_err(|_| wrong())?),
            None if rest.is_empty() => None,
            _ => return Err(wrong()),
        };
        let is_plain = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'[' | b']' | b':')
        };
        if name.is_empty() || name.len() > 255 || !name.bytes().all(is_plain) {
            return Err(wrong());
        }
        Ok(Self {
            name: name.trim_end_matches('.').to_ascii_lowercase(),
            port,
        })
    }
}

impl fmt::Display for PublicHost {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.name)?;
        self.port.map_or(Ok(()), |port| write!(out, ":{port}"))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_digits_decide() {
        let account: Account = "account_1234".parse().unwrap();
        for text in ["account-1234", "1234", "Account_01234"] {
            assert_eq!(text.parse(), Ok(account));
        }
        for text in [
            "",
            "account_",
            "account1234",
            "account_12a",
            "account__1",
            "+1234",
            "account_99999999999999999999",
            "ａccount_1",
            "account_1234 ",
        ] {
            assert!(text.parse::<Account>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_host_is_known_by_its_name_and_an_unusual_port() {
        let host: PublicHost = "hooks.example.com".parse().unwrap();
        for named in [
            "hooks.example.com",
            "HOOKS.example.com.",
            "hooks.example.com:443",
            "hooks.example.com:80",
        ] {
            assert!(host.is_named_by(named), "{named}");
        }
        for other in [
            "hooks.example.com:8443",
            "example.com",
            "xhooks.example.com",
            "",
            "hooks.example.com:443:1",
            "hooks.example.com, hooks.example.com",
            "hooks.example.com:+443",
        ] {
            assert!(!host.is_named_by(other), "{other}");
        }
        let host: PublicHost = "hooks.example.com:8443".parse().unwrap();
        assert!(host.is_named_by("hooks.example.com:8443"));
        assert!(!host.is_named_by("hooks.example.com"));
        let host: PublicHost = "[::1]:8080".parse().unwrap();
        assert!(host.is_named_by("[::1]:8080") && !host.is_named_by("[::1]:8081"));
        for text in ["", ":80", "a b", "http://a", "[::1", "a:99999"] {
            assert!(text.parse::<PublicHost>().is_err(), "{text}");
        }
    }
}

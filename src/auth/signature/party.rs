//! The sender's accounts and the receiver's public hosts.

use std::fmt;
use std::str::FromStr;

use crate::event::parse_number;

/// An account of the sender: the product's word for it and its number, as in `account_1234` or
/// `environment-1234`. Both must match; `-` equals `_`, and a bare number is an `account`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// In lower case.
    kind: String,
    number: u64,
}

/// The word for a bare number.
const ACCOUNT: &str = "account";

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, digits) = text.rsplit_once(['_', '-']).unwrap_or((ACCOUNT, text));
        let is_word = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphabetic());
        match parse_number(digits) {
            Some(number) if is_word => Ok(Self {
                kind: kind.to_ascii_lowercase(),
                number,
            }),
            _ => Err(
                "write an account as in X-Copernica-ID: account_1234 or environment-1234"
                    .to_owned(),
            ),
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}_{}", self.kind, self.number)
    }
}

/// A host under which the receiver is called, with or without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicHost {
    /// In lower case.
    name: String,
    port: Option<u16>,
}

/// The default ports, which a `Host` may omit.
const USUAL_PORTS: [u16; 2] = [80, 443];

impl PublicHost {
    /// Whether a `Host` header names it. Two ports must be equal; a missing one equals a
    /// missing or a default port.
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
}

impl FromStr for PublicHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is not a host: write it as in the webhook's address, as hooks.example.com or hooks.example.com:8443"
            )
        };
        // An IPv6 address is in brackets.
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
    fn word_and_number_both_count() {
        let account: Account = "account_1234".parse().unwrap();
        for text in ["account-1234", "1234", "Account_01234"] {
            assert_eq!(text.parse(), Ok(account.clone()), "{text}");
        }
        let environment: Account = "environment-1234".parse().unwrap();
        assert_eq!("ENVIRONMENT_1234".parse(), Ok(environment.clone()));
        assert_ne!(environment, account);
        assert_ne!("account_12345".parse(), Ok(account));
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

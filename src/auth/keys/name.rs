//! The names of keys, and the domain below which they must lie.
//!
//! The caller chooses a key's name, and its DNS record decides whether the call is accepted. A
//! [`KeyName`] can only be made by [`KeyName::below`], so the owner of the key domain controls it.

use std::fmt;
use std::str::FromStr;

/// Bytes of a name without its trailing dot.
const MAX_NAME: usize = 253;
/// Bytes of a label.
const MAX_LABEL: usize = 63;

/// The domain below which keys must lie: in lower case, without a trailing dot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyDomain(String);

impl Default for KeyDomain {
    fn default() -> Self {
        Self("copernica.com".to_owned())
    }
}

impl FromStr for KeyDomain {
    type Err = String;

    /// Case-insensitive; one trailing dot is allowed.
    fn from_str(text: &str) -> Result<Self, String> {
        let name = text.strip_suffix('.').unwrap_or(text);
        if is_name(name) && name.contains('.') {
            Ok(Self(name.to_ascii_lowercase()))
        } else {
            let text: String = text.chars().take(300).collect();
            Err(format!(
                "{text:?} is not a key domain: write at least two labels of letters, digits, _ and inner -, as in \
                 copernica.com"
            ))
        }
    }
}

impl fmt::Display for KeyDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a key: in lower case, absolute without a trailing dot, and a true subdomain of the
/// key domain it was checked against.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyName(String);

impl KeyName {
    /// Checks a name as the caller sent it. `None` unless it is a true subdomain of the domain, at
    /// most 253 bytes long, without a trailing dot, with labels of 1 to 63 letters, digits, `_` and
    /// inner `-`.
    pub fn below(name: &str, domain: &KeyDomain) -> Option<KeyName> {
        if !is_name(name) {
            return None;
        }
        let name = name.to_ascii_lowercase();
        let is_below = name
            .strip_suffix(domain.0.as_str())
            .is_some_and(|rest| rest.ends_with('.'));
        is_below.then_some(KeyName(name))
    }

    /// The name in lower case, without a trailing dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME && name.split('.').all(is_label)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn below(name: &str) -> Option<String> {
        KeyName::below(name, &KeyDomain::default()).map(|name| name.as_str().to_owned())
    }

    #[test]
    fn takes_true_subdomains_in_any_case() {
        let name = Some("one._domainkey.copernica.com".to_owned());
        assert_eq!(below("one._domainkey.copernica.com"), name);
        assert_eq!(below("One._DomainKey.COPERNICA.com"), name);
        assert!(below("a-b.copernica.com").is_some());
        let label = "a".repeat(63);
        assert!(below(&format!("{label}.copernica.com")).is_some());
        // 3 * 64 + 47 + 14 = 253 bytes.
        let longest = format!("{label}.{label}.{label}.{}.copernica.com", "b".repeat(47));
        assert_eq!(longest.len(), 253);
        assert!(below(&longest).is_some());
    }

    #[test]
    fn refuses_every_other_name() {
        let label = "a".repeat(63);
        let too_long = format!("{label}.{label}.{label}.{}.copernica.com", "b".repeat(48));
        let long_label = format!("{label}a.copernica.com");
        for name in [
            "",
            ".",
            "copernica.com",
            "Copernica.Com",
            ".copernica.com",
            "evilcopernica.com",
            "copernica.com.evil.net",
            "x.copernica.com.evil.net",
            "x.copernica.com.",
            "x..copernica.com",
            "com",
            "x.copernica.co",
            "-x.copernica.com",
            "x-.copernica.com",
            "x\0.copernica.com",
            "x .copernica.com",
            " x.copernica.com",
            "x.copernica.com ",
            "x%2e.copernica.com",
            "x\\.copernica.com",
            "x\\046y.copernica.com",
            "*.copernica.com",
            "ë.copernica.com",
            "x.copernıca.com",
            // A Kelvin sign, whose lower case is an ASCII k.
            "\u{212a}.copernica.com",
            "x。copernica.com",
            "x.copernica.com\n",
            too_long.as_str(),
            long_label.as_str(),
        ] {
            assert_eq!(below(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_domain_is_read_as_owners_write_it() {
        let domain: KeyDomain = "Keys.Example.NET.".parse().unwrap();
        assert_eq!(domain.0, "keys.example.net");
        assert!(KeyName::below("a.keys.example.net", &domain).is_some());
        assert!(KeyName::below("a.example.net", &domain).is_none());
        for wrong in [
            "", ".", "com", "com.", "a b.com", "é.com", "a..com", ".com", "a.com..",
        ] {
            assert!(wrong.parse::<KeyDomain>().is_err(), "{wrong:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(name in "\\PC*", any in any::<String>()) {
            let domain = KeyDomain::default();
            for text in [name.clone(), any, format!("{name}.copernica.com")] {
                if let Some(name) = KeyName::below(&text, &domain) {
                    prop_assert!(name.as_str().ends_with(".copernica.com"));
                    prop_assert!(name.as_str().len() <= MAX_NAME);
                    prop_assert_eq!(KeyName::below(name.as_str(), &domain), Some(name));
                }
                let _ = text.parse::<KeyDomain>();
            }
        }
    }
}

//! A form as PHP's `http_build_query` writes it: pairs in the order given,
//! names of entries in brackets that are encoded too.

use std::fmt::Write as _;

/// A form that grows pair by pair.
#[derive(Default)]
pub struct Form(String);

impl Form {
    /// Adds a name with a value.
    pub fn pair(&mut self, name: &str, value: &str) {
        self.entry(name, None, value);
    }

    /// Adds an entry, `name[key]`, or without a key the name alone.
    pub fn entry(&mut self, name: &str, key: Option<&str>, value: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        if let Some(key) = key {
            self.0.push_str("%5B");
            self.encoded(key);
            self.0.push_str("%5D");
        }
        self.0.push('=');
        self.encoded(value);
    }

    /// Adds a number, which needs no encoding; not as the first pair.
    pub fn number(&mut self, name: &str, value: impl std::fmt::Display) {
        // Writing to a string does not fail.
        let _ = write!(self.0, "&{name}={value}");
    }

    /// The whole form.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0.into_bytes()
    }

    fn encoded(&mut self, text: &str) {
        self.0
            .extend(form_urlencoded::byte_serialize(text.as_bytes()));
    }
}

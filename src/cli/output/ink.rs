//! Text for people, coloured by what it is.

use std::borrow::Cow;

use super::sanitize::plain;
use crate::cli::setting::Setting;
use crate::event::ProfileKey;
use crate::history::Value;

/// The most characters of a value that are shown.
const MOST: usize = 160;

/// What a piece of text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An event's number, a heading.
    Head,
    /// A moment.
    Time,
    /// A value that was.
    Old,
    /// A value that is.
    New,
    /// Something to be looked at.
    Doubt,
    /// What is said besides.
    Aside,
}

/// What colours text, where that is wanted.
#[derive(Clone, Copy)]
pub struct Ink<'s> {
    setting: &'s Setting,
}

impl<'s> Ink<'s> {
    /// As the setting has it.
    pub const fn new(setting: &'s Setting) -> Self {
        Self { setting }
    }

    /// The setting.
    pub const fn setting(self) -> &'s Setting {
        self.setting
    }

    /// A text in the colour of its role; nothing unsafe is in it.
    pub fn put(self, role: Role, text: &str) -> String {
        let text = plain(text);
        if !self.setting.color {
            return text;
        }
        let code = match role {
            Role::Head => "1",
            Role::Time => "36",
            Role::Old => "31",
            Role::New => "32",
            Role::Doubt => "33",
            Role::Aside => "2",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// An RFC 3339 time in the reader's zone.
    pub fn time(self, time: &str) -> String {
        self.put(Role::Time, &self.setting.local(time))
    }

    /// A value that was; `None` is not known.
    pub fn old(self, value: Option<&Value<'_>>) -> String {
        match value {
            Some(value) => self.put(Role::Old, &value_text(value)),
            None => "?".to_owned(),
        }
    }

    /// A value that is.
    pub fn new_value(self, value: &Value<'_>) -> String {
        self.put(Role::New, &value_text(value))
    }
}

/// What a value is, a long one cut.
pub fn value_text(value: &Value<'_>) -> String {
    match value {
        Value::Absent => "(absent)".to_owned(),
        Value::Member(member) => if *member { "yes" } else { "no" }.to_owned(),
        Value::Text(text) => quoted(text),
    }
}

/// A value so that an empty one can be seen, a long one cut.
pub fn quoted(text: &str) -> String {
    if text.is_empty() {
        return "\"\"".to_owned();
    }
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// The name of a field or an interest.
pub fn name_of(field: &Option<Cow<'_, str>>, interest: &Option<Cow<'_, str>>) -> String {
    match (field, interest) {
        (Some(name), _) => plain(name),
        (None, Some(name)) => format!("interest {}", plain(name)),
        (None, None) => String::new(),
    }
}

/// Whose an event is.
pub fn who(profile: u64, subprofile: Option<u64>) -> String {
    ProfileKey {
        profile,
        subprofile,
    }
    .to_string()
}

/// A type, marked where it is known whether Copernica sent the event.
pub fn event_type(name: &str, verified: Option<bool>) -> String {
    let mark = match verified {
        None => "",
        Some(true) => " ✓",
        Some(false) => " ✗",
    };
    format!("{}{mark}", plain(name))
}

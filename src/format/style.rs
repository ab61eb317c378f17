//! Colours by role, resolved once per stream.

/// The role of a piece of text, which decides its colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Role {
    #[default]
    Plain,
    Head,
    Dim,
    Time,
    /// An event's number.
    Seq,
    Old,
    /// The part of it that differs.
    OldPart,
    New,
    /// The part of it that differs.
    NewPart,
    /// Something to check.
    Warning,
}

impl Role {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Head => "\u{1b}[1m",
            Self::Dim => "\u{1b}[2m",
            Self::Time => "\u{1b}[36m",
            Self::Seq | Self::Warning => "\u{1b}[33m",
            Self::Old => "\u{1b}[31m",
            Self::OldPart => "\u{1b}[31;1;4m",
            Self::New => "\u{1b}[32m",
            Self::NewPart => "\u{1b}[32;1;4m",
        }
    }
}

/// Whether a stream takes colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Styles {
    pub on: bool,
}

impl Styles {
    /// Adds a text, which must be safe, in the colour of its role.
    pub fn put(self, line: &mut String, role: Role, text: &str) {
        let code = if self.on { role.code() } else { "" };
        line.push_str(code);
        line.push_str(text);
        if !code.is_empty() {
            line.push_str("\u{1b}[0m");
        }
    }
}

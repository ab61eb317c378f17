//! Text that knows its colours, and how wide it is on a terminal.
//!
//! Cut and padded by grapheme clusters, so that wide characters, emoji and combining
//! marks keep columns straight. If terminals differ in the width of one, the largest
//! width counts: a column that is a space off is better than a line that overflows. All
//! text in a [`Text`] is safe for a terminal: text from outside goes through [`plain`]
//! first.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::sanitize::plain;

const ELLIPSIS: &str = "…";

pub fn width_of(text: &str) -> usize {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.len();
    }
    text.graphemes(true).map(width_of_one).sum()
}

/// The width of one: many terminals draw the parts of an emoji side by side.
fn width_of_one(grapheme: &str) -> usize {
    let parts = grapheme.chars().filter_map(UnicodeWidthChar::width);
    grapheme.width().max(parts.sum())
}

/// Lines of a text that is safe, each of at most that width.
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let lines = Text::of(Role::Plain, text).wrap(width).into_iter();
    let plain = lines.map(|line| line.pieces.into_iter().map(|(_, text)| text).collect());
    plain.collect()
}

/// The length in bytes of the longest run of leading grapheme clusters that is at most `width`
/// wide.
fn fitting<'t>(graphemes: impl Iterator<Item = &'t str>, width: usize) -> usize {
    let mut used = 0;
    let fits = graphemes.take_while(|grapheme| {
        used += width_of_one(grapheme);
        used <= width
    });
    fits.map(str::len).sum()
}

/// The beginning and the end of a text, together of at most that width; `after` says how
/// much of it is for the end.
fn cut(text: &str, width: usize, after: impl FnOnce(usize) -> usize) -> String {
    if width_of(text) <= width {
        return text.to_owned();
    }
    let Some(room) = width.checked_sub(1) else {
        return String::new();
    };
    let after = after(room);
    let begin = fitting(text.graphemes(true), room - after);
    let end = text.len() - fitting(text.graphemes(true).rev(), after);
    let part = |part: Option<&'_ str>| part.unwrap_or_default().to_owned();
    part(text.get(..begin)) + ELLIPSIS + &part(text.get(end..))
}

/// The beginning of a text, of at most that width.
pub fn head(text: &str, width: usize) -> String {
    cut(text, width, |_| 0)
}

/// The end of a text, of at most that width.
pub fn tail(text: &str, width: usize) -> String {
    cut(text, width, |room| room)
}

/// The beginning and the end of a text, together of at most that width.
pub fn middle(text: &str, width: usize) -> String {
    cut(text, width, |room| room / 2)
}

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

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Text {
    pieces: Vec<(Role, String)>,
}

impl Text {
    /// A text of one role, safe already.
    pub fn of(role: Role, text: impl Into<String>) -> Self {
        Self::default().and(role, text)
    }

    /// A text from outside.
    pub fn outside(role: Role, text: &str) -> Self {
        Self::of(role, plain(text))
    }

    /// The same with one more piece.
    pub fn and(mut self, role: Role, text: impl Into<String>) -> Self {
        self.push(role, text);
        self
    }

    pub fn push(&mut self, role: Role, text: impl Into<String>) {
        let text = text.into();
        if !text.is_empty() {
            self.pieces.push((role, text));
        }
    }

    pub fn append(&mut self, other: Self) {
        self.pieces.extend(other.pieces);
    }

    pub const fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// All of it, without roles.
    pub fn text(&self) -> String {
        self.pieces.iter().map(|(_, text)| text.as_str()).collect()
    }

    /// Its length in bytes.
    pub fn len(&self) -> usize {
        self.pieces.iter().map(|(_, text)| text.len()).sum()
    }

    pub fn width(&self) -> usize {
        self.pieces.iter().map(|(_, text)| width_of(text)).sum()
    }

    /// The same, of at most that width, if there is a limit: shortened in the middle if it is
    /// one piece, else at the end.
    pub fn fit(&self, width: impl Into<Option<usize>>) -> Self {
        let Some(width) = width.into().filter(|width| self.width() > *width) else {
            return self.clone();
        };
        if let [(role, text)] = self.pieces.as_slice() {
            return Self::of(*role, middle(text, width));
        }
        let mut left = width;
        let mut fitted = Self::default();
        if width == 0 {
            return fitted;
        }
        for (role, text) in &self.pieces {
            let wide = width_of(text);
            // The last piece with room ends with the ellipsis.
            if wide < left {
                fitted.push(*role, text.as_str());
                left -= wide;
                continue;
            }
            let begin = text.get(..fitting(text.graphemes(true), left.saturating_sub(1)));
            fitted.push(*role, format!("{}{ELLIPSIS}", begin.unwrap_or_default()));
            break;
        }
        fitted
    }

    /// Cuts it into lines of at most that width, at spaces if possible; the space at a
    /// cut is left out.
    pub fn wrap(&self, width: usize) -> Vec<Self> {
        let width = width.max(1);
        let mut lines = Vec::new();
        let mut line = Self::default();
        let mut left = width;
        for (role, text) in &self.pieces {
            let mut rest = text.as_str();
            while !rest.is_empty() {
                if width_of(rest) <= left {
                    left -= width_of(rest);
                    line.push(*role, rest);
                    break;
                }
                let mut end = fitting(rest.graphemes(true), left);
                let fits = rest.get(..end).unwrap_or_default();
                if let Some(space) = fits.rfind(' ').filter(|space| *space >= end / 2) {
                    end = space + 1;
                }
                if end == 0 && left == width {
                    // A single character that is wider than a line is not cut.
                    end = rest.graphemes(true).next().map_or(rest.len(), str::len);
                }
                let (begin, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                line.push(*role, begin.strip_suffix(' ').unwrap_or(begin));
                rest = after;
                lines.push(std::mem::take(&mut line));
                left = width;
            }
        }
        if !line.is_empty() || lines.is_empty() {
            lines.push(line);
        }
        lines
    }

    /// The same; without a limit it is one line.
    pub fn lines(&self, width: Option<usize>) -> Vec<Self> {
        width.map_or_else(|| vec![self.clone()], |width| self.wrap(width))
    }

    pub fn put(&self, line: &mut String, styles: Styles) {
        for (role, text) in &self.pieces {
            styles.put(line, *role, text);
        }
    }

    /// Adds it to a line, with spaces up to a width.
    pub fn put_padded(&self, line: &mut String, styles: Styles, width: usize) {
        self.put(line, styles);
        line.push_str(&" ".repeat(width.saturating_sub(self.width())));
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &Text) -> String {
        let mut line = String::new();
        text.put(&mut line, Styles { on: false });
        line
    }

    #[test]
    fn a_cut_is_marked() {
        for (text, width, begin, inner, end) in [
            ("abcdef", 6, "abcdef", "abcdef", "abcdef"),
            ("abcdef", 5, "abcd…", "ab…ef", "…cdef"),
            ("李雷韓梅", 5, "李雷…", "李…梅", "…韓梅"),
            ("李雷韓梅", 4, "李…", "李…", "…梅"),
            (
                "e\u{301}e\u{301}e\u{301}",
                2,
                "e\u{301}…",
                "e\u{301}…",
                "…e\u{301}",
            ),
            ("abc", 0, "", "", ""),
            ("abc", 1, "…", "…", "…"),
        ] {
            assert_eq!(head(text, width), begin, "{text} {width}");
            assert_eq!(middle(text, width), inner, "{text} {width}");
            assert_eq!(tail(text, width), end, "{text} {width}");
        }
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(
            parts in proptest::collection::vec("[ a-z李é👍\u{301}]{0,12}", 0..4), width in 0_usize..30
        ) {
            let mut text = Text::default();
            for part in &parts {
                text.push(Role::Plain, part.as_str());
                for cut in [head(part, width), middle(part, width), tail(part, width)] {
                    prop_assert!(width_of(&cut) <= width, "{cut:?}");
                }
            }
            prop_assert!(text.fit(width).width() <= width);
            let lines = text.wrap(width);
            // One grapheme cluster may be wider than such a line.
            prop_assert!(lines.iter().all(|line| line.width() <= width.max(3)));
            let joined: String = lines.iter().map(shown).collect();
            let dense = |text: String| text.replace(' ', "");
            prop_assert_eq!(dense(joined), dense(parts.concat()));
        }
    }
}

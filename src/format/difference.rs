//! The part in which two texts differ.

use unicode_segmentation::UnicodeSegmentation;

/// Differences of shorter texts than this are obvious.
const LONG: usize = 12;

/// Longer texts than this, in bytes, are not compared.
const TOO_LONG: usize = 64 << 10;

/// The differing part grows by at most this many characters, to whole words.
const MAX_WORD: usize = 12;

/// A text before the part that differs, that part, and the text after it.
pub type Cut = (String, String, String);

/// The differing part of two texts; `None` if it is obvious, or the whole text. With
/// `words` the part grows to whole words, if they are short, since these are easier to
/// read than single letters.
pub fn differing(old: &str, new: &str, words: bool) -> Option<[Cut; 2]> {
    if old.len().max(new.len()) > TOO_LONG {
        return None;
    }
    let old: Vec<&str> = old.graphemes(true).collect();
    let new: Vec<&str> = new.graphemes(true).collect();
    let shorter = old.len().min(new.len());
    if old.len().max(new.len()) < LONG {
        return None;
    }
    let alike = |(one, other): &(&&str, &&str)| one == other;
    let begin = old.iter().zip(&new).take_while(alike).count();
    let backwards = old.iter().rev().zip(new.iter().rev());
    let backwards = backwards.take(shorter - begin);
    let end = backwards.take_while(alike).count();
    if 3 * (begin + end) < shorter {
        return None;
    }
    let in_word = |text: &&&str| words && text.chars().all(char::is_alphanumeric);
    let before = old.get(..begin).unwrap_or_default();
    let before = before.iter().rev().take_while(in_word).count();
    let after = old.get(old.len() - end..).unwrap_or_default();
    let after = after.iter().take_while(in_word).count();
    let begin = begin - if before > MAX_WORD { 0 } else { before };
    let end = end - if after > MAX_WORD { 0 } else { after };
    if begin + end == 0 {
        return None;
    }
    Some([old, new].map(|all| {
        let cut = |from, to| all.get(from..to).unwrap_or_default().concat();
        let to = all.len() - end;
        (cut(0, begin), cut(begin, to), cut(to, all.len()))
    }))
}

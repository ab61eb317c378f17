//! The names of labels, events and profiles in all commands.

use super::number::{counted, grouped};
use super::sanitize::plain;
use crate::event::ProfileKey;

/// A label, or `(none)`.
pub fn label(label: Option<&str>) -> String {
    label.map_or_else(|| "(none)".to_owned(), plain)
}

/// How many profiles and subprofiles: `2 profiles`, `1 profile, 3 subprofiles`.
pub fn of_many(profiles: u64, subprofiles: u64) -> String {
    match (profiles, subprofiles) {
        (_, 0) => counted(profiles, "profile"),
        (0, _) => counted(subprofiles, "subprofile"),
        _ => format!(
            "{}, {}",
            counted(profiles, "profile"),
            counted(subprofiles, "subprofile")
        ),
    }
}

/// Which events: `event 7`, `4 events, 7 to 12`.
pub fn events(count: u64, first: u64, last: u64) -> String {
    match count {
        1 => format!("event {first}"),
        count => format!("{}, {first} to {last}", counted(count, "event")),
    }
}

/// The first of some names with their counts, `most` at most: `crm (2), shop (1)`.
pub fn listed(names: impl IntoIterator<Item = (String, u64)>, most: usize, more: bool) -> String {
    let mut names = names.into_iter();
    let named: Vec<_> = names
        .by_ref()
        .take(most)
        .map(|(name, count)| format!("{name} ({})", grouped(count)))
        .collect();
    let others = more || names.next().is_some();
    let others = if others { ", and others" } else { "" };
    format!("{}{others}", named.join(", "))
}

/// The first of some names, `most` at most, and how many more there are: `a, b and 3 more`.
pub fn first_of<N: ToString>(names: impl ExactSizeIterator<Item = N>, most: usize) -> String {
    let more = match names.len().saturating_sub(most) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let named: Vec<_> = names.take(most).map(|name| name.to_string()).collect();
    named.join(", ") + &more
}

/// Whether a value of this cause may be older than the event that shows it.
pub fn is_at_latest(cause: &str) -> bool {
    matches!(
        cause,
        "unexplained" | "first_seen" | "observed" | "baseline"
    )
}

/// The profile or subprofile of an event, in a sentence.
pub fn who(key: ProfileKey) -> String {
    let what = match key.subprofile {
        None => "profile",
        Some(_) => "subprofile",
    };
    format!("{what} {key}")
}

/// A name or path as one word of a shell command.
pub fn shell(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), |quoted| quoted.into_owned())
}

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn a_path_stays_one_word() {
        for word in ["/var/lib/profiletrail", "a b'c", "", "a\"$b`\\", "a\nb"] {
            assert_eq!(shlex::split(&shell(word)), Some(vec![word.to_owned()]));
        }
        assert_eq!(shell("/var/lib/profiletrail"), "/var/lib/profiletrail");
    }
}

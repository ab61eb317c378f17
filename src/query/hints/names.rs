//! The names that occur in events, and which of them was probably meant.

use std::collections::BTreeSet;

use super::OF_ONE;
use crate::event::Event;
use crate::store::Snapshot;

/// The maximum number of names collected.
const NAMES: usize = 2_000;

/// The maximum number of names that a hint lists or looks for.
pub(super) const LISTED: usize = 8;

/// Names longer than this are not compared.
const LONG: usize = 100;

/// The name that was probably meant.
pub fn nearest<'n>(asked: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    if asked.chars().count() > LONG {
        return None;
    }
    let asked = asked.to_lowercase();
    let distance = |name: &str| {
        if name.chars().count() > LONG {
            return None;
        }
        let name = name.to_lowercase();
        let distance = strsim::damerau_levenshtein(&asked, &name);
        let most = (asked.chars().count().max(name.chars().count()) / 3).max(1);
        (distance <= most && distance < name.chars().count()).then_some(distance)
    };
    let near = names.into_iter();
    let near = near.filter_map(|name| Some((distance(name)?, name)));
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The names that occur in some events.
#[derive(Debug, Default)]
pub(super) struct Names {
    fields: BTreeSet<String>,
    interests: BTreeSet<String>,
    pub(super) labels: BTreeSet<String>,
}

impl Names {
    /// Those of the events with these numbers.
    pub(super) fn of(snapshot: &Snapshot<'_>, seqs: Vec<u64>) -> Self {
        let mut known = Self::default();
        let retention = snapshot.retention();
        let mut reader = snapshot.reader();
        for seqs in seqs.chunks(OF_ONE) {
            reader.read_ahead(seqs.to_vec());
            for seq in seqs {
                if let Ok(event) = reader.event(*seq)
                    && !retention.hides(event.time, event.received.div_euclid(1_000_000), *seq)
                {
                    known.take(&event);
                }
            }
        }
        known
    }

    fn take(&mut self, event: &Event<'_>) {
        let put = |names: &mut BTreeSet<String>, name: &str| {
            if names.len() < NAMES && name.chars().count() <= LONG && !names.contains(name) {
                names.insert(name.to_owned());
            }
        };
        for name in event.content.fields.keys() {
            put(&mut self.fields, name);
        }
        for name in event.content.interests.iter().flat_map(|all| all.members()) {
            put(&mut self.interests, &name);
        }
        if let Some(label) = &event.label {
            put(&mut self.labels, label);
        }
    }

    /// Compares with the requested names.
    pub(super) fn compare(&self, fields: &[String], interests: &[String], hints: &mut Vec<String>) {
        for (asked, flag, known, other_flag, others) in [
            (
                fields,
                "--field",
                &self.fields,
                "--interest",
                &self.interests,
            ),
            (
                interests,
                "--interest",
                &self.interests,
                "--field",
                &self.fields,
            ),
        ] {
            for name in asked.iter().take(LISTED) {
                if known.contains(name) {
                    continue;
                }
                if others.contains(name) {
                    hints.push(format!("did you mean {other_flag} {}?", typed(name)));
                } else if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
                    hints.push(format!("did you mean {flag} {}?", typed(near)));
                } else if !known.is_empty() {
                    let what = flag.trim_start_matches('-');
                    hints.push(format!("{what}s that there are: {}", listed(known)));
                }
            }
        }
    }
}

/// A name quoted for a shell.
pub(super) fn typed(name: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '@' | '/');
    if !name.is_empty() && name.chars().all(bare) {
        name.to_owned()
    } else {
        format!("'{}'", name.replace('\'', "'\\''"))
    }
}

/// The first of some names, and the number of the rest.
pub(super) fn listed(names: &BTreeSet<String>) -> String {
    let first: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    let more = names.len().saturating_sub(LISTED);
    let rest = if more == 0 {
        String::new()
    } else {
        format!(" and {more} more")
    };
    format!("{}{rest}", first.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let names = ["mail", "newsletter", "city", "First name", "x"];
        for (asked, meant) in [
            ("mial", Some("mail")),
            ("Mail", Some("mail")),
            ("newsleter", Some("newsletter")),
            ("first_name", Some("First name")),
            ("telephone", None),
            ("y", None),
            ("", None),
        ] {
            assert_eq!(nearest(asked, names), meant, "{asked}");
        }
        assert_eq!(nearest(&"x".repeat(100_000), names), None);
    }

    #[test]
    fn names_can_be_typed() {
        assert_eq!(typed("mail"), "mail");
        assert_eq!(typed("it's"), "'it'\\''s'");
        assert_eq!(typed(""), "''");
    }
}

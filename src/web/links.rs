//! The addresses of pages.

use form_urlencoded::Serializer;

use crate::event::ProfileKey;
use crate::history::Subject;

/// The part of a (sub)profile's time that is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Zoom {
    /// From its first event on.
    #[default]
    All,
    /// The last day, week, month or year: its name and length, as in [`LENGTHS`].
    Last(&'static str, i64),
    /// From one Unix second up to another.
    Between(i64, i64),
}

/// The spans up to now that can be drawn: name and length in seconds.
pub const LENGTHS: [(&str, i64); 4] = [
    ("day", 86_400),
    ("week", 7 * 86_400),
    ("month", 30 * 86_400),
    ("year", 365 * 86_400),
];

impl Zoom {
    /// The zoom of that name.
    pub fn of(name: &str) -> Option<Self> {
        if name == "all" {
            return Some(Self::All);
        }
        let found = LENGTHS.iter().find(|(known, _)| *known == name);
        found.map(|(known, seconds)| Self::Last(known, *seconds))
    }
}

pub fn profile(key: ProfileKey) -> String {
    format!("/profile/{key}")
}

pub fn event(seq: u64) -> String {
    format!("/event/{seq}")
}

/// The address of the proof of an event, a file.
pub fn proof(seq: u64) -> String {
    format!("/event/{seq}/proof.zip")
}

/// The address of a (sub)profile's page with parameters.
#[derive(Clone, Debug)]
pub struct ProfileLink {
    key: ProfileKey,
    pub pairs: Vec<(&'static str, String)>,
}

impl ProfileLink {
    /// A link to a part of its time, limited to one field or interest if `only` names it.
    pub fn new(key: ProfileKey, zoom: Zoom, only: Option<&Subject<'_>>) -> Self {
        let mut pairs = match zoom {
            Zoom::All => Vec::new(),
            Zoom::Last(name, _) => vec![("span", name.to_owned())],
            Zoom::Between(from, to) => vec![("from", format!("@{from}")), ("to", format!("@{to}"))],
        };
        pairs.extend(only.map(|only| (only.kind(), only.name().to_owned())));
        Self { key, pairs }
    }

    /// Adds a parameter.
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.pairs.push((name, value.into()));
        self
    }

    pub fn to(&self) -> String {
        with_query(profile(self.key), &self.pairs)
    }

    /// The address of the (sub)profile's dossier, with the same parameters.
    pub fn to_dossier(&self) -> String {
        with_query(format!("{}/dossier", profile(self.key)), &self.pairs)
    }
}

/// An address with parameters.
pub fn with_query<N: AsRef<str>, V: AsRef<str>>(path: String, pairs: &[(N, V)]) -> String {
    if pairs.is_empty() {
        return path;
    }
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{path}?{query}")
}

pub fn search(text: &str) -> String {
    with_query("/search".to_owned(), &[("q", text.to_owned())])
}

/// The address of the changes that a filter accepts.
pub fn changes<N: AsRef<str>, V: AsRef<str>>(pairs: &[(N, V)]) -> String {
    with_query("/changes".to_owned(), pairs)
}

/// The address of the changes that a command shows: `changes` with flags, or `history` of a
/// (sub)profile.
pub fn changes_of(command: &str) -> Option<String> {
    let mut words = shlex::split(command)?.into_iter().skip(1).peekable();
    let mut pairs = match words.next()?.as_str() {
        "changes" => Vec::new(),
        "history" => vec![("profile".to_owned(), words.next()?)],
        _ => return None,
    };
    while let Some(word) = words.next() {
        let flag = word.strip_prefix("--")?;
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, value.to_owned()),
            // A value that begins with a dash comes after =, so this flag is a switch.
            None => match words.next_if(|word| !word.starts_with('-')) {
                Some(value) => (flag, value),
                None => (flag, "true".to_owned()),
            },
        };
        pairs.push((name.to_owned(), value));
    }
    Some(changes(&pairs))
}

pub fn incident(id: &str) -> String {
    with_query("/incident".to_owned(), &[("id", id)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_gets_out_of_its_parameter() {
        let link = ProfileLink::new(ProfileKey::subprofile(1, 2), Zoom::Between(-5, 9), None);
        let link = link.with("field", "a&b=\"<c>#é\u{202e}");
        assert_eq!(
            link.to(),
            "/profile/1/2?from=%40-5&to=%409&field=a%26b%3D%22%3Cc%3E%23%C3%A9%E2%80%AE"
        );
        assert_eq!(search("javascript:x"), "/search?q=javascript%3Ax");
        assert_eq!(
            changes_of("profiletrail changes --field 'a&b' '--new=-1' --label ''").as_deref(),
            Some("/changes?field=a%26b&new=-1&label=")
        );
        assert_eq!(
            changes_of("profiletrail history 1/2 --field x").as_deref(),
            Some("/changes?profile=1%2F2&field=x")
        );
        for command in [
            "profiletrail changes --cascade --field x",
            "profiletrail changes --field x --cascade",
        ] {
            let target = changes_of(command).unwrap();
            assert!(target.contains("cascade=true"), "{target}");
            assert!(target.contains("field=x"), "{target}");
        }
        assert_eq!(changes_of("profiletrail incidents show a-1"), None);
        let interest = Subject::Interest("a&b".into());
        assert_eq!(
            ProfileLink::new(ProfileKey::profile(1), Zoom::All, Some(&interest)).to_dossier(),
            "/profile/1/dossier?interest=a%26b"
        );
        assert_eq!(Zoom::of("week"), Some(Zoom::Last("week", 7 * 86_400)));
        assert_eq!(Zoom::of("Week"), None);
    }
}

//! Selects the events and changes of a query.
//!
//! Every query over all profiles takes the same [`Filter`]: it is the flags of the
//! command line, the parameters of the query API, and the matcher of the engines. A
//! filter that is added here is supported by all of them.
//!
//! Lists are alternatives; an empty list matches everything.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use super::moment::unix_time;
use crate::event::{Event, ProfileKey, is_label};
use crate::history::{Change, Subject, Value};
use crate::log::record::EventHead;

/// A span of time in Unix seconds.
#[derive(clap::Args, Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// Only from this time on
    #[arg(short = 'S', long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
    #[serde(default)]
    pub since: Option<i64>,
    /// Only before this time
    #[arg(short = 'U', long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
    #[serde(default)]
    pub until: Option<i64>,
}

impl Span {
    /// Whether a time is in the span: `since` is inclusive, `until` exclusive.
    pub fn contains(&self, time: i64) -> bool {
        self.since.is_none_or(|since| since <= time) && self.until.is_none_or(|until| time < until)
    }

    /// Its bounds, `until` exclusive.
    pub fn bounds(&self) -> (i64, i64) {
        (
            self.since.unwrap_or(i64::MIN),
            self.until.unwrap_or(i64::MAX),
        )
    }
}

/// A cause of changes that can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum CauseKind {
    /// The event created the profile
    Create,
    /// The update names the field or interest
    Set,
    /// It changed at some unseen moment before
    Unexplained,
    /// An export showed it: it changed at some unseen moment before
    Observed,
    /// The value was first seen here
    FirstSeen,
    /// The subprofile was deleted with its profile
    Cascade,
}

impl CauseKind {
    /// The word in answers; the same as that of [`crate::history::Cause::name`].
    pub const fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Set => "set",
            Self::Unexplained => "unexplained",
            Self::Observed => "observed",
            Self::FirstSeen => "first_seen",
            Self::Cascade => "cascade",
        }
    }
}

/// Which changes a question is about.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Filter {
    /// Only changes of this field; can be repeated
    #[arg(long = "field", value_name = "NAME")]
    #[serde(rename = "field")]
    pub fields: Vec<String>,
    /// Only changes of this interest; can be repeated
    #[arg(long = "interest", value_name = "NAME")]
    #[serde(rename = "interest")]
    pub interests: Vec<String>,
    /// Only changes by events that name this database
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// Only changes by events that name this collection
    #[arg(long, value_name = "C")]
    pub collection: Option<u64>,
    /// Only this profile and its subprofiles (123), or only this subprofile (123/456)
    #[arg(long, value_name = "P[/S]")]
    #[serde(with = "key_text")]
    pub profile: Option<ProfileKey>,
    /// Only in this span.
    #[command(flatten)]
    #[serde(flatten)]
    pub span: Span,
    /// Only changes from this value; true or false for interests
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    pub old: Option<String>,
    /// Only changes to this value; true or false for interests
    #[arg(long, value_name = "V", allow_hyphen_values = true)]
    pub new: Option<String>,
    /// Only changes with this cause; can be repeated
    #[arg(long = "cause", value_name = "C")]
    #[serde(rename = "cause")]
    pub causes: Vec<CauseKind>,
    /// Only events with this label, or '' for those without one; can be repeated
    #[arg(long = "label", value_name = "L", value_parser = parse_label)]
    #[serde(rename = "label")]
    pub labels: Vec<String>,
    /// Exclude events with this label, or '' for those without one; can be repeated
    #[arg(long = "not-label", value_name = "L", value_parser = parse_label)]
    #[serde(rename = "not-label")]
    pub not_labels: Vec<String>,
    /// Only events of this type; can be repeated
    #[arg(long = "type", value_name = "TYPE")]
    #[serde(rename = "type")]
    pub types: Vec<String>,
    /// Show subprofiles as deleted with their profile, with the cause cascade [default: in tables]
    #[arg(long)]
    pub cascade: bool,
}

impl Filter {
    /// Whether a profile's delete also deletes its subprofiles: if that is
    /// requested, or changes with that cause are.
    pub fn cascades(&self) -> bool {
        self.cascade || self.causes.contains(&CauseKind::Cascade)
    }

    /// Whether an event of the span is a profile's delete that can end matching
    /// subprofiles. Where it names no database or collection, a subprofile may have
    /// named it.
    pub fn cascades_from(&self, head: &EventHead<'_>) -> bool {
        let databases = self.database.zip(head.database);
        let elsewhere = databases.is_some_and(|(wanted, own)| wanted != own);
        self.cascades()
            && head.subprofile.is_none()
            && head.end().is_some()
            && !elsewhere
            && self
                .profile
                .is_none_or(|wanted| wanted.profile == head.profile)
            && self.matches_label(head.label)
            && self.matches_type(head.event_type)
    }

    /// Whether an event can have matching changes.
    pub fn matches_event(&self, event: &Event<'_>) -> bool {
        let (label, event_type) = (event.label.as_deref(), event.event_type.name());
        let numbers = (event.database, event.collection);
        self.matches(event.key, event.time, numbers, label, event_type)
    }

    /// The same with only the event's head.
    pub fn matches_head(&self, head: &EventHead<'_>) -> bool {
        let numbers = (head.database, head.collection);
        self.matches(head.key(), head.time, numbers, head.label, head.event_type)
    }

    /// The same by what decides it.
    fn matches(
        &self,
        key: ProfileKey,
        time: i64,
        (database, collection): (Option<u64>, Option<u64>),
        label: Option<&str>,
        event_type: &str,
    ) -> bool {
        let is = |wanted: Option<u64>, own| wanted.is_none() || wanted == own;
        self.span.contains(time)
            && self.matches_key(key)
            && is(self.database, database)
            && is(self.collection, collection)
            && self.matches_label(label)
            && self.matches_type(event_type)
    }

    /// Whether a change of a matching event matches.
    pub fn matches_change(&self, change: &Change<'_>) -> bool {
        let is_cause = |cause: &CauseKind| cause.name() == change.cause.name();
        matches_subject(&change.subject, &self.fields, &self.interests)
            && is_wanted(change.old.as_ref(), self.old.as_deref())
            && is_wanted(Some(&change.new), self.new.as_deref())
            && (self.causes.is_empty() || self.causes.iter().any(is_cause))
    }

    /// Whether an event matches only if it has matching changes.
    pub fn needs_changes(&self) -> bool {
        !self.fields.is_empty()
            || !self.interests.is_empty()
            || !self.causes.is_empty()
            || self.old.is_some()
            || self.new.is_some()
    }

    /// Whether a (sub)profile matches.
    pub fn matches_key(&self, key: ProfileKey) -> bool {
        self.profile.is_none_or(|wanted| {
            wanted.profile == key.profile
                && wanted
                    .subprofile
                    .is_none_or(|own| Some(own) == key.subprofile)
        })
    }

    /// Whether a label matches. No label is empty: '' stands for none.
    pub fn matches_label(&self, label: Option<&str>) -> bool {
        let label = label.unwrap_or_default();
        let among = |list: &[String]| list.iter().any(|listed| listed == label);
        (self.labels.is_empty() || among(&self.labels)) && !among(&self.not_labels)
    }

    /// Whether an event type matches.
    pub fn matches_type(&self, event_type: &str) -> bool {
        self.types.is_empty() || self.types.iter().any(|wanted| wanted == event_type)
    }

    /// The same for changes of one field or interest.
    pub fn of_subject(self, subject: &Subject<'_>) -> Self {
        let (mut fields, mut interests) = (Vec::new(), Vec::new());
        match subject {
            Subject::Field(name) => fields.push(name.to_string()),
            Subject::Interest(name) => interests.push(name.to_string()),
        }
        Self {
            fields,
            interests,
            ..self
        }
    }
}

/// Whether a field or an interest is one of these. If none is given, every one is.
pub(super) fn matches_subject(
    subject: &Subject<'_>,
    fields: &[String],
    interests: &[String],
) -> bool {
    if fields.is_empty() && interests.is_empty() {
        return true;
    }
    match subject {
        Subject::Field(name) => fields.iter().any(|wanted| wanted == name),
        Subject::Interest(name) => interests.iter().any(|wanted| wanted == name),
    }
}

/// Whether a value is the requested one, if there is one; an unknown or absent value never is.
fn is_wanted(value: Option<&Value<'_>>, wanted: Option<&str>) -> bool {
    let Some(wanted) = wanted else {
        return true;
    };
    match value {
        Some(Value::Text(text)) => text == wanted,
        Some(Value::Member(member)) => wanted == if *member { "true" } else { "false" },
        Some(Value::Absent) | None => false,
    }
}

/// A label, or '' for none.
pub fn parse_label(text: &str) -> Result<String, String> {
    if text.is_empty() || is_label(text) {
        Ok(text.to_owned())
    } else {
        Err("a label is 1 to 64 of A-Z, a-z, 0-9, _ and -".to_owned())
    }
}

/// A (sub)profile as the text `123` or `123/456`.
pub(super) mod key_text {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::event::ProfileKey;

    pub fn serialize<S: Serializer>(
        key: &Option<ProfileKey>,
        output: S,
    ) -> Result<S::Ok, S::Error> {
        match key {
            Some(key) => output.collect_str(key),
            None => output.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        input: D,
    ) -> Result<Option<ProfileKey>, D::Error> {
        let text = Option::<String>::deserialize(input)?;
        text.map(|text| text.parse().map_err(D::Error::custom))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{BodyKind, TimeSource};
    use crate::history::Cause;

    fn head(label: Option<&str>) -> EventHead<'_> {
        EventHead {
            received: 0,
            time: 5,
            time_source: TimeSource::Time,
            profile: 1,
            subprofile: Some(2),
            database: Some(3),
            collection: None,
            event_type: "update",
            label,
            remote: None,
            evidence: None,
            body_kind: BodyKind::Form,
        }
    }

    #[test]
    fn each_filter_of_events_decides() {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        type Case = (fn(&mut Filter, Vec<String>), Vec<String>, bool);
        let cases: [Case; 14] = [
            (|_, _| (), texts(&[]), true),
            (|f, _| f.span.since = Some(5), texts(&[]), true),
            (|f, _| f.span.until = Some(5), texts(&[]), false),
            (|f, _| f.database = Some(3), texts(&[]), true),
            (|f, _| f.collection = Some(3), texts(&[]), false),
            (
                |f, _| f.profile = Some(ProfileKey::profile(1)),
                texts(&[]),
                true,
            ),
            (
                |f, _| f.profile = Some(ProfileKey::subprofile(1, 3)),
                texts(&[]),
                false,
            ),
            (|f, l| f.labels = l, texts(&["shop"]), true),
            (|f, l| f.labels = l, texts(&["", "crm"]), false),
            (|f, l| f.not_labels = l, texts(&["shop"]), false),
            (|f, l| f.not_labels = l, texts(&[""]), true),
            (
                |f, l| (f.labels, f.not_labels) = (l.clone(), l),
                texts(&["shop"]),
                false,
            ),
            (|f, t| f.types = t, texts(&["create", "update"]), true),
            (|f, t| f.types = t, texts(&["create"]), false),
        ];
        for (number, (set, values, expected)) in cases.into_iter().enumerate() {
            let mut filter = Filter::default();
            set(&mut filter, values);
            assert_eq!(
                filter.matches_head(&head(Some("shop"))),
                expected,
                "case {number}"
            );
        }
        let unlabelled = Filter {
            not_labels: vec![String::new()],
            ..Filter::default()
        };
        assert!(!unlabelled.matches_head(&head(None)));
    }

    #[test]
    fn a_cause_that_can_be_asked_for_has_the_name_of_answers() {
        let causes = [
            Cause::Create,
            Cause::Set,
            Cause::Unexplained { since: 0 },
            Cause::Observed { since: 0 },
            Cause::FirstSeen,
            Cause::Cascade,
        ];
        for (kind, cause) in CauseKind::value_variants().iter().zip(causes) {
            assert_eq!(kind.name(), cause.name());
            assert_eq!(CauseKind::from_str(cause.name(), false), Ok(*kind));
        }
        assert!(CauseKind::from_str("baseline", false).is_err());
    }
}

//! The parameters of queries. Times are Unix seconds.
//!
//! Each struct is at once the flags of its command and the parameters of the query
//! API: the first line of a field's documentation is the help of both.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::answer::Query;
use super::filter::{Filter, Span, key_text};
use super::moment::unix_time;
use crate::event::ProfileKey;

/// The parameters of a question by their names, in the order in which they are declared, one for
/// each item of a list; what is left out or false is not among them. Times are Unix seconds.
pub fn params_of(question: &impl Serialize) -> Vec<(String, Value)> {
    let Ok(Value::Object(object)) = serde_json::to_value(question) else {
        return Vec::new();
    };
    let mut params = Vec::new();
    for (name, value) in object {
        let mut values = match value {
            Value::Array(values) => values,
            value => vec![value],
        };
        values.retain(|value| !matches!(value, Value::Null | Value::Bool(false)));
        params.extend(values.into_iter().map(|value| (name.clone(), value)));
    }
    params
}

/// The events of a (sub)profile, oldest first.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryQuery {
    /// A profile (123) or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// Only events that changed this field; can be repeated
    #[arg(long = "field", value_name = "NAME")]
    #[serde(rename = "field")]
    pub fields: Vec<String>,
    /// Only events that changed this interest; can be repeated
    #[arg(long = "interest", value_name = "NAME")]
    #[serde(rename = "interest")]
    pub interests: Vec<String>,
    /// Only events in this span.
    #[command(flatten)]
    #[serde(flatten)]
    pub span: Span,
    /// Include duplicates and, in a table, list each update without changes by itself
    #[arg(long)]
    pub all: bool,
    /// At most this many events
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    pub reverse: bool,
    /// Include the events of the profile's subprofiles
    #[arg(long)]
    pub subprofiles: bool,
    /// Show subprofiles as deleted with their profile, with the cause cascade [default: in tables]
    #[arg(long)]
    #[serde(default)]
    pub cascade: bool,
}

/// The (sub)profile and the moment of `show` and `blame`.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateQuery {
    /// A profile (123) or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// The moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
    pub at: Option<i64>,
    /// Show subprofiles as deleted with their profile, with the cause cascade [default: in tables]
    #[arg(long)]
    #[serde(default)]
    pub cascade: bool,
}

/// The net differences between two moments.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiffQuery {
    /// A profile (123) or a subprofile of one (123/456)
    #[arg(value_name = "P[/S]")]
    pub key: ProfileKey,
    /// The earlier moment
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
    pub from: i64,
    /// The later moment [default: now]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = unix_time)]
    pub to: Option<i64>,
    /// Show subprofiles as deleted with their profile, with the cause cascade [default: in tables]
    #[arg(long)]
    #[serde(default)]
    pub cascade: bool,
}

/// What changed when, over all profiles.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangesQuery {
    /// Which changes.
    #[command(flatten)]
    #[serde(flatten)]
    pub filter: Filter,
    /// At most this many changes
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    #[serde(default)]
    pub reverse: bool,
}

/// Every event in the order of arrival.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportQuery {
    /// Only events in this span.
    #[command(flatten)]
    #[serde(flatten)]
    pub span: Span,
    /// Only this profile and its subprofiles, or only this subprofile
    #[arg(long, value_name = "P[/S]")]
    #[serde(with = "key_text", default)]
    pub profile: Option<ProfileKey>,
    /// Only events that name this database
    #[arg(long, value_name = "D")]
    pub database: Option<u64>,
    /// Only this event and those that arrived after it, without baselines
    #[arg(long, value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    #[serde(rename = "from-seq", default)]
    pub from_seq: Option<u64>,
    /// Include the bodies as they were sent, and the proof of who sent them
    #[arg(long)]
    pub raw: bool,
}

/// The event of `evidence` and `proof`.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventQuery {
    /// The event's number
    #[arg(value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    pub seq: u64,
}

/// The newest events in the order of arrival, with what each changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TailQuery {
    /// Which events. If it restricts changes, only matching changes are returned, and
    /// only events that have some.
    pub filter: Filter,
    /// Only events after this `seq`.
    pub after: Option<u64>,
    /// The maximum number of newest events; ignored if `after` is given.
    pub last: Option<u64>,
    /// The maximum number of lines.
    pub limit: Option<u64>,
}

/// What an event requested compared with its effect.
#[derive(clap::Args, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainQuery {
    /// The event's number
    #[arg(value_name = "SEQ", value_parser = clap::value_parser!(u64).range(1..))]
    pub seq: u64,
    /// The event itself as the first line, as `tail` has it.
    #[arg(skip)]
    pub head: bool,
    /// Show subprofiles as deleted with their profile, with the cause cascade [default: in tables]
    #[arg(long)]
    #[serde(default)]
    pub cascade: bool,
}

/// The calls that could not be read, in the order of arrival.
#[derive(clap::Args, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedQuery {
    /// Only calls received in this span.
    #[command(flatten)]
    #[serde(flatten)]
    pub span: Span,
    /// At most this many calls
    #[arg(short = 'n', long, value_name = "N")]
    pub limit: Option<u64>,
    /// Newest first
    #[arg(long)]
    #[serde(default)]
    pub reverse: bool,
}

impl Query {
    /// Which changes it is about, of a question over all profiles.
    pub(super) const fn filter(&self) -> Option<&Filter> {
        match self {
            Self::Changes(query) => Some(&query.filter),
            Self::Tail(query) => Some(&query.filter),
            Self::Report(query) => Some(&query.filter),
            Self::Gaps(query) => Some(&query.filter),
            Self::Incidents(query) => Some(&query.filter),
            Self::Loops(query) => Some(&query.filter),
            _ => None,
        }
    }

    /// Whether it reads the changes of all profiles; not a tail, which reads only the newest.
    pub fn is_over_all(&self) -> bool {
        let filter = self.filter().filter(|_| !matches!(self, Self::Tail(_)));
        filter.is_some_and(|filter| filter.profile.is_none())
    }

    /// The span that it is about.
    fn span(&self) -> Span {
        match self {
            Self::History(query) => query.span,
            Self::Export(query) => query.span,
            Self::Rejected(query) => query.span,
            Self::Dossier(query) => query.span,
            _ => self.filter().map(|filter| filter.span).unwrap_or_default(),
        }
    }

    /// The notes on its times: a span that ends before it begins and a moment in the future
    /// are answered, with a note. `now` is in Unix seconds.
    pub fn time_notes(&self, now: i64) -> Vec<String> {
        let span = self.span();
        let moments = match self {
            Self::Show(query) | Self::Blame(query) => vec![("--at", query.at)],
            Self::Diff(query) => vec![("--from", Some(query.from)), ("--to", query.to)],
            Self::Find(query) => vec![("--at", query.at)],
            _ => Vec::new(),
        };
        let mut notes = Vec::new();
        if let (Some(since), Some(until)) = (span.since, span.until)
            && since > until
        {
            notes.push("--since is later than --until: no moment is between them".to_owned());
        }
        if let Self::Diff(query) = self
            && query.from > query.to.unwrap_or(now)
        {
            notes.push("--from is later than --to: the differences go back in time".to_owned());
        }
        for (flag, moment) in [("--since", span.since)].into_iter().chain(moments) {
            if moment.is_some_and(|moment| moment > now) {
                notes.push(format!(
                    "{flag} is in the future: the answer is what is known so far"
                ));
            }
        }
        notes
    }
}

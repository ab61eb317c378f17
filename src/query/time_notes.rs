//! Notes on the times of a question: a span that ends before it begins and a moment in
//! the future are answered, with a note.

use super::answer::Query;
use super::filter::{Filter, Span};

impl Query {
    /// The filter of a question over all profiles.
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

    /// The notes on its times; `now` is in Unix seconds.
    pub fn time_notes(&self, now: i64) -> Vec<String> {
        let span = self.span();
        let moments = match self {
            Self::Show(query) => vec![("--at", query.at)],
            Self::Diff(query) => vec![("--from", Some(query.from)), ("--to", query.to)],
            Self::Blame(query) => vec![("--at", query.at)],
            Self::Find(query) => vec![("--at", query.at)],
            _ => Vec::new(),
        };
        let mut notes = Vec::new();
        if span
            .since
            .zip(span.until)
            .is_some_and(|(since, until)| since > until)
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

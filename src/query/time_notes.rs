//! Notes on the times of a question: a span that ends before it begins and a moment in
//! the future are answered, with a note.

use super::answer::Query;
use super::filter::Span;

impl Query {
    /// The notes on its times; `now` is in Unix seconds.
    pub fn time_notes(&self, now: i64) -> Vec<String> {
        let none = Span::default();
        let (span, moments) = match self {
            Self::History(query) => (query.span, vec![]),
            Self::Show(query) => (none, vec![("--at", query.at)]),
            Self::Diff(query) => (none, vec![("--from", Some(query.from)), ("--to", query.to)]),
            Self::Blame(query) => (none, vec![("--at", query.at)]),
            Self::Changes(query) => (query.filter.span, vec![]),
            Self::Find(query) => (none, vec![("--at", query.at)]),
            Self::Export(query) => (query.span, vec![]),
            Self::Rejected(query) => (query.span, vec![]),
            Self::Tail(query) => (query.filter.span, vec![]),
            Self::Dossier(query) => (query.span, vec![]),
            Self::Report(query) => (query.filter.span, vec![]),
            Self::Gaps(query) => (query.filter.span, vec![]),
            Self::Incidents(query) => (query.filter.span, vec![]),
            Self::Loops(query) => (query.filter.span, vec![]),
            Self::Evidence(_) | Self::Explain(_) => (none, vec![]),
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

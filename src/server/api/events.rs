//! The question about the order of arrival: a page of a tail.

use super::params::Params;
use super::question::{Causes, filter};
use crate::event::DecodeError;
use crate::query::{Query, Span, TailQuery};

/// How many events a page of a tail has that goes on after one, where no limit
/// is given; …
const PAGE: u64 = 100;

/// … and one of the newest.
const NEWEST: u64 = 10;

/// A page of a tail: with `after` the first ones after that event, else the newest.
pub(super) fn tail(params: &mut Params) -> Result<Query, DecodeError> {
    let filter = filter(params, Causes::All)?;
    let after = params.number("after")?;
    let limit = params.number("limit")?;
    Ok(Query::Tail(match after {
        Some(_) => TailQuery {
            filter,
            after,
            last: None,
            limit: limit.or(Some(PAGE)),
        },
        None => TailQuery {
            last: limit.or((filter.span == Span::default()).then_some(NEWEST)),
            filter,
            after: None,
            limit: None,
        },
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::query::{ExplainQuery, Filter};
    use crate::server::api::{Question, question};

    const NOW: i64 = 1_760_000_000_000_000;

    fn asked(target: &str) -> Query {
        match question(target, chrono_tz::UTC, NOW).unwrap().unwrap() {
            Question::Ask(query) => *query,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_page_and_an_event_can_be_asked_for() {
        assert_eq!(
            asked("/v1/tail?after=7&limit=3&field=a&since=@5"),
            Query::Tail(TailQuery {
                filter: Filter {
                    fields: vec!["a".into()],
                    span: Span {
                        since: Some(5),
                        until: None
                    },
                    ..Filter::default()
                },
                after: Some(7),
                last: None,
                limit: Some(3),
            })
        );
        for (target, last) in [
            ("/v1/tail", Some(10)),
            ("/v1/tail?limit=0&since=@5", Some(0)),
            ("/v1/tail?since=@5", None),
        ] {
            match asked(target) {
                Query::Tail(query) => {
                    assert_eq!((query.last, query.after, query.limit), (last, None, None));
                }
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(
            asked("/v1/explain/17"),
            Query::Explain(ExplainQuery {
                seq: 17,
                head: false
            })
        );
    }

    #[test]
    fn what_is_no_event_s_number_is_refused() {
        for target in [
            "/v1/explain",
            "/v1/explain/",
            "/v1/explain/+1",
            "/v1/explain/1/2",
            "/v1/explain/18446744073709551616",
        ] {
            let error = question(target, chrono_tz::UTC, NOW).unwrap_err();
            assert_eq!(
                serde_json::to_value(error).unwrap()["where"],
                "seq",
                "{target}"
            );
        }
        assert_eq!(question("/v1/tail/1", chrono_tz::UTC, NOW), Ok(None));
    }
}

//! Questions over HTTP that put changes together: `report`, `gaps`, `incidents`
//! and `loops`, whose parameters are named as the flags.

use super::params::Params;
use super::question::{Causes, filter};
use crate::event::{DecodeError, Zone};
use crate::query::{By, GapsQuery, IncidentsQuery, LoopsQuery, Query, ReportQuery, Wanted};

/// Hours, days and months are UTC's.
pub(super) fn report(params: &mut Params) -> Result<Query, DecodeError> {
    let words = params.choices("by", &By::WORDS, "group of changes")?;
    let mut by: Vec<By> = words.iter().filter_map(|word| word.parse().ok()).collect();
    if by.is_empty() {
        by.push(By::Field);
    }
    Ok(Query::Report(ReportQuery {
        limit: params.number("limit")?,
        filter: filter(params, Causes::All)?,
        by,
        zone: Zone::UTC,
    }))
}

pub(super) fn gaps(params: &mut Params) -> Result<Query, DecodeError> {
    Ok(Query::Gaps(GapsQuery {
        limit: params.number("limit")?,
        filter: filter(params, Causes::None)?,
        within: params.stretch("within", (1, i64::MAX), GapsQuery::WITHIN)?,
        least: params.number_from("least", 1, GapsQuery::LEAST)?,
    }))
}

/// All of them; with `show` the changes of one, with `undo` what each of its
/// (sub)profiles had and has.
pub(super) fn incidents(params: &mut Params) -> Result<Query, DecodeError> {
    let (show, undo) = (params.incident("show")?, params.incident("undo")?);
    let limit = params.number("limit")?;
    let filter = filter(params, Causes::All)?;
    let within = params.stretch("within", IncidentsQuery::WITHINS, IncidentsQuery::WITHIN)?;
    let least = params.number_from("least", 2, IncidentsQuery::LEAST)?;
    let what = match (show, undo) {
        (None, None) => Wanted::List,
        (Some(id), None) => Wanted::Show(id),
        (None, Some(id)) => Wanted::Undo(id),
        (Some(_), Some(_)) => {
            return Err(DecodeError::new("it cannot be given beside show", "undo"));
        }
    };
    if what != Wanted::List {
        let name = match (filter.span.since, filter.span.until) {
            (Some(_), _) => Some("since"),
            (None, Some(_)) => Some("until"),
            (None, None) => None,
        };
        if let Some(name) = name {
            let what = "an incident has a time of its own; leave it out";
            return Err(DecodeError::new(what, name));
        }
    }
    Ok(Query::Incidents(IncidentsQuery {
        filter,
        within,
        least,
        what,
        limit,
    }))
}

pub(super) fn loops(params: &mut Params) -> Result<Query, DecodeError> {
    Ok(Query::Loops(LoopsQuery {
        limit: params.number("limit")?,
        filter: filter(params, Causes::All)?,
        within: params.stretch("within", (1, i64::MAX), LoopsQuery::WITHIN)?,
        least: params.number_from("least", 3, LoopsQuery::LEAST)?,
    }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::question::{Question, question};
    use super::*;
    use crate::query::Filter;

    fn asked(target: &str) -> Result<Query, String> {
        match question(target, chrono_tz::UTC, 1_760_000_000_000_000) {
            Ok(Some(Question::Ask(query))) => Ok(*query),
            Ok(other) => panic!("{other:?}"),
            Err(error) => {
                let error = serde_json::to_value(error).unwrap();
                Err(error["where"].as_str().unwrap().to_owned())
            }
        }
    }

    #[test]
    fn each_can_be_asked_as_by_its_command() {
        let of = |field: &str| Filter {
            fields: vec![field.to_owned()],
            ..Filter::default()
        };
        assert_eq!(
            asked("/v1/report?by=day&by=label&by=type&field=a&limit=3"),
            Ok(Query::Report(ReportQuery {
                filter: of("a"),
                limit: Some(3),
                by: vec![By::Day, By::Label, By::Type],
                zone: Zone::UTC,
            }))
        );
        assert_eq!(
            asked("/v1/gaps?field=a&limit=3&within=2h&least=9"),
            Ok(Query::Gaps(GapsQuery {
                filter: of("a"),
                limit: Some(3),
                within: 7_200,
                least: 9
            }))
        );
        let incidents = |what| {
            let (within, least) = (IncidentsQuery::WITHIN, IncidentsQuery::LEAST);
            Ok(Query::Incidents(IncidentsQuery {
                filter: of("a"),
                limit: Some(3),
                within,
                least,
                what,
            }))
        };
        let id = || "mail-12".parse().unwrap();
        assert_eq!(
            asked("/v1/incidents?field=a&limit=3"),
            incidents(Wanted::List)
        );
        assert_eq!(
            asked("/v1/incidents?field=a&limit=3&show=mail-12"),
            incidents(Wanted::Show(id()))
        );
        assert_eq!(
            asked("/v1/incidents?field=a&limit=3&undo=mail-12"),
            incidents(Wanted::Undo(id()))
        );
        assert_eq!(
            asked("/v1/loops?field=a&limit=3&least=5"),
            Ok(Query::Loops(LoopsQuery {
                filter: of("a"),
                limit: Some(3),
                within: LoopsQuery::WITHIN,
                least: 5
            }))
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (target, name) in [
            ("/v1/report?by=colour", "by"),
            ("/v1/report?by=", "by"),
            ("/v1/report?within=1h", "within"),
            ("/v1/gaps?cause=set", "cause"),
            ("/v1/gaps?least=0", "least"),
            ("/v1/gaps?within=soon", "within"),
            ("/v1/incidents?show=mail", "show"),
            ("/v1/incidents?show=a-1&undo=a-1", "undo"),
            ("/v1/incidents?undo=a-1&since=@1", "since"),
            ("/v1/incidents?within=59s", "within"),
            ("/v1/incidents?least=1", "least"),
            ("/v1/loops?least=2", "least"),
            ("/v1/loops?label=a%2Fb", "label"),
        ] {
            assert_eq!(asked(target), Err(name.to_owned()), "{target}");
        }
    }
}

//! From parameters to the question who has a value.

use super::params::Params;
use crate::event::DecodeError;
use crate::query::{FindQuery, FindTarget, Query, Rounding, Word, Words};

/// Reads `q=FIELD=VALUE`, or `field` and `value`, or `interest`, and the rest.
pub(super) fn find(params: &mut Params) -> Result<Query, DecodeError> {
    let (text, value) = (params.one("q")?, params.one("value")?);
    let (field, interest) = (params.one("field")?, params.one("interest")?);
    let (prefix, matches) = (params.flag("prefix")?, params.flag("match")?);
    let ignore_case = params.flag("ignore-case")?;
    let (ever, at) = (params.flag("ever")?, params.time("at", Rounding::Down)?);
    let (database, limit) = (params.number("database")?, params.number("limit")?);
    let cascade = params.flag("cascade")?;
    let found = |sought| {
        Ok(Query::Find(FindQuery {
            sought,
            ever,
            at,
            database,
            limit,
            cascade,
        }))
    };
    if params.is_describing() {
        // Which of them go together is not told by the list of them.
        return found(FindTarget::Interest(String::new()));
    }
    if text.is_some() && value.is_some() {
        let what = "write q=FIELD=VALUE, or field=FIELD and value=VALUE";
        return Err(DecodeError::new(what, "value"));
    }
    if field.is_some() && value.is_none() {
        let what = "field goes with value: the value that is looked for";
        return Err(DecodeError::new(what, "field"));
    }
    if field.is_none() && value.is_some() {
        let what = "value goes with field: the name of the field";
        return Err(DecodeError::new(what, "value"));
    }
    let by_value = value.is_some();
    let words = Words {
        text: text.or(value),
        field,
        interest,
        prefix,
        matches,
        ignore_case,
    };
    let sought = words.read().map_err(|(word, what)| {
        let place = match word {
            Word::Text if by_value => "value",
            Word::Text => "q",
            Word::Interest => "interest",
            Word::Prefix => "prefix",
            Word::Match => "match",
        };
        DecodeError::new(what, place)
    })?;
    if ever && at.is_some() {
        return Err(DecodeError::new("ever is no moment: leave one out", "at"));
    }
    found(sought)
}

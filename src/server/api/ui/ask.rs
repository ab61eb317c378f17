//! Runs a query and processes its lines one by one.
//!
//! A line may be as long as a call's body, so only one is buffered at a time; the
//! consumer keeps only what it shows.

use std::io::ErrorKind;
use std::ops::ControlFlow;

use serde::de::DeserializeOwned;

use crate::format::LineSplitter;
use crate::query::{Answered, Mark, Page, Query, QueryError, answer};
use crate::store::Trail;

/// Passes each line of an answer to `take`.
pub(super) fn each<T: DeserializeOwned>(
    trail: &Trail,
    query: &Query,
    take: impl FnMut(T),
) -> Result<Answered, QueryError> {
    Ok(each_of_page(trail, query, None, take)?.0)
}

/// Passes each line of an answer, or of a page of it, to `take`; returns the start of the next
/// page.
pub(super) fn each_of_page<T: DeserializeOwned>(
    trail: &Trail,
    query: &Query,
    page: Option<Page>,
    mut take: impl FnMut(T),
) -> Result<(Answered, Option<Mark>), QueryError> {
    let mut lines = LineSplitter::new(Box::new(|line: &[u8]| {
        take(serde_json::from_slice(line)?);
        Ok(())
    }));
    answer(trail, query, page, &mut lines, &mut |_| ())
}

/// Passes lines of an answer to `take` until that breaks.
pub(super) fn each_until<T: DeserializeOwned>(
    trail: &Trail,
    query: &Query,
    mut take: impl FnMut(T) -> ControlFlow<()>,
) -> Result<Answered, QueryError> {
    let mut enough = false;
    let mut lines = LineSplitter::new(Box::new(|line: &[u8]| {
        enough = take(serde_json::from_slice(line)?).is_break();
        match enough {
            // Stopping early looks like a reader that has disconnected.
            true => Err(ErrorKind::BrokenPipe.into()),
            false => Ok(()),
        }
    }));
    let answered = answer(trail, query, None, &mut lines, &mut |_| ());
    drop(lines);
    match answered {
        Err(QueryError::Output(_)) if enough => Ok(Answered {
            found: true,
            ..Answered::default()
        }),
        answered => answered.map(|(answered, _)| answered),
    }
}

/// The first line of an answer that is `wanted`. Nothing is read after it, so its
/// [`Answered`] is meaningless.
pub(super) fn find_line<T: DeserializeOwned>(
    trail: &Trail,
    query: &Query,
    mut wanted: impl FnMut(&T) -> bool,
) -> Result<(Option<T>, Answered), QueryError> {
    let mut found = None;
    let answered = each_until(trail, query, |line: T| {
        if !wanted(&line) {
            return ControlFlow::Continue(());
        }
        found = Some(line);
        ControlFlow::Break(())
    })?;
    Ok((found, answered))
}

/// Adds the notes of another answer of the same page.
pub(super) fn add(all: &mut Answered, more: Answered) {
    for (texts, more) in [
        (&mut all.damage, more.damage),
        (&mut all.notes, more.notes),
        (&mut all.hints, more.hints),
    ] {
        for text in more {
            if !texts.contains(&text) {
                texts.push(text);
            }
        }
    }
}

/// The first line of an answer, if it has any.
pub(super) fn first<T: DeserializeOwned>(
    trail: &Trail,
    query: &Query,
) -> Result<(Option<T>, Answered), QueryError> {
    let mut first = None;
    let answered = each(trail, query, |line| {
        first.get_or_insert(line);
    })?;
    Ok((first, answered))
}

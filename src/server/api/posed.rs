//! A question as it was posed: which one is meant, which part of its answer, and
//! how the same is said in one way.

use form_urlencoded::Serializer;

use super::cursor;
use super::params::Params;
use super::question::{Question, about, of_event, over_all};
use super::table::{Depends, Entry, Of};
use crate::event::{DecodeError, ProfileKey, Zone};
use crate::query::Page;

/// A question as it was posed.
#[derive(Debug)]
pub(super) struct Posed {
    pub entry: &'static Entry,
    pub question: Question,
    /// Which part of the answer is wanted, of one that has pages.
    pub page: Page,
    /// The target of the same question, written in one way, with times in Unix
    /// seconds; of one that has pages, without what says which.
    pub whole: String,
    /// Whether a moment that it is about is left out, and so is now.
    pub about_now: bool,
}

impl Posed {
    /// The target of the next page, which begins after a mark.
    pub fn next(&self, mark: &str) -> String {
        let joint = if self.whole.contains('?') { '&' } else { '?' };
        let limit = match self.page.limit {
            Some(limit) => format!("limit={limit}&"),
            None => String::new(),
        };
        format!("{}{joint}{limit}after={mark}", self.whole)
    }
}

/// Reads a target as [`super::question()`] does, with all that is said in it.
/// Marks are those of a store.
pub(super) fn pose(
    target: &str,
    zone: Zone,
    now: i64,
    store: u64,
) -> Result<Option<Posed>, DecodeError> {
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let Some(path) = path.strip_prefix("/v1/") else {
        return Ok(None);
    };
    let (name, key) = match path.split_once('/') {
        Some((name, key)) => (name, Some(key)),
        None => (path, None),
    };
    let Some(entry) = Entry::named(name) else {
        return Ok(None);
    };
    let subject = match (entry.of, key) {
        (Of::Everything, Some(_)) => return Ok(None),
        (Of::Everything, None) => Subject::Everything,
        (Of::Profile, key) => {
            let key = key.unwrap_or_default().parse();
            Subject::Profile(key.map_err(|error: String| DecodeError::new(error, "profile"))?)
        }
        (Of::Event, seq) => Subject::Event(read_seq(seq.unwrap_or_default())?),
    };
    let mut params = Params::parse(query, zone, now)?;
    let (question, limit, after) = read(entry, subject, &mut params)?;
    params.finish()?;
    let path = match subject {
        Subject::Profile(key) => format!("/v1/{name}/{key}"),
        Subject::Event(seq) => format!("/v1/{name}/{seq}"),
        Subject::Everything => format!("/v1/{name}"),
    };
    let said = Serializer::new(String::new())
        .extend_pairs(params.said())
        .finish();
    let whole = match said.is_empty() {
        true => path,
        false => format!("{path}?{said}"),
    };
    let given = |moment: &str| params.said().iter().any(|(name, _)| *name == moment);
    let after = after.map(|text| cursor::read(&text, store, &whole));
    Ok(Some(Posed {
        entry,
        question,
        page: Page {
            limit,
            after: after.transpose()?,
        },
        whole,
        about_now: matches!(entry.depends, Depends::EventsOnce(moment) if !given(moment)),
    }))
}

/// Asks for the parameters of a question that has none.
pub(super) fn describe(entry: &Entry, params: &mut Params) -> Result<(), DecodeError> {
    let subject = match entry.of {
        Of::Everything => Subject::Everything,
        Of::Profile => Subject::Profile(ProfileKey::profile(0)),
        Of::Event => Subject::Event(0),
    };
    read(entry, subject, params).map(|_| ())
}

/// What the path names.
#[derive(Clone, Copy)]
enum Subject {
    Everything,
    Profile(ProfileKey),
    Event(u64),
}

fn read_seq(text: &str) -> Result<u64, DecodeError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seq = digits.then(|| text.parse().ok()).flatten();
    seq.ok_or_else(|| {
        let what = format!("'{text}' is no event: write its seq, such as 7");
        DecodeError::new(what, "seq")
    })
}

/// A question, the most lines of a page of it, and the text of the mark after which
/// it begins.
type Read = (Question, Option<u64>, Option<String>);

fn read(entry: &Entry, subject: Subject, params: &mut Params) -> Result<Read, DecodeError> {
    let question = match subject {
        Subject::Profile(key) => Question::Ask(Box::new(about(entry.name, key, params)?)),
        Subject::Event(seq) => Question::Ask(Box::new(of_event(entry.name, seq)?)),
        Subject::Everything => over_all(entry.name, params)?,
    };
    Ok(match entry.pages {
        true => (question, params.limit()?, params.after()?),
        false => (question, None, None),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const NOW: i64 = 1_760_000_000_000_000;

    fn posed(target: &str) -> Posed {
        pose(target, chrono_tz::UTC, NOW, 7).unwrap().unwrap()
    }

    #[test]
    fn a_question_is_said_in_one_way() {
        for (target, whole) in [
            ("/v1/history/01", "/v1/history/1"),
            (
                "/v1/history/1/2?limit=3&all=0&reverse&since=yesterday&field=a%26%20b",
                "/v1/history/1/2?field=a%26+b&since=%401759881600&reverse=true",
            ),
            ("/v1/export?raw=1&limit=5", "/v1/export?raw=true"),
            ("/v1/show/1?at=@5", "/v1/show/1?at=%405"),
        ] {
            let posed = posed(target);
            assert_eq!(posed.whole, whole, "{target}");
            let again = pose(&posed.whole, chrono_tz::UTC, NOW + 90_000_000_000, 7);
            assert_eq!(again.unwrap().unwrap().whole, whole);
        }
        assert!(posed("/v1/show/1").about_now && posed("/v1/diff/1?from=@1").about_now);
        assert!(!posed("/v1/show/1?at=now").about_now && !posed("/v1/changes").about_now);
    }

    #[test]
    fn the_next_page_is_one_of_the_same_question() {
        use crate::query::Mark;
        for target in ["/v1/export?limit=3", "/v1/changes?old=&until=@9&limit=1"] {
            let posed = posed(target);
            let mark = Mark::Number(9);
            let next = posed.next(&cursor::write(mark, 7, &posed.whole));
            let read = pose(&next, chrono_tz::UTC, NOW + 1, 7).unwrap().unwrap();
            assert_eq!(
                (read.page.limit, read.page.after),
                (posed.page.limit, Some(mark))
            );
            assert_eq!(read.whole, posed.whole);
            // Neither in another store nor of another question.
            let other = next.replace("/v1/export?", "/v1/export?raw&");
            let other = other.replace("&old=", "");
            for (target, store) in [(&next, 8), (&other, 7)] {
                let error = pose(target, chrono_tz::UTC, NOW, store).unwrap_err();
                assert_eq!(error.place, "after", "{target}");
            }
        }
    }
}

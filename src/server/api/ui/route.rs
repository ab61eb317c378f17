//! Parses a browser's target into a route.

use super::download::{Download, FileFormat};
use crate::event::{DecodeError, ProfileKey, parse_number};
use crate::history::Subject;
use crate::query::{DossierQuery, IncidentId, Rounding, Span, parse_time};
use crate::server::api::params::{Pairs, decode_pairs};
use crate::web::{Clock, Zoom};

/// A page, or a fragment of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server::api) enum Route {
    Start,
    Search(String),
    Profile(Box<ProfileRoute>),
    /// Everything about a (sub)profile as a document.
    Dossier(Box<DossierQuery>),
    Event(u64),
    /// The events after an event.
    Live(u64),
    /// The requested changes.
    Changes(String),
    Incident(IncidentId),
    /// The proof of an event as a file.
    Proof(u64),
    /// An answer as a file.
    Download(Download, FileFormat),
    /// The file that undoes an incident, with the collection's name.
    UndoFile(IncidentId, Option<String>),
    /// A panel, as a fragment (`true`) or as a page.
    Panel(Panel, bool),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::server::api) enum Panel {
    /// Unexplained changes.
    Gaps,
    /// Bursts of the same change.
    Incidents,
    /// Fields that change again and again.
    Loops,
    /// Unreadable calls.
    Rejected,
}

/// The parameters of a (sub)profile's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::server::api) struct ProfileRoute {
    pub key: ProfileKey,
    /// The moment whose state is shown; if it is invalid, the input and the reason.
    pub at: Option<Result<i64, (String, String)>>,
    /// The part of the timeline that is drawn.
    pub zoom: Zoom,
    /// Shows only this field or interest.
    pub only: Option<Subject<'static>>,
    /// The list begins after the event with this time and `seq`.
    pub before: Option<(i64, u64)>,
    /// The number of the list's events before that one, which the page shows.
    pub listed: u64,
    /// Whether only the state is requested.
    pub fragment: bool,
}

impl Route {
    /// Whether it is a background request of the page's script.
    pub fn is_fragment(&self) -> bool {
        match self {
            Self::Live(_) | Self::Panel(_, true) => true,
            Self::Profile(profile) => profile.fragment,
            _ => false,
        }
    }
}

struct Params(Pairs);

impl Params {
    fn all(&self, name: &str) -> Vec<String> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        values.map(|(_, value)| value.clone()).collect()
    }

    /// The value of a parameter that can be given once.
    fn one(&self, name: &str) -> Result<Option<&str>, String> {
        let mut values = self.0.iter().filter(|(known, _)| known == name);
        let first = values.next().map(|(_, value)| value.as_str());
        match values.next() {
            Some(_) => Err(DecodeError::new("it can be given only once", name).to_string()),
            None => Ok(first),
        }
    }

    /// The incident that `id` names.
    fn incident(&self) -> Result<IncidentId, String> {
        self.one("id")?.unwrap_or_default().parse()
    }

    /// A bound of a span, in Unix seconds.
    fn time(&self, name: &str, clock: Clock) -> Result<Option<i64>, String> {
        let time = |text| parse_time(text, clock, Rounding::Up);
        let time = self.one(name)?.map(time).transpose();
        time.map_err(|reason| DecodeError::new(reason, name).to_string())
    }
}

/// Parses a target; `None` if there is no such page. Unknown parameters are
/// ignored.
pub(super) fn route(target: &str, clock: Clock) -> Result<Option<Route>, String> {
    let target = target.split('#').next().unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let params = Params(decode_pairs(query).map_err(|error| error.to_string())?);
    let part = params.one("part")?;
    let route = match path {
        "/" => Route::Start,
        "/search" => Route::Search(params.one("q")?.unwrap_or_default().to_owned()),
        "/live" => {
            let after = params.one("after")?;
            let after = after
                .map(|text| parse_number(text).ok_or(format!("after: '{text}' is not a number")));
            Route::Live(after.transpose()?.unwrap_or_default())
        }
        "/changes" => Route::Changes(query.to_owned()),
        "/incident" => Route::Incident(params.incident()?),
        "/undo.csv" => {
            let collection = params
                .one("collection-name")?
                .filter(|name| !name.is_empty());
            Route::UndoFile(params.incident()?, collection.map(str::to_owned))
        }
        "/gaps" => Route::Panel(Panel::Gaps, part.is_some()),
        "/incidents" => Route::Panel(Panel::Incidents, part.is_some()),
        "/loops" => Route::Panel(Panel::Loops, part.is_some()),
        "/rejected" => Route::Panel(Panel::Rejected, part.is_some()),
        _ => {
            if let Some(seq) = path.strip_prefix("/event/") {
                let proof = seq.strip_suffix("/proof.zip");
                let Some(own) = parse_number(proof.unwrap_or(seq)) else {
                    return Err(format!(
                        "'{seq}' is not an event: write its number, as in /event/7"
                    ));
                };
                match proof {
                    Some(_) => Route::Proof(own),
                    None => Route::Event(own),
                }
            } else if let Some(key) = path.strip_prefix("/profile/") {
                match key.strip_suffix("/dossier") {
                    Some(key) => Route::Dossier(Box::new(DossierQuery {
                        key: key.parse()?,
                        fields: params.all("field"),
                        interests: params.all("interest"),
                        span: Span::default(),
                    })),
                    None => {
                        let route = profile(key.parse()?, part.is_some(), &params, clock)?;
                        Route::Profile(Box::new(route))
                    }
                }
            } else if let Some((path, format)) = file(path) {
                match path {
                    "/changes" => Route::Download(Download::Changes(query.to_owned()), format),
                    "/incident" => Route::Download(Download::Incident(params.incident()?), format),
                    _ => return Ok(None),
                }
            } else {
                return Ok(None);
            }
        }
    };
    Ok(Some(route))
}

/// A path without its ending, and the form that this names.
fn file(path: &str) -> Option<(&str, FileFormat)> {
    let (path, ending) = path.rsplit_once('.')?;
    Some((path, FileFormat::of(ending)?))
}

fn profile(
    key: ProfileKey,
    fragment: bool,
    params: &Params,
    clock: Clock,
) -> Result<ProfileRoute, String> {
    let at = params.one("at")?.filter(|text| !text.trim().is_empty());
    let at = at.map(|text| {
        let read = parse_time(&from_date_field(text), clock, Rounding::Down);
        read.map_err(|why| (text.to_owned(), why))
    });
    let (from, to) = (params.time("from", clock)?, params.time("to", clock)?);
    let span = params.one("span")?;
    let zoom = match (from, to, span) {
        (Some(from), to, _) => {
            let to = to.unwrap_or(clock.now);
            if from >= to {
                return Err("from: it is not earlier than to".to_owned());
            }
            Zoom::Between(from, to)
        }
        (None, _, Some(name)) => Zoom::of(name).ok_or_else(|| {
            format!("span: '{name}' is not a span: write day, week, month, year or all")
        })?,
        (None, _, None) => Zoom::All,
    };
    let field = params.one("field")?;
    let interest = params.one("interest")?;
    let before = params.one("before")?;
    let before = before.and_then(|text| {
        let mut parts = text.split('.');
        let place = (parts.next()?.parse().ok()?, parse_number(parts.next()?)?);
        let listed = parts.next().and_then(parse_number);
        Some((place, listed.unwrap_or_default()))
    });
    Ok(ProfileRoute {
        key,
        at,
        zoom,
        only: field
            .map(|name| Subject::Field(name.to_owned().into()))
            .or(interest.map(|name| Subject::Interest(name.to_owned().into()))),
        before: before.map(|(place, _)| place),
        listed: before.map_or(0, |(_, listed)| listed),
        fragment,
    })
}

/// A moment as a browser's date field writes it, as people write it.
fn from_date_field(text: &str) -> String {
    let text = text.trim();
    match text.split_once('T') {
        Some((date, time)) if date.len() == 10 && time.len() == 5 => format!("{date} {time}:00"),
        Some((date, time)) if date.len() == 10 && time.len() == 8 => format!("{date} {time}"),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const CLOCK: Clock = Clock {
        zone: chrono_tz::Europe::Amsterdam,
        now: 1_760_000_000,
    };

    fn read(target: &str) -> Result<Option<Route>, String> {
        route(target, CLOCK)
    }

    fn asked(target: &str) -> ProfileRoute {
        match read(target).unwrap().unwrap() {
            Route::Profile(profile) => *profile,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_page_can_be_asked_for() {
        assert_eq!(read("/"), Ok(Some(Route::Start)));
        assert_eq!(
            read("/search?q=a%3Db+c"),
            Ok(Some(Route::Search("a=b c".to_owned())))
        );
        assert_eq!(read("/event/7?x=y#z"), Ok(Some(Route::Event(7))));
        assert_eq!(read("/live?after=9"), Ok(Some(Route::Live(9))));
        assert_eq!(
            read("/changes?field=a&since=x"),
            Ok(Some(Route::Changes("field=a&since=x".to_owned())))
        );
        assert_eq!(
            read("/changes.xlsx?a"),
            Ok(Some(Route::Download(
                Download::Changes("a".to_owned()),
                FileFormat::Xlsx
            )))
        );
        let id: IncidentId = "mail-7".parse().unwrap();
        assert_eq!(
            read("/undo.csv?id=mail-7&collection-name="),
            Ok(Some(Route::UndoFile(id, None)))
        );
        assert_eq!(read("/gaps"), Ok(Some(Route::Panel(Panel::Gaps, false))));
        assert_eq!(
            read("/rejected?part=panel"),
            Ok(Some(Route::Panel(Panel::Rejected, true)))
        );
        let dossier = DossierQuery {
            key: ProfileKey::subprofile(1, 2),
            fields: vec!["a".to_owned(), "b&c".to_owned()],
            interests: vec![],
            span: Span::default(),
        };
        assert_eq!(
            read("/profile/1/2/dossier?field=a&field=b%26c"),
            Ok(Some(Route::Dossier(Box::new(dossier))))
        );
        let page = asked("/profile/1/2?at=2025-10-09T10:53&span=week&field=a%26b&before=-5.7.50");
        assert_eq!(
            page,
            ProfileRoute {
                key: ProfileKey::subprofile(1, 2),
                at: Some(Ok(1_759_999_980)),
                zoom: Zoom::Last("week", 7 * 86_400),
                only: Some(Subject::Field("a&b".into())),
                before: Some((-5, 7)),
                listed: 50,
                fragment: false,
            }
        );
        assert_eq!(asked("/profile/1?at=@5&part=state").at, Some(Ok(5)));
        assert_eq!(asked("/profile/1?from=@5&to=@9").zoom, Zoom::Between(5, 9));
        assert_eq!(asked("/profile/1?at=").at, None);
        assert_eq!(
            asked("/profile/1?at=2025-10-09T10:53:20").at,
            Some(Ok(1_760_000_000))
        );
    }

    #[test]
    fn what_is_wrong_is_said_and_what_is_not_there_is_not() {
        let page = asked("/profile/1?at=<script>");
        assert!(page.at.unwrap().unwrap_err().1.contains("is not a time"));
        for target in [
            "/profile/x",
            "/profile/",
            "/profile/1/2/3",
            "/profile/x/dossier",
            "/profile/dossier",
            "/event/",
            "/event/+1",
            "/event/99999999999999999999",
            "/profile/1?span=aeon",
            "/profile/1?from=@9&to=@5",
            "/profile/1?at=1&at=2",
            "/search?q=%FF",
            "/incident",
            "/incident.csv?id=x",
        ] {
            assert!(read(target).is_err(), "{target}");
        }
        for target in [
            "",
            "/login",
            "/logout",
            "/../tokens",
            "/profile",
            "//",
            "/v1/stats",
            "/static/x",
            "/changes.html",
            "/x.csv",
        ] {
            assert_eq!(read(target), Ok(None), "{target}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(target in "/(profile/1|event|search|live|gaps)?[!-~é]{0,60}") {
            let _ = read(&target);
        }

        #[test]
        fn no_moment_panics(at in "\\PC{0,24}") {
            let text: String = form_urlencoded::byte_serialize(at.as_bytes()).collect();
            let _ = read(&format!("/profile/1?at={text}&before={text}"));
        }
    }
}

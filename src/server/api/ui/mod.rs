//! The web interface, `serve --ui`: the same queries, for logged-in users.
//!
//! | path | shows |
//! | --- | --- |
//! | `/` | how the server is, events per hour, the latest ones live |
//! | `/profile/P[/S]` | a (sub)profile: its timeline, its state at a moment, its events |
//! | `/profile/P[/S]/dossier` | everything about it as a document |
//! | `/event/SEQ` | an event |
//! | `/search?q=` | a profile, or who has or had a field's value |
//! | `/changes?…`, `/changes.csv`, `.jsonl`, `.xlsx` | the changes of all profiles that a filter accepts |
//! | `/incident?id=`, `/incident.csv`, …, `/undo.csv` | what an incident did, and the file that undoes it |
//! | `/gaps`, `/incidents`, `/loops`, `/rejected` | what stands out |
//! | `/live?after=SEQ`, `…?part=…` | fragments for the page's script |
//! | `/login`, `/logout`, `/static/…` | what needs no session |
//!
//! It shares the listener and the tokens of the query API. A user logs in once with
//! a token and then has a session ([`sessions`]), identified by a cookie that no
//! script and no other site can use ([`cookie`]). Every query runs through [`ask`],
//! so pages are built from the lines of answers; [`crate::web`] renders the HTML.
//!
//! It is read-only. Invariants: without a session only the login form is shown;
//! only the login's body is read, up to [`MAX_BODY`] bytes; a page runs only its
//! own script ([`reply::PAGE`]), a dossier none; logins and logouts from other
//! sites are refused.

mod ask;
mod changes;
mod cookie;
mod dispatch;
mod download;
mod event;
mod find;
mod incident;
mod latest;
mod origin;
mod pages;
mod panels;
mod profile;
mod reply;
mod route;
mod sessions;

use maud::Markup;
use tiny_http::Method;

use self::latest::Cache;
use crate::server::worker::path_of;
use crate::web::start::Hours;

pub(super) use pages::Site;
pub(super) use route::Route;

/// The maximum length of a login's body in bytes.
pub(super) const MAX_BODY: usize = 4096;

/// The state shared between requests.
#[derive(Debug)]
pub(super) struct Ui {
    sessions: sessions::Sessions,
    cookie: cookie::SessionCookie,
    /// Whether only this machine reaches the listener.
    loopback: bool,
    hours: Cache<Option<Hours>>,
    gaps: Cache<Markup>,
    incidents: Cache<Markup>,
    loops: Cache<Markup>,
}

impl Ui {
    /// Starts without sessions, for the listener at a port.
    pub fn new(port: u16, loopback: bool) -> Self {
        Self {
            sessions: sessions::Sessions::default(),
            cookie: cookie::SessionCookie { port },
            loopback,
            hours: Cache::default(),
            gaps: Cache::default(),
            incidents: Cache::default(),
            loops: Cache::default(),
        }
    }
}

/// A request of a browser or a program.
#[derive(Debug)]
pub(super) struct ApiRequest {
    pub method: Method,
    pub target: String,
    pub peer: String,
    pub authorization: Option<String>,
    pub accept: Option<String>,
    pub cookie: Option<String>,
    pub host: Option<String>,
    pub origin: Option<String>,
    pub fetch_site: Option<String>,
    /// The `If-None-Match` header.
    pub tag: Option<String>,
    pub content_type: Option<String>,
    /// The body, up to [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
    /// Whether there is a body that is not accepted.
    pub fault: bool,
}

impl ApiRequest {
    pub fn path(&self) -> &str {
        path_of(&self.target)
    }
}

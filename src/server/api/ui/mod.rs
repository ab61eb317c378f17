//! The page for browsers, `serve --ui`: the same questions, for who has logged in.
//!
//! | path | shows |
//! | --- | --- |
//! | `/` | how the server is, events per hour, the latest ones live |
//! | `/profile/P[/S]` | a (sub)profile: its timeline, its state at a moment, its events |
//! | `/profile/P[/S]/dossier` | everything about it as a document |
//! | `/event/SEQ` | an event |
//! | `/search?q=` | a profile, or who has or had a field's value |
//! | `/gaps`, `/incidents`, `/loops`, `/rejected` | what stands out |
//! | `/live?after=SEQ`, `…?part=…` | fragments for the page's script |
//! | `/login`, `/logout`, `/static/…` | what needs no session |
//!
//! It is on the query API's listener and behind its tokens. One logs in with a
//! token, once, and has a session after that ([`sessions`]), known by a cookie
//! that no script and no other site can use ([`cookie`]). Everything that is
//! asked goes through [`ask`], so a page is made from the lines of answers;
//! [`crate::web`] makes the HTML.
//!
//! Leaves out every way to change anything. Invariants: nothing but the login
//! form is shown to who has no session, and its body is the only one that is
//! read, up to [`MAX_BODY`] bytes; a page runs no script but its own
//! ([`reply::PAGE`]), a dossier none at all; every other site's request to log in
//! or out is refused.

mod ask;
mod cookie;
mod door;
mod dossier;
mod event;
mod find;
mod latest;
mod origin;
mod pages;
mod panels;
mod profile;
mod reply;
mod route;
mod sessions;
mod start;

use tiny_http::Method;

use crate::web::findings::Findings;

pub(super) use door::Opened;
pub(super) use pages::Asker;
pub(super) use route::Route;

/// The longest body of a login in bytes.
pub(super) const MAX_BODY: usize = 4096;

/// What a page's answers need between requests.
#[derive(Debug)]
pub(super) struct Ui {
    sessions: sessions::Sessions,
    /// Whether only this machine reaches the listener.
    loopback: bool,
    hours: latest::Remembered<crate::web::bars::Hours>,
    gaps: latest::Remembered<Findings>,
    incidents: latest::Remembered<Findings>,
    loops: latest::Remembered<Findings>,
}

impl Ui {
    /// With nobody logged in.
    pub fn new(loopback: bool) -> Self {
        Self {
            sessions: sessions::Sessions::default(),
            loopback,
            hours: latest::Remembered::default(),
            gaps: latest::Remembered::default(),
            incidents: latest::Remembered::default(),
            loops: latest::Remembered::default(),
        }
    }
}

/// A browser's request.
#[derive(Debug)]
pub(super) struct Asked {
    pub method: Method,
    pub target: String,
    /// The address of the client.
    pub peer: String,
    pub cookie: Option<String>,
    pub host: Option<String>,
    pub origin: Option<String>,
    pub fetch_site: Option<String>,
    /// What it has already.
    pub tag: Option<String>,
    pub content_type: Option<String>,
    /// The body, up to [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
    /// Whether there is a body that cannot be taken.
    pub fault: bool,
}

impl Asked {
    /// The path of the target.
    pub fn path(&self) -> &str {
        self.target.split(['?', '#']).next().unwrap_or_default()
    }
}

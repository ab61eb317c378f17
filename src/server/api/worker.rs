//! Handles the requests of the query API.
//!
//! One thread receives requests, and refuses or answers those that need no
//! reading. Every other query runs on its own thread.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, LazyLock};

use tiny_http::{Method, Request};

use super::answer::Sink;
use super::auth::Authenticator;
use super::conditional::{Tags, matches_tag};
use super::cursor;
use super::description::{INDEX, PATH, index, openapi};
use super::params::refuse_params;
use super::parse::{ParsedQuery, parse_query};
use super::questions::ENTRIES;
use super::run::ApiParts;
use super::scrape::State;
use super::ui::{ApiRequest, Route, Site, Ui};
use crate::auth::tokens::Scope;
use crate::event::DecodeError;
use crate::frontend::{Answers, CallId, PEER_HEADER, Payload};
use crate::metrics::Exposition;
use crate::query::{QueryError, answer, with_causes};
use crate::server::reply::{Reply, Responder};
use crate::server::semaphore::{Client, Permit, Semaphore, weight};
use crate::server::worker::header;
use crate::store::TrailError;

/// The maximum number of queries that run or wait.
pub(super) const MAX_QUESTIONS: u32 = 20;

/// The list of questions, and their description.
static LIST: LazyLock<String> = LazyLock::new(index);
static DESCRIPTION: LazyLock<String> = LazyLock::new(|| openapi().to_string());

/// Shared by the threads.
pub(super) struct Shared {
    pub parts: ApiParts,
    pub answers: Answers,
    pub authenticator: Authenticator,
    /// Queries that run or wait.
    pub questions: Semaphore,
    /// Limits those that run.
    pub running: Semaphore,
    pub tags: Tags,
    /// The web interface, if enabled.
    pub ui: Option<Ui>,
}

/// The work that a request needs.
enum Wanted {
    Metrics(Exposition),
    /// A question, and the tag of its answer.
    Question(Box<ParsedQuery>, Option<String>),
    Page(Route),
}

impl Shared {
    /// Handles one request. The answer is sent now, or by another thread.
    pub fn receive(self: &Arc<Self>, request: Request, call: CallId, payload: Payload) {
        let owned = |name| header(&request, name).map(str::to_owned);
        let asked = ApiRequest {
            method: request.method().clone(),
            target: request.url().to_owned(),
            peer: owned(PEER_HEADER).unwrap_or_default(),
            authorization: owned("Authorization"),
            accept: owned("Accept"),
            cookie: owned("Cookie"),
            host: owned("Host"),
            origin: owned("Origin"),
            fetch_site: owned("Sec-Fetch-Site"),
            tag: owned("If-None-Match"),
            content_type: owned("Content-Type"),
            fault: payload.fault.is_some(),
            body: payload.body,
        };
        let caller = Responder::new(request, call, &self.answers);
        let path = asked.path();
        if matches!(path, "/healthz" | "/readyz") {
            let (health, inactivity) = (&self.parts.health, &self.parts.inactivity);
            return caller.answer(&health.reply(&asked.method, path, inactivity));
        }
        if let (Some(ui), None) = (&self.ui, &asked.authorization)
            && !path.starts_with("/v1/")
            && path != "/metrics"
        {
            let last = self.parts.trail.last_seq();
            return match ui.dispatch(&asked, &self.authenticator, self.parts.clock(), last) {
                Err(reply) => caller.answer(&reply),
                Ok((route, token)) => {
                    let client = Client::new(&token, &asked.peer);
                    self.begin(Wanted::Page(route), client, caller);
                }
            };
        }
        let authorization = asked.authorization.as_deref();
        let token = match self.authenticator.check(authorization, &asked.peer) {
            Ok(token) => token,
            Err(reply) => {
                self.parts.metrics.asked("unauthorized");
                return caller.answer(&reply);
            }
        };
        match self.wanted(&asked, token.scope) {
            Ok(wanted) => self.begin(wanted, Client::new(&token.id, &asked.peer), caller),
            Err((outcome, reply)) => {
                self.parts.metrics.asked(outcome);
                caller.answer(&reply);
            }
        }
    }

    /// The work of an authorized request; if it needs none, the outcome and the reply.
    fn wanted(&self, asked: &ApiRequest, scope: Scope) -> Result<Wanted, (&'static str, Reply)> {
        let (path, target) = (asked.path(), &asked.target);
        let known = asked.tag.as_deref().unwrap_or_default();
        let refused = |reply| Err(("refused", reply));
        let wrong = |status, what: &str, place: &str| {
            refused(Reply::refused(status, &DecodeError::new(what, place)))
        };
        if asked.method != Method::Get {
            return refused(Reply::wrong_method("GET"));
        }
        if asked.fault || !asked.body.is_empty() {
            let what = "a question must not have a body: its parameters belong in its target";
            return wrong(413, what, "Content-Length");
        }
        if path == "/metrics" {
            let form = Exposition::accepted(asked.accept.as_deref());
            return Ok(Wanted::Metrics(form));
        }
        if scope != Scope::Read {
            return wrong(
                403,
                "this token is valid for /metrics only",
                "Authorization",
            );
        }
        if let INDEX | PATH = path {
            let query = target.split_once('?').map_or("", |(_, query)| query);
            let query = query.split('#').next().unwrap_or_default();
            if let Err(error) = refuse_params(query) {
                return refused(Reply::refused(400, &error));
            }
            let text: &str = if path == PATH { &DESCRIPTION } else { &LIST };
            let tag = self.tags.tag(text);
            return Err(match matches_tag(known, &tag) {
                true => ("unchanged", Reply::unchanged(&tag)),
                false => ("answered", Reply::json(200, text.into()).tagged(&tag)),
            });
        }
        let store = self.parts.trail.folder().log_id;
        match parse_query(target, self.parts.clock(), store) {
            Ok(Some(parsed)) => {
                let tag = self.tags.of(&parsed, &self.parts.trail);
                if let Some(tag) = tag.as_ref().filter(|tag| matches_tag(known, tag)) {
                    return Err(("unchanged", Reply::unchanged(tag)));
                }
                Ok(Wanted::Question(Box::new(parsed), tag))
            }
            Ok(None) => refused(nothing_at(path)),
            Err(error) => refused(Reply::refused(400, &error)),
        }
    }

    /// Answers it on a new thread.
    fn begin(self: &Arc<Self>, wanted: Wanted, client: Client, caller: Responder) {
        let Some(permit) = self.questions.try_acquire(&client) else {
            return self.busy(&wanted, caller);
        };
        let shared = Arc::clone(self);
        let spawned = std::thread::Builder::new()
            .name("question".to_owned())
            .spawn(move || {
                // After a panic the client gets 503, or a truncated answer.
                let _permit: Permit = permit;
                let answered = catch_unwind(AssertUnwindSafe(|| {
                    shared.answer(&wanted, &client, caller);
                }));
                if answered.is_err() {
                    tracing::error!("a question could not be answered");
                }
            });
        if let Err(error) = spawned {
            tracing::warn!("a question could not be answered: {error}");
        }
    }

    fn busy(&self, wanted: &Wanted, caller: Responder) {
        self.parts.metrics.asked("busy");
        let reply = match (wanted, &self.ui) {
            (Wanted::Page(_), Some(ui)) => Site::new(&self.parts, ui).busy(),
            _ => Reply::unavailable("too many other questions are being answered; ask again later"),
        };
        caller.answer(&reply);
    }

    fn answer(self: &Arc<Self>, wanted: &Wanted, client: &Client, caller: Responder) {
        let Ok(_permit) = self.running.acquire(1, client, self.parts.patience()) else {
            return self.busy(wanted, caller);
        };
        match wanted {
            Wanted::Metrics(form) => {
                self.parts.metrics.asked("answered");
                let text = self.parts.metrics.text(State(Arc::clone(self)), *form);
                caller.answer(&Reply::new(200, form.content_type(), text.into_bytes()));
            }
            Wanted::Page(route) => {
                if let Some(ui) = &self.ui {
                    let outcome = Site::new(&self.parts, ui).show(route, client, caller);
                    self.parts.metrics.asked(outcome);
                }
            }
            Wanted::Question(parsed, tag) => {
                self.answer_question(wanted, parsed, tag.clone(), client, caller);
            }
        }
    }

    fn answer_question(
        &self,
        wanted: &Wanted,
        parsed: &ParsedQuery,
        tag: Option<String>,
        client: &Client,
        caller: Responder,
    ) {
        let trail = &self.parts.trail;
        let weight = weight(&parsed.query, trail);
        let permit = self
            .parts
            .queries
            .acquire(weight, client, self.parts.patience());
        let Ok(_permit) = permit else {
            return self.busy(wanted, caller);
        };
        let sink = Sink::new(caller, tag, parsed.page.limit.is_some());
        let (page, mut out) = (parsed.entry.pages.then_some(parsed.page), &sink);
        let report = &mut |_| sink.tick();
        let answered = answer(trail, &parsed.query, page, &mut out, report);
        match answered {
            Ok((answered, next)) => {
                self.parts.metrics.asked("answered");
                let store = trail.folder().log_id;
                let next =
                    next.map(|mark| parsed.next(&cursor::write(mark, store, &parsed.canonical)));
                sink.finish(&answered, next.as_deref());
            }
            Err(QueryError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
                self.parts.metrics.asked("broken_off");
                tracing::debug!("an answer was broken off: {error}");
            }
            Err(error) => {
                self.parts.metrics.asked("failed");
                let reason = with_causes(&error);
                tracing::error!("a question could not be answered: {reason}");
                let refusal = DecodeError::new(reason, "server");
                sink.fail(&match error {
                    QueryError::Trail(TrailError::Index(_)) => {
                        Reply::refused(503, &refusal).with("Retry-After", "5")
                    }
                    _ => Reply::refused(500, &refusal),
                });
            }
        }
    }
}

fn nothing_at(path: &str) -> Reply {
    let shown: String = path.chars().take(200).collect();
    let names: Vec<_> = ENTRIES.iter().map(|entry| entry.name).collect();
    let what = format!(
        "there is nothing here: ask at /v1/QUESTION, such as /v1/history/123 or /v1/changes; the questions are {}",
        names.join(", ")
    );
    Reply::refused(404, &DecodeError::new(what, shown))
}

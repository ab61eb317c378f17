//! What becomes of a request to the query API.
//!
//! One thread takes requests, refuses what is to be refused and answers what
//! needs no reading; every other question has a thread of its own while it is
//! answered.

use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tiny_http::{Method, Request};

use super::answer::Sink;
use super::auth::Door;
use super::question::{Question, question};
use super::run::ApiParts;
use super::scrape::figures;
use super::slots::Slots;
use crate::care::{Care, CareError, Told, carry_out};
use crate::event::{DecodeError, now_micros};
use crate::gate::{Answers, CALL_HEADER, CallId, FAULT_HEADER, PEER_HEADER};
use crate::metrics::CONTENT_TYPE;
use crate::query::{Answered, Query, QueryError, answer_telling};
use crate::server::health::health;
use crate::server::reply::{Caller, Reply};
use crate::server::turns::take_turn;
use crate::server::worker::header;
use crate::tokens::Scope;
use crate::trail::TrailError;

/// How long a question waits for its turn.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the threads have in common.
pub(super) struct Shared {
    pub parts: ApiParts,
    pub answers: Answers,
    pub door: Door,
    pub questions: Slots,
    pub stopping: AtomicBool,
}

/// What a request leads to.
enum Wanted {
    Metrics,
    Question(Question),
}

impl Shared {
    /// Handles one request; its answer is sent now, or by a thread of its own.
    pub fn handle(self: &Arc<Self>, mut request: Request) {
        // So that it holds up nothing that comes after it on its connection.
        let whole = std::io::copy(request.as_reader(), &mut std::io::sink());
        let (method, target) = (request.method().clone(), request.url().to_owned());
        let owned = |name| header(&request, name).map(str::to_owned);
        let (peer, authorization) = (owned(PEER_HEADER), owned("Authorization"));
        let fault = owned(FAULT_HEADER).filter(|_| whole.is_ok());
        let call = header(&request, CALL_HEADER).and_then(CallId::parse);
        let caller = Caller::new(request, call, &self.answers);
        let path = target.split(['?', '#']).next().unwrap_or_default();
        if matches!(path, "/healthz" | "/readyz") {
            let reply = match method {
                Method::Get | Method::Head => health(path, &self.parts.health, &self.parts.silence),
                _ => Reply::wrong_method("GET, HEAD"),
            };
            return caller.answer(&reply);
        }
        if call.is_none() {
            // The gate's greeting of a private connection.
            return caller.answer(&nothing_at(path));
        }
        let peer = peer.as_deref().unwrap_or_default();
        let scope = match self.door.judge(authorization.as_deref(), peer) {
            Ok(scope) => scope,
            Err(reply) => {
                self.parts.metrics.asked("unauthorized");
                return caller.answer(&reply);
            }
        };
        match self.wanted(&method, &target, path, fault.is_some(), scope) {
            Ok(wanted) => self.begin(wanted, caller),
            Err(reply) => {
                self.parts.metrics.asked("refused");
                caller.answer(&reply);
            }
        }
    }

    /// What a request wants that may ask something.
    fn wanted(
        &self,
        method: &Method,
        target: &str,
        path: &str,
        has_body: bool,
        scope: Scope,
    ) -> Result<Wanted, Reply> {
        let refused = |status, what: &str, place: &str| {
            Reply::refused(status, &DecodeError::new(what, place))
        };
        if *method != Method::Get {
            return Err(Reply::wrong_method("GET"));
        }
        if has_body {
            let what = "a question has no body: its parameters are in its target";
            return Err(refused(413, what, "Content-Length"));
        }
        if path == "/metrics" {
            return Ok(Wanted::Metrics);
        }
        if scope != Scope::Read {
            let what = "this token is good for /metrics alone";
            return Err(refused(403, what, "Authorization"));
        }
        match question(target, self.parts.zone, now_micros()) {
            Ok(Some(question)) => Ok(Wanted::Question(question)),
            Ok(None) => Err(nothing_at(path)),
            Err(error) => Err(Reply::refused(400, &error)),
        }
    }

    /// Has a thread answer it.
    fn begin(self: &Arc<Self>, wanted: Wanted, caller: Caller) {
        if !self.questions.enter() {
            return self.busy(caller);
        }
        let entered = Entered(Arc::clone(self));
        let spawned = std::thread::Builder::new()
            .name("question".to_owned())
            .spawn(move || {
                // Whose answer a panic lets go of is told 503, or sees it broken off.
                let answered = catch_unwind(AssertUnwindSafe(|| entered.0.answer(&wanted, caller)));
                if answered.is_err() {
                    tracing::error!("a question could not be answered");
                }
            });
        if let Err(error) = spawned {
            tracing::warn!("a question could not be answered: {error}");
        }
    }

    fn busy(&self, caller: Caller) {
        self.parts.metrics.asked("busy");
        caller.answer(&Reply::unavailable(
            "other questions are answered; ask again later",
        ));
    }

    fn answer(&self, wanted: &Wanted, caller: Caller) {
        let Some(_slot) = self.questions.take(PATIENCE) else {
            return self.busy(caller);
        };
        match wanted {
            Wanted::Metrics => {
                self.parts.metrics.asked("answered");
                let text = self.parts.metrics.text(&figures(self));
                caller.answer(&Reply::new(200, CONTENT_TYPE, text.into_bytes()));
            }
            Wanted::Question(Question::Stats(span)) => self.stream(caller, |sink| {
                let mut out = sink;
                let mut told = Told {
                    out: &mut out,
                    progress: &mut |_, _| sink.tick(),
                };
                match carry_out(&self.parts.trail, &Care::Stats(*span), &mut told) {
                    Err(CareError::Output(error)) => Err(QueryError::Output(error)),
                    Err(CareError::Trail(error)) => Err(QueryError::Trail(error)),
                    Err(CareError::Log(error)) => Err(QueryError::Log(error)),
                    Err(error) => Err(QueryError::Output(std::io::Error::other(error.to_string()))),
                    Ok(answered) => Ok(answered),
                }
            }),
            Wanted::Question(Question::Ask(query)) => {
                let begun = Instant::now();
                let turn = take_turn(&self.parts.turns, &self.parts.trail, query, || {
                    let over = begun.elapsed() >= PATIENCE || self.stopping.load(Ordering::Acquire);
                    if over { Err(()) } else { Ok(()) }
                });
                let Ok(_turn) = turn else {
                    return self.busy(caller);
                };
                self.stream(caller, |sink| self.ask(query, sink));
            }
        }
    }

    fn ask(&self, query: &Query, sink: &Sink) -> Result<Answered, QueryError> {
        if query.needs_index() {
            self.parts.trail.wait_for_index(|_| sink.tick())?;
        }
        let mut out = sink;
        answer_telling(&self.parts.trail, query, &mut out, &mut |_| sink.tick())
    }

    /// Sends what `make` writes, and what that comes to.
    fn stream(&self, caller: Caller, make: impl FnOnce(&Sink) -> Result<Answered, QueryError>) {
        let sink = Sink::new(caller);
        match make(&sink) {
            Ok(answered) => {
                self.parts.metrics.asked("answered");
                sink.finish(&answered);
            }
            Err(QueryError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => {
                self.parts.metrics.asked("broken_off");
                tracing::debug!("an answer was broken off: {error}");
            }
            Err(error) => {
                self.parts.metrics.asked("failed");
                tracing::error!("a question could not be answered: {error}");
                let index = matches!(error, QueryError::Trail(TrailError::Index(_)));
                let status = if index { 503 } else { 500 };
                let error = DecodeError::new(error.to_string(), "server");
                sink.fail(&Reply::refused(status, &error));
            }
        }
    }
}

fn nothing_at(path: &str) -> Reply {
    let shown: String = path.chars().take(200).collect();
    let what = "nothing is here: ask at /v1/history/PROFILE, /v1/show/…, /v1/diff/…, /v1/blame/…, /v1/changes, /v1/find, \
         /v1/export, /v1/rejected or /v1/stats";
    Reply::refused(404, &DecodeError::new(what, shown))
}

/// Counts a question off however its thread ends, or does not begin.
struct Entered(Arc<Shared>);

impl Drop for Entered {
    fn drop(&mut self) {
        self.0.questions.leave();
    }
}

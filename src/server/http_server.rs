//! A public listener: the frontend, and tiny_http behind it, from which workers receive whole
//! requests ([`super::receiver`]).

use std::fs::{self, File};
use std::io;
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tiny_http::{Request, Response, StatusCode};

use super::receiver::RequestReceiver;
use super::socket::{bind, reachable};
use super::worker::header;
use crate::frontend::{
    Answers, CALL_HEADER, CallId, Frontend, FrontendConfig, Payload, connect_private,
};

/// The expensive rest of a request, which runs while other workers receive.
pub(super) type Rest = Box<dyn FnOnce()>;

pub(super) struct HttpServer {
    frontend: Frontend,
    receiver: Arc<RequestReceiver>,
    workers: Vec<JoinHandle<()>>,
    private: PathBuf,
    /// Keeps the path valid by which private connections are opened again.
    _private_dir: Option<File>,
}

impl HttpServer {
    /// Starts workers, each with a clone of `handle`, and the frontend with a number of connections
    /// to them over the socket at `private`. The work that `handle` returns runs while other
    /// workers receive.
    pub fn start(
        listener: TcpListener,
        config: FrontendConfig,
        answers: Answers,
        private: PathBuf,
        connections: usize,
        workers: usize,
        handle: impl Fn(Request, CallId, Payload) -> Option<Rest> + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let server = tiny_http::Server::from_listener(bind(&private)?, None)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let receiver = Arc::new(RequestReceiver::new(server));
        let workers = (0..workers.max(1))
            .map(|number| {
                let receiver = Arc::clone(&receiver);
                start_worker(number, handle.clone(), receiver, answers.clone())
            })
            .collect::<io::Result<_>>()?;
        let (path, dir) = reachable(&private)?;
        let connections = connect_private(&path, connections)?;
        let config = FrontendConfig {
            private_path: Some(path),
            ..config
        };
        Ok(Self {
            frontend: Frontend::start(listener, connections, config, answers)?,
            receiver,
            workers,
            private,
            _private_dir: dir,
        })
    }

    /// Accepts no more requests; accepted ones may be answered within `grace`.
    pub fn shutdown(&mut self, grace: Duration) {
        self.frontend.shutdown(grace);
    }

    pub fn stop(self) {
        self.receiver.stop();
        for worker in self.workers {
            if worker.join().is_err() {
                tracing::error!("a worker panicked");
            }
        }
        if let Err(error) = fs::remove_file(&self.private) {
            tracing::debug!("a private socket could not be removed: {error}");
        }
    }
}

fn start_worker(
    number: usize,
    handle: impl Fn(Request, CallId, Payload) -> Option<Rest> + Send + 'static,
    receiver: Arc<RequestReceiver>,
    answers: Answers,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            // A request that a panic drops is still answered: with 503 once it has become a
            // responder, which happens first. Before that, tiny_http answers, and the frontend
            // with 502.
            receiver.run(|request| {
                let pass_on = || {
                    let Some(call) = header(&request, CALL_HEADER).and_then(CallId::parse) else {
                        // The frontend's greeting of a private connection.
                        if let Err(error) = request.respond(Response::empty(StatusCode(204))) {
                            tracing::debug!("a greeting could not be answered: {error}");
                        }
                        return None;
                    };
                    let Some(payload) = answers.take_payload(call) else {
                        // Its client was answered from elsewhere, so tiny_http must not answer.
                        drop(request.into_writer());
                        return None;
                    };
                    handle(request, call, payload)
                };
                let handled = catch_unwind(AssertUnwindSafe(pass_on));
                let rest = handled.unwrap_or_else(|_| {
                    tracing::error!("handling a request panicked");
                    None
                })?;
                let finish = || {
                    if catch_unwind(AssertUnwindSafe(rest)).is_err() {
                        tracing::error!("finishing a request panicked");
                    }
                };
                Some(Box::new(finish))
            });
        })
}

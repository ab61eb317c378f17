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

use tiny_http::Request;

use super::receiver::RequestReceiver;
use super::socket::{bind, reachable};
use crate::frontend::{Answers, Frontend, FrontendConfig, connect_private};

/// The expensive rest of a request, which is done while others receive.
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
    /// to them over the socket at `private`. What `handle` returns is done while others receive.
    pub fn start(
        listener: TcpListener,
        config: FrontendConfig,
        answers: Answers,
        private: PathBuf,
        connections: usize,
        workers: usize,
        handle: impl Fn(Request) -> Option<Rest> + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let server = tiny_http::Server::from_listener(bind(&private)?, None)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let receiver = Arc::new(RequestReceiver::new(server));
        let workers = (0..workers.max(1))
            .map(|number| start_worker(number, handle.clone(), Arc::clone(&receiver)))
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
    handle: impl Fn(Request) -> Option<Rest> + Send + 'static,
    receiver: Arc<RequestReceiver>,
) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new()
        .name(format!("worker-{number}"))
        .spawn(move || {
            // A request that a panic drops is answered all the same: with 503 once it has become a
            // responder, which is the first thing done with it. Before, tiny_http answers, and the
            // frontend with 502.
            receiver.run(|request| {
                let handled = catch_unwind(AssertUnwindSafe(|| handle(request)));
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

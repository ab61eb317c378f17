//! Starts and stops the query API.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::auth::Authenticator;
use super::conditional::Tags;
use super::ui::{MAX_BODY, Ui};
use super::worker::{MAX_QUESTIONS, Shared};
use crate::auth::tokens::{TokenFile, Watched};
use crate::event::{Zone, now_seconds};
use crate::frontend::{Answers, FrontendConfig, Network};
use crate::metrics::Metrics;
use crate::query::Clock;
use crate::server::committer::Health;
use crate::server::http_server::HttpServer;
use crate::server::inactivity::InactivityAlarm;
use crate::server::refusals::Refusals;
use crate::server::semaphore::Semaphore;
use crate::store::Trail;

/// The maximum number of running queries; [`super::worker`] limits those that wait.
const RUNNING: u32 = 4;

/// The maximum number of connections.
const CONNECTIONS: usize = 64;

/// The maximum number of one address, so that others stay free.
const CONNECTIONS_PER_ADDRESS: usize = CONNECTIONS / 2;

const PRIVATE_CONNECTIONS: usize = 2;

/// The time limit up to the first piece of an answer, including the build of an
/// index.
const ANSWER: Duration = Duration::from_secs(600);

/// How long a query waits for a permit.
const PATIENCE: Duration = Duration::from_secs(3);

/// The state that the query API shares with the rest of the server.
pub(in crate::server) struct ApiParts {
    pub trail: Arc<Trail>,
    pub health: Arc<Health>,
    pub inactivity: InactivityAlarm,
    /// Limits the queries that run, by their weight.
    pub queries: Semaphore,
    pub metrics: Metrics,
    /// For the signatures of calls.
    pub refusals: Arc<Refusals>,
    /// The zone of times that name none.
    pub zone: Zone,
    /// For the webhook's frontend.
    pub webhook: Answers,
    pub proxies: Vec<Network>,
    /// Whether the web interface is enabled.
    pub ui: bool,
    /// The server's data for its pages.
    pub pages: PageConfig,
    /// Whether it stops.
    pub stopping: AtomicBool,
}

impl ApiParts {
    pub fn clock(&self) -> Clock {
        Clock {
            zone: self.zone,
            now: now_seconds(),
        }
    }

    /// Ends a wait for a permit after a while, or when the API stops.
    pub fn patience(&self) -> impl FnMut() -> Result<(), ()> {
        let begun = Instant::now();
        move || {
            let over = begun.elapsed() >= PATIENCE || self.stopping.load(Ordering::Acquire);
            if over { Err(()) } else { Ok(()) }
        }
    }
}

/// The server's data for pages.
#[derive(Clone, Debug, Default)]
pub(in crate::server) struct PageConfig {
    /// The flags that a command must repeat to see the same data, with a leading space.
    pub flags: String,
    /// The address that receives calls.
    pub webhook: String,
    /// The fields that are indexed by value.
    pub lookup: Vec<String>,
    /// The fields whose values are a profile's name.
    pub title: Vec<String>,
}

pub(in crate::server) struct Api {
    pub address: SocketAddr,
    http: HttpServer,
    shared: Arc<Shared>,
}

impl Api {
    pub fn start(listener: TcpListener, parts: ApiParts) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let loopback = address.ip().to_canonical().is_loopback();
        if !loopback {
            tracing::warn!(
                "the query API listens at {address}, where others can reach it: tokens and answers go there in \
                 clear, so put TLS in front of it, and let it listen at a loopback address"
            );
        }
        let folder = parts.trail.folder().path().to_owned();
        let answers = Answers::default();
        let (proxies, shown) = (parts.proxies.clone(), parts.ui);
        let shared = Arc::new(Shared {
            ui: shown.then(|| Ui::new(address.port(), loopback)),
            parts,
            answers: answers.clone(),
            authenticator: Authenticator::new(Watched::new(TokenFile::of(&folder))),
            questions: Semaphore::new(MAX_QUESTIONS),
            running: Semaphore::new(RUNNING),
            tags: Tags::new(),
        });
        let config = FrontendConfig {
            max_connections: CONNECTIONS,
            max_per_address: CONNECTIONS_PER_ADDRESS,
            // Only a login has one.
            max_body: if shown { MAX_BODY } else { 0 },
            pass_browser: shown,
            trusted_proxies: proxies,
            calls_per_connection: CONNECTIONS,
            answer_timeout: ANSWER,
            ..FrontendConfig::default()
        };
        let receiving = Arc::clone(&shared);
        let http = HttpServer::start(
            listener,
            config,
            answers,
            folder.join("private-api"),
            PRIVATE_CONNECTIONS,
            1,
            move |request, call, payload| {
                receiving.receive(request, call, payload);
                None
            },
        )?;
        Ok(Self {
            address,
            http,
            shared,
        })
    }

    /// Accepts no more queries; running ones may finish within `grace`.
    pub fn stop(mut self, grace: Duration) {
        let begun = Instant::now();
        self.shared.parts.stopping.store(true, Ordering::Release);
        self.http.shutdown(grace);
        self.http.stop();
        // Without the frontend, a query ends at its next line.
        while self.shared.questions.held() > 0 && begun.elapsed() < grace {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

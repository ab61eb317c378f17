//! Starting the server's parts, and stopping them in order.
//!
//! Invariant: the addresses are bound before anything in the data folder changes, so a busy port
//! does not change it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, anyhow};

use super::api::{Api, ApiParts, PageConfig};
use super::commands::{About, Commands};
use super::committer::{self, Health};
use super::control_socket::ControlSocket;
use super::disk_space::DiskSpaceMonitor;
use super::http_server::HttpServer;
use super::inactivity::{InactivityAlarm, start_watch};
use super::listener::PassedSockets;
use super::refusals::Refusals;
use super::semaphore::{CAPACITY, Semaphore};
use super::signed::Checker;
use super::supervisor;
use super::worker::Worker;
use crate::auth::keys::{KeyConfig, KeyRing};
#[cfg(feature = "nats")]
use crate::auth::signature::Evidence;
use crate::auth::signature::{Policy, Replays};
use crate::background::Background;
#[cfg(feature = "nats")]
use crate::cluster::{Cluster, ClusterConfig, Observer, start_erasures};
use crate::event::Zone;
use crate::format::shell;
use crate::frontend::{Answers, FrontendConfig, Network, Tls, TlsFiles};
use crate::index::Progress;
use crate::log::OpenMode;
use crate::log_limiter::LogLimiter;
use crate::metrics::Metrics;
use crate::ops::doctor::Settings;
use crate::proofs::{start_countersigning, start_prover};
use crate::store::{
    Folder, Membership, OpenOptions, RetentionPeriod, Trail, TrailError, ValidationFiles,
    start_retention, start_sealer,
};

/// The time for accepted calls and commands to finish when the server stops.
const GRACE: Duration = Duration::from_secs(10);

/// The same for questions over HTTP, which can be repeated.
const API_GRACE: Duration = Duration::from_secs(5);

/// The most calls that wait for the committer: as many as the private connections carry. Further
/// calls wait in the frontend, at most one for each connection.
const QUEUE_LEN: usize = 1024;

/// The private connections between frontend and tiny_http. One carries many calls; the others are
/// for calls in addition to long bodies and for bursts.
const PRIVATE_CONNECTIONS: usize = 8;

/// The bytes of requests and answers that the frontend buffers for all connections together; more
/// with long bodies or many connections.
const MAX_BUFFERED: usize = 64 << 20;

/// The least of these bytes for each connection.
const BUFFERED_EACH: usize = 128 << 10;

/// The settings of a server.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The data folder; created if missing.
    pub data: PathBuf,
    /// The address to listen on; port 0 lets the system choose one.
    pub listen: SocketAddr,
    /// The zone in which `timestamp` is read.
    pub zone: Zone,
    /// The longest body in bytes.
    pub max_body: usize,
    /// The size in bytes at which a segment is closed.
    pub segment_size: u64,
    /// The index's cache in bytes.
    pub cache: u64,
    /// The number of threads that decode and verify calls.
    pub workers: usize,
    /// The largest number of open connections.
    pub max_connections: usize,
    /// The certificate and its key, for calls over TLS.
    pub tls: Option<TlsFiles>,
    /// The largest number of open connections of one address.
    pub max_per_address: usize,
    /// The proxies whose forwarded addresses are trusted.
    pub trusted_proxies: Vec<Network>,
    /// The bytes that must stay free on the data folder's disk.
    pub min_free: u64,
    /// The largest total size of rejected calls; beyond it the oldest are removed.
    pub max_rejected: u64,
    /// The accepted signatures; `None` for no check.
    pub signature: Option<Policy>,
    /// How long events are kept; `None` for ever.
    pub keep: Option<RetentionPeriod>,
    /// The fields that are indexed by value.
    pub lookup: Vec<String>,
    /// The address of the query API; `None` for no API.
    pub api: Option<SocketAddr>,
    /// Whether the page for browsers is served there.
    pub ui: bool,
    /// The fields whose values the page shows as a profile's name.
    pub title: Vec<String>,
    /// The time without an event that raises the inactivity alarm.
    pub alert_after: Option<Duration>,
    /// What `doctor` checks of them, who signs checkpoints, too, and the DNS server for keys.
    pub settings: Settings,
    /// The cluster that it is a node of.
    #[cfg(feature = "nats")]
    pub cluster: Option<ClusterConfig>,
}

impl ServerConfig {
    /// The data of a server at this address for its pages.
    fn pages(&self, address: SocketAddr) -> PageConfig {
        let data = std::path::absolute(&self.data).unwrap_or_else(|_| self.data.clone());
        let mut flags = format!(" --data {}", shell(&data.to_string_lossy()));
        if self.zone != Zone::Europe__Amsterdam {
            flags.push_str(&format!(" --timezone {}", self.zone.name()));
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        PageConfig {
            flags,
            webhook: format!("{scheme}://{address}/webhook"),
            lookup: self.lookup.clone(),
            title: self.title.clone(),
        }
    }
}

/// An error of the system, with the operation.
pub(super) fn system(what: &'static str) -> impl FnOnce(std::io::Error) -> anyhow::Error {
    move |cause| anyhow!("{what}: {cause}")
}

/// A running server.
pub struct Server {
    address: SocketAddr,
    trail: Arc<Trail>,
    webhook: HttpServer,
    api: Option<Api>,
    watch: Background,
    keys: Option<KeyRing>,
    committer: JoinHandle<()>,
    control: ControlSocket,
    supervisor: Option<Background>,
    /// The threads that end after the control socket, in the order in which they do.
    background: Vec<Background>,
    #[cfg(feature = "nats")]
    cluster: Option<Cluster>,
}

impl Server {
    /// Starts a server. When this returns it answers calls and commands.
    pub fn start(config: &ServerConfig) -> anyhow::Result<Self> {
        let tls = config.tls.clone().map(Tls::load).transpose()?;
        // Nothing on disk changes before the addresses are known to be free.
        let named = config.api.into_iter().chain([config.listen]);
        let mut passed = PassedSockets::take(&named.collect::<Vec<_>>())?;
        let listener = passed.listen(config.listen, "--listen")?;
        let api_listener = config.api.map(|api| passed.listen(api, "--api"));
        let api_listener = api_listener.transpose()?;
        let address = listener
            .local_addr()
            .map_err(system("reading the address"))?;
        Folder::make(&config.data)?;
        let (trail, appender) = Trail::open(
            &config.data,
            OpenOptions {
                mode: OpenMode::Append {
                    segment_size: config.segment_size,
                },
                server: true,
                cache: config.cache,
                patience: Duration::from_secs(10),
            },
        )?;
        trail.index().set_lookup(config.lookup.clone());
        if Folder::is_open_to_others(&config.data) {
            tracing::warn!(
                "other users may access the data folder {}, which holds personal data: run `chmod -R go= {0}`",
                config.data.display()
            );
        }
        let mut appender = appender.context("opening the log: it cannot be appended to")?;
        appender.limit_rejected(config.max_rejected);
        let inactivity = InactivityAlarm::new(config.alert_after, &trail);
        let replays = Replays::default();
        #[cfg(feature = "nats")]
        let (appender, cluster) = match &config.cluster {
            Some(cluster) => {
                let policy = config.signature.clone();
                let observer = observer(inactivity.clone(), policy, replays.clone());
                let joined = Cluster::join(cluster.clone(), &trail, appender, observer);
                let (appender, cluster) = joined.map_err(system("joining the cluster"))?;
                (appender, Some(cluster))
            }
            None => (appender, None),
        };
        #[cfg(feature = "nats")]
        let status = cluster.as_ref().map(|cluster| cluster.status.clone());
        #[cfg(not(feature = "nats"))]
        let status = None;
        if status.is_none() && Membership::exists(&config.data) {
            return Err(TrailError::Refused(Membership::refusal(&config.data)).into());
        }
        let disk = DiskSpaceMonitor::new(config.data.clone(), config.min_free);
        let longest = config.max_body as u64 + (1 << 16);
        let health = Health::new(disk, longest, appender.poison(), status);
        let health = Arc::new(health);
        let answers = Answers::default();
        let metrics = Metrics::new();
        let observers = (metrics.clone(), inactivity.clone());
        let (queue, committer) = committer::start(
            appender,
            Arc::clone(&health),
            answers.clone(),
            observers,
            QUEUE_LEN,
        )
        .map_err(system("starting the committer"))?;
        let refusals = Arc::new(Refusals::new(metrics.clone()));
        let parts = ApiParts {
            trail: Arc::clone(&trail),
            health: Arc::clone(&health),
            inactivity: inactivity.clone(),
            queries: Semaphore::new(CAPACITY),
            metrics,
            refusals: Arc::clone(&refusals),
            zone: config.zone,
            webhook: answers.clone(),
            proxies: config.trusted_proxies.clone(),
            ui: config.ui,
            pages: config.pages(address),
            stopping: AtomicBool::new(false),
        };
        let mut keys = None;
        let mut checker = None;
        if let Some(policy) = config.signature.clone() {
            let ring = KeyRing::start(KeyConfig {
                domain: policy.key_domain.clone(),
                dns_server: config.settings.dns_server,
                key_store: Some(Folder::keys_of(&config.data)),
                ..KeyConfig::default()
            })
            .map_err(system("looking keys up in DNS"))?;
            keys = Some(ring.clone());
            let refusals = Arc::clone(&refusals);
            checker = Some(Checker::new(policy, ring, refusals, &trail, replays)?);
        }
        let worker = Worker {
            queue: queue.clone(),
            inactivity: inactivity.clone(),
            checker: checker.clone(),
            zone: config.zone,
            max_body: config.max_body,
            validation: ValidationFiles::of(&config.data),
            refusals: Arc::clone(&refusals),
            lost_log: LogLimiter::default(),
        };
        let frontend_config = FrontendConfig {
            max_connections: config.max_connections,
            max_per_address: config.max_per_address,
            tls,
            trusted_proxies: config.trusted_proxies.clone(),
            max_body: config.max_body,
            pass_head: config.signature.is_some(),
            max_buffered: (config.max_connections.saturating_mul(BUFFERED_EACH))
                .max(config.max_body.saturating_mul(4))
                .max(MAX_BUFFERED),
            calls_per_connection: QUEUE_LEN / PRIVATE_CONNECTIONS,
            ..FrontendConfig::default()
        };
        let webhook = HttpServer::start(
            listener,
            frontend_config,
            answers,
            config.data.join("private"),
            PRIVATE_CONNECTIONS,
            config.workers,
            move |request, call, payload| worker.handle(request, call, payload),
        )
        .map_err(system("starting the listener"))?;
        let settings = Settings {
            listen: Some(address),
            ..config.settings.clone()
        };
        let api = api_listener.map(|listener| Api::start(listener, parts));
        let api = api.transpose().map_err(system("starting the query API"))?;
        let watch = start_watch(inactivity).map_err(system("watching for inactivity"))?;
        let prover = start_prover(Arc::clone(trail.prover()))
            .map_err(system("starting the signing of checkpoints"))?;
        let countersigners = config.settings.countersigners.clone();
        let (countersigning, states) = start_countersigning(trail.prover(), countersigners)
            .map_err(system("starting the signing of checkpoints by others"))?;
        let append = move |group| queue.import(group);
        #[cfg(feature = "nats")]
        let erasures = match &cluster {
            Some(cluster) => {
                let started =
                    start_erasures(Arc::clone(&trail), cluster.status.clone(), append.clone());
                Some(started.map_err(system("repeating erasures"))?)
            }
            None => None,
        };
        #[cfg(not(feature = "nats"))]
        let erasures = None;
        let about = Some(About {
            settings,
            refusals,
            checker,
            countersigning: states,
            cluster: health.cluster.clone(),
        });
        let commands = Commands::new(Arc::clone(&trail), append.clone(), config.zone, about);
        let control =
            ControlSocket::start(commands).map_err(system("making the control socket"))?;
        let sealer = start_sealer(Arc::clone(&trail), config.max_rejected)
            .map_err(system("starting the sealer"))?;
        let retention = start_retention(Arc::clone(&trail), config.keep, append)
            .map_err(system("starting the scheduled pruning"))?;
        let supervisor = supervisor::start(address, health, Arc::clone(&trail))
            .map_err(system("notifying the supervisor"))?;
        let background = [
            Some(sealer),
            Some(retention),
            countersigning,
            erasures,
            Some(prover),
        ];
        Ok(Self {
            address,
            trail,
            webhook,
            api,
            watch,
            keys,
            committer,
            control,
            supervisor,
            background: background.into_iter().flatten().collect(),
            #[cfg(feature = "nats")]
            cluster,
        })
    }

    /// The address of its webhook.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address of its query API, if it has one.
    pub fn api_address(&self) -> Option<SocketAddr> {
        self.api.as_ref().map(|api| api.address)
    }

    /// The progress of its index.
    pub fn index_progress(&self) -> Progress {
        self.trail.index().progress()
    }

    /// Stops it: no more calls are accepted, accepted ones are synced and answered, and running
    /// commands finish.
    pub fn stop(mut self) {
        drop(self.supervisor.take());
        self.webhook.shutdown(GRACE);
        drop(self.watch);
        if let Some(api) = self.api {
            api.stop(API_GRACE);
        }
        self.control.stop(GRACE);
        drop(self.background);
        self.webhook.stop();
        // Calls that wait for a key are answered 503.
        if let Some(keys) = self.keys {
            keys.stop();
        }
        // The last queue is dropped now, so the committer ends with everything synced.
        if self.committer.join().is_err() {
            tracing::error!("the committer panicked");
        }
        #[cfg(feature = "nats")]
        drop(self.cluster);
        let last = self.trail.last_seq();
        tracing::info!("stopped; the log has {last} events");
    }
}

/// Learns from the events of other nodes as from its own.
#[cfg(feature = "nats")]
fn observer(inactivity: InactivityAlarm, policy: Option<Policy>, replays: Replays) -> Observer {
    Box::new(move |seq, record| {
        inactivity.received(record.head.received);
        if let Some(policy) = &policy
            && let Ok(Some(proof)) = Evidence::proof(record.head.evidence, record.body)
            && let Some(date) = proof.date()
        {
            replays.note(&proof.text, policy.expires(date), seq);
        }
    })
}

//! The stream: its creation, and the settings without which messages can be lost.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{Context, GetStreamErrorKind};
use async_nats::jetstream::stream::{Config, Info, RetentionPolicy, StorageType, Stream};
use tokio::time::timeout;

use super::{ATTEMPT, Session, Subject, Trouble};
use crate::cluster::sequencer::{DEADLINE, MESSAGE};
use crate::store::Membership;

/// How long the stream keeps messages: a node may be down for this long.
pub const KEPT: Duration = Duration::from_secs(72 * 3600);

/// On how many servers the stream must be.
const REPLICAS: usize = 3;

/// The first version of the servers that is known to lose nothing.
const VERSION: (i64, i64, i64) = (2, 12, 3);

/// The size of the payload without the bodies: heads, frames and headers, in bytes.
const BESIDE: usize = 64 * 1024;

impl Session {
    /// Gets the stream; creates it if no stream exists and this folder never belonged to a cluster.
    pub(super) async fn stream(&self, context: &Context) -> Result<Stream, Trouble> {
        let name = format!("profiletrail-{:016x}", self.shared.log_id());
        let error = match timeout(ATTEMPT, context.get_stream(&name)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => return Err(Trouble::passing("no NATS server answers")),
        };
        let is_missing = match error.kind() {
            GetStreamErrorKind::JetStream(error) => {
                error.error_code() == ErrorCode::STREAM_NOT_FOUND
            }
            _ => false,
        };
        if !is_missing {
            return Err(Trouble::passing(error));
        }
        if self.membership()?.is_some() {
            return Err(Trouble::Refused(format!(
                "the NATS servers have no stream {name}, which this folder followed before: is --nats \
                 right? docs/cluster.md says how to begin a new one"
            )));
        }
        let made = context.create_stream(Config {
            name,
            subjects: Subject::ALL
                .map(|subject| subject.of(self.shared.log_id()))
                .to_vec(),
            description: Some("The order of a profiletrail cluster".to_owned()),
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            num_replicas: REPLICAS,
            max_age: KEPT,
            duplicate_window: Duration::from_secs(120),
            deny_delete: true,
            ..Config::default()
        });
        match timeout(ATTEMPT * 5, made).await {
            Ok(Ok(_)) => Err(Trouble::passing("the stream has just been made")),
            Ok(Err(error)) => Err(Trouble::Refused(format!(
                "the stream could not be made on {REPLICAS} NATS servers: {error}"
            ))),
            Err(_) => Err(Trouble::passing("no NATS server answers")),
        }
    }

    /// Refuses a stream that could lose something.
    pub(super) fn check(&self, info: &Info, client: &Client) -> Result<(), Trouble> {
        let config = &info.config;
        let server = client.server_info();
        let longest = self.config.max_body.max(2 * MESSAGE) + BESIDE;
        let (major, minor, patch) = VERSION;
        let problem = if config.num_replicas < REPLICAS {
            Some(format!(
                "the stream is on {} servers: `nats stream edit {} --replicas {REPLICAS}`",
                config.num_replicas, config.name
            ))
        } else if config.storage != StorageType::File {
            Some("the stream is in memory, and a power cut would end it".to_owned())
        } else if config.retention != RetentionPolicy::Limits
            || config.max_messages > 0
            || config.max_bytes > 0
            || config.max_messages_per_subject > 0
        {
            Some("the stream drops messages by other limits than their age".to_owned())
        } else if config.duplicate_window < 2 * DEADLINE {
            Some(
                "the stream forgets the ids of messages too early: set its duplicate window to 2m"
                    .to_owned(),
            )
        } else if !client.is_server_compatible(major, minor, patch) {
            Some(format!(
                "NATS server {} loses acknowledged messages: use {major}.{minor}.{patch} or a later one",
                server.version
            ))
        } else if server.max_payload < longest {
            Some(format!(
                "the NATS servers take {} bytes at most, and a call may need {longest}: set max_payload \
                 higher, or --max-body lower",
                server.max_payload
            ))
        } else {
            None
        };
        let peers = info.cluster.as_ref().map(|cluster| &cluster.replicas);
        let current = peers.map(|peers| {
            peers
                .iter()
                .filter(|peer| peer.current && !peer.offline)
                .count()
        });
        self.shared.status.update(|facts| {
            facts.version = server.version;
            facts.replicas = config.num_replicas as u64;
            // The leader is not among them.
            facts.current = current.map_or(0, |current| current as u64 + 1);
        });
        problem.map_or(Ok(()), |problem| Err(Trouble::Refused(problem)))
    }

    fn membership(&self) -> Result<Option<Membership>, Trouble> {
        let read = Membership::read(self.shared.trail.folder().path());
        read.map_err(|error| {
            Trouble::Refused(format!("the file `cluster` of the data folder: {error}"))
        })
    }

    /// The stream's identity for the folder, if it has none yet. The folder follows no
    /// other stream.
    pub(super) fn new_member(&self, info: &Info) -> Result<Option<Membership>, Trouble> {
        let stream = info.created.unix_timestamp_nanos().to_string();
        match self.membership()? {
            Some(known) if known.stream == stream => Ok(None),
            Some(_) => Err(Trouble::Refused(
                "the stream is not the one that this folder followed before. docs/cluster.md says how to \
                 begin a new one"
                    .to_owned(),
            )),
            // The other nodes purge earlier erasures.
            None => Ok(Some(Membership {
                stream,
                checked: 0,
                purged: self.shared.trail.last_receipt(),
            })),
        }
    }
}

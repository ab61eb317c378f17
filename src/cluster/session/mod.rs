//! The connection to NATS: reads the stream, publishes, and checks that both work.

mod place;
mod purge;
mod stream;

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt::Display;
use std::future::Future;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use async_nats::connection::State as Connection;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::context::{Context, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Stream;
use async_nats::jetstream::{ContextBuilder, Message};
use async_nats::{Client, ConnectOptions};
use futures_util::StreamExt;
use tokio::sync::mpsc::{Sender, UnboundedReceiver};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::purge::{Due, Nodes};
pub use self::stream::KEPT;
use super::applier::{Shared, Task};
use super::sequencer::ClusterConfig;

/// How long one attempt to publish, or a request, may take.
const ATTEMPT: Duration = Duration::from_secs(2);

/// The pause before the next attempt.
const PAUSE: Duration = Duration::from_millis(100);

/// The pause between two looks at the stream.
const LOOK: Duration = Duration::from_secs(1);

/// After how many failed looks no calls are accepted.
const FAILED_LOOKS: u32 = 3;

/// The number of checks after which a stream that ends before the last read message is
/// not trusted.
const MOST_BEHIND: u32 = 30;

/// How often an idle consumer sends a heartbeat; after two missing ones it is created
/// again.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// How many messages are requested at once.
const BATCH: usize = 32;

/// The kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Records.
    Group,
    /// The position of a log.
    Mark,
    /// No records: shows that the stream accepts messages, or displaces erased bytes.
    Probe,
}

impl Subject {
    const ALL: [Self; 3] = [Self::Group, Self::Mark, Self::Probe];

    const fn word(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Mark => "mark",
            Self::Probe => "probe",
        }
    }

    fn of(self, log_id: u64) -> String {
        format!("profiletrail.{log_id:016x}.{}", self.word())
    }
}

pub struct Publish {
    pub subject: Subject,
    /// By which the stream recognises a repeated message.
    pub id: String,
    pub payload: Vec<u8>,
    /// The stream accepts it only directly after this message.
    pub after: Option<u64>,
    pub deadline: Instant,
    pub reply: SyncSender<Published>,
}

impl Publish {
    /// A message whose publisher does not wait for the outcome.
    pub fn unanswered(subject: Subject, payload: Vec<u8>, within: Duration) -> Self {
        Self {
            subject,
            id: format!("{:016x}", crate::dice::random()),
            payload,
            after: None,
            deadline: Instant::now() + within,
            reply: std::sync::mpsc::sync_channel(1).0,
        }
    }
}

/// The outcome of publishing a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Published {
    /// It is in the stream, under this number.
    At(u64),
    /// Another message has the place.
    Moved,
    /// The servers take no message of this length.
    TooLarge,
    /// It may be in the stream now, or later.
    InDoubt(String),
}

/// Why the stream is not followed.
enum Trouble {
    /// It may end by itself.
    Passing(String),
    /// The operator must do something.
    Refused(String),
    /// This node cannot continue.
    Diverged(String),
    /// The own log takes nothing any more, for a reason that was said.
    Ended,
}

impl Trouble {
    fn passing(why: impl Display) -> Self {
        Self::Passing(why.to_string())
    }

    fn refused(why: impl Display) -> Self {
        Self::Refused(why.to_string())
    }
}

/// The thread of the connection.
pub struct Session {
    config: ClusterConfig,
    shared: Arc<Shared>,
    tasks: Sender<Task>,
    /// The next message that the applier gets; 0 until that is known.
    next: Cell<u64>,
    /// The state of the nodes according to the marks in the stream.
    nodes: Nodes,
    due: Cell<Option<Due>>,
}

impl Session {
    pub fn new(config: ClusterConfig, shared: Arc<Shared>, tasks: Sender<Task>) -> Self {
        Self {
            config,
            shared,
            tasks,
            next: Cell::new(0),
            nodes: Nodes::default(),
            due: Cell::default(),
        }
    }

    /// Works until it is stopped.
    pub fn run(self, mut published: UnboundedReceiver<Publish>, mut stop: watch::Receiver<bool>) {
        let built = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = match built {
            Ok(runtime) => runtime,
            Err(error) => {
                let why = format!("the thread for NATS could not start: {error}");
                return self.shared.status.diverged(why);
            }
        };
        runtime.block_on(async {
            tokio::select! {
                _ = stop.changed() => {}
                () = self.work(&mut published) => {}
            }
        });
        // A request that cannot be interrupted, as reading a tree, may still run.
        runtime.shutdown_background();
    }

    async fn work(&self, published: &mut UnboundedReceiver<Publish>) {
        let client = loop {
            match self.connect().await {
                Ok(client) => break client,
                Err(why) => self.shared.status.joining(why),
            }
            sleep(LOOK).await;
        };
        let context = ContextBuilder::new()
            .timeout(ATTEMPT)
            .ack_timeout(ATTEMPT)
            .build(client);
        tokio::join!(self.publish_all(&context, published), self.follow(&context));
    }

    /// Connects in the background; the error is in the settings.
    async fn connect(&self) -> Result<Client, String> {
        let mut options = ConnectOptions::new();
        if let Some(file) = &self.config.credentials {
            let read = options.credentials_file(file).await;
            options = read.map_err(|error| format!("--nats-creds {}: {error}", file.display()))?;
        }
        let connected = options
            .name("profiletrail")
            .retry_on_initial_connect()
            // The ones that are named, in their order.
            .ignore_discovered_servers()
            .retain_servers_order()
            .connection_timeout(ATTEMPT)
            .ping_interval(ATTEMPT)
            .reconnect_delay_callback(|_| PAUSE)
            .connect(self.config.servers.as_slice())
            .await;
        connected.map_err(|error| format!("--nats: {error}"))
    }

    async fn publish_all(&self, context: &Context, published: &mut UnboundedReceiver<Publish>) {
        while let Some(publish) = published.recv().await {
            let done = self.publish(context, &publish).await;
            // It may have given up.
            let _ = publish.reply.try_send(done);
        }
    }

    /// Publishes until the stream has acknowledged, with the same id each time.
    async fn publish(&self, context: &Context, publish: &Publish) -> Published {
        let subject = publish.subject.of(self.shared.log_id());
        let mut message = PublishMessage::build()
            .payload(publish.payload.clone().into())
            .message_id(&publish.id);
        if let Some(after) = publish.after {
            message = message.expected_last_sequence(after);
        }
        let mut why = "the NATS servers are not reached".to_owned();
        loop {
            let left = publish.deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Published::InDoubt(why);
            }
            // Else the message would wait in the client, and be sent much later.
            if context.client().connection_state() == Connection::Connected {
                let attempt = async {
                    let sent = context.send_publish(subject.clone(), message.clone());
                    sent.await?.await
                };
                match timeout(left.min(ATTEMPT), attempt).await {
                    Ok(Ok(ack)) => return Published::At(ack.sequence),
                    Ok(Err(error)) => match error.kind() {
                        PublishErrorKind::WrongLastSequence => return Published::Moved,
                        PublishErrorKind::MaxPayloadExceeded => return Published::TooLarge,
                        _ => why = error.to_string(),
                    },
                    Err(_) => why = "the NATS servers do not acknowledge".to_owned(),
                }
            }
            sleep(PAUSE.min(left)).await;
        }
    }

    async fn follow(&self, context: &Context) {
        loop {
            let status = &self.shared.status;
            let Err(trouble) = self.follow_once(context).await;
            match trouble {
                Trouble::Refused(why) => status.joining(why),
                Trouble::Passing(why) => {
                    tracing::debug!("the stream is read again: {why}");
                    if self.shared.place.lock().is_none() {
                        status.joining(why);
                    }
                }
                Trouble::Diverged(why) => return status.diverged(why),
                Trouble::Ended => return status.apart("the own log takes nothing any more"),
            }
            sleep(PAUSE * 2).await;
        }
    }

    /// Finds the place of the own log if it is not known yet, and reads on from there.
    async fn follow_once(&self, context: &Context) -> Result<Infallible, Trouble> {
        let stream = self.stream(context).await?;
        let info = passing(stream.get_info()).await?;
        self.check(&info, &context.client())?;
        let member = self.new_member(&info)?;
        if self.next.get() == 0 {
            let place = self.find_place(context, &stream, &info).await?;
            if let Some(member) = member {
                let written = member.write(self.shared.trail.folder().path());
                written.map_err(|error| Trouble::Refused(format!("the data folder: {error}")))?;
            }
            // So that nothing is purged that it has not read yet.
            self.claim(context, place).await?;
            self.send(Task::Begin(place)).await?;
            self.next.set(place.applied + 1);
        }
        tokio::select! {
            ended = self.read(&stream) => ended,
            ended = self.monitor(context, &stream) => ended,
            never = self.purge(context, &stream) => match never {},
        }
    }

    /// Passes the messages of the stream to the own log.
    async fn read(&self, stream: &Stream) -> Result<Infallible, Trouble> {
        let start_sequence = self.next.get();
        let consumer = consumer(DeliverPolicy::ByStartSequence { start_sequence });
        let consumer: PullConsumer = passing(stream.create_consumer(consumer)).await?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH)
            .heartbeat(HEARTBEAT)
            .expires(HEARTBEAT * 10);
        let mut messages = passing(messages.messages()).await?;
        while let Some(message) = messages.next().await {
            let message = message.map_err(Trouble::passing)?;
            let info = message.info().map_err(Trouble::passing)?;
            let (at, next) = (info.stream_sequence, self.next.get());
            if at < next {
                self.shared.status.update(|facts| facts.redelivered += 1);
                continue;
            }
            if at > next {
                return Err(missing(stream, next, at).await);
            }
            let task = self.task(at, &message)?;
            if let Task::Mark { mark, .. } = &task {
                self.nodes.note(mark, info.published.unix_timestamp());
            }
            self.send(task).await?;
            self.next.set(at + 1);
        }
        Err(Trouble::passing("the stream has ended"))
    }

    fn task(&self, at: u64, message: &Message) -> Result<Task, Trouble> {
        let word = message.subject.rsplit('.').next();
        let mut subjects = Subject::ALL.into_iter();
        let found = subjects.find(|known| Some(known.word()) == word);
        let headers = message.headers.as_ref();
        let id = headers.and_then(|headers| headers.get(async_nats::header::NATS_MESSAGE_ID));
        match found {
            Some(Subject::Group) => Ok(Task::Group {
                at,
                id: id.map(|id| id.as_str().to_owned()).unwrap_or_default(),
                payload: message.payload.to_vec(),
            }),
            Some(Subject::Mark) => match serde_json::from_slice(&message.payload) {
                Ok(mark) => Ok(Task::Mark { at, mark }),
                Err(error) => Err(Trouble::Diverged(format!(
                    "message {at} of the stream cannot be read: {error}"
                ))),
            },
            Some(Subject::Probe) | None => Ok(Task::Other { at }),
        }
    }

    async fn send(&self, task: Task) -> Result<(), Trouble> {
        let sent = self.tasks.send(task).await;
        sent.map_err(|_| Trouble::Ended)
    }

    /// Checks every second that the stream answers and is followed; while calls are not accepted,
    /// probes whether they can be.
    async fn monitor(&self, context: &Context, stream: &Stream) -> Result<Infallible, Trouble> {
        let (mut failed, mut behind) = (0, 0);
        // The last read message at the last check, if the stream had more.
        let mut waiting = None;
        loop {
            let read = self.next.get().saturating_sub(1);
            match timeout(ATTEMPT, stream.get_info()).await {
                Ok(Ok(info)) => {
                    failed = 0;
                    // For a while a leader that was replaced may answer.
                    behind = match info.state.last_sequence < read {
                        true => behind + 1,
                        false => 0,
                    };
                    // It may have been sent into a connection that ended.
                    if waiting == Some(read) {
                        let why = format!("nothing comes after message {read}");
                        return Err(Trouble::Passing(why));
                    }
                    waiting = (info.state.last_sequence > read).then_some(read);
                    if behind > MOST_BEHIND {
                        return Err(Trouble::Diverged(format!(
                            "the stream has lost messages: it ends with {}, and this node has read {read}. \
                             docs/cluster.md says how to begin a new one",
                            info.state.last_sequence
                        )));
                    }
                    self.check(&info, &context.client())?;
                    let applied = self.shared.place.lock().map_or(0, |place| place.applied);
                    let lag = info.state.last_sequence.saturating_sub(applied);
                    self.shared.status.update(|facts| facts.lag = lag);
                    if !self.shared.status.is_ready() {
                        self.probe(context).await?;
                    }
                }
                _ => failed += 1,
            }
            if failed >= FAILED_LOOKS {
                self.shared.status.apart(
                    "the NATS servers do not answer for the stream: are two of three reached?",
                );
            }
            if failed % 5 == 4 && context.client().force_reconnect().await.is_err() {
                tracing::debug!("the connection to NATS could not be made again");
            }
            sleep(LOOK).await;
        }
    }

    /// Publishes a message without content. Calls are accepted once the own log has applied it.
    async fn probe(&self, context: &Context) -> Result<(), Trouble> {
        let publish = Publish::unanswered(Subject::Probe, Vec::new(), ATTEMPT);
        if let Published::At(at) = self.publish(context, &publish).await {
            self.send(Task::Settle { at }).await?;
        }
        Ok(())
    }
}

/// The settings of a consumer that the server removes when nobody reads from it.
fn consumer(deliver_policy: DeliverPolicy) -> pull::Config {
    pull::Config {
        deliver_policy,
        ack_policy: AckPolicy::None,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: HEARTBEAT * 30,
        ..pull::Config::default()
    }
}

/// The result of a request; it is passing trouble if it fails or takes longer than [`ATTEMPT`].
async fn passing<T, E: Display>(request: impl Future<Output = Result<T, E>>) -> Result<T, Trouble> {
    match timeout(ATTEMPT, request).await {
        Ok(given) => given.map_err(Trouble::passing),
        Err(_) => Err(Trouble::passing("no NATS server answers in time")),
    }
}

/// Why the next message is not the one that was delivered.
async fn missing(stream: &Stream, next: u64, delivered: u64) -> Trouble {
    let info = match passing(stream.get_info()).await {
        Ok(info) => info,
        Err(trouble) => return trouble,
    };
    if info.state.first_sequence > next {
        return Trouble::Diverged(format!(
            "this node was away for too long: the stream begins with message {}, and {next} is the next \
             one. Restore a backup of another node",
            info.state.first_sequence
        ));
    }
    // Another replica may have it.
    match stream.get_raw_message(next).await {
        Ok(_) => Trouble::Passing(format!("message {next} was skipped")),
        Err(_) => Trouble::Diverged(format!(
            "message {next} is missing in the stream, before {delivered}. Restore a backup of a node that \
             goes on"
        )),
    }
}

//! The ring's thread, and the handle by which all others ask it.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use super::asker::Asker;
use super::book::{Asked, Book, Fetched, KeyResult, Then};
use super::clock::Moment;
use super::source::Source;
use super::{Busy, Clock, KeyConfig, KeyError, KeyName, PublicKey, remembered};

/// What is known of a name without asking DNS.
#[derive(Clone, Debug)]
pub enum Lookup {
    /// Its key, fetched within its TTL (or remembered, while DNS is out of reach).
    Key(Arc<PublicKey>),
    /// It has no key that can be used, or could not be looked up a moment ago.
    Refused(KeyError),
    /// It must be looked up.
    Unknown,
}

enum Command {
    LookUp(KeyName),
    Tell(Then, KeyResult),
    Save,
    Stop,
}

/// What the handles and the thread have in common.
struct Shared {
    book: Mutex<Book>,
    clock: Arc<dyn Clock>,
    remembered: Option<PathBuf>,
}

impl Shared {
    /// Locks whatever happened to the last holder: the book is whole between its methods' steps.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Moment {
        Moment::of(&*self.clock)
    }

    /// Writes the file of remembered keys, where it does not hold them.
    fn save(&self) {
        let Some(path) = &self.remembered else {
            return;
        };
        let Some(keys) = self.book().take_unsaved() else {
            return;
        };
        if let Err(error) = remembered::write(path, &keys) {
            self.book().not_saved();
            let path = path.display();
            tracing::warn!(%path, %error, "the keys seen valid are not remembered for a restart");
        }
    }

    fn settle(&self, name: &KeyName, fetched: Fetched) {
        let (waiting, result) = self.book().settle(name, fetched, self.now());
        for then in waiting {
            tell(then, result.clone());
        }
        self.save();
    }
}

/// Calls back; a panic there is no reason for others to get no keys.
fn tell(then: Then, result: KeyResult) {
    if catch_unwind(AssertUnwindSafe(|| then(result))).is_err() {
        tracing::error!("what was to follow a key's look-up had panicked");
    }
}

/// A look-up that goes on: whatever becomes of it, whoever waits is told.
struct InFlight {
    shared: Arc<Shared>,
    name: KeyName,
    fetched: Option<Fetched>,
}

impl InFlight {
    fn new(shared: &Arc<Shared>, name: KeyName) -> Self {
        Self {
            shared: Arc::clone(shared),
            name,
            fetched: None,
        }
    }

    fn land(mut self, fetched: Fetched) {
        self.fetched = Some(fetched);
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let fetched = self.fetched.take().unwrap_or_else(|| Fetched {
            key: Err(KeyError::Unreachable("the look-up was given up".into())),
            ttl: None,
        });
        self.shared.settle(&self.name, fetched);
    }
}

struct Handle {
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// The handle of the running ring, cheap to clone. The ring ends with [`KeyRing::stop`], or when
/// the last handle is dropped.
#[derive(Clone)]
pub struct KeyRing(Arc<Handle>);

impl KeyRing {
    /// Reads the remembered keys and starts the look-up thread. Fails where the system's resolver
    /// configuration cannot be read and no server is given, or no thread can be had.
    pub fn start(config: KeyConfig) -> io::Result<KeyRing> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let source = Arc::new(Source::new(&config)?);
        let clock = Arc::clone(&config.clock);
        let remembered = config.remembered.clone();
        let book = Book::new(
            config.clone(),
            remembered::read(&config),
            Moment::of(&*clock),
        );
        let shared = Arc::new(Shared {
            book: Mutex::new(book),
            clock,
            remembered,
        });
        let (commands, received) = mpsc::unbounded_channel();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || {
                runtime.block_on(run(&of_thread, &source, received));
                // Ends the look-ups that go on, and tells whoever waits for them.
                drop(runtime);
                of_thread.save();
            })?;
        Ok(KeyRing(Arc::new(Handle {
            shared,
            commands,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// What is known of a name now. Never waits.
    pub fn get(&self, name: &KeyName) -> Lookup {
        let shared = &self.0.shared;
        shared.book().get(name, shared.now())
    }

    /// Has a name looked up, at the charge of the address that asks; names that are being looked up
    /// already cost nothing. `then` is called once, on the ring's thread, which does nothing else
    /// meanwhile: it should be short. On `Err` it is not called.
    pub fn look_up(
        &self,
        name: KeyName,
        asker: &str,
        then: Box<dyn FnOnce(Result<Arc<PublicKey>, KeyError>) + Send>,
    ) -> Result<(), Busy> {
        let shared = &self.0.shared;
        let asked = shared
            .book()
            .ask(&name, Asker::of(asker), then, shared.now())?;
        let command = match asked {
            Asked::Joined => return Ok(()),
            Asked::Start => Command::LookUp(name),
            Asked::Known(then, result) => Command::Tell(then, result),
        };
        self.0.commands.send(command).map_err(|_| Busy::Stopped)
    }

    /// Notes that a signature was verified with a key: from now on it may be used through an
    /// outage, and is remembered. Costs next to nothing from the second time on.
    pub fn seen_valid(&self, key: &PublicKey) {
        if self.0.shared.book().seen_valid(key) {
            let _ = self.0.commands.send(Command::Save);
        }
    }

    /// Says that a signature did not verify with a key. `true` where it is worth looking the name
    /// up and verifying once more, as another key may have been published under it since: DNS was
    /// not asked for it during the shortest TTL, or has given another one already.
    pub fn doubted(&self, key: &PublicKey) -> bool {
        let shared = &self.0.shared;
        shared.book().doubt(key, shared.now())
    }

    /// Stops the thread and waits for its end; whoever waits for a key is told
    /// [`KeyError::Unreachable`]. Other handles then know what they knew, and look nothing up.
    pub fn stop(self) {
        let _ = self.0.commands.send(Command::Stop);
        let thread = self.0.thread.lock();
        let thread = thread.unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks keys up had panicked");
        }
    }
}

async fn run(
    shared: &Arc<Shared>,
    source: &Arc<Source>,
    mut received: mpsc::UnboundedReceiver<Command>,
) {
    while let Some(command) = received.recv().await {
        match command {
            Command::LookUp(name) => {
                let flight = InFlight::new(shared, name);
                let source = Arc::clone(source);
                tokio::spawn(async move {
                    let fetched = source.fetch(&flight.name).await;
                    flight.land(fetched);
                });
            }
            Command::Tell(then, result) => tell(then, result),
            Command::Save => shared.save(),
            Command::Stop => break,
        }
    }
    shared.book().stop();
    received.close();
    // What was sent before the end is still answered.
    while let Some(command) = received.recv().await {
        match command {
            Command::LookUp(name) => {
                drop(InFlight::new(shared, name));
            }
            Command::Tell(then, result) => tell(then, result),
            Command::Save | Command::Stop => {}
        }
    }
}

//! The handle of the key ring, and the thread that asks DNS.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use tokio::runtime;
use tokio::sync::Notify;

use super::cache::{Fetched, KeyCache, KeyResult};
use super::dns::Dns;
use super::{Busy, KeyConfig, KeyName, PublicKey, key_store};

/// Shared by the handles and the look-ups.
struct Shared {
    cache: Mutex<KeyCache>,
    dns: Dns,
    key_store: Option<PathBuf>,
    stop: Notify,
}

impl Shared {
    /// Writes the key store if it differs from the cache.
    fn save(&self) {
        let Some(path) = &self.key_store else {
            return;
        };
        let Some(keys) = self.cache.lock().take_unsaved() else {
            return;
        };
        if let Err(error) = key_store::write(path, &keys) {
            self.cache.lock().save_failed();
            let path = path.display();
            tracing::warn!(%path, %error, "the verified keys could not be stored for a restart");
        }
    }
}

/// A look-up in flight. However it ends, each waiting callback is called.
struct InFlightLookup {
    shared: Arc<Shared>,
    name: KeyName,
    fetched: Option<Fetched>,
}

impl InFlightLookup {
    /// Ends it with an answer.
    fn finish(mut self, fetched: Fetched) {
        self.fetched = Some(fetched);
    }
}

impl Drop for InFlightLookup {
    fn drop(&mut self) {
        let cancelled = || Fetched::unreachable("the look-up was cancelled");
        let fetched = self.fetched.take().unwrap_or_else(cancelled);
        let (waiting, result) = self.shared.cache.lock().finish(&self.name, fetched);
        for callback in waiting {
            let result = result.clone();
            // A panic there must not end the thread.
            if catch_unwind(AssertUnwindSafe(|| callback(result))).is_err() {
                tracing::error!("a key look-up's callback panicked");
            }
        }
        self.shared.save();
    }
}

struct Handle {
    shared: Arc<Shared>,
    runtime: runtime::Handle,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.stop.notify_one();
    }
}

/// The handle of a running key ring, cheap to clone. The ring ends with [`KeyRing::stop`], or when
/// the last handle is dropped.
#[derive(Clone)]
pub struct KeyRing(Arc<Handle>);

impl KeyRing {
    /// Reads the key store and starts the look-up thread.
    ///
    /// # Errors
    /// No DNS server is given and the system's resolver configuration cannot be read, or the
    /// thread cannot be started.
    pub fn start(config: KeyConfig) -> io::Result<KeyRing> {
        let runtime = runtime::Builder::new_current_thread()
            .enable_io()
            .enable_time()
            .build()?;
        let stored = key_store::read(&config);
        let shared = Arc::new(Shared {
            dns: Dns::new(config.clone())?,
            key_store: config.key_store.clone(),
            cache: Mutex::new(KeyCache::new(config, stored)),
            stop: Notify::new(),
        });
        let handle = runtime.handle().clone();
        let of_thread = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("keys".to_owned())
            .spawn(move || {
                runtime.block_on(of_thread.stop.notified());
                of_thread.cache.lock().stop();
                // Cancels the look-ups in flight, which calls their callbacks.
                drop(runtime);
                of_thread.save();
            })?;
        Ok(KeyRing(Arc::new(Handle {
            shared,
            runtime: handle,
            thread: Mutex::new(Some(thread)),
        })))
    }

    /// The cached result for a name: its key, within its TTL or verified earlier while DNS is
    /// unreachable, or that it has none or DNS was unreachable a moment ago. `None` if DNS must be
    /// asked. Never waits.
    pub fn get(&self, name: &KeyName) -> Option<KeyResult> {
        self.0.shared.cache.lock().get(name)
    }

    /// Looks a name up, or joins its look-up in flight. `callback` is called once: on the ring's
    /// thread, so it should be short, or at once if the answer is cached by now.
    ///
    /// # Errors
    /// A limit is reached or the ring has stopped; `callback` is dropped.
    pub fn look_up(
        &self,
        name: KeyName,
        callback: Box<dyn FnOnce(KeyResult) + Send>,
    ) -> Result<(), Busy> {
        match self.get(&name) {
            Some(result) => callback(result),
            None => {
                if self.0.shared.cache.lock().ask(&name, callback)? {
                    self.start_look_up(name);
                }
            }
        }
        Ok(())
    }

    fn start_look_up(&self, name: KeyName) {
        let look_up = InFlightLookup {
            shared: Arc::clone(&self.0.shared),
            name,
            fetched: None,
        };
        // If the runtime has just ended, this drops the look-up, which calls its
        // callback.
        self.0.runtime.spawn(async move {
            let fetched = look_up.shared.dns.fetch(&look_up.name).await;
            look_up.finish(fetched);
        });
    }

    /// Notes that a signature was verified with a key: it may be used through an outage from now
    /// on, and is stored. Costs almost nothing after the first time.
    pub fn mark_verified(&self, key: &PublicKey) {
        if self.0.shared.cache.lock().mark_verified(key) {
            let shared = Arc::clone(&self.0.shared);
            self.0.runtime.spawn(async move { shared.save() });
        }
    }

    /// After a signature did not verify with a key: true if it is worth looking the name up and
    /// verifying once more, because another key may have been published since. At most once in
    /// [`super::MIN_TTL`].
    pub fn recheck(&self, key: &PublicKey) -> bool {
        self.0.shared.cache.lock().recheck(key)
    }

    /// Stops the thread and waits for it; waiting callbacks get
    /// [`KeyError::Unreachable`](super::KeyError::Unreachable). Other handles still answer from the
    /// cache and look nothing up.
    pub fn stop(self) {
        self.0.shared.stop.notify_one();
        let thread = self.0.thread.lock().take();
        if let Some(thread) = thread
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            tracing::error!("the thread that looks keys up panicked");
        }
    }
}

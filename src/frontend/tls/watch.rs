//! Seeing that the certificate or its key has changed.
//!
//! Files are known by what the system says of them, links followed, so that a link that now leads
//! elsewhere (as certbot's do) is a change like a file that was written again. Certificate and
//! key change one after the other: while they do not fit, or cannot be read, the old ones serve.
//!
//! Leaves out reading them. Invariant: a change that is not seen whole is looked at again when
//! the rest of it comes.

use super::{Tls, TlsFiles};
use crossbeam_channel::{RecvTimeoutError, Sender, bounded};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);

/// What the system says of one file: device, inode, size and both times with their nanoseconds.
type File = Option<[i64; 7]>;

/// As what the certificate's and the key's file are known.
pub(super) type Identity = [File; 2];

/// As what the files are known now.
pub(super) fn identity(files: &TlsFiles) -> Identity {
    let known = |path: &Path| {
        let found = std::fs::metadata(path).ok()?;
        Some([
            found.dev().cast_signed(),
            found.ino().cast_signed(),
            found.size().cast_signed(),
            found.mtime(),
            found.mtime_nsec(),
            found.ctime(),
            found.ctime_nsec(),
        ])
    };
    [known(&files.cert), known(&files.key)]
}

/// The thread that looks; dropping this ends it.
#[derive(Debug)]
pub struct Watch {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    /// Watches the files of a loaded certificate.
    pub(super) fn start(tls: Tls) -> std::io::Result<Self> {
        let (stop, stopped) = bounded(0);
        let thread = std::thread::Builder::new()
            .name("certificate".to_owned())
            .spawn(move || {
                let mut loaded = tls.loaded;
                while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                    look(&tls, &mut loaded);
                }
            })?;
        Ok(Self {
            stop: Some(stop),
            thread: Some(thread),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        drop(self.stop.take());
        if self
            .thread
            .take()
            .is_some_and(|thread| thread.join().is_err())
        {
            tracing::error!("the thread that watches the certificate had panicked");
        }
    }
}

fn look(tls: &Tls, loaded: &mut Identity) {
    let now = identity(&tls.files);
    if now == *loaded {
        return;
    }
    *loaded = now;
    let cert = tls.files.cert.display();
    match tls.reload() {
        Ok(()) => tracing::info!("new connections get the certificate that is in {cert} now"),
        Err(error) => tracing::warn!("the certificate stays what it was: {error}"),
    }
}

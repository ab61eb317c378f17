//! The control socket in the data folder: HTTP for commands of the folder's owner.
//!
//! The credentials of the socket identify the peer, so no token is needed.
//! [`super::commands`] answers.

use std::fs;
use std::io;
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::net::{Shutdown, shutdown};

use super::commands::Commands;
use super::semaphore::Client;
use super::socket::{bind, is_owner};
use crate::store::Folder;

pub(super) struct ControlSocket {
    path: PathBuf,
    listener: Arc<UnixListener>,
    commands: Arc<Commands>,
    thread: JoinHandle<()>,
}

impl ControlSocket {
    pub fn start(commands: Commands) -> io::Result<Self> {
        let path = Folder::socket_of(commands.trail.folder().path());
        let listener = Arc::new(bind(&path)?);
        let commands = Arc::new(commands);
        let (own, accepting) = (Arc::clone(&commands), Arc::clone(&listener));
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || accept(&own, &accepting))?;
        Ok(Self {
            path,
            listener,
            commands,
            thread,
        })
    }

    /// Accepts no more commands, and waits a limited time for running ones.
    pub fn stop(self, grace: Duration) {
        self.commands.begin_stop();
        // Wakes the accepting thread, even if the socket's file was removed.
        if let Err(error) = shutdown(&self.listener, Shutdown::Both) {
            tracing::debug!("the control socket could not be shut down: {error}");
        }
        if self.thread.join().is_err() {
            tracing::error!("the control socket's thread had panicked");
        }
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!("the socket could not be removed: {error}");
        }
        let begun = Instant::now();
        while self.commands.in_flight() > 0 && begun.elapsed() < grace {
            std::thread::sleep(Duration::from_millis(10));
        }
        self.commands.end_stop();
    }
}

fn accept(commands: &Arc<Commands>, listener: &UnixListener) {
    loop {
        let accepted = listener.accept();
        if commands.is_stopping() {
            return;
        }
        let stream = match accepted {
            Ok((stream, _)) if is_owner(&stream) => stream,
            Ok(_) => {
                tracing::warn!("a command of another user was refused");
                continue;
            }
            Err(error) => {
                tracing::warn!("a command could not be accepted: {error}");
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
        };
        let go_on = || match commands.is_stopping() {
            true => Err(()),
            false => Ok(()),
        };
        let Ok(running) = commands.running.acquire(1, &Client::default(), go_on) else {
            return;
        };
        let own = Arc::clone(commands);
        let spawned = std::thread::Builder::new()
            .name("command".to_owned())
            .spawn(move || {
                if let Err(error) = own.serve_counted(&stream, Some(running)) {
                    tracing::debug!("a command disconnected: {error}");
                }
            });
        if let Err(error) = spawned {
            tracing::warn!("a command could not be answered: {error}");
        }
    }
}

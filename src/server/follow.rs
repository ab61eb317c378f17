//! Tails: commands that follow the log and receive events as they are written.
//!
//! A waiting tail holds a thread and a connection, but no part of the log and no
//! command slot. It sleeps until an event is synced
//! ([`crate::log::AppendNotifier`]) and checks once a second whether its command
//! is still connected. Only one page is built at a time, so many tails need no
//! more memory than one, apart from the data each is sending.

use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::protocol::{End, Kind, send, send_json};
use crate::query::{Position, Progress, QueryError, Stage, Tail, TailPage, TailQuery};
use crate::store::{Damages, Trail};

/// The maximum number of concurrent tails; more are refused.
const MAX_TAILS: usize = 64;

/// How long a tail waits before it checks that its command is still connected,
/// and how long a write may block before it checks whether the server stops.
const LOOK: Duration = Duration::from_secs(1);

/// How long events are collected for the next page. Under load this limits the
/// wake-ups of a tail and of the index, which would otherwise follow each group.
const GATHER: Duration = Duration::from_millis(10);

/// How often progress is reported to a waiting command.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(100);

/// The approximate maximum number of bytes of lines in a frame.
const FRAME: usize = 64 * 1024;

/// All tails.
#[derive(Debug, Default)]
pub(super) struct Tails {
    count: AtomicUsize,
    /// Held while a page is made.
    making: Mutex<()>,
    /// Held while a tail searches for its start, which may take long.
    searching: Mutex<()>,
}

impl Tails {
    /// The number of tails.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// The counter of tails.
    pub const fn counted(&self) -> &AtomicUsize {
        &self.count
    }

    /// Sends events to a command; with `on`, until it disconnects or the server stops.
    pub fn serve(
        &self,
        trail: &Trail,
        query: &TailQuery,
        on: bool,
        stopping: &AtomicBool,
        stream: &UnixStream,
    ) -> io::Result<()> {
        let mut out = Outlet { stream, stopping };
        stream.set_write_timeout(Some(LOOK))?;
        if self.count() > MAX_TAILS {
            let why = format!(
                "{MAX_TAILS} tails follow already; end one of them, or ask without --follow"
            );
            return send(&mut out, Kind::Failed, why.as_bytes());
        }
        match self.send_events(trail, query, on, &mut out) {
            Ok(()) if on => Ok(()),
            Ok(()) => send_json(&mut out, Kind::Done, &End::default()),
            Err(QueryError::Output(error)) => Err(error),
            Err(error) => send(&mut out, Kind::Failed, error.with_causes().as_bytes()),
        }
    }

    fn send_events(
        &self,
        trail: &Trail,
        query: &TailQuery,
        on: bool,
        out: &mut Outlet<'_>,
    ) -> Result<(), QueryError> {
        let mut reported = Instant::now();
        let mut report = |progress: Progress| {
            if reported.elapsed() < PROGRESS_INTERVAL {
                return Ok(());
            }
            reported = Instant::now();
            if out.is_over() {
                return Err(io::Error::other("nobody waits for it any more"));
            }
            send_json(out, Kind::Progress, &progress)
        };
        trail.wait_for_index(|index| {
            // A lost connection is noticed later.
            let _ = report(Progress {
                stage: Stage::Index,
                done: index.applied,
                all: index.last,
            });
        })?;
        let mut damage = Damages::default();
        let searches = query.after.is_none() && query.last.is_some();
        let one = match searches {
            true => Some(self.turn_to_search(&mut report)?),
            false => None,
        };
        let (mut tail, begin) = Tail::begin(trail, query, &mut damage, &mut report)?;
        drop(one);
        out.position(begin.clone(), damage)?;
        let mut at = begin.clone();
        let mut is_settled = true;
        while on || tail.at() < begin.last {
            if out.is_over() {
                return Ok(());
            }
            let mut damage = Damages::default();
            let one = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            let page = tail.page(&mut damage)?;
            tail.rest();
            drop(one);
            if let Some(TailPage { lines, position }) = page {
                out.lines(&lines)?;
                drop(lines);
                at = position.clone();
                out.position(position, damage)?;
                is_settled = false;
                continue;
            }
            if !is_settled {
                std::thread::sleep(GATHER);
            }
            let notifier = trail.events().notifier();
            let last = notifier.wait_for_seq_after(tail.at(), LOOK);
            if last <= tail.at() && !is_settled {
                // Repeating the position lets the command sync the lines it has received.
                is_settled = true;
                out.position(at.clone(), Damages::default())?;
            }
        }
        Ok(())
    }

    /// Waits until no other tail searches for its start.
    fn turn_to_search(
        &self,
        report: &mut dyn FnMut(Progress) -> io::Result<()>,
    ) -> io::Result<MutexGuard<'_, ()>> {
        loop {
            match self.searching.try_lock() {
                Ok(turn) => return Ok(turn),
                Err(TryLockError::Poisoned(turn)) => return Ok(turn.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(PROGRESS_INTERVAL / 5),
            }
            report(Progress {
                stage: Stage::Waiting,
                ..Progress::default()
            })?;
        }
    }
}

/// The connection to a command, which may read slowly.
struct Outlet<'a> {
    stream: &'a UnixStream,
    stopping: &'a AtomicBool,
}

impl Outlet<'_> {
    fn position(&mut self, position: Position, damage: Damages) -> io::Result<()> {
        send_json(self, Kind::Position, &position.with(damage))
    }

    /// Sends lines in frames; no line is split between frames.
    fn lines(&mut self, lines: &[(u64, Vec<u8>)]) -> io::Result<()> {
        let mut frame = Vec::new();
        for (_, line) in lines {
            if !frame.is_empty() && frame.len() + line.len() > FRAME {
                send(self, Kind::Lines, &frame)?;
                frame.clear();
            }
            frame.extend_from_slice(line);
        }
        if frame.is_empty() {
            return Ok(());
        }
        send(self, Kind::Lines, &frame)
    }

    /// Whether the command has disconnected or the server stops.
    fn is_over(&self) -> bool {
        let mut byte = [0];
        let seen = recv(
            self.stream,
            &mut byte,
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        let is_there = match seen {
            Err(Errno::AGAIN | Errno::INTR) => true,
            // A command sends nothing after its request.
            Ok(_) | Err(_) => false,
        };
        !is_there || self.stopping.load(Ordering::Acquire)
    }
}

impl Write for Outlet<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            let written = (&mut &*self.stream).write(bytes);
            match written {
                Err(error)
                    if matches!(
                        error.kind(),
                        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut
                    ) =>
                {
                    if self.stopping.load(Ordering::Acquire) {
                        return Err(io::Error::other("the server is stopping"));
                    }
                }
                written => return written,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

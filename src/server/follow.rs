//! Tails: commands that are told of events as they come.
//!
//! One that waits holds a thread and its connection, nothing of the log and no
//! place among the commands that are answered; it sleeps until an event is
//! synced ([`crate::log::AppendNotifier`]) and looks once a second whether its
//! command is still there. The lines of one page are made at a time, so that many
//! tails take no more memory than one, beside what each has on its way.

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

/// The most tails at one time; more are refused.
const MAX_TAILS: usize = 64;

/// How long a tail waits before it looks whether its command is still there, and
/// how long a write to it may take before it looks whether the server stops.
const LOOK: Duration = Duration::from_secs(1);

/// How long events gather for the next page, so that under load a tail is woken
/// and wakes the index a hundred times a second and not for each group.
const GATHER: Duration = Duration::from_millis(10);

/// How often a command that waits is told so.
const TELL: Duration = Duration::from_millis(100);

/// About how many bytes of lines go in a frame.
const FRAME: usize = 64 * 1024;

/// All tails.
#[derive(Debug, Default)]
pub(super) struct Tails {
    count: AtomicUsize,
    /// Held while a page is made.
    making: Mutex<()>,
    /// Held while one looks for where to begin, which may be long.
    searching: Mutex<()>,
}

impl Tails {
    /// How many there are.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    /// Where they are counted.
    pub const fn counted(&self) -> &AtomicUsize {
        &self.count
    }

    /// Tells a command of events, with `on` until it goes or the server stops.
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
        match self.tell(trail, query, on, &mut out) {
            Ok(()) if on => Ok(()),
            Ok(()) => send_json(&mut out, Kind::Done, &End::default()),
            Err(QueryError::Output(error)) => Err(error),
            Err(error) => send(&mut out, Kind::Failed, error.with_causes().as_bytes()),
        }
    }

    fn tell(
        &self,
        trail: &Trail,
        query: &TailQuery,
        on: bool,
        out: &mut Outlet<'_>,
    ) -> Result<(), QueryError> {
        let mut told = Instant::now();
        let mut tell = |progress: Progress| {
            if told.elapsed() < TELL {
                return Ok(());
            }
            told = Instant::now();
            if out.is_over() {
                return Err(io::Error::other("nobody waits for it any more"));
            }
            send_json(out, Kind::Progress, &progress)
        };
        trail.wait_for_index(|index| {
            // Whether the command is there shows afterwards.
            let _ = tell(Progress {
                stage: Stage::Index,
                done: index.applied,
                all: index.last,
            });
        })?;
        let mut damage = Damages::default();
        let searches = query.after.is_none() && query.last.is_some();
        let one = match searches {
            true => Some(self.turn_to_search(&mut tell)?),
            false => None,
        };
        let (mut tail, begin) = Tail::begin(trail, query, &mut damage, &mut tell)?;
        drop(one);
        out.position(begin.clone(), damage)?;
        let mut at = begin.clone();
        let mut is_told = true;
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
                is_told = false;
                continue;
            }
            if !is_told {
                std::thread::sleep(GATHER);
            }
            let notifier = trail.events().notifier();
            let last = notifier.wait_for_seq_after(tail.at(), LOOK);
            if last <= tail.at() && !is_told {
                // What was told before comes to rest at the command.
                is_told = true;
                out.position(at.clone(), Damages::default())?;
            }
        }
        Ok(())
    }

    /// Waits until nobody else looks for where to begin.
    fn turn_to_search(
        &self,
        tell: &mut dyn FnMut(Progress) -> io::Result<()>,
    ) -> io::Result<MutexGuard<'_, ()>> {
        loop {
            match self.searching.try_lock() {
                Ok(turn) => return Ok(turn),
                Err(TryLockError::Poisoned(turn)) => return Ok(turn.into_inner()),
                Err(TryLockError::WouldBlock) => std::thread::sleep(TELL / 5),
            }
            tell(Progress {
                stage: Stage::Waiting,
                ..Progress::default()
            })?;
        }
    }
}

/// The way to a command, which may read slowly.
struct Outlet<'a> {
    stream: &'a UnixStream,
    stopping: &'a AtomicBool,
}

impl Outlet<'_> {
    fn position(&mut self, position: Position, damage: Damages) -> io::Result<()> {
        send_json(self, Kind::Position, &position.with(damage))
    }

    /// Sends lines, in frames that end with one.
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

    /// Whether the command has gone, or the server stops.
    fn is_over(&self) -> bool {
        let mut byte = [0];
        let seen = recv(
            self.stream,
            &mut byte,
            RecvFlags::PEEK | RecvFlags::DONTWAIT,
        );
        let is_there = match seen {
            Err(Errno::AGAIN | Errno::INTR) => true,
            // A command that has asked says nothing more.
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

//! Tails: commands that follow the log and receive events as they are written.
//!
//! A waiting tail holds a thread and a connection, but no part of the log and no
//! command slot. It sleeps until an event is synced
//! ([`crate::log::AppendNotifier`]) and checks once a second whether its command
//! is still connected. Only one page is built at a time, so any number of tails needs no
//! more memory than one, apart from the data each is sending.

use std::error::Error;
use std::io::{self, Write};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::answer_writer::AnswerWriter;
use super::control::Control;
use super::semaphore::{Client, PROGRESS_INTERVAL, Permit, Semaphore};
use crate::query::{Answered, Position, Progress, Stage, Tail, TailQuery};
use crate::store::{Damages, Trail};

/// The maximum number of concurrent tails; more are refused.
const MAX_TAILS: u32 = 64;

/// How long a tail waits before it checks that its command is still connected,
/// and how long a write may block before it checks whether the server stops.
const LOOK: Duration = Duration::from_secs(1);

/// How long events are collected for the next page. Under load this limits the
/// wake-ups of a tail and of the index, which would otherwise follow each group.
const GATHER: Duration = Duration::from_millis(10);

#[derive(Debug)]
pub(super) struct Tails {
    following: Semaphore,
    /// Held while a page is made.
    making: Mutex<()>,
    /// Allows one tail at a time to search for its start, which may take long.
    searching: Semaphore,
}

impl Default for Tails {
    fn default() -> Self {
        Self {
            following: Semaphore::new(MAX_TAILS),
            making: Mutex::default(),
            searching: Semaphore::new(1),
        }
    }
}

impl Tails {
    pub fn count(&self) -> u32 {
        self.following.held()
    }

    /// Counts another tail, unless there are too many.
    pub fn enter(&self) -> Result<Permit, Box<dyn Error>> {
        self.following
            .try_acquire(&Client::default())
            .ok_or_else(|| {
                let why = format!(
                    "{MAX_TAILS} tails already run with --follow; end one of them, or leave --follow out"
                );
                why.into()
            })
    }

    /// Sends events to a command; with `on`, until it disconnects or the server stops.
    pub fn send(
        &self,
        trail: &Trail,
        query: &TailQuery,
        on: bool,
        mut out: &AnswerWriter<'_>,
    ) -> Result<Answered, Box<dyn Error>> {
        out.stream.set_write_timeout(Some(LOOK))?;
        let mut reported = Instant::now();
        let mut report = |progress: Progress| {
            if reported.elapsed() < PROGRESS_INTERVAL {
                return Ok(());
            }
            reported = Instant::now();
            is_awaited(out)?;
            out.control(&Control::Progress(progress))
        };
        let mut damage = Damages::default();
        let searches = query.after.is_none() && query.last.is_some();
        let weight = u32::from(searches);
        let permit = self.searching.acquire(weight, &Client::default(), || {
            report(Progress {
                stage: Stage::Waiting,
                ..Progress::default()
            })
        })?;
        let (mut tail, begin) = Tail::begin(trail, query, &mut damage, &mut report)?;
        drop(permit);
        let position = |position: Position, damage: Damages| {
            let (damage, lost) = damage.into_lines();
            out.control(&Control::Position(Position {
                damage,
                lost,
                ..position
            }))
        };
        position(begin.clone(), damage)?;
        let mut at = begin.clone();
        let mut is_settled = true;
        while on || tail.at < begin.last {
            is_awaited(out)?;
            let mut damage = Damages::default();
            let one = self.making.lock();
            let page = tail.page(&mut damage)?;
            drop(one);
            if let Some((lines, reached)) = page {
                out.write_all(&lines)?;
                at = reached.clone();
                position(reached, damage)?;
                is_settled = false;
                continue;
            }
            if !is_settled {
                std::thread::sleep(GATHER);
            }
            let notifier = trail.events().notifier();
            let last = notifier.wait_for_seq_after(tail.at, LOOK);
            if last <= tail.at && !is_settled {
                // Repeating the position lets the command sync the lines it has received.
                is_settled = true;
                position(at.clone(), Damages::default())?;
            }
        }
        Ok(Answered::default())
    }
}

/// Fails once the command has disconnected or the server stops.
fn is_awaited(out: &AnswerWriter<'_>) -> io::Result<()> {
    let mut byte = [0];
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    match recv(out.stream, &mut byte, flags) {
        Err(Errno::AGAIN | Errno::INTR) => out.check(),
        // A command sends nothing after its request.
        Ok(_) | Err(_) => Err(io::Error::other("the client has disconnected")),
    }
}

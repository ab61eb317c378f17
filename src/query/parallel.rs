//! Parallel work with results in order.
//!
//! One thread makes jobs, others work on them, and the caller takes the results in
//! job order. The number of jobs in progress is limited, so memory is bounded by
//! the size of a job and of its result. If the caller stops, because a limit is
//! reached or the reader disconnected, all threads end.

use std::io;
use std::thread::{Builder, available_parallelism, scope};

use crossbeam_channel::{Receiver, Sender, bounded};
use parking_lot::Mutex;

use super::answer::{Lines, QueryError};
use super::progress::{Progress, Stage};
use crate::store::{Damages, Walk, WalkBatch};

/// The maximum number of worker threads: each holds its share of memory.
const THREADS: usize = 4;

/// A job that no thread has taken, and the result of one that is done. The channels carry
/// only the places of slots, because the large code of a channel is compiled for each
/// type of message.
type Slot<J, T, E> = (Mutex<Option<J>>, Mutex<Option<Result<T, E>>>);

/// The work of a thread, boxed so that the start of a thread is compiled once.
type Body<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Makes jobs with `next` until there are no more, and processes them with `work`, with a
/// separate state per thread. Passes the results in order to `take` until it returns
/// `false`. The first error ends everything.
pub(crate) fn in_order<J, S, T, E>(
    mut next: impl FnMut() -> Result<Option<J>, E> + Send,
    state: impl Fn() -> S + Sync,
    work: impl Fn(&mut S, J) -> Result<T, E> + Sync,
    mut take: impl FnMut(T) -> Result<bool, E>,
) -> Result<(), E>
where
    J: Send,
    T: Send,
    E: From<io::Error> + Send,
{
    let threads = available_parallelism().map_or(1, |count| count.get().min(THREADS));
    let (jobs, to_do) = bounded::<(usize, Sender<()>)>(threads);
    // The order of the results; its length bounds the jobs in progress.
    let (order, results) = bounded::<(usize, Receiver<()>)>(2 * threads);
    // One for each job that `order` holds, and one for the job whose result is taken.
    let slots: Vec<Slot<J, T, E>> = (0..=2 * threads).map(|_| Slot::default()).collect();
    let slots = slots.as_slice();
    let thread = |name: &str| Builder::new().name(name.to_owned());
    scope(|scope| {
        // Owned here, so that it is dropped before the threads are joined.
        let results = results;
        for _ in 0..threads {
            let to_do = to_do.clone();
            let (state, work) = (&state, &work);
            let run: Body<'_> = Box::new(move || {
                let mut state = state();
                for (place, done) in to_do {
                    if let Some((job, result)) = slots.get(place)
                        && let Some(job) = job.lock().take()
                    {
                        *result.lock() = Some(work(&mut state, job));
                    }
                    // The receiver may have been dropped.
                    let _ = done.send(());
                }
            });
            thread("query").spawn_scoped(scope, run)?;
        }
        drop(to_do);
        let read: Body<'_> = Box::new(move || {
            for (place, (job, result)) in slots.iter().enumerate().cycle() {
                let next = match next() {
                    Ok(None) => return,
                    next => next,
                };
                let (done, wait) = bounded(1);
                // Only then is the slot free.
                if order.send((place, wait)).is_err() {
                    return;
                }
                match next {
                    Ok(next) => *job.lock() = next,
                    Err(error) => {
                        *result.lock() = Some(Err(error));
                        let _ = done.send(());
                        return;
                    }
                }
                if jobs.send((place, done)).is_err() {
                    return;
                }
            }
        });
        thread("query-reader").spawn_scoped(scope, read)?;
        for (place, done) in &results {
            // A thread that has panicked sends nothing.
            let _ = done.recv();
            let result = slots
                .get(place)
                .and_then(|(_, result)| result.lock().take());
            let ended = || Err(io::Error::other("a thread of the query has ended").into());
            if !take(result.unwrap_or_else(ended)?)? {
                break;
            }
        }
        Ok(())
    })
}

/// The batches of a walk over the log as jobs.
pub(super) fn batches_of(
    mut walk: Walk<'_>,
) -> impl FnMut() -> Result<Option<(WalkBatch, Progress)>, QueryError> + Send {
    let all = walk.events;
    move || {
        let batch = walk.next_batch()?;
        Ok(batch.map(|batch| {
            let progress = Progress::new(Stage::Reading, batch.done, all);
            (batch, progress)
        }))
    }
}

impl Lines<'_> {
    /// The same for jobs with the progress at their end. `work` adds unreadable parts to
    /// the damages. Before a result is taken, its damages are added to the answer and its
    /// progress is reported.
    pub fn in_order<J, S, T>(
        &mut self,
        next: impl FnMut() -> Result<Option<(J, Progress)>, QueryError> + Send,
        state: impl Fn() -> S + Sync,
        work: impl Fn(&mut S, J, &mut Damages) -> Result<T, QueryError> + Sync,
        mut take: impl FnMut(&mut Self, T) -> Result<bool, QueryError>,
    ) -> Result<(), QueryError>
    where
        J: Send,
        T: Send,
    {
        in_order(
            next,
            state,
            |state, (job, progress)| {
                let mut damage = Damages::default();
                let result = work(state, job, &mut damage)?;
                Ok((result, damage, progress))
            },
            |(result, damage, progress)| {
                self.damage.extend(damage);
                self.progress.report(progress);
                take(self, result)
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(until: u64) -> impl FnMut() -> Result<Option<u64>, io::Error> {
        let mut last = 0;
        move || {
            last += 1;
            Ok((last <= until).then_some(last))
        }
    }

    fn squares(
        next: impl FnMut() -> Result<Option<u64>, io::Error> + Send,
        most: usize,
    ) -> (Vec<u64>, Result<(), io::Error>) {
        let mut found = Vec::new();
        let work = |(): &mut (), number: u64| match number {
            5_000 => Err(io::Error::other("no")),
            _ => Ok(number * number),
        };
        let ended = in_order(
            next,
            || (),
            work,
            |square| {
                found.push(square);
                Ok(found.len() < most)
            },
        );
        (found, ended)
    }

    #[test]
    fn results_come_in_order_until_they_are_not_wanted_or_one_fails() {
        let expected = |count: u64| (1..=count).map(|n| n * n).collect::<Vec<_>>();
        let (found, ended) = squares(numbers(2_000), usize::MAX);
        assert_eq!(found, expected(2_000));
        ended.unwrap();
        let (found, ended) = squares(numbers(u64::MAX), 300);
        assert_eq!(found, expected(300));
        ended.unwrap();
        let (found, ended) = squares(numbers(u64::MAX), usize::MAX);
        assert_eq!(found, expected(4_999));
        assert_eq!(ended.unwrap_err().to_string(), "no");
    }
}

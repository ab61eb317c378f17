//! Work on many things at once, on all cores.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::available_parallelism;
use std::time::Duration;

use crossbeam_channel::{RecvTimeoutError, bounded};

/// How often the one who waits is told that work goes on.
const TICK: Duration = Duration::from_millis(100);

/// Does `work` on every item, on as many threads as there are cores, and hands
/// what it comes to, with the item's place, to `take`, in the order in which it
/// is done; where that answers `false`, no more is begun. `tick` is called some
/// ten times a second. A thread holds one item's result at a time.
pub(super) fn each<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    mut tick: impl FnMut(),
    mut take: impl FnMut(usize, R) -> bool,
) {
    let threads = available_parallelism().map_or(1, NonZeroUsize::get);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (sender, receiver) = bounded(threads);
        for _ in 0..threads.min(items.len()) {
            let sender = sender.clone();
            let (next, stop, work) = (&next, &stop, &work);
            scope.spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { return };
                    if sender.send((place, work(item))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        loop {
            match receiver.recv_timeout(TICK) {
                Ok((place, result)) => {
                    if !take(place, result) {
                        stop.store(true, Ordering::Release);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            tick();
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_worked_on_once() {
        let items: Vec<u64> = (0..1000).collect();
        let mut found = vec![0; 1000];
        each(
            &items,
            |item| item * 2,
            || (),
            |place, result| {
                found[place] += result;
                true
            },
        );
        assert_eq!(found, items.iter().map(|item| item * 2).collect::<Vec<_>>());
    }

    #[test]
    fn it_stops_when_told() {
        let items = vec![(); 100_000];
        let mut taken = 0;
        each(
            &items,
            |()| (),
            || (),
            |_, ()| {
                taken += 1;
                false
            },
        );
        assert!((1..items.len()).contains(&taken), "{taken}");
    }
}

//! The thread of a server that follows the log and signs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::prover::{Prover, log_failure};
use crate::background::{Background, run_when_idle};

/// The pause between two looks at the log. It is not woken by events, as those who
/// append would pay for it.
const PAUSE: Duration = Duration::from_secs(1);

/// How often a checkpoint is signed at most, unless a command asks.
const INTERVAL: Duration = Duration::from_secs(60);

/// If more events arrive between two looks, only so many are added to the tree, so that calls have the
/// processor. The tree catches up when fewer arrive.
const MOST: u64 = 25_000;

/// Starts it.
pub fn start_prover(prover: Arc<Prover>) -> std::io::Result<Background> {
    Background::start_idle("prover", move |stop| {
        run_when_idle();
        let stopped = || stop.is_set();
        let mut signed = Instant::now();
        let mut failure = String::new();
        let mut seen = prover.log.last_seq();
        while !stop.wait(PAUSE) {
            let last = prover.log.last_seq();
            let most = match last.saturating_sub(seen) > MOST {
                true => MOST,
                false => u64::MAX,
            };
            seen = last;
            let done = match signed.elapsed() >= INTERVAL && last > 0 {
                true => {
                    signed = Instant::now();
                    prover.follow_and_sign(most, &stopped).map(drop)
                }
                false => prover.follow(most, &stopped),
            };
            log_failure(done, "no checkpoint can be signed now", &mut failure);
        }
    })
}

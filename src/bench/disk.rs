//! The machine's limit for durable appends: bodies written to a file and `fdatasync`ed,
//! one at a time and in groups, without other work.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use super::generate::Bodies;

/// Bodies in a second, appended and synced in groups of `group` for a time.
pub fn append_and_sync(
    dir: &Path,
    bodies: &mut Bodies,
    group: usize,
    time: Duration,
) -> anyhow::Result<f64> {
    let bytes: Vec<u8> = bodies.take(group).flatten().collect();
    let path = dir.join("append");
    let mut file = File::create(&path)?;
    let begun = Instant::now();
    let mut groups = 0_u64;
    while begun.elapsed() < time {
        file.write_all(&bytes)?;
        file.sync_data()?;
        groups += 1;
    }
    let rate = (groups * group as u64) as f64 / begun.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

//! A store of many events: loaded over the webhook, sealed, and kept for the next run
//! if requested.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::args::RunArgs;
use super::child::{Memory, Server};
use super::generate::Bodies;
use super::load::{Load, request};
use super::place::Place;
use super::{raw, timed};

/// Connections over which the events are loaded.
const CONNECTIONS: usize = 128;

/// What the creation of a store recorded.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Made {
    /// The generated events; another plan makes another store.
    pub plan: String,
    pub events: u64,
    /// How many of them in a second.
    pub load_per_second: f64,
    /// Bytes of the bodies, one a line.
    pub raw_bytes: u64,
    /// Their size after `zstd -3` in one piece.
    pub zstd_bytes: u64,
    /// Memory of the server right after the load.
    pub memory: Memory,
}

pub struct Store {
    pub data: PathBuf,
    /// Whether it is kept for other runs, and must not be changed.
    pub kept: bool,
    pub made: Made,
}

/// The place of the stores of a size, and whether they are kept.
pub fn folder(args: &RunArgs, place: &Place, events: u64) -> (PathBuf, bool) {
    match &args.store {
        Some(dir) => (dir.join(events.to_string()), true),
        None => (place.data(&format!("store-{events}")), false),
    }
}

/// The features that distinguish a store from others of its size.
pub fn plan_of(args: &RunArgs, events: u64) -> String {
    format!("{:?} {:?}", args.plan(events), args.mix)
}

/// The record of a kept store, if it exists and has this plan.
pub fn known<T: for<'a> Deserialize<'a>>(
    path: &Path,
    plan: &str,
    plan_in: impl Fn(&T) -> &str,
) -> anyhow::Result<Option<T>> {
    let text = match std::fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("reading {}", path.display())),
    };
    let known: T =
        serde_json::from_slice(&text).with_context(|| format!("reading {}", path.display()))?;
    if plan_in(&known) != plan {
        bail!(
            "{} speaks of other events: remove its folder, or name another with --store",
            path.display()
        );
    }
    Ok(Some(known))
}

/// The store of `args.events`: the kept one, or a new one.
pub fn prepare(args: &RunArgs, place: &Place) -> anyhow::Result<Store> {
    let (dir, kept) = folder(args, place, args.events);
    let (data, about) = (dir.join("data"), dir.join("made.json"));
    let plan = plan_of(args, args.events);
    let made = match known(&about, &plan, |made: &Made| &made.plan)? {
        Some(made) => made,
        None => {
            if data.exists() {
                bail!(
                    "{} was not loaded to its end: remove {}",
                    data.display(),
                    dir.display()
                );
            }
            std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
            let made = load(args, place, &data, plan)?;
            std::fs::write(&about, serde_json::to_vec_pretty(&made)?)?;
            made
        }
    };
    seal(&place.binary, &data)?;
    Ok(Store { data, kept, made })
}

fn load(args: &RunArgs, place: &Place, data: &Path, plan: String) -> anyhow::Result<Made> {
    let bodies = || Bodies::new(args.plan(args.events), args.mix.clone());
    eprintln!("compressing {} bodies", args.events);
    let (raw_bytes, zstd_bytes) = raw::zstd_bytes(&mut bodies(), args.events)?;
    eprintln!("loading {} events", args.events);
    let server = Server::profiletrail(&place.binary, data, args.workers, &[])?;
    let bodies = bodies().take(usize::try_from(args.events)?);
    let mut requests = bodies.map(|body| request(&body));
    let mut load = Load::open(server.address, CONNECTIONS, &mut requests, None)?;
    let outcome = load.run(&mut requests, None)?.all_kept()?;
    drop(load);
    // It is answered when the index has every event.
    timed::ask(&place.binary, data, &["show", "1"], 1)?;
    let memory = server.memory()?;
    server.stop()?;
    Ok(Made {
        plan,
        events: args.events,
        load_per_second: outcome.rate(),
        raw_bytes,
        zstd_bytes,
        memory,
    })
}

/// Seals all closed segments, if the program can: the measurement is about the form that
/// is kept for years.
fn seal(binary: &Path, data: &Path) -> anyhow::Result<()> {
    let mut help = super::supervised::supervised(binary)?;
    let help = help.args(["seal", "--help"]).output()?;
    if help.status.success() {
        eprintln!("sealing");
        let command = [binary.into(), "seal".into(), "--data".into(), data.into()];
        timed::time(&command, 1)?;
    }
    Ok(())
}

impl Store {
    /// A data folder of the same events that may be written to.
    pub fn to_write(&self, place: &Place) -> anyhow::Result<PathBuf> {
        if !self.kept {
            return Ok(self.data.clone());
        }
        let copy = place.data("copy");
        eprintln!("copying the store");
        copy_folder(&self.data, &copy)?;
        Ok(copy)
    }
}

/// Copies a data folder; sealed segments never change and are linked.
pub fn copy_folder(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from).with_context(|| format!("reading {}", from.display()))? {
        let entry = entry?;
        let (old, new) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            copy_folder(&old, &new)?;
        } else if kind.is_file() {
            let sealed = old.extension().is_some_and(|end| end == "zst");
            if !sealed || std::fs::hard_link(&old, &new).is_err() {
                std::fs::copy(&old, &new).with_context(|| format!("copying {}", old.display()))?;
            }
        }
    }
    Ok(())
}

/// The bytes that a folder or a file takes on disk.
pub fn disk_bytes(path: &Path) -> anyhow::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    /// The unit of a file's blocks, on every Linux file system.
    const BLOCK: u64 = 512;
    let about = path
        .symlink_metadata()
        .with_context(|| format!("looking at {}", path.display()))?;
    if !about.is_dir() {
        return Ok(about.blocks() * BLOCK);
    }
    let mut bytes = 0;
    for entry in std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))? {
        bytes += disk_bytes(&entry?.path())?;
    }
    Ok(bytes)
}

//! The paths of programs and data.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use parking_lot::Mutex;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::args::RunArgs;

/// The programs and the folders of a run.
pub struct Place {
    /// The program that is measured.
    pub binary: PathBuf,
    /// The folder that is kept between runs, with the peers.
    pub base: PathBuf,
    /// The folder for data; removed afterwards.
    dir: tempfile::TempDir,
}

/// The folder that is kept between runs.
pub fn base(dir: Option<&Path>) -> anyhow::Result<PathBuf> {
    let dir = match dir {
        Some(dir) => dir.to_owned(),
        None => {
            let beside = programs()?;
            beside.parent().unwrap_or(&beside).join("bench")
        }
    };
    std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
    dir.canonicalize()
        .with_context(|| format!("finding {}", dir.display()))
}

/// The folder of this program.
fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("no folder of programs")?.to_owned())
}

impl Place {
    /// Makes the folders.
    pub fn new(args: &RunArgs) -> anyhow::Result<Self> {
        let base = base(args.dir.as_deref())?;
        let binary = match &args.binary {
            Some(binary) => binary.clone(),
            None => programs()?.join("profiletrail"),
        };
        let binary = binary
            .canonicalize()
            .with_context(|| format!("finding {}", binary.display()))?;
        let dir = tempfile::Builder::new().prefix("run-").tempdir_in(&base)?;
        remove_when_interrupted(dir.path())?;
        Ok(Self { binary, base, dir })
    }

    /// A path for data of a name; removed afterwards.
    pub fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder for data.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

/// How often its removal is tried.
const TRIES: usize = 10;

/// The folder that an interrupted run takes with it.
static RUNNING: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Removes this folder, instead of an earlier one, when the benchmark is asked to end.
fn remove_when_interrupted(dir: &Path) -> anyhow::Result<()> {
    let earlier = RUNNING.lock().replace(dir.to_owned());
    if earlier.is_some() {
        return Ok(());
    }
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            if let Some(dir) = &*RUNNING.lock() {
                // The servers, which end with this process, may still write there.
                for _ in 0..TRIES {
                    if std::fs::remove_dir_all(dir).is_ok() {
                        break;
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
            std::process::exit(1);
        }
    });
    Ok(())
}

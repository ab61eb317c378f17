//! Where the programs are, and where data goes.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::args::RunArgs;

/// The programs and the folders of a run.
pub struct Place {
    /// The program that is measured.
    pub binary: PathBuf,
    /// What is kept between runs: the peers.
    pub base: PathBuf,
    /// Where data goes; gone afterwards.
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
        Ok(Self {
            binary: binary
                .canonicalize()
                .with_context(|| format!("finding {}", binary.display()))?,
            dir: tempfile::Builder::new().prefix("run-").tempdir_in(&base)?,
            base,
        })
    }

    /// A path for data of a name; gone afterwards.
    pub fn data(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// The folder for data.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }
}

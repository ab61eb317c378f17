//! Simple alternative servers that keep the same calls in SQLite, each call synced
//! before it is answered.
//!
//! | peer | what it is |
//! | --- | --- |
//! | `fastapi` | FastAPI under uvicorn (uvloop, httptools), one commit a call |
//! | `node` | Node with better-sqlite3, one commit a call |
//! | `node-group` | the same, one commit a turn of the event loop |
//!
//! All have a write-ahead log with `synchronous=FULL` and an index by profile and time;
//! all decode the form, refuse calls without a type, profile or readable time, and keep
//! the body (`peers/schema.sql`). Each is one process, as a plain user would run it.
//!
//! They are installed below the folder that is kept between runs, from PyPI into a
//! virtual environment and from npm. If the binary of better-sqlite3 is not available, it
//! is compiled there: node-gyp uses the headers of the installed Node (Debian's packages
//! `nodejs` or `libnode-dev`) instead of downloading them. That needs `make`, a C++
//! compiler, and a minute.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::child::Server;
use super::supervised::supervised;

/// The files of the peers.
const FILES: [(&str, &str); 8] = [
    ("schema.sql", include_str!("peers/schema.sql")),
    ("decode.py", include_str!("peers/decode.py")),
    ("fastapi_sqlite.py", include_str!("peers/fastapi_sqlite.py")),
    ("load_sqlite.py", include_str!("peers/load_sqlite.py")),
    ("node_sqlite.mjs", include_str!("peers/node_sqlite.mjs")),
    ("plot.py", include_str!("peers/plot.py")),
    (REQUIREMENTS, include_str!("peers/requirements.txt")),
    (PACKAGES, include_str!("peers/package.json")),
];

/// What Python needs.
const REQUIREMENTS: &str = "requirements.txt";

/// What Node needs.
const PACKAGES: &str = "package.json";

/// A peer by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// FastAPI and SQLite.
    Fastapi,
    /// Node and better-sqlite3.
    Node,
    /// The same with one commit a turn of the event loop.
    NodeGroup,
    /// Nobody.
    None,
}

impl Which {
    /// What it is called in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fastapi => "FastAPI + SQLite",
            Self::Node => "Node + SQLite",
            Self::NodeGroup => "Node + SQLite, group commit",
            Self::None => "nobody",
        }
    }
}

/// Peers that are ready to be started.
pub struct Peers {
    dir: PathBuf,
    /// Those that could be set up.
    pub ready: Vec<Which>,
    /// Why others could not.
    pub missing: Vec<String>,
}

impl Peers {
    /// Sets up those that are wanted; one that cannot be had is gone without.
    pub fn set_up(base: &Path, wanted: &[Which]) -> anyhow::Result<Self> {
        let dir = base.join("peers");
        write_files(&dir)?;
        let mut peers = Self {
            dir,
            ready: Vec::new(),
            missing: Vec::new(),
        };
        for which in wanted {
            let done = match which {
                Which::Fastapi => python(&peers.dir),
                // Its database is loaded by a Python program.
                Which::Node | Which::NodeGroup => {
                    python(&peers.dir).and_then(|()| node(&peers.dir))
                }
                Which::None => continue,
            };
            match done {
                Ok(()) => peers.ready.push(*which),
                Err(error) => {
                    let why = format!("{}: {error:#}", which.name());
                    eprintln!("goes without {why}");
                    peers.missing.push(why);
                }
            }
        }
        Ok(peers)
    }

    /// Starts one on a database, which is created if missing.
    pub fn start(&self, which: Which, database: &Path) -> anyhow::Result<Server> {
        let mut command = match which {
            Which::Fastapi => self.python("fastapi_sqlite.py")?,
            Which::Node | Which::NodeGroup => {
                let mut command = supervised("node")?;
                command.arg(self.dir.join("node_sqlite.mjs"));
                command
            }
            Which::None => bail!("nobody cannot be started"),
        };
        command.arg(database);
        if which == Which::NodeGroup {
            command.arg("--group");
        }
        Server::start(command)
    }

    /// One of the Python programs.
    pub fn python(&self, file: &str) -> anyhow::Result<Command> {
        let mut command = supervised(interpreter(&self.dir))?;
        command.arg(self.dir.join(file));
        Ok(command)
    }
}

/// Draws plots of a JSON file into a folder.
pub fn plot(base: &Path, json: &Path, plots: &Path) -> anyhow::Result<()> {
    let dir = base.join("peers");
    write_files(&dir)?;
    python(&dir)?;
    std::fs::create_dir_all(plots).with_context(|| format!("making {}", plots.display()))?;
    let mut command = supervised(interpreter(&dir))?;
    command.arg(dir.join("plot.py")).arg(json).arg(plots);
    let status = command.stdin(Stdio::null()).status()?;
    anyhow::ensure!(status.success(), "plotting ended with {status}");
    Ok(())
}

fn interpreter(dir: &Path) -> PathBuf {
    dir.join("venv/bin/python")
}

fn write_files(dir: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
    for (name, text) in FILES {
        let path = dir.join(name);
        // The age of an installation is that of the file that lists its content.
        if std::fs::read_to_string(&path).ok().as_deref() != Some(text) {
            std::fs::write(&path, text).with_context(|| format!("writing {}", path.display()))?;
        }
    }
    Ok(())
}

fn python(dir: &Path) -> anyhow::Result<()> {
    installed(dir, "venv", REQUIREMENTS, || {
        let venv = dir.join("venv");
        run(supervised("python3")?
            .args(["-m", "venv", "--clear"])
            .arg(&venv))?;
        run(supervised(interpreter(dir))?
            .args(["-m", "pip", "install", "--quiet", "--requirement"])
            .arg(dir.join(REQUIREMENTS)))
    })
}

fn node(dir: &Path) -> anyhow::Result<()> {
    installed(dir, "node_modules", PACKAGES, || {
        let mut npm = supervised("npm")?;
        npm.current_dir(dir)
            .args(["install", "--no-audit", "--no-fund"]);
        if let Some(headers) = headers() {
            npm.env("npm_config_nodedir", headers);
        }
        run(&mut npm)
    })
}

/// The folder under which Node's headers are installed.
fn headers() -> Option<PathBuf> {
    let output = Command::new("node")
        .args(["-p", "process.execPath"])
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let node = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim());
    let prefix = node.parent()?.parent()?;
    let header = prefix.join("include/node/node.h");
    header.exists().then(|| prefix.to_owned())
}

/// Installs what a file names, unless that was done for the same file.
fn installed(
    dir: &Path,
    name: &str,
    file: &str,
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let wanted = std::fs::read_to_string(dir.join(file))?;
    let stamp = dir.join(format!("{name}.installed"));
    if std::fs::read_to_string(&stamp).ok().as_deref() == Some(&wanted) {
        return Ok(());
    }
    eprintln!("installing what {file} names, once");
    install()?;
    std::fs::write(&stamp, wanted).with_context(|| format!("writing {}", stamp.display()))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        let why: Vec<&str> = why.lines().rev().take(5).collect();
        let why: Vec<&str> = why.into_iter().rev().collect();
        bail!(
            "{command:?} ended with {}: {}",
            output.status,
            why.join("; ")
        );
    }
    Ok(())
}

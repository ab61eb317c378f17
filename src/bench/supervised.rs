//! Child programs that end with this one, however it ends.
//!
//! Each is started through this program, which requests a signal at its parent's
//! death from the kernel and then executes the other program. So the process id
//! stays the same.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::Context;
use rustix::process::{Signal, set_parent_process_death_signal};

/// A command that runs a program which ends with this process. To be spawned
/// from a thread that lives as long, because the kernel looks at the thread.
pub fn supervised(program: impl AsRef<OsStr>) -> anyhow::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["supervised", "--"]).arg(program);
    // The measured settings are those named here, not those of a shell.
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"PROFILETRAIL_") {
            command.env_remove(name);
        }
    }
    Ok(command)
}

pub fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

pub fn become_it(command: &[OsString]) -> anyhow::Result<Infallible> {
    let (program, args) = command.split_first().context("no program")?;
    set_parent_process_death_signal(Some(Signal::KILL))?;
    let error = Command::new(program).args(args).exec();
    Err(error).with_context(|| format!("starting {}", program.display()))
}

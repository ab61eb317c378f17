//! `completions` and `man`, from the same definitions as the command line itself.

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap_complete::Shell;
use rustix::fs::Mode;

use super::ExitStatus;
use super::env_file::command;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Put it where the shell looks for it: bash ~/.local/share/bash-completion/completions/profiletrail,\n\
    zsh: a folder of $fpath as _profiletrail, fish: ~/.config/fish/completions/profiletrail.fish.\n\n\
    Example: profiletrail completions bash > ~/.local/share/bash-completion/completions/profiletrail"
)]
pub struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples: profiletrail man | man -l -; profiletrail man history | man -l -;\n\
    profiletrail man --dir ~/.local/share/man/man1"
)]
pub struct ManArgs {
    /// Only the page of this command
    #[arg(value_name = "COMMAND", conflicts_with = "dir")]
    pub command: Option<String>,
    /// Write all pages as files into this folder
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}

pub fn completions(args: &CompletionsArgs) -> anyhow::Result<ExitStatus> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut command(), "profiletrail", &mut text);
    super::print(text)?;
    Ok(ExitStatus::Success)
}

pub fn man(args: &ManArgs) -> anyhow::Result<ExitStatus> {
    let command = command();
    if let Some(dir) = &args.dir {
        return pages(command, dir).with_context(|| format!("writing into {}", dir.display()));
    }
    let page = match &args.command {
        None => command,
        Some(name) => page_of(command, name)?,
    };
    let mut text = Vec::new();
    clap_mangen::Man::new(page).render(&mut text)?;
    super::print(text)?;
    Ok(ExitStatus::Success)
}

/// The command of that name, as its page calls it.
fn page_of(mut command: clap::Command, name: &str) -> anyhow::Result<clap::Command> {
    command.build();
    let names = command.get_subcommands().map(clap::Command::get_name);
    let near = crate::query::nearest(name, names).map(str::to_owned);
    let Some(found) = command.find_subcommand(name) else {
        let next = match near {
            Some(near) => format!("did you mean {near}?"),
            None => "profiletrail --help lists the commands".to_owned(),
        };
        let what = format!("there is no command {name}: {next}");
        return Err(super::context::UsageError::new(what).into());
    };
    let title = format!("profiletrail-{name}");
    Ok(found.clone().name(title.clone()).display_name(title))
}

fn pages(command: clap::Command, dir: &Path) -> anyhow::Result<ExitStatus> {
    // Everyone may read them, unlike the files of a data folder.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)?;
    Ok(ExitStatus::Success)
}

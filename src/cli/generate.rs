//! `completions` and `man`, from the same definitions as the command line itself.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap_complete::Shell;
use clap_complete::env::Shells;
use clap_mangen::Man;
use clap_mangen::roff::{Inline, Roff, bold, line_break, roman};
use rustix::fs::Mode;

use super::ExitStatus;
use super::args::EXIT_STATUS;
use super::env_file::command;
use super::help::notes_and_examples;

/// The program, as a shell calls it.
const NAME: &str = "profiletrail";

/// The variable by which a completion script asks the program.
const VARIABLE: &str = "COMPLETE";

/// The text of the manual pages about the environment.
const ENVIRONMENT: &str = "Options marked with [env: PROFILETRAIL_…] take their value from that variable, or from the file of \
    --env-file. Flags take precedence over the environment, and the environment over the file. NO_COLOR turns colours \
    off, PAGER names the pager, COLUMNS sets the width of output that is not a terminal, and TZ is the zone of --tz local.";

/// The files that the manual pages name.
const FILES: [(&str, &str); 3] = [
    (
        "./profiletrail-data",
        "the data folder, unless --data names another",
    ),
    (
        "/etc/profiletrail.env",
        "the settings of the installed service; commands use its data folder if there is no other",
    ),
    (
        "/var/lib/profiletrail",
        "the data folder of the installed service",
    ),
];

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Put it where the shell looks for it: bash ~/.local/share/bash-completion/completions/profiletrail,\n\
    zsh: a folder of $fpath as _profiletrail, fish: ~/.config/fish/completions/profiletrail.fish. It calls \
    profiletrail, which completes commands and flags, and names of fields, interests, labels and profiles from the \
    newest events.\n\n\
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
    let shell = args.shell.to_string();
    let shells = Shells::builtins();
    let shell = shells.completer(&shell).context("an unknown shell")?;
    shell.write_registration(VARIABLE, NAME, NAME, NAME, &mut text)?;
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
    super::print(rendered(page)?)?;
    Ok(ExitStatus::Success)
}

fn rendered(command: clap::Command) -> io::Result<Vec<u8>> {
    let (notes, examples) = notes_and_examples(&command);
    let mut text = Vec::new();
    Man::new(command.after_help(None::<&str>)).render(&mut text)?;
    let mut more = Roff::new();
    let mut section = |title: &str, lines: Vec<Inline>| {
        more.control("SH", [title]).text(lines);
    };
    let paragraphs = |text: &str| {
        let lines = text.lines().filter(|line| !line.is_empty());
        lines
            .flat_map(|line| [roman(line.trim()), line_break()])
            .collect::<Vec<_>>()
    };
    if !notes.is_empty() {
        section("NOTES", paragraphs(&notes));
    }
    let examples = examples.trim_start_matches(|c: char| c.is_alphabetic());
    if !examples.is_empty() {
        section("EXAMPLES", paragraphs(examples.trim_start_matches(':')));
    }
    section(
        "EXIT STATUS",
        paragraphs(EXIT_STATUS.trim_start_matches("Exit status: ")),
    );
    section("ENVIRONMENT", paragraphs(ENVIRONMENT));
    let files = FILES
        .iter()
        .flat_map(|(name, what)| [bold(*name), roman(format!(": {what}")), line_break()]);
    section("FILES", files.collect());
    more.to_writer(&mut text)?;
    Ok(text)
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
        wrong_usage!("there is no command {name}: {next}");
    };
    let title = format!("profiletrail-{name}");
    Ok(found.clone().name(title.clone()).display_name(title))
}

fn pages(command: clap::Command, dir: &Path) -> anyhow::Result<ExitStatus> {
    // Everyone may read them, unlike the files of a data folder.
    rustix::process::umask(Mode::from_raw_mode(0o022));
    std::fs::create_dir_all(dir)?;
    let mut command = command.disable_help_subcommand(true);
    command.build();
    let mut commands = vec![command];
    while let Some(command) = commands.pop() {
        let visible = command.get_subcommands().filter(|one| !one.is_hide_set());
        commands.extend(visible.cloned());
        let name = Man::new(command.clone()).get_filename();
        std::fs::write(dir.join(name), rendered(command)?)?;
    }
    Ok(ExitStatus::Success)
}

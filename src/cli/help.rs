//! The layout of help: examples first, commands in groups, and the options of every
//! command only once.

use std::fmt::Write;

use clap::{Arg, Command};

/// The word that begins the examples, which end a command's notes.
const EXAMPLE: &str = "Example";

/// The groups of commands, in the order of help.
const GROUPS: [(&str, &[&str]); 6] = [
    ("Receive", &["serve", "demo", "doctor"]),
    (
        "Ask",
        &[
            "history", "show", "diff", "blame", "changes", "find", "tail", "explain", "evidence",
            "dossier", "export",
        ],
    ),
    (
        "Find what went wrong",
        &[
            "report",
            "gaps",
            "incidents",
            "loops",
            "rejected",
            "reconcile",
        ],
    ),
    (
        "Take care of the data",
        &[
            "stats",
            "verify",
            "checkpoint",
            "prove",
            "repair",
            "seal",
            "backup",
            "restore",
            "import",
            "prune",
            "erase",
        ],
    ),
    ("Give access", &["token", "validation", "schema"]),
    ("Set up the shell", &["completions", "man", "help"]),
];

/// The help of a command: summary, usage, examples, then the options.
const OF_COMMAND: &str =
    "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}{all-args}{after-help}";

/// The help of the program: summary and usage; groups of commands follow.
const OF_PROGRAM: &str = "{about-with-newline}\n{usage-heading} {usage}\n\n{before-help}";

/// The same command line with its help laid out.
pub fn laid_out(command: Command) -> Command {
    let mut template = OF_PROGRAM.to_owned();
    for (group, names) in GROUPS {
        template += &format!("{group}:\n");
        for name in names {
            let about = command.find_subcommand(name).and_then(Command::get_about);
            let about = about.map_or_else(
                || "Show the help of a command".to_owned(),
                ToString::to_string,
            );
            // Writing to a string does not fail.
            let _ = writeln!(template, "  {name:13}{about}");
        }
        template.push('\n');
    }
    template += "Options of every command:\n{options}{after-help}";
    let global = command.get_arguments().filter(|arg| arg.is_global_set());
    let hidden: Vec<Arg> = global.map(|arg| arg.clone().hide(true)).collect();
    with_examples(command)
        .help_template(template)
        .mut_subcommands(|command| of_command(command, &hidden))
}

fn of_command(command: Command, hidden: &[Arg]) -> Command {
    let notes = "Options of every command, such as --data and --tz: profiletrail --help";
    let command = with_examples(command);
    let notes = match command.get_after_help() {
        Some(own) => format!("{own}\n\n{notes}"),
        None => notes.to_owned(),
    };
    command
        .after_help(notes)
        .help_template(OF_COMMAND)
        .args(hidden)
        .mut_subcommands(|command| of_command(command, hidden))
}

/// Moves the examples of a command before its options.
fn with_examples(command: Command) -> Command {
    let (notes, examples) = notes_and_examples(&command);
    let command = command.before_help(examples);
    match notes.is_empty() {
        true => command.after_help(None::<&str>),
        false => command.after_help(notes),
    }
}

/// The notes below a command's options, and its examples.
pub fn notes_and_examples(command: &Command) -> (String, String) {
    let text = command.get_after_help().map(ToString::to_string);
    let text = text.unwrap_or_default();
    match text.rfind(EXAMPLE).and_then(|at| text.split_at_checked(at)) {
        Some((notes, examples)) => (notes.trim_end().to_owned(), examples.to_owned()),
        None => (text, String::new()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let command = crate::cli::env_file::command();
        let mut names: Vec<_> = command.get_subcommands().map(Command::get_name).collect();
        names.push("help");
        let mut grouped: Vec<_> = GROUPS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        names.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, names);
    }

    #[test]
    fn every_command_has_examples_before_its_options() {
        let mut command = laid_out(crate::cli::env_file::command());
        command.build();
        for command in command.get_subcommands_mut() {
            let name = command.get_name().to_owned();
            if matches!(name.as_str(), "help") {
                continue;
            }
            let help = command.render_help().to_string();
            let example = help.find("Example").unwrap_or(usize::MAX);
            assert!(example < help.find("Options:").unwrap(), "{help}");
            assert!(!help.contains("--cache-size"), "{help}");
        }
    }
}

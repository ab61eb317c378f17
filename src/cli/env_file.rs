//! `--env-file`: the settings of a service, for commands that are typed.
//!
//! The file is one that systemd reads (`EnvironmentFile=`): lines of `NAME=VALUE`,
//! empty ones, comments with `#` or `;`, values bare or in one pair of quotes. A
//! flag comes before the environment, the environment before the file, the file
//! before what is the default. Names that are no setting are told: they are slips.

use std::collections::BTreeSet;
use std::path::Path;

use clap::{Arg, Command, CommandFactory, FromArgMatches, Parser};

use super::args::Args;
use super::setting::UsageError;

/// What the names of settings begin with.
const PREFIX: &str = "PROFILETRAIL_";

/// A name and its value.
type Pair = (String, String);

/// Reads the arguments; where they name a file, once more with what it says.
pub fn parse() -> anyhow::Result<Args> {
    let args = Args::parse();
    let Some(path) = &args.common.env_file else {
        return Ok(args);
    };
    let wrong = |what: String| UsageError::new(format!("--env-file {}: {what}", path.display()));
    let text = read(path).map_err(wrong)?;
    let pairs = pairs(&text).map_err(wrong)?;
    for name in strangers(&Args::command(), &pairs) {
        super::say(&format!(
            "profiletrail: note: {name} in {} is no setting",
            path.display()
        ));
    }
    let mut matches = with_defaults(Args::command(), &pairs).get_matches();
    Ok(Args::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| error.exit()))
}

fn read(path: &Path) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| error.to_string())
}

/// The lines of a file.
fn pairs(text: &str) -> Result<Vec<Pair>, String> {
    let mut pairs = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| format!("line {} is not NAME=VALUE", number + 1))?;
        let value = value.trim();
        let quoted = ['"', '\''].iter().find_map(|quote| {
            let inner = value.strip_prefix(*quote)?;
            inner.strip_suffix(*quote)
        });
        pairs.push((name.trim().to_owned(), quoted.unwrap_or(value).to_owned()));
    }
    Ok(pairs)
}

fn env_of(arg: &Arg) -> Option<&str> {
    arg.get_env()?.to_str()
}

/// The names of this program's form that no command knows.
fn strangers(command: &Command, pairs: &[Pair]) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut commands = vec![command];
    while let Some(command) = commands.pop() {
        known.extend(command.get_arguments().filter_map(env_of));
        commands.extend(command.get_subcommands());
    }
    let ours = pairs.iter().map(|(name, _)| name.as_str());
    ours.filter(|name| name.starts_with(PREFIX) && !known.contains(name))
        .map(str::to_owned)
        .collect()
}

/// The command with a file's values as its defaults.
fn with_defaults(command: Command, pairs: &[Pair]) -> Command {
    let set = |arg: Arg| {
        let given = env_of(&arg).and_then(|env| pairs.iter().rev().find(|(name, _)| name == env));
        match (given, arg.get_value_delimiter()) {
            (None, _) => arg,
            (Some((_, value)), _) if value.is_empty() => arg,
            (Some((_, value)), Some(delimiter)) => {
                let values: Vec<String> = value.split(delimiter).map(str::to_owned).collect();
                arg.default_values(values)
            }
            (Some((_, value)), None) => arg.default_value(value.clone()),
        }
    };
    command
        .mut_args(set)
        .mut_subcommands(|command| command.mut_args(set))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::cli::args;

    const FILE: &str = "# a comment\n; another\n\nPROFILETRAIL_DATA=/var/lib/profiletrail\n\
        PROFILETRAIL_PUBLIC_HOST = \"a.example,b.example\" \nPROFILETRAIL_MIN_FREE='1GiB'\n\
        PROFILETRAIL_MAX_CONECTIONS=9\nPATH=/bin\nPROFILETRAIL_BACKUP=\n";

    fn parsed(arguments: &[&str]) -> Args {
        let pairs = pairs(FILE).unwrap();
        let matches = with_defaults(Args::command(), &pairs);
        let matches = matches.try_get_matches_from(arguments).unwrap();
        Args::from_arg_matches(&matches).unwrap()
    }

    #[test]
    fn a_file_gives_what_no_flag_gives() {
        let args = parsed(&["profiletrail", "doctor", "--min-free", "2GiB"]);
        assert_eq!(args.common.data, Path::new("/var/lib/profiletrail"));
        let args::Command::Doctor(doctor) = args.command else {
            panic!("another command");
        };
        let hosts: Vec<_> = doctor.public_host.iter().map(ToString::to_string).collect();
        assert_eq!(hosts, ["a.example", "b.example"]);
        assert_eq!(doctor.min_free.as_u64(), 2 << 30);
        assert_eq!(doctor.max_connections, 512);
        assert_eq!(doctor.backup, None);
    }

    #[test]
    fn a_slip_is_told() {
        let pairs = pairs(FILE).unwrap();
        let found = strangers(&Args::command(), &pairs);
        assert_eq!(found, ["PROFILETRAIL_MAX_CONECTIONS"]);
        let wrong = super::pairs("A=1\nexport").unwrap_err();
        assert_eq!(wrong, "line 2 is not NAME=VALUE");
    }
}

//! `--env-file`: the settings of a service, for commands that are typed.
//!
//! The file has the form that systemd reads (`EnvironmentFile=`): lines of
//! `NAME=VALUE`, empty lines, comments with `#` or `;`, values bare or in one pair
//! of quotes. A flag takes precedence over the environment, the environment over
//! the file, the file over the default. All of them are merged before arguments
//! are checked, so a check never sees a part of them. Unknown names are reported:
//! they are typing errors.
//!
//! A command that needs existing data, and finds none in the usual places, uses the
//! settings of the service that `scripts/install` installed, and says so.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, CommandFactory, FromArgMatches, ValueEnum};
use indexmap::IndexMap;

use super::args::Args;
use super::context::DEFAULT_DATA;
use super::{Format, UsageError};
use crate::event::now_seconds;
use crate::format::is_unsafe;
use crate::query::{Clock, with_clock};
use crate::storage::{Links, read_small};

/// The prefix of a setting's name.
const PREFIX: &str = "PROFILETRAIL_";

/// The flags that are settings, too: `--min-free` is `PROFILETRAIL_MIN_FREE` in the
/// environment and in a file.
const SETTINGS: &str = "alert_after api backup cache_size color copernica_id data dns_server env_file format keep \
    key_domain listen log log_format lookup max_age max_body max_connections \
    max_connections_per_address max_rejected min_free pager public_host segment_size signature \
    timestamp timezone title tls_cert tls_key trusted_proxy tz ui witness workers";

/// The settings of a cluster's node.
#[cfg(feature = "nats")]
const OF_NODES: &str = "nats nats_creds nats_monitor";
#[cfg(not(feature = "nats"))]
const OF_NODES: &str = "";

/// The settings that only `scripts/profiletrail-pull` reads.
const OF_PULL: [&str; 2] = ["PROFILETRAIL_PEER", "PROFILETRAIL_PEER_TOKEN"];

/// The name of the setting whose value some commands do not support.
const FORMAT: &str = "PROFILETRAIL_FORMAT";

/// The settings that `scripts/install` gives to the service.
const INSTALLED: &str = "/etc/profiletrail.env";

/// The commands that make a data folder, or need none.
const WITHOUT_DATA: [&str; 7] = [
    "completions",
    "demo",
    "help",
    "import",
    "man",
    "restore",
    "serve",
];

/// The longest file in bytes.
const MAX_LEN: u64 = 1 << 20;

/// Names with their values; the last of several values counts.
type Pairs = IndexMap<String, String>;

/// The command line, whose settings can come from the environment. A demo is configured
/// only by flags, and a dossier has its own forms.
pub fn command() -> Command {
    with_environment(Args::command())
}

/// The same for some words: a command that they do not name has only its name and its summary,
/// as to build all flags of all commands again and again takes longer than most answers.
fn command_for(words: &[OsString]) -> Command {
    let named = |command: Command| {
        if words.iter().any(|word| word == command.get_name()) {
            return command;
        }
        Command::new(command.get_name().to_owned())
            .about(command.get_about().cloned().unwrap_or_default())
            .hide(command.is_hide_set())
    };
    with_environment(Args::command().mut_subcommands(named))
}

fn known_settings() -> impl Iterator<Item = &'static str> {
    SETTINGS.split(' ').chain(OF_NODES.split_whitespace())
}

/// The name of a flag's setting.
fn setting(flag: &str) -> String {
    format!("{PREFIX}{}", flag.to_ascii_uppercase())
}

fn with_environment(command: Command) -> Command {
    if matches!(command.get_name(), "demo" | "dossier") {
        return command;
    }
    let named = |arg: Arg| {
        let id = arg.get_id().as_str();
        if !known_settings().any(|setting| setting == id) {
            return arg;
        }
        let name = setting(id);
        arg.env(name)
    };
    command.mut_args(named).mut_subcommands(with_environment)
}

/// Reads the arguments, with the settings of all sources.
pub fn parse() -> anyhow::Result<Args> {
    let words: Vec<_> = std::env::args_os().collect();
    let command = super::help::laid_out(with_sources(&words, &mut super::say)?);
    // The zone of times is itself an argument: they are read again once it is known.
    let zone = read_args(command.clone()).common.timezone;
    let now = now_seconds();
    Ok(read_args(with_clock(command, Clock { zone, now })))
}

/// The command line with the settings of the file that these words name, or of the
/// installed service.
pub fn with_sources(words: &[OsString], say: &mut dyn FnMut(&str)) -> anyhow::Result<Command> {
    let command = command_for(words);
    let typed = command.clone().ignore_errors(true);
    let typed = typed.try_get_matches_from(words).ok();
    let named: Option<PathBuf> =
        (typed.as_ref()).and_then(|typed| typed.try_get_one("env_file").ok()?.cloned());
    let pairs = match named {
        Some(path) => settings(&path, say)?,
        None => typed
            .filter(|_| !Path::new(DEFAULT_DATA).exists())
            .map(|typed| installed(&typed, Path::new(INSTALLED), say))
            .unwrap_or_default(),
    };
    let environment = |name: &str| std::env::var(name).ok();
    Ok(merge(command, &pairs, &environment))
}

/// The settings of a file that was named.
fn settings(path: &Path, say: &mut dyn FnMut(&str)) -> anyhow::Result<Pairs> {
    let wrong = |what: String| UsageError::new(format!("--env-file {}: {what}", path.display()));
    let pairs = read(path).map_err(wrong)?;
    for name in unknown_settings(&pairs) {
        let path = path.display();
        say(&format!(
            "profiletrail: note: unknown setting {name} in {path}"
        ));
    }
    Ok(pairs)
}

/// The settings of the installed service, for a command that is to read the default data
/// folder.
fn installed(typed: &ArgMatches, file: &Path, say: &mut dyn FnMut(&str)) -> Pairs {
    let needs_data = typed
        .subcommand_name()
        .is_some_and(|name| !WITHOUT_DATA.contains(&name));
    let by_default = typed.value_source("data") == Some(ValueSource::DefaultValue);
    if !needs_data || !by_default || !file.exists() {
        return Pairs::new();
    }
    let name = file.display();
    let pairs = match read(file) {
        Ok(pairs) => pairs,
        Err(error) => {
            say(&format!(
                "profiletrail: note: the settings of the installed service, {name}, cannot be read: {error}"
            ));
            return Pairs::new();
        }
    };
    let Some(data) = pairs.get(&setting("data")) else {
        return Pairs::new();
    };
    say(&format!(
        "profiletrail: note: using the data folder {data} of the installed service ({name}); --data names another"
    ));
    pairs
}

fn read_args(command: Command) -> Args {
    let mut matches = command
        .try_get_matches()
        .unwrap_or_else(|error| exit(&error));
    let typed = typed_flags(&matches);
    let mut args = Args::from_arg_matches_mut(&mut matches).unwrap_or_else(|error| exit(&error));
    args.common.typed = typed;
    args
}

/// Ends with an error of the arguments, or with the help. The error repeats what was typed,
/// which may hold characters that control a terminal.
fn exit(error: &clap::Error) -> ! {
    let mut args = std::env::args_os();
    if !error.use_stderr() || !args.any(|arg| arg.to_string_lossy().contains(is_unsafe)) {
        error.exit();
    }
    // Without styles, escape sequences are left out.
    for line in error.render().to_string().lines() {
        super::say(line);
    }
    std::process::exit(error.exit_code())
}

/// The typed flags that a suggested command must repeat, as text for a shell.
fn typed_flags(matches: &ArgMatches) -> String {
    let mut words = Vec::new();
    for id in ["data", "env_file", "timezone", "tz", "utc"] {
        if matches.value_source(id) != Some(ValueSource::CommandLine) {
            continue;
        }
        words.push(format!("--{}", id.replace('_', "-")));
        let value = matches.get_raw(id).and_then(|mut values| values.next());
        let value = value.filter(|_| id != "utc").map(|value| match id {
            // They may be pasted in another folder.
            "data" | "env_file" => std::path::absolute(value).unwrap_or_else(|_| value.into()),
            _ => value.into(),
        });
        words.extend(value.map(|value| value.to_string_lossy().into_owned()));
    }
    let words = words.iter().map(String::as_str);
    let line = shlex::try_join(words).unwrap_or_default();
    if line.is_empty() {
        line
    } else {
        format!(" {line}")
    }
}

fn read(path: &Path) -> Result<Pairs, String> {
    let bytes = read_small(path, MAX_LEN, Links::Follow).map_err(|error| error.to_string())?;
    pairs(&String::from_utf8(bytes).map_err(|error| error.to_string())?)
}

fn pairs(text: &str) -> Result<Pairs, String> {
    let mut pairs = Pairs::new();
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
        pairs.insert(name.trim().to_owned(), quoted.unwrap_or(value).to_owned());
    }
    Ok(pairs)
}

/// The names that begin with [`PREFIX`] and are no settings.
fn unknown_settings(pairs: &Pairs) -> Vec<&str> {
    let is_known = |name: &str| {
        OF_PULL.contains(&name) || known_settings().any(|known| setting(known) == name)
    };
    let names = pairs.keys().map(String::as_str);
    names
        .filter(|name| name.starts_with(PREFIX) && !is_known(name))
        .collect()
}

/// The command and all below it, with a file's values as their defaults. A
/// default format that a command does not support is left out there.
fn merge(
    command: Command,
    pairs: &Pairs,
    environment: &impl Fn(&str) -> Option<String>,
) -> Command {
    let set = |arg: Arg| {
        let name = arg.get_env().and_then(|name| name.to_str());
        let Some(name) = name.map(str::to_owned) else {
            return arg;
        };
        let arg = match environment(&name) {
            Some(value) if name == FORMAT && !supports(&arg, &value) => arg.env(Resettable::Reset),
            _ => arg,
        };
        match (pairs.get(&name), arg.get_value_delimiter()) {
            (None, _) => arg,
            (Some(value), _) if value.is_empty() => arg,
            (Some(value), _) if name == FORMAT && !supports(&arg, value) => arg,
            (Some(value), Some(delimiter)) => {
                let values: Vec<String> = value.split(delimiter).map(str::to_owned).collect();
                arg.default_values(values)
            }
            (Some(value), None) => arg.default_value(value.clone()),
        }
    };
    command
        .mut_args(set)
        .mut_subcommands(|command| merge(command, pairs, environment))
}

/// Whether a format can be the default of a command; an unknown one can, so that
/// it is refused.
fn supports(format: &Arg, value: &str) -> bool {
    let supported = format.get_possible_values();
    supported
        .iter()
        .any(|supported| supported.matches(value, false))
        || Format::from_str(value, false).is_err()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic)]
mod tests {
    use super::*;
    use crate::cli::args;

    const FILE: &str = "# a comment\n; another\n\nPROFILETRAIL_DATA=/var/lib/profiletrail\n\
        PROFILETRAIL_PUBLIC_HOST = \"a.example,b.example\" \nPROFILETRAIL_MIN_FREE='1GiB'\n\
        PROFILETRAIL_MAX_CONECTIONS=9\nPATH=/bin\nPROFILETRAIL_BACKUP=\nPROFILETRAIL_PEER=\n";

    fn parsed(arguments: &[&str]) -> Args {
        let pairs = pairs(FILE).unwrap();
        let matches = merge(command(), &pairs, &|_| None);
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
        let hosts: Vec<_> = doctor
            .server
            .public_host
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(hosts, ["a.example", "b.example"]);
        assert_eq!(doctor.server.min_free.as_u64(), 2 << 30);
        assert_eq!(doctor.server.max_connections, 512);
        assert_eq!(doctor.backup, None);
    }

    #[test]
    fn the_installed_service_is_asked_where_nothing_else_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("profiletrail.env");
        std::fs::write(&file, FILE).unwrap();
        for (arguments, used) in [
            (vec!["stats"], true),
            (vec!["stats", "--data", "/elsewhere"], false),
            (vec!["--data", "/elsewhere", "stats"], false),
            (vec!["serve"], false),
            (vec!["import", "events.jsonl"], false),
        ] {
            let typed = [vec!["profiletrail"], arguments].concat();
            let matches = command().try_get_matches_from(typed.clone()).unwrap();
            let mut said = Vec::new();
            let pairs = installed(&matches, &file, &mut |line| said.push(line.to_owned()));
            assert_eq!(!pairs.is_empty(), used, "{typed:?}");
            assert_eq!(said.len(), usize::from(used), "{said:?}");
            let none = installed(&matches, &dir.path().join("none"), &mut |_| panic!());
            assert!(none.is_empty());
        }
        std::fs::write(&file, "PROFILETRAIL_DATA").unwrap();
        let matches = command().try_get_matches_from(["profiletrail", "stats"]);
        let mut said = String::new();
        let pairs = installed(&matches.unwrap(), &file, &mut |line| said = line.to_owned());
        assert!(pairs.is_empty());
        assert!(said.contains("line 1 is not NAME=VALUE"), "{said}");
    }

    #[test]
    fn an_unknown_setting_is_found() {
        let pairs = pairs(FILE).unwrap();
        let found = unknown_settings(&pairs);
        assert_eq!(found, ["PROFILETRAIL_MAX_CONECTIONS"]);
        let wrong = super::pairs("A=1\nexport").unwrap_err();
        assert_eq!(wrong, "line 2 is not NAME=VALUE");
    }
}

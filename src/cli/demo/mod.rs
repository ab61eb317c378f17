//! `demo`: a server on a made-up fortnight, until a signal.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::Context;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tempfile::TempDir;
use tracing::level_filters::LevelFilter;

use super::Ending;
use super::output::{counted, plain};
use super::setting::{Setting, UsageError};
use crate::demo::{SEED, Story, load, questions};
use crate::gate::Proxies;
use crate::query::Rounding;
use crate::server::{Server, ServerConfig, ServerError};

/// Where it listens, unless somebody is there.
const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// The size at which a segment is closed: so that there are some.
const SEGMENT_SIZE: u64 = 1 << 20;

/// `demo`
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The folder is a temporary one, and gone with the server, unless --keep names another.\n\n\
    Example: profiletrail demo"
)]
pub struct DemoArgs {
    /// The address to listen at; port 0 takes a free one [default: 127.0.0.1:8080, or a free port]
    #[arg(long, value_name = "ADDR")]
    pub listen: Option<SocketAddr>,
    /// Keep the data folder, in this one
    #[arg(long, value_name = "DIR")]
    pub keep: Option<PathBuf>,
    /// The moment at which the fortnight ends
    #[arg(long, value_name = "TIME", hide = true, allow_hyphen_values = true)]
    pub now: Option<String>,
}

/// Where the data is.
enum Place {
    Kept(PathBuf),
    Gone(TempDir),
}

impl Place {
    fn make(keep: Option<&Path>) -> anyhow::Result<Self> {
        let Some(keep) = keep else {
            let made = tempfile::Builder::new()
                .prefix("profiletrail-demo-")
                .tempdir();
            return Ok(Self::Gone(made.context("making a temporary folder")?));
        };
        let names = std::fs::read_dir(keep);
        if names.is_ok_and(|mut names| names.next().is_some()) {
            let what = format!(
                "--keep: {} is not empty: name an empty folder, or a new one",
                keep.display()
            );
            return Err(UsageError::new(what).into());
        }
        Ok(Self::Kept(keep.to_owned()))
    }

    fn data(&self) -> PathBuf {
        match self {
            Self::Kept(path) => path.clone(),
            Self::Gone(dir) => dir.path().join("data"),
        }
    }

    fn remove(self) -> anyhow::Result<()> {
        match self {
            Self::Kept(_) => Ok(()),
            Self::Gone(dir) => dir.close().context("removing the temporary folder"),
        }
    }
}

pub fn run(args: &DemoArgs, setting: &Setting) -> anyhow::Result<Ending> {
    super::logging::from(LevelFilter::WARN, setting);
    // From here on a signal ends what follows in order, so that nothing is left behind.
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP]).context("waiting for signals")?;
    let end = setting.time("--now", args.now.as_deref(), Rounding::Down)?;
    let story = Story::tell(SEED, end.unwrap_or_else(|| setting.now()));
    let place = Place::make(args.keep.as_deref())?;
    let data = place.data();
    load(&story, &data, setting.cache, SEGMENT_SIZE)?;
    let server = start(args.listen, &data, setting)?;
    super::say(&format!("listening on http://{}", server.address()));
    let told = tell(&story, &server, &data, args.keep.is_some());
    if told.is_ok() {
        signals.forever().next();
    }
    server.stop();
    place.remove()?;
    told?;
    Ok(Ending::Answered)
}

/// Starts the server. At the usual address it need not be: somebody may be there.
fn start(listen: Option<SocketAddr>, data: &Path, setting: &Setting) -> anyhow::Result<Server> {
    let config = config(listen.unwrap_or(USUAL), data, setting);
    match Server::start(&config) {
        Err(ServerError::Listen { .. }) if listen.is_none() => {
            let mut free = USUAL;
            free.set_port(0);
            Ok(Server::start(&ServerConfig {
                listen: free,
                ..config
            })?)
        }
        started => Ok(started?),
    }
}

/// How the demo's server is set up: what else it offers is said here.
fn config(listen: SocketAddr, data: &Path, setting: &Setting) -> ServerConfig {
    ServerConfig {
        data: data.to_owned(),
        listen,
        zone: setting.zone,
        max_body: 1 << 20,
        segment_size: SEGMENT_SIZE,
        cache: setting.cache,
        workers: 2,
        max_connections: 256,
        tls: None,
        max_per_address: 256,
        trusted_proxies: Proxies::new([]),
        min_free: 0,
        signature: None,
        keep: None,
        api: None,
        ui: false,
        lookup: vec!["mail".to_owned()],
        alert_after: None,
    }
}

/// Says where it is, and what to ask.
fn tell(story: &Story, server: &Server, data: &Path, kept: bool) -> anyhow::Result<()> {
    let program = std::env::args_os().next();
    let program = program.map_or_else(
        || "profiletrail".to_owned(),
        |program| word(&program.to_string_lossy()),
    );
    let data = word(&data.to_string_lossy());
    let address = server.address();
    let mut text = format!(
        "A small shop's fortnight, {}, is in {data}{}.\nFive questions to ask of it, in another terminal:\n",
        counted(story.calls.len() as u64, "call"),
        if kept {
            ""
        } else {
            ", until this ends (Ctrl-C)"
        },
    );
    for (number, asked) in (1..).zip(questions(story)) {
        let words: Vec<String> = asked.command.iter().map(|text| word(text)).collect();
        text += &format!(
            "\n{number}. {}\n   {program} {} --data {data}\n   ({})\n",
            asked.question,
            words.join(" "),
            asked.hint
        );
    }
    text += &format!(
        "\nIt takes calls, too:\n   curl -s http://{address}/webhook/by-hand --data 'type=update&profile={}&parameters[newsletter]=Nee'\n",
        story.mind.profile
    );
    let mut stdout = super::Stdout::new();
    let told = stdout
        .write_all(plain_lines(&text).as_bytes())
        .and_then(|()| stdout.flush());
    match told.map_err(anyhow::Error::from) {
        // Nobody reads it; the server is there all the same.
        Err(error) if super::is_closed_pipe(&error) => Ok(()),
        told => told,
    }
}

/// Texts in which a folder's name may stand, fit for a terminal.
fn plain_lines(text: &str) -> String {
    text.split_inclusive('\n')
        .map(|line| plain(line.trim_end_matches('\n')) + "\n")
        .collect()
}

/// What a shell takes for one word.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-,:@%+=".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

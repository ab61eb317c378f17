//! Three nodes that share their order over NATS JetStream, on one machine: calls go to the
//! first of them, and the NATS servers are killed in turn.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde::Serialize;

use super::args::RunArgs;
use super::child::Server;
use super::load::{Load, prepare};
use super::place::Place;
use super::storage_cost::get;
use super::supervised::supervised;

/// How many servers and nodes there are.
const COUNT: usize = 3;

/// How long a node may take until it accepts calls.
const PATIENCE: Duration = Duration::from_secs(60);

/// Connections while servers are killed.
const CONNECTIONS: usize = 32;

/// How long calls are sent before and after a server is killed.
const AROUND: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// Requests that are prepared; they are sent again and again.
const PREPARED: usize = 20_000;

/// A running cluster.
pub struct Cluster {
    program: PathBuf,
    dir: PathBuf,
    servers: Vec<Child>,
    /// The second and the third node; the first one is a contestant.
    _others: Vec<Server>,
}

/// The cost of killing a NATS server.
#[derive(Debug, Serialize)]
pub struct Outage {
    /// The number of the killed server, from 1.
    pub server: usize,
    /// The longest that a call waited for its answer, in milliseconds.
    pub longest_ms: f64,
    /// Calls that were answered 503.
    pub refused: u64,
}

impl Cluster {
    /// Starts it with new folders; returns the first node, too.
    pub fn start(args: &RunArgs, place: &Place, program: &Path) -> anyhow::Result<(Self, Server)> {
        let dir = place.data(&format!("cluster-{}", args.events));
        std::fs::create_dir_all(&dir).with_context(|| format!("making {}", dir.display()))?;
        let (clients, routes) = (free_ports()?, free_ports()?);
        for (own, (client, route)) in clients.iter().zip(&routes).enumerate() {
            let text = format!(
                "server_name: n{own}\nlisten: 127.0.0.1:{client}\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: {:?}, sync_interval: always }}\n\
                 cluster {{ name: c, listen: 127.0.0.1:{route}, routes: [{}] }}\n",
                dir.join(format!("nats{own}")),
                routes
                    .map(|port| format!("\"nats://127.0.0.1:{port}\""))
                    .join(", "),
            );
            std::fs::write(configuration(&dir, own), text)?;
        }
        let mut cluster = Self {
            program: program.to_owned(),
            dir,
            servers: Vec::new(),
            _others: Vec::new(),
        };
        for own in 0..COUNT {
            let server = cluster.server(own)?;
            cluster.servers.push(server);
        }
        let node = |own: usize| -> anyhow::Result<Server> {
            let nearest = clients.iter().cycle().skip(own).take(COUNT);
            let urls = nearest.map(|port| format!("nats://127.0.0.1:{port}"));
            let urls = urls.collect::<Vec<_>>().join(",");
            let data = cluster.dir.join(format!("node{own}"));
            let more = [format!("--nats={urls}")];
            let server = Server::profiletrail(&place.binary, &data, args.workers, &more)?;
            wait_ready(&server)?;
            Ok(server)
        };
        let first = node(0)?;
        let backup = cluster.dir.join("backup");
        command(&place.binary, "backup", &backup, &cluster.dir.join("node0"))?;
        let mut others = Vec::new();
        for own in 1..COUNT {
            let data = cluster.dir.join(format!("node{own}"));
            command(&place.binary, "restore", &backup, &data)?;
            others.push(node(own)?);
        }
        cluster._others = others;
        Ok((cluster, first))
    }

    fn server(&self, own: usize) -> anyhow::Result<Child> {
        let log = std::fs::File::create(self.dir.join(format!("nats{own}.log")))?;
        supervised(&self.program)?
            .arg("--config")
            .arg(configuration(&self.dir, own))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .with_context(|| format!("starting {}", self.program.display()))
    }

    /// Kills each NATS server while a node receives calls, and starts it again.
    pub fn kill_servers(&mut self, args: &RunArgs, node: &Server) -> anyhow::Result<Vec<Outage>> {
        let prepared = prepare(&mut args.later_bodies(), PREPARED);
        let mut requests = prepared.iter().cycle();
        let mut outages = Vec::new();
        for own in 0..COUNT {
            eprintln!("killing NATS server {}", own + 1);
            let mut load = Load::open(node.address, CONNECTIONS, &mut requests, None)?;
            load.run(&mut requests, Some(AROUND.0))?;
            let server = self.servers.get_mut(own).context("no server")?;
            server.kill()?;
            server.wait()?;
            let outcome = load.run(&mut requests, Some(AROUND.1))?;
            outages.push(Outage {
                server: own + 1,
                longest_ms: outcome.quantile(1.0) / 1e3,
                refused: outcome.refused,
            });
            let again = self.server(own)?;
            if let Some(server) = self.servers.get_mut(own) {
                *server = again;
            }
            // The others have the messages that it missed.
            std::thread::sleep(AROUND.1);
            wait_ready(node)?;
        }
        Ok(outages)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        for server in &mut self.servers {
            // One that has ended already is as well.
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

fn configuration(dir: &Path, own: usize) -> PathBuf {
    dir.join(format!("nats{own}.conf"))
}

/// Ports that were free a moment ago.
fn free_ports() -> anyhow::Result<[u16; COUNT]> {
    // All are held until the last is known, so that they differ.
    let mut listeners = Vec::new();
    let mut ports = [0; COUNT];
    for port in &mut ports {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        *port = listener.local_addr()?.port();
        listeners.push(listener);
    }
    Ok(ports)
}

fn wait_ready(server: &Server) -> anyhow::Result<()> {
    let begun = Instant::now();
    while let Err(error) = get(server.address, "/readyz") {
        if begun.elapsed() > PATIENCE {
            return Err(error).context("a node that accepts no calls");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

fn command(binary: &Path, name: &str, backup: &Path, data: &Path) -> anyhow::Result<()> {
    let mut command = supervised(binary)?;
    command.arg(name).arg(backup).arg("--data").arg(data);
    let status = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

//! Three NATS servers, whose routes to each other go through proxies of the test, and whose
//! clients may.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{clean, eventually};

/// How many servers there are.
pub const COUNT: usize = 3;

/// Where the server's program is; it is installed where it is not.
fn program() -> PathBuf {
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nats/install");
    let installed = Command::new(install).output().unwrap();
    assert!(installed.status.success(), "{installed:?}");
    let dir = String::from_utf8(installed.stdout).unwrap();
    Path::new(dir.trim_end()).join("nats-server")
}

/// A port that was free a moment ago.
/// A proxy of TCP connections, which can be cut and slow.
pub struct Link {
    pub address: SocketAddr,
    state: Arc<LinkState>,
}

#[derive(Default)]
struct LinkState {
    target: Mutex<Option<SocketAddr>>,
    is_cut: AtomicBool,
    /// Whether what the target answers is thrown away.
    is_deaf: AtomicBool,
    /// Whether what the target answers waits.
    is_held: AtomicBool,
    /// How long each piece is held back, in milliseconds.
    delay: AtomicU64,
    is_ended: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Link {
    pub fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(LinkState::default());
        *state.target.lock().unwrap() = Some(target);
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                if shared.is_ended.load(Ordering::SeqCst) {
                    return;
                }
                let (Ok(near), false) = (near, shared.is_cut.load(Ordering::SeqCst)) else {
                    continue;
                };
                let Ok(far) = TcpStream::connect(target) else {
                    continue;
                };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let both = [near.try_clone().unwrap(), far.try_clone().unwrap()];
                shared.open.lock().unwrap().extend(both);
                let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                let (there, back) = (Arc::clone(&shared), Arc::clone(&shared));
                std::thread::spawn(move || pump(near, far, &there, false));
                std::thread::spawn(move || pump(far_too, near_too, &back, true));
            }
        });
        Self { address, state }
    }

    /// Ends all connections, and takes no more.
    pub fn cut(&self) {
        self.state.is_cut.store(true, Ordering::SeqCst);
        for stream in self.state.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    pub fn mend(&self) {
        self.state.is_cut.store(false, Ordering::SeqCst);
        self.state.is_deaf.store(false, Ordering::SeqCst);
        self.state.is_held.store(false, Ordering::SeqCst);
        self.state.delay.store(0, Ordering::SeqCst);
    }

    /// Holds back each piece.
    pub fn delay(&self, by: Duration) {
        let by = u64::try_from(by.as_millis()).unwrap();
        self.state.delay.store(by, Ordering::SeqCst);
    }

    /// Holds back what the target answers, as a network does that loses it: TCP sends it again.
    pub fn hold(&self) {
        self.state.is_held.store(true, Ordering::SeqCst);
    }

    /// Throws away what the target answers; the connection is to be cut then.
    pub fn deafen(&self) {
        self.state.is_deaf.store(true, Ordering::SeqCst);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.state.is_ended.store(true, Ordering::SeqCst);
        self.cut();
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn pump(mut from: TcpStream, mut to: TcpStream, state: &LinkState, is_answer: bool) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(len @ 1..) = from.read(&mut buffer) {
        let delay = state.delay.load(Ordering::SeqCst);
        if delay > 0 {
            std::thread::sleep(Duration::from_millis(delay));
        }
        if is_answer && state.is_deaf.load(Ordering::SeqCst) {
            continue;
        }
        while is_answer
            && state.is_held.load(Ordering::SeqCst)
            && !state.is_ended.load(Ordering::SeqCst)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        if to.write_all(&buffer[..len]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

/// Three servers that form a cluster.
pub struct NatsServers {
    program: PathBuf,
    dir: PathBuf,
    clients: [u16; COUNT],
    monitors: [u16; COUNT],
    children: [Option<Child>; COUNT],
    /// From which server to which the routes lead.
    routes: Vec<(usize, usize, Link)>,
}

impl NatsServers {
    /// Starts them; they sync always, or not.
    pub fn start(dir: &Path, syncs: bool) -> Self {
        // Nobody else is given the three ports of a server before it starts.
        let held =
            [(); COUNT].map(|()| [(); 3].map(|()| TcpListener::bind("127.0.0.1:0").unwrap()));
        let ports = |kind: usize| {
            let own = held.each_ref().map(|own| &own[kind]);
            own.map(|listener| listener.local_addr().unwrap().port())
        };
        let (clients, monitors, clusters) = (ports(0), ports(1), ports(2));
        let mut routes = Vec::new();
        for from in 0..COUNT {
            for to in (0..COUNT).filter(|to| *to != from) {
                let target = SocketAddr::from(([127, 0, 0, 1], clusters[to]));
                routes.push((from, to, Link::to(target)));
            }
        }
        std::fs::create_dir_all(dir).unwrap();
        let mut servers = Self {
            program: program(),
            dir: dir.to_owned(),
            clients,
            monitors,
            children: [None, None, None],
            routes,
        };
        let sync = if syncs { "always" } else { "2m" };
        for (own, ports) in held.into_iter().enumerate() {
            let routes = servers.routes.iter().filter(|(from, ..)| *from == own);
            let routes: Vec<_> = routes
                .map(|(_, _, link)| format!("\"nats://{}\"", link.address))
                .collect();
            // No server advertises a route that bypasses the proxies.
            let text = format!(
                "server_name: n{own}\nlisten: 127.0.0.1:{}\nhttp: 127.0.0.1:{}\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: \"{}\", sync_interval: {sync} }}\n\
                 cluster {{ name: c, listen: 127.0.0.1:{}, advertise: \"127.0.0.1:1\", routes: [{}] }}\n",
                clients[own],
                monitors[own],
                dir.join(format!("store{own}")).display(),
                clusters[own],
                routes.join(", ")
            );
            std::fs::write(dir.join(format!("{own}.conf")), text).unwrap();
            drop(ports);
            servers.run(own);
        }
        servers
    }

    pub fn run(&mut self, own: usize) {
        let conf = self.dir.join(format!("{own}.conf"));
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.dir.join(format!("{own}.log")))
            .unwrap();
        let child = clean(&self.program)
            .arg("-c")
            .arg(conf)
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        self.children[own] = Some(child);
        let address = self.client(own);
        eventually("a NATS server listens", || {
            TcpStream::connect(address).is_ok()
        });
    }

    /// Ends one as a crash does.
    pub fn kill(&mut self, own: usize) {
        let mut child = self.children[own].take().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub fn signal(&self, own: usize, signal: Signal) {
        let child = self.children[own].as_ref().unwrap();
        kill_process(Pid::from_child(child), signal).unwrap();
    }

    pub fn client(&self, own: usize) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.clients[own]))
    }

    pub fn monitor(&self, own: usize) -> String {
        format!("http://127.0.0.1:{}", self.monitors[own])
    }

    /// Where a server keeps its streams.
    pub fn store(&self, own: usize) -> PathBuf {
        self.dir.join(format!("store{own}"))
    }

    /// Separates a server from the others.
    pub fn isolate(&self, own: usize) {
        self.links_of(own).for_each(Link::cut);
    }

    /// Lets a server hear nothing on the routes that it has opened, while the others hear it.
    pub fn hold(&self, own: usize) {
        let routes = self.routes.iter();
        let opened = routes.filter(|(from, ..)| *from == own);
        opened.for_each(|(_, _, link)| link.hold());
    }

    /// Holds back what a server and the others say to each other.
    pub fn slow(&self, own: usize, by: Duration) {
        self.links_of(own).for_each(|link| link.delay(by));
    }

    pub fn mend(&self) {
        self.routes.iter().for_each(|(_, _, link)| link.mend());
    }

    fn links_of(&self, own: usize) -> impl Iterator<Item = &Link> {
        let links = self.routes.iter();
        let links = links.filter(move |(from, to, _)| *from == own || *to == own);
        links.map(|(_, _, link)| link)
    }
}

impl Drop for NatsServers {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

//! Proven, with faults under load: what was answered 200 is in every log under the number that
//! was answered, once unless the sender was left in doubt; and all nodes give the same answers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use rustix::process::Signal;

use super::node::{Node, converge, three};
use crate::support::nats::{COUNT, Link, NatsServers};
use crate::support::{Client, Dice, Over, eventually, files_below, flip};

/// How many senders there are.
const SENDERS: usize = 6;

/// How long a sender waits after each call, so that many rounds leave logs that can be compared.
const PAUSE: Duration = Duration::from_millis(10);

/// How many kinds of faults there are.
const KINDS: u64 = 8;

/// How many faults there are; more with `CLUSTER_ROUNDS`.
const ROUNDS: u64 = KINDS;

/// How many acknowledgements are lost; more with `CLUSTER_ACKS`.
const ACKS: u64 = 20;

/// How many of them a node loses one after the other; the nodes share nothing.
const ACKS_OF_NODE: u64 = 500;

/// How many such nodes there are at least.
const ALONE: u64 = 4;

/// Sends calls to whichever node takes them.
struct Load {
    nodes: Mutex<[Option<SocketAddr>; COUNT]>,
    is_over: AtomicBool,
    answered: AtomicU64,
    /// The body that was answered with each number.
    kept: Mutex<BTreeMap<u64, String>>,
    /// Bodies that were sent again, as it was not known whether they are kept.
    in_doubt: Mutex<BTreeSet<String>>,
}

impl Load {
    fn on(nodes: &[Node]) -> Self {
        let addresses: Vec<_> = nodes
            .iter()
            .map(|node| Some(node.server().address))
            .collect();
        Self {
            nodes: Mutex::new(addresses.try_into().unwrap()),
            is_over: AtomicBool::new(false),
            answered: AtomicU64::new(0),
            kept: Mutex::default(),
            in_doubt: Mutex::default(),
        }
    }

    fn moved(&self, own: usize, node: Option<&Node>) {
        self.nodes.lock().unwrap()[own] = node.map(|node| node.server().address);
    }

    fn send(&self, sender: usize) {
        let mut dice = Dice(sender as u64);
        let (mut own, mut client): (usize, Option<Client>) = (sender % COUNT, None);
        for call in 0.. {
            if self.is_over.load(Ordering::SeqCst) {
                return;
            }
            std::thread::sleep(PAUSE);
            let body = format!(
                "type=update&profile={}&time={}&fields[v]={sender}-{call}",
                dice.below(300) + 1,
                1_760_000_000 + dice.below(100_000)
            );
            loop {
                let address = self.nodes.lock().unwrap()[own];
                let connected = client.take().or_else(|| Client::try_connect(address?).ok());
                let reply = connected.and_then(|mut connected| {
                    let reply = connected.try_post("/webhook", &body).ok()?;
                    Some((connected, reply))
                });
                match reply {
                    Some((connected, reply)) if reply.status == 200 => {
                        client = Some(connected);
                        let seq = reply.seq();
                        let before = self.kept.lock().unwrap().insert(seq, body);
                        assert_eq!(before, None, "number {seq} was given twice");
                        self.answered.fetch_add(1, Ordering::SeqCst);
                        break;
                    }
                    Some((_, reply)) => assert_eq!(reply.status, 503),
                    None => {}
                }
                self.in_doubt.lock().unwrap().insert(body.clone());
                own = (own + 1) % COUNT;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
    }

    /// Waits until more calls are answered.
    #[track_caller]
    fn goes_on(&self, calls: u64) {
        let begun = self.answered.load(Ordering::SeqCst);
        eventually("calls are answered", || {
            self.answered.load(Ordering::SeqCst) >= begun + calls
        });
    }

    /// Compares what was answered with what nodes have.
    #[track_caller]
    fn check(&self, nodes: &[Node]) {
        let in_doubt = self.in_doubt.lock().unwrap();
        for node in nodes {
            let bodies = node.bodies();
            let numbers: Vec<u64> = bodies.keys().copied().collect();
            assert_eq!(numbers, (1..=bodies.len() as u64).collect::<Vec<_>>());
            let mut times: BTreeMap<&str, usize> = BTreeMap::new();
            for body in bodies.values() {
                *times.entry(body).or_default() += 1;
            }
            for (seq, body) in &*self.kept.lock().unwrap() {
                assert_eq!(
                    bodies.get(seq),
                    Some(body),
                    "event {seq} of {}",
                    node.dir.display()
                );
                let found = times[body.as_str()];
                assert!(
                    found == 1 || in_doubt.contains(body),
                    "{body} is there {found} times"
                );
            }
        }
    }
}

/// One fault, and its end.
fn fault(kind: u64, own: usize, servers: &mut NatsServers, nodes: &mut [Node], load: &Load) {
    let pause = |seconds| std::thread::sleep(Duration::from_secs(seconds));
    match kind {
        0 => {
            load.moved(own, None);
            nodes[own].kill();
            load.goes_on(20);
            nodes[own].run();
            load.moved(own, Some(&nodes[own]));
        }
        1 => {
            nodes[own].server().signal(Signal::STOP);
            pause(3);
            nodes[own].server().signal(Signal::CONT);
        }
        2 => {
            servers.kill(own);
            load.goes_on(20);
            servers.run(own);
        }
        3 => {
            servers.isolate(own);
            load.goes_on(20);
            servers.mend();
        }
        4 => {
            servers.signal(own, Signal::STOP);
            load.goes_on(20);
            servers.signal(own, Signal::CONT);
        }
        5 => {
            servers.slow(own, Duration::from_millis(30));
            load.goes_on(20);
            servers.mend();
        }
        6 => {
            // A leader that hears nobody, and whom all hear, may hold up everything meanwhile.
            servers.hold(own);
            pause(5);
            servers.mend();
        }
        _ => {
            load.moved(own, None);
            nodes[own].kill();
            let other = (own + 1) % COUNT;
            nodes[own].restore(&nodes[other]);
            nodes[own].run();
            load.moved(own, Some(&nodes[own]));
        }
    }
}

#[test]
fn what_was_answered_is_in_every_log_after_faults_under_load() {
    let dir = tempfile::tempdir().unwrap();
    let mut servers = NatsServers::start(&dir.path().join("nats"), true);
    let mut nodes = three(dir.path(), &servers);
    let load = Load::on(&nodes);
    let rounds = std::env::var("CLUSTER_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap());
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let load = &load;
            scope.spawn(move || load.send(sender));
        }
        // The senders end with the test, however that ends.
        let _over = Over(&load.is_over);
        let mut dice = Dice(rounds);
        for round in 0..rounds {
            let own = usize::try_from(dice.below(COUNT as u64)).unwrap();
            println!("round {round}: fault {} at {own}", round % KINDS);
            fault(round % KINDS, own, &mut servers, &mut nodes, &load);
            nodes.iter().for_each(Node::wait_ready);
            load.goes_on(20);
        }
    });
    converge(&nodes);
    load.check(&nodes);
}

#[test]
fn a_lost_acknowledgement_makes_nothing_twice_and_no_hole() {
    let dir = tempfile::tempdir().unwrap();
    let servers = NatsServers::start(&dir.path().join("nats"), true);
    let acks = std::env::var("CLUSTER_ACKS").map_or(ACKS, |acks| acks.parse().unwrap());
    let nodes = acks.div_ceil(ACKS_OF_NODE).max(ALONE);
    std::thread::scope(|scope| {
        for own in 0..nodes {
            let (dir, servers) = (dir.path().join(format!("node{own}")), &servers);
            scope.spawn(move || lose_acknowledgements(dir, servers, acks.div_ceil(nodes)));
        }
    });
}

/// Loses the acknowledgement of each call to a node, which has a stream of its own.
fn lose_acknowledgements(dir: PathBuf, servers: &NatsServers, acks: u64) {
    let links: Vec<_> = (0..COUNT)
        .map(|own| Link::to(servers.client(own)))
        .collect();
    let mut node = Node::new(dir, servers, 0);
    let urls: Vec<_> = links
        .iter()
        .map(|link| format!("nats://{}", link.address))
        .collect();
    node.nats = urls.join(",");
    node.run();
    node.wait_ready();
    for call in 0..acks {
        let body = format!(
            "type=update&profile=1&time={}&fields[v]=x",
            1_760_000_000 + call
        );
        links.iter().for_each(Link::deafen);
        let seq = std::thread::scope(|scope| {
            let post = scope.spawn(|| {
                let reply = node.server().client().post("/webhook", &body);
                assert_eq!(reply.status, 200, "{}", node.server().log());
                reply.seq()
            });
            // By then it is usually in the stream, and the node has no acknowledgement yet.
            std::thread::sleep(Duration::from_millis(100));
            links.iter().for_each(Link::cut);
            links.iter().for_each(Link::mend);
            post.join().unwrap()
        });
        assert_eq!(seq, call + 1);
    }
    let bodies = node.bodies();
    assert_eq!(bodies.len() as u64, acks);
    let different: BTreeSet<_> = bodies.into_values().collect();
    assert_eq!(different.len() as u64, acks);
}

/// Changes a bit of every block that a NATS server has of the stream.
fn flip_blocks(store: &Path) {
    for path in files_below(store) {
        let name = path.to_string_lossy();
        // A new block may be empty.
        if name.contains("profiletrail-")
            && name.ends_with(".blk")
            && path.metadata().unwrap().len() > 0
        {
            flip(&path, |bytes| bytes.len() / 2);
        }
    }
}

#[test]
fn a_bit_flipped_in_the_stream_is_passed_on_by_no_node() {
    let dir = tempfile::tempdir().unwrap();
    let mut servers = NatsServers::start(&dir.path().join("nats"), true);
    let mut nodes = three(dir.path(), &servers);
    let mut kept = BTreeMap::new();
    let mut post = |node: &Node, call: u64| {
        let body = format!(
            "type=update&profile=1&time={}&fields[v]=x",
            1_760_000_000 + call
        );
        let seq = node.server().client().post("/webhook", &body).seq();
        kept.insert(seq, body);
    };
    (0..10).for_each(|call| post(&nodes[0], call));
    // What the third node has not read yet is changed at its own NATS server.
    nodes[2].kill();
    (10..40).for_each(|call| post(&nodes[1], call));
    servers.kill(2);
    flip_blocks(&servers.store(2));
    servers.run(2);
    (40..50).for_each(|call| post(&nodes[0], call));
    nodes[2].run();
    eventually("the third node has all, or says that it has not", || {
        nodes[2].is_ready() || nodes[2].server().log().contains("estore a backup of")
    });
    if !nodes[2].is_ready() {
        nodes[2].kill();
        nodes[2].restore(&nodes[0]);
        nodes[2].run();
        nodes[2].wait_ready();
    }
    converge(&nodes);
    for node in &nodes {
        assert_eq!(node.bodies(), kept);
    }
}

//! Proven: calls that three nodes get at the same time have one number each, the same on all;
//! rejected calls likewise; and a subprofile that one node has just learnt of is known to the
//! others.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::node::{converge, three};
use crate::support::Dice;
use crate::support::nats::{COUNT, NatsServers};

#[test]
fn three_nodes_give_the_same_numbers_and_answers() {
    let dir = tempfile::tempdir().unwrap();
    let servers = NatsServers::start(&dir.path().join("nats"), true);
    let nodes = three(dir.path(), &servers);
    let kept: Mutex<BTreeMap<u64, String>> = Mutex::default();
    std::thread::scope(|scope| {
        for sender in 0..2 * COUNT {
            let (kept, node) = (&kept, &nodes[sender % COUNT]);
            scope.spawn(move || {
                let mut dice = Dice(sender as u64);
                let mut client = node.server().client();
                for call in 0..60 {
                    if dice.below(8) == 0 {
                        let reply = client
                            .post("/webhook", format!("type=update&profile=x{sender}-{call}"));
                        assert_eq!(reply.status, 400);
                        continue;
                    }
                    let body = format!(
                        "type=update&profile={}&time={}&fields[v]={sender}-{call}",
                        dice.below(3) + 1,
                        1_760_000_000 + dice.below(100)
                    );
                    let seq = client.post("/webhook", &body).seq();
                    let before = kept.lock().unwrap().insert(seq, body);
                    assert_eq!(before, None, "number {seq} was given twice");
                }
            });
        }
    });
    // What one node has answered is known to the others.
    for number in 0..20 {
        let [first, second] = [number % COUNT, (number + 1) % COUNT].map(|own| nodes[own].server());
        let subprofile = 1000 + number;
        let body = format!("type=create&profile=9&subprofile={subprofile}&time=1760000000");
        first.client().post("/webhook", body).seq();
        let body = format!("type=delete&subprofile={subprofile}&time=1760000001");
        second.client().post("/webhook", body).seq();
    }
    let answers = converge(&nodes);
    assert!(answers["rejected"].lines().count() > 10);
    for node in &nodes {
        let bodies = node.bodies();
        let numbers: Vec<u64> = bodies.keys().copied().collect();
        assert_eq!(numbers, (1..=bodies.len() as u64).collect::<Vec<_>>());
        for (seq, body) in &*kept.lock().unwrap() {
            assert_eq!(&bodies[seq], body);
        }
    }
    // A node that was stopped goes on where it was.
    let mut nodes = nodes;
    nodes[2].stop();
    nodes[0]
        .server()
        .client()
        .post("/webhook", "type=update&profile=1&time=1&fields[v]=x")
        .seq();
    nodes[2].run();
    nodes[2].wait_ready();
    nodes[2]
        .server()
        .client()
        .post("/webhook", "type=update&profile=1&time=2&fields[v]=y")
        .seq();
    converge(&nodes);
}

//! Two receivers behind one address that moves, each of which adds the other's events
//! with `scripts/profiletrail-pull`.
//!
//! Proven: a kill under load loses nothing that was answered 200. Until the next run each
//! receiver lacks exactly what the other one was sent, and after it both give the same
//! answers, but for the numbers of events. Runs that follow change nothing. The script
//! notices when the other receiver gives numbers again, and fails without a valid token.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::http::token;
use crate::support::{
    BINARY, Client, Dice, Outcome, Server, clean, cli, eventually, exported, json_lines,
};

/// The script, which fetches so many events at a time.
fn script(dir: &Path, limit: u64) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/profiletrail-pull");
    let text = fs::read_to_string(source).unwrap();
    let limited = text.replace("limit=10000\n", &format!("limit={limit}\n"));
    assert_ne!(limited, text);
    let path = dir.join("profiletrail-pull");
    fs::write(
        &path,
        limited.replace("/usr/local/bin/profiletrail", BINARY),
    )
    .unwrap();
    path
}

/// A receiver with its own folder.
struct Receiver {
    dir: PathBuf,
    server: Option<Server>,
}

impl Receiver {
    fn start(dir: PathBuf) -> Self {
        fs::create_dir_all(dir.join("cache")).unwrap();
        let mut receiver = Self { dir, server: None };
        receiver.run();
        fs::write(receiver.dir.join("token"), token(&receiver.data(), "read")).unwrap();
        receiver
    }

    fn run(&mut self) {
        let args = [
            "--api",
            "127.0.0.1:0",
            "--segment-size",
            "40KiB",
            "--log",
            "warn",
        ];
        self.server = Some(Server::start(&self.data(), &args));
    }

    fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    fn server(&self) -> &Server {
        self.server.as_ref().unwrap()
    }

    fn post(&self, body: &str) {
        self.server().client().post("/webhook", body).seq();
    }

    /// Runs the script as the unit does.
    fn try_pull(&self, script: &Path, other: &Self, token: &Path) -> Outcome {
        let output = clean("sh")
            .arg(script)
            .env("PROFILETRAIL_DATA", self.data())
            .env(
                "PROFILETRAIL_PEER",
                format!("http://{}", other.server().api()),
            )
            .env("PROFILETRAIL_PEER_TOKEN", token)
            .env("CACHE_DIRECTORY", self.dir.join("cache"))
            .output()
            .unwrap();
        Outcome {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What a run says that succeeds.
    #[track_caller]
    fn pull(&self, script: &Path, other: &Self) -> String {
        let outcome = self.try_pull(script, other, &other.dir.join("token"));
        let said = outcome.stderr.clone();
        assert_eq!(outcome.ok(), "");
        said
    }

    /// How often each body is kept.
    fn bodies(&self) -> BTreeMap<String, usize> {
        let mut bodies = BTreeMap::new();
        for line in exported(&self.data()) {
            if line["type"] == "erased" {
                continue;
            }
            let body = line["body"].as_str().unwrap().to_owned();
            *bodies.entry(body).or_default() += 1;
        }
        bodies
    }

    fn ask(&self, args: &[&str]) -> Vec<Value> {
        let outcome = cli(&self.data(), &[args, &["--format", "jsonl"]].concat());
        assert!(
            matches!(outcome.status, Some(0 | 1)),
            "{args:?}: {outcome:?}"
        );
        let mut lines = json_lines(&outcome.stdout);
        lines.iter_mut().for_each(strip_numbers);
        if args[0] == "history" {
            // Of two that repeat each other, either may be the first.
            for line in &mut lines {
                line.as_object_mut().unwrap().remove("received").unwrap();
            }
        }
        lines
    }

    /// All answers, without the numbers of events.
    fn answers(&self) -> BTreeMap<String, Vec<Value>> {
        let mut answers = BTreeMap::new();
        for key in KEYS {
            for args in [
                &["history", key, "--all"][..],
                &["history", key, "--subprofiles", "--cascade"],
                &["show", key, "--at", "2030-01-01"],
                &["show", key, "--at", "@1760004000"],
                &["blame", key, "--at", "2030-01-01", "--cascade"],
                &["diff", key, "--from", "@1760002000", "--to", "@1760007000"],
            ] {
                answers.insert(args.join(" "), self.ask(args));
            }
        }
        // These have lines in the order of the numbers, within a second or throughout.
        for args in [
            &["changes"][..],
            &["changes", "--cascade", "--cause", "unexplained"],
            &["find", "v=1.7", "--ever"],
            &["export"],
            &["export", "--raw"],
        ] {
            let mut lines = self.ask(args);
            lines.sort_by_cached_key(Value::to_string);
            answers.insert(args.join(" "), lines);
        }
        let mut stats = self.ask(&["stats"]);
        let line = stats[0].as_object_mut().unwrap();
        for name in [
            "log_bytes",
            "index_bytes",
            "plain_segments",
            "sealed_segments",
        ] {
            line.remove(name).unwrap();
        }
        answers.insert("stats".to_owned(), stats);
        answers
    }
}

/// Removes the numbers that each receiver gives by itself.
fn strip_numbers(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for name in ["seq", "duplicate_of", "since_seq", "until_seq"] {
                object.remove(name);
            }
            object.values_mut().for_each(strip_numbers);
        }
        Value::Array(values) => values.iter_mut().for_each(strip_numbers),
        _ => {}
    }
}

const KEYS: [&str; 6] = ["1", "2", "3", "1/10", "2/20", "3/30"];

const CLIENTS: u64 = 4;

/// How many calls each of them sends.
const CALLS: u64 = 150;

/// The address that moves to the second receiver when the first one is gone.
struct Floating {
    receivers: [std::net::SocketAddr; 2],
    active: AtomicUsize,
    answered: AtomicU64,
    /// By receiver the bodies that were answered 200, and those that were sent to the
    /// first receiver and not answered.
    acknowledged: [Mutex<BTreeSet<String>>; 2],
    in_doubt: Mutex<BTreeSet<String>>,
}

impl Floating {
    fn new(receivers: [&Receiver; 2]) -> Self {
        Self {
            receivers: receivers.map(|receiver| receiver.server().address),
            active: AtomicUsize::new(0),
            answered: AtomicU64::new(0),
            acknowledged: Default::default(),
            in_doubt: Mutex::default(),
        }
    }

    /// Sends calls, each until it is answered 200.
    fn send(&self, number: u64) {
        let mut dice = Dice(number);
        let mut client: Option<(usize, Client)> = None;
        for call in 0..CALLS {
            let body = body(&mut dice, number, call);
            loop {
                let active = self.active.load(Ordering::Relaxed);
                let known = client.take().filter(|(receiver, _)| *receiver == active);
                let connected = match known {
                    Some((_, client)) => Ok(client),
                    None => Client::try_connect(self.receivers[active]),
                };
                let sent = connected.and_then(|mut connected| {
                    let reply = connected.try_post("/webhook", &body)?;
                    Ok((connected, reply))
                });
                if let Ok((connected, reply)) = sent {
                    reply.seq();
                    client = Some((active, connected));
                    self.acknowledged[active].lock().unwrap().insert(body);
                    self.answered.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                assert_eq!(active, 0, "the second receiver is gone");
                self.in_doubt.lock().unwrap().insert(body.clone());
                self.active.store(1, Ordering::Relaxed);
            }
        }
    }

    fn wait_for(&self, count: u64) {
        let answered = || self.answered.load(Ordering::Relaxed);
        eventually("calls are answered", || answered() >= count);
    }
}

/// A call of one of [`KEYS`], unlike any other, in a second of its own, since each receiver orders
/// the events of one second by its own numbers; times come out of order.
fn body(dice: &mut Dice, client: u64, call: u64) -> String {
    let profile = dice.below(3) + 1;
    let of_subprofile = match dice.below(3) {
        0 => format!("&subprofile={profile}0&collection=4"),
        _ => String::new(),
    };
    let time = 1_760_000_000 + (client + CLIENTS * call) * 7_919 % 10_007;
    let (kind, id) = (dice.below(12), format!("{client}.{call}"));
    let content = match kind {
        0 => "type=create",
        1 => "type=delete",
        2 => "type=click",
        _ => "type=update",
    };
    let set = dice.below(4);
    format!(
        "{content}&profile={profile}{of_subprofile}&database=7&time={time}&id={id}\
         &parameters[v]={client}.{set}&fields[v]={client}.{set}&fields[last]={id}&interests[]=i{set}"
    )
}

#[test]
fn after_an_exchange_both_give_the_same_answers() {
    let dir = tempfile::tempdir().unwrap();
    let script = script(dir.path(), 100);
    let mut a = Receiver::start(dir.path().join("a"));
    let b = Receiver::start(dir.path().join("b"));
    // The answer of the first receiver was lost, and the call sent again.
    let twice = "type=update&profile=1&time=1759999995&fields[v]=twice";
    b.post(twice);
    a.post(twice);
    let floating = Floating::new([&a, &b]);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let floating = &floating;
            scope.spawn(move || floating.send(number));
        }
        floating.wait_for(CALLS);
        a.server.take().unwrap().kill();
        a.run();
        // While calls arrive.
        floating.wait_for(2 * CALLS);
        a.pull(&script, &b);
    });
    let late = "type=update&profile=2&time=1759999996&fields[v]=late";
    b.post(late);

    // What was answered by each receiver is there, and nowhere else before an exchange.
    let [by_a, by_b] = floating
        .acknowledged
        .map(|bodies| bodies.into_inner().unwrap());
    let in_doubt = floating.in_doubt.into_inner().unwrap();
    assert!(by_a.len() as u64 >= CALLS && !by_b.is_empty());
    assert!(in_doubt.len() as u64 <= CLIENTS && in_doubt.is_subset(&by_b));
    let (on_a, on_b) = (a.bodies(), b.bodies());
    for body in &by_a {
        assert_eq!((on_a.get(body), on_b.get(body)), (Some(&1), None), "{body}");
    }
    for body in &by_b {
        assert_eq!(on_b.get(body), Some(&1), "{body}");
    }
    assert!(!on_a.contains_key(late));

    a.pull(&script, &b);
    b.pull(&script, &a);
    let (on_a, on_b) = (a.bodies(), b.bodies());
    assert_eq!(on_a, on_b);
    assert_eq!((on_a[twice], on_a[late]), (2, 1));
    let all: BTreeSet<&String> = by_a.iter().chain(&by_b).collect();
    assert_eq!(on_a.len(), all.len() + 2);
    for body in all {
        // Twice where the first receiver has kept a call that it did not answer.
        assert!(on_a[body] == 1 || in_doubt.contains(body), "{body}");
    }
    let (of_a, of_b) = (a.answers(), b.answers());
    assert!(!of_a["changes"].is_empty());
    for (question, lines) in &of_a {
        assert_eq!(*lines, of_b[question], "{question}");
    }
    // A call that both have kept counts once.
    let repeated: usize = on_a.values().map(|count| count - 1).sum();
    let histories = KEYS.map(|key| cli(&a.data(), &["history", key, "--all"]).ok());
    let histories = histories.concat();
    assert_eq!(histories.matches("\"duplicate_of\":").count(), repeated);

    // Once more, and the other way round first.
    let before = [exported(&a.data()), exported(&b.data())];
    for (own, other) in [(&b, &a), (&a, &b), (&b, &a), (&a, &b)] {
        let said = own.pull(&script, other);
        assert!(said.is_empty() || said.contains("added 0 events"), "{said}");
    }
    assert_eq!(before, [exported(&a.data()), exported(&b.data())]);
    assert_eq!(a.pull(&script, &b), "");

    // Who is erased on one is erased on the other, and does not come back.
    let erase = ["erase", "3", "--reason", "x", "--yes", "--still-present"];
    cli(&a.data(), &erase).ok();
    b.pull(&script, &a);
    for receiver in [&b, &a] {
        let why = cli(&receiver.data(), &["history", "3"]).failed(1);
        assert!(why.contains("profile 3 was erased"), "{why}");
    }
    a.pull(&script, &b);
    fs::remove_dir_all(a.dir.join("cache")).unwrap();
    fs::create_dir(a.dir.join("cache")).unwrap();
    a.pull(&script, &b);
    cli(&a.data(), &["history", "3"]).failed(1);
    assert_eq!(a.bodies(), b.bodies());
    a.server.take().unwrap().stop();
    cli(&a.data(), &["verify"]).ok();
}

#[test]
fn numbers_that_are_given_again_are_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let script = script(dir.path(), 2);
    let a = Receiver::start(dir.path().join("a"));
    let mut b = Receiver::start(dir.path().join("b"));
    let update = |value| format!("type=update&profile={value}&time=1760000000&fields[v]=1");
    assert_eq!(a.pull(&script, &b), "");
    (1..4).for_each(|number| b.post(&update(number)));
    let backup = b.dir.join("backup");
    cli(&b.data(), &["backup", backup.to_str().unwrap()]).ok();
    b.post(&update(4));
    a.pull(&script, &b);
    assert_eq!(exported(&a.data()).len(), 4);

    // The disk of the second receiver is lost, and with it the event 4.
    b.server.take().unwrap().kill();
    fs::remove_dir_all(b.data()).unwrap();
    cli(&b.data(), &["restore", backup.to_str().unwrap()]).ok();
    b.run();
    fs::write(b.dir.join("token"), token(&b.data(), "read")).unwrap();
    (5..8).for_each(|number| b.post(&update(number)));
    let said = a.pull(&script, &b);
    assert!(said.contains("event 4 of http://"), "{said}");
    b.pull(&script, &a);
    let bodies = a.bodies();
    assert_eq!(bodies, b.bodies());
    assert_eq!(bodies.len(), 7);

    // Nothing is fetched without a valid token, and nothing is forgotten.
    b.post(&update(8));
    let wrong = dir.path().join("wrong");
    fs::write(&wrong, "pt_wrong").unwrap();
    let said = a.try_pull(&script, &b, &wrong).failed(22);
    assert!(said.contains("does not answer: {\"error\":"), "{said}");
    let said = a.pull(&script, &b);
    assert!(said.contains("added 1 event;"), "{said}");
}

#[test]
fn a_call_without_its_profile_is_entered_after_an_exchange() {
    let dir = tempfile::tempdir().unwrap();
    let script = script(dir.path(), 100);
    let a = Receiver::start(dir.path().join("a"));
    let b = Receiver::start(dir.path().join("b"));
    a.post("type=create&profile=1&subprofile=10&time=1760000000&fields[v]=1");
    let gone = "type=delete&subprofile=10&time=1760000001";
    assert_eq!(b.server().client().post("/webhook", gone).status, 400);
    b.pull(&script, &a);
    cli(&b.data(), &["rejected", "--retry"]).ok();
    a.pull(&script, &b);
    assert_eq!(a.ask(&["show", "1/10"])[0]["state"], "deleted");
}

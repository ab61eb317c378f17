//! The key ring against a DNS server that the test commands.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "support/dns.rs"]
mod dns;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use dns::{DnsServer, Mode};
use profiletrail::keys::{
    Busy, Clock, KeyConfig, KeyDomain, KeyError, KeyName, KeyRing, Lookup, PublicKey,
};

const ONE: &str = "one._domainkey.copernica.com";
const OLD: &str = "old._domainkey.copernica.com";
const DAY: u64 = 24 * 60 * 60;
/// So long that reaching it means 'never'.
const NEVER: Duration = Duration::from_secs(60);

/// A clock that moves when told to.
#[derive(Default)]
struct TestClock(AtomicU64);

impl TestClock {
    fn pass(&self, seconds: u64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn elapsed(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::SeqCst))
    }

    fn unix(&self) -> i64 {
        1_763_892_000 + i64::try_from(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

type Told = Result<Arc<PublicKey>, KeyError>;

/// A server with the records of the signed calls, and a ring that asks it.
struct World {
    dns: DnsServer,
    clock: Arc<TestClock>,
    ring: KeyRing,
}

fn records() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signed/dns-records.tsv");
    std::fs::read_to_string(path).unwrap()
}

/// The published record of a name.
fn record(name: &str) -> String {
    let records = records();
    let mut lines = records.lines().filter_map(|line| line.split_once('\t'));
    lines.find(|(of, _)| *of == name).unwrap().1.to_owned()
}

fn name(text: &str) -> KeyName {
    KeyName::below(text, &KeyDomain::default()).unwrap()
}

/// Time-outs that only an answer that never comes reaches.
fn patient(dns: &DnsServer, clock: &Arc<TestClock>) -> KeyConfig {
    KeyConfig {
        dns_server: Some(dns.address()),
        question_timeout: Duration::from_secs(20),
        look_up_timeout: Duration::from_secs(40),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..KeyConfig::default()
    }
}

/// Time-outs for answers that do not come.
fn impatient(dns: &DnsServer, clock: &Arc<TestClock>) -> KeyConfig {
    KeyConfig {
        question_timeout: Duration::from_millis(150),
        look_up_timeout: Duration::from_millis(400),
        ..patient(dns, clock)
    }
}

impl World {
    fn new(config: impl FnOnce(&DnsServer, &Arc<TestClock>) -> KeyConfig) -> Self {
        let dns = DnsServer::with_records(&records(), 300);
        let clock = Arc::new(TestClock::default());
        let ring = KeyRing::start(config(&dns, &clock)).unwrap();
        Self { dns, clock, ring }
    }

    fn asked(&self, text: &str, asker: &str) -> Result<Receiver<Told>, Busy> {
        let (told, receive) = channel();
        let then = Box::new(move |result| told.send(result).unwrap());
        self.ring.look_up(name(text), asker, then)?;
        Ok(receive)
    }

    fn look_up(&self, text: &str) -> Told {
        let receive = self.asked(text, "192.0.2.1").unwrap();
        receive.recv_timeout(NEVER).unwrap()
    }

    /// As a caller should: what is known, else a look-up.
    fn find(&self, text: &str) -> Told {
        match self.ring.get(&name(text)) {
            Lookup::Key(key) => Ok(key),
            Lookup::Refused(error) => Err(error),
            Lookup::Unknown => self.look_up(text),
        }
    }

    fn find_record(&self, text: &str) -> String {
        self.find(text).unwrap().record().to_owned()
    }
}

fn is_unreachable(told: &Told) -> bool {
    matches!(told, Err(KeyError::Unreachable(_)))
}

#[test]
fn a_key_is_found_once_and_kept_for_its_ttl() {
    let world = World::new(patient);
    assert!(matches!(world.ring.get(&name(ONE)), Lookup::Unknown));
    let key = world.look_up(ONE).unwrap();
    assert_eq!((key.bits(), key.name().as_str()), (2048, ONE));
    assert_eq!(key.record(), record(ONE));
    assert_eq!(world.find(OLD).unwrap().bits(), 1024);

    let asked = world.dns.questions(ONE);
    world.clock.pass(299);
    assert!(matches!(world.ring.get(&name(ONE)), Lookup::Key(_)));
    world.look_up(ONE).unwrap();
    assert_eq!(world.dns.questions(ONE), asked);

    world.clock.pass(1);
    assert!(matches!(world.ring.get(&name(ONE)), Lookup::Unknown));
    world.look_up(ONE).unwrap();
    assert!(world.dns.questions(ONE) > asked);
    world.ring.stop();
}

#[test]
fn a_ttl_is_kept_within_its_bounds() {
    let world = World::new(patient);
    world.dns.set_txt(ONE, 0, &[&record(ONE)]);
    world.dns.set_txt(OLD, u32::MAX >> 1, &[&record(OLD)]);
    world.look_up(ONE).unwrap();
    world.look_up(OLD).unwrap();
    world.clock.pass(59);
    assert!(matches!(world.ring.get(&name(ONE)), Lookup::Key(_)));
    world.clock.pass(1);
    assert!(matches!(world.ring.get(&name(ONE)), Lookup::Unknown));
    world.clock.pass(DAY - 61);
    assert!(matches!(world.ring.get(&name(OLD)), Lookup::Key(_)));
    world.clock.pass(1);
    assert!(matches!(world.ring.get(&name(OLD)), Lookup::Unknown));
}

#[test]
fn a_rotated_key_takes_the_place_of_the_old_one() {
    let world = World::new(patient);
    let key = world.look_up(ONE).unwrap();
    world.ring.seen_valid(&key);
    world.dns.set_txt(ONE, 300, &[&record(OLD)]);
    assert_eq!(world.find_record(ONE), record(ONE));
    world.clock.pass(300);
    assert_eq!(world.find_record(ONE), record(OLD));
    // Nor does the old one come back in an outage.
    world.clock.pass(300);
    world.dns.set_mode(Mode::ServFail);
    assert!(is_unreachable(&world.find(ONE)));
}

#[test]
fn a_doubted_key_is_asked_for_again_but_not_often() {
    let world = World::new(patient);
    let key = world.look_up(ONE).unwrap();
    world.dns.set_txt(ONE, 300, &[&record(OLD)]);
    world.clock.pass(59);
    assert!(!world.ring.doubted(&key));
    assert_eq!(world.find_record(ONE), record(ONE));
    world.clock.pass(1);
    assert!(world.ring.doubted(&key));
    assert_eq!(world.find_record(ONE), record(OLD));
    // Who still holds the old one is sent to the new one; the new one is not doubted at once.
    assert!(world.ring.doubted(&key));
    let fresh = world.find(ONE).unwrap();
    assert!(!world.ring.doubted(&fresh));

    // A doubt while DNS is out of reach takes nothing away before the TTL is over.
    world.clock.pass(60);
    world.dns.set_mode(Mode::ServFail);
    assert!(world.ring.doubted(&fresh));
    assert_eq!(world.find_record(ONE), record(OLD));
    world.clock.pass(240);
    assert!(is_unreachable(&world.find(ONE)));
}

#[test]
fn a_name_without_a_key_is_refused_for_a_while() {
    let world = World::new(patient);
    let absent = "two._domainkey.copernica.com";
    assert_eq!(world.look_up(absent).unwrap_err(), KeyError::Absent);
    let asked = world.dns.questions(absent);
    assert!(matches!(
        world.ring.get(&name(absent)),
        Lookup::Refused(KeyError::Absent)
    ));
    assert_eq!(world.look_up(absent).unwrap_err(), KeyError::Absent);
    assert_eq!(world.dns.questions(absent), asked);
    world.dns.set_txt(absent, 300, &[&record(ONE)]);
    world.clock.pass(60);
    assert_eq!(world.find_record(absent), record(ONE));

    // A name that exists, but has no TXT record.
    world.dns.set_strings("mail.copernica.com", 300, Vec::new());
    let told = world.find("mail.copernica.com");
    assert_eq!(told.unwrap_err(), KeyError::Absent);
}

#[test]
fn a_key_that_is_gone_or_revoked_stops_though_it_was_seen_valid() {
    let world = World::new(patient);
    for name in [ONE, OLD] {
        world.ring.seen_valid(&world.look_up(name).unwrap());
    }
    world.dns.remove(ONE);
    world.dns.set_txt(OLD, 300, &["v=DKIM1; k=rsa; p="]);
    world.clock.pass(300);
    assert_eq!(world.find(ONE).unwrap_err(), KeyError::Absent);
    assert!(matches!(world.find(OLD), Err(KeyError::Unusable(_))));
    world.clock.pass(300);
    world.dns.set_mode(Mode::ServFail);
    assert!(is_unreachable(&world.find(ONE)));
    assert!(is_unreachable(&world.find(OLD)));
}

#[test]
fn failures_of_dns_are_told_apart_from_its_answers() {
    for mode in [
        Mode::ServFail,
        Mode::Refuse,
        Mode::Silent,
        Mode::WrongId,
        Mode::WrongQuestion,
        Mode::Garbage,
    ] {
        let world = World::new(impatient);
        world.dns.set_mode(mode);
        let told = world.look_up(ONE);
        assert!(is_unreachable(&told), "{mode:?}: {told:?}");
        // It is not asked again at once, and found when DNS is back.
        let known = world.ring.get(&name(ONE));
        assert!(matches!(known, Lookup::Refused(KeyError::Unreachable(_))));
        world.dns.set_mode(Mode::Answer);
        world.clock.pass(5);
        assert_eq!(world.ring.get(&name(ONE)).kind(), "unknown");
        let told = found_at_last(&world);
        assert_eq!(told.unwrap().record(), record(ONE), "{mode:?}");
    }
}

/// Looks up until an answer comes in time: on a busy machine the short time-outs may be reached.
fn found_at_last(world: &World) -> Told {
    for _ in 0..50 {
        let told = world.find(ONE);
        if told.is_ok() {
            return told;
        }
        world.clock.pass(5);
    }
    world.find(ONE)
}

trait Kind {
    fn kind(&self) -> &'static str;
}

impl Kind for Lookup {
    fn kind(&self) -> &'static str {
        match self {
            Lookup::Key(_) => "key",
            Lookup::Refused(_) => "refused",
            Lookup::Unknown => "unknown",
        }
    }
}

#[test]
fn a_forged_answer_before_the_right_one_is_passed_over() {
    let world = World::new(patient);
    world.dns.set_mode(Mode::ForgedFirst);
    assert_eq!(world.look_up(ONE).unwrap().record(), record(ONE));
}

#[test]
fn a_cut_answer_is_asked_for_over_tcp() {
    let world = World::new(patient);
    world.dns.set_mode(Mode::Truncate);
    assert_eq!(world.look_up(ONE).unwrap().record(), record(ONE));
    assert!(world.dns.questions_over_tcp(ONE) > 0);
}

#[test]
fn strings_are_joined_and_of_several_records_the_key_is_taken() {
    let world = World::new(patient);
    let published = record(ONE);
    let bytes = published.as_bytes();
    let split = bytes.chunks(7).map(<[u8]>::to_vec).collect();
    world.dns.set_strings(ONE, 300, vec![split]);
    assert_eq!(world.look_up(ONE).unwrap().record(), published);

    let other = record(OLD);
    let texts = [
        "v=spf1 -all",
        "google-site-verification=x",
        "v=DKIM1; p=",
        &other,
    ];
    world.dns.set_txt(OLD, 300, &texts);
    assert_eq!(world.look_up(OLD).unwrap().record(), other);

    // Bytes that are no text stand in nobody's way.
    let binary = vec![vec![0xff, 0xfe]];
    let key = vec![published.clone().into_bytes()];
    let three = "three._domainkey.copernica.com";
    let split: Vec<Vec<u8>> = key[0].chunks(200).map(<[u8]>::to_vec).collect();
    world
        .dns
        .set_strings(three, 300, vec![binary.clone(), split]);
    assert_eq!(world.look_up(three).unwrap().record(), published);
    let four = "four._domainkey.copernica.com";
    world.dns.set_strings(four, 300, vec![binary]);
    assert!(matches!(world.look_up(four), Err(KeyError::Unusable(_))));

    // Of two keys the longer one, in whatever order they come.
    for texts in [[published.as_str(), &other], [&other, published.as_str()]] {
        world.clock.pass(DAY);
        world.dns.set_txt(ONE, 300, &texts);
        assert_eq!(world.find_record(ONE), published);
    }
}

#[test]
fn an_alias_is_followed() {
    let world = World::new(patient);
    world.dns.set_alias("alias.copernica.com", ONE);
    let key = world.look_up("alias.copernica.com").unwrap();
    assert_eq!(key.record(), record(ONE));
    assert_eq!(key.name().as_str(), "alias.copernica.com");
}

#[test]
fn a_key_seen_valid_serves_through_an_outage_until_it_would_be_rotated() {
    let world = World::new(patient);
    world.ring.seen_valid(&world.look_up(ONE).unwrap());
    world.look_up(OLD).unwrap();
    world.dns.set_mode(Mode::ServFail);
    world.clock.pass(300);
    assert_eq!(world.find_record(ONE), record(ONE));
    // Calls do not each wait for DNS meanwhile.
    let asked = world.dns.questions(ONE);
    assert_eq!(world.ring.get(&name(ONE)).kind(), "key");
    world.find(ONE).unwrap();
    assert_eq!(world.dns.questions(ONE), asked);
    // Nobody had signed with this one.
    assert!(is_unreachable(&world.find(OLD)));

    world.clock.pass(35 * DAY - 301);
    assert_eq!(world.find_record(ONE), record(ONE));
    world.clock.pass(60);
    assert!(is_unreachable(&world.find(ONE)));
    world.clock.pass(60);
    world.dns.set_mode(Mode::Answer);
    assert_eq!(world.find_record(ONE), record(ONE));
}

#[test]
fn a_key_seen_valid_outlasts_a_restart_in_an_outage() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys");
    let remembering = |dns: &DnsServer, clock: &Arc<TestClock>| KeyConfig {
        remembered: Some(file.clone()),
        ..patient(dns, clock)
    };
    let mut world = World::new(remembering);
    world.ring.seen_valid(&world.look_up(ONE).unwrap());
    world.look_up(OLD).unwrap();
    world.ring.stop();

    world.dns.set_mode(Mode::ServFail);
    world.clock.pass(34 * DAY);
    world.ring = KeyRing::start(remembering(&world.dns, &world.clock)).unwrap();
    // What is remembered is not used before DNS was asked.
    assert_eq!(world.ring.get(&name(ONE)).kind(), "unknown");
    assert_eq!(world.look_up(ONE).unwrap().record(), record(ONE));
    assert!(is_unreachable(&world.look_up(OLD)));
    world.ring.stop();

    // A domain that the owner no longer trusts, and a file that is broken, give nothing.
    let elsewhere = KeyConfig {
        domain: "example.net".parse().unwrap(),
        ..remembering(&world.dns, &world.clock)
    };
    world.ring = KeyRing::start(elsewhere).unwrap();
    assert!(is_unreachable(&world.look_up(ONE)));
    world.ring.stop();
    let whole = std::fs::read(&file).unwrap();
    for broken in [
        &whole[..whole.len() - 10],
        b"",
        b"{}",
        b"{\"remembered\":2}\n",
        b"\xff\xfe",
        &[b'\n'; 1 << 21],
    ] {
        std::fs::write(&file, broken).unwrap();
        world.ring = KeyRing::start(remembering(&world.dns, &world.clock)).unwrap();
        assert!(is_unreachable(&world.look_up(ONE)));
        world.ring.stop();
    }
    std::fs::write(&file, &whole).unwrap();

    // DNS is back and says that the key is gone: then it is forgotten for good.
    world.dns.set_mode(Mode::Answer);
    world.dns.remove(ONE);
    world.ring = KeyRing::start(remembering(&world.dns, &world.clock)).unwrap();
    assert_eq!(world.look_up(ONE).unwrap_err(), KeyError::Absent);
    world.ring.stop();
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "{\"remembered\":1}\n"
    );
}

#[test]
fn invented_names_keep_no_real_key_from_being_found() {
    let world = World::new(|dns, clock| KeyConfig {
        max_names: 64,
        max_look_ups: 8,
        max_per_asker: 2,
        ..patient(dns, clock)
    });
    world.ring.seen_valid(&world.look_up(ONE).unwrap());
    // One address has two names looked up, and then no more until one is answered.
    world.dns.set_mode(Mode::Silent);
    world.dns.set_mode_of(ONE, Mode::Answer);
    world.dns.set_mode_of(OLD, Mode::Answer);
    let mut waiting = Vec::new();
    for at in 0..2 {
        waiting.push(
            world
                .asked(&format!("a{at}.copernica.com"), "192.0.2.7")
                .unwrap(),
        );
    }
    let third = world.asked("a3.copernica.com", "192.0.2.7");
    assert_eq!(third.unwrap_err(), Busy::Asker);
    // Another address still finds a key that was never asked for.
    assert_eq!(world.look_up(OLD).unwrap().record(), record(OLD));
    // Many addresses: the bound on all, and a key seen valid is fetched again all the same.
    for at in 0..6 {
        let asker = format!("198.51.100.{at}");
        waiting.push(
            world
                .asked(&format!("b{at}.copernica.com"), &asker)
                .unwrap(),
        );
    }
    let ninth = world.asked("c.copernica.com", "203.0.113.1");
    assert_eq!(ninth.unwrap_err(), Busy::Names);
    world.clock.pass(300);
    assert_eq!(world.find_record(ONE), record(ONE));
    for receive in &waiting {
        assert!(receive.try_recv().is_err());
    }
    // Stopping tells everybody.
    world.ring.stop();
    for receive in waiting {
        assert!(is_unreachable(&receive.recv_timeout(NEVER).unwrap()));
    }
}

#[test]
fn a_flood_of_invented_names_pushes_out_no_key_seen_valid() {
    let world = World::new(|dns, clock| KeyConfig {
        max_names: 32,
        ..patient(dns, clock)
    });
    world.ring.seen_valid(&world.look_up(ONE).unwrap());
    let asked = world.dns.questions(ONE);
    for at in 0..500 {
        let told = world.find(&format!("r{at}.copernica.com"));
        assert_eq!(told.unwrap_err(), KeyError::Absent);
    }
    assert!(world.dns.names_asked() > 500);
    assert_eq!(world.ring.get(&name(ONE)).kind(), "key");
    assert_eq!(world.dns.questions(ONE), asked);
    // The bound holds: the first of them are forgotten, the last are known.
    assert_eq!(world.ring.get(&name("r0.copernica.com")).kind(), "unknown");
    assert_eq!(
        world.ring.get(&name("r499.copernica.com")).kind(),
        "refused"
    );
}

#[test]
fn calls_for_one_name_wait_for_one_look_up_and_not_too_many_of_them() {
    let world = World::new(|dns, clock| KeyConfig {
        max_waiting_per_name: 10,
        ..patient(dns, clock)
    });
    world.dns.set_mode(Mode::Silent);
    let asked = |_| world.asked(ONE, "192.0.2.1").unwrap();
    let waiting: Vec<_> = (0..10).map(asked).collect();
    let more = world.asked(ONE, "192.0.2.1");
    assert_eq!(more.unwrap_err(), Busy::Waiting);
    world.dns.set_mode(Mode::Answer);
    // The resolver asks again on its own, and everybody is told.
    for receive in waiting {
        assert!(receive.recv_timeout(NEVER).unwrap().is_ok());
    }
}

#[test]
fn what_follows_a_look_up_may_panic_and_may_ask_again() {
    let world = World::new(patient);
    let then = Box::new(|_| panic!("on purpose"));
    world.ring.look_up(name(ONE), "192.0.2.1", then).unwrap();
    let (told, receive) = channel();
    let ring = world.ring.clone();
    let told = Mutex::new(told);
    let then = Box::new(move |_| {
        let told = told.into_inner().unwrap();
        let then = Box::new(move |result: Told| told.send(result.unwrap().bits()).unwrap());
        ring.look_up(name(OLD), "192.0.2.1", then).unwrap();
    });
    world.ring.look_up(name(ONE), "192.0.2.1", then).unwrap();
    assert_eq!(receive.recv_timeout(NEVER).unwrap(), 1024);
}

#[test]
fn a_stopped_ring_looks_nothing_up() {
    let world = World::new(patient);
    world.look_up(ONE).unwrap();
    world.ring.clone().stop();
    assert_eq!(world.ring.get(&name(ONE)).kind(), "key");
    assert_eq!(world.asked(OLD, "192.0.2.1").unwrap_err(), Busy::Stopped);
    world.ring.clone().stop();
}

//! A key ring that asks a DNS server which the test commands, by a clock that the test moves.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use profiletrail::auth::keys::{
    Busy, Clock, KeyConfig, KeyDomain, KeyError, KeyName, KeyRing, PublicKey,
};

use super::dns::DnsServer;

pub const ONE: &str = "one._domainkey.copernica.com";
pub const OLD: &str = "old._domainkey.copernica.com";
pub const DAY: u64 = 24 * 60 * 60;
/// So long that reaching it means 'never'.
pub const NEVER: Duration = Duration::from_secs(60);

/// A clock that moves only when the test moves it.
#[derive(Default)]
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn pass(&self, seconds: u64) {
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

pub type Found = Result<Arc<PublicKey>, KeyError>;

/// A server with the records of the signed calls, and a ring that asks it.
pub struct World {
    pub dns: DnsServer,
    pub clock: Arc<TestClock>,
    pub ring: KeyRing,
}

pub fn records() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/signed/dns-records.tsv");
    std::fs::read_to_string(path).unwrap()
}

/// The published record of a name.
pub fn record(name: &str) -> String {
    let records = records();
    let mut lines = records.lines().filter_map(|line| line.split_once('\t'));
    lines.find(|(of, _)| *of == name).unwrap().1.to_owned()
}

pub fn name(text: &str) -> KeyName {
    KeyName::below(text, &KeyDomain::default()).unwrap()
}

/// Time-outs that only an answer that never comes reaches.
pub fn patient(dns: &DnsServer, clock: &Arc<TestClock>) -> KeyConfig {
    KeyConfig {
        dns_server: Some(dns.address()),
        question_timeout: Duration::from_secs(20),
        look_up_timeout: Duration::from_secs(40),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        ..KeyConfig::default()
    }
}

/// Time-outs for answers that do not come.
pub fn impatient(dns: &DnsServer, clock: &Arc<TestClock>) -> KeyConfig {
    KeyConfig {
        question_timeout: Duration::from_millis(150),
        look_up_timeout: Duration::from_millis(400),
        ..patient(dns, clock)
    }
}

impl World {
    pub fn new(config: impl FnOnce(&DnsServer, &Arc<TestClock>) -> KeyConfig) -> Self {
        let dns = DnsServer::with_records(&records(), 300);
        let clock = Arc::new(TestClock::default());
        let ring = KeyRing::start(config(&dns, &clock)).unwrap();
        Self { dns, clock, ring }
    }

    pub fn asked(&self, text: &str) -> Result<Receiver<Found>, Busy> {
        let (found, receive) = channel();
        let callback = Box::new(move |result| found.send(result).unwrap());
        self.ring.look_up(name(text), callback)?;
        Ok(receive)
    }

    pub fn look_up(&self, text: &str) -> Found {
        let receive = self.asked(text).unwrap();
        receive.recv_timeout(NEVER).unwrap()
    }

    /// As a caller should: what is known, else a look-up.
    pub fn find(&self, text: &str) -> Found {
        match self.ring.get(&name(text)) {
            Some(Ok(key)) => Ok(key),
            Some(Err(error)) => Err(error),
            None => self.look_up(text),
        }
    }

    pub fn find_record(&self, text: &str) -> String {
        self.find(text).unwrap().record.clone()
    }
}

pub fn is_unreachable(found: &Found) -> bool {
    matches!(found, Err(KeyError::Unreachable(_)))
}

/// What is known of a name, as a word.
pub trait Kind {
    fn kind(&self) -> &'static str;
}

impl Kind for Option<Found> {
    fn kind(&self) -> &'static str {
        match self {
            Some(Ok(_)) => "key",
            Some(Err(_)) => "refused",
            None => "unknown",
        }
    }
}

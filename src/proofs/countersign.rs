//! Requests signatures of the log's checkpoints from third parties: a time-stamping
//! authority (RFC 3161) and witnesses (C2SP tlog-witness). A day after the last anchor, a
//! thread of a server sends them a checkpoint, and stores it with their answers. Only the
//! log's name, the number of events and the root leave the machine; nothing waits for an
//! answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use super::anchors::AnchorSummary;
use super::note::{Checkpoint, Vkey, base64};
use super::prover::{ProofError, Prover, log_failure};
use super::stamp::{self, Stamp};
use crate::background::Background;
use crate::event::now_seconds;
use crate::http_request::{HttpAnswer, post};

/// How long after an anchor the next one is due, in seconds.
const INTERVAL: i64 = 86_400;

/// The pause between two checks for due anchors.
const PAUSE: Duration = Duration::from_secs(1);

/// The wait after a failure, doubled by each further failure, up to the maximum.
const FIRST_RETRY: Duration = Duration::from_secs(60);
const LONGEST_RETRY: Duration = Duration::from_secs(3_600);

/// Somebody who signs checkpoints of this log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Countersigner {
    /// A time-stamping authority, by its URL.
    Authority(String),
    /// A witness: the prefix of its URLs, and its key.
    Witness(String, Vkey),
}

fn is_url(url: &str) -> bool {
    let host = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let is_text = !url.contains(|c: char| c.is_whitespace() || c.is_control());
    host.is_some_and(|host| !host.is_empty() && !host.starts_with('/')) && is_text
}

impl Countersigner {
    /// Reads the URL of a time-stamping authority.
    pub fn authority(text: &str) -> Result<Self, String> {
        match is_url(text) {
            true => Ok(Self::Authority(text.to_owned())),
            false => {
                Err("write the address of a time-stamping authority: https://HOST/PATH".to_owned())
            }
        }
    }

    /// Reads `URL=KEY` of a witness.
    pub fn witness(text: &str) -> Result<Self, String> {
        // A key has the `=` of base64 at its end, and a URL may have one, too.
        let mut places = text.match_indices('=').map(|(at, _)| text.split_at(at));
        let read = places.find_map(|(url, key)| {
            let key = Vkey::parse_witness(key.strip_prefix('=')?).ok()?;
            is_url(url).then(|| Self::Witness(url.trim_end_matches('/').to_owned(), key))
        });
        read.ok_or_else(|| {
            "write a witness as URL=KEY: https://HOST/PATH=NAME+ID+KEY, with its key for cosignatures of Ed25519"
                .to_owned()
        })
    }

    /// Its name for people.
    pub fn name(&self) -> String {
        match self {
            Self::Authority(url) => format!("the time-stamping authority {url}"),
            Self::Witness(_, key) => format!("the witness {}", key.name),
        }
    }

    /// Asks it for something that changes nothing, and returns the time by the clock of an
    /// authority, in Unix seconds.
    pub fn try_out(&self) -> Result<Option<i64>, String> {
        match self {
            Self::Authority(url) => stamp(url, b"").map(|stamp| Some(stamp.time)),
            Self::Witness(url, _) => {
                let answer = post(&add_checkpoint(url), "text/plain", b"");
                let answer = answer.map_err(|error| error.to_string())?;
                // A witness refuses anything but a checkpoint.
                match answer.status {
                    400..=499 if answer.status != 404 => Ok(None),
                    _ => Err(unexpected(&answer)),
                }
            }
        }
    }

    fn has_signed(&self, anchor: &AnchorSummary) -> bool {
        match self {
            Self::Authority(_) => anchor.stamped.is_some(),
            Self::Witness(_, key) => anchor.witnesses.contains(&key.name),
        }
    }
}

fn add_checkpoint(url: &str) -> String {
    format!("{url}/add-checkpoint")
}

/// Asks an authority for a time stamp of some bytes, and checks that the answer is one.
fn stamp(url: &str, stamped: &[u8]) -> Result<Stamp, String> {
    let mut nonce = [0; 8];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let request = stamp::request(stamped, nonce).map_err(|error| error.to_string())?;
    let answer = post(url, "application/timestamp-query", &request);
    let answer = answer.map_err(|error| error.to_string())?;
    if answer.status != 200 {
        return Err(unexpected(&answer));
    }
    let stamp = Stamp::parse(answer.body)?;
    match stamp.is_of(stamped) && stamp.has_nonce(nonce) {
        true => Ok(stamp),
        false => Err("the time stamp is not of what was sent".to_owned()),
    }
}

fn unexpected(answer: &HttpAnswer) -> String {
    let text = String::from_utf8_lossy(&answer.body);
    let line = text.lines().next().unwrap_or_default();
    let line: String = line.chars().take(200).collect();
    format!("it answered with status {} {line}", answer.status)
        .trim_end()
        .to_owned()
}

/// Has a witness sign a checkpoint. `old` is the size that it signed last, as far as is known.
/// Returns the line of its signature.
fn cosign(
    prover: &Prover,
    (url, key): (&str, &Vkey),
    checkpoint: &Checkpoint,
    old: u64,
) -> Result<String, String> {
    let mut old = old.min(checkpoint.size);
    for _ in 0..2 {
        let (proof, _) = prover
            .consistency(old, checkpoint)
            .map_err(|error| error.to_string())?;
        let proof: String = proof.iter().map(|hash| base64(hash) + "\n").collect();
        let body = format!("old {old}\n{proof}\n{}", checkpoint.own_note());
        let answer = post(&add_checkpoint(url), "text/plain", body.as_bytes());
        let answer = answer.map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        match answer.status {
            200 => {
                let signed = text.lines().find(|line| {
                    let signed = checkpoint.clone().with_signature(line);
                    line.starts_with("— ") && signed.cosigned(key).is_ok()
                });
                return signed
                    .map(str::to_owned)
                    .ok_or_else(|| "its answer has no signature by its key".to_owned());
            }
            // It has signed another size, which its answer names.
            409 => match text.trim_end().parse() {
                Ok(size) if size <= checkpoint.size && size != old => old = size,
                Ok(size) if size > checkpoint.size => {
                    return Err(format!(
                        "it has signed a checkpoint of {size} events of this log already, and this one has {}: \
                         docs/proofs.md says what that means",
                        checkpoint.size
                    ));
                }
                _ => return Err(unexpected(&answer)),
            },
            404 => {
                return Err(format!(
                    "it does not know this log: give its operator the name {} and the key that \
                     `profiletrail checkpoint --key` prints",
                    checkpoint.origin
                ));
            }
            _ => return Err(unexpected(&answer)),
        }
    }
    Err("it has signed another size each time".to_owned())
}

/// The state of a countersigner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CountersignerState {
    /// Its name for people.
    pub name: String,
    /// When the last anchor was kept that it has signed, in Unix seconds.
    pub last: Option<i64>,
    /// Why it has not signed since, if it was asked.
    pub failure: Option<String>,
}

/// The states of a server's countersigners, in the order of their flags.
pub type Countersigning = Arc<Mutex<Vec<CountersignerState>>>;

/// When a countersigner is asked again.
struct Due {
    countersigner: Countersigner,
    last: Option<AnchorSummary>,
    /// Why it has not signed since, if it was asked.
    failure: Option<String>,
    wait: Duration,
    not_before: Option<Instant>,
}

impl Due {
    /// `last` is the newest anchor that it has signed.
    const fn new(countersigner: Countersigner, last: Option<AnchorSummary>) -> Self {
        Self {
            countersigner,
            last,
            failure: None,
            wait: FIRST_RETRY,
            not_before: None,
        }
    }

    fn state(&self) -> CountersignerState {
        CountersignerState {
            name: self.countersigner.name(),
            last: self.last.as_ref().map(|anchor| anchor.time),
            failure: self.failure.clone(),
        }
    }

    fn failed(&mut self, why: String) {
        if self.failure.as_ref() != Some(&why) {
            tracing::warn!("{} has not signed: {why}", self.countersigner.name());
        }
        self.failure = Some(why);
        self.not_before = Some(Instant::now() + self.wait);
        self.wait = (self.wait * 2).min(LONGEST_RETRY);
    }

    fn signed(&mut self, anchor: AnchorSummary) {
        *self = Self::new(self.countersigner.clone(), Some(anchor));
    }

    /// Whether its last anchor is a day old and does not have all events.
    fn is_due(&self, now: i64, last_seq: u64) -> bool {
        let last = self.last.as_ref();
        self.not_before.is_none_or(|moment| moment <= Instant::now())
            && last.map_or(0, |anchor| anchor.size) < last_seq
            // A clock that was set back is no reason to wait for long.
            && last.is_none_or(|anchor| now - anchor.time >= INTERVAL || now < anchor.time)
    }
}

/// Starts the thread that asks them, if there are any.
pub fn start_countersigning(
    prover: &Arc<Prover>,
    countersigners: Vec<Countersigner>,
) -> std::io::Result<(Option<Background>, Countersigning)> {
    if countersigners.is_empty() {
        return Ok((None, Countersigning::default()));
    }
    let anchors = prover.anchors().unwrap_or_default();
    let due = |countersigner: Countersigner| {
        let mut newest = anchors.iter().rev();
        let last = newest.find(|anchor| countersigner.has_signed(anchor));
        Due::new(countersigner, last.cloned())
    };
    let mut all: Vec<Due> = countersigners.into_iter().map(due).collect();
    let states = all.iter().map(Due::state).collect();
    let countersigning: Countersigning = Arc::new(Mutex::new(states));
    let (prover, states) = (Arc::clone(prover), Arc::clone(&countersigning));
    let thread = Background::start_idle("countersigning", move |stop| {
        let mut failure = String::new();
        while !stop.wait(PAUSE) {
            let stopped = || stop.is_set();
            let done = anchor_what_is_due(&prover, &mut all, &stopped);
            *states.lock() = all.iter().map(Due::state).collect();
            log_failure(done, "no anchor can be kept now", &mut failure);
        }
    })?;
    Ok((Some(thread), countersigning))
}

/// Asks those that are due.
fn anchor_what_is_due(
    prover: &Prover,
    all: &mut [Due],
    stop: &dyn Fn() -> bool,
) -> Result<(), ProofError> {
    let now = now_seconds();
    let last_seq = prover.log.last_seq();
    if !all.iter().any(|due| due.is_due(now, last_seq)) {
        return Ok(());
    }
    let mut checkpoint = prover.sign(stop)?;
    prover.set_pending(Some(checkpoint.size));
    let (mut stamped, mut signed) = (None, Vec::new());
    for due in all {
        if stop() || !due.is_due(now, last_seq) {
            continue;
        }
        let done = match &due.countersigner {
            Countersigner::Authority(url) => {
                stamp(url, checkpoint.own_note().as_bytes()).map(|stamp| stamped = Some(stamp))
            }
            Countersigner::Witness(url, key) => {
                let last = due.last.as_ref();
                let of_this_log = last.filter(|anchor| anchor.origin == checkpoint.origin);
                let old = of_this_log.map_or(0, |anchor| anchor.size);
                let line = cosign(prover, (url, key), &checkpoint, old);
                line.map(|line| checkpoint = checkpoint.clone().with_signature(&line))
            }
        };
        match done {
            Ok(()) => signed.push(due),
            Err(why) => due.failed(why),
        }
    }
    let kept = match signed.is_empty() {
        true => Ok(None),
        false => prover.keep_anchor(now, checkpoint, stamped).map(Some),
    };
    prover.set_pending(None);
    if let Some(anchor) = kept? {
        for due in signed {
            due.signed(anchor.clone());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "w.example+3c1a4f2b+BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g";

    #[test]
    fn a_countersigner_is_a_url_or_a_url_with_a_key() {
        let key = |text: &str| Countersigner::witness(text);
        // The number in the key is wrong.
        assert!(key(&format!("https://w.example/x={KEY}")).is_err());
        for text in ["", "https://", "tsa.example", "https://a b", "ftp://x"] {
            assert!(Countersigner::authority(text).is_err(), "{text}");
        }
        let url = "http://tsa.example/x?y=z";
        let read = Countersigner::authority(url).unwrap();
        assert_eq!(read.name(), format!("the time-stamping authority {url}"));
    }

    #[test]
    fn an_anchor_is_due_a_day_after_the_last_if_there_are_events() {
        let anchor = |time, size| {
            Some(AnchorSummary {
                time,
                origin: String::new(),
                size,
                stamped: Some(time),
                witnesses: Vec::new(),
            })
        };
        let day = INTERVAL;
        for (last, now, last_seq, due) in [
            (None, 0, 0, false),
            (None, 0, 1, true),
            (anchor(10, 5), 10 + day, 5, false),
            (anchor(10, 5), 10 + day, 6, true),
            (anchor(10, 5), 9 + day, 6, false),
            // The clock was set back.
            (anchor(10, 5), 9, 6, true),
        ] {
            let mut one = Due::new(Countersigner::Authority(String::new()), last);
            assert_eq!(one.is_due(now, last_seq), due, "{now} {last_seq}");
            one.failed("why".to_owned());
            assert!(!one.is_due(now, last_seq) && one.wait == FIRST_RETRY * 2);
            assert_eq!(one.state().failure.as_deref(), Some("why"));
        }
    }
}

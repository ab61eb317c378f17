//! Checks of the running server and of the calls it receives.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::finding::duration;
use super::health::{Health, health};
use super::{Facts, Finding, Running, Verdict};
use crate::proofs::{Countersigner, CountersignerState};
use crate::store::{Folder, Holder};

/// How long a connection may take to be accepted.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How far the index may be behind, in events.
const MAX_BEHIND: u64 = 100_000;

/// How long without an event is normal, in seconds, without `--alert-after`.
const QUIET: i64 = 86_400;

/// By how many seconds this machine's clock and the sender's may differ.
const MAX_SKEW: i64 = 10;

/// The solution for calls that are too long.
const MAX_BODY_FIX: &str = "set PROFILETRAIL_MAX_BODY (--max-body; 4MiB by default) higher, and the limit of the proxy \
     in front; restart";

/// Whether a server runs on the folder.
pub(super) fn server(facts: &Facts) -> Vec<Finding> {
    runs(&facts.contact, Folder::holder(&facts.data).as_ref())
}

fn runs(contact: &Result<Running, Option<String>>, holder: Option<&Holder>) -> Vec<Finding> {
    let version = env!("CARGO_PKG_VERSION");
    match (contact, holder) {
        (Ok(running), _) if running.version == version => {
            Finding::ok(format!("version {version} runs as process {}", running.pid))
        }
        (Ok(running), _) => Finding::warning(
            format!(
                "version {} runs, but this is version {version}",
                running.version
            ),
            "systemctl restart profiletrail",
        ),
        (Err(Some(reason)), _) => Finding::problem(
            format!("the server does not answer: {reason}"),
            "systemctl restart profiletrail, if it has another version; else run this as the folder's owner",
        ),
        (Err(None), Some(holder)) => Finding::warning(
            format!("{holder} uses the folder, but answers no questions"),
            "try again in a moment: a server may be starting",
        ),
        (Err(None), None) => Finding::problem(
            "no server runs on this folder: calls are lost",
            "systemctl start profiletrail; journalctl -u profiletrail -n 50 shows why it ended",
        ),
    }
}

/// Whether checkpoints are signed.
pub(super) fn proofs(facts: &Facts) -> Vec<Finding> {
    match facts
        .running()
        .and_then(|running| running.unsigned.as_ref())
    {
        Some(why) => Finding::problem(
            format!("no checkpoint is signed: {why}"),
            format!(
                "profiletrail --data {} verify shows what differs; docs/proofs.md says how to go on",
                facts.data_word
            ),
        ),
        None => Vec::new(),
    }
}

/// Whether an erasure is not finished.
pub(super) fn erasure(facts: &Facts) -> Vec<Finding> {
    match facts.running().map(|running| running.erasing) {
        None | Some(0) => Vec::new(),
        Some(_) => Finding::warning(
            "an erasure is not finished: what it erases is in no answer, but may still be on the disk",
            "wait a minute, as the server goes on when answers that began earlier have ended; journalctl -u \
             profiletrail -n 50 says what else is in its way",
        ),
    }
}

/// Whether the countersigners sign checkpoints.
pub(super) fn countersigners(facts: &Facts) -> Vec<Finding> {
    match facts.running() {
        Some(running) => {
            let states = running.countersigners.iter();
            states.flat_map(|state| has_signed(state, facts)).collect()
        }
        None if facts.outside => {
            let all = facts.settings.countersigners.iter();
            all.flat_map(|one| is_reachable(one, facts)).collect()
        }
        None => Vec::new(),
    }
}

fn has_signed(state: &CountersignerState, facts: &Facts) -> Vec<Finding> {
    let name = &state.name;
    let last = state.last.map(|last| duration(facts.now - last));
    match (&state.failure, last) {
        (Some(why), last) => {
            let since = last.map_or_else(
                || "has never signed a checkpoint".to_owned(),
                |ago| format!("has signed no checkpoint for {ago}"),
            );
            Finding::warning(
                format!("{name} {since}: {why}"),
                "the server tries again, an hour later at most; docs/proofs.md says what an anchor is for",
            )
        }
        (None, Some(ago)) => Finding::ok(format!("{name} has signed a checkpoint {ago} ago")),
        (None, None) => Finding::unknown(
            format!("{name} has not been asked yet, as there are no events"),
            "send a call, and run doctor again",
        ),
    }
}

/// Whether a countersigner answers, if no server runs that asks it.
fn is_reachable(countersigner: &Countersigner, facts: &Facts) -> Vec<Finding> {
    let name = countersigner.name();
    match countersigner.try_out() {
        Ok(Some(time)) if (time - facts.now).abs() > MAX_SKEW => Finding::warning(
            format!(
                "{name} answers; its clock differs from this machine's by {}",
                duration((time - facts.now).abs())
            ),
            "timedatectl shows whether this machine's clock is synchronised",
        ),
        Ok(_) => Finding::ok(format!("{name} answers")),
        Err(why) => Finding::warning(
            format!("{name} does not sign: {why}"),
            "check its address, and whether this machine may make connections to it",
        ),
    }
}

/// Whether the server answers at its address; with TLS only whether it accepts a
/// connection, since its certificate is for its public name.
pub(super) fn listen(facts: &Facts) -> Vec<Finding> {
    let (Some(listen), Some(_)) = (facts.settings.listen, facts.running()) else {
        return Vec::new();
    };
    let address = local(listen);
    let found = match facts.settings.tls_cert {
        None => health(&format!("http://{address}")),
        Some(_) => match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
            Ok(_) => Health::Healthy,
            Err(error) => Health::Unreachable(error.to_string()),
        },
    };
    answers(listen, &found)
}

/// The address at which this machine reaches a listener.
fn local(listen: SocketAddr) -> SocketAddr {
    let address = match listen.ip() {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        address => address,
    };
    SocketAddr::new(address, listen.port())
}

fn answers(listen: SocketAddr, found: &Health) -> Vec<Finding> {
    let silent = |reason: &str| {
        Finding::problem(
            format!("the server does not answer at {listen}: {reason}"),
            "systemctl restart profiletrail; if it has too many connections, check the proxy in front of it",
        )
    };
    match found {
        Health::Healthy => Finding::ok(format!("the server answers at {listen}")),
        Health::Unhealthy(reason) => Finding::problem(
            format!("the server answers at {listen}, but keeps no calls: {reason}"),
            "journalctl -u profiletrail -n 50 shows why",
        ),
        Health::Other(status) => Finding::problem(
            format!("another program answers at {listen}, with status {status}"),
            format!(
                "ss -ltnp 'sport = :{}' shows which; or choose another address with --listen",
                listen.port()
            ),
        ),
        Health::NoAddress => silent("no address"),
        Health::Untrusted(reason) | Health::Unreachable(reason) => silent(reason),
    }
}

/// Whether the index is up to date.
pub(super) fn index(facts: &Facts) -> Vec<Finding> {
    facts.running().map_or_else(Vec::new, |running| {
        let meanwhile = "questions wait, and calls are kept";
        progress("", running.indexed, meanwhile)
    })
}

/// Whether the look-ups are up to date, if there are any.
pub(super) fn lookup(facts: &Facts) -> Vec<Finding> {
    let lookup = |running: &Running| {
        let (fields, up_to) = running.lookup.as_ref()?;
        let of = format!("look-ups of {}: ", fields.join(", "));
        let meanwhile = "find reads the log for the other events";
        Some(progress(&of, (*up_to, running.indexed.1), meanwhile))
    };
    facts.running().and_then(lookup).unwrap_or_default()
}

/// How far the index or the look-ups are.
fn progress(of: &str, (done, last): (u64, u64), meanwhile: &str) -> Vec<Finding> {
    if last.saturating_sub(done) < MAX_BEHIND {
        return Finding::ok(format!(
            "{of}up to date with {last} events, or will be in a moment"
        ));
    }
    Finding::warning(
        format!("{of}being built, with {done} of {last} events in it; {meanwhile}"),
        "wait for it",
    )
}

/// How long ago the last event arrived.
pub(super) fn events(facts: &Facts) -> Vec<Finding> {
    let log = facts.log.iter();
    log.flat_map(|log| last_event(log.last_received, facts.now, facts.settings.alert_after))
        .collect()
}

fn last_event(last: Option<i64>, now: i64, alert_after: Option<u64>) -> Vec<Finding> {
    let fix = "check in Copernica that the webhooks have the addresses below and are enabled; \
               profiletrail stats shows when events arrived";
    let Some(last) = last else {
        return Finding::warning("no event has arrived yet", fix);
    };
    let age = now.saturating_sub(last);
    let what = format!("the last one arrived {} ago", duration(age));
    match alert_after.map(|after| i64::try_from(after).unwrap_or(i64::MAX)) {
        Some(after) if age > after => {
            Finding::problem(format!("{what}; --alert-after is {}", duration(after)), fix)
        }
        None if age > QUIET => Finding::warning(what, fix),
        _ => Finding::ok(what),
    }
}

/// The rejected calls of a day, by their fault.
pub(super) fn rejected(facts: &Facts) -> Vec<Finding> {
    let Some(log) = &facts.log else {
        return Vec::new();
    };
    let data = &facts.data_word;
    let retry = format!("profiletrail rejected --retry --data {data} enters them");
    let (mut found, mut no_event) = (Vec::new(), 0);
    for (reason, count) in &log.rejected {
        let (verdict, what, fix) = match reason.as_str() {
            "wrong_date" => (
                Verdict::Problem,
                "that were signed well, but with a wrong date",
                format!("timedatectl set-ntp true sets this machine's clock; then {retry}"),
            ),
            "too_large" => (
                Verdict::Problem,
                "that were longer than --max-body",
                MAX_BODY_FIX.to_owned(),
            ),
            "unknown_address" => (
                Verdict::Problem,
                "to an unknown address below /webhook/",
                format!(
                    "correct the address in Copernica: profiletrail rejected --data {data} shows it; then {retry}"
                ),
            ),
            "no_event" => {
                no_event = *count;
                continue;
            }
            _ => (
                Verdict::Warning,
                "that could not be read",
                format!(
                    "profiletrail rejected --since '24 hours ago' --data {data} shows why; what can be read by now, {retry}"
                ),
            ),
        };
        let what = format!("calls of the last 24 hours {what}: {count}");
        found.push(Finding::of(verdict, what, fix));
    }
    match (found.is_empty(), no_event) {
        (true, 0) => Finding::ok("every call of the last 24 hours could be read"),
        (true, _) => Finding::ok(format!(
            "every event of the last 24 hours could be read; calls of the test button or of other webhooks: {no_event}"
        )),
        _ => found,
    }
}

/// Whether the server checks signatures.
pub(super) fn signatures(facts: &Facts) -> Vec<Finding> {
    let Some(running) = facts.running() else {
        return Vec::new();
    };
    match running.checks {
        true => Finding::ok("the server checks them"),
        false => Finding::warning(
            "the server does not check them: anybody who can reach it can add events",
            "set PROFILETRAIL_COPERNICA_ID=account_1234 and PROFILETRAIL_PUBLIC_HOST=hooks.example.com \
             in /etc/profiletrail.env (or --copernica-id and --public-host), and restart it",
        ),
    }
}

/// The calls since the server's start of which nothing was kept.
pub(super) fn refused(facts: &Facts) -> Vec<Finding> {
    let Some(running) = facts.running() else {
        return Vec::new();
    };
    let mut found = Vec::new();
    let mut others = Vec::new();
    for refused in &running.refused {
        let (calls, fix) = match refused.reason.as_str() {
            "account" => (
                "signed calls of another account",
                "if that account is yours, add it to PROFILETRAIL_COPERNICA_ID (--copernica-id), and restart",
            ),
            "host" => (
                "signed calls to another host",
                "if that name is this server's, add it to PROFILETRAIL_PUBLIC_HOST (--public-host), and restart; \
                 the proxy in front must pass on the Host header",
            ),
            "too_large" => ("calls that were longer than --max-body", MAX_BODY_FIX),
            "no_length" => (
                "calls without a length, which are answered 411",
                "the proxy in front must pass on Content-Length or chunks, as scripts/nginx.example does",
            ),
            reason => {
                others.push(format!("{reason} {}", refused.count));
                continue;
            }
        };
        let mut what = format!("{calls} since the server's start: {}", refused.count);
        if let Some(last) = &refused.last {
            what += &format!(" (the last named {last})");
        }
        found.extend(Finding::problem(what, fix));
    }
    if !others.is_empty() {
        found.extend(Finding::warning(
            format!("since the server's start: {}", others.join(", ")),
            "calls from strangers are refused by design; if Copernica's own are refused, check clock, dns and public \
             here",
        ));
    }
    match found.is_empty() {
        true => Finding::ok("no call was refused since the server's start"),
        false => found,
    }
}

/// This machine's clock against the date of the last signed call.
pub(super) fn clock(facts: &Facts) -> Vec<Finding> {
    let last_age = facts.running().and_then(|running| running.last_age);
    let log = facts.log.as_ref();
    clock_skew(
        last_age,
        log.is_some_and(|log| log.rejected.contains_key("wrong_date")),
    )
}

/// `lost` says whether calls are rejected for their date.
fn clock_skew(last_age: Option<i64>, lost: bool) -> Vec<Finding> {
    let Some(age) = last_age else {
        return Finding::unknown(
            "no signed call to compare it with",
            "timedatectl shows whether it is synchronised",
        );
    };
    let off = duration(age.saturating_abs());
    if (-MAX_SKEW..=MAX_SKEW).contains(&age) {
        return Finding::ok(format!("the last signed call's date was {off} off"));
    }
    let side = if age < 0 { "ahead of" } else { "behind" };
    let what = format!(
        "the last signed call's date was {off} {side} this machine's clock; calls past --max-age are rejected"
    );
    let fix = "timedatectl set-ntp true, unless it was an old call that was sent again";
    match lost {
        true => Finding::problem(what, fix),
        false => Finding::warning(what, fix),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::tests::{facts, one};
    use super::*;

    /// The finding of a check of a server.
    fn with_running(check: fn(&Facts) -> Vec<Finding>, running: &Running) -> Finding {
        let contact = Ok(running.clone());
        let mut facts = facts(Path::new("d"));
        facts.contact = contact;
        one(check(&facts))
    }

    #[test]
    fn an_erasure_that_is_not_finished_is_a_warning() {
        let running = |erasing| Running {
            erasing,
            ..Running::default()
        };
        let found = with_running(erasure, &running(1));
        assert_eq!(found.result, Verdict::Warning);
        let mut facts = facts(Path::new("d"));
        assert_eq!(erasure(&facts), []);
        facts.contact = Ok(running(0));
        assert_eq!(erasure(&facts), []);
    }

    #[test]
    fn each_way_to_reach_a_server_has_its_result() {
        let running = |version: &str| {
            Ok(Running {
                version: version.to_owned(),
                ..Running::default()
            })
        };
        let holder = Holder {
            pid: 7,
            server: false,
        };
        let result = |contact, holder| one(runs(&contact, holder)).result;
        let own = running(env!("CARGO_PKG_VERSION"));
        assert_eq!(result(own, None), Verdict::Ok);
        assert_eq!(result(running("0.0.0"), None), Verdict::Warning);
        assert_eq!(result(Err(None), Some(&holder)), Verdict::Warning);
        assert_eq!(result(Err(None), None), Verdict::Problem);
        let denied = Err(Some("denied".to_owned()));
        assert_eq!(result(denied, None), Verdict::Problem);
    }

    #[test]
    fn a_listener_is_judged_by_its_answer() {
        let any: SocketAddr = "0.0.0.0:80".parse().unwrap();
        assert_eq!(local(any), "127.0.0.1:80".parse().unwrap());
        assert_eq!(
            local("[::]:80".parse().unwrap()),
            "[::1]:80".parse().unwrap()
        );
        let text = "why".to_owned();
        let of = |health: Health| one(answers(any, &health)).result;
        assert_eq!(of(Health::Healthy), Verdict::Ok);
        for health in [
            Health::Unhealthy(text.clone()),
            Health::Other(404),
            Health::Unreachable(text),
        ] {
            assert_eq!(of(health), Verdict::Problem);
        }
    }

    #[test]
    fn an_index_far_behind_is_a_warning() {
        let of = |done, last| one(progress("", (done, last), "")).result;
        assert_eq!(of(0, 0), Verdict::Ok);
        assert_eq!(of(5, 99_999), Verdict::Ok);
        assert_eq!(of(5, 100_005), Verdict::Warning);
        assert_eq!(of(9, 5), Verdict::Ok);
        let mut running = Running {
            indexed: (100_005, 100_005),
            lookup: Some((vec!["mail".to_owned()], 5)),
            ..Running::default()
        };
        let found = with_running(lookup, &running);
        assert_eq!(found.result, Verdict::Warning);
        assert!(found.what.starts_with("look-ups of mail: "), "{found:?}");
        running.indexed.1 = 99_999;
        assert_eq!(with_running(lookup, &running).result, Verdict::Ok);
    }

    #[test]
    fn silence_is_judged_by_its_length() {
        let found =
            |ago: i64, alert| one(last_event(Some(1_000_000 - ago), 1_000_000, alert)).result;
        assert_eq!(one(last_event(None, 0, None)).result, Verdict::Warning);
        assert_eq!(found(86_400, None), Verdict::Ok);
        assert_eq!(found(86_401, None), Verdict::Warning);
        assert_eq!(found(86_401, Some(100_000)), Verdict::Ok);
        assert_eq!(found(3_601, Some(3_600)), Verdict::Problem);
        assert_eq!(found(-5, None), Verdict::Ok);
        assert_eq!(
            one(last_event(Some(i64::MIN), i64::MAX, None)).result,
            Verdict::Warning
        );
    }

    #[test]
    fn the_clock_is_compared_with_the_senders() {
        let found = with_running(clock, &Running::default());
        assert_eq!(found.result, Verdict::Unknown);
        assert_eq!(one(clock_skew(None, false)).result, Verdict::Unknown);
        assert_eq!(one(clock_skew(Some(-10), true)).result, Verdict::Ok);
        let found = one(clock_skew(Some(11), false));
        assert_eq!(found.result, Verdict::Warning);
        assert_eq!(one(clock_skew(Some(11), true)).result, Verdict::Problem);
        assert!(found.what.contains("11 seconds behind"), "{found:?}");
        let found = one(clock_skew(Some(i64::MIN), false));
        assert!(found.what.contains("ahead of"));
    }
}

//! The results against their targets.

use serde::Serialize;

use super::erasure::Erasure;
use super::rates::Kind;
use super::report::Report;
use super::table::{Printed, mib, ms, whole};

/// A number and its mark.
#[derive(Debug, Serialize)]
pub struct Target {
    /// The measurement.
    what: String,
    /// The result as text.
    value: String,
    /// The target as text.
    mark: String,
    /// Whether it is met.
    met: bool,
}

/// Results that grow one by one.
#[derive(Default)]
struct Targets(Vec<Target>);

impl Targets {
    fn add(&mut self, what: &str, value: String, mark: &str, met: bool) {
        self.0.push(Target {
            what: what.to_owned(),
            value,
            mark: mark.to_owned(),
            met,
        });
    }

    /// Adds a ratio that is to be at least so much.
    fn at_least(&mut self, what: &str, ratio: f64, least: f64) {
        let mark = format!("≥ {least:.2}");
        self.add(what, format!("{ratio:.2}"), &mark, ratio >= least);
    }

    /// Adds a time in milliseconds that is to be shorter than `most`.
    fn below(&mut self, what: &str, took: f64, most: f64, mark: &str) {
        self.add(what, ms(took), mark, took < most);
    }

    /// Adds memory in KiB that is to stay below so many MiB.
    fn memory(&mut self, what: &str, peak: u64, most: u64) {
        self.add(
            what,
            mib(peak),
            &format!("< {most} MiB"),
            peak < most * 1024,
        );
    }
}

/// Those of proofs and of an erasure with so many events.
pub fn of_erasure(erasure: &Erasure, events: u64) -> Vec<Target> {
    let mut all = Targets::default();
    let each = erasure.proofs_bytes as f64 / events as f64;
    // A small store has less than a block of them.
    if events >= 100_000 {
        let value = format!("{each:.3}");
        all.add("bytes of proofs an event", value, "≤ 0.2", each <= 0.2);
    }
    for (what, took, most, mark) in [
        ("prove, live", erasure.prove_ms, 20.0, "< 20 ms"),
        ("erase: hidden", erasure.hidden_ms, 20e3, "< 20 s"),
        ("erase: nothing is left", erasure.done_ms, 90e3, "< 90 s"),
    ] {
        all.below(what, took, most, mark);
    }
    let what = "most memory of `serve` during an erasure without load";
    all.memory(what, erasure.server.peak_kib, 128);
    let what = "calls/s during an erasure to those without, 32 connections";
    all.at_least(what, erasure.calls_meanwhile, 0.9);
    all.0
}

/// Those of calls with proofs: numbers of connections, each with the ratio of calls/s with
/// proofs to those without.
pub fn of_proofs(costs: &[(usize, f64)]) -> Vec<Target> {
    let mut all = Targets::default();
    for (connections, ratio) in costs {
        let what = format!("calls/s with proofs to those without, {connections} connections");
        all.add(&what, format!("{ratio:.3}"), "≥ 0.98", *ratio >= 0.98);
    }
    all.0
}

/// All numbers that decide.
pub fn of(report: &Report) -> Vec<Target> {
    let cost = report.storage_cost.as_ref();
    let erasure = cost.map(|cost| of_erasure(&cost.erasure, cost.made.events));
    let mut all = Targets(erasure.unwrap_or_default());
    if let Some(cost) = &report.storage_cost {
        let ratio = cost.to_zstd();
        let value = format!("{ratio:.2} ({:.0} bytes)", cost.bytes_per_event());
        all.add(
            "bytes on disk an event, to `zstd -3` of the raw lines",
            value,
            "≤ 1.75",
            ratio <= 1.75,
        );
        let what = "most memory of `serve`, whatever was asked";
        all.memory(what, cost.server_peak_kib(), 128);
        let what = "most memory of a command without a server";
        all.memory(what, cost.offline_peak_kib(), 256);
        let large = report.large_events.iter();
        if let Some(peak) = large.map(|asked| asked.server.peak_kib).max() {
            let what = "most memory of `serve` with large events";
            all.memory(what, peak, 256);
        }
        for (after, start, most, mark) in [
            ("a clean stop", cost.after_stop, 1e3, "< 1 s"),
            ("`kill -9`", cost.after_kill, 2e3, "< 2 s"),
        ] {
            let what = format!("start to first answer, after {after}");
            let value = format!("{}, a query {}", ms(start.answer_ms), ms(start.query_ms));
            all.add(&what, value, mark, start.query_ms < most);
        }
        let live = [
            ("history", "history of one profile, live", 10.0, "< 10 ms"),
            (
                "hour",
                "changes of a field in an hour, live",
                100.0,
                "< 100 ms",
            ),
            ("day", "changes of a field in a day, live", 1e3, "< 1 s"),
        ];
        // These read more with more events a day.
        let of_a_million = [
            ("find", "find by a looked-up field, live", 20.0, "< 20 ms"),
            ("report", "report of a day, live", 1e3, "< 1 s"),
            ("gaps", "gaps in a day, live", 1e3, "< 1 s"),
            ("incidents", "incidents in a day, live", 1e3, "< 1 s"),
        ];
        let small = of_a_million.into_iter();
        let small = small.filter(|_| cost.made.events <= 1_000_000);
        for (name, what, most, mark) in live.into_iter().chain(small) {
            if let Some(asked) = cost.asked(name) {
                all.below(what, asked.live.ms(), most, mark);
            }
        }
        if let Some(asked) = cost.asked("history") {
            let took = asked.offline.ms();
            all.below("history of one profile, offline", took, 1e3, "< 1 s");
        }
        if let Some(asked) = cost.asked("export") {
            let rate = asked.offline.per_second();
            let value = format!("{} events/s", whole(rate));
            all.add("full export", value, "> 300,000 events/s", rate > 300_000.0);
        }
    }
    let rows = report.rates.iter().flat_map(|rates| {
        let rows = rates.rows.as_slice();
        rows.chunk_by(|one, next| one.connections == next.connections)
    });
    for rows in rows {
        let of = |kind| rows.iter().filter(move |row| row.kind == kind);
        let Some(own) = of(Kind::Empty).next() else {
            continue;
        };
        let connections = own.connections;
        if let Some(full) = of(Kind::Full).next() {
            let what = format!(
                "calls/s with a full store to those with an empty one, {connections} connections"
            );
            all.at_least(&what, full.to_first, 0.9);
        }
        if let Some(tls) = of(Kind::Tls).next().filter(|_| connections > 1) {
            let what = format!("calls/s with TLS to those without, {connections} connections");
            all.at_least(&what, tls.to_first, 0.8);
        }
        // At more connections no core is idle, and the cost of wrk itself counts.
        if let Some(wrk) = of(Kind::Wrk).next().filter(|_| connections == 1) {
            let what = "calls/s as wrk measures them, 1 connection";
            let ratio = wrk.to_first;
            let met = (0.9..=1.1).contains(&ratio);
            all.add(what, format!("{ratio:.2}"), "0.90 to 1.10", met);
        }
        if let Some(signed) = of(Kind::Signed).next().filter(|_| connections == 32) {
            let what = "calls/s signed to those unsigned, 32 connections";
            all.at_least(what, signed.to_first, 0.7);
        }
        if let Some(nothing) = of(Kind::Nothing).next() {
            let mut sync = report.rates.iter().flat_map(|rates| &rates.disk);
            let sync = sync.find(|row| row.group == 1).map(|row| row.per_second);
            match (connections, sync) {
                (1, Some(sync)) => {
                    let in_a_row = 1.0 / (1.0 / nothing.per_second + 1.0 / sync);
                    let ratio = own.per_second / in_a_row;
                    let what = "calls/s to tiny_http and one sync in a row, 1 connection";
                    all.at_least(what, ratio, 0.85);
                }
                (32, _) => {
                    let what = "calls/s to the do-nothing server's, 32 connections";
                    all.at_least(what, own.to_baseline, 0.7);
                }
                _ => {}
            }
        }
        let strongest = of(Kind::Peer).max_by(|one, two| one.per_second.total_cmp(&two.per_second));
        let Some(peer) = strongest else {
            continue;
        };
        let what = format!(
            "calls/s to the strongest peer ({}), {connections} connections",
            peer.name
        );
        let least = if connections == 1 { 1.3 } else { 1.5 };
        all.at_least(&what, 1.0 / peer.to_first, least);
        let what = format!("p99 beside that peer's, {connections} connections");
        let value = format!("{} and {}", ms(own.p99_us / 1e3), ms(peer.p99_us / 1e3));
        all.add(&what, value, "lower", own.p99_us < peer.p99_us);
    }
    all.0
}

pub fn print(targets: &[Target]) {
    let mut table = Printed::new(&["what decides", "measured", "mark", "met"], 1);
    for mark in targets {
        let met = if mark.met { "yes" } else { "no" };
        table.row([
            mark.what.clone(),
            mark.value.clone(),
            mark.mark.clone(),
            met.to_owned(),
        ]);
    }
    if !targets.is_empty() {
        table.print("What decides");
    }
}

//! The results, as tables on standard output and as JSON.

use serde::Serialize;

use super::compared;
use super::erasure::Erasure;
use super::looked_up::LookedUp;
use super::peer_store::PeersStorageCost;
use super::rates::Rates;
use super::storage_cost::{Asked, StorageCost};
use super::table::{Printed, mib, ms, whole};
use super::targets::{self, Target};

/// Everything at one size.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Events of the store.
    pub events: u64,
    /// The targets, and whether they are met.
    #[serde(rename = "marks")]
    pub targets: Vec<Target>,
    pub rates: Option<Rates>,
    /// Memory, disk, start, questions.
    #[serde(rename = "keeping")]
    pub storage_cost: Option<StorageCost>,
    /// Questions to a store of large events.
    pub large_events: Vec<Asked>,
    /// The same of the peers.
    pub peers: Option<PeersStorageCost>,
    /// Peers that could not be set up, and why.
    pub missing: Vec<String>,
}

impl Report {
    pub fn print(&self) {
        if let Some(rates) = &self.rates {
            print_rates(rates);
        }
        if let Some(cost) = &self.storage_cost {
            print_storage_cost(cost, self.peers.as_ref());
            print_looked_up(&cost.looked_up);
            print_erasure(&cost.erasure, cost.made.events);
            print_questions(cost, self.peers.as_ref());
        }
        if !self.large_events.is_empty() {
            let mut asked = questions_table();
            push_asked(&mut asked, &self.large_events);
            asked.print("Questions to a store of large events of one profile");
        }
        compared::print(self);
        targets::print(&self.targets);
    }
}

fn print_rates(rates: &Rates) {
    let mut rows = Printed::new(
        &[
            "server",
            "connections",
            "calls/s",
            "p50",
            "p99",
            "CPU µs/call",
            "to profiletrail",
            "to do-nothing",
            "memory",
            "index ready after",
        ],
        1,
    );
    for row in &rates.rows {
        rows.row([
            row.name.clone(),
            row.connections.to_string(),
            whole(row.per_second),
            ms(row.p50_us / 1e3),
            ms(row.p99_us / 1e3),
            format!("{:.1}", row.processor_us),
            format!("{:.2}", row.to_first),
            format!("{:.2}", row.to_baseline),
            mib(row.memory.rss_kib),
            row.index_ms.map_or_else(String::new, ms),
        ]);
    }
    rows.print("Calls answered 200: medians of all rounds, ratios within a round");
    let mut disk = Printed::new(&["append + fdatasync, group of", "bodies/s"], 0);
    for row in &rates.disk {
        disk.row([row.group.to_string(), whole(row.per_second)]);
    }
    disk.print("The disk alone");
    let mut outages = Printed::new(&["killed", "longest wait for an answer", "answered 503"], 1);
    for outage in &rates.outages {
        outages.row([
            format!("NATS server {}", outage.server),
            ms(outage.longest_ms),
            outage.refused.to_string(),
        ]);
    }
    if !rates.outages.is_empty() {
        outages.print("A node of three, 32 connections");
    }
}

fn print_storage_cost(cost: &StorageCost, peers: Option<&PeersStorageCost>) {
    let made = &cost.made;
    let each = |bytes: u64| bytes as f64 / made.events as f64;
    let to_zstd =
        |bytes: f64| format!("{:.2}", bytes * made.events as f64 / made.zstd_bytes as f64);
    let mut bytes = Printed::new(&["on disk", "bytes an event", "to zstd -3"], 1);
    let own = [
        ("raw lines", each(made.raw_bytes)),
        ("raw lines, zstd -3 in one piece", each(made.zstd_bytes)),
        ("profiletrail: log", each(cost.log_bytes)),
        ("profiletrail: index", each(cost.index_bytes)),
        ("profiletrail: both", cost.bytes_per_event()),
    ];
    for (what, value) in own {
        bytes.row([what.to_owned(), format!("{value:.1}"), to_zstd(value)]);
    }
    if let Some(peers) = peers {
        let value = peers.made.bytes as f64 / peers.made.events as f64;
        let what = format!(
            "peers' SQLite, of {} events",
            whole(peers.made.events as f64)
        );
        bytes.row([what, format!("{value:.1}"), to_zstd(value)]);
    }
    bytes.print(&format!("Storing {} events", whole(made.events as f64)));

    let mut costs = Printed::new(
        &[
            "server",
            "events",
            "start after stop",
            "after kill -9",
            "memory",
            "most memory",
        ],
        1,
    );
    let (stop, kill) = (cost.after_stop, cost.after_kill);
    let history = cost.asked("history").map(|asked| asked.server.rss_kib);
    costs.row([
        "profiletrail".to_owned(),
        whole(made.events as f64),
        ms(stop.answer_ms),
        ms(kill.answer_ms),
        mib(history.unwrap_or_default()),
        mib(cost.server_peak_kib()),
    ]);
    if let Some(all) = peers {
        let events = whole(all.made.events as f64);
        for peer in &all.peers {
            costs.row([
                peer.name.to_owned(),
                events.clone(),
                ms(peer.after_stop_ms),
                ms(peer.after_kill_ms),
                mib(peer.memory.rss_kib),
                mib(peer.memory.peak_kib),
            ]);
        }
    }
    costs.print(
        "Start to first answer; memory after histories of one profile, and at most (profiletrail: \
         whatever is asked)",
    );
}

/// Prints the cost of proofs and of an erasure with this many events.
pub fn print_erasure(erasure: &Erasure, events: u64) {
    let mut table = Printed::new(&["proofs and erasure, live", "value"], 1);
    for (what, value) in [
        ("first checkpoint", ms(erasure.first_checkpoint_ms)),
        ("prove", ms(erasure.prove_ms)),
        (
            "proofs, bytes an event",
            format!("{:.3}", erasure.proofs_bytes as f64 / events as f64),
        ),
        ("events erased", whole(erasure.events as f64)),
        ("hidden after", ms(erasure.hidden_ms)),
        ("erased after", ms(erasure.done_ms)),
        (
            "calls/s meanwhile, to those without",
            format!("{:.2}", erasure.calls_meanwhile),
        ),
        (
            "another person, with these calls, after",
            ms(erasure.loaded_done_ms),
        ),
        ("server's most memory", mib(erasure.server.peak_kib)),
        (
            "server's most memory with these calls",
            mib(erasure.loaded_server.peak_kib),
        ),
    ] {
        table.row([what.to_owned(), value]);
    }
    table.print("Proofs, and erasing a person");
}

fn print_looked_up(looked_up: &LookedUp) {
    let mut table = Printed::new(
        &[
            "values",
            "bytes a value",
            "all entered after",
            "memory then",
            "most",
        ],
        0,
    );
    let entries = looked_up.entries as f64;
    table.row([
        whole(entries),
        format!("{:.1}", looked_up.bytes as f64 / entries.max(1.0)),
        ms(looked_up.entered_ms),
        mib(looked_up.entering.rss_kib),
        mib(looked_up.entering.peak_kib),
    ]);
    table.print("serve --lookup mail: indexing the events that exist");
}

fn questions_table() -> Printed {
    Printed::new(
        &[
            "command",
            "lines",
            "live",
            "offline",
            "lines/s",
            "server's most",
            "offline most",
        ],
        1,
    )
}

fn push_asked<'a>(table: &mut Printed, asked: impl IntoIterator<Item = &'a Asked>) {
    for row in asked {
        table.row([
            row.command.clone(),
            whole(row.live.lines as f64),
            ms(row.live.ms()),
            ms(row.offline.ms()),
            whole(row.offline.per_second()),
            mib(row.server.peak_kib),
            mib(row.offline.peak_kib),
        ]);
    }
}

fn print_questions(cost: &StorageCost, peers: Option<&PeersStorageCost>) {
    let mut asked = questions_table();
    push_asked(&mut asked, cost.asked.iter().chain(&cost.looked_up.asked));
    if let Some(all) = peers {
        let events = whole(all.made.events as f64);
        for (what, timed) in [
            ("one profile", &all.shell_history),
            ("all bodies", &all.shell_export),
        ] {
            let Some(timed) = timed else { continue };
            asked.row([
                format!("sqlite3 shell, {what} of {events}"),
                whole(timed.lines as f64),
                String::new(),
                ms(timed.ms()),
                whole(timed.per_second()),
                String::new(),
                mib(timed.peak_kib),
            ]);
        }
        for peer in &all.peers {
            for (what, took) in [
                ("one profile", peer.history_ms),
                ("the hot profile", peer.hot_ms),
            ] {
                let what = format!("{}: {what} of {events}, no process", peer.name);
                let mut cells = vec![what, String::new(), ms(took)];
                cells.resize(7, String::new());
                asked.row(cells);
            }
        }
    }
    asked.print("Questions, whole processes, medians");
}

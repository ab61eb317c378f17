//! Everything in one table: a column for each contestant, each number with its
//! ratio to profiletrail's.

use indexmap::IndexSet;

use super::peer_store::PeerKeeping;
use super::peers::Which;
use super::rates::{Kind, Row};
use super::report::Report;
use super::table::{Printed, mib, ms, whole};

/// A row: how numbers are written, profiletrail's, the peers', the limit's.
struct Line {
    what: String,
    write: fn(f64) -> String,
    own: Option<f64>,
    peers: Vec<Option<f64>>,
    limit: Option<f64>,
}

impl Line {
    /// The cells; with a ratio only if profiletrail has a number.
    fn cells(self) -> Vec<String> {
        let Self { own, write, .. } = self;
        let beside = |value: Option<f64>| match (value, own) {
            (Some(value), Some(own)) => format!("{} ({:.2})", write(value), value / own),
            (Some(value), None) => write(value),
            (None, _) => String::new(),
        };
        let mut cells = vec![self.what, own.map(write).unwrap_or_default()];
        cells.extend(self.peers.into_iter().map(beside));
        cells.push(beside(self.limit));
        cells
    }
}

pub fn print(report: &Report) {
    let peers = peers(report);
    let mut header = vec!["", "profiletrail"];
    header.extend(peers.iter().map(|which| which.name()));
    header.push("limit");
    let mut table = Printed::new(&header, 1);
    let mut lines = rates(report, &peers);
    lines.extend(storage_cost(report, &peers));
    if lines.is_empty() {
        return;
    }
    for line in lines {
        table.row(line.cells());
    }
    let title = "Side by side, with ratios to profiletrail's. Limits: a do-nothing tiny_http, \
                 zstd -3 of the raw lines";
    table.print(&match &report.peers {
        Some(all) => {
            let events = whole(all.made.events as f64);
            format!("{title}. The peers' store has {events} events")
        }
        None => title.to_owned(),
    });
}

/// The peers that took part.
fn peers(report: &Report) -> Vec<Which> {
    let all = [Which::Fastapi, Which::Node, Which::NodeGroup];
    let kept = report.peers.iter().flat_map(|all| &all.peers);
    let rated = report.rates.iter().flat_map(|rates| &rates.rows);
    let names: Vec<&str> = kept
        .map(|peer| peer.name)
        .chain(rated.map(|row| row.name.as_str()))
        .collect();
    all.into_iter()
        .filter(|which| names.contains(&which.name()))
        .collect()
}

fn rates(report: &Report, peers: &[Which]) -> Vec<Line> {
    let Some(rates) = &report.rates else {
        return Vec::new();
    };
    // Each number once, also if it was measured twice.
    let connections: IndexSet<usize> = rates.rows.iter().map(|row| row.connections).collect();
    let mut lines = Vec::new();
    for connections in connections {
        let find = |wanted: &dyn Fn(&Row) -> bool, value: fn(&Row) -> f64| {
            let mut rows = rates.rows.iter();
            rows.find(|row| row.connections == connections && wanted(row))
                .map(value)
        };
        let line = |what: String, write: fn(f64) -> String, value: fn(&Row) -> f64| Line {
            what,
            write,
            own: find(&|row| row.kind == Kind::Empty, value),
            peers: peers
                .iter()
                .map(|which| find(&|row| row.name == which.name(), value))
                .collect(),
            limit: find(&|row| row.kind == Kind::Nothing, value),
        };
        lines.extend([
            line(
                format!("calls/s, {connections} connections"),
                whole,
                |row| row.per_second,
            ),
            line(format!("p99, {connections} connections"), ms, |row| {
                row.p99_us / 1e3
            }),
        ]);
    }
    lines
}

fn storage_cost(report: &Report, peers: &[Which]) -> Vec<Line> {
    let Some(cost) = &report.storage_cost else {
        return Vec::new();
    };
    let theirs = report.peers.as_ref();
    let find = |which: Which| theirs?.peers.iter().find(|peer| peer.which == which);
    let each_peer = |value: fn(&PeerKeeping) -> f64| -> Vec<Option<f64>> {
        peers.iter().map(|which| find(*which).map(value)).collect()
    };
    let shared = |value: Option<f64>| vec![value; peers.len()];
    let asked = |name: &str| cost.asked(name);
    let each = |bytes: u64| bytes as f64 / cost.made.events as f64;
    let kib = |kib: f64| mib(kib as u64);
    vec![
        Line {
            what: "bytes on disk an event".to_owned(),
            write: whole,
            own: Some(cost.bytes_per_event()),
            peers: shared(theirs.map(|all| all.made.bytes as f64 / all.made.events as f64)),
            limit: Some(each(cost.made.zstd_bytes)),
        },
        Line {
            what: "memory of the server, after histories".to_owned(),
            write: kib,
            own: asked("history").map(|asked| asked.server.rss_kib as f64),
            peers: each_peer(|peer| peer.memory.rss_kib as f64),
            limit: None,
        },
        Line {
            what: "start to first answer".to_owned(),
            write: ms,
            own: Some(cost.after_stop.answer_ms),
            peers: each_peer(|peer| peer.after_stop_ms),
            limit: None,
        },
        Line {
            what: "start to first answer, after `kill -9`".to_owned(),
            write: ms,
            own: Some(cost.after_kill.answer_ms),
            peers: each_peer(|peer| peer.after_kill_ms),
            limit: None,
        },
        Line {
            what: "history of one profile, live (peers: the `sqlite3` shell)".to_owned(),
            write: ms,
            own: asked("history").map(|asked| asked.live.ms()),
            peers: shared(theirs.and_then(|all| Some(all.shell_history.as_ref()?.ms()))),
            limit: None,
        },
        Line {
            what: "events/s exported (peers: bodies alone, by the shell)".to_owned(),
            write: whole,
            own: asked("export").map(|asked| asked.offline.per_second()),
            peers: shared(theirs.and_then(|all| Some(all.shell_export.as_ref()?.per_second()))),
            limit: None,
        },
    ]
}

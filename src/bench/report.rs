//! What was measured, as tables on standard output and as JSON.

use comfy_table::{CellAlignment, Table, presets::UTF8_HORIZONTAL_ONLY};
use serde::Serialize;

use super::keeping::Keeping;
use super::rates::Rates;

/// Everything.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Events per second.
    pub rates: Option<Rates>,
    /// Memory, disk, start, queries.
    pub keeping: Option<Keeping>,
}

fn table(header: &[&str], texts: usize) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_HORIZONTAL_ONLY).set_header(header);
    for column in table.column_iter_mut().skip(texts) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A whole number with its thousands apart.
fn whole(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Prints the rates.
pub fn print_rates(rates: Option<&Rates>) {
    let Some(rates) = rates else { return };
    let against = rates.rows.iter().filter(|row| row.index_ms.is_some());
    let against = against.count() * 2 > rates.rows.len();
    let mut header = vec![
        "server",
        "connections",
        "events/s",
        "p50 µs",
        "p99 µs",
        "CPU µs/event",
        "to do-nothing",
        "index ready after ms",
    ];
    if against {
        header.push("to profiletrail");
    }
    let mut rows = table(&header, 1);
    for row in &rates.rows {
        let mut cells = vec![
            row.name.clone(),
            row.connections.to_string(),
            whole(row.per_second),
            whole(row.p50_us),
            whole(row.p99_us),
            format!("{:.1}", row.processor_us),
            format!("{:.2}", row.to_nothing),
            row.index_ms
                .map_or_else(String::new, |time| format!("{time:.0}")),
        ];
        if against {
            cells.push(format!("{:.2}", row.to_first));
        }
        rows.add_row(cells);
    }
    println!("Acknowledged calls: medians of all rounds, ratios within a round\n{rows}\n");
    let mut disk = table(&["append + fdatasync, group of", "bodies/s"], 0);
    for row in &rates.disk {
        disk.add_row([row.group.to_string(), whole(row.per_second)]);
    }
    println!("The disk alone\n{disk}\n");
}

/// Prints what keeping costs.
pub fn print_keeping(keeping: Option<&Keeping>) {
    let Some(keeping) = keeping else { return };
    let mib = |kib: u64| format!("{:.0} MiB", kib as f64 / 1024.0);
    let mut costs = table(&["", ""], 1);
    let rows = [
        (
            "events loaded over 128 connections",
            whole(keeping.events as f64),
        ),
        (
            "events/s, where the generator makes each body",
            whole(keeping.load_per_second),
        ),
        (
            "bytes of a body, on average",
            format!("{:.0}", keeping.body_bytes),
        ),
        (
            "log, bytes on disk an event",
            format!("{:.0}", keeping.log_bytes),
        ),
        (
            "index, bytes on disk an event",
            format!("{:.0}", keeping.index_bytes),
        ),
        (
            "memory after the load (peak)",
            format!(
                "{} ({})",
                mib(keeping.after_load.rss_kib),
                mib(keeping.after_load.peak_kib)
            ),
        ),
        (
            "memory after an export (peak)",
            format!(
                "{} ({})",
                mib(keeping.after_export.rss_kib),
                mib(keeping.after_export.peak_kib)
            ),
        ),
        ("events/s of export --raw", whole(keeping.export_per_second)),
        (
            "start after a clean stop: first answer, first query",
            format!(
                "{:.0} ms, {:.0} ms",
                keeping.after_stop.answer_ms, keeping.after_stop.query_ms
            ),
        ),
        (
            "start after SIGKILL: first answer, first query",
            format!(
                "{:.0} ms, {:.0} ms",
                keeping.after_kill.answer_ms, keeping.after_kill.query_ms
            ),
        ),
    ];
    for (what, value) in rows {
        costs.add_row([what.to_owned(), value]);
    }
    println!("Keeping {} events\n{costs}\n", whole(keeping.events as f64));
    let mut asked = table(&["command", "live ms", "offline ms"], 1);
    for row in &keeping.asked {
        asked.add_row([
            row.command.clone(),
            format!("{:.1}", row.live_ms),
            format!("{:.1}", row.offline_ms),
        ]);
    }
    println!("Questions, whole processes, medians\n{asked}");
}

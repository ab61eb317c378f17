//! A turn with wrk, a public load generator, to check the built-in one.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail};

use super::rates::Turn;

/// At most so many requests, which wrk sends again and again.
const REQUESTS: usize = 2_000;

/// How long wrk is to run: it takes whole seconds.
pub fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().max(1)
}

/// Sends requests for a time, in [`whole_seconds`], over a number of connections; `script` is
/// written for it.
pub fn run(
    script: &Path,
    address: SocketAddr,
    connections: usize,
    requests: &[Vec<u8>],
    time: Duration,
) -> anyhow::Result<Turn> {
    let mut text = "local requests = {\n".to_owned();
    for request in requests.iter().take(REQUESTS) {
        let request = std::str::from_utf8(request).context("a request that is not UTF-8")?;
        // Rust's escapes of control characters are Lua's, but for those that do not occur.
        writeln!(text, "{request:?},")?;
    }
    text += "}\nlocal sent = 0\nrequest = function()\n  sent = sent % #requests + 1\n  return requests[sent]\nend\n";
    std::fs::write(script, text).with_context(|| format!("writing {}", script.display()))?;
    let seconds = whole_seconds(time).to_string();
    let output = Command::new("wrk")
        .args([
            "--threads",
            "1",
            "--latency",
            "--connections",
            &connections.to_string(),
        ])
        .args(["--duration", &seconds, "--script"])
        .arg(script)
        .arg(format!("http://{address}/webhook"))
        .output()
        .context("starting wrk")?;
    let printed = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() || printed.contains("Non-2xx") || printed.contains("Socket errors")
    {
        bail!("wrk: {printed}{}", String::from_utf8_lossy(&output.stderr));
    }
    let value = |name: &str| {
        let line = printed
            .lines()
            .map(str::trim)
            .find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.get(name.len()..)).map(str::trim);
        value.with_context(|| format!("wrk printed no {name}:\n{printed}"))
    };
    Ok(Turn {
        rate: value("Requests/sec:")?.parse()?,
        p50: microseconds(value("50%")?)?,
        p99: microseconds(value("99%")?)?,
        ..Turn::default()
    })
}

/// A time as wrk prints it: `12.30us`, `1.05ms` or `1.20s`.
fn microseconds(text: &str) -> anyhow::Result<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6)];
    let read = |(unit, factor): &(&str, f64)| {
        let number: f64 = text.strip_suffix(unit)?.parse().ok()?;
        Some(number * factor)
    };
    units
        .iter()
        .find_map(read)
        .with_context(|| format!("wrk printed the time {text}"))
}

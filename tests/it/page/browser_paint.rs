//! How soon a browser paints a profile of 5,000 events.
//!
//! Its page is bounded, can be read, and its list goes on without a gap.
//! How soon Chromium paints it is printed, not asserted; what counts is
//! a program that is built for use, which `PROGRAM` names:
//!
//! ```text
//! cargo build --release
//! PROGRAM=target/release/profiletrail cargo test --all-features --test it browser_paint -- --nocapture
//! ```

use crate::support::looks::{LOOKS, UI, judge_console, judge_looks, log_in};
use crate::support::store::fill;
use crate::support::{BINARY, Server, clean, data, eventually};
use profiletrail::event::now_seconds;

#[test]
fn a_profile_of_5000_events_is_shown_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let data = data(&dir);
    let program = std::env::var_os("PROGRAM");
    // How often each look is painted: the times are read only where a program is named.
    let times = if program.is_some() { 3 } else { 1 };
    let mut command = clean(program.unwrap_or_else(|| BINARY.into()));
    command.args(Server::arguments(&data, &UI));
    let mut values = [0_u32; 16];
    let calls = (0..5000_u32).map(|number| {
        let time = now_seconds() - 90 * 86_400 + i64::from(number) * 1500;
        let place = number.wrapping_mul(7) % 16;
        values[place as usize] = number;
        let mut body = format!(
            "type=update&profile=5&database=1&time={time}&parameters[f{place}]=value%20{number}"
        );
        for (place, value) in values.iter().enumerate() {
            body += &format!("&fields[f{place}]=value%20{value}");
        }
        (Some("crm"), body)
    });
    fill(&data, calls);
    let server = Server::spawn(command).expect("a server");
    let browser = log_in(&data, &server);
    for look in LOOKS {
        browser.look(look);
        let mut measured = serde_json::Value::Null;
        for _ in 0..times {
            browser.open(server.api(), "/profile/5");
            let painted = "return performance.getEntriesByName('first-contentful-paint').length";
            eventually("a paint", || browser.run(painted) == 1);
            measured = browser.run(
                "const paint = performance.getEntriesByType('paint').find((it) => it.name === 'first-contentful-paint');
                 const answer = performance.getEntriesByType('navigation')[0].responseEnd;
                 return [Math.round(paint.startTime), document.documentElement.outerHTML.length,
                   document.querySelectorAll('.mark').length, Math.round(answer)]",
            );
            println!(
                "5,000 events, {}: first contentful paint after {} ms, the whole answer after {} ms; {} bytes, {} marks",
                look.name, measured[0], measured[3], measured[1], measured[2]
            );
        }
        assert!(
            measured[1].as_u64().unwrap() < 2 << 20 && measured[2].as_u64().unwrap() <= 1600,
            "{measured}"
        );
        judge_looks(&browser, "many events");
        browser.picture(&format!("many-{}", look.name));
        // The list goes on, page by page, without a gap.
        let mut seqs: Vec<u64> = Vec::new();
        for _ in 0..3 {
            let shown = browser.run("return [...document.querySelectorAll('#list tr')].map((row) => Number(row.dataset.seq))");
            seqs.extend(
                shown
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter_map(serde_json::Value::as_u64),
            );
            browser.click(".pages a[rel=next]");
        }
        assert_eq!(seqs, (4851..=5000).rev().collect::<Vec<_>>());
    }
    judge_console(&browser);
    drop(browser);
    server.stop();
}

//! Logging in with a real browser, and judging how pages look.

use std::path::Path;
use std::process::Command;
use std::sync::LazyLock;

use serde_json::json;

use crate::support::browser::{Browser, Look, key};
use crate::support::http::token;
use crate::support::{Client, Server, data, eventually, new_server};

/// The arguments of a server with a page.
pub const UI: [&str; 3] = ["--api", "127.0.0.1:0", "--ui"];

/// On a desk by day and by night, and on a phone.
pub const LOOKS: [Look; 3] = [
    Look {
        name: "light",
        width: 1280,
        height: 900,
        dark: false,
    },
    Look {
        name: "dark",
        width: 1280,
        height: 900,
        dark: true,
    },
    Look {
        name: "phone",
        width: 390,
        height: 844,
        dark: false,
    },
];

/// Lists the texts of a page whose contrast with their background is too low (WCAG AA).
pub const UNREADABLE: &str = "const part = (v) => { v /= 255; return v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4; };
         const light = ([r, g, b]) => .2126 * part(r) + .7152 * part(g) + .0722 * part(b);
         const read = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
         const found = [];
         for (const element of document.querySelectorAll('body *')) {
           const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
           const box = element.getBoundingClientRect();
           if (!own || element.closest('svg, [hidden], .skip, .search label, [aria-busy=true]') || !box.width || box.right < 0) continue;
           let ground = null;
           for (let at = element; at && !ground; at = at.parentElement) {
             const style = getComputedStyle(at);
             if (style.backgroundImage !== 'none') { ground = 'drawn'; break; }
             const colour = read(style.backgroundColor);
             if (colour.length === 3 || colour[3] === 1) ground = colour;
           }
           if (ground === 'drawn') continue;
           const [one, other] = [light(read(getComputedStyle(element).color)), light(ground ?? [255, 255, 255])];
           const contrast = (Math.max(one, other) + .05) / (Math.min(one, other) + .05);
           if (contrast < 4.5) found.push(element.outerHTML.slice(0, 120) + ' ' + contrast.toFixed(2));
         }
         return found";

/// A browser that has logged in at a folder's server.
pub fn log_in(data: &Path, server: &Server) -> Browser {
    let browser = Browser::start();
    browser.open(server.api(), "/");
    assert_eq!(browser.target(), "/login?next=%2F");
    browser.type_into("#token", &token(data, "read"));
    browser.keys(&[key::ENTER]);
    eventually("a login", || browser.target() == "/");
    browser
}

/// A server with what is put there, and a browser that has logged in.
pub fn visited(fill: impl FnOnce(&mut Client)) -> (tempfile::TempDir, Server, Browser) {
    // Their addresses name the profiles.
    let (dir, server) = new_server(&[&UI[..], &["--title", "mail"]].concat());
    fill(&mut server.client());
    let browser = log_in(&data(&dir), &server);
    (dir, server, browser)
}

/// What of the page's texts cannot be read on its ground (WCAG AA), and what is
/// wider than the screen.
#[track_caller]
pub fn judge_looks(browser: &Browser, what: &str) {
    let unreadable = browser.run(UNREADABLE);
    assert_eq!(unreadable, json!([]), "{what}");
    let wide = browser
        .run("return document.documentElement.scrollWidth - document.documentElement.clientWidth");
    assert!(wide.as_i64().unwrap() <= 0, "{what} is {wide} too wide");
}

/// What axe-core finds wrong with a page: what keeps people with a screen reader, a
/// keyboard or weak eyes from it.
#[track_caller]
pub fn judge_access(browser: &Browser, what: &str) {
    static SCRIPT: LazyLock<String> = LazyLock::new(|| {
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/axe/install");
        let installed = Command::new(install).output().unwrap();
        let stderr = String::from_utf8_lossy(&installed.stderr).into_owned();
        assert!(installed.status.success(), "{stderr}");
        let path = String::from_utf8(installed.stdout).unwrap();
        std::fs::read_to_string(path.trim()).unwrap()
    });
    browser.run(&SCRIPT);
    let found = browser.run(
        "return axe.run().then((it) => it.violations.map((one) =>
           [one.id, one.help, ...one.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]))",
    );
    assert_eq!(found, json!([]), "{what}");
}

/// The console has no messages but those that a page without a fault causes, too.
#[track_caller]
pub fn judge_console(browser: &Browser) {
    let messages = browser.console();
    let expected = |line: &&String| {
        line.contains("Password forms should have")
            || line.contains("the server responded with a status of 40")
            // A request of the previous page, which is closed by now; it is tried again.
            || line.contains("?part=panel") && line.contains("status of 503")
    };
    let messages: Vec<_> = messages.iter().filter(|line| !expected(line)).collect();
    assert!(messages.is_empty(), "{messages:?}");
}

//! A real browser: Chromium without a window, driven by its `chromedriver` over
//! WebDriver, which is JSON over HTTP on the loopback.
//!
//! All that is started ends with the [`Browser`], however a test ends: the
//! session first, then the driver, then whatever of Chromium is left, known by
//! its profile folder, which no other process has. One runs at a time: each takes
//! some hundred MiB, and the paint times that a test prints should be those of its
//! page alone.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::{Client, eventually};

/// Where elements stand in answers, as WebDriver names it.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// The keys that have no character.
pub mod key {
    pub const TAB: &str = "\u{e004}";
    pub const ENTER: &str = "\u{e007}";
    pub const LEFT: &str = "\u{e012}";
    pub const PAGE_DOWN: &str = "\u{e00f}";
}

/// How a page is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    pub name: &'static str,
    pub width: u32,
    pub height: u32,
    pub dark: bool,
}

/// Who may run a browser now.
static TURN: Mutex<()> = Mutex::new(());

/// A browser, ended when dropped.
pub struct Browser {
    _turn: MutexGuard<'static, ()>,
    driver: Child,
    address: SocketAddr,
    session: String,
    profile: tempfile::TempDir,
}

impl Browser {
    pub fn start() -> Self {
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is needed (Debian: chromium and chromium-driver)");
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| {
            let line = line.ok()?;
            let (_, port) = line.split_once("started successfully on port ")?;
            port.trim_end_matches('.').parse::<u16>().ok()
        });
        // It goes on writing, and must not find nobody.
        std::thread::spawn(move || lines.for_each(drop));
        let mut browser = Self {
            _turn: turn,
            driver,
            address: SocketAddr::from(([127, 0, 0, 1], port.expect("the driver's port"))),
            session: String::new(),
            profile: tempfile::tempdir().unwrap(),
        };
        let profile = browser.profile.path().display();
        let args = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--disable-dev-shm-usage",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
            "--lang=en-GB",
            &format!("--user-data-dir={profile}"),
        ];
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "unhandledPromptBehavior": "ignore",
            "goog:chromeOptions": { "args": args },
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let made = browser
            .send("POST", "/session", &wanted)
            .expect("a session");
        browser.session = made["sessionId"].as_str().unwrap().to_owned();
        browser
    }

    fn send(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        let body = if method == "POST" {
            body.to_string()
        } else {
            String::new()
        };
        let headers = [("Content-Type", "application/json")];
        let mut client =
            Client::try_connect(self.address).map_err(|error| json!(error.to_string()))?;
        let reply = client.try_request(method, path, &headers, body.as_bytes());
        let reply = reply.map_err(|error| json!(error.to_string()))?;
        let value = reply.json()["value"].take();
        if reply.status == 200 {
            Ok(value)
        } else {
            Err(value)
        }
    }

    fn try_ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Value> {
        self.send(method, &format!("/session/{}{path}", self.session), body)
    }

    #[track_caller]
    fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.try_ask(method, path, body);
        answer.unwrap_or_else(|error| panic!("{method} {path} {body}: {error}"))
    }

    /// A command of the browser's own protocol.
    #[track_caller]
    pub fn command(&self, name: &str, params: Value) -> Value {
        self.ask(
            "POST",
            "/goog/cdp/execute",
            &json!({ "cmd": name, "params": params }),
        )
    }

    #[track_caller]
    pub fn look(&self, look: Look) {
        let phone = look.width < 600;
        self.command(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": look.width, "height": look.height, "deviceScaleFactor": 1, "mobile": phone }),
        );
        let scheme = if look.dark { "dark" } else { "light" };
        let feature = json!({ "name": "prefers-color-scheme", "value": scheme });
        self.command(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        );
    }

    #[track_caller]
    pub fn open(&self, address: SocketAddr, target: &str) {
        self.ask(
            "POST",
            "/url",
            &json!({ "url": format!("http://{address}{target}") }),
        );
    }

    /// The path and query of the page that is shown.
    #[track_caller]
    pub fn target(&self) -> String {
        let target = self.run("return location.pathname + location.search");
        target.as_str().unwrap().to_owned()
    }

    /// What a script gives.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.ask(
            "POST",
            "/execute/sync",
            &json!({ "script": script, "args": [] }),
        )
    }

    fn find(&self, css: &str) -> Result<String, Value> {
        let found = self.try_ask(
            "POST",
            "/element",
            &json!({ "using": "css selector", "value": css }),
        )?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    /// The first element of a selector, which must come to be there.
    #[track_caller]
    fn element(&self, css: &str) -> String {
        let mut found = None;
        eventually(css, || {
            found = self.find(css).ok();
            found.is_some()
        });
        found.unwrap()
    }

    #[track_caller]
    pub fn text(&self, css: &str) -> String {
        let path = format!("/element/{}/text", self.element(css));
        self.ask("GET", &path, &Value::Null)
            .as_str()
            .unwrap()
            .to_owned()
    }

    /// Waits until an element has a text in it.
    #[track_caller]
    pub fn await_text(&self, css: &str, text: &str) {
        eventually(&format!("{text:?} in {css}"), || {
            let script = format!(
                "return document.querySelector({})?.textContent ?? ''",
                json!(css)
            );
            self.run(&script).as_str().unwrap().contains(text)
        });
    }

    #[track_caller]
    pub fn click(&self, css: &str) {
        let path = format!("/element/{}/click", self.element(css));
        self.ask("POST", &path, &json!({}));
    }

    #[track_caller]
    pub fn type_into(&self, css: &str, text: &str) {
        let path = format!("/element/{}/value", self.element(css));
        self.ask("POST", &path, &json!({ "text": text }));
    }

    /// Keys, wherever the focus is.
    #[track_caller]
    pub fn keys(&self, keys: &[&str]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| {
                [
                    json!({ "type": "keyDown", "value": key }),
                    json!({ "type": "keyUp", "value": key }),
                ]
            })
            .collect();
        let source = json!({ "type": "key", "id": "keys", "actions": actions });
        self.ask("POST", "/actions", &json!({ "actions": [source] }));
    }

    /// Whether a dialog is open, as `alert` opens one.
    pub fn has_dialog(&self) -> bool {
        self.try_ask("GET", "/alert/text", &Value::Null).is_ok()
    }

    /// The messages of the console since the last call.
    #[track_caller]
    pub fn console(&self) -> Vec<String> {
        let log = self.ask("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter();
        entries
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// Keeps a picture of the page's begin in the folder that `SCREENSHOTS`
    /// names, if it names one.
    #[track_caller]
    pub fn picture(&self, name: &str) {
        let Some(folder) = std::env::var_os("SCREENSHOTS").map(PathBuf::from) else {
            return;
        };
        let made = self.command("Page.captureScreenshot", json!({ "format": "png" }));
        let png = base64::engine::general_purpose::STANDARD.decode(made["data"].as_str().unwrap());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(format!("{name}.png")), png.unwrap()).unwrap();
    }

    /// The processes that have this browser's profile folder.
    fn left(&self) -> Vec<Pid> {
        let own = self.profile.path().display().to_string();
        let numbers = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let numbers = numbers.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let has = |number: &i32| {
            let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(&own)
        };
        numbers.filter(has).filter_map(Pid::from_raw).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.try_ask("DELETE", "", &Value::Null);
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        for pid in self.left() {
            let _ = kill_process(pid, Signal::KILL);
        }
    }
}

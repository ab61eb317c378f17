//! Who visits the page without an engine that shows it.

use std::net::SocketAddr;

use crate::support::http::{FORM, Reply, token};
use crate::support::{Client, Server, data, new_server};

/// The arguments of a server with a page.
pub const UI: [&str; 3] = ["--api", "127.0.0.1:0", "--ui"];

/// A browser without an engine.
pub struct Visitor {
    pub address: SocketAddr,
    pub cookie: String,
}

/// A text as it stands in a target.
pub fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

impl Visitor {
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            cookie: String::new(),
        }
    }

    pub fn ask(&self, method: &str, target: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let mut headers = more.to_vec();
        if !self.cookie.is_empty() {
            headers.push(("Cookie", &self.cookie));
        }
        Client::connect(self.address).request(method, target, &headers, body.as_bytes())
    }

    pub fn get(&self, target: &str) -> Reply {
        self.ask("GET", target, &[], "")
    }

    pub fn post(&self, target: &str, more: &[(&str, &str)], body: &str) -> Reply {
        let headers = [&[("Content-Type", FORM)], more].concat();
        self.ask("POST", target, &headers, body)
    }

    pub fn log_in(&mut self, token: &str) -> Reply {
        let reply = self.post("/login", &[], &format!("token={token}&next=/profile/1"));
        if let Some(cookie) = reply.header("Set-Cookie") {
            self.cookie = cookie.split(';').next().unwrap().to_owned();
        }
        reply
    }

    /// A page that must be there.
    #[track_caller]
    pub fn page(&self, target: &str) -> String {
        let reply = self.get(target);
        let text = String::from_utf8(reply.body).unwrap();
        assert_eq!(reply.status, 200, "{target}: {text}");
        text
    }
}

/// What an answer's body says.
pub fn text(reply: Reply) -> String {
    String::from_utf8(reply.body).unwrap()
}

/// A server with a page, and who has logged in there.
pub fn visited() -> (tempfile::TempDir, Server, Visitor) {
    let (dir, server) = new_server(&UI);
    let mut visitor = Visitor::new(server.api());
    let token = token(&data(&dir), "read");
    assert_eq!(visitor.log_in(&token).status, 303);
    (dir, server, visitor)
}

//! A small blocking HTTP/1.1 client that keeps its connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;

use serde_json::Value;

use super::{NEVER, Server, cli, json_lines};

/// The type of a body as PHP sends it.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's value; names in whatever case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&self.body)))
    }

    /// The number of a call that must have been kept.
    #[track_caller]
    pub fn seq(&self) -> u64 {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        self.json()["seq"].as_u64().unwrap()
    }
}

/// A connection.
pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).unwrap()
    }

    pub fn try_connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, NEVER)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(NEVER))?;
        stream.set_write_timeout(Some(NEVER))?;
        Ok(Self {
            stream: BufReader::new(stream),
        })
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// A request's bytes; a length is sent where there is a body or a `POST`.
    pub fn bytes(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n").into_bytes();
        for (name, value) in headers {
            bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        if !body.is_empty() || method == "POST" {
            bytes.extend_from_slice(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(body);
        bytes
    }

    /// Reads the next answer; one to `HEAD` has no body.
    pub fn receive(&mut self, head_only: bool) -> io::Result<Reply> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let status = line
            .strip_prefix("HTTP/1.1 ")
            .and_then(|rest| rest.get(..3)?.parse().ok())
            .ok_or_else(|| io::Error::other(format!("not a status line: {line:?}")))?;
        let mut headers = Vec::new();
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            match line.trim_end().split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => break,
            }
        }
        let mut reply = Reply {
            status,
            headers,
            body: Vec::new(),
        };
        if (100..200).contains(&status) {
            return self.receive(head_only);
        }
        if reply.header("Transfer-Encoding") == Some("chunked") {
            if head_only {
                return Ok(reply);
            }
            reply.body = self.chunks(&mut reply.headers)?;
            return Ok(reply);
        }
        if status == 304 {
            return Ok(reply);
        }
        let length = reply
            .header("Content-Length")
            .and_then(|length| length.parse::<usize>().ok())
            .or((status == 304).then_some(0))
            .ok_or_else(|| io::Error::other("no length"))?;
        if !head_only {
            reply.body = vec![0; length];
            self.stream.read_exact(&mut reply.body)?;
        }
        Ok(reply)
    }

    /// A body in chunks, whose trailer is added to the headers.
    fn chunks(&mut self, headers: &mut Vec<(String, String)>) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        let mut line = String::new();
        let next = |stream: &mut BufReader<TcpStream>, line: &mut String| {
            line.clear();
            match stream.read_line(line)? {
                0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof)),
                _ => Ok(line.trim_end().to_owned()),
            }
        };
        loop {
            let length = next(&mut self.stream, &mut line)?;
            let length = usize::from_str_radix(&length, 16).map_err(io::Error::other)?;
            if length == 0 {
                break;
            }
            let begun = body.len();
            body.resize(begun + length, 0);
            self.stream.read_exact(&mut body[begun..])?;
            assert_eq!(next(&mut self.stream, &mut line)?, "");
        }
        loop {
            let field = next(&mut self.stream, &mut line)?;
            match field.split_once(':') {
                Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
                None => return Ok(body),
            }
        }
    }

    pub fn try_request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Reply> {
        self.send(&Self::bytes(method, target, headers, body))?;
        self.receive(method == "HEAD")
    }

    #[track_caller]
    pub fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        self.try_request(method, target, headers, body).unwrap()
    }

    #[track_caller]
    pub fn get(&mut self, target: &str) -> Reply {
        self.request("GET", target, &[], b"")
    }

    /// Posts a form.
    #[track_caller]
    pub fn post(&mut self, target: &str, body: impl AsRef<[u8]>) -> Reply {
        self.try_post(target, body).unwrap()
    }

    pub fn try_post(&mut self, target: &str, body: impl AsRef<[u8]>) -> io::Result<Reply> {
        self.try_request("POST", target, &[("Content-Type", FORM)], body.as_ref())
    }

    /// Whether the server has closed, once what it still sends is read.
    pub fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => true,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

impl Server {
    /// The address of its query API.
    pub fn api(&self) -> SocketAddr {
        let log = self.log();
        let mut lines = log.lines();
        let address = lines.find_map(|line| line.strip_prefix("answering questions on http://"));
        address
            .unwrap_or_else(|| panic!("no query API: {log}"))
            .parse()
            .unwrap()
    }
}

/// A new token of a scope.
#[track_caller]
pub fn token(data: &Path, scope: &str) -> String {
    let made = cli(data, &["token", "create", "--scope", scope]).ok();
    json_lines(&made)[0]["token"].as_str().unwrap().to_owned()
}

/// Asks the query API.
pub fn ask(address: SocketAddr, token: &str, target: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str())];
    Client::connect(address).request("GET", target, &headers, b"")
}

/// The answer to one that may have it already.
pub fn again(address: SocketAddr, token: &str, target: &str, tag: &str) -> Reply {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("If-None-Match", tag)];
    Client::connect(address).request("GET", target, &headers, b"")
}

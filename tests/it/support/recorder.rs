//! A server that records the request that it receives.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

/// A request's line with its headers, and its body.
pub type Request = (Vec<String>, Vec<u8>);

/// A server that takes one request and answers 200; its thread returns the request.
pub fn recorder() -> (SocketAddr, JoinHandle<Request>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut stream = BufReader::new(stream);
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).unwrap();
            match line.trim_end() {
                "" => break,
                line => head.push(line.to_owned()),
            }
        }
        let length = value_of(&head, "content-length").map_or(0, |text| text.parse().unwrap());
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
        stream.get_mut().write_all(answer).unwrap();
        (head, body)
    });
    (address, thread)
}

/// The value of a header that is there once at most.
pub fn value_of(head: &[String], name: &str) -> Option<String> {
    let mut values = head.iter().skip(1).filter_map(|line| {
        let (known, value) = line.split_once(':').unwrap();
        known
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().to_owned())
    });
    let value = values.next();
    assert_eq!(values.next(), None, "{name} twice: {head:?}");
    value
}

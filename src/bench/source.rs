//! Requests for the load generator: prepared in one buffer, so that generating them
//! costs nothing during a measurement, or generated on demand.

use super::generate::Bodies;

/// Where requests come from.
pub trait Source {
    /// The bytes of the next request; `None` where there are no more.
    fn next(&mut self) -> Option<&[u8]>;
}

/// The bytes of a call with this body.
fn append_request(request: &mut Vec<u8>, body: &[u8]) {
    let head = format!(
        "POST /webhook HTTP/1.1\r\nHost: localhost\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    request.extend_from_slice(head.as_bytes());
    request.extend_from_slice(body);
}

/// Requests that are made before and sent in turn, and again where they do not
/// suffice.
pub struct Prepared {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    next: usize,
}

impl Prepared {
    /// Makes `count` requests.
    pub fn new(bodies: &mut Bodies, count: usize) -> Self {
        let mut bytes = Vec::new();
        let mut ends = Vec::with_capacity(count);
        for body in bodies.take(count) {
            append_request(&mut bytes, &body);
            ends.push(bytes.len());
        }
        Self {
            bytes,
            ends,
            next: 0,
        }
    }

    /// Begins with the first again.
    pub const fn rewind(&mut self) {
        self.next = 0;
    }
}

impl Source for Prepared {
    fn next(&mut self) -> Option<&[u8]> {
        let place = self.next % self.ends.len().max(1);
        self.next += 1;
        let begin = match place.checked_sub(1) {
            Some(before) => *self.ends.get(before)?,
            None => 0,
        };
        self.bytes.get(begin..*self.ends.get(place)?)
    }
}

/// A number of requests, each made when it is sent.
pub struct Fresh<'a> {
    bodies: &'a mut dyn Iterator<Item = Vec<u8>>,
    left: u64,
    request: Vec<u8>,
}

impl<'a> Fresh<'a> {
    /// `count` requests.
    pub const fn new(bodies: &'a mut dyn Iterator<Item = Vec<u8>>, count: u64) -> Self {
        Self {
            bodies,
            left: count,
            request: Vec::new(),
        }
    }
}

impl Source for Fresh<'_> {
    fn next(&mut self) -> Option<&[u8]> {
        self.left = self.left.checked_sub(1)?;
        self.request.clear();
        let body = self.bodies.next()?;
        append_request(&mut self.request, &body);
        Some(&self.request)
    }
}

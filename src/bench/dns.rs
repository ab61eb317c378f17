//! A name server on the loopback that knows one TXT record, over UDP.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use hickory_resolver::proto::op::{Message, OpCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record};

/// How long answers may be cached, in seconds.
const TTL: u32 = 3600;

/// The running server; it ends with its handle.
pub struct DnsServer {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl DnsServer {
    /// Starts a server that answers every question with this text.
    pub fn start(text: &str) -> io::Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        let address = socket.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let text = text.to_owned();
        let serve = move || {
            let mut buffer = [0; 4096];
            while !stop.load(Ordering::SeqCst) {
                // An error is that of an earlier answer whose receiver has gone.
                let Ok((len, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let question = buffer.get(..len).unwrap_or_default();
                if let Some(answer) = answer(question, &text) {
                    let _ = socket.send_to(&answer, from);
                }
            }
        };
        let thread = std::thread::Builder::new().spawn(serve)?;
        Ok(Self {
            address,
            stopping,
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread, which waits for a question.
        let woken = UdpSocket::bind("127.0.0.1:0").and_then(|it| it.send_to(&[], self.address));
        if let (Ok(_), Some(thread)) = (woken, self.thread.take()) {
            let _ = thread.join();
        }
    }
}

fn answer(question: &[u8], text: &str) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let asked = question.queries.first()?;
    let mut message = Message::response(question.id, OpCode::Query);
    message.metadata.recursion_available = true;
    message.add_query(asked.clone());
    // A string of a TXT record has at most 255 bytes.
    let txt = TXT::from_bytes(text.as_bytes().chunks(255).collect());
    let record = Record::from_rdata(asked.name().clone(), TTL, RData::TXT(txt));
    message.add_answer(record);
    message.to_vec().ok()
}

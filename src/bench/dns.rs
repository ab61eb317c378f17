//! A name server on the loopback that knows one TXT record, over UDP.

use std::io;
use std::net::{SocketAddr, UdpSocket};

use hickory_resolver::proto::op::{Message, OpCode};
use hickory_resolver::proto::rr::rdata::TXT;
use hickory_resolver::proto::rr::{RData, Record};

/// How long answers may be cached, in seconds.
const TTL: u32 = 3600;

/// Starts a server that answers every question with this text until the process ends.
/// Returns where it listens.
pub fn serve(text: String) -> io::Result<SocketAddr> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?;
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        loop {
            // An error is that of an earlier answer whose receiver has disconnected.
            let Ok((len, from)) = socket.recv_from(&mut buffer) else {
                continue;
            };
            let question = buffer.get(..len).unwrap_or_default();
            if let Some(answer) = answer(question, &text) {
                let _ = socket.send_to(&answer, from);
            }
        }
    });
    Ok(address)
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

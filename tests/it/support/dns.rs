//! A DNS server for tests: UDP and TCP on one port of the loopback, with records and faults that a
//! test sets while it runs. It ends with its handle.
//!
//! Names are given without a trailing dot; their case does not matter.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::{CNAME, SOA, TXT};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// How a name is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// As a server should: with the records, or that there are none.
    #[default]
    Answer,
    /// Over UDP without the records and with the mark that it was cut; over TCP as it should.
    Truncate,
    /// Not at all.
    Silent,
    /// That it failed.
    ServFail,
    /// That it refuses.
    Refuse,
    /// With bytes that are no message, after the number of the question.
    Garbage,
    /// With another number than the question's.
    WrongId,
    /// About another name than was asked for, with the records of that name.
    WrongQuestion,
    /// First with another number, then as it should.
    ForgedFirst,
}

/// The strings of one TXT record.
type Strings = Vec<Vec<u8>>;

#[derive(Default)]
struct Zone {
    texts: HashMap<String, (u32, Vec<Strings>)>,
    aliases: HashMap<String, String>,
    modes: HashMap<String, Mode>,
    mode: Mode,
    udp: HashMap<String, usize>,
    tcp: HashMap<String, usize>,
    streams: Vec<TcpStream>,
}

/// The running server.
pub struct DnsServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    stopping: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl DnsServer {
    /// Starts a server that knows no name.
    pub fn start() -> Self {
        let (udp, tcp) = sockets();
        let address = udp.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(Zone::default()));
        let stopping = Arc::new(AtomicBool::new(false));
        let over_udp = {
            let (zone, stopping) = (Arc::clone(&zone), Arc::clone(&stopping));
            std::thread::spawn(move || serve_udp(&udp, &zone, &stopping))
        };
        let over_tcp = {
            let (zone, stopping) = (Arc::clone(&zone), Arc::clone(&stopping));
            std::thread::spawn(move || serve_tcp(&tcp, &zone, &stopping))
        };
        Self {
            address,
            zone,
            stopping,
            threads: vec![over_udp, over_tcp],
        }
    }

    /// Starts a server with the records of a `name<TAB>TXT` file; lines with `#` are notes.
    pub fn with_records(records: &str, ttl: u32) -> Self {
        let server = Self::start();
        for line in records.lines().filter(|line| !line.starts_with('#')) {
            let (name, text) = line.split_once('\t').expect("name<TAB>TXT");
            server.set_txt(name, ttl, &[text]);
        }
        server
    }

    /// Where it listens, over UDP and TCP.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sets a name's TXT records in the place of what it had; each is cut into strings of at most
    /// 255 bytes.
    pub fn set_txt(&self, name: &str, ttl: u32, texts: &[&str]) {
        let cut = |text: &&str| {
            let pieces = text.as_bytes().chunks(255);
            pieces.map(<[u8]>::to_vec).collect()
        };
        self.set_strings(name, ttl, texts.iter().map(cut).collect());
    }

    /// Sets a name's TXT records, each as its strings.
    pub fn set_strings(&self, name: &str, ttl: u32, records: Vec<Strings>) {
        let mut zone = self.zone.lock().unwrap();
        zone.texts.insert(name.to_lowercase(), (ttl, records));
    }

    /// Makes a name another one's alias.
    pub fn set_alias(&self, name: &str, target: &str) {
        let mut zone = self.zone.lock().unwrap();
        zone.aliases.insert(name.to_lowercase(), target.to_owned());
    }

    /// Takes a name's records away: it does not exist (NXDOMAIN).
    pub fn remove(&self, name: &str) {
        let mut zone = self.zone.lock().unwrap();
        zone.texts.remove(&name.to_lowercase());
    }

    /// How every name is answered that has no mode of its own.
    pub fn set_mode(&self, mode: Mode) {
        self.zone.lock().unwrap().mode = mode;
    }

    /// How a name is answered.
    pub fn set_mode_of(&self, name: &str, mode: Mode) {
        let mut zone = self.zone.lock().unwrap();
        zone.modes.insert(name.to_lowercase(), mode);
    }

    /// Questions for a name up to now, over UDP and TCP. A resolver asks again where an answer
    /// takes long, so one look-up may be several.
    pub fn questions(&self, name: &str) -> usize {
        let zone = self.zone.lock().unwrap();
        let name = name.to_lowercase();
        zone.udp.get(&name).unwrap_or(&0) + zone.tcp.get(&name).unwrap_or(&0)
    }

    /// Questions for a name over TCP up to now.
    pub fn questions_over_tcp(&self, name: &str) -> usize {
        let zone = self.zone.lock().unwrap();
        *zone.tcp.get(&name.to_lowercase()).unwrap_or(&0)
    }

    /// Names that were asked for up to now.
    pub fn names_asked(&self) -> usize {
        let zone = self.zone.lock().unwrap();
        let over_tcp = zone.tcp.keys().filter(|name| !zone.udp.contains_key(*name));
        zone.udp.len() + over_tcp.count()
    }
}

impl Drop for DnsServer {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // Each wakes the thread that waits there.
        let waker = UdpSocket::bind("127.0.0.1:0").unwrap();
        let _ = waker.send_to(&[], self.address);
        let _ = TcpStream::connect(self.address);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// A UDP socket and a TCP listener on the same port.
fn sockets() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()) {
            return (udp, tcp);
        }
    }
    panic!("no port is free for UDP and TCP");
}

fn serve_udp(socket: &UdpSocket, zone: &Mutex<Zone>, stopping: &AtomicBool) {
    let mut buffer = [0; 4096];
    while !stopping.load(Ordering::SeqCst) {
        // An error here is that of an earlier answer whose receiver had gone.
        let Ok((len, from)) = socket.recv_from(&mut buffer) else {
            continue;
        };
        for answer in answers(&buffer[..len], zone, false) {
            let _ = socket.send_to(&answer, from);
        }
    }
}

fn serve_tcp(listener: &TcpListener, zone: &Arc<Mutex<Zone>>, stopping: &AtomicBool) {
    let mut threads = Vec::new();
    for stream in listener.incoming() {
        if stopping.load(Ordering::SeqCst) {
            break;
        }
        let Ok(mut stream) = stream else { continue };
        zone.lock()
            .unwrap()
            .streams
            .push(stream.try_clone().unwrap());
        let zone = Arc::clone(zone);
        threads.push(std::thread::spawn(move || {
            while serve_stream(&mut stream, &zone).is_ok() {}
        }));
    }
    for stream in zone.lock().unwrap().streams.drain(..) {
        let _ = stream.shutdown(Shutdown::Both);
    }
    for thread in threads {
        let _ = thread.join();
    }
}

fn serve_stream(stream: &mut TcpStream, zone: &Mutex<Zone>) -> std::io::Result<()> {
    let mut len = [0; 2];
    stream.read_exact(&mut len)?;
    let mut question = vec![0; usize::from(u16::from_be_bytes(len))];
    stream.read_exact(&mut question)?;
    for answer in answers(&question, zone, true) {
        let len = u16::try_from(answer.len()).unwrap();
        stream.write_all(&[&len.to_be_bytes(), answer.as_slice()].concat())?;
    }
    Ok(())
}

/// The messages that answer a question.
fn answers(question: &[u8], zone: &Mutex<Zone>, is_tcp: bool) -> Vec<Vec<u8>> {
    let Ok(question) = Message::from_vec(question) else {
        return Vec::new();
    };
    let Some(asked) = question.queries.first() else {
        return Vec::new();
    };
    let name = asked.name().to_ascii();
    let name = name.trim_end_matches('.').to_lowercase();
    let mut zone = zone.lock().unwrap();
    let counted = if is_tcp { &mut zone.tcp } else { &mut zone.udp };
    *counted.entry(name.clone()).or_default() += 1;

    let id = question.id;
    let as_it_should = || answer(&question, &name, &zone);
    let with = |code| {
        let mut message = Message::error_msg(id, OpCode::Query, code);
        message.add_query(asked.clone());
        message
    };
    let wrong_id = || {
        let mut message = as_it_should();
        message.metadata.id = id.wrapping_add(1);
        message
    };
    let messages = match zone.modes.get(&name).copied().unwrap_or(zone.mode) {
        Mode::Truncate if !is_tcp => {
            let mut message = with(ResponseCode::NoError);
            message.metadata.truncation = true;
            vec![message]
        }
        Mode::Answer | Mode::Truncate => vec![as_it_should()],
        Mode::Silent => Vec::new(),
        Mode::ServFail => vec![with(ResponseCode::ServFail)],
        Mode::Refuse => vec![with(ResponseCode::Refused)],
        Mode::Garbage => return vec![[&id.to_be_bytes(), [0xff; 40].as_slice()].concat()],
        Mode::WrongId => vec![wrong_id()],
        Mode::ForgedFirst => vec![wrong_id(), as_it_should()],
        Mode::WrongQuestion => {
            let mut message = as_it_should();
            let other = Name::from_ascii("other.example.").unwrap();
            for query in &mut message.queries {
                query.set_name(other.clone());
            }
            for record in &mut message.answers {
                record.name = other.clone();
            }
            vec![message]
        }
    };
    messages.iter().map(|it| it.to_vec().unwrap()).collect()
}

/// The right answer: the name's records, those of what it is an alias of, or that there are none.
fn answer(question: &Message, name: &str, zone: &Zone) -> Message {
    let asked = &question.queries[0];
    let mut message = Message::response(question.id, OpCode::Query);
    message.metadata.recursion_desired = true;
    message.metadata.recursion_available = true;
    message.add_query(asked.clone());
    let mut owner = asked.name().clone();
    let mut texts = zone.texts.get(name);
    if let Some(target) = zone.aliases.get(name) {
        let target_name = Name::from_ascii(format!("{target}.")).unwrap();
        let alias = RData::CNAME(CNAME(target_name.clone()));
        message.add_answer(Record::from_rdata(owner, 300, alias));
        owner = target_name;
        texts = zone.texts.get(&target.to_lowercase());
    }
    match texts {
        Some((ttl, records)) if asked.query_type() == RecordType::TXT => {
            for strings in records {
                let strings = strings.iter().map(Vec::as_slice).collect();
                let txt = RData::TXT(TXT::from_bytes(strings));
                message.add_answer(Record::from_rdata(owner.clone(), *ttl, txt));
            }
        }
        Some(_) => {}
        None => message.metadata.response_code = ResponseCode::NXDomain,
    }
    if message.answers.is_empty() {
        let zone = Name::from_ascii("copernica.com.").unwrap();
        let soa = SOA::new(zone.clone(), zone.clone(), 1, 3600, 600, 86400, 300);
        message.add_authority(Record::from_rdata(zone, 300, RData::SOA(soa)));
    }
    message
}

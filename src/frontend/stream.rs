//! A client's socket, with or without TLS, as one stream of plain bytes.
//!
//! Reading decrypts until the socket has no more, so a short read means the same as that of a plain
//! socket, except when [`Stream::has_end`] is set. Writing encrypts; bytes that the socket did not
//! accept are kept, limited by rustls, and written by `flush`.
//!
//! Invariants: handshake messages are written as soon as the socket accepts them; an end of the
//! connection without TLS's `close_notify` is an end like any other, since every request has a
//! length; a client that does not speak TLS gets no answer.

use mio::net::TcpStream;
use rustls::{Error as TlsError, ServerConfig, ServerConnection};
use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::sync::Arc;

/// The approximate memory of a session in bytes, when it is idle or in its handshake.
const SESSION: usize = 24 * 1024;

pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<Session>),
}

pub(super) struct Session {
    socket: TcpStream,
    tls: ServerConnection,
    /// The peer has closed, or the session is broken. Reported once all decrypted bytes are
    /// read.
    ended: bool,
    broken: bool,
}

impl Stream {
    /// Takes a socket, with TLS if there are settings for it.
    pub(super) fn new(
        socket: TcpStream,
        tls: Option<&Arc<ServerConfig>>,
    ) -> Result<Self, TlsError> {
        let Some(config) = tls else {
            return Ok(Self::Plain(socket));
        };
        Ok(Self::Tls(Box::new(Session {
            socket,
            tls: ServerConnection::new(Arc::clone(config))?,
            ended: false,
            broken: false,
        })))
    }

    pub(super) fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(session) => &mut session.socket,
        }
    }

    fn session(&self) -> Option<&Session> {
        match self {
            Self::Plain(_) => None,
            Self::Tls(session) => Some(session),
        }
    }

    /// Whether the next read reports an end for which no event will come.
    pub(super) fn has_end(&self) -> bool {
        self.session().is_some_and(|it| it.ended || it.broken)
    }

    /// Whether encrypted bytes wait for room in the socket.
    pub(super) fn wants_write(&self) -> bool {
        self.session().is_some_and(|it| it.tls.wants_write())
    }

    /// Whether it is not known yet that both sides speak TLS.
    pub(super) fn is_handshaking(&self) -> bool {
        self.session().is_some_and(|it| it.tls.is_handshaking())
    }

    /// The approximate bytes of memory that it takes in addition to its owner's buffers.
    pub(super) fn weight(&self) -> usize {
        self.session().map_or(0, |_| SESSION)
    }

    /// Announces the end of sending, if the socket accepts it.
    pub(super) fn send_close_notify(&mut self) {
        if let Self::Tls(session) = self
            && !session.tls.is_handshaking()
            && !session.broken
        {
            session.tls.send_close_notify();
            // The connection is closed all the same.
            let _ = session.flush();
        }
    }

    pub(super) fn end_sending(&mut self) -> io::Result<()> {
        self.send_close_notify();
        self.socket().shutdown(Shutdown::Write)
    }
}

impl Session {
    /// Reads the bytes of the socket into the session; returns whether there may be more.
    fn fill(&mut self) -> io::Result<bool> {
        let mut tracker = ShortReadTracker {
            socket: &mut self.socket,
            short: false,
        };
        let count = self.tls.read_tls(&mut tracker)?;
        let short = tracker.short;
        match self.tls.process_new_packets() {
            Ok(state) => self.ended |= count == 0 || state.peer_has_closed(),
            Err(error) => {
                tracing::debug!(%error, "a client does not speak TLS 1.2 or 1.3");
                self.broken = true;
                let speaks = !matches!(error, TlsError::InvalidMessage(_));
                if speaks || !self.tls.is_handshaking() {
                    // Sends the alert to the client.
                    let _ = self.flush();
                }
                return Ok(false);
            }
        }
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(!short),
        }
    }
}

impl Read for Session {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut got = 0;
        let mut more = true;
        while let Some(room) = into.get_mut(got..).filter(|room| !room.is_empty()) {
            match self.tls.reader().read(room) {
                Ok(count) if count > 0 => {
                    got += count;
                    continue;
                }
                Err(error) if error.kind() != ErrorKind::WouldBlock && !self.ended => {
                    return Err(error);
                }
                _ => {}
            }
            if got > 0 && (!more || self.ended || self.broken) {
                break;
            }
            if self.broken {
                return Err(ErrorKind::InvalidData.into());
            }
            if self.ended {
                return Ok(0);
            }
            match self.fill() {
                Ok(may_have) => more = may_have,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if got == 0 => return Err(error),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(_) => self.broken = true,
            }
        }
        Ok(got)
    }
}

impl Write for Session {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Bytes read before are returned first, so that no more than one piece is ever
        // kept.
        self.flush()?;
        let count = self.tls.writer().write(bytes)?;
        match self.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(count),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            match self.tls.write_tls(&mut self.socket) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(into),
            Self::Tls(session) => session.read(into),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(session) => session.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(session) => session.flush(),
        }
    }
}

/// Notes whether a read left room, which means that the socket has no more.
struct ShortReadTracker<'s> {
    socket: &'s mut TcpStream,
    short: bool,
}

impl Read for ShortReadTracker<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.socket.read(into)?;
        self.short = count < into.len();
        Ok(count)
    }
}

//! A connection of the load generator, with or without TLS, and the certificate for it.
//!
//! The certificate is generated for a run. The load generator trusts only it, so both
//! sides do the full work of TLS.

use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use mio::net::TcpStream;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

/// The name in the certificate.
const NAME: &str = "localhost";

/// A certificate, and the settings of clients that trust it.
pub struct Secure {
    /// The flags of a server that has it.
    pub flags: [String; 2],
    settings: Arc<ClientConfig>,
}

impl Secure {
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, made.cert.pem()).context("writing the certificate")?;
        std::fs::write(&key, made.signing_key.serialize_pem()).context("writing its key")?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&cert)?)?;
        let settings = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            flags: [
                format!("--tls-cert={}", cert.display()),
                format!("--tls-key={}", key.display()),
            ],
            settings: Arc::new(settings),
        })
    }

    /// A client's side of a new session.
    pub fn session(&self) -> anyhow::Result<ClientConnection> {
        let settings = Arc::clone(&self.settings);
        Ok(ClientConnection::new(settings, NAME.try_into()?)?)
    }
}

/// A connection that does not block.
pub struct Wire {
    pub socket: TcpStream,
    tls: Option<ClientConnection>,
}

impl Wire {
    /// Takes a connection that may have been used before.
    pub fn new(
        socket: std::net::TcpStream,
        tls: Option<ClientConnection>,
    ) -> std::io::Result<Self> {
        socket.set_nonblocking(true)?;
        let socket = TcpStream::from_std(socket);
        Ok(Self { socket, tls })
    }
}

impl Read for Wire {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.read(into);
        };
        loop {
            match tls.reader().read(into) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            tls.read_tls(&mut self.socket)?;
            tls.process_new_packets()
                .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let Some(tls) = &mut self.tls else {
            return self.socket.write(bytes);
        };
        let count = tls.writer().write(bytes)?;
        while tls.wants_write() {
            match tls.write_tls(&mut self.socket) {
                Ok(_) => {}
                // The socket's buffer holds a request; this is for very long ones.
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.socket.flush()
    }
}

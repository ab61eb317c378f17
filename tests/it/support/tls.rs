//! A certificate made for a test, and a client that trusts it.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::support::NEVER;

/// A certificate for `localhost`, its key, and who trusts it.
#[derive(Clone, Debug)]
pub struct Certificate {
    pub cert: PathBuf,
    pub key: PathBuf,
    settings: Arc<ClientConfig>,
}

impl Certificate {
    /// Makes one in a folder.
    pub fn new(folder: &Path) -> Self {
        Self::until(folder, 4096)
    }

    /// Makes one that is valid until the first day of a year.
    pub fn until(folder: &Path, year: i32) -> Self {
        let mut params = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let signing_key = rcgen::KeyPair::generate().unwrap();
        let made = params.self_signed(&signing_key).unwrap();
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        std::fs::write(&cert, made.pem()).unwrap();
        std::fs::write(&key, signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        let der = CertificateDer::from_pem_file(&cert).unwrap();
        roots.add(der).unwrap();
        let settings = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            cert,
            key,
            settings: Arc::new(settings),
        }
    }

    /// The server's arguments.
    pub fn arguments(&self) -> [&str; 4] {
        fn text(path: &Path) -> &str {
            path.to_str().unwrap()
        }
        ["--tls-cert", text(&self.cert), "--tls-key", text(&self.key)]
    }

    /// A new connection to a server that has it.
    pub fn connect(
        &self,
        address: SocketAddr,
    ) -> io::Result<StreamOwned<ClientConnection, TcpStream>> {
        let stream = TcpStream::connect_timeout(&address, NEVER)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(NEVER))?;
        stream.set_write_timeout(Some(NEVER))?;
        let name = "localhost".try_into().unwrap();
        let tls = ClientConnection::new(Arc::clone(&self.settings), name).unwrap();
        Ok(StreamOwned::new(tls, stream))
    }

    /// Sends a request that asks for an end after its answer, and reads all that comes.
    pub fn ask(&self, address: SocketAddr, request: &[u8]) -> io::Result<String> {
        let mut client = self.connect(address)?;
        client.write_all(request)?;
        let mut answer = String::new();
        client.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

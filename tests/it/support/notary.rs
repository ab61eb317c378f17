//! Those who sign checkpoints of a log, too: a time-stamping authority, made of openssl, and
//! a witness.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use profiletrail::proofs::{Checkpoint, Hash, Vkey, hash_of, is_consistent};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

use super::clean;

/// Answers a request by its path and body, with a status.
type Answer = dyn Fn(&str, &[u8]) -> (u16, Vec<u8>) + Send + Sync;

/// An HTTP server that ends when it is dropped.
pub struct Notary {
    server: Arc<tiny_http::Server>,
    thread: Option<JoinHandle<()>>,
}

impl Notary {
    pub fn start(answer: Box<Answer>) -> Self {
        let server = Arc::new(tiny_http::Server::http("127.0.0.1:0").unwrap());
        let listening = Arc::clone(&server);
        let thread = std::thread::spawn(move || {
            for mut request in listening.incoming_requests() {
                let mut body = Vec::new();
                request.as_reader().read_to_end(&mut body).unwrap();
                let (status, bytes) = answer(request.url(), &body);
                let response = tiny_http::Response::from_data(bytes).with_status_code(status);
                let _ = request.respond(response);
            }
        });
        Self {
            server,
            thread: Some(thread),
        }
    }

    pub fn address(&self) -> SocketAddr {
        self.server.server_addr().to_ip().unwrap()
    }
}

impl Drop for Notary {
    fn drop(&mut self) {
        self.server.unblock();
        let _ = self.thread.take().unwrap().join();
    }
}

fn openssl(dir: &Path, args: &[&str]) {
    let output = clean("openssl")
        .args(args)
        .current_dir(dir)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {args:?}: {said}");
}

/// A time-stamping authority with a root of its own.
pub struct Authority {
    pub notary: Notary,
    dir: tempfile::TempDir,
}

impl Authority {
    /// `key` is of openssl's `-newkey`, such as `rsa:2048`.
    pub fn start(key: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(
            dir.path().join("tsa.cnf"),
            "[tsa]\ndefault_tsa = here\n[here]\nserial = serial\nsigner_cert = tsa.pem\nsigner_key = tsa.key\n\
             signer_digest = sha256\ndefault_policy = 1.2.3.4.1\ndigests = sha256\n\
             accuracy = secs:1\nclock_precision_digits = 3\nordering = yes\ntsa_name = yes\n\
             [req]\ndistinguished_name = name\n[name]\n[root]\nbasicConstraints = critical,CA:TRUE\n\
             [stamps]\nextendedKeyUsage = critical,timeStamping\nbasicConstraints = CA:FALSE\n",
        )
        .unwrap();
        fs::write(dir.path().join("serial"), "01\n").unwrap();
        let make = |more: &[&str]| {
            let new = [
                "req", "-config", "tsa.cnf", "-x509", "-nodes", "-days", "30",
            ];
            let args: Vec<&str> = new.iter().chain(key).chain(more).copied().collect();
            openssl(dir.path(), &args);
        };
        make(&[
            "-extensions",
            "root",
            "-subj",
            "/CN=Root",
            "-keyout",
            "root.key",
            "-out",
            "root.pem",
        ]);
        make(&[
            "-extensions",
            "stamps",
            "-subj",
            "/CN=Stamps",
            "-CA",
            "root.pem",
            "-CAkey",
            "root.key",
            "-keyout",
            "tsa.key",
            "-out",
            "tsa.pem",
        ]);
        let place = dir.path().to_owned();
        let notary = Notary::start(Box::new(move |_, query| {
            fs::write(place.join("query"), query).unwrap();
            let reply = [
                "ts",
                "-reply",
                "-config",
                "tsa.cnf",
                "-queryfile",
                "query",
                "-out",
                "reply",
            ];
            openssl(&place, &reply);
            (200, fs::read(place.join("reply")).unwrap())
        }));
        Self { notary, dir }
    }

    /// The address for `--timestamp`.
    pub fn url(&self) -> String {
        format!("http://{}/stamp", self.notary.address())
    }

    /// The file with its root.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root.pem")
    }
}

/// What a witness has signed last.
type Signed = Arc<Mutex<(u64, Hash)>>;

/// A witness that signs what is consistent with what it has signed before.
pub struct Witness {
    notary: Notary,
    pub key: String,
    signed: Signed,
}

impl Witness {
    /// One that knows a log by its key.
    pub fn start(name: &str, seed: u8, log: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap();
        let public = [&[4], pair.public_key().as_ref()].concat();
        let id = Sha256::digest([name.as_bytes(), b"\n", &public].concat());
        let id: [u8; 4] = id[..4].try_into().unwrap();
        let key = format!(
            "{name}+{:08x}+{}",
            u32::from_be_bytes(id),
            BASE64.encode(&public)
        );
        let signed = Signed::default();
        let (of_server, name) = (Arc::clone(&signed), name.to_owned());
        let notary = Notary::start(Box::new(move |path, body| {
            assert_eq!(path, "/w/add-checkpoint");
            let body = std::str::from_utf8(body).unwrap();
            let Some((head, note)) = body.split_once("\n\n") else {
                return (400, b"there is no checkpoint\n".to_vec());
            };
            let mut lines = head.lines();
            let old: u64 = lines
                .next()
                .unwrap()
                .strip_prefix("old ")
                .unwrap()
                .parse()
                .unwrap();
            let proof: Vec<Hash> = lines.map(|line| hash_of(line).unwrap()).collect();
            let checkpoint = Checkpoint::parse(note).unwrap();
            checkpoint.verify(&Vkey::parse(&log()).unwrap()).unwrap();
            let mut last = of_server.lock().unwrap();
            if old != last.0 {
                return (409, format!("{}\n", last.0).into_bytes());
            }
            let new = (checkpoint.size, checkpoint.root);
            let before = if old == 0 { None } else { Some(*last) };
            if before.is_some_and(|before| !is_consistent(before, new, &proof)) {
                return (422, b"the proof is wrong\n".to_vec());
            }
            *last = new;
            let text = note.split_once("\n\n").unwrap().0;
            let time: u64 = 1_800_000_000;
            let signature = pair.sign(format!("cosignature/v1\ntime {time}\n{text}\n").as_bytes());
            let bytes = [&id, time.to_be_bytes().as_slice(), signature.as_ref()].concat();
            (
                200,
                format!("— {name} {}\n", BASE64.encode(bytes)).into_bytes(),
            )
        }));
        Self {
            notary,
            key,
            signed,
        }
    }

    /// The text for `--witness`.
    pub fn text(&self) -> String {
        format!("http://{}/w={}", self.notary.address(), self.key)
    }

    /// The size that it has signed last.
    pub fn size(&self) -> u64 {
        self.signed.lock().unwrap().0
    }

    /// Makes it believe that it has signed something else.
    pub fn set(&self, size: u64, root: Hash) {
        *self.signed.lock().unwrap() = (size, root);
    }
}

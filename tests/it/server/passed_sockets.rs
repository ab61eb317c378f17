//! A supervisor that holds the address: nobody notices a restart.

use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rustix::process::Signal;

use crate::support::{BINARY, Client, Over, Server, clean, cli, eventually, json_lines};

/// Starts a server with a socket, as systemd passes it.
fn start(
    data: &Path,
    socket: impl Into<OwnedFd>,
    listen: &str,
) -> Result<Server, (Option<i32>, String)> {
    let mut command = clean("sh");
    let pass = "exec 3<&0 0</dev/null; export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$@\"";
    command
        .args(["-c", pass, "sh", BINARY])
        .args(Server::arguments(data, &["--listen", listen]));
    Server::spawn_from(command, socket.into().into())
}

#[test]
fn a_restart_loses_no_call() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let run = || {
        let socket = listener.try_clone().unwrap();
        start(dir.path(), socket, &address.to_string()).unwrap()
    };
    let mut server = run();
    let (over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let last = thread::scope(|scope| {
        // The senders end with the test, however that ends.
        let _over = Over(&over);
        for sender in 0..8 {
            let (over, answered) = (&over, &answered);
            scope.spawn(move || {
                while !over.load(Ordering::SeqCst) {
                    // A connection for each call, of which none is refused or broken off.
                    let body =
                        format!("type=update&profile=1&database=1&time=1760000000&v={sender}");
                    let reply = Client::connect(address).try_post("/webhook", body);
                    assert_eq!(reply.unwrap().status, 200);
                    answered.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        let goes_on = |server: &Server| {
            let before = answered.load(Ordering::SeqCst);
            eventually("calls are answered", || {
                answered.load(Ordering::SeqCst) > before + 50
            });
            assert_eq!(server.address, address);
        };
        for _ in 0..4 {
            goes_on(&server);
            server.signal(Signal::TERM);
            let (status, log) = server.wait();
            assert_eq!(status.code(), Some(0), "{log}");
            server = run();
        }
        goes_on(&server);
        server
    });
    last.stop();
    let events = json_lines(&cli(dir.path(), &["export"]).ok());
    assert_eq!(events.len(), answered.into_inner());
}

#[test]
fn a_socket_that_nobody_would_answer_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let any = format!("0.0.0.0:{}", address.port());
    let (status, log) = start(&data, listener, &any).unwrap_err();
    let why = format!("passes a socket at {address}, and neither --listen nor --api names");
    assert!(status == Some(3) && log.contains(&why), "{log}");
    let datagrams = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let (status, log) = start(&data, datagrams, "127.0.0.1:0").unwrap_err();
    assert!(
        status == Some(3) && log.contains("must be one of TCP"),
        "{log}"
    );
    assert!(!data.exists());
}

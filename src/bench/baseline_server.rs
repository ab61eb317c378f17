//! The machine's limit for tiny_http: a server that reads a call and answers it, and does
//! nothing else. Like the measured server, it runs as a separate process, with as many
//! worker threads.

use std::io::Cursor;
use std::sync::Arc;

use anyhow::anyhow;
use tiny_http::{Header, Response, Server};

/// Serves until the process is ended.
pub fn serve(workers: usize) -> anyhow::Result<()> {
    let server = Server::http("127.0.0.1:0").map_err(|error| anyhow!("tiny_http: {error}"))?;
    let server = Arc::new(server);
    let header = Header::from_bytes("Content-Type", "application/json")
        .map_err(|()| anyhow!("no header"))?;
    let threads: Vec<_> = (0..workers)
        .map(|_| {
            let (server, header) = (Arc::clone(&server), header.clone());
            std::thread::spawn(move || answer_all(&server, &header))
        })
        .collect();
    eprintln!("listening on http://{}", server.server_addr());
    for thread in threads {
        thread.join().map_err(|_| anyhow!("a worker panicked"))?;
    }
    Ok(())
}

fn answer_all(server: &Server, header: &Header) {
    let mut body = Vec::new();
    while let Ok(mut request) = server.recv() {
        body.clear();
        // The load generator reports a sender that has disconnected.
        let _ = request.as_reader().read_to_end(&mut body);
        let answer = b"{\"seq\":1}";
        let response = Response::new(
            200.into(),
            vec![header.clone()],
            Cursor::new(answer),
            Some(answer.len()),
            None,
        );
        let _ = request.respond(response);
    }
}

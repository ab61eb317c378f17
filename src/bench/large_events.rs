//! A store of large events of one profile: the memory of every question on it.
//!
//! A window that is bounded by a count alone holds all of them at once.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use super::args::{RunArgs, SINCE};
use super::child::Server;
use super::form::Form;
use super::place::Place;
use super::questions::Question;
use super::storage_cost::{Asked, ask_all};
use super::timed::ask;

/// Bytes of the field that makes an event large; below the default of `--max-body`.
const FIELD: usize = 960_000;

/// The questions, each with what it could hold too much of.
const QUESTIONS: [&[&str]; 13] = [
    &["history", "1"],
    &["show", "1"],
    &["blame", "1"],
    &["diff", "1", "--from", "@1760000000"],
    &["explain", "2"],
    &["changes", "--limit", "10"],
    &["changes"],
    &["report"],
    &["gaps"],
    &["incidents"],
    &["loops"],
    &["dossier", "1"],
    &["tail", "-n", "100"],
];

/// Fills a store over the webhook and asks it everything, while a server runs and without.
pub fn measure(args: &RunArgs, place: &Place) -> anyhow::Result<Vec<Asked>> {
    let data = place.data("large-events");
    let server = Server::profiletrail(&place.binary, &data, args.workers)?;
    eprintln!("loading {} large events", args.large);
    load(server.address, args.large)?;
    // It is answered when the index has every event.
    ask(&place.binary, &data, &["show", "1"], 1)?;
    let questions: Vec<Question> = QUESTIONS
        .into_iter()
        .map(|command| Question {
            name: "large events",
            command: command.iter().map(|part| (*part).to_owned()).collect(),
            times: 1,
        })
        .collect();
    ask_all(args, &place.binary, &data, server, &questions)
}

/// Sends the events over one connection.
fn load(address: SocketAddr, events: u64) -> anyhow::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    for number in 0..events {
        let mut form = Form::default();
        form.pair("type", "update");
        form.number("profile", 1);
        form.number("time", SINCE.saturating_add_unsigned(number));
        form.entry("fields", Some("number"), &number.to_string());
        form.entry(
            "fields",
            Some("text"),
            &(number % 10).to_string().repeat(FIELD),
        );
        let body = form.into_bytes();
        let head = format!(
            "POST /webhook HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes())?;
        stream.write_all(&body)?;
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer)?;
        let answer = answer.get(..count).unwrap_or_default();
        let kept = answer.starts_with(b"HTTP/1.1 200");
        anyhow::ensure!(kept, "{}", String::from_utf8_lossy(answer));
    }
    Ok(())
}

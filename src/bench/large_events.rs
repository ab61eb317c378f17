//! A store of large events of one profile: the memory of every question on it.
//!
//! A window that is bounded only by a count holds all of them at once.

use std::net::SocketAddr;

use form_urlencoded::Serializer;

use super::args::{RunArgs, SINCE};
use super::child::Server;
use super::generate::append_entry;
use super::load::{Load, request};
use super::place::Place;
use super::questions::Question;
use super::storage_cost::{Asked, ask_all};
use super::timed::ask;

/// Bytes of the field that makes an event large; below the default of `--max-body`.
const FIELD: usize = 960_000;

/// The questions, each with the data of which it could hold too much.
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
    let server = Server::profiletrail(&place.binary, &data, args.workers, &[])?;
    eprintln!("loading {} large events", args.large);
    load(server.address, args.large)?;
    // It is answered when the index has every event.
    ask(&place.binary, &data, &["show", "1"], 1)?;
    let questions: Vec<Question> = QUESTIONS
        .into_iter()
        .map(|command| Question::new("large events", 1, command))
        .collect();
    ask_all(args, &place.binary, &data, server, &questions)
}

/// Sends the events over one connection.
fn load(address: SocketAddr, events: u64) -> anyhow::Result<()> {
    let mut requests = (0..events).map(|number| request(&body(number)));
    let mut load = Load::open(address, 1, &mut requests, None)?;
    load.run(&mut requests, None)?.all_kept()?;
    Ok(())
}

fn body(number: u64) -> Vec<u8> {
    let mut form = Serializer::new(String::new());
    form.append_pair("type", "update");
    form.append_pair("profile", "1");
    let time = SINCE.saturating_add_unsigned(number);
    form.append_pair("time", &time.to_string());
    append_entry(&mut form, "fields", "number", &number.to_string());
    let text = (number % 10).to_string().repeat(FIELD);
    append_entry(&mut form, "fields", "text", &text);
    form.finish().into_bytes()
}

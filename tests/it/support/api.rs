//! What the tests of the query API share.

use crate::support::Server;
use crate::support::http::Reply;

/// The flags of a server that answers the query API on a port the kernel chooses.
pub const API: [&str; 2] = ["--api", "127.0.0.1:0"];

/// The text of an answer.
pub fn text(reply: &Reply) -> &str {
    std::str::from_utf8(&reply.body).unwrap()
}

/// The body of an update.
pub fn call(profile: u64, time: u64, value: &str) -> String {
    format!(
        "type=update&profile={profile}&database=3&time={time}&parameters[city]={value}&fields[city]={value}&fields[mail]=a%40b.nl&interests[]=blue"
    )
}

/// The same, with names and values that do harm elsewhere.
pub fn hostile_call(profile: u64, time: u64, value: &str) -> String {
    let call = call(profile, time, value);
    format!("{call}&fields[%00%22%3Cscript%3E]={value}&interests[]=%C3%A9")
}

/// Sends a few calls with and without labels, a duplicate, a subprofile and one that is rejected.
pub fn fill(server: &Server) {
    let mut client = server.client();
    for (target, body) in [
        ("/webhook/form", call(123, 1_760_000_000, "Utrecht")),
        ("/webhook/crm", call(123, 1_760_086_400, "Gouda")),
        ("/webhook/crm", call(123, 1_760_086_400, "Gouda")),
        ("/webhook", call(124, 1_760_086_400, "%C3%89%26+%2B")),
        (
            "/webhook",
            "type=create&profile=123&subprofile=456&collection=7&time=1760000100&fields[a]=b"
                .to_owned(),
        ),
    ] {
        client.post(target, body).seq();
    }
    assert_eq!(
        client.post("/webhook", "type=update&profile=12x").status,
        400
    );
}

/// Sends some hostile calls, of the profiles 123 and 124, at the edges of time, too, and some
/// that cannot be read.
pub fn fill_hostile(server: &Server) {
    let mut client = server.client();
    for number in 0..12 {
        let value = format!("%E2%80%AE{}", number / 2);
        let time = 1_760_000_000 + (number * 7) % 5;
        client
            .post(
                "/webhook/form",
                hostile_call(123 + number % 2, time, &value),
            )
            .seq();
    }
    for time in ["-62167219200", "253402300799"] {
        let body = format!("type=update&profile=123&time={time}&fields[a]=1&fields[b]=2");
        client.post("/webhook", body).seq();
    }
    client
        .post(
            "/webhook",
            "type=create&profile=123&subprofile=456&time=1760000002&fields[a]=b",
        )
        .seq();
    for _ in 0..5 {
        let reply = client.post("/webhook", "type=update&profile=12x&a=%ff");
        assert_eq!(reply.status, 400);
    }
}

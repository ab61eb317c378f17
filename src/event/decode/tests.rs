use super::*;
use chrono_tz::Europe::Amsterdam;

const EXAMPLE: &[u8] =
    b"type=update&profile=123&parameters%5Bmail%5D=johny%2Bnewemail%40example.com\
    &timestamp=1979-02-12+12%3A49%3A23&id=123&database=1&fields%5Bname%5D=Johny\
    &fields%5Bmail%5D=johny%2Bnewemail%40example.com&interests%5Bblue%5D=1&interests%5Bred%5D=0\
    &created=1979-02-12+12%3A49%3A23&modified=1979-02-12+12%3A49%3A23";

fn form(body: &str) -> Result<Envelope, DecodeError> {
    decode_envelope(BodyKind::Form, body.as_bytes(), Amsterdam)
}

#[test]
fn the_documentations_example() {
    let envelope = decode_envelope(BodyKind::Form, EXAMPLE, Amsterdam).unwrap();
    assert_eq!(envelope.profile, Some(123));
    assert_eq!(envelope.time, Some((287_668_163, TimeSource::Timestamp)));
    let content = decode_content(BodyKind::Form, EXAMPLE).unwrap();
    assert_eq!(
        content.fields.get("mail").map(AsRef::as_ref),
        Some("johny+newemail@example.com")
    );
    assert_eq!(content.extra.get("id").map(AsRef::as_ref), Some("123"));
    let members = content.interests.unwrap().members();
    assert_eq!(members.into_iter().collect::<Vec<_>>(), ["blue"]);
}

#[test]
fn what_cannot_be_read_names_its_place() {
    for (body, place) in [
        ("", "type"),
        ("type=update", "profile"),
        ("profile=1", "type"),
        ("type=update&profile=", "profile"),
        ("type=update&profile=1x", "profile"),
        ("type=update&profile=-1", "profile"),
        ("type=update&profile=1&database=x", "database"),
        ("type=update&profile=1&subprofile=+2", "subprofile"),
    ] {
        assert_eq!(form(body).unwrap_err().place, place, "{body}");
    }
    let many = format!("type=update&profile=1{}", "&a=b".repeat(10_000));
    assert_eq!(form(&many).unwrap_err().place, "pair 10001");
}

#[test]
fn a_time_that_cannot_be_printed_is_none() {
    for (timestamp, zone, time) in [
        ("0000-01-01 00:00:00", Amsterdam, None),
        ("9999-12-31 23:59:59", chrono_tz::America::New_York, None),
        ("9999-12-31 23:59:59", chrono_tz::UTC, Some(253_402_300_799)),
    ] {
        let body = format!("type=update&profile=1&timestamp={timestamp}");
        let envelope = decode_envelope(BodyKind::Form, body.as_bytes(), zone).unwrap();
        let expected = time.map(|time| (time, TimeSource::Timestamp));
        assert_eq!(envelope.time, expected, "{timestamp} in {zone}");
    }
}

#[test]
fn a_repeated_variable_keeps_its_place_and_takes_the_last_value() {
    let content = decode_content(BodyKind::Form, b"fields[a]=1&fields[b]=2&fields[a]=3").unwrap();
    let fields: Vec<_> = content
        .fields
        .iter()
        .map(|(k, v)| (k.as_ref(), v.as_ref()))
        .collect();
    assert_eq!(fields, [("a", "3"), ("b", "2")]);
}

#[test]
fn what_is_no_list_stays_extra() {
    let content = decode_content(BodyKind::Form, b"fields=x&profile[a]=1&fields[open=2").unwrap();
    let extra: Vec<_> = content.extra.keys().map(AsRef::as_ref).collect();
    assert_eq!(extra, ["fields", "profile[a]", "fields[open"]);
    assert!(content.fields.is_empty());
}

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
fn an_error_names_its_place() {
    for (body, place) in [
        ("", "body"),
        ("test=1&id=5", "body"),
        ("fields=1&created[x]=2", "body"),
        ("fields[a]=1", "type"),
        ("interests[]=1", "type"),
        ("modified=", "type"),
        ("time=5", "type"),
        ("type=click&id=abc", "type"),
        ("action=bounce&profile=0", "type"),
        ("type=unsubscribe", "profile"),
        ("type=update&profile=0", "profile"),
        ("action=update", "profile"),
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
fn action_is_the_type_of_a_call_without_one() {
    for (body, event_type) in [
        ("action=update&profile=1", EventType::Update),
        ("action=delete&profile=1&database=1", EventType::Delete),
        ("action=delete&type=create&profile=1", EventType::Create),
        ("acti%6Fn=update&profile=1", EventType::Update),
        ("type=click&profile=1", EventType::Other("click".to_owned())),
    ] {
        assert_eq!(form(body).unwrap().event_type, event_type, "{body}");
    }
    let content = decode_content(BodyKind::Form, b"action=update&profile=1").unwrap();
    assert_eq!(
        content.extra.get("action").map(AsRef::as_ref),
        Some("update")
    );
}

#[test]
fn empty_and_zero_numbers_are_missing() {
    let numbers = |envelope: Envelope| {
        let Envelope {
            profile,
            subprofile,
            database,
            collection,
            ..
        } = envelope;
        [profile, subprofile, database, collection]
    };
    for (body, expected) in [
        (
            "profile=5&subprofile=&database=",
            [Some(5), None, None, None],
        ),
        (
            "profile=5&subprofile=0&collection=00",
            [Some(5), None, None, None],
        ),
        (
            "profile=5&subprofile=7&subprofile=",
            [Some(5), None, None, None],
        ),
        (
            "profile=0&subprofile=7&collection=2",
            [None, Some(7), None, Some(2)],
        ),
    ] {
        let envelope = form(&format!("type=update&{body}")).unwrap();
        assert_eq!(numbers(envelope), expected, "{body}");
    }
    let json =
        br#"{"type":"update","profile":5,"subprofile":false,"database":null,"collection":"0"}"#;
    let envelope = decode_envelope(BodyKind::Json, json, Amsterdam).unwrap();
    assert_eq!(numbers(envelope), [Some(5), None, None, None]);
    let json = br#"{"type":"update","profile":false}"#;
    let error = decode_envelope(BodyKind::Json, json, Amsterdam).unwrap_err();
    assert_eq!(error.place, "profile");
}

#[test]
fn variables_of_another_shape_are_extra() {
    let content = decode_content(BodyKind::Form, b"fields=x&profile[a]=1&fields[open=2").unwrap();
    let extra: Vec<_> = content.extra.keys().map(AsRef::as_ref).collect();
    assert_eq!(extra, ["fields", "profile[a]", "fields[open"]);
    assert!(content.fields.is_empty());
}

//! What is given, what is wrong with it, and how it is said.

use super::*;

fn params(query: &str) -> Params {
    Params::parse(query, chrono_tz::UTC, 1_760_000_000_000_000).unwrap()
}

#[test]
fn names_and_values_are_decoded() {
    let mut read = params("field=a%2Bb+c&&limit=3&field=%C3%A9%26&reverse&all=0&x=%EF%BF%BD");
    assert_eq!(read.all("field"), ["a+b c", "é&"]);
    assert_eq!(read.number("limit"), Ok(Some(3)));
    assert_eq!(read.number("limit"), Ok(None));
    assert_eq!(read.flag("reverse"), Ok(true));
    assert_eq!(read.flag("all"), Ok(false));
    assert_eq!(read.flag("raw"), Ok(false));
    assert_eq!(read.one("x"), Ok(Some("\u{fffd}".to_owned())));
    read.finish().unwrap();
}

#[test]
fn what_is_wrong_is_named() {
    let named = |error: DecodeError| serde_json::to_value(error).unwrap()["where"].clone();
    assert_eq!(named(params("a=1&a=1").one("a").unwrap_err()), "a");
    assert_eq!(named(params("n=-1").number("n").unwrap_err()), "n");
    assert_eq!(
        named(params("n=18446744073709551616").number("n").unwrap_err()),
        "n"
    );
    assert_eq!(named(params("r=yes").flag("r").unwrap_err()), "r");
    assert_eq!(named(params("since=x").span().unwrap_err()), "since");
    assert_eq!(named(params("%41%0a=1").finish().unwrap_err()), "A\n");
    let no_utf8 = Params::parse("f=%ff", chrono_tz::UTC, 0).map(|_| ());
    assert_eq!(named(no_utf8.unwrap_err()), "f");
    let mixed = Params::parse("f=%EF%BF%BD%ff", chrono_tz::UTC, 0).map(|_| ());
    assert_eq!(named(mixed.unwrap_err()), "f");
}

#[test]
fn what_is_read_is_said_in_one_way() {
    let mut read = params("until=2025-10-09T08:53:19.5Z&limit=03&reverse=1&n=007&p=01/2&x=+y");
    read.span().unwrap();
    read.limit().unwrap();
    assert_eq!(read.limit(), Ok(Some(3)));
    read.flag("reverse").unwrap();
    read.flag("all").unwrap();
    read.number("n").unwrap();
    read.key("p").unwrap();
    read.all("x");
    read.finish().unwrap();
    let said: Vec<_> = read.said().iter().map(|(n, v)| (*n, v.as_str())).collect();
    assert_eq!(
        said,
        [
            ("until", "@1760000000"),
            ("reverse", "true"),
            ("n", "7"),
            ("p", "1/2"),
            ("x", " y")
        ]
    );
}

#[test]
fn what_is_asked_for_is_known() {
    let mut params = Params::describing();
    assert_eq!(params.needed_time("from", Rounding::Down), Ok(0));
    params.limit().unwrap();
    params.limit().unwrap();
    let asked: Vec<_> = params.asked().iter().map(|a| (a.name, a.needed)).collect();
    assert_eq!(asked, [("from", true), ("limit", false)]);
}

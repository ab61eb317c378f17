use super::*;
use proptest::prelude::*;

fn read_kind(kind: BodyKind, body: &[u8]) -> Result<Vec<Parts>, DecodeError> {
    let mut found = Vec::new();
    each_variable(kind, body, |variable| {
        let name = variable.name.clone().into_owned();
        let key = variable.key.clone().map(Cow::into_owned);
        let (full, value) = variable.into_full_name_and_value();
        found.push((name, key, full.into_owned(), value.into_owned()));
    })?;
    Ok(found)
}

/// Name, key, full name and value.
type Parts = (String, Option<String>, String, String);

fn read(body: &[u8]) -> Vec<Parts> {
    read_kind(BodyKind::Form, body).unwrap()
}

#[test]
fn keys_are_in_the_first_pair_of_brackets() {
    for (full, name, key) in [
        ("type", "type", None),
        ("fields[mail]", "fields", Some("mail")),
        ("fields[a][b]", "fields", Some("a[b]")),
        ("fields[a[b]]", "fields", Some("a[b]")),
        ("fields[a[b]c]", "fields", Some("a[b]c")),
        ("fields[x]]", "fields", Some("x]")),
        ("fields[x]y", "fields", Some("xy")),
        ("fields[[x]", "fields", Some("[x")),
        ("fields[x[]]", "fields", Some("x[]")),
        ("fields[x][][y]", "fields", Some("x[][y]")),
        ("fields[open", "fields[open", None),
        ("[x]", "", Some("x")),
        ("a]b", "a]b", None),
    ] {
        let variable = Variable::new(Cow::Borrowed(full), Cow::Borrowed(""));
        assert_eq!(
            (variable.name.as_ref(), variable.key.as_deref()),
            (name, key)
        );
        let parts = (
            name.to_owned(),
            key.map(str::to_owned),
            full.to_owned(),
            String::new(),
        );
        assert_eq!(read(full.as_bytes()), [parts]);
    }
}

#[test]
fn an_empty_last_bracket_appends() {
    for (body, full_names) in [
        ("tags[]=a&tags[]=b", vec!["tags[0]", "tags[1]"]),
        ("tags%5B%5D=a&tags[]", vec!["tags[0]", "tags[1]"]),
        (
            "fields[x][]=a&fields[x][]=b&fields[y][]=c",
            vec!["fields[x][0]", "fields[x][1]", "fields[y][0]"],
        ),
        (
            "t[3]=a&t[]=b&t[9]&t[2]&t[]=c",
            vec!["t[3]", "t[4]", "t[9]", "t[2]", "t[10]"],
        ),
        ("t[07]=a&t[x]=b&t[]=c", vec!["t[07]", "t[x]", "t[0]"]),
        ("t[5][n]=a&t[]=b", vec!["t[5][n]", "t[6]"]),
        (
            "t[a][3][b][7][c]=a&t[a][]=b&t[a][3][b][]=c&t[]=d",
            vec!["t[a][3][b][7][c]", "t[a][4]", "t[a][3][b][8]", "t[0]"],
        ),
        ("t[][y]=a&t[][]=b", vec!["t[][y]", "t[][0]"]),
        ("t[a[]]=a&t[a[]]=b", vec!["t[a[]]", "t[a[]]"]),
        ("t[a[]=a&u[=b", vec!["t[a[]", "u["]),
    ] {
        let found: Vec<String> = read(body.as_bytes())
            .into_iter()
            .map(|parts| parts.2)
            .collect();
        assert_eq!(found, full_names, "{body}");
    }
    let parts = read(b"fields[x][]=a");
    assert_eq!(parts[0].1.as_deref(), Some("x[0]"));
}

#[test]
fn json_is_read_as_the_form_would_have_sent_it() {
    for (form, json) in [
        ("tags[]=a&tags[]=b", r#"{"tags":["a","b"]}"#),
        ("tags[]=a&tags[]=b", r#"{"tags":["a"],"tags[]":"b"}"#),
        (
            "fields[x][]=a&fields[x][]=b",
            r#"{"fields":{"x":["a","b"]}}"#,
        ),
        ("fields[]=a", r#"{"fields":{"":"a"}}"#),
        ("t[0][n]=a&t[]=b", r#"{"t":[{"n":"a"},"b"]}"#),
        ("t[0][]=a&t[1][]=b", r#"{"t":[["a"],["b"]]}"#),
    ] {
        let found = read_kind(BodyKind::Json, json.as_bytes()).unwrap();
        assert_eq!(found, read(form.as_bytes()), "{json}");
    }
}

#[test]
fn names_and_values_are_read_in_the_charset_of_the_body() {
    let japanese = Charset::from_label("shift_jis").unwrap();
    // Its second byte is that of a bracket.
    let found = read_kind(BodyKind::FormIn(japanese), b"fields[%83%5B]=%83%5D").unwrap();
    assert_eq!(found[0].1.as_deref(), Some("ゼ"));
    assert_eq!(found[0].3, "ゾ");
    let found = read(b"fields[caf%E9]=%FF");
    assert_eq!(found[0].1.as_deref(), Some("café"));
    assert_eq!(found[0].3, "ÿ");
    let found = read_kind(BodyKind::Json, b"{\"fields\":{\"caf\xE9\":\"\xFF\"}}").unwrap();
    assert_eq!(found[0].1.as_deref(), Some("café"));
    assert_eq!(found[0].3, "ÿ");
}

#[test]
fn a_narrowed_form_keeps_the_numbers_of_what_is_left() {
    let body = b"x=1&fields[a][]=0&fields[a][]=1&fields[b]=2&fields[a][]=3&parameters[]=4";
    let narrowed = narrow_form(body, |name| name == "a[2]" || name == "b");
    let found: Vec<(String, String)> = read(&narrowed)
        .into_iter()
        .map(|(_, _, full, value)| (full, value))
        .collect();
    let expected = [
        ("fields[a][0]", "0"),
        ("fields[b]", "2"),
        ("fields[a][2]", "3"),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    assert_eq!(found, expected);
}

/// The same, by the crate that implements the standard; `None` if the standard
/// replaces bytes, or a name ends with empty brackets.
fn read_by_the_standard(body: &[u8]) -> Option<Vec<Parts>> {
    let pairs = form_urlencoded::parse(body).map(|(full, value)| {
        let replaced = full.contains('\u{fffd}') || value.contains('\u{fffd}');
        let variable = Variable::new(full.clone(), value.clone());
        let parts = (
            variable.name.into_owned(),
            variable.key.map(Cow::into_owned),
            full.clone().into_owned(),
            value.into_owned(),
        );
        (!replaced && !full.ends_with("[]")).then_some(parts)
    });
    pairs.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn forms_are_read_as_the_standard_says(
        parts in proptest::collection::vec(
            proptest::sample::select(vec![
                "fields", "a", "é", "&", "=", "+", "%", "%5", "%5B", "%5b", "[", "%5D", "%5d", "]",
                "5B", "D", "%C3%A9", "%C3", "%ff", "%2B", "%26", "%3D", "x",
            ]),
            0..16,
        )
    ) {
        let body = parts.concat();
        if let Some(expected) = read_by_the_standard(body.as_bytes()) {
            prop_assert_eq!(read(body.as_bytes()), expected);
        }
    }

    #[test]
    fn so_are_any_bytes(body: Vec<u8>) {
        let found = read(&body);
        if let Some(expected) = read_by_the_standard(&body) {
            prop_assert_eq!(found, expected);
        }
    }
}

use super::*;
use proptest::prelude::*;

fn split(full: &str) -> (String, Option<String>) {
    let variable = Variable::new(Cow::Borrowed(full), Cow::Borrowed(""));
    let parts = (
        variable.name.clone().into_owned(),
        variable.key.clone().map(Cow::into_owned),
    );
    assert_eq!(variable.into_full_name_and_value().0, full);
    parts
}

#[test]
fn scalars_are_found_as_by_decoding_everything() {
    const NAMES: [&str; 3] = ["type", "time", "timestamp"];
    let pieces = [
        "type",
        "time",
        "timestamp",
        "stamp",
        "ty",
        "%74ype",
        "t%79pe",
        "typ%65",
        "%",
        "%5B",
        "%5D",
        "[",
        "]",
        "=",
        "=",
        "=",
        "&",
        "&",
        "&&",
        "+",
        "a",
        "%ff",
        "%74",
        "x%26y",
        "%3D",
        "\u{e9}",
    ];
    let mut state: u64 = 0x2545_f491_4f6c_dd1d;
    let mut next = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut found = 0;
    for _ in 0..20_000 {
        let body: String = (0..next(12)).map(|_| pieces[next(pieces.len())]).collect();
        let mut fast = Vec::new();
        let add = |name, value: Cow<'_, str>| fast.push((name, value.into_owned()));
        each_form_scalar(body.as_bytes(), &NAMES, add).unwrap();
        let mut slow = Vec::new();
        each_form_variable(body.as_bytes(), |variable| {
            let name = NAMES.into_iter().find(|name| *name == variable.name);
            if let (Some(name), None) = (name, &variable.key) {
                slow.push((name, variable.into_value().into_owned()));
            }
            Ok(())
        })
        .unwrap();
        assert_eq!(fast, slow, "{body}");
        found += fast.len();
    }
    assert!(found > 1_000, "{found}");
}

#[test]
fn keys_stand_in_the_first_pair_of_brackets() {
    for (full, name, key) in [
        ("type", "type", None),
        ("fields[mail]", "fields", Some("mail")),
        ("fields[a][b]", "fields", Some("a[b]")),
        ("fields[a[b]]", "fields", Some("a[b]")),
        ("fields[a[b]c]", "fields", Some("a[b]c")),
        ("fields[x]]", "fields", Some("x]")),
        ("fields[[x]", "fields", Some("[x")),
        ("interests[]", "interests", Some("")),
        ("fields[open", "fields[open", None),
        ("[x]", "", Some("x")),
        ("a]b", "a]b", None),
    ] {
        assert_eq!(
            split(full),
            (name.to_owned(), key.map(str::to_owned)),
            "{full}"
        );
    }
}

/// Name, key, full name and value.
type Parts = (String, Option<String>, String, String);

fn read(body: &[u8]) -> Vec<Parts> {
    let mut found = Vec::new();
    each_form_variable(body, |variable| {
        let name = variable.name.clone().into_owned();
        let key = variable.key.clone().map(Cow::into_owned);
        let (full, value) = variable.into_full_name_and_value();
        found.push((name, key, full.into_owned(), value.into_owned()));
        Ok(())
    })
    .unwrap();
    found
}

/// The same, by the crate that implements the standard.
fn read_by_the_standard(body: &[u8]) -> Vec<Parts> {
    form_urlencoded::parse(body)
        .map(|(full, value)| {
            let (name, key) = split(&full);
            (name, key, full.into_owned(), value.into_owned())
        })
        .collect()
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
        prop_assert_eq!(read(body.as_bytes()), read_by_the_standard(body.as_bytes()));
    }

    #[test]
    fn so_are_any_bytes(body: Vec<u8>) {
        prop_assert_eq!(read(&body), read_by_the_standard(&body));
    }
}

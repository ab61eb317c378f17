//! Values as strangers send them, and what a page may consist of.

/// Texts that would run, load, hide or break out somewhere if they were taken
/// for anything but text. What runs sets `window.hit`.
pub const PAYLOADS: [&str; 20] = [
    "<script>window.hit=1;alert(1)</script>",
    "\"><img src=x onerror=\"window.hit=1;alert(1)\">",
    "' onfocus='window.hit=1' autofocus='",
    "javascript:window.hit=1",
    "</title></svg><svg onload=\"window.hit=1\"><a xlink:href=\"javascript:window.hit=1\">",
    "</textarea><iframe srcdoc=\"<script>parent.hit=1</script>\"></iframe>",
    "{{constructor.constructor('window.hit=1')()}}",
    "${window.hit=1}`;window.hit=1//",
    "\u{202e}txet denrut\u{202c}\u{2066}\u{200b}\u{feff}",
    "}*{display:none;background:url(//evil.example/x)}/*",
    "\r\nSet-Cookie: hit=1\r\n\r\n<script>window.hit=1</script>",
    "<!--",
    "]]><![CDATA[",
    "</script><script>window.hit=1</script>",
    "<style>*{display:none}</style>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=\"0;url=//evil.example\">",
    "<form action=//evil.example><button autofocus>",
    "&lt;b&gt;&#60;script&#62;&quot;",
    "\u{1b}[31m\u{0}\u{7}a\u{301}\u{1F469}\u{200d}\u{1F4BB}é",
];

/// Elements that pages have.
const ELEMENTS: &str = " !DOCTYPE html head meta title link script body a header span form label input button main footer \
    section h1 h2 p div dl dt dd ul li code pre strong details summary nav fieldset legend table thead tbody tr th td bdi del ins time figure \
    figcaption svg g rect path circle use text line defs foreignObject ";

/// Goes through a page's tags: they are of those that pages have, no attribute
/// is a handler or a style, and no address leads to another host. Returns how
/// many tags there are.
#[track_caller]
pub fn judge_html(html: &str) -> usize {
    let mut count = 0;
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        let name_end = rest
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != '!')
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let opens = !name.starts_with('/');
        let name = name.trim_start_matches('/');
        assert!(
            ELEMENTS.contains(&format!(" {name} ")),
            "<{name}> in {html}"
        );
        rest = after;
        count += 1;
        loop {
            rest = rest.trim_start();
            if let Some(after) = rest.strip_prefix('>').or(rest.strip_prefix("/>")) {
                rest = after;
                break;
            }
            let end = rest.find(['=', '>', ' ', '/']).expect("an attribute");
            let (attribute, after) = rest.split_at(end);
            let known = attribute
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
            assert!(known && !attribute.is_empty(), "{attribute:?} of <{name}>");
            assert!(
                !attribute.starts_with("on") && attribute != "style",
                "{attribute}"
            );
            rest = after;
            if let Some(after) = rest.strip_prefix("=\"") {
                let end = after.find('"').expect("its end");
                let value = &after[..end];
                rest = &after[end + 1..];
                if matches!(attribute, "href" | "src" | "action") {
                    let own = value.starts_with('#')
                        || value.starts_with('/') && !value.starts_with("//");
                    assert!(own, "{attribute}={value}");
                }
            }
        }
        if opens && name == "script" {
            assert!(rest.starts_with("</script>"), "a script of its own: {html}");
        }
    }
    count
}

/// What hides or turns text is in no page, but in the search box as it was typed.
#[track_caller]
pub fn judge_text(html: &str) {
    let typed = html.split(" value=\"").enumerate().map(|(number, part)| {
        let end = part.find('"').filter(|_| number > 0);
        end.and_then(|end| part.get(end..)).unwrap_or(part)
    });
    let html: String = typed.collect();
    let hides = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    let found = html.chars().find(|c| hides(*c));
    assert_eq!(found, None, "{html}");
}

/// A call's body of these pairs.
pub fn form(pairs: &[(String, String)]) -> String {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(pairs);
    body.finish()
}

/// The names of fields in [`hostile_bursts`]: one that is set in a burst, one that
/// changes unseen, and one that goes to and fro.
pub const BURST: [&str; 3] = [PAYLOADS[1], PAYLOADS[0], PAYLOADS[14]];

/// How many profiles a burst has, and the number of the first.
pub const IN_BURST: std::ops::Range<u64> = 300..340;

/// The bodies of calls that come to an incident, to a gap and to a loop, in which
/// every name and every value is such a text. They take two hours.
pub fn hostile_bursts(time: i64) -> Vec<String> {
    let [set, unseen, loops] = BURST;
    // Within one minute, so that no burst is cut where detection cuts time.
    let time = time - time.rem_euclid(60);
    let body = |profile: u64, time: i64, fields: &[(&str, &str)], asked: &[(&str, &str)]| {
        let own = [
            ("type".to_owned(), "update".to_owned()),
            ("profile".to_owned(), profile.to_string()),
            ("time".to_owned(), time.to_string()),
        ];
        let of = |word: &'static str| {
            move |(name, value): &(&str, &str)| (format!("{word}[{name}]"), (*value).to_owned())
        };
        let fields = fields.iter().map(of("fields"));
        let asked = asked.iter().map(of("parameters"));
        form(
            &own.into_iter()
                .chain(fields)
                .chain(asked)
                .collect::<Vec<_>>(),
        )
    };
    let old = [(set, PAYLOADS[2]), (unseen, PAYLOADS[5])];
    let new = [(set, PAYLOADS[9]), (unseen, PAYLOADS[10])];
    let before = IN_BURST
        .zip(time..)
        .map(|(profile, time)| body(profile, time, &old, &[]));
    let after = IN_BURST
        .zip(time + 5400..)
        .map(|(profile, time)| body(profile, time, &new, &new[..1]));
    let turns = (0_i64..12).map(|turn| {
        let value = if turn % 2 == 0 {
            PAYLOADS[6]
        } else {
            PAYLOADS[8]
        };
        let fields = [(loops, value)];
        body(IN_BURST.end, time + 600 * turn, &fields, &fields)
    });
    before.chain(after).chain(turns).collect()
}

/// The bodies of calls with such a text in every place.
pub fn hostile_calls(profile: u64, time: i64) -> Vec<String> {
    let calls = PAYLOADS.iter().zip(0_i64..).flat_map(|(payload, number)| {
        let text = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let common = [
            text("profile", &profile.to_string()),
            text("time", &(time + 10 * number).to_string()),
        ];
        let place = format!("fields[{}]", payload.replace(['[', ']'], "("));
        let interest = format!("interests[{}]", payload.replace(['[', ']'], "("));
        let parameter = format!("parameters[{}]", payload.replace(['[', ']'], "("));
        let rest = [
            text(&place, payload),
            text("fields[mail]", &format!("johny@example.com {payload}")),
            text(&interest, "1"),
            text(&parameter, payload),
            text("created", payload),
            text("modified", payload),
            text(&payload.replace('[', "("), payload),
        ];
        let update = [&common[..], &[text("type", "update")], &rest].concat();
        let other = [&common[..], &[text("type", payload)], &rest].concat();
        [form(&update), form(&other)]
    });
    calls.collect()
}

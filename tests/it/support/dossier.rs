//! What tests of dossiers share.

use base64::Engine as _;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// A value that would run, hide, or end what it stands in.
pub const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&amp;\u{1b}[2J\u{202e}\u{0}</style></title>";

/// A body of these pairs.
pub fn form(pairs: &[(&str, &str)]) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(pairs);
    form.finish()
}

/// The lines of a part.
pub fn of_part<'l>(lines: &'l [Value], part: &str) -> Vec<&'l Value> {
    lines.iter().filter(|line| line["part"] == part).collect()
}

/// The tags and attributes of a page.
fn tags(page: &str) -> Vec<&str> {
    let page = page.split_once("</style>").unwrap();
    let head = page.0.split_once("<style>").unwrap().0;
    head.split('<')
        .chain(page.1.split('<'))
        .filter_map(|rest| Some(rest.split_once('>')?.0))
        .collect()
}

/// A page that needs nothing but itself, and in which nothing runs.
pub fn must_be_harmless(page: &str) {
    const TAGS: [&str; 39] = [
        "!DOCTYPE", "html", "head", "meta", "title", "style", "body", "header", "h1", "h2", "h3",
        "p", "section", "dl", "dt", "dd", "b", "bdi", "a", "span", "time", "table", "thead",
        "tbody", "tr", "th", "td", "ul", "li", "div", "code", "pre", "footer", "/title", "/p",
        "/b", "/bdi", "/span", "/time",
    ];
    for tag in tags(page) {
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        assert!(
            TAGS.contains(&name) || TAGS.contains(&name.trim_start_matches('/')),
            "{tag}"
        );
        for banned in ["script", "src=", "onerror", "javascript", "://", "url("] {
            assert!(!attributes.contains(banned), "{tag}");
        }
    }
    for banned in ["<script", "<img", "<link", "<iframe"] {
        assert!(!page.contains(banned), "{banned}");
    }
    assert!(
        !page
            .chars()
            .any(|c| (c.is_control() && c != '\n') || c == '\u{202e}')
    );
    let style = page
        .split_once("<style>")
        .unwrap()
        .1
        .split_once("</style>")
        .unwrap()
        .0;
    assert!(!style.contains("@import") && !style.contains("url("));
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(style));
    assert!(page.contains(&format!("content=\"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'\"")));
    assert!(page.ends_with("</body></html>\n"));
    let count = |what: &str| page.matches(what).count();
    for tag in ["section", "table", "tbody", "tr", "ul", "bdi", "td"] {
        let open = count(&format!("<{tag}>")) + count(&format!("<{tag} "));
        assert_eq!(open, count(&format!("</{tag}>")), "{tag}");
    }
}

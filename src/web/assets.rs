//! The style, script and icon, embedded in the binary.
//!
//! Each name contains a digest of the content, so a browser may cache it forever and
//! never mixes two versions.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// A file of the page.
#[derive(Debug)]
pub struct Asset {
    pub path: String,
    pub content_type: &'static str,
    pub content: &'static str,
}

/// How many hexadecimal digits of the digest are in a name.
const DIGITS: usize = 16;

fn asset(name: &str, extension: &str, content_type: &'static str, content: &'static str) -> Asset {
    let digest = Sha256::digest(content.as_bytes());
    Asset {
        path: format!("/static/{name}-{digest:.DIGITS$x}.{extension}"),
        content_type,
        content,
    }
}

pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("assets/page.css");
    asset("page", "css", "text/css; charset=utf-8", content)
});

pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("assets/page.js");
    asset("page", "js", "text/javascript; charset=utf-8", content)
});

pub static ICON: LazyLock<Asset> = LazyLock::new(|| {
    let content = include_str!("assets/icon.svg");
    asset("icon", "svg", "image/svg+xml", content)
});

/// The file at a path.
pub fn find(path: &str) -> Option<&'static Asset> {
    let all: [&'static Asset; 3] = [&STYLE, &SCRIPT, &ICON];
    all.into_iter().find(|asset| asset.path == path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_whole_name_alone() {
        for asset in [&STYLE, &SCRIPT, &ICON] {
            assert_eq!(find(&asset.path).map(|it| it.content), Some(asset.content));
        }
        for path in ["/static/", "/static/page.css", "/static/../tokens", ""] {
            assert!(find(path).is_none(), "{path}");
        }
    }

    #[test]
    fn nothing_in_them_leads_to_another_host() {
        for asset in [&STYLE, &SCRIPT, &ICON] {
            let text = asset.content.replace("http://www.w3.org/2000/svg", "");
            assert!(
                !text.contains("//www") && !text.contains("http"),
                "{}",
                asset.path
            );
            assert!(!text.contains("@import") && !text.contains("eval("));
        }
    }
}

//! Answers to browsers.

use std::sync::LazyLock;

use maud::Markup;

use crate::server::reply::Reply;
use crate::web::assets::Asset;
use crate::web::dossier::policy;
use crate::web::with_query;

/// The security headers of a page. The browser runs and loads only the page's own two files, sends
/// forms only to this site, and never frames the page. It sends a referrer to this site only;
/// without one, `Origin` would be `null` on connections without TLS.
pub(super) const PAGE: &str = "X-Content-Type-Options: nosniff\r\n\
    Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'\r\n\
    X-Frame-Options: DENY\r\nReferrer-Policy: same-origin\r\n\
    Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
    Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n";

/// The same for a dossier, which has inline style, runs no script, and loads nothing from
/// this site.
static DOSSIER: LazyLock<String> = LazyLock::new(|| {
    let policy = policy();
    format!(
        "X-Content-Type-Options: nosniff\r\n\
         Content-Security-Policy: {policy}; frame-ancestors 'none'; sandbox\r\n\
         X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n\
         Cross-Origin-Opener-Policy: same-origin\r\nCross-Origin-Resource-Policy: same-origin\r\n\
         Permissions-Policy: camera=(), geolocation=(), microphone=()\r\n"
    )
});

/// The head of a document that browsers show, and keep under a name of plain
/// characters.
pub(super) fn document(name: &str) -> Reply {
    Reply::new(200, HTML, Vec::new()).bound_by(&DOSSIER).with(
        "Content-Disposition",
        format!("inline; filename=\"{name}\""),
    )
}

/// The head of a file that browsers keep under a name of plain characters.
pub(super) fn attachment(name: &str, content_type: &'static str) -> Reply {
    Reply::new(200, content_type, Vec::new())
        .bound_by(PAGE)
        .with(
            "Content-Disposition",
            format!("attachment; filename=\"{name}\""),
        )
}

const HTML: &str = "text/html; charset=utf-8";

/// A page, or a fragment of one.
pub(super) fn html(status: u16, page: Markup) -> Reply {
    Reply::new(status, HTML, page.into_string().into_bytes()).bound_by(PAGE)
}

pub(super) fn file(asset: &'static Asset) -> Reply {
    Reply::new(200, asset.content_type, asset.content.as_bytes().to_vec()).immutable()
}

/// Sends the browser to another page of this site.
pub(super) fn redirect(target: &str) -> Reply {
    let reply = Reply::new(303, "text/plain", Vec::new()).bound_by(PAGE);
    reply.with("Location", target)
}

/// Redirects the browser to the login, which returns to a target.
pub(super) fn log_in(target: &str) -> Reply {
    redirect(&with_query("/login".to_owned(), &[("next", target)]))
}

/// The browser's copy is current.
pub(super) fn unchanged() -> Reply {
    Reply::new(304, HTML, Vec::new()).bound_by(PAGE)
}

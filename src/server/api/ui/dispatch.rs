//! Authentication and dispatch of a browser's request: a page that needs a query,
//! or a reply that can be sent at once.

use std::time::Instant;

use maud::html;
use tiny_http::Method;

use super::origin::{FormOrigin, form_origin, may_be_clear, own_target};
use super::reply::{file, html as page, log_in, redirect, unchanged};
use super::route::{Route, route};
use super::{ApiRequest, Ui};
use crate::auth::tokens::Scope;
use crate::server::api::auth::Authenticator;
use crate::server::reply::Reply;
use crate::web::text::Text;
use crate::web::{Clock, assets, shell};

impl Ui {
    /// Returns the page to make, and the ID of the token that it is shown to, or else a reply that
    /// can be sent at once. `last_seq` is that of the last event.
    pub fn dispatch(
        &self,
        request: &ApiRequest,
        auth: &Authenticator,
        clock: Clock,
        last_seq: u64,
    ) -> Result<(Route, String), Reply> {
        let path = request.path();
        let reads = matches!(request.method, Method::Get | Method::Head);
        let posts = request.method == Method::Post;
        if path == "/login" && posts {
            return Err(self.log_in(request, auth));
        }
        if path == "/logout" && posts {
            return Err(self.log_out(request));
        }
        if !reads || path == "/logout" {
            return Err(wrong_method(path));
        }
        if request.fault || !request.body.is_empty() {
            let body = html! { p { "A request for a page must not have a body." } };
            return Err(page(413, shell::message("Not so", &body, None)));
        }
        if path.starts_with("/static/") {
            return Err(match assets::find(path) {
                Some(asset) => file(asset),
                None => nothing(None),
            });
        }
        let wanted = route(&request.target, clock);
        let by_script = matches!(&wanted, Ok(Some(route)) if route.is_fragment());
        let token = self.token_id(request, auth, !by_script);
        if path == "/login" {
            let next = next(&request.target);
            return Err(match token {
                Some(_) => redirect(own_target(&next)),
                None => page(
                    200,
                    shell::login(own_target(&next), None, may_be_clear(request)),
                ),
            });
        }
        match (token, wanted) {
            (None, _) if by_script => {
                let body = html! { p { "Log in again." } };
                Err(page(401, body))
            }
            (None, _) => Err(log_in(own_target(&request.target))),
            // The tag of the latest events is the number of the last.
            (Some(_), Ok(Some(Route::Live(_))))
                if request.tag == Some(format!("\"{last_seq}\"")) =>
            {
                Err(unchanged())
            }
            (Some(token), Ok(Some(route))) => Ok((route, token)),
            (Some(_), Ok(None)) => Err(nothing(Some(&clock))),
            (Some(_), Err(wrong)) => {
                let body = html! {
                    p.error { (Text::new(&wrong, 400)) }
                    p { a href="/" { "To the start page" } }
                };
                Err(page(
                    400,
                    shell::message("That cannot be asked", &body, Some(&clock)),
                ))
            }
        }
    }

    /// The ID of the token of the session.
    fn token_id(&self, request: &ApiRequest, auth: &Authenticator, used: bool) -> Option<String> {
        let now = Instant::now();
        self.cookie
            .sessions(request.cookie.as_deref())
            .find_map(|session| {
                self.sessions
                    .token_id(session, now, used, |token| auth.tokens.has(token))
            })
    }

    /// Handles a login, the only request whose body is read.
    fn log_in(&self, request: &ApiRequest, auth: &Authenticator) -> Reply {
        let secure = match form_origin(request, self.loopback) {
            FormOrigin::Own(secure) => secure,
            FormOrigin::Foreign => return foreign(),
            FormOrigin::Clear => return in_clear(),
        };
        let form = request.content_type.as_deref().unwrap_or_default();
        let form = form.split(';').next().unwrap_or_default().trim();
        if request.fault || !form.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return page(
                400,
                shell::login("/", Some("The form arrived incomplete; try again."), false),
            );
        }
        let (mut token, mut next) = (String::new(), String::new());
        for (name, value) in form_urlencoded::parse(&request.body) {
            match &*name {
                "token" => token = value.trim().to_owned(),
                "next" => next = value.into_owned(),
                _ => {}
            }
        }
        let next = own_target(&next);
        let again = |status, what: &str| page(status, shell::login(next, Some(what), false));
        let found = match auth.find(&token, &request.peer) {
            Ok(found) => found,
            Err(None) => {
                return again(
                    401,
                    "This is not a valid token of this server. Copy the whole token: it begins with ptr_ and is shown only once, when it is created.",
                );
            }
            Err(Some(wait)) => {
                let seconds = wait.as_secs().saturating_add(1);
                let what = format!("Too many invalid tokens were tried. Wait {seconds} seconds.");
                return again(429, &what).with("Retry-After", seconds);
            }
        };
        if found.scope != Scope::Read {
            let what =
                "This token is valid for the metrics only: create another with --scope read.";
            return again(403, what);
        }
        // A login replaces an existing session.
        for (old, _) in self.cookie.sessions(request.cookie.as_deref()) {
            self.sessions.end(old);
        }
        match self.sessions.begin(found, secure, Instant::now()) {
            Ok(session) => redirect(next).with_headers(&self.cookie.set_header(&session, secure)),
            Err(error) => {
                tracing::error!("no session could be started: {error}");
                let what = "No session could be started; the server's log says why.";
                again(500, what)
            }
        }
    }

    fn log_out(&self, request: &ApiRequest) -> Reply {
        if form_origin(request, self.loopback) == FormOrigin::Foreign {
            return foreign();
        }
        for (session, _) in self.cookie.sessions(request.cookie.as_deref()) {
            self.sessions.end(session);
        }
        redirect("/login").with_headers(&self.cookie.clear_headers())
    }
}

/// The page to open after a login, from the target.
fn next(target: &str) -> String {
    let query = target.split_once('?').map_or("", |(_, query)| query);
    let mut pairs = form_urlencoded::parse(query.as_bytes());
    let next = pairs.find(|(name, _)| name == "next");
    next.map_or_else(String::new, |(_, value)| value.into_owned())
}

fn nothing(clock: Option<&Clock>) -> Reply {
    let body = html! {
        p { "This address has no page. A profile is at " code { "/profile/123" } ", an event at " code { "/event/7" } "." }
        p { a href="/" { "To the start page" } }
    };
    page(404, shell::message("Nothing here", &body, clock))
}

fn wrong_method(path: &str) -> Reply {
    let body =
        html! { p { "Pages here can only be read." } p { a href="/" { "To the start page" } } };
    let allowed = match path {
        "/login" => "GET, HEAD, POST",
        "/logout" => "POST",
        _ => "GET, HEAD",
    };
    page(405, shell::message("Not so", &body, None)).with("Allow", allowed)
}

fn foreign() -> Reply {
    let body = html! {
        p { "This form came from another site's page and was refused." }
        p { a href="/login" { "Log in here" } }
    };
    page(403, shell::message("Not from here", &body, None))
}

fn in_clear() -> Reply {
    let body = html! {
        p { "Your browser reaches this server over the network without TLS, where others can read along. Logging in that way is refused." }
        p { "Put a proxy with TLS in front of it, or open a tunnel and log in at its address on your machine:" }
        pre { code { "ssh -L 8082:127.0.0.1:8082 THIS-SERVER" } }
        p { "The token that was just sent may have been seen: revoke it with " code { "profiletrail token revoke" } "." }
    };
    page(403, shell::message("Only with TLS", &body, None))
}

//! Who may ask: the dashboard's own page in a browser on this machine, and programs on it.
//!
//! A page from elsewhere can send requests to a loopback address, and by DNS rebinding it can even read the answers. It
//! cannot choose the headers `Host`, `Origin` and `Sec-Fetch-Site`, which browsers set.

use {
    crate::server::{App, refuse},
    axum::{
        extract::{Request, State},
        http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header},
        middleware::Next,
        response::Response,
    },
    std::{net::SocketAddr, sync::Arc},
};

/// Scripts, styles and connections of the page itself and nothing else; no text ever becomes markup or script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                      trusted-types 'none'";

/// The values of `Host` that name this server.
#[derive(Debug)]
pub(crate) struct Hosts(Vec<String>);

impl Hosts {
    pub(crate) fn of(address: SocketAddr) -> Self {
        let port = address.port();
        let names = ["127.0.0.1", "localhost", "[::1]"];
        let mut hosts: Vec<String> = names.iter().map(|name| format!("{name}:{port}")).collect();
        if !hosts.contains(&address.to_string()) {
            hosts.push(address.to_string());
        }
        if port == 80 {
            let without_port: Vec<_> = hosts
                .iter()
                .map(|host| host.trim_end_matches(":80").to_owned())
                .collect();
            hosts.extend(without_port);
        }
        Self(hosts)
    }

    fn has(&self, host: &str) -> bool {
        self.0.iter().any(|known| known.eq_ignore_ascii_case(host))
    }

    /// Why a request is refused, if it is.
    fn refusal(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Option<(StatusCode, String)> {
        let only = |name: HeaderName| {
            let mut values = headers.get_all(name).iter();
            let value = values.next().map(|value| value.to_str().unwrap_or_default());
            if values.next().is_some() { Some("") } else { value }
        };
        let host = only(header::HOST).unwrap_or_default();
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        if !self.has(host) || !self.has(authority) {
            let text = format!(
                "this dashboard answers for http://{} and on no other host; a proxy before it must send this Host",
                self.0.join(", http://")
            );
            return Some((StatusCode::MISDIRECTED_REQUEST, text));
        }
        let own_origin = |origin: &str| origin.strip_prefix("http://").is_some_and(|host| self.has(host));
        if only(header::ORIGIN).is_some_and(|origin| !own_origin(origin)) {
            let text = "requests from pages of other origins are refused".to_owned();
            return Some((StatusCode::FORBIDDEN, text));
        }
        // `none` is a person who typed the address or opened a bookmark.
        let typed = |site: &str| site == "none" && method == Method::GET;
        if only(HeaderName::from_static("sec-fetch-site")).is_some_and(|site| site != "same-origin" && !typed(site)) {
            let text = "links and requests from other sites are refused: type the address of the dashboard".to_owned();
            return Some((StatusCode::FORBIDDEN, text));
        }
        None
    }
}

/// Refuses who may not ask, and adds to each answer what browsers are to heed.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let refusal = app.hosts.refusal(request.method(), request.uri(), request.headers());
    let mut response = match refusal {
        Some((status, text)) => refuse(status, text),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

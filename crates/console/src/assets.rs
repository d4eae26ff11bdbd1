//! The dashboard's files, built into the binary from `ui/dist`; and a page that says how to build them where they are not.

use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../ui/dist"]
#[allow_missing = true]
struct Dashboard;

/// Shown in place of the dashboard when the binary was built without it.
const NOT_BUILT: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Portreeve</title></head><body>\
    <h1>This binary was built without the dashboard</h1><p>Build it with <code>cd ui &amp;&amp; npm ci &amp;&amp; npm run build</code> \
    and then build the binary again. The admin API works: see <a href=\"/api/v1/openapi.json\">its document</a>.</p></body></html>\n";

/// Scripts and styles come from the binary alone; nothing may frame the dashboard, and it sends nothing elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
    font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The report as a page has one style element of its own and no script at all.
const REPORT_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file of the dashboard; its first page for every path that is a page of it.
pub(crate) async fn asset(request: Request) -> Response {
    let path = request.uri().path().trim_start_matches('/');
    if let Some(file) = Dashboard::get(path).filter(|_| !path.is_empty()) {
        let hashed = path.starts_with("assets/");
        let caching = if hashed { "public, max-age=31536000, immutable" } else { "no-cache" };
        return ([(header::CONTENT_TYPE, media_type(path)), (header::CACHE_CONTROL, caching)], file.data)
            .into_response();
    }
    // A missing file is missing; only pages fall back to the first one.
    if path.rsplit('/').next().is_some_and(|last| last.contains('.')) {
        return (StatusCode::NOT_FOUND, "there is no such file\n").into_response();
    }
    let typed = [(header::CONTENT_TYPE, "text/html; charset=utf-8"), (header::CACHE_CONTROL, "no-cache")];
    match Dashboard::get("index.html") {
        Some(page) => (typed, page.data).into_response(),
        None => (typed, NOT_BUILT).into_response(),
    }
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json" | "map") => "application/json",
        Some("woff2") => "font/woff2",
        Some("png") => "image/png",
        _ => "application/octet-stream",
    }
}

/// Adds the fields that keep browsers from doing more than is meant.
pub(crate) async fn guarded(response: Response) -> Response {
    let mut response = response;
    let html =
        response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let from_api = response.extensions().get::<FromApi>().is_some();
    let policy = if html && from_api { REPORT_POLICY } else { POLICY };
    let fields = [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    for (name, value) in fields {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if from_api {
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// Marks answers of the admin API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FromApi;

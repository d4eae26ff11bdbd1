//! The sample API's web pages and static files: what is no API and must not be taken for one.

use http::{Method, Response, StatusCode};

use super::api::{Body, Call, text_response};

/// Answers a request for a page or a file.
pub fn answer(call: &Call) -> Response<Body> {
    if call.method != Method::GET && call.method != Method::HEAD {
        return text_response(StatusCode::METHOD_NOT_ALLOWED, "text/html; charset=utf-8", &page("Not allowed"));
    }
    let ok = |media_type: &str, text: &str| text_response(StatusCode::OK, media_type, text);
    match call.path.as_str() {
        "/" => ok("text/html; charset=utf-8", &page("Lanterns and more")),
        "/about" | "/contact" | "/login" => ok("text/html; charset=utf-8", &page("About us")),
        "/robots.txt" => ok("text/plain", "User-agent: *\nDisallow: /api/\n"),
        "/favicon.ico" => ok("image/x-icon", "\0\0\u{1}\0"),
        "/feeds/products.xml" => ok(
            "application/rss+xml",
            "<?xml version=\"1.0\"?><rss version=\"2.0\"><channel><title>Lanterns</title></channel></rss>",
        ),
        path if path.starts_with("/shop/") => ok("text/html; charset=utf-8", &page(path)),
        path if path.starts_with("/static/") && path.ends_with(".js") => {
            ok("text/javascript", "export const shop = () => fetch('/api/v1/products');\n")
        }
        path if path.starts_with("/static/") && path.ends_with(".css") => ok("text/css", "body { font: 1rem serif }\n"),
        path if path.starts_with("/static/img/") => ok("image/webp", "RIFF\0\0\0\0WEBP"),
        _ => text_response(StatusCode::NOT_FOUND, "text/html; charset=utf-8", &page("Not found")),
    }
}

fn page(title: &str) -> String {
    let safe: String = title.chars().filter(|c| c.is_ascii_alphanumeric() || " /-.".contains(*c)).collect();
    format!(
        "<!doctype html><html><head><title>{safe}</title><link rel=stylesheet href=/static/app.css></head><body><h1>{safe}</h1><script type=module src=/static/app.js></script></body></html>"
    )
}

//! The sample API: a small shop with the shapes real services have. Documented and undocumented endpoints, writes, GraphQL,
//! gRPC, SOAP, pages and files, latency, errors and limits of its own. It trusts its callers more than it should: what it
//! gives away is what the gateway in front is there to see.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{grpc, openapi, pages, stream};

/// The body of an answer.
pub type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Larger requests than the shop ever needs.
const BODY_BYTES_MAX: usize = 256 * 1024;
/// Orders and carts kept; the demo may run for days.
const KEPT_MAX: usize = 20_000;

/// What the shop remembers.
#[derive(Default)]
pub struct Shop {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    rng: Option<fastrand::Rng>,
    orders: HashMap<u64, Value>,
    carts: HashMap<String, Vec<Value>>,
    searches: HashMap<String, u32>,
    requests: u64,
}

impl Shop {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A shop that draws its latencies and errors from `seed`.
    pub fn new(seed: u64) -> Arc<Self> {
        let shop = Self::default();
        shop.lock().rng = Some(fastrand::Rng::with_seed(seed));
        Arc::new(shop)
    }

    /// A number below one.
    pub fn draw(&self) -> f64 {
        self.lock().rng.as_mut().map_or(0.5, fastrand::Rng::f64)
    }

    /// Requests served.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }
}

/// A request with its body read.
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The query's parameters as sent.
    pub query: HashMap<String, String>,
    /// The fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// A field as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    fn user(&self) -> Option<&str> {
        self.header("authorization").strip_prefix("Bearer ").filter(|token| !token.is_empty())
    }
}

/// Serves the shop until the listener's runtime ends.
pub async fn serve(listener: TcpListener, shop: Arc<Shop>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let _ = stream.set_nodelay(true);
        let shop = Arc::clone(&shop);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| answer(request, Arc::clone(&shop)));
            let server = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
        });
    }
}

async fn answer(mut request: Request<Incoming>, shop: Arc<Shop>) -> Result<Response<Body>, Infallible> {
    shop.lock().requests += 1;
    if request.uri().path() == "/ws/chat" {
        return Ok(stream::websocket(&mut request));
    }
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, BODY_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Ok(problem(StatusCode::PAYLOAD_TOO_LARGE, "the request is too large")),
    };
    let call = Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().map(parameters).unwrap_or_default(),
        headers: parts.headers,
        body,
    };
    tokio::time::sleep(latency(&call.path, shop.draw())).await;
    Ok(route(&call, &shop))
}

/// Milliseconds with a long tail, larger where a real service would work harder.
fn latency(path: &str, draw: f64) -> Duration {
    let base = if path.contains("/orders") || path.contains("/payments") {
        12.0
    } else if path.contains("/search") || path == "/graphql" {
        8.0
    } else if path.starts_with("/static") {
        0.3
    } else {
        3.0
    };
    let tail = if draw > 0.99 { 12.0 } else { 1.0 };
    Duration::from_secs_f64(base * (0.5 + draw) * tail / 1_000.0)
}

fn route(call: &Call, shop: &Shop) -> Response<Body> {
    let segments: Vec<&str> = call.path.split('/').skip(1).collect();
    // One call in two hundred meets a broken dependency, as it happens.
    if segments.first() == Some(&"api") && shop.draw() < 0.005 {
        return problem(StatusCode::INTERNAL_SERVER_ERROR, "the database did not answer");
    }
    match segments.as_slice() {
        ["api", "v1", rest @ ..] => versioned(call, rest, shop),
        // The version before, which nobody switched off and no document mentions.
        ["api", "v0", "products", id] if call.method == Method::GET => json_response(StatusCode::OK, &product(id)),
        ["api", "internal", "stats"] => json_response(StatusCode::OK, &json!({"requests": shop.requests()})),
        ["graphql"] if call.method == Method::POST => graphql(call),
        ["soap", "shipping"] if call.method == Method::POST => soap(call),
        [service, operation] if service.starts_with("shop.v1.") => grpc::answer(service, operation, call, shop),
        ["openapi.json"] => json_response(StatusCode::OK, &openapi::document()),
        ["healthz"] => text_response(StatusCode::OK, "text/plain", "ok\n"),
        _ => pages::answer(call),
    }
}

fn versioned(call: &Call, rest: &[&str], shop: &Shop) -> Response<Body> {
    let method = call.method.as_str();
    match (method, rest) {
        ("GET", ["products"]) => products(call),
        ("GET", ["products", id]) => match id.parse::<u32>() {
            Ok(1..=5000) => json_response(StatusCode::OK, &product(id)),
            _ => problem(StatusCode::NOT_FOUND, "no such product"),
        },
        ("GET", ["products", id, "reviews"]) => json_response(StatusCode::OK, &reviews(id)),
        ("POST", ["products", id, "reviews"]) => review(call, id),
        ("GET", ["search"]) => search(call, shop),
        ("POST", ["login"]) => log_in(call),
        ("POST", ["signup"]) => created(call, &["email", "password"]),
        ("POST", ["password-reset"]) => created(call, &["email"]),
        ("GET", ["events"]) => stream::events(),
        ("GET", ["users", "me"]) => with_user(call, |user| json_response(StatusCode::OK, &account(user))),
        // The shop looks only whether somebody is logged in, not who: every account can be read by anyone who is.
        ("GET", ["users", id]) => with_user(call, |_| json_response(StatusCode::OK, &account(id))),
        ("GET", ["users", id, "export"]) => with_user(call, |_| json_response(StatusCode::OK, &export(id))),
        ("PATCH", ["users", id]) => with_user(call, |_| json_response(StatusCode::OK, &account(id))),
        ("GET", ["carts", cart, "items"]) => {
            let items = shop.lock().carts.get(*cart).cloned().unwrap_or_default();
            json_response(StatusCode::OK, &json!({"items": items}))
        }
        ("POST", ["carts", cart, "items"]) => cart_add(call, cart, shop),
        ("DELETE", ["carts", cart, "items", _]) => {
            shop.lock().carts.remove(*cart);
            empty(StatusCode::NO_CONTENT)
        }
        ("GET", ["orders"]) => with_user(call, |_| orders(shop)),
        ("POST", ["orders"]) => with_user(call, |user| order_create(call, user, shop)),
        ("GET", ["orders", id]) => with_user(call, |_| order(id, shop)),
        ("GET", ["orders", id, "invoice"]) => with_user(call, |_| order(id, shop)),
        ("POST", ["orders", id, "payments"]) => with_user(call, |_| payment(call, id, shop)),
        ("POST", ["admin", "coupons"]) => created(call, &["code", "percent"]),
        _ => problem(StatusCode::NOT_FOUND, "there is nothing here"),
    }
}

fn with_user(call: &Call, then: impl FnOnce(&str) -> Response<Body>) -> Response<Body> {
    match call.user() {
        Some(user) => then(user),
        None => problem(StatusCode::UNAUTHORIZED, "log in first"),
    }
}

fn products(call: &Call) -> Response<Body> {
    let number = |name: &str, default: u32| call.query.get(name).map_or(Some(default), |text| text.parse().ok());
    let (Some(page), Some(limit)) = (number("page", 1), number("limit", 20)) else {
        return problem(StatusCode::BAD_REQUEST, "page and limit are numbers");
    };
    let limit = limit.clamp(1, 50);
    let first = page.saturating_sub(1).saturating_mul(limit);
    let items: Vec<Value> = (first..first + limit).map(|id| product(&(id % 5000 + 1).to_string())).collect();
    json_response(StatusCode::OK, &json!({"page": page, "limit": limit, "total": 5000, "items": items}))
}

fn product(id: &str) -> Value {
    let number: u64 = id.parse().unwrap_or(1);
    let category = ["light", "garden", "tools", "kitchen"].get(number as usize % 4).copied().unwrap_or("light");
    let tags = ["new", "sale"].get(..number as usize % 3).unwrap_or_default().to_vec();
    json!({
        "id": number, "sku": format!("SKU-{number:05}"), "name": format!("Lantern no. {number}"), "category": category,
        "price": {"amount": 499 + number % 9000, "currency": "EUR"}, "stock": number % 37,
        "tags": tags,
    })
}

fn reviews(id: &str) -> Value {
    let number: u64 = id.parse().unwrap_or(1);
    let each = (0..number % 4)
        .map(|at| json!({"id": number * 10 + at, "stars": 1 + (number + at) % 5, "text": "as described"}));
    json!({"items": each.collect::<Vec<_>>()})
}

fn review(call: &Call, id: &str) -> Response<Body> {
    let Some(body) = call.json() else { return problem(StatusCode::BAD_REQUEST, "this is no JSON") };
    let stars = body.get("stars").and_then(Value::as_u64);
    if !stars.is_some_and(|stars| (1..=5).contains(&stars)) {
        return problem(StatusCode::UNPROCESSABLE_ENTITY, "stars is a number from 1 to 5");
    }
    json_response(StatusCode::CREATED, &json!({"product": id, "stars": stars, "text": body.get("text")}))
}

/// The shop's own limit: twenty-five searches of one caller, then `429` for a while.
fn search(call: &Call, shop: &Shop) -> Response<Body> {
    let caller = call.header("x-forwarded-for").to_owned();
    let mut inner = shop.lock();
    if inner.searches.len() > 1_000 {
        inner.searches.clear();
    }
    let count = inner.searches.entry(caller).or_default();
    *count += 1;
    if *count > 25 {
        if *count > 70 {
            *count = 0;
        }
        let mut response = problem(StatusCode::TOO_MANY_REQUESTS, "too many searches");
        response.headers_mut().insert("retry-after", HeaderValue::from_static("2"));
        return response;
    }
    drop(inner);
    let text = call.query.get("q").cloned().unwrap_or_default();
    let start = text.len() as u64 * 7 % 4000;
    let items: Vec<Value> = (1..=8).map(|at| product(&(start + at).to_string())).collect();
    json_response(StatusCode::OK, &json!({"query": text, "items": items}))
}

fn log_in(call: &Call) -> Response<Body> {
    let body = call.json().unwrap_or_default();
    let (Some(email), Some(password)) = (member(&body, "email").as_str(), member(&body, "password").as_str()) else {
        return problem(StatusCode::BAD_REQUEST, "email and password are needed");
    };
    if !password.starts_with("correct") {
        return problem(StatusCode::UNAUTHORIZED, "wrong e-mail or password");
    }
    let token = format!("{:016x}", super::traffic::fingerprint(email));
    let mut response = json_response(StatusCode::OK, &json!({"token": token, "expires_in": 3600}));
    if let Ok(cookie) = HeaderValue::from_str(&format!("sid={token}; HttpOnly; Path=/")) {
        response.headers_mut().insert("set-cookie", cookie);
    }
    response
}

fn created(call: &Call, needed: &[&str]) -> Response<Body> {
    let body = call.json().unwrap_or_default();
    match needed.iter().find(|name| body.get(**name).is_none()) {
        Some(name) => problem(StatusCode::BAD_REQUEST, &format!("{name} is needed")),
        None => json_response(StatusCode::CREATED, &json!({"status": "accepted"})),
    }
}

fn account(id: &str) -> Value {
    let number = super::traffic::fingerprint(id);
    json!({
        "id": id, "email": format!("user{}@example.com", number % 10_000), "name": format!("Customer {}", number % 10_000),
        "phone": format!("+49 30 {:07}", number % 10_000_000), "created": "2025-03-04T10:00:00Z",
    })
}

/// What no document mentions and no client should get: everything about an account.
fn export(id: &str) -> Value {
    let mut account = account(id);
    if let Some(fields) = account.as_object_mut() {
        fields.insert("iban".to_owned(), json!("DE89370400440532013000"));
        fields
            .insert("password_hash".to_owned(), json!("$2b$12$C6UzMDM.H6dfI/f/IKcEeO5V2Qq8h1m0z0d1f8w9y7b6n5m4l3k2j"));
    }
    account
}

fn cart_add(call: &Call, cart: &str, shop: &Shop) -> Response<Body> {
    let Some(item) = call.json().filter(|item| item["sku"].is_string()) else {
        return problem(StatusCode::BAD_REQUEST, "sku is needed");
    };
    let mut inner = shop.lock();
    if inner.carts.len() > KEPT_MAX {
        inner.carts.clear();
    }
    let items = inner.carts.entry(cart.to_owned()).or_default();
    if items.len() < 50 {
        items.push(item);
    }
    json_response(StatusCode::CREATED, &json!({"items": items}))
}

fn orders(shop: &Shop) -> Response<Body> {
    let inner = shop.lock();
    let items: Vec<&Value> = inner.orders.values().take(10).collect();
    json_response(StatusCode::OK, &json!({"items": items}))
}

fn order_create(call: &Call, user: &str, shop: &Shop) -> Response<Body> {
    let Some(body) = call.json().filter(|body| member(body, "cart").is_string()) else {
        return problem(StatusCode::BAD_REQUEST, "cart is needed");
    };
    let mut inner = shop.lock();
    if inner.orders.len() > KEPT_MAX {
        inner.orders.clear();
    }
    let id = 100_000 + inner.requests;
    let order = json!({"id": id, "customer": user, "cart": member(&body, "cart"), "state": "open", "total": {"amount": 4990, "currency": "EUR"}});
    inner.orders.insert(id, order.clone());
    json_response(StatusCode::CREATED, &order)
}

fn order(id: &str, shop: &Shop) -> Response<Body> {
    let found = id.parse().ok().and_then(|id: u64| shop.lock().orders.get(&id).cloned());
    found.map_or_else(|| problem(StatusCode::NOT_FOUND, "no such order"), |order| json_response(StatusCode::OK, &order))
}

fn payment(call: &Call, id: &str, shop: &Shop) -> Response<Body> {
    if shop.draw() < 0.03 {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the payment provider does not answer");
    }
    let body = call.json().unwrap_or_default();
    if member(&body, "method").as_str().is_none() {
        return problem(StatusCode::BAD_REQUEST, "method is needed");
    }
    json_response(StatusCode::CREATED, &json!({"order": id, "state": "paid", "method": member(&body, "method")}))
}

fn graphql(call: &Call) -> Response<Body> {
    let body = call.json().unwrap_or_default();
    let Some(query) = member(&body, "query").as_str() else {
        return json_response(StatusCode::BAD_REQUEST, &json!({"errors": [{"message": "query is needed"}]}));
    };
    let data = if query.contains("addReview") {
        json!({"addReview": {"id": 1, "stars": 5}})
    } else if query.contains("product(") {
        json!({"product": product(&member(member(&body, "variables"), "id").to_string())})
    } else if query.contains("__schema") {
        json!({"__schema": {"queryType": {"name": "Query"}, "types": [{"name": "Product"}, {"name": "Review"}]}})
    } else {
        json!({"products": (1..=10).map(|id| product(&id.to_string())).collect::<Vec<_>>()})
    };
    json_response(StatusCode::OK, &json!({ "data": data }))
}

fn soap(call: &Call) -> Response<Body> {
    let action = call.header("soapaction").trim_matches('"');
    let inside = match action.rsplit('/').next().unwrap_or_default() {
        "GetRates" => {
            "<GetRatesResponse xmlns=\"urn:shipping\"><rate><carrier>post</carrier><cents>590</cents></rate></GetRatesResponse>"
        }
        "CreateShipment" => "<CreateShipmentResponse xmlns=\"urn:shipping\"><id>SH-1009</id></CreateShipmentResponse>",
        _ => {
            let fault = envelope(
                "<soap:Fault><faultcode>soap:Client</faultcode><faultstring>unknown operation</faultstring></soap:Fault>",
            );
            return text_response(StatusCode::INTERNAL_SERVER_ERROR, "text/xml; charset=utf-8", &fault);
        }
    };
    text_response(StatusCode::OK, "text/xml; charset=utf-8", &envelope(inside))
}

/// A SOAP 1.1 envelope around `inside`.
pub fn envelope(inside: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body>{inside}</soap:Body></soap:Envelope>"
    )
}

fn parameters(query: &str) -> HashMap<String, String> {
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.replace('+', " "))).collect()
}

/// An answer in JSON.
pub fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    text_response(status, "application/json", &value.to_string())
}

/// An answer that says what is wrong (RFC 9457).
pub fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let body = json!({"title": status.canonical_reason(), "status": status.as_u16(), "detail": detail});
    text_response(status, "application/problem+json", &body.to_string())
}

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<Body> {
    response(status, "", Full::new(Bytes::new()).boxed_unsync())
}

/// An answer with text of some type.
pub fn text_response(status: StatusCode, media_type: &str, text: &str) -> Response<Body> {
    response(status, media_type, Full::new(Bytes::copy_from_slice(text.as_bytes())).boxed_unsync())
}

/// An answer with a body of some type.
pub fn response(status: StatusCode, media_type: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    if let Ok(value) = HeaderValue::from_str(media_type)
        && !media_type.is_empty()
    {
        response.headers_mut().insert(HeaderName::from_static("content-type"), value);
    }
    response
}

/// A member of an object; null where there is none.
fn member<'v>(value: &'v serde_json::Value, name: &str) -> &'v serde_json::Value {
    value.get(name).unwrap_or(&serde_json::Value::Null)
}

//! Which operation a request asks for, where its protocol has operations behind one path: GraphQL, JSON-RPC (MCP with it)
//! and SOAP. gRPC needs nothing here: its method is its path.
//!
//! The name goes into events and makes endpoints. It is the client's word, so it is bounded, plain ASCII, and believed only
//! as far as the store and the learner bound how many of them they keep.

use model::head::Known;
use schema::json::Value;
use schema::xml::{self, XmlLimits};

use crate::view::{BodyView, RequestView};

/// Longest name of an operation, in bytes; longer ones are none.
pub const NAME_BYTES_MAX: usize = 96;
/// How much of a GraphQL document is read for its first name, in bytes.
const DOCUMENT_BYTES_MAX: usize = 4096;

/// The operation that the head of a request names.
pub fn of_head(request: &RequestView<'_>) -> Option<Box<str>> {
    if let Some(action) = request.head.fields.first(Known::SoapAction) {
        return soap_action(action);
    }
    let content_type = request.head.fields.first(Known::ContentType).unwrap_or_default();
    if content_type.windows(8).any(|window| window.eq_ignore_ascii_case(b"soap+xml")) {
        // SOAP 1.2 has its action as a parameter of the type (RFC 3902).
        let at = content_type.windows(7).position(|window| window.eq_ignore_ascii_case(b"action="))?;
        let rest = content_type.get(at + 7..)?;
        return soap_action(rest.split(|&byte| byte == b';').next()?);
    }
    is_graphql_path(request.path).then(|| graphql_of_query(request.query?)).flatten()
}

/// The operation that the body of a request names.
pub fn of_body(request: &RequestView<'_>, body: &BodyView<'_>) -> Option<Box<str>> {
    if body.is_json() {
        if !is_graphql_path(request.path) && !may_name(body.bytes) {
            return None;
        }
        let root = body.json().ok()?.root();
        // Of a batch the first one speaks for all: they share one exchange.
        let first = root.items().and_then(|mut items| items.next()).unwrap_or(root);
        return json_rpc(first).or_else(|| graphql_of_json(request, first));
    }
    if body.media_type == "application/graphql" {
        return graphql_name(std::str::from_utf8(body.bytes).ok()?);
    }
    if body.media_type == "text/xml" || body.media_type == "application/soap+xml" {
        let document = xml::parse(body.bytes, &XmlLimits::default()).ok()?;
        return named(&xml::soap::envelope(&document).ok()?.message?.local);
    }
    None
}

/// True when a JSON text may hold a call: only then is it worth parsing where no stage asks for it. A key may be written
/// with escapes, so a text that has any is not judged by its bytes.
fn may_name(json: &[u8]) -> bool {
    let has = |needle: &[u8]| memchr::memmem::find(json, needle).is_some();
    has(b"\"jsonrpc\"") || has(b"\"query\"") || has(b"\\u")
}

fn is_graphql_path(path: &[u8]) -> bool {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    last.eq_ignore_ascii_case(b"graphql") || last.eq_ignore_ascii_case(b"gql")
}

/// A name as it may stand in events.
fn named(text: &str) -> Option<Box<str>> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:$ {}".contains(&byte);
    (!text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(plain)).then(|| text.into())
}

/// `"urn:shop/GetRates"` names `GetRates`.
fn soap_action(value: &[u8]) -> Option<Box<str>> {
    let text = std::str::from_utf8(value).ok()?.trim().trim_matches('"');
    named(text.rsplit(['/', '#', ':']).next()?)
}

/// The method of a JSON-RPC 2.0 call; of an MCP tool call with the tool.
fn json_rpc(call: Value<'_>) -> Option<Box<str>> {
    call.get("jsonrpc")?;
    let method = call.get("method").and_then(Value::as_str)?;
    if method == "tools/call"
        && let Some(tool) = call.find("/params/name").and_then(Value::as_str)
    {
        return named(&format!("{method} {tool}"));
    }
    named(method)
}

fn graphql_of_json(request: &RequestView<'_>, call: Value<'_>) -> Option<Box<str>> {
    let text = |name: &str| call.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let document = text("query");
    // Many searches have a member `query`: elsewhere than at a GraphQL path the document must look like one.
    let looks = document.is_some_and(|text| {
        let text = text.trim_start();
        let words = ["query", "mutation", "subscription", "fragment"];
        text.contains('{') && (text.starts_with('{') || words.iter().any(|word| text.starts_with(word)))
    });
    if !(looks || is_graphql_path(request.path)) {
        return None;
    }
    text("operationName").and_then(named).or_else(|| graphql_name(document?))
}

fn graphql_of_query(query: &[u8]) -> Option<Box<str>> {
    let value = |name: &[u8]| {
        let pairs = query.split(|&byte| byte == b'&');
        let mut values = pairs.filter_map(|pair| pair.strip_prefix(name)?.strip_prefix(b"="));
        values.next().and_then(|value| std::str::from_utf8(value).ok()).filter(|value| !value.is_empty())
    };
    value(b"operationName").and_then(named)
}

/// The name of a document's first operation; of one without a name its kind and first field, such as `query { products }`.
fn graphql_name(document: &str) -> Option<Box<str>> {
    let mut end = document.len().min(DOCUMENT_BYTES_MAX);
    while !document.is_char_boundary(end) {
        end -= 1;
    }
    let mut rest = skipped(document.get(..end)?);
    let kind = word(rest);
    rest = skipped(rest.get(kind.len()..)?);
    match kind {
        "" => {}
        "query" | "mutation" | "subscription" => {
            let name = word(rest);
            if !name.is_empty() {
                return named(name);
            }
        }
        _ => return None,
    }
    let kind = if kind.is_empty() { "query" } else { kind };
    rest = skipped(rest.get(rest.find('{')? + 1..)?);
    let mut field = word(rest);
    // What stands before a colon is only an alias.
    if let Some(behind) = skipped(rest.get(field.len()..)?).strip_prefix(':') {
        field = word(skipped(behind));
    }
    (!field.is_empty()).then(|| named(&format!("{kind} {{ {field} }}"))).flatten()
}

/// What follows white space, commas and comments.
fn skipped(text: &str) -> &str {
    let mut rest =
        text.trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',' || letter == '\u{feff}');
    while let Some(comment) = rest.strip_prefix('#') {
        let line = comment.find(['\n', '\r']).unwrap_or(comment.len());
        rest = comment
            .get(line..)
            .unwrap_or_default()
            .trim_start_matches(|letter: char| letter.is_whitespace() || letter == ',');
    }
    rest
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn documents_name_their_operation() {
        for (document, name) in [
            ("query Products($n: Int) { products }", Some("Products")),
            ("# all\n mutation\tAddReview{addReview{id}}", Some("AddReview")),
            ("{ products { id } }", Some("query { products }")),
            ("mutation { mine: pay(id: 1) { id } }", Some("mutation { pay }")),
            ("subscription { ...F }", None),
            ("fragment F on X { a }", None),
            ("shoes", None),
            ("", None),
        ] {
            assert_eq!(graphql_name(document).as_deref(), name, "{document}");
        }
    }

    #[test]
    fn calls_and_actions_are_named() {
        let rpc = |text: &str| {
            let tape = schema::json::Tape::parse(text.as_bytes(), &schema::json::JsonLimits::default()).unwrap();
            json_rpc(tape.root())
        };
        assert_eq!(rpc(r#"{"jsonrpc":"2.0","method":"eth_call","id":1}"#).as_deref(), Some("eth_call"));
        let tool = r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"weather"}}"#;
        assert_eq!(rpc(tool).as_deref(), Some("tools/call weather"));
        assert_eq!(rpc(r#"{"method":"x"}"#), None);
        assert_eq!(rpc("{\"jsonrpc\":\"2.0\",\"method\":\"<script>\"}"), None);
        assert_eq!(soap_action(b"\"http://x.example/shipping/GetRates\"").as_deref(), Some("GetRates"));
        assert_eq!(soap_action(b"urn:shipping#Create").as_deref(), Some("Create"));
        assert_eq!(soap_action(b"\"\""), None);
    }

    proptest! {
        #[test]
        fn any_document_is_read_within_bounds(document in "[a-z{}(:#,\n é]{0,200}") {
            let name = graphql_name(&document);
            prop_assert!(name.is_none_or(|name| name.len() <= NAME_BYTES_MAX));
        }
    }
}

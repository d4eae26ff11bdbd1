//! Which protocol an exchange speaks, told from its head: hints that terminals collect.

use model::{Observation, Protocol};

use crate::path::path_of;
use crate::request::{Classes, Media};

/// Bits of [`crate::trie::Terminal::hints`].
const GRPC: u8 = 1;
const WEBSOCKET: u8 = 2;
const EVENTS: u8 = 4;
const GRAPHQL: u8 = 8;
const JSON_RPC: u8 = 16;
const SOAP: u8 = 32;
const MCP: u8 = 64;

/// The hints of one exchange.
pub fn hints(observation: &Observation, classes: Classes) -> u8 {
    let Classes { request, response, .. } = classes;
    let path = path_of(&observation.target);
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let is = |names: &[&str]| names.iter().any(|name| name.eq_ignore_ascii_case(last));
    let has_header = |name: &str| observation.custom_headers.iter().any(|header| **header == *name);
    let accepts = observation.accept.as_deref().unwrap_or_default();
    let mut hints = 0;
    if request == Media::Grpc || response == Media::Grpc {
        hints |= GRPC;
    }
    if observation.status == 101 {
        hints |= WEBSOCKET;
    }
    if response == Media::Events {
        hints |= EVENTS;
    }
    if is(&["graphql", "gql"]) {
        hints |= GRAPHQL;
    }
    if request == Media::Json && is(&["jsonrpc", "json-rpc", "rpc"]) {
        hints |= JSON_RPC;
    }
    let soap_type = observation.request_type.as_deref().is_some_and(|value| value.contains("soap+xml"));
    if soap_type || has_header("soapaction") {
        hints |= SOAP;
    }
    // MCP over HTTP asks for both kinds of answers on one POST (specification 2025-03-26, section Streamable HTTP).
    let both = accepts.contains("application/json") && accepts.contains("text/event-stream");
    if has_header("mcp-session-id") || has_header("mcp-protocol-version") || is(&["mcp"]) && both {
        hints |= MCP;
    }
    hints
}

/// The protocol behind collected hints.
pub fn protocol(hints: u8, has_operations: bool) -> Protocol {
    match hints {
        hints if hints & MCP != 0 => Protocol::Mcp,
        hints if hints & GRPC != 0 => Protocol::Grpc,
        hints if hints & WEBSOCKET != 0 => Protocol::Websocket,
        hints if hints & SOAP != 0 => Protocol::Soap,
        hints if hints & GRAPHQL != 0 => Protocol::Graphql,
        hints if hints & JSON_RPC != 0 => Protocol::JsonRpc,
        hints if hints & EVENTS != 0 => Protocol::Sse,
        _ if has_operations => Protocol::Graphql,
        _ => Protocol::Rest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_told_from_heads() {
        let base = Observation { status: 200, ..Observation::default() };
        let check = |observation: &Observation, expected| {
            let classes = crate::request::ClassMemory::default().classes(observation);
            assert_eq!(protocol(hints(observation, classes), false), expected);
        };
        check(&base, Protocol::Rest);
        check(&Observation { request_type: Some("application/grpc".into()), ..base.clone() }, Protocol::Grpc);
        check(&Observation { status: 101, ..base.clone() }, Protocol::Websocket);
        check(&Observation { response_type: Some("text/event-stream".into()), ..base.clone() }, Protocol::Sse);
        check(&Observation { target: "/api/graphql?x=1".into(), ..base.clone() }, Protocol::Graphql);
        check(&Observation { custom_headers: ["soapaction".into()].into(), ..base.clone() }, Protocol::Soap);
        let accept = Some("application/json, text/event-stream".into());
        check(&Observation { target: "/mcp".into(), accept, ..base }, Protocol::Mcp);
    }
}

//! Any bytes load as an OpenAPI document or are refused with a diagnostic; a contract that loads judges any request.
#![no_main]

use schema::json::JsonLimits;
use schema::openapi::{BodyInput, LoadOptions, Match, RequestParts, Strictness, load_bytes};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let loaded = load_bytes("fuzz.yaml", bytes, &LoadOptions::default());
    let Some(contract) = loaded.contract else {
        assert!(!loaded.diagnostics.is_empty());
        return;
    };
    let limits = JsonLimits::default();
    for operation in contract.operations().iter().take(4) {
        let path = operation.template.replace(['{', '}'], "1");
        if let Match::Operation(id, path_values) = contract.match_operation(&operation.method, "", &path) {
            let parts = RequestParts { path: &path, path_values: &path_values, query: Some("a=1&b[c]=2&d"), fields: &[] };
            contract.judge_request_head(id, &parts, Strictness::default());
            let body = BodyInput { bytes: br#"{"a":[1,{"b":null}]}"#, json: None, limits: &limits };
            contract.judge_request_body(id, Some("application/json"), Some(&body), Strictness::default());
        }
    }
});

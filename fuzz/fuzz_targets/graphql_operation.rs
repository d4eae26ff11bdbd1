//! Any text is judged as a GraphQL operation, with and without a schema.
#![no_main]

use schema::graphql::{GraphqlContract, GraphqlLimits, GraphqlRequest, Introspection};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let sdl = "type Query { user(id: ID!): User, users(first: Int): [User!]! } type User { id: ID!, friends: [User!]! }";
    let with = GraphqlContract::from_sdl("fuzz", sdl, GraphqlLimits::default(), Introspection::Refuse).unwrap();
    let without = GraphqlContract::without_schema(GraphqlLimits::default(), Introspection::Allow);
    let request = GraphqlRequest::of_document(text);
    with.judge(&request);
    without.judge(&request);
});

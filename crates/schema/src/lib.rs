//! What a well-formed message is: JSON, OpenAPI and JSON Schema, GraphQL, protobuf, XML; compile, judge, compare, emit.
//!
//! Everything here is pure and synchronous: bytes and documents in, plain data out. It depends on nothing of ours, opens
//! no connection, and never keeps a value of the traffic it judged.

pub mod derive;
pub mod diff;
pub mod document;
pub mod emit;
pub mod format;
#[cfg(feature = "graphql")]
pub mod graphql;
#[cfg(feature = "grpc")]
pub mod grpc;
pub mod json;
pub mod lint;
pub mod openapi;
pub mod pattern;
pub mod rules;
pub mod shape;
pub mod xml;

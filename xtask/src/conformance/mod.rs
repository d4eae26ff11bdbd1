//! Measurements against public collections that nobody here wrote. Each prints one table; the pinned ones are in
//! `docs/measured/` and may only improve.

pub mod attacks;
pub mod corpora;
mod crs;
mod crs_hygiene;
mod desync;
mod formats;
mod graphql;
mod h2;
mod http1;
mod json;
mod json_schema;
mod llhttp;
mod openapi_diff;
mod smuggler;
mod sockets;
mod xml;

use clap::Subcommand;

/// Which collection is measured.
#[derive(Subcommand)]
pub enum Conformance {
    /// Attacks found and legitimate requests refused, by collection and class.
    Attacks(attacks::Arguments),
    /// Ambiguous and malformed heads by tier (http-desync-guardian).
    Desync(http1::Arguments),
    /// Mutations of Transfer-Encoding (smuggler).
    Smuggler(http1::Arguments),
    /// The requests of the tests of Node's parser (llhttp).
    Llhttp(http1::Arguments),
    /// The protocol families of the OWASP Core Rule Set's tests.
    CrsHygiene(http1::Arguments),
    /// HTTP/2 and HPACK at a running gateway, frame by frame.
    H2(h2::Arguments),
    /// The tests of the OWASP Core Rule Set, with its rules loaded.
    Crs(crs::Arguments),
    /// All of these and the attacks as bytes through a running gateway.
    Sockets(sockets::Arguments),
    /// JSON parsing, JSON Schema, GraphQL and XML.
    Formats(http1::Arguments),
    /// OpenAPI beside openapi-core, over valid and broken requests of real documents.
    OpenapiDiff(openapi_diff::Arguments),
}

/// Runs one of them.
pub fn run(which: &Conformance) -> crate::Outcome {
    match which {
        Conformance::Attacks(arguments) => attacks::run(arguments),
        Conformance::Desync(arguments) => desync::run(arguments),
        Conformance::Smuggler(arguments) => smuggler::run(arguments),
        Conformance::Llhttp(arguments) => llhttp::run(arguments),
        Conformance::CrsHygiene(arguments) => crs_hygiene::run(arguments),
        Conformance::H2(arguments) => h2::run(arguments),
        Conformance::Crs(arguments) => crs::run(arguments),
        Conformance::Sockets(arguments) => sockets::run(arguments),
        Conformance::Formats(arguments) => formats::run(arguments),
        Conformance::OpenapiDiff(arguments) => openapi_diff::run(arguments),
    }
}

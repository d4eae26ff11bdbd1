//! The sample API's gRPC service, framed by hand: five bytes in front of each message, the status in the trailers.
//!
//! Messages are `message Stock { uint32 product = 1; uint32 quantity = 2; }` both ways.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Full};

use super::api::{Body, Call, Shop, problem, response};

/// A message with its frame (gRPC over HTTP/2, `Length-Prefixed-Message`).
pub fn framed(product: u8, quantity: u8) -> Bytes {
    // Both numbers stay below 128, so each is one byte of a varint.
    let message = [0x08, product & 0x7f, 0x10, quantity & 0x7f];
    let mut frame = BytesMut::with_capacity(9);
    frame.put_u8(0);
    frame.put_u32(message.len() as u32);
    frame.put_slice(&message);
    frame.freeze()
}

/// Answers a call of `shop.v1.Inventory`.
pub fn answer(service: &str, operation: &str, call: &Call, shop: &Shop) -> Response<Body> {
    if !call.header("content-type").starts_with("application/grpc") {
        return problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, "this is a gRPC service");
    }
    // Status codes of gRPC: 0 ok, 8 resource exhausted, 12 unimplemented.
    let (status, body) = match (service, operation) {
        ("shop.v1.Inventory", "GetStock") => ("0", framed(call.body.get(6).copied().unwrap_or(1), 17)),
        ("shop.v1.Inventory", "ReserveStock") if shop.draw() < 0.05 => ("8", Bytes::new()),
        ("shop.v1.Inventory", "ReserveStock") => ("0", framed(1, 1)),
        _ => ("12", Bytes::new()),
    };
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static(status));
    let body = Full::new(body).with_trailers(async move { Some(Ok(trailers)) });
    response(StatusCode::OK, "application/grpc", body.boxed_unsync())
}

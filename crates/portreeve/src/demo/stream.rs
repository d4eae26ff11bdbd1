//! The sample API's long answers: server-sent events and a WebSocket that says back what it hears.

use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Channel};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::api::{Body, empty, problem, response};

/// Five events, a fifth of a second apart.
pub fn events() -> Response<Body> {
    let (mut sender, body) = Channel::<Bytes, std::convert::Infallible>::new(1);
    tokio::spawn(async move {
        for number in 0..5 {
            let event =
                format!("id: {number}\nevent: stock\ndata: {{\"sku\":\"SKU-{number:05}\",\"stock\":{number}}}\n\n");
            if sender.send_data(Bytes::from(event)).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    response(StatusCode::OK, "text/event-stream", body.boxed_unsync())
}

/// Accepts a WebSocket (RFC 6455) and echoes its frames.
pub fn websocket(request: &mut Request<Incoming>) -> Response<Body> {
    let Some(key) = request.headers().get("sec-websocket-key") else {
        return problem(StatusCode::UPGRADE_REQUIRED, "this is a WebSocket");
    };
    let accept = accept_value(key.as_bytes());
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        if let Ok(upgraded) = upgrade.await {
            let _ = echo(TokioIo::new(upgraded)).await;
        }
    });
    let mut response = empty(StatusCode::SWITCHING_PROTOCOLS);
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(value) = HeaderValue::from_str(&accept) {
        headers.insert("sec-websocket-accept", value);
    }
    response
}

/// The answer to a `Sec-WebSocket-Key` (RFC 6455, 4.2.2). SHA-1 is what the protocol asks for; nothing rests on its strength.
fn accept_value(key: &[u8]) -> String {
    let mut text = key.to_vec();
    text.extend_from_slice(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &text);
    base64::engine::general_purpose::STANDARD.encode(digest.as_ref())
}

/// Reads small frames, takes their masks off and sends them back, until the other side closes.
async fn echo<S: AsyncReadExt + AsyncWriteExt + Unpin>(mut stream: S) -> std::io::Result<()> {
    loop {
        let mut head = [0u8; 6];
        stream.read_exact(&mut head).await?;
        let [first, second, mask @ ..] = head;
        let len = usize::from(second & 0x7f);
        // Longer frames than 125 bytes and frames without mask end the conversation.
        if len > 125 || second & 0x80 == 0 {
            return Ok(());
        }
        let mut payload = vec![0u8; len];
        stream.read_exact(&mut payload).await?;
        for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= key;
        }
        stream.write_all(&[first, second & 0x7f]).await?;
        stream.write_all(&payload).await?;
        stream.flush().await?;
        // 8 is the opcode of a close frame.
        if first & 0x0f == 8 {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_6455() {
        assert_eq!(accept_value(b"dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}

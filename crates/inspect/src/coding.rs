//! Content codings (RFC 9110, 8.4.1): a compressed body is judged as what it holds, within a bound.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// The bytes behind a content coding, at most `bytes_max` of them. A coding we do not know, several codings, or bytes that
/// are not what the coding says come back as they are: the stages then judge what is there.
pub fn decoded<'b>(bytes: &'b [u8], coding: &[u8], bytes_max: usize) -> Cow<'b, [u8]> {
    let coding = coding.trim_ascii();
    let mut out = Vec::new();
    let limit = bytes_max as u64;
    // What was decoded before an error counts: a body that was cut at the limit of inspection ends in one.
    let _ = if coding.eq_ignore_ascii_case(b"gzip") || coding.eq_ignore_ascii_case(b"x-gzip") {
        MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out)
    } else if coding.eq_ignore_ascii_case(b"deflate") {
        ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out)
    } else {
        return Cow::Borrowed(bytes);
    };
    if out.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(out) }
}

/// What inflating a whole message gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inflated {
    /// The message.
    Bytes(Vec<u8>),
    /// It would be larger than the bound.
    TooLarge,
    /// It is not what the coding says.
    Malformed,
    /// The coding is not read here.
    Unknown,
}

/// Inflates a whole message of at most `bytes_max`, strictly: unlike [`decoded`], what is broken is said to be.
pub fn inflated(bytes: &[u8], coding: &[u8], bytes_max: usize) -> Inflated {
    let mut out = Vec::new();
    let limit = (bytes_max as u64).saturating_add(1);
    let read = match coding.trim_ascii().to_ascii_lowercase().as_slice() {
        b"gzip" => MultiGzDecoder::new(bytes).take(limit).read_to_end(&mut out),
        b"deflate" => ZlibDecoder::new(bytes).take(limit).read_to_end(&mut out),
        b"" | b"identity" => return Inflated::Malformed,
        _ => return Inflated::Unknown,
    };
    match read {
        Ok(_) if out.len() > bytes_max => Inflated::TooLarge,
        Ok(_) => Inflated::Bytes(out),
        Err(_) => Inflated::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn gzip_is_removed_within_the_bound() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&vec![b'a'; 1 << 20]).unwrap();
        let bomb = encoder.finish().unwrap();
        assert_eq!(decoded(&bomb, b"gzip", 1000).len(), 1000);
        assert_eq!(&decoded(b"plain", b"identity", 1000)[..], b"plain");
        assert_eq!(&decoded(b"not gzip", b"gzip", 1000)[..], b"not gzip");
    }
}

//! Variables of the heads of request and response.

use std::borrow::Cow;

use super::{Request, Response, Values};
use crate::rule::BodyProcessor;
use crate::transform::Transform;
use crate::variable::Variable;

/// The value of the first field with this name, in any case.
pub(super) fn field<'m>(fields: &[super::Field<'m>], name: &[u8]) -> Option<&'m [u8]> {
    fields.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

/// The target without scheme and authority.
fn path_and_query(target: &[u8]) -> &[u8] {
    if target.first() == Some(&b'/') {
        return target;
    }
    let Some(scheme) = memchr::memmem::find(target, b"://") else { return target };
    let rest = target.get(scheme + 3..).unwrap_or_default();
    rest.iter().position(|byte| matches!(byte, b'/' | b'?')).and_then(|at| rest.get(at..)).unwrap_or(b"/")
}

impl<'m> Values<'m, '_> {
    /// Takes the head of a request apart.
    pub fn request_head(&mut self, request: &Request<'m>) {
        let Request { method, target, protocol, fields, client, unique, body } = *request;
        let uri = path_and_query(target);
        let (path, query) = match memchr::memchr(b'?', uri) {
            Some(at) => (uri.get(..at).unwrap_or_default(), uri.get(at + 1..)),
            None => (uri, None),
        };
        // What follows a number sign is for browsers; it is still part of the address as sent.
        let base = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        self.set(Variable::RequestMethod, method);
        self.set(Variable::RequestUriRaw, target);
        self.set(Variable::RequestUri, uri);
        self.set(Variable::RequestFilename, path);
        self.set(Variable::RequestBasename, base);
        self.set(Variable::QueryString, query.unwrap_or_default());
        self.set(Variable::RequestProtocol, protocol.as_bytes());
        self.set(Variable::RequestLine, [method, b" ", target, b" ", protocol.as_bytes()].concat());
        let client = client.to_string().into_bytes();
        self.set(Variable::RemoteHost, client.clone());
        self.set(Variable::RemoteAddr, client);
        self.set(Variable::UniqueId, format!("{unique:016x}").into_bytes());
        let host = field(fields, b"host").unwrap_or_default();
        self.set(Variable::ServerName, host_of(host));
        self.set_number(Variable::RequestBodyLength, body.map_or(0, |body| body.bytes.len()));
        for &(name, value) in fields {
            self.add(Variable::RequestHeadersNames, Cow::Borrowed(name), Cow::Borrowed(name));
            self.add(Variable::RequestHeaders, Cow::Borrowed(name), Cow::Borrowed(value));
            if name.eq_ignore_ascii_case(b"cookie") {
                self.cookies(value);
            }
            if name.eq_ignore_ascii_case(b"authorization") {
                let scheme = value.split(|byte| *byte == b' ').next().unwrap_or_default();
                self.set(Variable::AuthType, scheme);
            }
        }
        self.pairs(query.unwrap_or_default(), Variable::ArgsGet, Variable::ArgsGetNames);
        self.quiet_errors();
        let content_type = field(fields, b"content-type").unwrap_or_default();
        self.processor = processor_of(content_type);
        self.set(Variable::ReqbodyProcessor, self.processor.map_or("", BodyProcessor::name).as_bytes());
        self.set_number(Variable::ArgsCombinedSize, self.combined_size);
        self.set_number(Variable::FilesCombinedSize, 0);
    }

    /// Flags that rules compare with zero are there from the beginning.
    fn quiet_errors(&mut self) {
        use Variable as V;
        for flag in [
            V::ReqbodyError,
            V::ReqbodyProcessorError,
            V::UrlencodedError,
            V::InboundDataError,
            V::OutboundDataError,
            V::MscPcreError,
            V::MscPcreLimitsExceeded,
            V::MultipartStrictError,
            V::MultipartUnmatchedBoundary,
            V::MultipartBoundaryQuoted,
            V::MultipartBoundaryWhitespace,
            V::MultipartCrlfLfLines,
            V::MultipartDataAfter,
            V::MultipartDataBefore,
            V::MultipartFileLimitExceeded,
            V::MultipartHeaderFolding,
            V::MultipartInvalidHeaderFolding,
            V::MultipartInvalidPart,
            V::MultipartInvalidQuoting,
            V::MultipartLfLine,
            V::MultipartMissingSemicolon,
        ] {
            self.set(flag, &b"0"[..]);
        }
    }

    /// `a=b; c=d`: names and values as sent.
    fn cookies(&mut self, line: &'m [u8]) {
        for pair in line.split(|&byte| byte == b';') {
            let pair = pair.trim_ascii_start();
            if pair.is_empty() {
                continue;
            }
            let (name, value) = match memchr::memchr(b'=', pair) {
                Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
                None => (pair, &b""[..]),
            };
            self.add(Variable::RequestCookiesNames, Cow::Borrowed(name), Cow::Borrowed(name));
            self.add(Variable::RequestCookies, Cow::Borrowed(name), Cow::Borrowed(value));
        }
    }

    /// `a=b&c=d`, percent-escapes undone.
    pub(super) fn pairs(&mut self, text: &'m [u8], variable: Variable, names: Variable) {
        for pair in text.split(|&byte| byte == b'&') {
            if pair.is_empty() {
                continue;
            }
            let (name, value) = match memchr::memchr(b'=', pair) {
                Some(at) => (pair.get(..at).unwrap_or_default(), pair.get(at + 1..).unwrap_or_default()),
                None => (pair, &b""[..]),
            };
            let decode = |text: &'m [u8]| Transform::UrlDecode.apply(text);
            self.argument(variable, names, decode(name), decode(value));
        }
    }

    /// Takes the head of a response apart.
    pub fn response_head(&mut self, response: &Response<'m>) {
        let Response { status, protocol, fields, body: _ } = *response;
        let status = status.to_string().into_bytes();
        self.set(Variable::StatusLine, [protocol.as_bytes(), b" ", &status].concat());
        self.set(Variable::Status, status.clone());
        self.set(Variable::ResponseStatus, status);
        self.set(Variable::ResponseProtocol, protocol.as_bytes());
        for &(name, value) in fields {
            self.add(Variable::ResponseHeadersNames, Cow::Borrowed(name), Cow::Borrowed(name));
            self.add(Variable::ResponseHeaders, Cow::Borrowed(name), Cow::Borrowed(value));
        }
        let content_type = field(fields, b"content-type").unwrap_or_default();
        self.set(Variable::ResponseContentType, content_type);
        if let Some(length) = field(fields, b"content-length") {
            self.set(Variable::ResponseContentLength, length);
        }
    }

    /// Takes the body of a response in.
    pub fn response_body(&mut self, response: &Response<'m>) {
        let bytes = response.body.map_or(&b""[..], |body| body.bytes);
        self.set(Variable::ResponseBody, bytes);
    }
}

/// The reader of a body by its media type, as ModSecurity's recommended configuration chooses it.
fn processor_of(content_type: &[u8]) -> Option<BodyProcessor> {
    let media = content_type.split(|&byte| byte == b';').next().unwrap_or_default();
    let media = media.trim_ascii().to_ascii_lowercase();
    match media.as_slice() {
        b"application/x-www-form-urlencoded" => Some(BodyProcessor::UrlEncoded),
        b"multipart/form-data" => Some(BodyProcessor::Multipart),
        b"application/json" | b"text/json" => Some(BodyProcessor::Json),
        b"application/xml" | b"text/xml" => Some(BodyProcessor::Xml),
        _ if media.ends_with(b"+json") => Some(BodyProcessor::Json),
        _ if media.ends_with(b"+xml") => Some(BodyProcessor::Xml),
        _ => None,
    }
}

/// The host of `host:port`.
fn host_of(authority: &[u8]) -> &[u8] {
    match authority.iter().rposition(|&byte| byte == b':') {
        Some(at) if authority.get(at + 1..).is_some_and(|port| port.iter().all(u8::is_ascii_digit)) => {
            authority.get(..at).unwrap_or_default()
        }
        _ => authority,
    }
}

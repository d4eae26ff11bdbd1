//! Variables of the body of a request.

use std::borrow::Cow;

use schema::json::{JsonLimits, Kind, Tape, Value};

use super::{Body, Request, Values};
use crate::rule::BodyProcessor;
use crate::variable::Variable;

/// Deepest JSON that becomes arguments; what lies deeper stands as one text.
const DEPTH_MAX: usize = 32;

impl<'m> Values<'m, '_> {
    /// Takes the body of a request apart. `forced` asks for `REQUEST_BODY` also where something reads the body.
    pub fn request_body(&mut self, request: &Request<'m>, forced: bool) {
        let Some(body) = request.body.filter(|body| !body.bytes.is_empty()) else { return };
        self.set(Variable::ReqbodyProcessor, self.processor.map_or("", BodyProcessor::name).as_bytes());
        if !body.whole {
            self.set(Variable::InboundDataError, &b"1"[..]);
        }
        if forced || matches!(self.processor, Some(BodyProcessor::UrlEncoded)) {
            self.set(Variable::RequestBody, body.bytes);
        }
        match self.processor {
            Some(BodyProcessor::UrlEncoded) => {
                self.pairs(body.bytes, Variable::ArgsPost, Variable::ArgsPostNames);
            }
            Some(BodyProcessor::Json) => self.json(body),
            Some(BodyProcessor::Xml) => self.xml(body.bytes),
            Some(BodyProcessor::Multipart) => {
                let content_type = super::request::field(request.fields, b"content-type").unwrap_or_default();
                self.multipart(content_type, body.bytes);
            }
            None => {}
        }
        self.set_number(Variable::ArgsCombinedSize, self.combined_size);
    }

    /// A body that could not be read stays visible as a whole.
    pub(super) fn unreadable(&mut self, bytes: &'m [u8], message: &'static str) {
        self.set(Variable::ReqbodyError, &b"1"[..]);
        self.set(Variable::ReqbodyProcessorError, &b"1"[..]);
        self.set(Variable::ReqbodyErrorMsg, message.as_bytes());
        self.set(Variable::ReqbodyProcessorErrorMsg, message.as_bytes());
        self.set(Variable::RequestBody, bytes);
    }

    fn json(&mut self, body: Body<'m>) {
        let mut name = b"json".to_vec();
        match body.json {
            Some(tape) => self.json_value(tape.root(), &mut name, 0),
            None => match Tape::parse(body.bytes, &JsonLimits::default()) {
                Ok(tape) => self.json_value(tape.root(), &mut name, 0),
                Err(_) => {
                    self.unreadable(body.bytes, "JSON parsing error");
                    // Lenient servers read broken JSON too: its values are looked at as one.
                    let (variable, names) = (Variable::ArgsPost, Variable::ArgsPostNames);
                    self.argument(variable, names, Cow::Borrowed(b"json"), Cow::Borrowed(body.bytes));
                }
            },
        }
    }

    /// `{"a": {"b": [1]}}` becomes the argument `json.a.b.0` with the value `1`.
    fn json_value(&mut self, value: Value<'_>, name: &mut Vec<u8>, depth: usize) {
        let length = name.len();
        if self.truncated {
            return;
        }
        match value.kind() {
            Kind::Object if depth < DEPTH_MAX => {
                for (key, member) in value.members().into_iter().flatten() {
                    name.push(b'.');
                    name.extend_from_slice(key.as_bytes());
                    self.json_value(member, name, depth + 1);
                    name.truncate(length);
                }
            }
            Kind::Array if depth < DEPTH_MAX => {
                for (at, item) in value.items().into_iter().flatten().enumerate() {
                    name.push(b'.');
                    name.extend_from_slice(at.to_string().as_bytes());
                    self.json_value(item, name, depth + 1);
                    name.truncate(length);
                }
            }
            _ => {
                let text = match value.as_str() {
                    Some(text) => text.to_owned(),
                    None => schema::json::to_text(value),
                };
                let name = Cow::Owned(name.clone());
                self.argument(Variable::ArgsPost, Variable::ArgsPostNames, name, Cow::Owned(text.into_bytes()));
            }
        }
    }
}

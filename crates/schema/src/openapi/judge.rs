//! Judging messages by a contract. Everything is pure: text and bytes in, violations out.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::body::{FormError, form, multipart};
use super::contract::{
    BodyRules, Contract, Location, MediaRules, Operation, OperationId, Parameter, ParameterShape, QueryName,
    ResponseRules, StatusKey, Style,
};
use super::decode::{Plus, percent};
use super::media::{BodyKind, MediaType, specificity};
use super::parameter::{Found, Judged};
use super::path::PathValues;
use super::violation::{MessagePlace, Violation, ViolationKind};
use crate::json::{Error, JsonLimits, Tape};
use crate::rules::{CheckOptions, Checked, Direction, Failure, Undeclared};

/// Most pairs of a query that are looked at; more are a violation.
const QUERY_PAIRS_MAX: usize = 1_000;
/// Most violations listed for one message.
const VIOLATIONS_MAX: usize = 16;

/// Fields of a message: lower-case name and value, in the order sent.
pub type Fields<'f> = &'f [(&'f str, &'f str)];

/// The parts of a request's head that a contract speaks of.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'p> {
    /// Path as sent, without the query.
    pub path: &'p str,
    /// Values of the path parameters, from the match.
    pub path_values: &'p PathValues,
    /// Query as sent, without the question mark.
    pub query: Option<&'p str>,
    /// Fields.
    pub fields: Fields<'p>,
}

/// How undeclared things are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Strictness {
    /// Query parameters.
    pub query: Undeclared,
    /// Members of bodies, where the schema does not forbid them itself.
    pub members: Undeclared,
}

impl Default for Strictness {
    fn default() -> Self {
        Self { query: Undeclared::List, members: Undeclared::List }
    }
}

/// What judging a head gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeadJudgement {
    /// Departures; at most sixteen.
    pub violations: Vec<Violation>,
    /// Positions in [`Operation::parameters`] of those that were there and fit.
    pub fitting: SmallVec<[u32; 8]>,
}

/// A body to be judged.
#[derive(Clone, Copy, Debug)]
pub struct BodyInput<'b> {
    /// The whole body, content coding removed.
    pub bytes: &'b [u8],
    /// Its JSON, when somebody has parsed it already; otherwise it is parsed here when the contract says that it is JSON.
    pub json: Option<Result<&'b Tape<'b>, Error>>,
    /// Limits for parsing here.
    pub limits: &'b JsonLimits,
}

/// What judging a body gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BodyJudgement {
    /// Departures; at most sixteen.
    pub violations: Vec<Violation>,
    /// Strings on the JSON tape that are harmless by what they were proven to be, ascending; only for JSON that fits.
    pub proven: Vec<u32>,
}

impl Contract {
    /// Judges path, query, fields and cookies of a request.
    pub fn judge_request_head(
        &self,
        id: OperationId,
        parts: &RequestParts<'_>,
        strictness: Strictness,
    ) -> HeadJudgement {
        let mut judgement = HeadJudgement::default();
        let Some(operation) = self.operation(id) else { return judgement };
        self.judge_path(operation, parts, &mut judgement);
        self.judge_query(operation, parts.query.unwrap_or_default(), strictness, &mut judgement);
        for (number, parameter) in (0u32..).zip(&operation.parameters) {
            match parameter.location {
                Location::Header => self.judge_field(parameter, number, parts.fields, &mut judgement),
                Location::Cookie => self.judge_cookie(parameter, number, parts.fields, &mut judgement),
                Location::Path | Location::Query => {}
            }
        }
        judgement.violations.truncate(VIOLATIONS_MAX);
        judgement
    }

    fn judge_path(&self, operation: &Operation, parts: &RequestParts<'_>, judgement: &mut HeadJudgement) {
        for ((start, end), name) in parts.path_values.iter().zip(&operation.names) {
            let declared = (0u32..)
                .zip(&operation.parameters)
                .find(|(_, parameter)| parameter.location == Location::Path && parameter.name == *name);
            let Some((number, parameter)) = declared else { continue };
            let text = parts.path.get(*start as usize..*end as usize).unwrap_or_default();
            self.judge_parameter(parameter, number, &Found::One(text), judgement);
        }
    }

    fn judge_query(&self, operation: &Operation, query: &str, strictness: Strictness, judgement: &mut HeadJudgement) {
        let mut found: SmallVec<[(u32, Cow<'_, str>, &str); 8]> = SmallVec::new();
        for (count, pair) in query.split('&').filter(|pair| !pair.is_empty()).enumerate() {
            if count >= QUERY_PAIRS_MAX {
                let place = MessagePlace::Query("".into());
                judgement.violations.push(plain(ViolationKind::ParameterInvalid, place, "fewer parameters"));
                break;
            }
            let (raw_name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let Some(name) = percent(raw_name, Plus::Space) else {
                let place = MessagePlace::Query(raw_name.into());
                judgement.violations.push(plain(ViolationKind::ParameterInvalid, place, "valid percent-encoding"));
                continue;
            };
            let owner = match operation.query.get(&*name) {
                Some(QueryName::Whole(number) | QueryName::Member(number)) => Some(*number),
                None => deep_owner(operation, &name).or(operation.query_catch_all),
            };
            match owner {
                Some(number) => found.push((number, name, value)),
                None if strictness.query == Undeclared::List => {
                    let place = MessagePlace::Query(name.into());
                    judgement.violations.push(plain(
                        ViolationKind::ParameterUndeclared,
                        place,
                        "only declared parameters",
                    ));
                }
                None => {}
            }
        }
        for (number, parameter) in (0u32..).zip(&operation.parameters) {
            if parameter.location != Location::Query {
                continue;
            }
            let own = found.iter().filter(|(owner, _, _)| *owner == number);
            let values: SmallVec<[&str; 4]> = own.clone().map(|(_, _, value)| *value).collect();
            if values.is_empty() {
                self.missing(parameter, judgement);
                continue;
            }
            if parameter.is_member_wise() {
                let deep = parameter.style == Style::DeepObject;
                let members: Vec<(Cow<'_, str>, &str)> = own
                    .map(|(_, name, value)| {
                        let inner = if deep { strip_owner(name, &parameter.name) } else { name.to_string() };
                        (Cow::Owned(inner), *value)
                    })
                    .collect();
                self.judge_parameter(parameter, number, &Found::Members(&members), judgement);
            } else if parameter.style == Style::Form
                && parameter.explode
                && (parameter.shape == ParameterShape::Array || (parameter.takes_lists && values.len() > 1))
            {
                self.judge_parameter(parameter, number, &Found::Many(&values), judgement);
            } else if let [value] = values.as_slice() {
                if !(value.is_empty() && parameter.allow_empty) {
                    self.judge_parameter(parameter, number, &Found::One(value), judgement);
                }
            } else {
                let mut violation = plain(ViolationKind::ParameterInvalid, parameter.place(), "the parameter once");
                violation.keyword = "repeated";
                judgement.violations.push(violation);
            }
        }
    }

    fn judge_field(&self, parameter: &Parameter, number: u32, fields: Fields<'_>, judgement: &mut HeadJudgement) {
        let mut values = fields.iter().filter(|(name, _)| *name == &*parameter.name).map(|(_, value)| *value);
        let Some(first) = values.next() else { return self.missing(parameter, judgement) };
        // Several lines of a list are one list (RFC 9110 section 5.3).
        let rest: Vec<&str> = values.collect();
        let joined =
            if rest.is_empty() { Cow::Borrowed(first) } else { Cow::Owned(format!("{first},{}", rest.join(","))) };
        self.judge_parameter(parameter, number, &Found::One(&joined), judgement);
    }

    fn judge_cookie(&self, parameter: &Parameter, number: u32, fields: Fields<'_>, judgement: &mut HeadJudgement) {
        let lines = fields.iter().filter(|(name, _)| *name == "cookie").map(|(_, value)| *value);
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        match pairs.find(|(name, _)| *name == &*parameter.name) {
            Some((_, value)) => {
                let value = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(value);
                self.judge_parameter(parameter, number, &Found::One(value), judgement);
            }
            None => self.missing(parameter, judgement),
        }
    }

    fn missing(&self, parameter: &Parameter, judgement: &mut HeadJudgement) {
        if parameter.required {
            let mut violation = plain(ViolationKind::ParameterMissing, parameter.place(), "the parameter");
            violation.keyword = "required";
            judgement.violations.push(violation);
        }
    }

    fn judge_parameter(&self, parameter: &Parameter, number: u32, found: &Found<'_>, judgement: &mut HeadJudgement) {
        match parameter.judge(&self.rules, found, Direction::Request) {
            Judged::Unreadable(expected) => {
                judgement.violations.push(plain(ViolationKind::ParameterInvalid, parameter.place(), expected));
            }
            Judged::Checked(checked, _) if checked.failures.is_empty() => judgement.fitting.push(number),
            Judged::Checked(checked, tape) => {
                for failure in &checked.failures {
                    let pointer = tape.as_ref().map(|tape| tape.pointer(failure.index)).unwrap_or_default();
                    judgement.violations.push(described(
                        ViolationKind::ParameterInvalid,
                        parameter.place(),
                        pointer,
                        failure,
                    ));
                }
            }
        }
    }

    /// Judges the body of a request, or its absence (`None`).
    pub fn judge_request_body(
        &self,
        id: OperationId,
        content_type: Option<&str>,
        body: Option<&BodyInput<'_>>,
        strictness: Strictness,
    ) -> BodyJudgement {
        let Some(operation) = self.operation(id) else { return BodyJudgement::default() };
        let body = body.filter(|body| !body.bytes.is_empty());
        match (&operation.body, body) {
            (None, None) => BodyJudgement::default(),
            (None, Some(_)) => one(ViolationKind::BodyUndeclared, "no body"),
            (Some(rules), None) if rules.required => one(ViolationKind::BodyMissing, "a body"),
            (Some(_), None) => BodyJudgement::default(),
            (Some(rules), Some(body)) => self.judge_body(rules, content_type, body, Direction::Request, strictness),
        }
    }

    /// Judges the content type of a body that is not looked into: whether a body of this type may be there at all.
    pub fn judge_request_media(&self, id: OperationId, content_type: &str) -> BodyJudgement {
        let Some(operation) = self.operation(id) else { return BodyJudgement::default() };
        match &operation.body {
            None => one(ViolationKind::BodyUndeclared, "no body"),
            Some(rules) => match choose(rules, MediaType::parse(content_type).as_ref()) {
                Some(_) => BodyJudgement::default(),
                None => undeclared_media(rules),
            },
        }
    }

    /// Judges status and fields of a response.
    pub fn judge_response_head(&self, id: OperationId, status: u16, fields: Fields<'_>) -> HeadJudgement {
        let mut judgement = HeadJudgement::default();
        let Some(operation) = self.operation(id) else { return judgement };
        if operation.responses.is_empty() {
            return judgement;
        }
        let Some(response) = operation.response(status) else {
            let keys: Vec<String> = operation.responses.iter().map(|(key, _)| key.to_string()).collect();
            let expected = format!("one of {}", keys.join(", "));
            judgement.violations.push(plain(ViolationKind::StatusUndeclared, MessagePlace::Status, &expected));
            return judgement;
        };
        for (number, parameter) in (0u32..).zip(&response.headers) {
            self.judge_field(parameter, number, fields, &mut judgement);
        }
        for violation in &mut judgement.violations {
            violation.kind = ViolationKind::ResponseHeaderInvalid;
        }
        judgement.violations.truncate(VIOLATIONS_MAX);
        judgement
    }

    /// Judges the body of a response, or its absence. Members that are not declared are excess data.
    pub fn judge_response_body(
        &self,
        id: OperationId,
        status: u16,
        content_type: Option<&str>,
        body: Option<&BodyInput<'_>>,
        strictness: Strictness,
    ) -> BodyJudgement {
        let response = self.operation(id).and_then(|operation| operation.response(status));
        let (Some(response), Some(body)) = (response, body.filter(|body| !body.bytes.is_empty())) else {
            return BodyJudgement::default();
        };
        if response.body.media.is_empty() {
            return one(ViolationKind::BodyUndeclared, "no body");
        }
        self.judge_body(&response.body, content_type, body, Direction::Response, strictness)
    }

    fn judge_body(
        &self,
        rules: &BodyRules,
        content_type: Option<&str>,
        body: &BodyInput<'_>,
        direction: Direction,
        strictness: Strictness,
    ) -> BodyJudgement {
        let sent = content_type.and_then(MediaType::parse);
        let Some(media) = choose(rules, sent.as_ref()) else {
            return undeclared_media(rules);
        };
        // A range such as `*/*` says nothing about how the body is read; what was sent does.
        let kind = match (&sent, media.range.contains('*')) {
            (Some(sent), true) => BodyKind::of(&sent.essence),
            _ => media.kind,
        };
        let options = CheckOptions { direction, undeclared: strictness.members };
        match kind {
            BodyKind::Json => self.judge_json(media, body, options),
            BodyKind::Form => self.judge_form(media, form(&self.rules, media, body.bytes), options),
            BodyKind::Multipart => match &sent {
                Some(sent) => self.judge_form(media, multipart(&self.rules, media, sent, body.bytes), options),
                None => one(ViolationKind::BodyMalformed, "a boundary"),
            },
            BodyKind::Text => match std::str::from_utf8(body.bytes) {
                Ok(text) => self.judge_text(media, text, options),
                Err(_) => one(ViolationKind::BodyMalformed, "UTF-8 text"),
            },
            BodyKind::Xml => self.judge_xml(media, body.bytes, options),
            BodyKind::Opaque => BodyJudgement::default(),
        }
    }

    fn judge_json(&self, media: &MediaRules, body: &BodyInput<'_>, options: CheckOptions) -> BodyJudgement {
        let own;
        let tape: &Tape<'_> = match body.json {
            Some(Ok(tape)) => tape,
            Some(Err(error)) => return malformed(error),
            None => match Tape::parse(body.bytes, body.limits) {
                Ok(tape) => {
                    own = tape;
                    &own
                }
                Err(error) => return malformed(error),
            },
        };
        let Some(rule) = media.rule else { return BodyJudgement::default() };
        let checked = self.rules.check_and_prove(rule, tape.root(), options);
        self.body_judgement(tape, checked)
    }

    fn judge_form(
        &self,
        media: &MediaRules,
        tape: Result<Tape<'static>, FormError>,
        options: CheckOptions,
    ) -> BodyJudgement {
        match tape {
            Ok(tape) => match media.rule {
                Some(rule) => {
                    let mut judgement = self.body_judgement(&tape, self.rules.check(rule, tape.root(), options));
                    judgement.proven.clear();
                    judgement
                }
                None => BodyJudgement::default(),
            },
            Err(FormError::Malformed(expected)) => one(ViolationKind::BodyMalformed, expected),
            Err(FormError::PartType(name, expected)) => {
                let mut pointer = String::new();
                crate::json::push_token(&mut pointer, &name);
                let place = MessagePlace::Body(pointer.into());
                let mut violation = plain(ViolationKind::BodyInvalid, place, &expected);
                violation.keyword = "contentType";
                BodyJudgement { violations: vec![violation], proven: Vec::new() }
            }
        }
    }

    fn judge_text(&self, media: &MediaRules, text: &str, options: CheckOptions) -> BodyJudgement {
        let Some(rule) = media.rule else { return BodyJudgement::default() };
        let tape = Tape::of_string(text);
        let mut judgement = self.body_judgement(&tape, self.rules.check(rule, tape.root(), options));
        judgement.proven.clear();
        judgement
    }

    fn judge_xml(&self, media: &MediaRules, bytes: &[u8], options: CheckOptions) -> BodyJudgement {
        use crate::xml::{XmlErrorKind, XmlLimits};
        let document = match crate::xml::parse(bytes, &XmlLimits::default()) {
            Ok(document) => document,
            Err(error) => {
                let kind = match error.kind {
                    XmlErrorKind::Malformed => ViolationKind::BodyMalformed,
                    _ => ViolationKind::XmlForbidden,
                };
                return one(kind, error.kind.expected());
            }
        };
        let Some(rule) = media.rule else { return BodyJudgement::default() };
        let tape = self.rules.xml_tape(rule, &document);
        let mut judgement = self.body_judgement(&tape, self.rules.check(rule, tape.root(), options));
        judgement.proven.clear();
        judgement
    }

    fn body_judgement(&self, tape: &Tape<'_>, checked: Checked) -> BodyJudgement {
        let mut violations: Vec<Violation> = Vec::new();
        for failure in &checked.failures {
            let place = MessagePlace::Body(tape.pointer(failure.index).into());
            violations.push(described(ViolationKind::BodyInvalid, place, String::new(), failure));
        }
        for index in checked.undeclared.iter().take(VIOLATIONS_MAX) {
            let place = MessagePlace::Body(tape.pointer(*index).into());
            violations.push(plain(ViolationKind::FieldUndeclared, place, "only declared members"));
        }
        BodyJudgement { violations, proven: checked.proven }
    }
}

impl Operation {
    pub(crate) fn response(&self, status: u16) -> Option<&ResponseRules> {
        let digit = u8::try_from(status / 100).unwrap_or(0);
        let of = |wanted: StatusKey| self.responses.iter().find(|(key, _)| *key == wanted).map(|(_, rules)| rules);
        of(StatusKey::Exact(status)).or_else(|| of(StatusKey::Range(digit))).or_else(|| of(StatusKey::Default))
    }
}

impl Parameter {
    fn is_member_wise(&self) -> bool {
        self.style == Style::DeepObject
            || (self.shape == ParameterShape::Object && self.style == Style::Form && self.explode)
    }

    fn place(&self) -> MessagePlace {
        let name = self.name.clone();
        match self.location {
            Location::Path => MessagePlace::Path(name),
            Location::Query => MessagePlace::Query(name),
            Location::Header => MessagePlace::Header(name),
            Location::Cookie => MessagePlace::Cookie(name),
        }
    }
}

/// The deepObject parameter that `name[...]` belongs to.
fn deep_owner(operation: &Operation, name: &str) -> Option<u32> {
    let (head, _) = name.split_once('[')?;
    let owner = (0u32..).zip(&operation.parameters).find(|(_, parameter)| {
        parameter.location == Location::Query && parameter.style == Style::DeepObject && *parameter.name == *head
    });
    owner.map(|(number, _)| number)
}

/// `filter[a][b]` without its owner: `a[b]`. What is no such name stays as it is and fits no member.
fn strip_owner(name: &str, owner: &str) -> String {
    match name.strip_prefix(owner).and_then(|rest| rest.strip_prefix('[')).and_then(|rest| rest.split_once(']')) {
        Some((first, rest)) => format!("{first}{rest}"),
        None => name.to_owned(),
    }
}

/// The most specific declared media type that fits what was sent. Without a content type, the only one declared.
fn choose<'r>(rules: &'r BodyRules, sent: Option<&MediaType>) -> Option<&'r MediaRules> {
    match sent {
        Some(sent) => rules
            .media
            .iter()
            .filter_map(|media| Some((specificity(&media.range, &sent.essence)?, media)))
            .max_by_key(|(specific, _)| *specific)
            .map(|(_, media)| media),
        None => rules.media.iter().find(|media| media.range.starts_with('*')),
    }
}

fn plain(kind: ViolationKind, place: MessagePlace, expected: &str) -> Violation {
    Violation { kind, place, pointer: "".into(), keyword: "", expected: expected.into(), closest: None }
}

fn one(kind: ViolationKind, expected: &str) -> BodyJudgement {
    let violation = plain(kind, MessagePlace::Body("".into()), expected);
    BodyJudgement { violations: vec![violation], proven: Vec::new() }
}

fn undeclared_media(rules: &BodyRules) -> BodyJudgement {
    let ranges: Vec<&str> = rules.media.iter().map(|media| &*media.range).collect();
    let mut judgement = one(ViolationKind::ContentTypeUndeclared, &format!("one of {}", ranges.join(", ")));
    for violation in &mut judgement.violations {
        violation.place = MessagePlace::Header("content-type".into());
    }
    judgement
}

fn malformed(error: Error) -> BodyJudgement {
    let kind = if error.kind.is_limit() { ViolationKind::BodyLimit } else { ViolationKind::BodyMalformed };
    one(kind, &format!("JSON; {error}"))
}

fn described(kind: ViolationKind, place: MessagePlace, pointer: String, failure: &Failure) -> Violation {
    let closest = failure.closest.as_ref().map(|closest| {
        let name = closest.name.as_deref().map(|name| format!(" `{name}`")).unwrap_or_default();
        let inner = &closest.failure;
        format!("alternative {}{name}: {}: {}", closest.branch, inner.keyword, inner.expected).into()
    });
    Violation {
        kind,
        place,
        pointer: pointer.into(),
        keyword: failure.keyword,
        expected: failure.expected.clone(),
        closest,
    }
}

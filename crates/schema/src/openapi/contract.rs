//! The compiled form of an OpenAPI document.

use std::collections::HashMap;
use std::fmt;

use super::media::BodyKind;
use super::path::{PathTrie, PathValues};
use crate::rules::{RuleId, Rules};

/// An operation of one contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId(pub u32);

/// What the document says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContractInfo {
    /// Title.
    pub title: Box<str>,
    /// Version of the API.
    pub version: Box<str>,
    /// Version of OpenAPI, such as `3.0.3` or `2.0`.
    pub openapi: Box<str>,
    /// Hosts of the servers, lower case, without port; empty when the servers have none.
    pub hosts: Vec<Box<str>>,
    /// Base paths of the servers, without trailing slash.
    pub base_paths: Vec<Box<str>>,
}

/// Whether a request must name one of the contract's hosts to match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum HostCheck {
    /// Any host does; routing has decided already.
    #[default]
    Ignore,
    /// Only the hosts of the document's servers match.
    Enforce,
}

/// An OpenAPI document, compiled.
pub struct Contract {
    pub(crate) info: ContractInfo,
    pub(crate) hosts: HostCheck,
    pub(crate) rules: Rules,
    pub(crate) trie: PathTrie,
    pub(crate) items: Vec<PathItem>,
    pub(crate) operations: Vec<Operation>,
    /// `x-portreeve-*` of the document itself, as JSON text.
    pub(crate) extensions: Vec<(Box<str>, Box<str>)>,
}

#[derive(Debug, Default)]
pub(crate) struct PathItem {
    /// The operations by method in upper case, with how many parameters of the path belong to the base path.
    pub(crate) methods: Vec<(Box<str>, OperationId, usize)>,
}

/// Where a parameter is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Location {
    /// In the path.
    Path,
    /// In the query.
    Query,
    /// A field.
    Header,
    /// A cookie.
    Cookie,
}

/// How a parameter is written (OpenAPI 3.1 section 4.8.12.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Style {
    Form,
    Simple,
    Label,
    Matrix,
    SpaceDelimited,
    PipeDelimited,
    /// Swagger 2.0's `tsv`.
    TabDelimited,
    DeepObject,
    /// `content`: JSON text.
    Json,
    /// `content` of another type: text as it is.
    Plain,
}

/// One operation.
#[derive(Debug)]
pub struct Operation {
    /// `operationId`.
    pub id: Option<Box<str>>,
    /// Method in upper case.
    pub method: Box<str>,
    /// Path template as in the document, without base path.
    pub template: Box<str>,
    /// Tags.
    pub tags: Vec<Box<str>>,
    /// Marked as deprecated.
    pub deprecated: bool,
    /// Parameters of all locations.
    pub parameters: Vec<Parameter>,
    /// Alternatives of security requirements; an empty alternative means none is needed, an empty list that nothing is
    /// said.
    pub security: Vec<Vec<SecurityNeed>>,
    /// `x-portreeve-*` of the operation and its path, as JSON text.
    pub extensions: Vec<(Box<str>, Box<str>)>,
    /// Names of the path parameters in the order of the template.
    pub(crate) names: Vec<Box<str>>,
    pub(crate) query: HashMap<Box<str>, QueryName>,
    /// Query parameters that are free-form objects take names that nobody else has.
    pub(crate) query_catch_all: Option<u32>,
    pub(crate) body: Option<BodyRules>,
    pub(crate) responses: Vec<(StatusKey, ResponseRules)>,
}

/// What a name in the query belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QueryName {
    /// The parameter of this position.
    Whole(u32),
    /// A member of the exploded object parameter of this position.
    Member(u32),
}

/// A security requirement: the name of a scheme and its scopes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecurityNeed {
    /// Name under `securitySchemes`.
    pub scheme: Box<str>,
    /// Scopes.
    pub scopes: Vec<Box<str>>,
}

/// A declared parameter, or a declared field of a response.
#[derive(Debug)]
pub struct Parameter {
    /// Name; of a field in lower case.
    pub name: Box<str>,
    /// Location.
    pub location: Location,
    /// Must be there.
    pub required: bool,
    /// Marked as deprecated.
    pub deprecated: bool,
    pub(crate) style: Style,
    pub(crate) explode: bool,
    pub(crate) allow_empty: bool,
    pub(crate) rule: Option<RuleId>,
    pub(crate) shape: ParameterShape,
    /// The schema allows an array, perhaps beside other things.
    pub(crate) takes_lists: bool,
}

/// What a parameter's text is taken apart into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ParameterShape {
    Scalar,
    Array,
    Object,
}

/// What a place of a message is proven to be once it was judged without violation, so that attack detection can skip it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProvenType {
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// One of a list of texts.
    Enumeration,
    /// A text whose format or pattern leaves only harmless characters (identifier, date, address, letters and digits).
    Harmless,
}

/// The key of a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StatusKey {
    /// One status.
    Exact(u16),
    /// `2XX` and the like, by the first digit.
    Range(u8),
    /// `default`.
    Default,
}

impl StatusKey {
    /// Reads a key of the responses object.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "default" {
            return Some(Self::Default);
        }
        let bytes = text.as_bytes();
        match bytes {
            [digit @ b'1'..=b'5', b'X' | b'x', b'X' | b'x'] => Some(Self::Range(digit - b'0')),
            [b'1'..=b'5', b'0'..=b'9', b'0'..=b'9'] => text.parse().ok().map(Self::Exact),
            _ => None,
        }
    }
}

impl fmt::Display for StatusKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(status) => write!(f, "{status}"),
            Self::Range(digit) => write!(f, "{digit}XX"),
            Self::Default => f.write_str("default"),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct BodyRules {
    pub(crate) required: bool,
    pub(crate) media: Vec<MediaRules>,
}

#[derive(Debug)]
pub(crate) struct MediaRules {
    /// The range as declared, lower case, without parameters.
    pub(crate) range: Box<str>,
    pub(crate) kind: BodyKind,
    pub(crate) rule: Option<RuleId>,
    /// How members of a form are encoded, by name.
    pub(crate) encoding: Vec<(Box<str>, Encoding)>,
}

#[derive(Debug)]
pub(crate) struct Encoding {
    /// Media ranges a part may have; empty when nothing is said.
    pub(crate) content_types: Vec<Box<str>>,
    pub(crate) style: Style,
    pub(crate) explode: bool,
}

#[derive(Debug, Default)]
pub(crate) struct ResponseRules {
    pub(crate) headers: Vec<Parameter>,
    pub(crate) body: BodyRules,
}

/// What a request matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// An operation, with the raw values of its path parameters.
    Operation(OperationId, PathValues),
    /// The path is declared, the method is not; the methods that are.
    UnknownMethod(Vec<Box<str>>),
    /// Nothing of the contract has this path.
    UnknownEndpoint,
}

impl Contract {
    /// What the document says about itself.
    pub fn info(&self) -> &ContractInfo {
        &self.info
    }

    /// All operations, in the order of the document; their position is their [`OperationId`].
    pub fn operations(&self) -> &[Operation] {
        &self.operations
    }

    /// One operation.
    pub fn operation(&self, id: OperationId) -> Option<&Operation> {
        self.operations.get(id.0 as usize)
    }

    /// The compiled schemas.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// `x-portreeve-*` of the document, as JSON text.
    pub fn extensions(&self) -> &[(Box<str>, Box<str>)] {
        &self.extensions
    }

    /// Finds the operation of a request. `path` is as sent, without the query; `host` without port.
    ///
    /// `HEAD` falls back to `GET` (RFC 9110 section 9.3.2).
    pub fn match_operation(&self, method: &str, host: &str, path: &str) -> Match {
        if self.hosts == HostCheck::Enforce
            && !self.info.hosts.is_empty()
            && !self.info.hosts.iter().any(|known| host_fits(known, host))
        {
            return Match::UnknownEndpoint;
        }
        let mut matched = None;
        let mut allowed: Vec<Box<str>> = Vec::new();
        let mut is_known = false;
        self.trie.find(path, |item, values| {
            let Some(item) = self.items.get(item as usize) else { return false };
            is_known = true;
            let of = |method: &str| item.methods.iter().find(|(known, _, _)| **known == *method);
            match of(method).or_else(|| if method == "HEAD" { of("GET") } else { None }) {
                Some((_, id, skipped)) => {
                    matched = Some(Match::Operation(*id, values.iter().skip(*skipped).copied().collect()));
                    true
                }
                None => {
                    for (known, _, _) in &item.methods {
                        if !allowed.contains(known) {
                            allowed.push(known.clone());
                        }
                    }
                    false
                }
            }
        });
        match matched {
            Some(matched) => matched,
            None if is_known => Match::UnknownMethod(allowed),
            None => Match::UnknownEndpoint,
        }
    }
}

/// Whether a host is that of a server; `*` stands for what a server variable may be.
fn host_fits(known: &str, host: &str) -> bool {
    match known.split_once('*') {
        None => known.eq_ignore_ascii_case(host),
        Some((head, tail)) => {
            let host = host.to_ascii_lowercase();
            host.len() > head.len() + tail.len()
                && host.starts_with(head)
                && host.ends_with(tail.rsplit('*').next().unwrap_or_default())
        }
    }
}

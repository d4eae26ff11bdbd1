//! GraphQL over HTTP: what a request carries, by GET, JSON or as bare text.

use std::fmt;

use crate::json::{Kind, Value, to_text};

/// One operation as sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphqlRequest {
    /// The document; `None` for a persisted query.
    pub query: Option<Box<str>>,
    /// Which operation of the document runs.
    pub operation_name: Option<Box<str>>,
    /// Variables as JSON text of an object.
    pub variables: Option<Box<str>>,
    /// SHA-256 of a persisted query, lower-case hexadecimal, or an identifier of one.
    pub persisted: Option<Box<str>>,
}

/// Why a request is no GraphQL request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestError {
    /// The body is neither an object nor a list of objects.
    Shape,
    /// A member has the wrong type.
    Member,
    /// More operations than a batch may have.
    Batch,
    /// Neither a document nor a persisted query.
    Empty,
    /// A multipart upload without `operations` and `map`, or one whose files go where none belong.
    Multipart,
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Shape => "expected an object with `query`, or a list of them",
            Self::Member => "a member has the wrong type",
            Self::Batch => "too many operations in one request",
            Self::Empty => "expected `query` or a persisted query",
            Self::Multipart => "expected parts `operations`, `map` and the files it names",
        })
    }
}

impl std::error::Error for RequestError {}

impl GraphqlRequest {
    /// A bare document (`application/graphql`).
    pub fn of_document(text: &str) -> Self {
        Self { query: Some(text.into()), ..Self::default() }
    }

    fn from_object(object: Value<'_>) -> Result<Self, RequestError> {
        let text = |name: &str| match object.get(name) {
            None => Ok(None),
            Some(value) if value.is_null() => Ok(None),
            Some(value) => value.as_str().map(|text| Some(Box::from(text))).ok_or(RequestError::Member),
        };
        let variables = match object.get("variables") {
            None => None,
            Some(value) if value.is_null() => None,
            Some(value) if value.kind() == Kind::Object => Some(to_text(value).into()),
            Some(_) => return Err(RequestError::Member),
        };
        let hash = object.find("/extensions/persistedQuery/sha256Hash").and_then(Value::as_str);
        let persisted = match hash {
            Some(hash) => Some(hash.to_ascii_lowercase().into()),
            None => text("documentId")?.or(text("id").unwrap_or_default()),
        };
        let request = Self { query: text("query")?, operation_name: text("operationName")?, variables, persisted };
        if request.query.is_none() && request.persisted.is_none() {
            return Err(RequestError::Empty);
        }
        Ok(request)
    }
}

/// The operations of a JSON body: one, or a batch. For multipart uploads, the field `operations` is such a body.
pub fn requests_from_json(body: Value<'_>, batch_max: usize) -> Result<Vec<GraphqlRequest>, RequestError> {
    match body.kind() {
        Kind::Object => Ok(vec![GraphqlRequest::from_object(body)?]),
        Kind::Array if body.count() > batch_max => Err(RequestError::Batch),
        Kind::Array if body.count() == 0 => Err(RequestError::Empty),
        Kind::Array => {
            body.items()
                .into_iter()
                .flatten()
                .map(|item| {
                    if item.kind() == Kind::Object {
                        GraphqlRequest::from_object(item)
                    } else {
                        Err(RequestError::Shape)
                    }
                })
                .collect()
        }
        _ => Err(RequestError::Shape),
    }
}

/// The operation of a query string, its parameters decoded: pairs of name and value.
pub fn requests_from_get(pairs: &[(&str, &str)]) -> Result<Vec<GraphqlRequest>, RequestError> {
    let find = |wanted: &str| pairs.iter().find(|(name, _)| *name == wanted).map(|(_, value)| Box::<str>::from(*value));
    let extensions = find("extensions");
    let persisted = extensions.and_then(|text| {
        let tape = crate::json::Tape::parse(text.as_bytes(), &crate::json::JsonLimits::default()).ok()?;
        let hash = tape.find("/persistedQuery/sha256Hash").and_then(Value::as_str)?;
        Some(hash.to_ascii_lowercase().into())
    });
    let request = GraphqlRequest {
        query: find("query"),
        operation_name: find("operationName").filter(|name| !name.is_empty()),
        variables: find("variables").filter(|text| !text.is_empty() && &**text != "null"),
        persisted: persisted.or_else(|| find("documentId")),
    };
    if request.query.is_none() && request.persisted.is_none() { Err(RequestError::Empty) } else { Ok(vec![request]) }
}

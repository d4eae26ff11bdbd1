//! Errors of the admin API, as `application/problem+json` (RFC 9457).

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;
use store::StoreError;

use crate::steering::Diagnostic;

/// Why a request was not answered as asked.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Problem {
    /// A stable name of the kind of problem.
    pub r#type: String,
    /// What it is, in a few words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What is wrong with this request and what to do.
    pub detail: String,
    /// Mistakes in a configuration, with their places.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

impl Problem {
    /// A problem of this status.
    pub fn new(status: StatusCode, kind: &str, detail: impl Into<String>) -> Self {
        Self {
            r#type: format!("urn:portreeve:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("problem").to_lowercase(),
            status: status.as_u16(),
            detail: detail.into(),
            diagnostics: Vec::new(),
        }
    }

    /// 400: the request says something that cannot be meant.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", detail)
    }

    /// 404: there is no such thing.
    pub fn not_found(what: &str, name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", format!("there is no {what} `{name}`"))
    }

    /// 409: it does not fit what is there.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    /// 422: a configuration with mistakes.
    pub fn diagnosed(diagnostics: Vec<Diagnostic>) -> Self {
        let detail =
            diagnostics.first().map_or("the configuration has mistakes", |first| first.message.as_str()).to_owned();
        Self { diagnostics, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "configuration", detail) }
    }

    /// 500: our side failed; the log says how.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "the admin API failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something failed inside; the log of the gateway says what",
        )
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { what, ref name } => Self::not_found(what, name),
            StoreError::TimeLimit { .. } | StoreError::MemoryLimit { .. } => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "too-heavy",
                format!("{error}; narrow the range or the filter"),
            ),
            error => Self::internal(&error),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, axum::Json(&self)).into_response();
        let media_type = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
        if status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

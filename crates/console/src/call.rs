//! What every handler is given and gives: checked arguments in, JSON or a problem out.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde_json::Value;
use store::inventory::AuditEntry;
use store::query::plan::EndpointNames;
use store::{Inventory, StoreError};

use crate::problem::Problem;
use crate::{Console, Shared};

/// The answer of a handler.
pub(crate) type Reply<T> = Result<axum::Json<T>, Problem>;

/// Arguments of the query.
pub(crate) struct Args<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Shared> for Args<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(args)| Self(args))
            .map_err(|error| Problem::invalid(error.body_text()))
    }
}

/// A body of JSON.
pub(crate) struct Given<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Shared> for Given<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, console: &Shared) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, console).await.map_err(|error| Problem::invalid(error.body_text()))?;
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| Problem::invalid(format!("the body does not fit: {error}")))
    }
}

/// Who asks, as the audit log names them.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) name: Arc<str>,
    pub(crate) role: crate::Role,
    /// True when there is no token yet and the client is on this machine.
    pub(crate) open: bool,
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        // INVARIANT: `auth::guard` has put it there, or the request would not have come so far.
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Problem::internal(&"a request without caller"))
    }
}

/// Runs work that blocks where it may.
pub(crate) async fn blocking<T: Send + 'static>(
    console: &Shared,
    work: impl FnOnce(&Console) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let console = Arc::clone(console);
    let work = tokio::task::spawn_blocking(move || work(&console));
    work.await.map_err(|error| Problem::internal(&error))?
}

/// A change with its line in the audit log, one after the other.
pub(crate) async fn changing<T: Send + 'static>(
    console: &Shared,
    work: impl FnOnce(&Console, &mut Inventory) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    blocking(console, move |console| {
        let _turn = console.changes.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut inventory = console.inventory_to_change()?;
        work(console, &mut inventory)
    })
    .await
}

/// What was changed, for the audit log.
pub(crate) struct Changed<'a> {
    pub(crate) action: &'a str,
    pub(crate) subject: String,
    pub(crate) before: Value,
    pub(crate) after: Value,
}

impl Console {
    /// Writes a line into the audit log.
    pub(crate) fn note(
        &self,
        inventory: &mut Inventory,
        caller: &Caller,
        changed: Changed<'_>,
    ) -> Result<(), StoreError> {
        let Changed { action, subject, before, after } = changed;
        let entry = AuditEntry {
            sequence: 0,
            at: self.now(),
            who: caller.name.to_string(),
            action: action.to_owned(),
            subject,
            before,
            after,
        };
        inventory.audit(&entry).map(|_| ())
    }

    /// What the endpoints are called.
    pub(crate) fn endpoint_names(&self) -> Result<EndpointNames, StoreError> {
        self.inventory()?.map_or_else(|| Ok(EndpointNames::default()), |inventory| inventory.endpoint_names())
    }
}

/// What the endpoints are called, from where blocking is not allowed.
pub(crate) async fn names(console: &Shared) -> Result<Arc<EndpointNames>, Problem> {
    blocking(console, |console| Ok(Arc::new(console.endpoint_names()?))).await
}

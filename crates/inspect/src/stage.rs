//! The contract every stage fulfils.

use model::finding::Findings;
use model::reason::StageId;

use crate::policy::Policy;
use crate::view::{BodyView, BodyWish, RequestView, ResponseView};

/// One protection. A stage is a unit struct: what was configured is in [`Policy`], nothing waits, and it only reports
/// findings; [`decide`](crate::decide::decide) decides.
pub trait Stage: Sync {
    /// Which stage this is.
    fn id(&self) -> StageId;

    /// Judges the head of a request.
    fn judge_request(&self, _policy: &Policy, _request: &RequestView<'_>, _out: &mut Findings) {}

    /// Whether the request's body must be held for [`judge_request_body`](Self::judge_request_body).
    fn request_body_wish(&self, _policy: &Policy, _request: &RequestView<'_>) -> BodyWish {
        BodyWish::Stream
    }

    /// Judges the held body of a request.
    fn judge_request_body(
        &self,
        _policy: &Policy,
        _request: &RequestView<'_>,
        _body: &BodyView<'_>,
        _out: &mut Findings,
    ) {
    }

    /// Judges the head of a response.
    fn judge_response(
        &self,
        _policy: &Policy,
        _request: &RequestView<'_>,
        _response: &ResponseView<'_>,
        _out: &mut Findings,
    ) {
    }

    /// Whether the response's body must be held for [`judge_response_body`](Self::judge_response_body).
    fn response_body_wish(
        &self,
        _policy: &Policy,
        _request: &RequestView<'_>,
        _response: &ResponseView<'_>,
    ) -> BodyWish {
        BodyWish::Stream
    }

    /// Judges the held body of a response.
    fn judge_response_body(
        &self,
        _policy: &Policy,
        _request: &RequestView<'_>,
        _response: &ResponseView<'_>,
        _body: &BodyView<'_>,
        _out: &mut Findings,
    ) {
    }
}

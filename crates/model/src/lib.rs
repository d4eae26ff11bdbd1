//! The words everything in Portreeve shares: plain data, no I/O, no async, no clock.
//!
//! Every other crate may depend on this one; it depends on none of ours. A type lives here only when at least two
//! crates need it; what a single crate needs stays there.

pub mod endpoint;
pub mod event;
pub mod finding;
pub mod head;
pub mod ids;
pub mod limits;
pub mod mode;
pub mod observation;
pub mod reason;
pub mod verdict;

pub use endpoint::{Endpoint, EndpointState, Origin, OriginSet, Protocol};
pub use event::{Event, ExchangeEnd, Span, StatusSource};
pub use finding::{Confidence, Finding, Findings, Place};
pub use head::{Field, HttpVersion, Known, RequestHead, ResponseHead};
pub use ids::{ApiName, EndpointId, RequestId, SessionHash, Timestamp};
pub use limits::Limits;
pub use mode::{Mode, OnFailure};
pub use observation::{BodySample, Observation};
pub use reason::{Category, Reason, Severity, StageId};
pub use verdict::{Action, Verdict};

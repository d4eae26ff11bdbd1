//! OpenAPI: a document compiled into a [`Contract`] that judges requests and responses.
//!
//! OpenAPI 3.1 and 3.0 are read directly, Swagger 2.0 by its own names for the same things. References are followed
//! within the document and to other local documents, never to the network. What is not enforced is named in a diagnostic.
//!
//! Left out on purpose: authentication (security requirements are kept for the stage that judges identities), webhooks and
//! callbacks (they are requests of the API, not to it), and links.

mod body;
mod compile;
mod contract;
mod decode;
mod judge;
mod load;
mod media;
mod multipart;
mod parameter;
mod path;
mod violation;

pub(crate) use contract::BodyRules;
pub use contract::{
    Contract, ContractInfo, HostCheck, Location, Match, Operation, OperationId, Parameter, ProvenType, SecurityNeed,
    StatusKey,
};
pub(crate) use decode::write_text;
pub use judge::{BodyInput, BodyJudgement, Fields, HeadJudgement, RequestParts, Strictness};
pub use load::{LoadOptions, Loaded, load_bytes, load_file};
#[cfg(feature = "graphql")]
pub(crate) use media::boundary;
#[cfg(feature = "graphql")]
pub(crate) use multipart::parts;
pub use path::PathValues;
pub use violation::{MessagePlace, Violation, ViolationKind};

#[cfg(test)]
mod tests;

//! Learns from traffic, off the data path: which endpoints exist, how their paths vary, what is noise.
//!
//! Reached from outside through [`Learner`]: observations go in one at a time, endpoints with their evidence come out.
//! No network, no disk, no clock; every table has a limit, and the same observations give the same endpoints.

pub mod constraints;
pub mod context;
pub mod contract;
pub mod drift;
pub mod endpoint;
pub mod features;
pub mod inventory;
pub mod judge;
pub mod keys;
pub mod labels;
pub mod learner;
pub mod lexical;
pub mod matcher;
pub mod models;
pub mod noise;
pub mod parameter;
pub mod path;
pub mod protocol;
pub mod request;
pub mod schemas;
pub mod siblings;
pub mod snapshot;
pub mod trie;

pub use constraints::Constraints;
pub use drift::{Declared, Drift, drift};
pub use endpoint::{LearnedEndpoint, LearnedParameter};
pub use inventory::{Change, Inventory, Known};
pub use learner::{Learner, LearnerLimits, Placed};
pub use models::Models;
pub use parameter::ParameterType;
pub use schemas::EndpointSchema;

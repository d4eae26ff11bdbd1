//! Judges traffic: parsers, views, stages and the verdict.
//!
//! No I/O, no clock, no async: judging takes everything it needs as arguments and returns a value, so that a recorded
//! exchange can be judged again offline with the same result.

pub mod coding;
pub mod decide;
pub mod http1;
pub mod http2;
pub mod known;
pub mod offline;
pub mod operation;
pub mod pipeline;
pub mod policy;
pub mod stage;
pub mod stages;
pub mod values;
pub mod view;
pub mod websocket;

pub use decide::decide;
pub use policy::{Exception, Policy, StageModes};
pub use view::{BodyView, BodyWish, ConnectionFacts, RequestView, ResponseView};

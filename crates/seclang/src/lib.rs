//! Rules in SecLang, the language of ModSecurity, Coraza and the OWASP Core Rule Set.
//!
//! [`load()`](load::load) reads directives, refuses what it does not know, and compiles the rest: rules that no exchange can change are
//! carried out at once (`run::fold`), all others stand behind one gate of literals ([`run::gate`]), so that a pattern runs
//! only over values that hold what it needs. [`Rules`] then judge requests and responses: pure, synchronous, bounded in
//! work, never panicking; the same exchange gets the same [`Report`].
//!
//! Left out on purpose: collections that outlive an exchange, look-ups in networks and databases, scripts, and changing
//! messages. What of it the Core Rule Set names is accepted with a note, the rest is an error.

pub mod error;
pub mod expand;
pub mod lex;
pub mod load;
pub mod message;
pub mod operator;
pub mod pattern;
pub mod rule;
pub mod run;
pub mod transform;
pub mod variable;

#[cfg(feature = "directory")]
pub use load::directory::load_path;
pub use load::{Exclusion, GateUse, Loaded, Settings};
pub use message::{Body, Request, Response};
pub use run::{Match, Report, Rules};

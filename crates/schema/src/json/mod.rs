//! JSON text, parsed once into a flat tape that schema validation, attack detection, learning and leak detection share.
//!
//! The parser accepts exactly RFC 8259 and bounds everything an outsider controls. What other parsers disagree about
//! (duplicate keys, lone surrogates, a byte order mark, numbers beyond a double) is noted with its place rather than
//! refused, because whether it is tolerable is a question of policy. Strings without escapes are borrowed from the text;
//! numbers keep their exact text. Time is linear in the text and the stack does not grow with nesting.
//!
//! Left out on purpose: serialisation, mutation, and streaming; a body is judged whole.

mod build;
mod equal;
mod limits;
mod number;
mod parse;
mod tape;
mod value;
mod write;

pub use build::TapeBuilder;
pub use equal::{equal, has_duplicates};
pub use limits::{Error, ErrorKind, JsonLimits, Note, NoteKind};
pub use number::{Divisor, Number};
pub use tape::Tape;
pub(crate) use tape::push_token;
pub use value::{Items, Kind, Members, Role, StringAt, Strings, Value};
pub use write::to_text;

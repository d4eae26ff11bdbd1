//! Every value a client sent, one after the other, with the place it stands at.
//!
//! The walk borrows from the message; only what had to be decoded on the way (percent-escapes of a query or a form) is
//! copied. Values inside values (an encoded text, JSON in a string) are not walked here but by who judges them, with
//! [`decode`], because only what looks worth it is unpacked.
//!
//! INVARIANT: time and memory are linear in the size of the message, and a broken body is still handed out as one value.

pub mod body;
pub mod decode;
pub mod head;
mod multipart;
mod protobuf;
mod xml;

use model::finding::Place;
use model::head::Known;
use schema::json::Tape;

pub use body::walk_body;
pub use head::{walk_field, walk_target};

/// Where a value stands, borrowed; [`place`](Self::place) names it for a finding.
#[derive(Clone, Copy, Debug)]
pub enum Spot<'a> {
    /// The path as a whole.
    Path,
    /// One segment of the path, counted from zero.
    Segment(u32),
    /// A query parameter, by name.
    Query(&'a [u8]),
    /// A field line, by name as sent.
    Header(&'a [u8], Known),
    /// A cookie, by name.
    Cookie(&'a [u8]),
    /// A form field, by name.
    Form(&'a [u8]),
    /// A part of a multipart body, by name.
    Part(&'a [u8]),
    /// The file name of a part, by the part's name.
    FileName(&'a [u8]),
    /// A string or key on a tape.
    Json(&'a Tape<'a>, u32),
    /// An element or attribute of an XML body, by name.
    Xml(&'a [u8]),
    /// A field of a protobuf message, by number.
    Protobuf(u32),
    /// The body as a whole.
    Body,
}

impl Spot<'_> {
    /// The place for a finding.
    pub fn place(&self) -> Place {
        let text = |bytes: &[u8]| -> Box<str> {
            let bytes = bytes.get(..bytes.len().min(128)).unwrap_or_default();
            String::from_utf8_lossy(bytes).into()
        };
        match *self {
            Self::Path => Place::Path,
            Self::Segment(at) => Place::PathParameter(at.to_string().into()),
            Self::Query(name) => Place::Query(text(name)),
            Self::Header(name, _) => Place::Header(text(name).to_ascii_lowercase().into()),
            Self::Cookie(name) => Place::Cookie(text(name)),
            Self::Form(name) | Self::Part(name) | Self::Xml(name) => Place::Body(text(name)),
            Self::FileName(name) => Place::Body(format!("{} (file name)", text(name)).into()),
            Self::Json(tape, index) => Place::Body(tape.pointer(index).into()),
            Self::Protobuf(number) => Place::Body(number.to_string().into()),
            Self::Body => Place::Body("".into()),
        }
    }

    /// True in the head of the request, where line ends and long prose have no business.
    pub const fn in_head(&self) -> bool {
        matches!(self, Self::Path | Self::Segment(_) | Self::Query(_) | Self::Header(..) | Self::Cookie(_))
    }
}

/// What a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The name of a parameter, field or part, or a key.
    Name,
    /// A value.
    Value,
    /// The content of an uploaded file.
    File,
}

/// One value, decoded as its place has it (a query parameter without its percent-escapes).
#[derive(Clone, Copy, Debug)]
pub struct Value<'a> {
    /// Where it stands.
    pub spot: Spot<'a>,
    /// What it is.
    pub role: Role,
    /// The value.
    pub bytes: &'a [u8],
}

/// Says of a value on a tape that its contract proves it to be an integer, a UUID, one of a list ...: not a free string.
pub type Proven<'p> = &'p dyn Fn(u32) -> bool;

/// Nothing is proven.
pub fn nothing_proven(_: u32) -> bool {
    false
}

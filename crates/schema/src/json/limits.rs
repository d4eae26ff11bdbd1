//! What bounds a JSON text, and the ways in which one can be refused or be odd.

use std::fmt;

/// Limits on one JSON text. Reaching one refuses the text with an [`ErrorKind`] of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonLimits {
    /// Largest text in bytes.
    pub bytes_max: u32,
    /// Deepest nesting of arrays and objects; never more than [`JsonLimits::DEPTH_CAP`], whatever is configured.
    pub depth_max: u16,
    /// Most keys in one object.
    pub keys_max: u32,
    /// Most items in one array.
    pub items_max: u32,
    /// Most values and keys in the whole text.
    pub nodes_max: u32,
    /// Longest string in bytes of the text, escapes counted as written.
    pub string_bytes_max: u32,
    /// Longest key in bytes of the text.
    pub key_bytes_max: u32,
    /// Longest number in bytes of the text.
    pub number_bytes_max: u32,
}

impl JsonLimits {
    /// Consumers may walk a tape recursively, so nesting beyond this is never accepted.
    pub const DEPTH_CAP: u16 = 512;

    /// Limits for documents the operator wrote (contracts), not for traffic.
    pub fn for_documents() -> Self {
        Self {
            bytes_max: 256 * 1024 * 1024,
            depth_max: Self::DEPTH_CAP,
            keys_max: 1_000_000,
            items_max: 1_000_000,
            nodes_max: 20_000_000,
            string_bytes_max: 16 * 1024 * 1024,
            key_bytes_max: 64 * 1024,
            number_bytes_max: 1024,
        }
    }
}

impl Default for JsonLimits {
    fn default() -> Self {
        Self {
            bytes_max: 16 * 1024 * 1024,
            depth_max: 64,
            keys_max: 10_000,
            items_max: 100_000,
            nodes_max: 1_000_000,
            string_bytes_max: 4 * 1024 * 1024,
            key_bytes_max: 4 * 1024,
            number_bytes_max: 256,
        }
    }
}

/// Why a text is not (acceptable) JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// Nothing but whitespace.
    Empty,
    /// The text ends inside a value.
    UnexpectedEnd,
    /// A byte that cannot stand here.
    UnexpectedByte,
    /// A number that is not as RFC 8259 section 6 has it.
    InvalidNumber,
    /// A backslash followed by something that is no escape.
    InvalidEscape,
    /// A raw control character inside a string.
    ControlCharacter,
    /// Bytes that are not UTF-8 (RFC 8259 section 8.1), overlong forms and encoded surrogates included.
    InvalidUtf8,
    /// The text is UTF-16 or UTF-32.
    WideEncoding,
    /// Something follows the value.
    TrailingBytes,
    /// More bytes than `bytes_max`.
    TooLarge,
    /// Deeper than `depth_max`.
    TooDeep,
    /// An object with more than `keys_max` keys.
    TooManyKeys,
    /// An array with more than `items_max` items.
    TooManyItems,
    /// More than `nodes_max` values and keys.
    TooManyNodes,
    /// A string longer than `string_bytes_max`.
    StringTooLong,
    /// A key longer than `key_bytes_max`.
    KeyTooLong,
    /// A number longer than `number_bytes_max`.
    NumberTooLong,
}

impl ErrorKind {
    /// True when the text may be JSON but exceeds a configured limit.
    pub const fn is_limit(self) -> bool {
        matches!(
            self,
            Self::TooLarge
                | Self::TooDeep
                | Self::TooManyKeys
                | Self::TooManyItems
                | Self::TooManyNodes
                | Self::StringTooLong
                | Self::KeyTooLong
                | Self::NumberTooLong
        )
    }

    /// The kind in words, for evidence and messages.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Empty => "the text is empty",
            Self::UnexpectedEnd => "the text ends inside a value",
            Self::UnexpectedByte => "unexpected character",
            Self::InvalidNumber => "invalid number",
            Self::InvalidEscape => "invalid escape sequence",
            Self::ControlCharacter => "raw control character in a string",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::WideEncoding => "the text is UTF-16 or UTF-32, not UTF-8",
            Self::TrailingBytes => "bytes after the value",
            Self::TooLarge => "the text is too large",
            Self::TooDeep => "nested too deeply",
            Self::TooManyKeys => "an object has too many keys",
            Self::TooManyItems => "an array has too many items",
            Self::TooManyNodes => "too many values",
            Self::StringTooLong => "a string is too long",
            Self::KeyTooLong => "a key is too long",
            Self::NumberTooLong => "a number is too long",
        }
    }
}

/// A refusal with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    /// Why.
    pub kind: ErrorKind,
    /// Offset in bytes from the start of the text.
    pub offset: u32,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.kind.text(), self.offset)
    }
}

impl std::error::Error for Error {}

/// Something that parsers read differently, found in an acceptable text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoteKind {
    /// An object has the same key twice, compared after unescaping.
    DuplicateKey,
    /// A `\uD800`-`\uDFFF` escape without its partner; read as U+FFFD.
    LoneSurrogate,
    /// A byte order mark before the text (RFC 8259 section 8.1).
    ByteOrderMark,
    /// A number that overflows an IEEE 754 double.
    NumberOverflow,
}

impl NoteKind {
    /// The kind in words.
    pub const fn text(self) -> &'static str {
        match self {
            Self::DuplicateKey => "the same key twice in one object",
            Self::LoneSurrogate => "a lone surrogate escape",
            Self::ByteOrderMark => "a byte order mark",
            Self::NumberOverflow => "a number beyond the range of a double",
        }
    }
}

/// A note with its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// What was seen.
    pub kind: NoteKind,
    /// Offset in bytes from the start of the text.
    pub offset: u32,
}

impl Note {
    /// At most this many notes are kept; the rest are only counted.
    pub const KEPT_MAX: usize = 16;
}

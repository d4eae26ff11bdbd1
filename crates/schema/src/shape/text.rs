//! Strings at one place: lengths, characters, formats, and while they are few, the strings themselves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ShapeLimits;
use crate::format::Format;

/// A format that is looked for in strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TextFormat {
    /// Decimal digits with an optional minus sign, 18 digits at most.
    Integer,
    /// A JSON number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A UUID.
    Uuid,
    /// RFC 3339 date and time.
    DateTime,
    /// RFC 3339 date.
    Date,
    /// A mailbox.
    Email,
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A URI with `http` or `https`.
    Uri,
    /// Hexadecimal digits, 16 or more.
    Hex,
    /// Three base64url parts: a JSON Web Token.
    Jwt,
}

impl TextFormat {
    /// Every format, the most specific first.
    pub const ALL: [Self; 12] = [
        Self::Uuid,
        Self::DateTime,
        Self::Date,
        Self::Boolean,
        Self::Integer,
        Self::Number,
        Self::Ipv4,
        Self::Ipv6,
        Self::Email,
        Self::Uri,
        Self::Jwt,
        Self::Hex,
    ];

    /// Whether a string has this format.
    pub fn holds(self, text: &str) -> bool {
        match self {
            Self::Integer => {
                let digits = text.strip_prefix('-').unwrap_or(text);
                (1..=18).contains(&digits.len())
                    && digits.bytes().all(|byte| byte.is_ascii_digit())
                    && (digits.len() == 1 || !digits.starts_with('0'))
            }
            Self::Number => text.len() <= 32 && crate::json::Tape::of_number(text).is_some(),
            Self::Boolean => matches!(text, "true" | "false"),
            Self::Uuid => Format::Uuid.holds_for_text(text),
            Self::DateTime => Format::DateTime.holds_for_text(text),
            Self::Date => Format::Date.holds_for_text(text),
            Self::Email => Format::Email.holds_for_text(text),
            Self::Ipv4 => Format::Ipv4.holds_for_text(text),
            Self::Ipv6 => text.contains(':') && Format::Ipv6.holds_for_text(text),
            Self::Uri => {
                (text.starts_with("https://") || text.starts_with("http://")) && Format::Uri.holds_for_text(text)
            }
            Self::Hex => text.len() >= 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()),
            Self::Jwt => {
                let mut parts = 0;
                text.starts_with("eyJ")
                    && text.split('.').all(|part| {
                        parts += 1;
                        Format::Base64Url.holds_for_text(part)
                    })
                    && parts == 3
            }
        }
    }

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Which characters occurred, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Letters(pub u16);

impl Letters {
    /// `0-9`
    pub const DIGIT: u16 = 1;
    /// `a-z`
    pub const LOWER: u16 = 2;
    /// `A-Z`
    pub const UPPER: u16 = 4;
    /// `-`
    pub const DASH: u16 = 8;
    /// `_`
    pub const UNDERSCORE: u16 = 16;
    /// `.`
    pub const DOT: u16 = 32;
    /// A space.
    pub const SPACE: u16 = 64;
    /// `:`, `/`, `+`, `=`, `,`, `@`
    pub const PLAIN: u16 = 128;
    /// Any other printable ASCII character.
    pub const PUNCTUATION: u16 = 256;
    /// Anything beyond ASCII.
    pub const UNICODE: u16 = 512;
    /// Control characters.
    pub const CONTROL: u16 = 1024;

    fn of(text: &str) -> Self {
        let mut set = 0;
        for byte in text.bytes() {
            set |= match byte {
                b'0'..=b'9' => Self::DIGIT,
                b'a'..=b'z' => Self::LOWER,
                b'A'..=b'Z' => Self::UPPER,
                b'-' => Self::DASH,
                b'_' => Self::UNDERSCORE,
                b'.' => Self::DOT,
                b' ' => Self::SPACE,
                b':' | b'/' | b'+' | b'=' | b',' | b'@' => Self::PLAIN,
                0x21..=0x7e => Self::PUNCTUATION,
                0x80.. => Self::UNICODE,
                _ => Self::CONTROL,
            };
        }
        Self(set)
    }

    /// The set as the inside of a regular expression's class; `None` when it says nothing worth enforcing.
    pub fn class(self) -> Option<String> {
        if self.0 == 0 || self.0 & (Self::PUNCTUATION | Self::UNICODE | Self::CONTROL | Self::SPACE) != 0 {
            return None;
        }
        let mut class = String::new();
        let parts = [
            (Self::UPPER, "A-Z"),
            (Self::LOWER, "a-z"),
            (Self::DIGIT, "0-9"),
            (Self::UNDERSCORE, "_"),
            (Self::DOT, "."),
            (Self::PLAIN, ":/+=,@"),
            (Self::DASH, "-"),
        ];
        for (bit, text) in parts {
            if self.0 & bit != 0 {
                class.push_str(text);
            }
        }
        Some(class)
    }
}

/// Strings at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextShape {
    /// How many.
    pub seen: u64,
    /// How many were empty.
    pub empty: u64,
    /// Fewest characters.
    pub length_min: u64,
    /// Most characters.
    pub length_max: u64,
    /// Characters that occurred.
    pub letters: Letters,
    /// The formats that every string but the empty one had.
    formats: u16,
    /// The strings with their counts, while they are few; `None` once they were too many or not token-like.
    pub values: Option<BTreeMap<Box<str>, u64>>,
}

impl Default for TextShape {
    fn default() -> Self {
        Self {
            seen: 0,
            empty: 0,
            length_min: 0,
            length_max: 0,
            letters: Letters::default(),
            formats: u16::MAX,
            values: Some(BTreeMap::new()),
        }
    }
}

impl TextShape {
    /// The most specific format that every string had, the empty string excepted.
    pub fn format(&self) -> Option<TextFormat> {
        if self.seen == self.empty {
            return None;
        }
        TextFormat::ALL.into_iter().find(|format| self.formats & format.bit() != 0)
    }

    pub(super) fn observe(&mut self, text: &str, limits: &ShapeLimits) {
        let length = text.chars().count() as u64;
        self.length_min = if self.seen == 0 { length } else { self.length_min.min(length) };
        self.length_max = self.length_max.max(length);
        self.seen += 1;
        self.letters.0 |= Letters::of(text).0;
        if text.is_empty() {
            self.empty += 1;
        } else if self.formats != 0 {
            for format in TextFormat::ALL {
                if self.formats & format.bit() != 0 && !format.holds(text) {
                    self.formats &= !format.bit();
                }
            }
        }
        let Some(values) = &mut self.values else { return };
        let is_token = text.len() <= limits.enum_bytes_max && is_token(text);
        if let Some(count) = values.get_mut(text) {
            *count += 1;
        } else if is_token && values.len() < limits.enum_max {
            values.insert(text.into(), 1);
        } else {
            self.values = None;
        }
    }

    pub(super) fn merge(&mut self, other: &Self, limits: &ShapeLimits) {
        self.length_min = if self.seen == 0 { other.length_min } else { self.length_min.min(other.length_min) };
        self.length_max = self.length_max.max(other.length_max);
        self.seen += other.seen;
        self.empty += other.empty;
        self.letters.0 |= other.letters.0;
        self.formats &= other.formats;
        self.values = match (self.values.take(), &other.values) {
            (Some(mut own), Some(others)) => {
                for (text, count) in others {
                    *own.entry(text.clone()).or_default() += count;
                }
                (own.len() <= limits.enum_max).then_some(own)
            }
            _ => None,
        };
    }
}

/// Names of states and kinds are such; names of people and secrets mostly are not.
fn is_token(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b':' | b'/' | b'+'))
        && !TextFormat::Uuid.holds(text)
        && !TextFormat::Hex.holds(text)
}

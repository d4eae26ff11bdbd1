//! Transformations: what a value becomes before an operator sees it.
//!
//! Each is a total function over bytes, linear in time, and never longer than four times its input (`hexEncode`,
//! `urlEncode` and `utf8toUnicode` grow). Semantics are those of the ModSecurity v3 reference; where v2 and v3 differ,
//! the text at the function says which is followed. A borrowed result means that nothing changed.

mod decode;
mod path;
mod text;

use std::borrow::Cow;

use base64::Engine;

/// One transformation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Transform {
    /// `base64Decode`: decodes up to the first sign that is no Base64.
    Base64Decode,
    /// `base64DecodeExt`: decodes and leaves out what is no Base64.
    Base64DecodeExt,
    /// `base64Encode`.
    Base64Encode,
    /// `cmdLine`: what a shell would make of escapes, quotes, separators and case.
    CmdLine,
    /// `compressWhitespace`: every run of white space becomes one space.
    CompressWhitespace,
    /// `cssDecode`: escapes of CSS 2.
    CssDecode,
    /// `escapeSeqDecode`: escapes of ANSI C.
    EscapeSeqDecode,
    /// `hexDecode`: pairs of hexadecimal digits.
    HexDecode,
    /// `hexEncode`.
    HexEncode,
    /// `htmlEntityDecode`.
    HtmlEntityDecode,
    /// `jsDecode`: escapes of JavaScript.
    JsDecode,
    /// `length`: the number of bytes, in decimal.
    Length,
    /// `lowercase`: ASCII.
    Lowercase,
    /// `md5`: 16 raw bytes.
    Md5,
    /// `normalizePath`: no double slashes, no `.` and `..` that can be resolved.
    NormalizePath,
    /// `normalizePathWin`: backslashes become slashes first.
    NormalizePathWin,
    /// `parityEven7bit`.
    ParityEven,
    /// `parityOdd7bit`.
    ParityOdd,
    /// `parityZero7bit`.
    ParityZero,
    /// `removeComments`: comments of C, HTML, SQL and shells.
    RemoveComments,
    /// `removeCommentsChar`: only the signs that begin and end comments.
    RemoveCommentsChar,
    /// `removeNulls`.
    RemoveNulls,
    /// `removeWhitespace`.
    RemoveWhitespace,
    /// `replaceComments`: every comment of C becomes one space.
    ReplaceComments,
    /// `replaceNulls`: every NUL becomes a space.
    ReplaceNulls,
    /// `sha1`: 20 raw bytes.
    Sha1,
    /// `sqlHexDecode`: `0x414243` becomes `ABC`.
    SqlHexDecode,
    /// `trim`.
    Trim,
    /// `trimLeft`.
    TrimLeft,
    /// `trimRight`.
    TrimRight,
    /// `uppercase`: ASCII.
    Uppercase,
    /// `urlDecode`: percent-escapes and plus signs.
    UrlDecode,
    /// `urlDecodeUni`: as `urlDecode`, with `%uHHHH`.
    UrlDecodeUni,
    /// `urlEncode`.
    UrlEncode,
    /// `utf8toUnicode`: characters beyond ASCII become `%uHHHH`.
    Utf8ToUnicode,
}

/// Every transformation by the names rules use, in lower case.
pub const NAMES: &[(&str, Transform)] = &[
    ("base64decode", Transform::Base64Decode),
    ("base64decodeext", Transform::Base64DecodeExt),
    ("base64encode", Transform::Base64Encode),
    ("cmdline", Transform::CmdLine),
    ("compresswhitespace", Transform::CompressWhitespace),
    ("cssdecode", Transform::CssDecode),
    ("escapeseqdecode", Transform::EscapeSeqDecode),
    ("hexdecode", Transform::HexDecode),
    ("hexencode", Transform::HexEncode),
    ("htmlentitydecode", Transform::HtmlEntityDecode),
    ("jsdecode", Transform::JsDecode),
    ("length", Transform::Length),
    ("lowercase", Transform::Lowercase),
    ("md5", Transform::Md5),
    ("normalisepath", Transform::NormalizePath),
    ("normalizepath", Transform::NormalizePath),
    ("normalisepathwin", Transform::NormalizePathWin),
    ("normalizepathwin", Transform::NormalizePathWin),
    ("parityeven7bit", Transform::ParityEven),
    ("parityodd7bit", Transform::ParityOdd),
    ("parityzero7bit", Transform::ParityZero),
    ("removecomments", Transform::RemoveComments),
    ("removecommentschar", Transform::RemoveCommentsChar),
    ("removenulls", Transform::RemoveNulls),
    ("removewhitespace", Transform::RemoveWhitespace),
    ("replacecomments", Transform::ReplaceComments),
    ("replacenulls", Transform::ReplaceNulls),
    ("sha1", Transform::Sha1),
    ("sqlhexdecode", Transform::SqlHexDecode),
    ("trim", Transform::Trim),
    ("trimleft", Transform::TrimLeft),
    ("trimright", Transform::TrimRight),
    ("uppercase", Transform::Uppercase),
    ("urldecode", Transform::UrlDecode),
    ("urldecodeuni", Transform::UrlDecodeUni),
    ("urlencode", Transform::UrlEncode),
    ("utf8tounicode", Transform::Utf8ToUnicode),
];

/// Kinds of bytes, as bits: which transformations can change a text is read off the kinds it holds.
pub mod kinds {
    /// `A` to `Z`.
    pub const UPPER: u16 = 1;
    /// `a` to `z`.
    pub const LOWER: u16 = 1 << 1;
    /// `%` and `+`.
    pub const PERCENT: u16 = 1 << 2;
    /// `\`.
    pub const BACKSLASH: u16 = 1 << 3;
    /// `&`.
    pub const AMPERSAND: u16 = 1 << 4;
    /// `/`.
    pub const SLASH: u16 = 1 << 5;
    /// A space.
    pub const SPACE: u16 = 1 << 6;
    /// Other white space.
    pub const BLANK: u16 = 1 << 7;
    /// NUL.
    pub const NUL: u16 = 1 << 8;
    /// From 0x80.
    pub const HIGH: u16 = 1 << 9;
    /// `"`, `'`, `^`, `,` and `;`.
    pub const SHELL: u16 = 1 << 10;
    /// `-` and `#`.
    pub const DASH: u16 = 1 << 11;
    /// `.`.
    pub const DOT: u16 = 1 << 12;
    /// `0` to `9`.
    pub const DIGIT: u16 = 1 << 13;
    /// Signs that stand for nothing here but that some operators look for: `<`, `=`, parentheses, other controls ...
    pub const OTHER: u16 = 1 << 14;
    /// Set for every text, also the empty one.
    pub const ALWAYS: u16 = 1 << 15;

    /// The kind of each byte.
    static TABLE: [u16; 256] = table();

    #[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
    const fn table() -> [u16; 256] {
        let mut table = [OTHER; 256];
        let mut byte = 0;
        while byte < 256 {
            table[byte] = match byte as u8 {
                b'A'..=b'Z' => UPPER,
                b'a'..=b'z' => LOWER,
                b'0'..=b'9' => DIGIT,
                b'%' | b'+' => PERCENT,
                b'\\' => BACKSLASH,
                b'&' => AMPERSAND,
                b'/' => SLASH,
                b' ' => SPACE,
                b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => BLANK,
                0 => NUL,
                0x80.. => HIGH,
                b'"' | b'\'' | b'^' | b',' | b';' => SHELL,
                b'-' | b'#' => DASH,
                b'.' => DOT,
                _ => OTHER,
            };
            byte += 1;
        }
        table
    }

    /// The kinds of bytes in a text.
    pub fn of(text: &[u8]) -> u16 {
        text.iter().fold(ALWAYS, |kinds, &byte| kinds | TABLE.get(usize::from(byte)).copied().unwrap_or(OTHER))
    }
}

impl Transform {
    /// The transformation with this name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, transform)| *transform)
    }

    /// The kinds of bytes without which this transformation changes nothing.
    pub const fn touches(self) -> u16 {
        match self {
            Self::CmdLine => kinds::UPPER | kinds::BACKSLASH | kinds::SHELL | kinds::SPACE | kinds::BLANK,
            Self::CompressWhitespace | Self::RemoveWhitespace => kinds::SPACE | kinds::BLANK | kinds::HIGH,
            Self::Trim | Self::TrimLeft | Self::TrimRight => kinds::SPACE | kinds::BLANK,
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => kinds::BACKSLASH,
            Self::HtmlEntityDecode => kinds::AMPERSAND,
            Self::Lowercase => kinds::UPPER,
            Self::Uppercase => kinds::LOWER,
            Self::NormalizePath => kinds::SLASH | kinds::DOT,
            Self::NormalizePathWin => kinds::SLASH | kinds::DOT | kinds::BACKSLASH,
            Self::RemoveComments | Self::RemoveCommentsChar => kinds::SLASH | kinds::DASH | kinds::OTHER,
            Self::RemoveNulls | Self::ReplaceNulls => kinds::NUL,
            Self::ReplaceComments => kinds::SLASH,
            Self::SqlHexDecode => kinds::DIGIT,
            Self::UrlDecode | Self::UrlDecodeUni => kinds::PERCENT,
            Self::Utf8ToUnicode | Self::ParityZero => kinds::HIGH,
            Self::Base64Decode
            | Self::Base64DecodeExt
            | Self::Base64Encode
            | Self::HexDecode
            | Self::HexEncode
            | Self::Length
            | Self::Md5
            | Self::ParityEven
            | Self::ParityOdd
            | Self::Sha1
            | Self::UrlEncode => kinds::ALWAYS,
        }
    }

    /// The text as this transformation makes it; borrowed when nothing changed.
    pub fn apply(self, text: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Base64Decode => Cow::Owned(decode::base64(text, decode::Stray::Ends)),
            Self::Base64DecodeExt => Cow::Owned(decode::base64(text, decode::Stray::IsLeftOut)),
            Self::Base64Encode => Cow::Owned(base64::engine::general_purpose::STANDARD.encode(text).into_bytes()),
            Self::CmdLine => kept(text, text::cmd_line(text)),
            Self::CompressWhitespace => kept(text, text::compress_whitespace(text)),
            Self::CssDecode => decode::escapes(text, decode::css_escape),
            Self::EscapeSeqDecode => decode::escapes(text, decode::c_escape),
            Self::HexDecode => Cow::Owned(decode::hex(text)),
            Self::HexEncode => Cow::Owned(decode::hex_encode(text)),
            Self::HtmlEntityDecode => decode::html_entities(text),
            Self::JsDecode => decode::escapes(text, decode::js_escape),
            Self::Length => Cow::Owned(text.len().to_string().into_bytes()),
            Self::Lowercase => mapped(text, |byte| byte.to_ascii_lowercase()),
            Self::Uppercase => mapped(text, |byte| byte.to_ascii_uppercase()),
            Self::Md5 => Cow::Owned(<md5::Md5 as md5::Digest>::digest(text).to_vec()),
            Self::Sha1 => Cow::Owned(<sha1::Sha1 as sha1::Digest>::digest(text).to_vec()),
            Self::NormalizePath => kept(text, path::normalize(text)),
            Self::NormalizePathWin => kept(text, path::normalize(&mapped(text, path::slash))),
            Self::ParityEven => mapped(text, |byte| (byte & 0x7f) | ((byte & 0x7f).count_ones() as u8 & 1) << 7),
            Self::ParityOdd => mapped(text, |byte| (byte & 0x7f) | (!(byte & 0x7f).count_ones() as u8 & 1) << 7),
            Self::ParityZero => mapped(text, |byte| byte & 0x7f),
            Self::RemoveComments => kept(text, text::remove_comments(text)),
            Self::RemoveCommentsChar => kept(text, text::remove_comment_signs(text)),
            Self::RemoveNulls => without(text, |byte| byte == 0),
            Self::RemoveWhitespace => without(text, text::is_blank),
            Self::ReplaceComments => kept(text, text::replace_comments(text)),
            Self::ReplaceNulls => mapped(text, |byte| if byte == 0 { b' ' } else { byte }),
            Self::SqlHexDecode => kept(text, decode::sql_hex(text)),
            Self::Trim => Cow::Borrowed(text::trim_end(text::trim_start(text))),
            Self::TrimLeft => Cow::Borrowed(text::trim_start(text)),
            Self::TrimRight => Cow::Borrowed(text::trim_end(text)),
            Self::UrlDecode => decode::percent(text, decode::WideEscapes::Stay),
            Self::UrlDecodeUni => decode::percent(text, decode::WideEscapes::Decode),
            Self::UrlEncode => Cow::Owned(decode::percent_encode(text)),
            Self::Utf8ToUnicode => decode::utf8_to_escapes(text),
        }
    }
}

/// `made`, or the text itself where they are the same.
fn kept(text: &[u8], made: Vec<u8>) -> Cow<'_, [u8]> {
    if made == text { Cow::Borrowed(text) } else { Cow::Owned(made) }
}

fn mapped(text: &[u8], map: impl Fn(u8) -> u8) -> Cow<'_, [u8]> {
    if text.iter().all(|&byte| map(byte) == byte) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.iter().map(|&byte| map(byte)).collect())
}

fn without(text: &[u8], unwanted: impl Fn(u8) -> bool) -> Cow<'_, [u8]> {
    if !text.iter().any(|&byte| unwanted(byte)) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.iter().copied().filter(|&byte| !unwanted(byte)).collect())
}

#[cfg(test)]
mod tests;

//! Charsets: which ones a reader may be asked to decode (RFC 9110, 8.3.2).

/// How a charset is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    /// APIs use it.
    Usual,
    /// A real charset in which ASCII stays ASCII, but hardly used by APIs.
    Unusual,
    /// Unknown, or one in which ASCII has other bytes: UTF-7, UTF-16, EBCDIC. It hides text from whoever reads ASCII.
    Refused,
}

/// Judges a charset's name, in any case, with or without quotes around it.
pub(super) fn judge(name: &[u8]) -> Charset {
    const USUAL: [&[u8]; 7] =
        [b"utf-8", b"utf8", b"us-ascii", b"ascii", b"iso-8859-1", b"iso-8859-15", b"windows-1252"];
    const UNUSUAL: [&[u8]; 15] = [
        b"latin1",
        b"iso8859-1",
        b"shift_jis",
        b"shift-jis",
        b"sjis",
        b"euc-jp",
        b"iso-2022-jp",
        b"euc-kr",
        b"gb2312",
        b"gbk",
        b"gb18030",
        b"big5",
        b"koi8-r",
        b"koi8-u",
        b"tis-620",
    ];
    let quoted = |quote: u8| match name {
        [first, inner @ .., last] if *first == quote && *last == quote => Some(inner),
        _ => None,
    };
    let name = quoted(b'"').or(quoted(b'\'')).unwrap_or(name);
    let is = |own: &&[u8]| own.eq_ignore_ascii_case(name);
    if USUAL.iter().any(is) {
        return Charset::Usual;
    }
    let numbered = |prefix: &[u8]| {
        let number = name.get(prefix.len()..).unwrap_or_default();
        let starts = name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        starts && matches!(number.len(), 1..=4) && number.iter().all(u8::is_ascii_digit)
    };
    if UNUSUAL.iter().any(is) || numbered(b"iso-8859-") || numbered(b"windows-125") {
        return Charset::Unusual;
    }
    Charset::Refused
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charsets() {
        for usual in ["utf-8", "UTF-8", "\"utf-8\"", "'utf-8'", "ISO-8859-15", "windows-1252"] {
            assert_eq!(judge(usual.as_bytes()), Charset::Usual, "{usual}");
        }
        for unusual in ["Shift_JIS", "iso-8859-2", "windows-1251", "gbk"] {
            assert_eq!(judge(unusual.as_bytes()), Charset::Unusual, "{unusual}");
        }
        for refused in ["utf-7", "utf-16", "UTF-16LE", "ibm037", "cp037", "utf-80", "x", "", "\"\"", "iso-8859-x"] {
            assert_eq!(judge(refused.as_bytes()), Charset::Refused, "{refused}");
        }
    }
}

//! What the text of a path segment says by itself: its type, its make-up, and how much it looks like a word of an API.

use ml::{HashedTable, NgramModel};

/// The form of a value, told from its text alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Form {
    /// Decimal digits, perhaps with a sign.
    Int,
    /// Digits with a fraction, or coordinates.
    Number,
    /// 8-4-4-4-12 hexadecimal digits, or 32 of them.
    Uuid,
    /// 26 characters of Crockford's base 32, or 27 of base 62 (KSUID).
    Ulid,
    /// Hexadecimal digits with at least one of them a digit, eight or more.
    Hex,
    /// A calendar date, or date and time.
    Date,
    /// An e-mail address.
    Email,
    /// `v1`, `v2.0`, `1.2.3`.
    Version,
    /// Mixed letters and digits that make no word.
    Token,
    /// Capital letters and digits: a code.
    Code,
    /// Words joined by `-` or `_`.
    Slug,
    /// One run of lower-case letters.
    Word,
    /// Letters of both cases.
    Camel,
    /// Percent-encoded, spaced, quoted or otherwise unlike an identifier.
    Odd,
}

/// How many forms there are.
pub const FORMS: usize = 14;

impl Form {
    /// True for values that no API uses as a fixed word: the guard against ruining a constant segment looks here.
    pub const fn unmistakable(self) -> bool {
        matches!(self, Self::Uuid | Self::Ulid | Self::Hex | Self::Email)
    }

    /// True for values that are identifiers by their make-up.
    pub const fn identifier(self) -> bool {
        matches!(
            self,
            Self::Int | Self::Number | Self::Uuid | Self::Ulid | Self::Hex | Self::Date | Self::Email | Self::Token
        )
    }

    /// The form of a value.
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let count = |test: fn(&u8) -> bool| bytes.iter().filter(|&byte| test(byte)).count();
        let digits = count(u8::is_ascii_digit);
        let (lower, upper) = (count(u8::is_ascii_lowercase), count(u8::is_ascii_uppercase));
        let letters = lower + upper;
        let others = bytes.len() - digits - letters;
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        if !unsigned.is_empty() && unsigned.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Int;
        }
        if digits > 0 && letters == 0 && bytes.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b',' | b'-')) {
            return match () {
                () if is_date(bytes) => Self::Date,
                () if bytes.iter().filter(|&&byte| byte == b'.').count() >= 2 && !text.contains(',') => Self::Version,
                () => Self::Number,
            };
        }
        if is_uuid(bytes) {
            return Self::Uuid;
        }
        if is_date(bytes) {
            return Self::Date;
        }
        if text.contains('@') && text.rsplit('@').next().is_some_and(|domain| domain.contains('.')) {
            return Self::Email;
        }
        if is_version(bytes) {
            return Self::Version;
        }
        if others == 0 {
            let hex = bytes.iter().all(u8::is_ascii_hexdigit) && (lower == 0 || upper == 0);
            return match () {
                () if hex && bytes.len() >= 7 && digits > 0 && letters > 0 => Self::Hex,
                () if is_ulid(bytes, digits) => Self::Ulid,
                () if digits == 0 && upper == 0 => Self::Word,
                () if lower == 0 => Self::Code,
                () if digits >= 2 && bytes.len() >= 6 || digits > 0 && upper > 0 && alternations(bytes) >= 4 => {
                    Self::Token
                }
                () if alternations(bytes) > 2 + bytes.len() / 3 => Self::Token,
                () if upper > 0 => Self::Camel,
                () => Self::Word,
            };
        }
        let joined = bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        match () {
            () if joined && upper > 0 && lower > 0 && digits > 0 && alternations(bytes) > bytes.len() / 3 => {
                Self::Token
            }
            () if joined && letters > 0 => Self::Slug,
            () => Self::Odd,
        }
    }
}

fn is_uuid(bytes: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(u8::is_ascii_hexdigit);
    match bytes.len() {
        36 => {
            let parts: Vec<&[u8]> = bytes.split(|&byte| byte == b'-').collect();
            parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12]) && parts.iter().all(|part| hex(part))
        }
        32 => hex(bytes) && bytes.iter().any(u8::is_ascii_digit),
        _ => false,
    }
}

fn is_ulid(bytes: &[u8], digits: usize) -> bool {
    match bytes.len() {
        26 => digits >= 3 && bytes.first().is_some_and(|byte| matches!(byte, b'0'..=b'7')),
        27 => digits >= 2 && alternations(bytes) >= 8,
        _ => false,
    }
}

fn is_date(bytes: &[u8]) -> bool {
    let part = |from: usize, to: usize, low: u32, high: u32| {
        bytes.get(from..to).and_then(|part| std::str::from_utf8(part).ok()).is_some_and(|part| {
            part.bytes().all(|byte| byte.is_ascii_digit())
                && part.parse().is_ok_and(|value: u32| (low..=high).contains(&value))
        })
    };
    let dashed = bytes.get(4) == Some(&b'-') && bytes.get(7) == Some(&b'-');
    let date = dashed && part(0, 4, 1000, 2999) && part(5, 7, 1, 12) && part(8, 10, 1, 31);
    let month = bytes.len() == 7 && bytes.get(4) == Some(&b'-') && part(0, 4, 1900, 2100) && part(5, 7, 1, 12);
    month || date && (bytes.len() == 10 || matches!(bytes.get(10), Some(b'T' | b' ' | b'%')))
}

fn is_version(bytes: &[u8]) -> bool {
    let number = match bytes.split_first() {
        Some((b'v' | b'V', rest)) => rest,
        _ => bytes,
    };
    let short = !number.is_empty() && bytes.len() <= 12;
    let digits = number.iter().filter(|byte| byte.is_ascii_digit()).count();
    let plain = number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let first_digit = number.first().is_some_and(u8::is_ascii_digit);
    let beta = number.strip_suffix(b"beta").or(number.strip_suffix(b"alpha")).or(number.strip_suffix(b"beta1"));
    let staged = beta.is_some_and(|core| !core.is_empty() && core.iter().all(u8::is_ascii_digit));
    short && first_digit && (plain && digits > 0 && (number.len() < bytes.len() || number.contains(&b'.')) || staged)
}

/// How often neighbouring characters change between lower case, upper case, digits and others.
fn alternations(bytes: &[u8]) -> usize {
    let class = |byte: u8| match byte {
        b'a'..=b'z' => 0,
        b'A'..=b'Z' => 1,
        b'0'..=b'9' => 2,
        _ => 3,
    };
    bytes.iter().zip(bytes.iter().skip(1)).filter(|&(&a, &b)| class(a) != class(b)).count()
}

/// What a large collection of API documents says about words: an n-gram model and a table of hashed tokens.
#[derive(Clone, Debug)]
pub struct Lexicon {
    /// Log-odds that a text is a fixed word of an API rather than a value.
    pub ngrams: NgramModel,
    /// Per token: how many vendors use it as a fixed segment (logarithmic), how often a parameter follows it (of 255).
    pub tokens: HashedTable,
}

/// Rows of [`Lexicon::tokens`] have this many bytes.
pub const TOKEN_COLUMNS: usize = 2;

/// What the lexicon says about one text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Lexed {
    /// Log-odds of being a fixed word.
    pub logit: f32,
    /// Logarithm of the number of vendors that use the whole text as a segment; 0 when unknown.
    pub known: f32,
    /// How often a parameter follows it; `NaN` when unknown.
    pub followed: f32,
    /// Share of its words that are known.
    pub words_known: f32,
}

impl Lexicon {
    /// Looks a text up.
    pub fn lex(&self, text: &str) -> Lexed {
        let lower = text.to_ascii_lowercase();
        let row = self.tokens.row(lower.as_bytes());
        let value = |at: usize| row.and_then(|row| row.get(at)).map(|&value| f32::from(value));
        let (mut words, mut known) = (0u32, 0u32);
        for word in words_of(text) {
            words += 1;
            known += u32::from(self.tokens.row(word.as_bytes()).is_some());
        }
        Lexed {
            logit: self.ngrams.score(text.as_bytes()),
            known: value(0).unwrap_or(0.0),
            followed: value(1).map_or(f32::NAN, |value| value / 255.0),
            words_known: known as f32 / words.max(1) as f32,
        }
    }
}

/// The words of a text in lower case: runs of letters, cut where the case rises.
pub fn words_of(text: &str) -> impl Iterator<Item = String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = '-';
    for letter in text.chars().take(96) {
        if letter.is_ascii_alphabetic() {
            let starts = !before.is_ascii_alphabetic() || letter.is_ascii_uppercase() && before.is_ascii_lowercase();
            match words.last_mut() {
                Some(word) if !starts => word.push(letter.to_ascii_lowercase()),
                _ => words.push(letter.to_ascii_lowercase().to_string()),
            }
        }
        before = letter;
    }
    words.into_iter()
}

/// Numbers about the make-up of a text, all cheap.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MakeUp {
    /// Bytes.
    pub length: f32,
    /// Share of digits.
    pub digits: f32,
    /// Share of upper-case letters.
    pub upper: f32,
    /// Share of vowels among letters.
    pub vowels: f32,
    /// Number of `-`, `_`, `.`, `,`, `:` and `~`.
    pub marks: f32,
    /// Share of characters outside letters, digits and marks.
    pub odd: f32,
    /// Shannon entropy of its bytes, in bits.
    pub entropy: f32,
    /// Changes of character class.
    pub alternations: f32,
    /// Words joined.
    pub words: f32,
    /// 1 when it ends in `s`: a plural, more often than not.
    pub plural: f32,
}

impl MakeUp {
    /// Measures a text.
    pub fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let length = bytes.len().max(1) as f32;
        let count = |test: fn(u8) -> bool| bytes.iter().filter(|&&byte| test(byte)).count() as f32;
        let letters = count(|byte| byte.is_ascii_alphabetic());
        let marks = count(|byte| matches!(byte, b'-' | b'_' | b'.' | b',' | b':' | b'~'));
        let digits = count(|byte| byte.is_ascii_digit());
        let mut histogram = [0u8; 128];
        for &byte in bytes.iter().take(255) {
            if let Some(slot) = histogram.get_mut(usize::from(byte & 127)) {
                *slot += 1;
            }
        }
        let entropy = histogram.iter().filter(|&&count| count > 0).map(|&count| {
            let share = f32::from(count) / length;
            -share * share.log2()
        });
        Self {
            length: bytes.len() as f32,
            digits: digits / length,
            upper: count(|byte| byte.is_ascii_uppercase()) / length,
            vowels: count(|byte| matches!(byte | 32, b'a' | b'e' | b'i' | b'o' | b'u' | b'y')) / letters.max(1.0),
            marks,
            odd: (bytes.len() as f32 - letters - marks - digits) / length,
            entropy: entropy.sum(),
            alternations: alternations(bytes) as f32,
            words: words_of(text).count() as f32,
            plural: f32::from(u8::from(bytes.last().is_some_and(|byte| byte | 32 == b's'))),
        }
    }
}

/// The outline of a text: runs of letters, digits and marks (`ord-17` is `a-0`). Values of one style share it.
pub fn outline(text: &str) -> u64 {
    let mut outline = [0u8; 24];
    let mut at = 0;
    for byte in text.bytes() {
        let class = match byte {
            b'a'..=b'z' => b'a',
            b'A'..=b'Z' => b'A',
            b'0'..=b'9' => b'0',
            mark => mark,
        };
        if at > 0 && outline.get(at - 1) == Some(&class) {
            continue;
        }
        let Some(slot) = outline.get_mut(at) else { break };
        *slot = class;
        at += 1;
    }
    ml::hash::hash_bytes(3, outline.get(..at).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn forms() {
        use Form::*;
        for (text, form) in [
            ("12345", Int),
            ("-1", Int),
            ("3.14", Number),
            ("52.5,13.4", Number),
            ("0b4eefb9-5f88-4291-9631-08c458fb4d5b", Uuid),
            ("0b4eefb95f8842919631a8c458fb4d5b", Uuid),
            ("01ARZ3NDEKTSV4RRFFQ69G5FAV", Ulid),
            ("507f1f77bcf86cd799439011", Hex),
            ("8ddb5647", Hex),
            ("2024-02-29", Date),
            ("2024-02-29T10:00:00Z", Date),
            ("a.b@c.org", Email),
            ("v1", Version),
            ("v2.0", Version),
            ("v4beta", Version),
            ("1.2.3", Version),
            ("0oaqgqg4ddal3YKRO1d7", Token),
            ("TESLA", Code),
            ("N7YJWX", Code),
            ("watch-later", Slug),
            ("users", Word),
            ("resourceGroups", Camel),
            ("Amor%20Guillet", Odd),
        ] {
            assert_eq!(Form::of(text), form, "{text}");
        }
    }

    #[test]
    fn words_are_cut_at_marks_and_rising_case() {
        assert_eq!(words_of("getUserBy-id2").collect::<Vec<_>>(), ["get", "user", "by", "id"]);
    }

    #[test]
    fn outlines_are_shared_by_one_style() {
        assert_eq!(outline("ord-17"), outline("customer-4711"));
        assert_ne!(outline("ord-17"), outline("ord17"));
    }

    proptest! {
        #[test]
        fn any_text_is_measured(text in ".{0,200}") {
            Form::of(&text);
            outline(&text);
            prop_assert!(MakeUp::of(&text).entropy.is_finite());
        }
    }
}

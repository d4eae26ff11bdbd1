//! Operators: the question a rule asks of a value.

use std::net::IpAddr;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, MatchKind};
use ipnet::IpNet;

use crate::expand::Text;
use crate::pattern::{Answer, Captures, Pattern};

/// The longest text that `@detectSQLi` and `@detectXSS` read, in bytes; what comes behind is not looked at by them.
const INJECTION_BYTES_MAX: usize = 16 * 1024;

/// One operator with its argument, compiled.
#[derive(Clone, Debug)]
pub enum Operator {
    /// `@rx`.
    Rx(Pattern),
    /// `@rx` with variables that no exchange changes; it becomes [`Rx`](Self::Rx) once they are known.
    RxOf(Text),
    /// `@pm`, `@pmFromFile`: one of many phrases, in any case.
    Phrases(Box<Phrases>),
    /// `@contains`.
    Contains(Text),
    /// `@containsWord`.
    ContainsWord(Text),
    /// `@beginsWith`.
    BeginsWith(Text),
    /// `@endsWith`.
    EndsWith(Text),
    /// `@streq`.
    Equals(Text),
    /// `@within`: the value stands in the argument.
    Within(Text),
    /// `@eq`, `@ge`, `@gt`, `@le`, `@lt`.
    Compare(Comparison, Text),
    /// `@ipMatch`, `@ipMatchFromFile`.
    Networks(Vec<IpNet>),
    /// `@validateByteRange`: a byte is not in the set.
    OutsideBytes(Box<[bool; 256]>),
    /// `@validateUrlEncoding`: a percent sign without two digits.
    BadUrlEncoding,
    /// `@validateUtf8Encoding`: no UTF-8.
    BadUtf8,
    /// `@detectSQLi`.
    Sql,
    /// `@detectXSS`.
    Script,
    /// `@verifyCC`: what the pattern finds is a payment card number.
    CardNumber(Pattern),
    /// `@unconditionalMatch`.
    Always,
    /// `@noMatch`, and what only a network or a database could answer.
    Never,
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `@eq`.
    Equal,
    /// `@ge`.
    GreaterOrEqual,
    /// `@gt`.
    Greater,
    /// `@le`.
    LessOrEqual,
    /// `@lt`.
    Less,
}

/// Many phrases and their automaton.
#[derive(Clone, Debug)]
pub struct Phrases {
    /// The phrases as written.
    pub list: Vec<Vec<u8>>,
    automaton: AhoCorasick,
}

impl Phrases {
    /// Compiles phrases.
    ///
    /// # Errors
    /// When they are too many for an automaton.
    pub fn new(list: Vec<Vec<u8>>) -> Result<Self, String> {
        let automaton = AhoCorasickBuilder::new()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostFirst)
            .build(&list)
            .map_err(|error| error.to_string())?;
        Ok(Self { list, automaton })
    }
}

/// Whether a value answers the question, and what it captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No.
    No,
    /// Yes; the groups are empty unless they were asked for.
    Yes(Captures),
    /// A budget ended before the answer was known.
    Exhausted,
}

impl From<bool> for Reply {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes(Captures::new()) } else { Self::No }
    }
}

/// A number as C's `atoi` reads it: leading blanks, a sign, digits; zero when there are none.
pub fn number(text: &[u8]) -> i64 {
    let text = text.trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let value = digits.fold(0i64, |value, digit| value.saturating_mul(10).saturating_add(i64::from(digit - b'0')));
    if negative { -value } else { value }
}

impl Operator {
    /// Asks the question. `argument` is the text argument, expanded; `capture` asks for groups.
    pub fn ask(&self, value: &[u8], argument: &[u8], capture: bool) -> Reply {
        match self {
            Self::Rx(pattern) if capture => pattern.captures(value).map_or(Reply::No, Reply::Yes),
            Self::Rx(pattern) => match pattern.matches(value) {
                Answer::Yes => true.into(),
                Answer::No => false.into(),
                Answer::Exhausted => Reply::Exhausted,
            },
            Self::Phrases(phrases) => match phrases.automaton.find(value) {
                Some(found) if capture => Reply::Yes(vec![value.get(found.range()).unwrap_or_default().to_vec()]),
                found => found.is_some().into(),
            },
            Self::Contains(_) => memchr::memmem::find(value, argument).is_some().into(),
            Self::ContainsWord(_) => contains_word(value, argument).into(),
            Self::BeginsWith(_) => value.starts_with(argument).into(),
            Self::EndsWith(_) => value.ends_with(argument).into(),
            Self::Equals(_) => (value == argument).into(),
            Self::Within(_) => memchr::memmem::find(argument, value).is_some().into(),
            Self::Compare(comparison, _) => compare(*comparison, number(value), number(argument)).into(),
            Self::Networks(networks) => within_networks(networks, value).into(),
            Self::OutsideBytes(allowed) => {
                value.iter().any(|&byte| !allowed.get(usize::from(byte)).copied().unwrap_or(false)).into()
            }
            Self::BadUrlEncoding => bad_url_encoding(value).into(),
            Self::BadUtf8 => std::str::from_utf8(value).is_err().into(),
            Self::Sql => sql(value),
            Self::Script => script(value).into(),
            Self::CardNumber(pattern) => match pattern.captures(value) {
                Some(found) if found.first().is_some_and(|digits| is_card_number(digits)) => Reply::Yes(found),
                _ => Reply::No,
            },
            Self::Always => true.into(),
            Self::Never | Self::RxOf(_) => false.into(),
        }
    }

    /// The text argument, where the operator has one that may hold variables.
    pub fn text(&self) -> Option<&Text> {
        match self {
            Self::Contains(text)
            | Self::ContainsWord(text)
            | Self::BeginsWith(text)
            | Self::EndsWith(text)
            | Self::Equals(text)
            | Self::Within(text)
            | Self::Compare(_, text) => Some(text),
            _ => None,
        }
    }
}

const fn compare(comparison: Comparison, value: i64, argument: i64) -> bool {
    match comparison {
        Comparison::Equal => value == argument,
        Comparison::GreaterOrEqual => value >= argument,
        Comparison::Greater => value > argument,
        Comparison::LessOrEqual => value <= argument,
        Comparison::Less => value < argument,
    }
}

fn contains_word(value: &[u8], word: &[u8]) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    word.is_empty()
        || memchr::memmem::find_iter(value, word).any(|at| {
            !is_part(at.checked_sub(1).and_then(|before| value.get(before))) && !is_part(value.get(at + word.len()))
        })
}

fn within_networks(networks: &[IpNet], value: &[u8]) -> bool {
    let address = std::str::from_utf8(value).ok().and_then(|text| text.trim().parse::<IpAddr>().ok());
    address.is_some_and(|address| networks.iter().any(|network| network.contains(&address.to_canonical())))
}

fn bad_url_encoding(value: &[u8]) -> bool {
    memchr::memchr_iter(b'%', value)
        .any(|at| !matches!(value.get(at + 1..at + 3), Some([a, b]) if a.is_ascii_hexdigit() && b.is_ascii_hexdigit()))
}

/// The fingerprint is what `capture` gets.
fn sql(value: &[u8]) -> Reply {
    let value = value.get(..value.len().min(INJECTION_BYTES_MAX)).unwrap_or_default();
    if !gates::may_be_sql(value) {
        return Reply::No;
    }
    let found = libinjectionrs::detect_sqli(value);
    if !found.is_injection() {
        return Reply::No;
    }
    let fingerprint = found.fingerprint.map(|fingerprint| fingerprint.as_str().as_bytes().to_vec());
    Reply::Yes(fingerprint.into_iter().collect())
}

fn script(value: &[u8]) -> bool {
    let value = value.get(..value.len().min(INJECTION_BYTES_MAX)).unwrap_or_default();
    gates::may_be_script(value) && libinjectionrs::detect_xss(value).is_injection()
}

/// Cheap conditions that every text has in which libinjection finds something.
pub mod gates {
    /// A single word or number is one token, and no fingerprint has only one of those.
    pub fn may_be_sql(value: &[u8]) -> bool {
        !value.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    }

    /// Markup needs `<`; an attribute that runs script needs a value.
    pub fn may_be_script(value: &[u8]) -> bool {
        memchr::memchr2(b'<', b'=', value).is_some()
    }
}

/// The Luhn sum (ISO/IEC 7812-1, annex B) over 12 to 19 digits.
fn is_card_number(text: &[u8]) -> bool {
    let digits: Vec<u32> = text.iter().filter_map(|&byte| char::from(byte).to_digit(10)).collect();
    let doubled = |(at, &digit): (usize, &u32)| match (at % 2, digit * 2) {
        (1, twice @ 10..) => twice - 9,
        (1, twice) => twice,
        _ => digit,
    };
    (12..=19).contains(&digits.len()) && digits.iter().rev().enumerate().map(doubled).sum::<u32>() % 10 == 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(operator: &Operator, argument: &str, yes: &[&[u8]], no: &[&[u8]]) {
        for value in yes {
            let reply = operator.ask(value, argument.as_bytes(), false);
            assert!(matches!(reply, Reply::Yes(_)), "{operator:?} {argument} {}", value.escape_ascii());
        }
        for value in no {
            let reply = operator.ask(value, argument.as_bytes(), false);
            assert_eq!(reply, Reply::No, "{operator:?} {argument} {}", value.escape_ascii());
        }
    }

    #[test]
    fn texts_are_compared() {
        let text = Text::default;
        check(&Operator::Contains(text()), "b", &[b"abc", b"b"], &[b"ac", b"", b"B"]);
        check(&Operator::ContainsWord(text()), "or", &[b"a or b", b"or", b"(or)"], &[b"for", b"order", b"or_"]);
        check(&Operator::BeginsWith(text()), "ab", &[b"abc"], &[b"cab", b""]);
        check(&Operator::EndsWith(text()), "bc", &[b"abc"], &[b"bca"]);
        check(&Operator::Equals(text()), "GET", &[b"GET"], &[b"get", b"GET "]);
        check(&Operator::Within(text()), "GET POST", &[b"GET", b"POST", b""], &[b"PUT"]);
        let phrases = Operator::Phrases(Box::new(Phrases::new(vec![b"sel".to_vec(), b"/etc/".to_vec()]).unwrap()));
        check(&phrases, "", &[b"a SELECT", b"/ETC/x"], &[b"etc"]);
        assert_eq!(phrases.ask(b"xSELy", b"", true), Reply::Yes(vec![b"SEL".to_vec()]));
    }

    #[test]
    fn numbers_are_compared_as_atoi_reads_them() {
        let compare = |comparison| Operator::Compare(comparison, Text::default());
        check(&compare(Comparison::Equal), "0", &[b"0", b"", b"abc", b"-0"], &[b"1"]);
        check(&compare(Comparison::GreaterOrEqual), "5", &[b"5", b" 12x"], &[b"4", b"-5"]);
        check(&compare(Comparison::Greater), "5", &[b"6"], &[b"5"]);
        check(&compare(Comparison::LessOrEqual), "5", &[b"5", b"-9"], &[b"6"]);
        check(&compare(Comparison::Less), "5", &[b"+4"], &[b"5", b"99999999999999999999999"]);
    }

    #[test]
    fn bytes_and_encodings_are_validated() {
        let mut allowed = [false; 256];
        allowed[1..=255].fill(true);
        check(&Operator::OutsideBytes(Box::new(allowed)), "", &[b"a\0"], &[b"a\xff", b""]);
        check(&Operator::BadUrlEncoding, "", &[b"%", b"%2", b"%zz", b"%20%"], &[b"%20", b"a", b""]);
        check(&Operator::BadUtf8, "", &[b"\xff", b"\xc0\xaf"], &["é".as_bytes(), b""]);
        let networks = ["10.0.0.0/8", "::1/128"].map(|text| text.parse().unwrap()).to_vec();
        check(&Operator::Networks(networks), "", &[b"10.1.2.3", b"::1", b"::ffff:10.0.0.1"], &[b"11.0.0.1", b"x"]);
        let card = Operator::CardNumber(Pattern::new(r"\d{13,16}").unwrap());
        check(&card, "", &[b"n 4111111111111111"], &[b"4111111111111112", b"1"]);
        check(&Operator::Always, "", &[b""], &[]);
        check(&Operator::Never, "", &[], &[b"a"]);
    }

    #[test]
    fn injections_are_detected() {
        check(&Operator::Sql, "", &[b"1' or '1'='1", b"1 union select 1,2--"], &[b"hello", b"o'neil", b"a b c", b""]);
        check(&Operator::Script, "", &[b"<script>x", b"\" onload=alert(1)"], &[b"a < b", b"x=1", b""]);
        assert_eq!(Operator::Sql.ask(b"1 or 1=1", b"", true), Reply::Yes(vec![b"1&1".to_vec()]));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3000))]

        /// The gates never hide what libinjection would find, and nothing here panics.
        #[test]
        fn gates_hide_nothing(text in prop_oneof![
            "[a-zA-Z0-9_]{0,12}", "[ -~]{0,20}",
            "(union|or|and|select|1|x|_|sleep|user|'|\"|--| |=|<|on|a){0,6}",
        ]) {
            let text = text.as_bytes();
            prop_assert!(gates::may_be_sql(text) || !libinjectionrs::detect_sqli(text).is_injection());
            prop_assert!(gates::may_be_script(text) || !libinjectionrs::detect_xss(text).is_injection());
        }

        #[test]
        fn hostile_bytes_do_not_panic(text in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = (Operator::Sql.ask(&text, b"", true), Operator::Script.ask(&text, b"", false));
        }
    }
}

//! Which exchanges are meant: a small language for the command line and the address bar.
//!
//! ```text
//! status=429 and not source=gateway
//! status>=500 or outcome=upstream-timeout
//! endpoint~/users method=POST                  two tests side by side: both must hold
//! client=10.0.0.0/8 reason=attacks.* latency>200ms
//! status in (401, 403) path="/v1/a b"
//! session=none
//! ```
//!
//! `=` and `!=` compare, with `*` for any text; `~` and `!~` ask whether a text lies within, whatever its case; `<`, `<=`, `>`, `>=` order
//! numbers and severities; `in (..)` is a list of `=`. `none` is what is absent. A bare flag (`cookie`) is true.

use std::fmt;

use ipnet::IpNet;

use super::field::Field;
use super::parse::Parser;

/// Longest filter, in bytes.
pub const FILTER_BYTES_MAX: usize = 8_192;
/// Most tests in one filter.
pub const TESTS_MAX: usize = 256;
/// Deepest nesting.
pub const DEPTH_MAX: usize = 32;

/// Which exchanges are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these hold; every exchange when there is none.
    All(Vec<Filter>),
    /// At least one of these holds.
    Any(Vec<Filter>),
    /// This does not hold.
    Not(Box<Filter>),
    /// One test.
    Test(Test),
}

/// A comparison of one field.
#[derive(Clone, Debug, PartialEq)]
pub struct Test {
    /// What is compared.
    pub field: Field,
    /// How.
    pub operator: Operator,
    /// With what.
    pub value: Value,
}

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    More,
    /// `>=`
    AtLeast,
    /// `~`
    Holds,
    /// `!~`
    HoldsNot,
}

impl Operator {
    /// How it is written.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Holds => "~",
            Self::HoldsNot => "!~",
        }
    }

    pub(super) const fn orders(self) -> bool {
        matches!(self, Self::Less | Self::AtMost | Self::More | Self::AtLeast)
    }
}

/// What a field is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A text; `*` stands for any text under `=` and `!=`.
    Text(String),
    /// A number in the field's unit.
    Number(u64),
    /// A request id or the hash of a session.
    Hash(u64),
    /// A range of statuses such as `4xx`: the first and the last.
    Statuses(u16, u16),
    /// A network; an address is a network of one.
    Network(IpNet),
    /// True or false.
    Flag(bool),
    /// Absent.
    Absent,
}

/// Why a filter could not be read, with the place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterError {
    /// The filter as typed.
    pub text: String,
    /// Where, in bytes.
    pub at: usize,
    /// How long, in bytes.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

impl std::error::Error for FilterError {}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A caret under a long line helps nobody: show what lies around the place.
        let from = floor_boundary(&self.text, self.at.saturating_sub(60));
        let to = floor_boundary(&self.text, self.at.saturating_add(self.length).saturating_add(20));
        let shown: String = self
            .text
            .get(from..to)
            .unwrap_or_default()
            .chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .collect();
        let before = self.text.get(from..self.at).map_or(0, |text| text.chars().count());
        let under = self.text.get(self.at..self.at.saturating_add(self.length)).map_or(1, |text| text.chars().count());
        writeln!(f, "{}", self.message)?;
        writeln!(f, "  {shown}")?;
        write!(f, "  {}{} {}", " ".repeat(before), "^".repeat(under.clamp(1, 60)), self.help)
    }
}

fn floor_boundary(text: &str, mut at: usize) -> usize {
    at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

impl Filter {
    /// Every exchange.
    pub const fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// Reads a filter as typed. An empty one means every exchange.
    ///
    /// # Errors
    /// When it is no filter, with the place and what to do.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Parser::new(text).filter()
    }

    /// Both filters hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut mine), Self::All(theirs)) => {
                mine.extend(theirs);
                Self::All(mine)
            }
            (Self::All(mut filters), other) => {
                filters.push(other);
                Self::All(filters)
            }
            (filter, other) => Self::All(vec![filter, other]),
        }
    }

    /// A filter of one test.
    pub const fn test(field: Field, operator: Operator, value: Value) -> Self {
        Self::Test(Test { field, operator, value })
    }
}

/// Writes the filter so that it reads back the same.
impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |f: &mut fmt::Formatter<'_>, filters: &[Self], word: &str| {
            for (index, filter) in filters.iter().enumerate() {
                if index > 0 {
                    write!(f, " {word} ")?;
                }
                match filter {
                    Self::All(_) | Self::Any(_) => write!(f, "({filter})")?,
                    _ => write!(f, "{filter}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::All(filters) => join(f, filters, "and"),
            Self::Any(filters) => join(f, filters, "or"),
            Self::Not(filter) => match &**filter {
                Self::All(_) | Self::Any(_) => write!(f, "not ({filter})"),
                _ => write!(f, "not {filter}"),
            },
            Self::Test(test) => write!(f, "{}{}{}", test.field.name(), test.operator.text(), test.value),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) if is_bare(text) => f.write_str(text),
            Self::Text(text) => write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")),
            Self::Number(number) => write!(f, "{number}"),
            Self::Hash(number) => write!(f, "{number:016x}"),
            Self::Statuses(first, _) => write!(f, "{}xx", first / 100),
            Self::Network(network) if network.prefix_len() == network.max_prefix_len() => {
                write!(f, "{}", network.addr())
            }
            Self::Network(network) => write!(f, "{network}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::Absent => f.write_str("none"),
        }
    }
}

fn is_bare(text: &str) -> bool {
    !text.is_empty() && text != "none" && text.bytes().all(is_word_byte)
}

/// Bytes of a value that needs no quotes.
pub(super) fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-./:*{}@$+%#[]?&;|^".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn fails(text: &str, expected: &Expect) {
        expected.assert_eq(&Filter::parse(text).expect_err(text).to_string());
    }

    #[test]
    fn filters_read_as_meant() {
        for (text, expected) in [
            ("", ""),
            ("status=429", "status=429"),
            ("status = 429 source=gateway", "status=429 and source=gateway"),
            ("status>=500 or latency>200ms", "status>=500 or latency>200000"),
            ("a_b_c=1 or", ""),
            ("not (status=200 or status=4xx) && cookie", "not (status=200 or status=4xx) and cookie=true"),
            ("status in (401, 403) method=POST", "(status=401 or status=403) and method=POST"),
            ("endpoint~/users/{id}", "endpoint~/users/{id}"),
            ("client=10.1.2.3/8 or client=::ffff:192.0.2.7", "client=10.0.0.0/8 or client=192.0.2.7"),
            ("path='/a b' !cookie", "path=\"/a b\" and not cookie=true"),
            ("reason=attacks.* and reason!=attacks.sql", "reason=attacks.* and reason!=attacks.sql"),
            ("session=none or session=00ff", "session=none or session=00000000000000ff"),
            ("response_bytes>=1.5MB severity>=high", "response_bytes>=1500000 and severity>=high"),
            ("order=1", ""),
        ] {
            match Filter::parse(text) {
                Ok(filter) => assert_eq!(filter.to_string(), expected, "{text}"),
                Err(error) => assert!(expected.is_empty(), "{error}"),
            }
        }
    }

    #[test]
    fn and_binds_more_than_or() {
        let Filter::Any(parts) = Filter::parse("status=1 or status=2 and status=3 or status=4").expect("a filter")
        else {
            panic!("not an `or`");
        };
        assert_eq!(parts.len(), 3);
        assert!(matches!(parts[1], Filter::All(_)));
    }

    #[test]
    fn mistakes_are_shown_where_they_are() {
        fails(
            "statu=429",
            &expect![[r#"
            unknown field `statu`
              statu=429
              ^^^^^ did you mean `status`?"#]],
        );
        fails(
            "status=429 and verdict=refused",
            &expect![[r#"
            `refused` is no verdict
              status=429 and verdict=refused
                                     ^^^^^^^ expected one of pass, would-refuse, refuse"#]],
        );
        fails(
            "status=4x",
            &expect![[r#"
            `4x` is no status
              status=4x
                     ^^ expected a status such as `429` or `4xx`"#]],
        );
        fails(
            "(status=429 or cookie",
            &expect![[r#"
            `(` without `)`
              (status=429 or cookie
              ^ close it"#]],
        );
        fails(
            "status=429)",
            &expect![[r#"
            `)` without `(`
              status=429)
                        ^ remove it"#]],
        );
        fails(
            "client=10.0.0.0/40",
            &expect![[r#"
            `10.0.0.0/40` is no address
              client=10.0.0.0/40
                     ^^^^^^^^^^^ expected an address or a network such as `10.0.0.0/8`"#]],
        );
        fails(
            "path>3",
            &expect![[r#"
            `path` has no order
              path>3
                   ^ use `path=..` or `path~..`"#]],
        );
        fails(
            "status=",
            &expect![[r#"
            `status` is compared with nothing
              status=
                     ^ write `status=..`, in quotes when it has spaces"#]],
        );
        fails(
            "path=\"/é",
            &expect![[r#"
            a quote is open
              path="/é
                   ^ close it"#]],
        );
        fails(
            "latency>5parsecs or status=200",
            &expect![[r#"
            `5parsecs` is no latency
              latency>5parsecs or status=200
                      ^^^^^^^^ expected a duration such as `200ms` or `1.5s`; without unit it means microseconds"#]],
        );
        fails(
            "status=200 or",
            &expect![[r#"
            the filter ends too early
              status=200 or
                           ^ expected a test such as `status=429`"#]],
        );
    }

    #[test]
    fn limits_hold() {
        assert!(Filter::parse(&"(".repeat(5_000)).is_err());
        assert!(Filter::parse(&"not ".repeat(2_000)).is_err());
        assert!(Filter::parse(&"cookie ".repeat(TESTS_MAX)).is_ok());
        assert!(Filter::parse(&"cookie ".repeat(TESTS_MAX + 1)).is_err());
        assert!(Filter::parse(&format!("path={}", "a".repeat(FILTER_BYTES_MAX))).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_an_error_that_can_be_shown(text in "\\PC{0,60}") {
            if let Err(error) = Filter::parse(&text) {
                prop_assert!(error.to_string().lines().count() == 3);
            }
        }

        #[test]
        fn what_is_shown_reads_back(text in "((status|path|client|cookie|reason|session|latency|verdict)(=|!=|~|>=)('[a-z\" ]{0,4}'|4xx|429|none|10\\.0\\.0\\.1|refuse|true)( and | or | not | ){1,2}){0,4}cookie") {
            if let Ok(filter) = Filter::parse(&text) {
                prop_assert_eq!(Filter::parse(&filter.to_string()).expect("what is shown"), filter);
            }
        }
    }
}

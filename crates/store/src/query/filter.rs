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
use std::net::IpAddr;

use ipnet::IpNet;

use super::field::{Field, Kind, SEVERITIES, Unit};

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

    const fn orders(self) -> bool {
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
        let mut parser = Parser { text, at: 0, tests: 0 };
        if text.len() > FILTER_BYTES_MAX {
            let message = format!("the filter has {} bytes", text.len());
            return Err(parser.error(0, 1, message, format!("write at most {FILTER_BYTES_MAX}")));
        }
        parser.skip_space();
        if parser.rest().is_empty() {
            return Ok(Self::everything());
        }
        let filter = parser.any(0)?;
        if !parser.rest().is_empty() {
            return Err(parser.error(parser.at, 1, "`)` without `(`".to_owned(), "remove it".to_owned()));
        }
        Ok(filter)
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
fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"_-./:*{}@$+%#[]?&;|^".contains(&byte)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    tests: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn error(&self, at: usize, length: usize, message: String, help: String) -> FilterError {
        FilterError { text: self.text.to_owned(), at, length, message, help }
    }

    fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// Takes a word such as `and`, when it stands alone.
    fn word(&mut self, words: &[&str]) -> bool {
        let rest = self.rest();
        for word in words {
            let Some(head) = rest.get(..word.len()) else { continue };
            let next = rest.as_bytes().get(word.len());
            let symbol = !word.starts_with(|character: char| character.is_ascii_alphabetic());
            let ends = symbol || next.is_none_or(|&byte| !is_word_byte(byte) && !b"=!<>~".contains(&byte));
            if head.eq_ignore_ascii_case(word) && ends {
                self.at += word.len();
                self.skip_space();
                return true;
            }
        }
        false
    }

    fn any(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut filters = vec![self.all(depth)?];
        while self.word(&["or", "||"]) {
            filters.push(self.all(depth)?);
        }
        Ok(if filters.len() == 1 { filters.swap_remove(0) } else { Filter::Any(filters) })
    }

    fn all(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let mut filters = vec![self.one(depth)?];
        loop {
            let joined = self.word(&["and", "&&"]);
            let before = self.at;
            let ends = self.rest().is_empty() || self.rest().starts_with(')') || self.word(&["or", "||"]);
            self.at = before;
            if ends && !joined {
                break;
            }
            filters.push(self.one(depth)?);
        }
        Ok(if filters.len() == 1 { filters.swap_remove(0) } else { Filter::All(filters) })
    }

    fn one(&mut self, depth: usize) -> Result<Filter, FilterError> {
        let start = self.at;
        if depth > DEPTH_MAX {
            let help = format!("nest at most {DEPTH_MAX} deep");
            return Err(self.error(start, 1, "the filter is nested too deep".to_owned(), help));
        }
        if self.word(&["not", "!"]) {
            return Ok(Filter::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.rest().starts_with('(') {
            self.at += 1;
            self.skip_space();
            let filter = self.any(depth + 1)?;
            if !self.rest().starts_with(')') {
                return Err(self.error(start, 1, "`(` without `)`".to_owned(), "close it".to_owned()));
            }
            self.at += 1;
            self.skip_space();
            return Ok(filter);
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Filter, FilterError> {
        let start = self.at;
        let name_end =
            self.rest().find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(self.rest().len());
        let name = self.rest().get(..name_end).unwrap_or_default();
        if name.is_empty() {
            let message = if self.rest().is_empty() { "the filter ends too early" } else { "a field is missing" };
            return Err(self.error(start, 1, message.to_owned(), "expected a test such as `status=429`".to_owned()));
        }
        let Some(field) = Field::from_name(name) else {
            let help = match Field::nearest(name) {
                Some(nearest) => format!("did you mean `{nearest}`?"),
                None => format!("known are {}", Field::all().map(Field::name).collect::<Vec<_>>().join(", ")),
            };
            return Err(self.error(start, name.len(), format!("unknown field `{name}`"), help));
        };
        self.tests += 1;
        if self.tests > TESTS_MAX {
            let message = "the filter has too many tests".to_owned();
            return Err(self.error(start, name.len(), message, format!("write at most {TESTS_MAX}")));
        }
        self.at += name.len();
        self.skip_space();
        if self.word(&["in"]) {
            return self.list(field);
        }
        let Some(operator) = self.operator() else {
            if field.kind() == Kind::Flag {
                return Ok(Filter::test(field, Operator::Is, Value::Flag(true)));
            }
            let help = format!("expected an operator, such as `{name}=..`");
            return Err(self.error(
                self.at.min(self.text.len()),
                1,
                format!("`{name}` is compared with nothing"),
                help,
            ));
        };
        self.skip_space();
        let value = self.value(field, operator)?;
        Ok(Filter::test(field, operator, value))
    }

    /// `(a, b, c)`: any of them.
    fn list(&mut self, field: Field) -> Result<Filter, FilterError> {
        if !self.rest().starts_with('(') {
            let message = "`in` wants a list".to_owned();
            return Err(self.error(self.at, 1, message, "write it as `in (401, 403)`".to_owned()));
        }
        let start = self.at;
        self.at += 1;
        let mut filters = Vec::new();
        loop {
            self.skip_space();
            filters.push(Filter::test(field, Operator::Is, self.value(field, Operator::Is)?));
            self.tests += 1;
            if self.tests > TESTS_MAX {
                let message = "the filter has too many tests".to_owned();
                return Err(self.error(start, 1, message, format!("write at most {TESTS_MAX}")));
            }
            match self.rest().as_bytes().first() {
                Some(b',') => self.at += 1,
                Some(b')') => {
                    self.at += 1;
                    self.skip_space();
                    return Ok(if filters.len() == 1 { filters.swap_remove(0) } else { Filter::Any(filters) });
                }
                _ => return Err(self.error(start, 1, "`(` without `)`".to_owned(), "close it".to_owned())),
            }
        }
    }

    fn operator(&mut self) -> Option<Operator> {
        const OPERATORS: [(&str, Operator); 9] = [
            ("==", Operator::Is),
            ("!=", Operator::IsNot),
            ("!~", Operator::HoldsNot),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("=", Operator::Is),
            ("<", Operator::Less),
            (">", Operator::More),
            ("~", Operator::Holds),
        ];
        let (text, operator) = OPERATORS.into_iter().find(|(text, _)| self.rest().starts_with(text))?;
        self.at += text.len();
        Some(operator)
    }

    /// The value as typed and whether it was in quotes.
    fn word_or_quoted(&mut self) -> Result<(String, bool), FilterError> {
        let start = self.at;
        let Some(quote @ (b'"' | b'\'')) = self.rest().as_bytes().first().copied() else {
            let rest = self.rest();
            let end = rest.bytes().position(|byte| !is_word_byte(byte)).unwrap_or(rest.len());
            let word = rest.get(..end).unwrap_or_default().to_owned();
            self.at += end;
            return Ok((word, false));
        };
        let mut value = String::new();
        let mut escaped = false;
        for (offset, character) in self.rest().char_indices().skip(1) {
            match character {
                _ if escaped => {
                    value.push(character);
                    escaped = false;
                }
                '\\' => escaped = true,
                _ if character == char::from(quote) => {
                    self.at += offset + 1;
                    return Ok((value, true));
                }
                _ => value.push(character),
            }
        }
        Err(self.error(start, 1, "a quote is open".to_owned(), "close it".to_owned()))
    }

    fn value(&mut self, field: Field, operator: Operator) -> Result<Value, FilterError> {
        let start = self.at;
        let (text, quoted) = self.word_or_quoted()?;
        let length = self.at - start;
        self.skip_space();
        if text.is_empty() && !quoted {
            let help = format!("write `{}{}..`, in quotes when it has spaces", field.name(), operator.text());
            return Err(self.error(start, 1, format!("`{}` is compared with nothing", field.name()), help));
        }
        meaning(field, operator, &text, quoted)
            .map_err(|(message, help)| self.error(start, length.max(1), message, help))
    }
}

type Complaint = (String, String);

/// What a value means for its field; a complaint and a piece of advice when it means nothing.
fn meaning(field: Field, operator: Operator, text: &str, quoted: bool) -> Result<Value, Complaint> {
    let name = field.name();
    let kind = field.kind();
    let contains = matches!(operator, Operator::Holds | Operator::HoldsNot);
    if operator.orders() && !matches!(kind, Kind::Number(_) | Kind::Severity) {
        return Err((format!("`{name}` has no order"), format!("use `{name}=..` or `{name}~..`")));
    }
    let textual = matches!(kind, Kind::Text | Kind::List | Kind::Choice(_) | Kind::Endpoint);
    if contains && !textual {
        return Err((format!("`{name}` is no text"), format!("use `{name}=..`")));
    }
    let absent = text == "none" && !quoted && !operator.orders() && !contains;
    match kind {
        Kind::Choice(choices) => choice(name, choices, text, contains),
        Kind::Number(_) if field == Field::Server && absent => Ok(Value::Absent),
        Kind::Number(unit) => number(field, operator, unit, text),
        Kind::Flag => match text {
            "true" | "yes" => Ok(Value::Flag(true)),
            "false" | "no" => Ok(Value::Flag(false)),
            _ => Err((format!("`{text}` is neither true nor false"), format!("use `{name}=true` or `{name}=false`"))),
        },
        Kind::Category => {
            let names: Vec<_> = crate::query::categories().collect();
            choice(name, &names, text, contains)
        }
        Kind::Severity => choice(name, SEVERITIES, text, contains),
        _ if absent => Ok(Value::Absent),
        Kind::Hash => u64::from_str_radix(text, 16)
            .map(Value::Hash)
            .map_err(|_| (format!("`{text}` is no {name}"), "expected up to 16 hexadecimal digits".to_owned())),
        Kind::Address => network(text).map(Value::Network).ok_or_else(|| {
            (format!("`{text}` is no address"), "expected an address or a network such as `10.0.0.0/8`".to_owned())
        }),
        Kind::Endpoint | Kind::Text | Kind::List => Ok(Value::Text(text.to_owned())),
    }
}

fn choice(name: &str, choices: &[&str], text: &str, contains: bool) -> Result<Value, Complaint> {
    if contains || text.contains('*') || choices.contains(&text) {
        return Ok(Value::Text(text.to_owned()));
    }
    Err((format!("`{text}` is no {name}"), format!("expected one of {}", choices.join(", "))))
}

fn network(text: &str) -> Option<IpNet> {
    let network: IpNet = text.parse().ok().or_else(|| Some(IpNet::from(text.parse::<IpAddr>().ok()?)))?;
    // Stored addresses are canonical: IPv4 in its own form.
    if let IpNet::V6(v6) = network
        && let Some(v4) = v6.addr().to_ipv4_mapped()
        && let Some(prefix) = v6.prefix_len().checked_sub(96)
    {
        return ipnet::Ipv4Net::new(v4, prefix).ok().map(|net| IpNet::V4(net.trunc()));
    }
    Some(network.trunc())
}

fn number(field: Field, operator: Operator, unit: Unit, text: &str) -> Result<Value, Complaint> {
    if field == Field::Status
        && let Some(class) = text.strip_suffix("xx").and_then(|class| class.parse::<u16>().ok())
        && (1..=5).contains(&class)
        && matches!(operator, Operator::Is | Operator::IsNot)
    {
        return Ok(Value::Statuses(class * 100, class * 100 + 99));
    }
    let digits_end = text.bytes().position(|byte| !byte.is_ascii_digit() && byte != b'.').unwrap_or(text.len());
    let (digits, suffix) = text.split_at(digits_end);
    let factor = match (unit, suffix) {
        (_, "") => Some(1.0),
        (Unit::Micros, "us") | (Unit::Bytes, "B") => Some(1.0),
        (Unit::Micros, "ms") => Some(1e3),
        (Unit::Micros, "s") => Some(1e6),
        (Unit::Bytes, "kB" | "KB" | "k") => Some(1e3),
        (Unit::Bytes, "MB" | "M") => Some(1e6),
        (Unit::Bytes, "KiB") => Some(1024.0),
        (Unit::Bytes, "MiB") => Some(1024.0 * 1024.0),
        _ => None,
    };
    let exact = digits.parse::<u64>().ok().filter(|_| suffix.is_empty());
    let scaled = || {
        let value = digits.parse::<f64>().ok()? * factor?;
        (value.is_finite() && value < 9e15).then(|| value.round() as u64)
    };
    exact.or_else(scaled).map(Value::Number).ok_or_else(|| {
        let help = match unit {
            Unit::Plain if field == Field::Status => "expected a status such as `429` or `4xx`",
            Unit::Plain => "expected a whole number",
            Unit::Micros => "expected a duration such as `200ms` or `1.5s`; without unit it means microseconds",
            Unit::Bytes => "expected a size such as `512`, `10kB` or `1MiB`",
        };
        (format!("`{text}` is no {}", field.name()), help.to_owned())
    })
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

//! Reading a filter: a parser by recursive descent with bounded depth, and what a value means for its field.

use std::net::IpAddr;

use ipnet::IpNet;

use super::field::{Field, Kind, SEVERITIES, Unit};
use super::filter::{DEPTH_MAX, FILTER_BYTES_MAX, Filter, FilterError, Operator, TESTS_MAX, Value, is_word_byte};

/// Reads one filter.
pub(super) struct Parser<'a> {
    text: &'a str,
    at: usize,
    tests: usize,
}

impl<'a> Parser<'a> {
    /// Starts at the first byte.
    pub(super) const fn new(text: &'a str) -> Self {
        Self { text, at: 0, tests: 0 }
    }

    /// The whole text as a filter; an empty one means every exchange.
    pub(super) fn filter(mut self) -> Result<Filter, FilterError> {
        if self.text.len() > FILTER_BYTES_MAX {
            let message = format!("the filter has {} bytes", self.text.len());
            return Err(self.error(0, 1, message, format!("write at most {FILTER_BYTES_MAX}")));
        }
        self.skip_space();
        if self.rest().is_empty() {
            return Ok(Filter::everything());
        }
        let filter = self.any(0)?;
        if !self.rest().is_empty() {
            return Err(self.error(self.at, 1, "`)` without `(`".to_owned(), "remove it".to_owned()));
        }
        Ok(filter)
    }

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

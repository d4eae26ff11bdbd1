//! Values of simple types (XML Schema part 2): read from their lexical forms and compared.

use std::cmp::Ordering;

/// The built-in types with a lexical form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Atom {
    String,
    Boolean,
    Decimal,
    Integer,
    Float,
    Double,
    Duration,
    DateTime,
    Time,
    Date,
    YearMonth,
    Year,
    MonthDay,
    Day,
    Month,
    Hex,
    Base64,
    Uri,
    Name,
    NcName,
    Nmtoken,
    Language,
    Qualified,
    Id,
    IdRef,
}

/// A value, for comparison.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Text(String),
    Decimal(Decimal),
    Double(f64),
    Bool(bool),
    /// Seconds on a common line with nine digits behind the point, and whether a time zone was written.
    Moment(i128, bool),
    /// Months and nanoseconds.
    Duration(i64, i128),
    Bytes(Vec<u8>),
    /// A name with its namespace.
    Name(String, String),
    List(Vec<Value>),
}

/// A decimal number in normal form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    is_negative: bool,
    /// Digits before the point without leading zeros.
    whole: String,
    /// Digits behind the point without trailing zeros.
    fraction: String,
}

impl Decimal {
    /// Digits before and behind the point.
    pub(super) fn digits(&self) -> (usize, usize) {
        (self.whole.len(), self.fraction.len())
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        let size = |a: &Self, b: &Self| {
            a.whole
                .len()
                .cmp(&b.whole.len())
                .then_with(|| a.whole.cmp(&b.whole))
                .then_with(|| a.fraction.cmp(&b.fraction))
        };
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => size(self, other),
            (true, true) => size(other, self),
        }
    }
}

impl Value {
    /// How two values lie to each other; `None` when the order of their type says nothing about them.
    pub(super) fn compare(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Decimal(a), Self::Decimal(b)) => Some(a.compare(b)),
            (Self::Double(a), Self::Double(b)) => a.partial_cmp(b),
            (Self::Moment(a, a_zoned), Self::Moment(b, b_zoned)) => {
                // A time without zone may be up to 14 hours off (part 2, section 3.2.7.4).
                const SLACK: i128 = 14 * 3_600 * 1_000_000_000;
                if a_zoned == b_zoned || (a - b).abs() > SLACK { Some(a.cmp(b)) } else { None }
            }
            (Self::Duration(..), Self::Duration(..)) => compare_durations(self, other),
            _ => None,
        }
    }

    /// The same value.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Double(a), Self::Double(b)) => a == b || (a.is_nan() && b.is_nan()),
            (Self::List(a), Self::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.is_same(b)),
            _ => self == other,
        }
    }
}

/// Durations are compared by what they lead to from four dates (part 2, section 3.2.6.2).
fn compare_durations(a: &Value, b: &Value) -> Option<Ordering> {
    let (Value::Duration(a_months, a_nanos), Value::Duration(b_months, b_nanos)) = (a, b) else { return None };
    let mut result = None;
    for (year, month) in [(1696, 9), (1697, 2), (1903, 3), (1903, 7)] {
        let end = |months: i64, nanos: i128| {
            let total = (year * 12 + month - 1i64).saturating_add(months);
            let days = days_from_civil(total.div_euclid(12), total.rem_euclid(12) + 1, 1);
            i128::from(days) * 86_400_000_000_000 + nanos
        };
        let order = end(*a_months, *a_nanos).cmp(&end(*b_months, *b_nanos));
        if result.is_some_and(|known| known != order) {
            return None;
        }
        result = Some(order);
    }
    result
}

/// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

fn days_in_month(year: i64, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 => 29,
        2 => 28,
        _ => 31,
    }
}

impl Atom {
    /// What a text must be.
    pub(super) const fn expected(self) -> &'static str {
        match self {
            Self::String => "text",
            Self::Boolean => "`true`, `false`, `1` or `0`",
            Self::Decimal => "a decimal number",
            Self::Integer => "a whole number",
            Self::Float | Self::Double => "a number",
            Self::Duration => "a duration such as `P1DT2H`",
            Self::DateTime => "a date and time such as `2026-01-31T12:00:00Z`",
            Self::Time => "a time such as `12:00:00`",
            Self::Date => "a date such as `2026-01-31`",
            Self::YearMonth => "a year and month such as `2026-01`",
            Self::Year => "a year such as `2026`",
            Self::MonthDay => "a month and day such as `--01-31`",
            Self::Day => "a day such as `---31`",
            Self::Month => "a month such as `--01`",
            Self::Hex => "hexadecimal digits in pairs",
            Self::Base64 => "base64",
            Self::Uri => "a URI",
            Self::Name | Self::NcName | Self::Nmtoken => "a name",
            Self::Language => "a language such as `en-GB`",
            Self::Qualified => "a name with a declared prefix",
            Self::Id => "a name that is unique in the document",
            Self::IdRef => "the identifier of an element",
        }
    }

    /// Reads a value; white space has been treated. `resolve` gives the namespace of a prefix. `None` when the text is not of the type.
    pub(super) fn value(self, text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Option<Value> {
        match self {
            Self::String => Some(Value::Text(text.to_owned())),
            Self::Boolean => match text {
                "true" | "1" => Some(Value::Bool(true)),
                "false" | "0" => Some(Value::Bool(false)),
                _ => None,
            },
            Self::Decimal => decimal(text).map(Value::Decimal),
            Self::Integer => decimal(text).filter(|_| !text.contains('.')).map(Value::Decimal),
            Self::Float => double(text).map(|value| {
                #[allow(clippy::cast_possible_truncation, reason = "the value space of `float` is that of f32")]
                let single = value as f32;
                Value::Double(f64::from(single))
            }),
            Self::Double => double(text).map(Value::Double),
            Self::Duration => duration(text),
            Self::DateTime => moment(text, Parts { date: 3, time: true }),
            Self::Time => moment(text, Parts { date: 0, time: true }),
            Self::Date => moment(text, Parts { date: 3, time: false }),
            Self::YearMonth => moment(text, Parts { date: 2, time: false }),
            Self::Year => moment(text, Parts { date: 1, time: false }),
            Self::MonthDay => recurring(text, "--", true, true),
            Self::Month => recurring(text, "--", true, false).or_else(|| {
                // The first edition wrote `--MM--`.
                recurring(&text.replacen("--", "", 2).replacen("--", "", 1), "", true, false)
                    .filter(|_| text.ends_with("--"))
            }),
            Self::Day => recurring(text, "---", false, true),
            Self::Hex => hex(text).map(Value::Bytes),
            Self::Base64 => base64(text).map(Value::Bytes),
            Self::Uri => is_uri(text).then(|| Value::Text(text.to_owned())),
            Self::Name => is_name(text, true).then(|| Value::Text(text.to_owned())),
            Self::NcName | Self::Id | Self::IdRef => is_name(text, false).then(|| Value::Text(text.to_owned())),
            Self::Nmtoken => {
                (!text.is_empty() && text.chars().all(super::super::is_name_char)).then(|| Value::Text(text.to_owned()))
            }
            Self::Language => is_language(text).then(|| Value::Text(text.to_ascii_lowercase())),
            Self::Qualified => qualified(text, resolve),
        }
    }

    /// The length that length facets mean; `None` where they mean nothing.
    pub(super) fn length(self, text: &str) -> Option<usize> {
        match self {
            Self::Hex => Some(text.len() / 2),
            Self::Base64 => base64(text).map(|bytes| bytes.len()),
            Self::String
            | Self::Uri
            | Self::Name
            | Self::NcName
            | Self::Nmtoken
            | Self::Language
            | Self::Id
            | Self::IdRef => Some(text.chars().count()),
            _ => None,
        }
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = !(whole.is_empty() && fraction.is_empty())
        && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = (whole.trim_start_matches('0'), fraction.trim_end_matches('0'));
    is_number.then(|| Decimal {
        is_negative: is_negative && !(whole.is_empty() && fraction.is_empty()),
        whole: whole.to_owned(),
        fraction: fraction.to_owned(),
    })
}

fn double(text: &str) -> Option<f64> {
    match text {
        "INF" => return Some(f64::INFINITY),
        "-INF" => return Some(f64::NEG_INFINITY),
        "NaN" => return Some(f64::NAN),
        _ => {}
    }
    let is_number = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))
        && text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if is_number { text.parse().ok() } else { None }
}

/// Takes a number of exactly this many digits.
fn digits(text: &str, count: usize) -> Option<(u32, &str)> {
    let (number, rest) = text.split_at_checked(count)?;
    number.bytes().all(|byte| byte.is_ascii_digit()).then(|| number.parse().ok())?.map(|number| (number, rest))
}

/// The offset of a time zone in minutes; `None` inside when there is none.
fn zone(text: &str) -> Option<Option<i64>> {
    match text {
        "" => return Some(None),
        "Z" => return Some(Some(0)),
        _ => {}
    }
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let rest = text.strip_prefix(['+', '-'])?;
    let (hours, rest) = digits(rest, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let is_zone = rest.is_empty() && minutes < 60 && (hours < 14 || (hours == 14 && minutes == 0));
    is_zone.then_some(Some(sign * i64::from(hours * 60 + minutes)))
}

/// How many parts of a date are written, and whether a time is.
struct Parts {
    date: u8,
    time: bool,
}

fn moment(text: &str, parts: Parts) -> Option<Value> {
    let (mut year, mut month, mut day, mut nanos) = (1972i64, 1u32, 1u32, 0i128);
    let mut rest = text;
    if parts.date > 0 {
        let unsigned = rest.strip_prefix('-').unwrap_or(rest);
        let length = unsigned.find(|c: char| !c.is_ascii_digit()).unwrap_or(unsigned.len());
        // No calendar needs years of more than nine digits.
        if !(4..=9).contains(&length) || (length > 4 && unsigned.starts_with('0')) {
            return None;
        }
        let (number, after) = digits(unsigned, length)?;
        year = if rest.len() > unsigned.len() { -i64::from(number) } else { i64::from(number) };
        // There was no year 0 (part 2, section 3.2.7.1).
        if year == 0 {
            return None;
        }
        rest = after;
    }
    if parts.date > 1 {
        (month, rest) = digits(rest.strip_prefix('-')?, 2)?;
    }
    if parts.date > 2 {
        (day, rest) = digits(rest.strip_prefix('-')?, 2)?;
    }
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(year, month) {
        return None;
    }
    if parts.time {
        if parts.date > 0 {
            rest = rest.strip_prefix('T')?;
        }
        (nanos, rest) = time_of_day(rest)?;
    }
    let offset = zone(rest)?;
    let days = days_from_civil(year, i64::from(month), i64::from(day));
    let at = i128::from(days) * 86_400_000_000_000 + nanos - i128::from(offset.unwrap_or(0)) * 60_000_000_000;
    Some(Value::Moment(at, offset.is_some()))
}

fn time_of_day(text: &str) -> Option<(i128, &str)> {
    let (hours, rest) = digits(text, 2)?;
    let (minutes, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (seconds, rest) = digits(rest.strip_prefix(':')?, 2)?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(after) => {
            let length = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (digits, rest) = after.split_at_checked(length).filter(|_| length > 0)?;
            let nanos: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
            (nanos.parse::<i128>().ok()?, rest)
        }
        None => (0, rest),
    };
    let is_midnight = hours == 24 && minutes == 0 && seconds == 0 && fraction == 0;
    if !is_midnight && (hours > 23 || minutes > 59 || seconds > 59) {
        return None;
    }
    let seconds = i128::from(hours) * 3_600 + i128::from(minutes) * 60 + i128::from(seconds);
    Some((seconds * 1_000_000_000 + fraction, rest))
}

fn recurring(text: &str, prefix: &str, has_month: bool, has_day: bool) -> Option<Value> {
    let mut rest = text.strip_prefix(prefix)?;
    let (mut month, mut day) = (1, 1);
    if has_month {
        (month, rest) = digits(rest, 2)?;
    }
    if has_day {
        rest = if has_month { rest.strip_prefix('-')? } else { rest };
        (day, rest) = digits(rest, 2)?;
    }
    if !(1..=12).contains(&month) || day == 0 || day > days_in_month(1972, month) {
        return None;
    }
    let offset = zone(rest)?;
    let days = days_from_civil(1972, i64::from(month), i64::from(day));
    let at = (i128::from(days) * 1_440 - i128::from(offset.unwrap_or(0))) * 60_000_000_000;
    Some(Value::Moment(at, offset.is_some()))
}

fn duration(text: &str) -> Option<Value> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let mut rest = rest.strip_prefix('P')?;
    let (mut months, mut nanos) = (0i64, 0i128);
    let mut allowed = "YMD";
    let mut had_any = false;
    while !rest.is_empty() {
        if allowed.len() <= 3
            && !allowed.contains('S')
            && let Some(after) = rest.strip_prefix('T')
        {
            (rest, allowed, had_any) = (after, "HMS", false);
            continue;
        }
        let length = rest.find(|c: char| !c.is_ascii_digit()).filter(|length| *length > 0 && *length <= 12)?;
        let (number, after) = rest.split_at_checked(length)?;
        let number: i64 = number.parse().ok()?;
        let (fraction, after) = match after.strip_prefix('.') {
            Some(after) => {
                let length = after.find(|c: char| !c.is_ascii_digit()).filter(|length| *length > 0)?;
                let (digits, after) = after.split_at_checked(length).filter(|(_, after)| after.starts_with('S'))?;
                let nanos: String = digits.chars().chain(std::iter::repeat('0')).take(9).collect();
                (nanos.parse::<i128>().ok()?, after)
            }
            None => (0, after),
        };
        let unit = after.chars().next()?;
        let is_time = allowed.contains('S') || allowed.is_empty() || allowed == "MS";
        let position = allowed.find(unit)?;
        match (unit, is_time) {
            ('Y', _) => months = months.checked_add(number.checked_mul(12)?)?,
            ('M', false) => months = months.checked_add(number)?,
            ('D', _) => nanos += i128::from(number) * 86_400_000_000_000,
            ('H', _) => nanos += i128::from(number) * 3_600_000_000_000,
            ('M', true) => nanos += i128::from(number) * 60_000_000_000,
            _ => nanos += i128::from(number) * 1_000_000_000 + fraction,
        }
        allowed = allowed.get(position + 1..).unwrap_or_default();
        rest = after.get(1..).unwrap_or_default();
        had_any = true;
        if allowed.is_empty() && !rest.is_empty() && !(unit == 'D' && rest.starts_with('T')) {
            return None;
        }
    }
    had_any.then_some(Value::Duration(sign * months, i128::from(sign) * nanos))
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| match pair {
            [high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
            }
            _ => None,
        })
        .collect()
}

/// Base64 with padding; single spaces may stand anywhere (part 2, section 3.2.16).
fn base64(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    let (mut bits, mut count, mut padding) = (0u32, 0u32, 0u32);
    for byte in text.bytes().filter(|byte| *byte != b' ') {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' => {
                padding += 1;
                0
            }
            _ => return None,
        };
        if padding > 2 || (padding > 0 && byte != b'=') {
            return None;
        }
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            let [_, a, b, c] = bits.to_be_bytes();
            out.extend([a, b, c].iter().take(3 - padding as usize));
            (bits, count) = (0, 0);
        }
    }
    (count == 0).then_some(out)
}

/// XML Schema 1.0 takes nearly everything as `anyURI`; what no URI can be made of is refused.
fn is_uri(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let is_right = match byte {
            b'%' => {
                bytes.next().is_some_and(|b| b.is_ascii_hexdigit())
                    && bytes.next().is_some_and(|b| b.is_ascii_hexdigit())
            }
            b' ' => true,
            _ => byte > 0x20 && !matches!(byte, b'<' | b'>' | b'"'),
        };
        if !is_right {
            return false;
        }
    }
    true
}

fn is_name(text: &str, may_have_colon: bool) -> bool {
    text.starts_with(super::super::is_name_start)
        && text.chars().all(|c| super::super::is_name_char(c) && (may_have_colon || c != ':'))
}

fn is_language(text: &str) -> bool {
    text.split('-').enumerate().all(|(at, part)| {
        (1..=8).contains(&part.len())
            && part.bytes().all(|byte| byte.is_ascii_alphabetic() || (at > 0 && byte.is_ascii_digit()))
    })
}

fn qualified(text: &str, resolve: &dyn Fn(&str) -> Option<String>) -> Option<Value> {
    let (prefix, name) = text.split_once(':').unwrap_or(("", text));
    let is_right = is_name(name, false) && (!text.contains(':') || is_name(prefix, false));
    is_right.then(|| resolve(prefix))?.map(|namespace| Value::Name(namespace, name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(atom: Atom, text: &str) -> Option<Value> {
        atom.value(text, &|prefix| (prefix == "p").then(|| "urn:p".to_owned()))
    }

    #[test]
    fn lexical_forms_are_told() {
        use Atom::*;
        for (atom, right, wrong) in [
            (Boolean, &["true", "0"][..], &["TRUE", "yes", ""][..]),
            (Decimal, &["1", "-1.50", "+.5", "5.", "007"], &["", ".", "1e3", "+-1", "1,0"]),
            (Integer, &["-7", "+0", "007"], &["1.0", "1.", "--1", "0x1"]),
            (Double, &["1e3", "-INF", "NaN", ".5E-3", "1."], &["inf", "+INF", "nan", "1e", "infinity", "e1"]),
            (
                Duration,
                &["P1Y", "-P1Y2M3DT4H5M6.7S", "PT0S", "P1DT1H", "P2M"],
                &["P", "PT", "P1S", "P1YT", "1Y", "P1H", "PT1.5M", "P1M1Y", "PT1H1H"],
            ),
            (
                DateTime,
                &[
                    "2026-02-28T23:59:59Z",
                    "2024-02-29T24:00:00",
                    "-0001-01-01T00:00:00.1+14:00",
                    "12026-01-01T00:00:00",
                ],
                &[
                    "2026-02-29T00:00:00",
                    "2026-1-01T00:00:00",
                    "0000-01-01T00:00:00",
                    "2026-01-01",
                    "2026-01-01T24:00:01",
                    "2026-01-01T00:00:00+14:01",
                    "2026-01-01T00:00:00.",
                ],
            ),
            (Time, &["00:00:00", "23:59:59.999-05:00"], &["24:00:01", "1:00:00", "00:00"]),
            (Date, &["2026-01-31", "2026-01-31Z"], &["2026-01-32", "2026-13-01", "20260131"]),
            (YearMonth, &["2026-12"], &["2026-13", "2026"]),
            (Year, &["2026", "-0044"], &["26", "0000", "02026"]),
            (MonthDay, &["--02-29", "--12-31Z"], &["--02-30", "-02-01"]),
            (Day, &["---31"], &["---32", "--31"]),
            (Month, &["--01", "--01--"], &["--13", "-01"]),
            (Hex, &["", "0aFF"], &["0", "0g"]),
            (Base64, &["", "YQ==", "YW I=", "YWJj"], &["Y", "YQ=", "YQ==YQ==", "Y===", "YQ=a"]),
            (Uri, &["http://a/b?c#d", "", "a b", "../x"], &["%zz", "<a>", "%2"]),
            (Name, &["a:b", "_x"], &["1a", "", "a b"]),
            (NcName, &["a-b.c"], &["a:b", "-a"]),
            (Nmtoken, &["1a:b"], &["", "a b"]),
            (Language, &["en", "de-CH-1996"], &["e1", "abcdefghi", "en-", ""]),
            (Qualified, &["p:a"], &["q:a", "p:", ":a", "p:a:b"]),
        ] {
            for text in right {
                assert!(value(atom, text).is_some(), "{atom:?} {text:?}");
            }
            for text in wrong {
                assert!(value(atom, text).is_none(), "{atom:?} {text:?}");
            }
        }
    }

    #[test]
    fn values_are_compared_as_values() {
        use Ordering::*;
        let order = |atom: Atom, a: &str, b: &str| value(atom, a).unwrap().compare(&value(atom, b).unwrap());
        for (atom, a, b, expected) in [
            (Atom::Decimal, "007.50", "7.5", Some(Equal)),
            (Atom::Decimal, "-0", "0.0", Some(Equal)),
            (Atom::Decimal, "-10", "-9.99", Some(Less)),
            (Atom::Decimal, "123456789012345678901234567890", "123456789012345678901234567889.9", Some(Greater)),
            (Atom::DateTime, "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", Some(Equal)),
            (Atom::DateTime, "2026-01-01T00:00:00Z", "2026-01-01T10:00:00", None),
            (Atom::DateTime, "2026-01-01T00:00:00Z", "2026-01-03T10:00:00", Some(Less)),
            (Atom::DateTime, "2025-12-31T24:00:00", "2026-01-01T00:00:00", Some(Equal)),
            (Atom::Duration, "P1Y", "P12M", Some(Equal)),
            (Atom::Duration, "P1M", "P30D", None),
            (Atom::Duration, "P1M", "P32D", Some(Less)),
            (Atom::Double, "1e2", "100", Some(Equal)),
            (Atom::Double, "NaN", "1", None),
        ] {
            assert_eq!(order(atom, a, b), expected, "{a} {b}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_without_a_panic(text in "[-+PTYMDHSZ:.0-9a-fINF=%é ]{0,24}") {
            use Atom::*;
            for atom in [Decimal, Integer, Float, Double, Duration, DateTime, Time, Date, YearMonth, Year, MonthDay, Day, Month, Hex, Base64, Uri, Language, Qualified] {
                if let Some(read) = value(atom, &text) {
                    let _ = (read.compare(&read), atom.length(&text));
                }
            }
        }
    }
}

//! Numbers by their exact text: compared, tested and divided as decimals, never rounded through a double.

use std::cmp::Ordering;

/// A JSON number as it was written.
#[derive(Clone, Copy, Debug)]
pub struct Number<'t> {
    text: &'t str,
    plain_integer: bool,
}

/// A number in normal form: `0.d1 d2 d3... x 10^magnitude` without leading or trailing zero digits.
struct Decimal<'t> {
    negative: bool,
    /// The digits, possibly with a point between them.
    digits: &'t [u8],
    /// How many digits there are, the point not counted; 0 for zero.
    count: i64,
    magnitude: i64,
}

impl<'t> Number<'t> {
    #[inline]
    pub(super) fn new(text: &'t str, plain_integer: bool) -> Self {
        Self { text, plain_integer }
    }

    /// A number from text that is known to follow the JSON grammar, such as a constant of a schema.
    pub fn from_text(text: &'t str) -> Self {
        Self { text, plain_integer: text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') }
    }

    /// The text as written.
    pub fn text(self) -> &'t str {
        self.text
    }

    /// True when it is written as a whole number, without point or exponent.
    #[inline]
    pub(crate) fn is_plain_integer(self) -> bool {
        self.plain_integer
    }

    /// True for a whole number however it is written: `1`, `1.0` and `1e2` are.
    #[inline]
    pub fn is_integer(self) -> bool {
        self.plain_integer || {
            let decimal = self.decimal();
            decimal.count == 0 || decimal.magnitude >= decimal.count
        }
    }

    /// The nearest double; infinite when it overflows.
    pub fn as_f64(self) -> f64 {
        self.text.parse().unwrap_or(f64::NAN)
    }

    /// The value as an integer, if it is a whole number and fits.
    #[inline]
    pub fn as_i64(self) -> Option<i64> {
        if self.plain_integer {
            return self.text.parse().ok();
        }
        let decimal = self.decimal();
        let magnitude = i64::try_from(decimal.whole()?).ok()?;
        Some(if decimal.negative { -magnitude } else { magnitude })
    }

    /// The value as an unsigned integer, if it is a whole number and fits.
    pub fn as_u64(self) -> Option<u64> {
        let decimal = self.decimal();
        let whole = decimal.whole()?;
        (whole == 0 || !decimal.negative).then_some(whole)
    }

    /// Exact comparison.
    pub fn compare(self, other: Number<'_>) -> Ordering {
        if self.plain_integer
            && other.plain_integer
            && let (Ok(a), Ok(b)) = (self.text.parse::<i64>(), other.text.parse::<i64>())
        {
            return a.cmp(&b);
        }
        let (a, b) = (self.decimal(), other.decimal());
        let sign = |d: &Decimal<'_>| {
            if d.count == 0 {
                0
            } else if d.negative {
                -1
            } else {
                1
            }
        };
        let order = sign(&a).cmp(&sign(&b));
        if order != Ordering::Equal || a.count == 0 {
            return order;
        }
        let size = a.magnitude.cmp(&b.magnitude).then_with(|| a.digits().cmp(b.digits()));
        if a.negative { size.reverse() } else { size }
    }

    /// Feeds a form to `feed` that is the same for equal numbers, however they are written.
    pub(super) fn canonical(self, mut feed: impl FnMut(&[u8])) {
        let decimal = self.decimal();
        if decimal.count == 0 {
            feed(b"0");
            return;
        }
        feed(if decimal.negative { b"-" } else { b"+" });
        feed(&decimal.magnitude.to_le_bytes());
        for digit in decimal.digits() {
            feed(&[digit]);
        }
    }

    fn decimal(self) -> Decimal<'t> {
        let bytes = self.text.as_bytes();
        let (negative, rest) = match bytes.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, bytes),
        };
        let (mantissa, exponent) = match rest.iter().position(|byte| matches!(byte, b'e' | b'E')) {
            Some(at) => (rest.get(..at).unwrap_or_default(), exponent(rest.get(at + 1..).unwrap_or_default())),
            None => (rest, 0),
        };
        let point = mantissa.iter().position(|byte| *byte == b'.').unwrap_or(mantissa.len());
        let significant = |byte: &u8| !matches!(byte, b'0' | b'.');
        let (Some(first), Some(last)) = (mantissa.iter().position(significant), mantissa.iter().rposition(significant))
        else {
            return Decimal { negative, digits: &[], count: 0, magnitude: 0 };
        };
        let digits = mantissa.get(first..=last).unwrap_or_default();
        let has_point = first < point && point < last;
        let whole_digits = if first < point { to_i64(point - first) } else { -to_i64(first - point - 1) };
        Decimal {
            negative,
            digits,
            count: to_i64(digits.len()) - i64::from(has_point),
            magnitude: exponent.saturating_add(whole_digits),
        }
    }
}

impl Decimal<'_> {
    fn digits(&self) -> impl Iterator<Item = u8> + '_ {
        self.digits.iter().copied().filter(|byte| *byte != b'.')
    }

    /// The absolute value, if it is whole and fits.
    fn whole(&self) -> Option<u64> {
        if self.count == 0 {
            return Some(0);
        }
        if self.magnitude < self.count || self.magnitude > 20 {
            return None;
        }
        let mut whole = 0u64;
        for digit in self.digits() {
            whole = whole.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        for _ in self.count..self.magnitude {
            whole = whole.checked_mul(10)?;
        }
        Some(whole)
    }
}

fn to_i64(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

/// Reads an exponent; one too large to matter saturates, far enough from the ends that sums cannot overflow.
fn exponent(bytes: &[u8]) -> i64 {
    const CEILING: i64 = i64::MAX / 4;
    let (negative, digits) = match bytes.split_first() {
        Some((b'-', rest)) => (true, rest),
        Some((b'+', rest)) => (false, rest),
        _ => (false, bytes),
    };
    let mut value = 0i64;
    for digit in digits {
        value = value.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0'))).min(CEILING);
    }
    if negative { -value } else { value }
}

/// The divisor of `multipleOf`, prepared: `mantissa x 10^exponent` without trailing zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divisor {
    mantissa: u64,
    exponent: i64,
}

impl Divisor {
    /// Prepares a divisor; `None` when it is not positive or has more digits than fit 64 bits.
    pub fn new(number: Number<'_>) -> Option<Self> {
        let decimal = number.decimal();
        if decimal.negative || decimal.count == 0 {
            return None;
        }
        let mut mantissa = 0u64;
        for digit in decimal.digits() {
            mantissa = mantissa.checked_mul(10)?.checked_add(u64::from(digit - b'0'))?;
        }
        Some(Self { mantissa, exponent: decimal.magnitude.checked_sub(decimal.count)? })
    }

    /// Whether the number is a whole multiple, exactly. Linear in the number's text.
    pub fn divides(self, number: Number<'_>) -> bool {
        let decimal = number.decimal();
        if decimal.count == 0 {
            return true;
        }
        let shift = decimal.magnitude - decimal.count - self.exponent;
        if shift < 0 {
            // The number's last digit is not zero, so it is no multiple of a larger power of ten times an integer,
            // unless the divisor's own factors bring it there, which its normal form rules out.
            return false;
        }
        let modulus = u128::from(self.mantissa);
        let mut rest = 0u128;
        for digit in decimal.digits() {
            rest = (rest * 10 + u128::from(digit - b'0')) % modulus;
        }
        (rest * power_of_ten(shift, modulus)).is_multiple_of(modulus)
    }
}

/// 10^power mod modulus, by squaring.
fn power_of_ten(mut power: i64, modulus: u128) -> u128 {
    let (mut result, mut base) = (1 % modulus, 10 % modulus);
    while power > 0 {
        if power & 1 == 1 {
            result = result * base % modulus;
        }
        base = base * base % modulus;
        power >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divides(divisor: &str, number: &str) -> bool {
        Divisor::new(Number::from_text(divisor)).unwrap().divides(Number::from_text(number))
    }

    #[test]
    fn numbers_compare_exactly() {
        let order = |a, b| Number::from_text(a).compare(Number::from_text(b));
        assert_eq!(order("1", "1.0"), Ordering::Equal);
        assert_eq!(order("100", "1e2"), Ordering::Equal);
        assert_eq!(order("-0", "0.0e5"), Ordering::Equal);
        assert_eq!(order("9007199254740993", "9007199254740992.0"), Ordering::Greater);
        assert_eq!(order("-2", "-1.5"), Ordering::Less);
        assert_eq!(order("0.05", "0.5"), Ordering::Less);
        assert_eq!(order("1e999999999999999999999", "1e5"), Ordering::Greater);
        assert_eq!(order("-1e999999999999999999999", "-1e5"), Ordering::Less);
    }

    #[test]
    fn whole_numbers_are_recognised_however_written() {
        for (text, expected) in
            [("1", true), ("1.0", true), ("1.5", false), ("1e2", true), ("15e-1", false), ("0.0", true)]
        {
            assert_eq!(Number::from_text(text).is_integer(), expected, "{text}");
        }
        assert_eq!(Number::from_text("1.2e3").as_i64(), Some(1200));
        assert_eq!(Number::from_text("-9223372036854775808").as_i64(), Some(i64::MIN));
        assert_eq!(Number::from_text("18446744073709551616").as_u64(), None);
        assert_eq!(Number::from_text("-1").as_u64(), None);
    }

    #[test]
    fn multiples_are_exact() {
        assert!(divides("0.0001", "0.0075"));
        assert!(!divides("0.0001", "0.00751"));
        assert!(divides("0.01", "19.99"));
        assert!(!divides("0.123456789", "1e308"));
        assert!(divides("1e-8", "12391239123"));
        assert!(divides("10", "1e999999999"));
        assert!(!divides("10", "5"));
        assert!(divides("2.5", "5"));
        assert!(divides("25", "50"));
        assert!(Divisor::new(Number::from_text("0")).is_none());
        assert!(Divisor::new(Number::from_text("-1")).is_none());
    }
}

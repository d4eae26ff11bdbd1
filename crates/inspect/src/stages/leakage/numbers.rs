//! Payment card numbers (ISO/IEC 7812, Luhn) and IBANs (ISO 13616), checked by their digits.

use model::finding::Confidence;
use model::reason::LeakReason::{CardNumber, Iban};

use super::Found;

/// Adds the number that begins at the digit or capital at `at`; gives how many bytes were looked at.
pub(super) fn judge(text: &[u8], at: usize, found: &mut Found) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    if !rest.first().is_some_and(u8::is_ascii_digit) {
        return iban(rest, at, found).max(1);
    }
    let (digits, length) = grouped_digits(rest);
    if let Some(brand) = card(&digits) {
        // Unspaced numbers of this length are also identifiers: the check digit lets one in ten through.
        let spaced = length > digits.len();
        let confidence = if spaced { Confidence::Sure } else { Confidence::Likely };
        found.add(CardNumber, confidence, brand, at..at + length);
    }
    length.max(1)
}

/// Up to 19 digits, in groups split by one space or hyphen each, and how many bytes they take.
fn grouped_digits(text: &[u8]) -> (smallvec::SmallVec<[u8; 20]>, usize) {
    let mut digits = smallvec::SmallVec::new();
    let mut length = 0;
    for (at, &byte) in text.iter().enumerate() {
        match byte {
            b'0'..=b'9' => {
                if digits.len() < 20 {
                    digits.push(byte - b'0');
                }
                length = at + 1;
            }
            b' ' | b'-' if at == length && at > 0 && digits.len() < 20 => {}
            _ => break,
        }
    }
    // Letters or a fraction behind it make it part of something else.
    if text.get(length).is_some_and(|byte| {
        byte.is_ascii_alphanumeric() || *byte == b'.' && text.get(length + 1).is_some_and(u8::is_ascii_digit)
    }) {
        digits.clear();
    }
    (digits, length)
}

/// The brand of a card number whose prefix, length and check digit are right.
fn card(digits: &[u8]) -> Option<&'static str> {
    let prefix = |count: usize| digits.iter().take(count).fold(0u32, |value, &digit| value * 10 + u32::from(digit));
    let brand = match (digits.len(), prefix(2), prefix(4)) {
        (13 | 16 | 19, 40..=49, _) => "a Visa card number",
        (16, 51..=55, _) | (16, _, 2221..=2720) => "a Mastercard number",
        (15, 34 | 37, _) => "an American Express card number",
        (16 | 19, 65, _) | (16, _, 6011) => "a Discover card number",
        (14, 36 | 38 | 39, _) | (14, 30, _) => "a Diners Club card number",
        (16, 35, _) => "a JCB card number",
        _ => return None,
    };
    let mut seen = [false; 10];
    for &digit in digits {
        if let Some(slot) = seen.get_mut(digit as usize) {
            *slot = true;
        }
    }
    // `4000000000000000`-like fillers.
    let varied = seen.iter().filter(|seen| **seen).count() >= 2;
    (varied && luhn(digits)).then_some(brand)
}

/// ISO/IEC 7812-1, annex B.
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, &digit)| {
            let digit = u32::from(digit);
            match (at % 2, digit) {
                (0, digit) => digit,
                (_, digit) if digit >= 5 => digit * 2 - 9,
                (_, digit) => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Lengths by country (SWIFT IBAN registry).
const LENGTHS: &[(&[u8; 2], usize)] = &[
    (b"AT", 20),
    (b"BE", 16),
    (b"BG", 22),
    (b"CH", 21),
    (b"CY", 28),
    (b"CZ", 24),
    (b"DE", 22),
    (b"DK", 18),
    (b"EE", 20),
    (b"ES", 24),
    (b"FI", 18),
    (b"FR", 27),
    (b"GB", 22),
    (b"GR", 27),
    (b"HR", 21),
    (b"HU", 28),
    (b"IE", 22),
    (b"IS", 26),
    (b"IT", 27),
    (b"LI", 21),
    (b"LT", 20),
    (b"LU", 20),
    (b"LV", 21),
    (b"MC", 27),
    (b"MT", 31),
    (b"NL", 18),
    (b"NO", 15),
    (b"PL", 28),
    (b"PT", 25),
    (b"RO", 24),
    (b"SE", 24),
    (b"SI", 19),
    (b"SK", 24),
    (b"SM", 27),
    (b"AE", 23),
    (b"SA", 24),
    (b"IL", 23),
    (b"TR", 26),
    (b"UA", 29),
    (b"BR", 29),
    (b"RS", 22),
    (b"KW", 30),
    (b"QA", 29),
    (b"GE", 22),
];

/// Adds an IBAN at the front of `text`, which begins at `start`; gives how many bytes were looked at as a word.
fn iban(text: &[u8], start: usize, found: &mut Found) -> usize {
    let word = text.iter().take(64).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    // The check digits tell most words apart before their country is looked up.
    if !text.get(2..4).is_some_and(|digits| digits.iter().all(u8::is_ascii_digit)) {
        return word;
    }
    let Some(&(_, wanted)) = LENGTHS.iter().find(|(country, _)| text.starts_with(*country)) else { return word };
    let mut characters = smallvec::SmallVec::<[u8; 36]>::new();
    let mut length = 0;
    for (at, &byte) in text.iter().enumerate().take(48) {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' if characters.len() < wanted => {
                characters.push(byte);
                length = at + 1;
            }
            b' ' if at == length && characters.len() < wanted => {}
            _ => break,
        }
    }
    let ends = text.get(length).is_none_or(|byte| !byte.is_ascii_alphanumeric());
    if characters.len() == wanted && ends && mod97(&characters) {
        found.add(Iban, Confidence::Sure, "an IBAN", start..start + length);
        return length;
    }
    word
}

/// ISO 7064, MOD 97-10, with the first four characters moved to the end.
fn mod97(characters: &[u8]) -> bool {
    let (head, tail) = characters.split_at_checked(4).unwrap_or((characters, &[]));
    let rest = tail.iter().chain(head).fold(0u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    rest == 1
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn numbers_are_checked() {
        check("{\"pan\":\"4111 1111 1111 1111\"}", &[(CardNumber, Confidence::Sure, "a Visa card number")]);
        check("{\"pan\":\"5500000000000004\"}", &[(CardNumber, Confidence::Likely, "a Mastercard number")]);
        check("4111 1111 1111 1112", &[]);
        check("id-4111111111111111", &[]);
        check("0.4111111111111111", &[]);
        check("{\"iban\":\"DE89 3704 0044 0532 0130 00\"}", &[(Iban, Confidence::Sure, "an IBAN")]);
        check("GB82WEST12345698765432", &[(Iban, Confidence::Sure, "an IBAN")]);
        check("GB82WEST12345698765433", &[]);
    }
}

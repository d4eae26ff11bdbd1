//! E-mail addresses, and national identity numbers that carry check digits: Spain (DNI, NIE), Italy (codice fiscale),
//! France (NIR), Brazil (CPF), the Netherlands are left out where nothing but digits tells them from other numbers.

use model::finding::Confidence;
use model::reason::LeakReason::{Email, NationalId};

use super::Found;

/// Adds the address around the sign at `at`.
pub(super) fn judge_address(text: &[u8], at: usize, found: &mut Found) {
    if let Some(address) = address(text, at) {
        found.add(Email, Confidence::Hint, "e-mail addresses", address);
    }
}

/// Adds the identity number that begins at the digit or capital at `at`.
pub(super) fn judge(text: &[u8], at: usize, found: &mut Found) {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let rest = text.get(at..).unwrap_or_default();
    let length = rest.iter().take(17).take_while(|&&byte| is_part(byte)).count();
    let word = rest.get(..length).unwrap_or_default();
    if !(9..=16).contains(&length) {
        return;
    }
    let (what, confidence) = if spanish(word) {
        ("a Spanish identity number", Confidence::Likely)
    } else if italian(word) {
        ("an Italian tax code", Confidence::Sure)
    } else if american(word) {
        ("a US social security number", Confidence::Hint)
    } else if brazilian(word) {
        ("a Brazilian CPF", Confidence::Sure)
    } else if french(word) {
        ("a French social security number", Confidence::Likely)
    } else {
        return;
    };
    found.add(NationalId, confidence, what, at..at + length);
}

/// Where an address stands: a local part before the sign, a host with a dot behind it.
fn address(text: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let local = text.get(at.saturating_sub(64)..at).unwrap_or_default();
    let before = local
        .iter()
        .rev()
        .take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'+' | b'-'))
        .count();
    let rest = text.get(at + 1..).unwrap_or_default();
    let host =
        rest.iter().take(64).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-')).count();
    let host = rest.get(..host).unwrap_or_default();
    let dotted = host.iter().position(|&byte| byte == b'.').is_some_and(|dot| dot > 0 && dot + 2 < host.len());
    (before > 0 && dotted).then(|| at - before..at + 1 + host.len())
}

/// Eight digits (or X, Y, Z and seven) and a letter that is their remainder by 23.
fn spanish(word: &[u8]) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let [first, middle @ .., last] = word else { return false };
    if word.len() != 9 || !middle.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let lead = match first {
        b'0'..=b'9' => first - b'0',
        b'X' | b'Y' | b'Z' => first - b'X',
        _ => return false,
    };
    let number = middle.iter().fold(u32::from(lead), |value, digit| value * 10 + u32::from(digit - b'0'));
    LETTERS.get((number % 23) as usize) == Some(last)
}

/// Sixteen characters `LLLLLLDDLDDLDDDL` whose last is a check letter (decree 12 March 1974).
fn italian(word: &[u8]) -> bool {
    const ODD: [u32; 26] =
        [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let form = b"LLLLLLDDLDDLDDDL";
    let fits = word.len() == 16
        && word
            .iter()
            .zip(form)
            .all(|(byte, form)| if *form == b'L' { byte.is_ascii_uppercase() } else { byte.is_ascii_digit() });
    if !fits {
        return false;
    }
    let value = |byte: u8| u32::from(if byte.is_ascii_digit() { byte - b'0' } else { byte.saturating_sub(b'A') });
    let sum: u32 = word
        .iter()
        .take(15)
        .enumerate()
        .map(|(at, &byte)| {
            // Counted from one, as the decree does: the first is odd.
            if at % 2 == 0 { ODD.get(value(byte) as usize).copied().unwrap_or(0) } else { value(byte) }
        })
        .sum();
    word.last().is_some_and(|&last| value(last) == sum % 26)
}

/// `AAA-GG-SSSS` in the ranges that were given out; it has no check digit, so it is only a hint.
fn american(word: &[u8]) -> bool {
    let [a @ (b'0'..=b'8'), b, c, b'-', d, e, b'-', rest @ ..] = word else { return false };
    let digits = [a, b, c, d, e].into_iter().chain(rest).all(u8::is_ascii_digit);
    let area = [*a, *b, *c];
    digits && rest.len() == 4 && &area != b"000" && &area != b"666" && (*d, *e) != (b'0', b'0') && rest != b"0000"
}

/// `123.456.789-09`: eleven digits, the last two computed from the others.
fn brazilian(word: &[u8]) -> bool {
    let punctuated =
        word.len() == 14 && word.get(3) == Some(&b'.') && word.get(7) == Some(&b'.') && word.get(11) == Some(&b'-');
    let digits: smallvec::SmallVec<[u32; 11]> =
        word.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| u32::from(byte - b'0')).collect();
    if !punctuated || digits.len() != 11 || digits.iter().all(|digit| Some(digit) == digits.first()) {
        return false;
    }
    let check = |count: usize| {
        let sum: u32 =
            digits.iter().take(count).zip((2..=count as u32 + 1).rev()).map(|(digit, weight)| digit * weight).sum();
        match sum % 11 {
            0 | 1 => 0,
            rest => 11 - rest,
        }
    };
    digits.get(9) == Some(&check(9)) && digits.get(10) == Some(&check(10))
}

/// Fifteen digits: sex, year, month, place, order, and the key 97 minus the remainder.
fn french(word: &[u8]) -> bool {
    let [b'1' | b'2', ..] = word else { return false };
    if word.len() != 15 || !word.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let number = |range: std::ops::Range<usize>| {
        word.get(range).unwrap_or_default().iter().fold(0u64, |value, digit| value * 10 + u64::from(digit - b'0'))
    };
    (1..=12).contains(&number(3..5)) && 97 - number(0..13) % 97 == number(13..15)
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn identities_are_checked() {
        check("12345678Z", &[(NationalId, Confidence::Likely, "a Spanish identity number")]);
        check("12345678A", &[]);
        check("RSSMRA85T10A562S", &[(NationalId, Confidence::Sure, "an Italian tax code")]);
        check("RSSMRA85T10A562T", &[]);
        check("{\"cpf\":\"529.982.247-25\"}", &[(NationalId, Confidence::Sure, "a Brazilian CPF")]);
        check("529.982.247-26", &[]);
        check("{\"ssn\":\"078-05-1120\"}", &[(NationalId, Confidence::Hint, "a US social security number")]);
        check("000-12-3456", &[]);
        check("255081416802538", &[(NationalId, Confidence::Likely, "a French social security number")]);
    }
}

//! Dates, times and durations (RFC 3339, ISO 8601 as RFC 3339 appendix A has it).

fn number(bytes: &[u8]) -> Option<u32> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0u32, |value, byte| byte.is_ascii_digit().then(|| value * 10 + u32::from(byte - b'0')))
}

/// `YYYY-MM-DD` of a day that exists.
pub(super) fn date(bytes: &[u8]) -> bool {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = bytes else { return false };
    let (Some(year), Some(month), Some(day)) =
        (number(&[*y1, *y2, *y3, *y4]), number(&[*m1, *m2]), number(&[*d1, *d2]))
    else {
        return false;
    };
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if is_leap => 29,
        2 => 28,
        _ => return false,
    };
    (1..=days).contains(&day)
}

/// `HH:MM:SS[.f]Z` or with an offset. A leap second is only right at 23:59:60 UTC.
pub(super) fn time(bytes: &[u8]) -> bool {
    let Some(([h1, h2, b':', m1, m2, b':', s1, s2], mut rest)) = bytes.split_first_chunk::<8>() else { return false };
    let (Some(hour), Some(minute), Some(second)) = (number(&[*h1, *h2]), number(&[*m1, *m2]), number(&[*s1, *s2]))
    else {
        return false;
    };
    if let Some((b'.', fraction)) = rest.split_first() {
        let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            return false;
        }
        rest = fraction.get(digits..).unwrap_or_default();
    }
    let offset_minutes = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let (Some(hours), Some(minutes)) = (number(&[*h1, *h2]), number(&[*m1, *m2])) else { return false };
            if hours > 23 || minutes > 59 {
                return false;
            }
            let offset = i64::from(hours * 60 + minutes);
            if *sign == b'-' { -offset } else { offset }
        }
        _ => return false,
    };
    if hour > 23 || minute > 59 || second > 60 {
        return false;
    }
    let utc_minute = (i64::from(hour * 60 + minute) - offset_minutes).rem_euclid(24 * 60);
    second < 60 || utc_minute == 23 * 60 + 59
}

/// A date, `T`, and a time.
pub(super) fn date_time(text: &str) -> bool {
    let Some((day, rest)) = text.as_bytes().split_first_chunk::<10>() else { return false };
    match rest.split_first() {
        Some((b'T' | b't', clock)) => date(day) && time(clock),
        _ => false,
    }
}

/// `P1Y2M3DT4H5M6S` with units in order and without gaps, or `P1W`.
pub(super) fn duration(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('P') else { return false };
    if let Some(weeks) = rest.strip_suffix('W') {
        return !weeks.is_empty() && weeks.bytes().all(|byte| byte.is_ascii_digit());
    }
    let (day_part, clock_part) = match rest.split_once('T') {
        Some((day_part, clock_part)) => (day_part, Some(clock_part)),
        None => (rest, None),
    };
    match clock_part {
        None => !day_part.is_empty() && units(day_part, "YMD"),
        Some(clock) => !clock.is_empty() && units(day_part, "YMD") && units(clock, "HMS"),
    }
}

/// Numbers followed by the given units, in order, and once begun without gaps.
fn units(mut text: &str, units: &str) -> bool {
    let mut allowed = units;
    let mut is_first = true;
    while !text.is_empty() {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let Some(unit) = text.get(digits..).and_then(|rest| rest.chars().next()) else { return false };
        let Some(position) = allowed.find(unit) else { return false };
        if digits == 0 || (!is_first && position != 0) {
            return false;
        }
        allowed = allowed.get(position + 1..).unwrap_or_default();
        text = text.get(digits + unit.len_utf8()..).unwrap_or_default();
        is_first = false;
    }
    true
}

//! Times of logs.

use model::Timestamp;

/// A time in any of the forms logs have: RFC 3339, Common Log Format, seconds, milliseconds, microseconds or nanoseconds
/// since the epoch.
pub fn parse(text: &[u8]) -> Option<Timestamp> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let first = text.bytes().next()?;
    if text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return epoch(text);
    }
    if first.is_ascii_digit() && text.as_bytes().get(2) == Some(&b'/') {
        return common_log(text);
    }
    let with_zone = text.parse::<jiff::Timestamp>().ok();
    let time = with_zone.or_else(|| {
        // `2026-11-23 10:00:00` without a zone is UTC in the logs that write it.
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
    })?;
    Some(Timestamp(time.as_microsecond()))
}

/// A number since the epoch; its size tells its unit, which is unambiguous from 2001 to 2286.
fn epoch(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: i64 = whole.parse().ok()?;
    Some(Timestamp(match whole.len() {
        0..=11 => {
            let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
            number.checked_mul(1_000_000)?.checked_add(digits.parse().ok()?)?
        }
        12..=13 => number.checked_mul(1_000)?,
        14..=16 => number,
        _ => number / 1_000,
    }))
}

/// `23/Nov/2026:10:00:00 +0100`.
fn common_log(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let digits = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (day, year) = (digits(0, 2)?, digits(7, 11)?);
    let month = MONTHS.iter().position(|name| Some(*name) == text.get(3..6))? as i64 + 1;
    let (hour, minute, second) = (digits(12, 14)?, digits(15, 17)?, digits(18, 20)?);
    let zone = match text.get(21..26) {
        Some(zone) => {
            let minutes = zone.get(1..3)?.parse::<i64>().ok()? * 60 + zone.get(3..5)?.parse::<i64>().ok()?;
            if zone.starts_with('-') { -minutes } else { minutes }
        }
        None => 0,
    };
    let secs = days_since_epoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - zone * 60;
    Some(Timestamp::from_secs(secs))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, counting years from March so that the leap day is the last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_means_the_same_moment() {
        for text in [
            "2026-11-23T10:00:00Z",
            "2026-11-23T11:00:00+01:00",
            "23/Nov/2026:10:00:00 +0000",
            "23/Nov/2026:05:30:00 -0430",
            "2026-11-23 10:00:00",
            "1795428000",
            "1795428000.000",
            "1795428000000",
            "1795428000000000",
            "1795428000000000000",
        ] {
            assert_eq!(parse(text.as_bytes()), Some(Timestamp(1_795_428_000_000_000)), "{text}");
        }
        for text in ["", "-", "yesterday", "99/Foo/2026:10:00:00", "23/Nov", "\u{e9}3/Nov/2026", "99999999999999999999"]
        {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}

//! Ranges of time as people write them in the address bar: `since=24h`, `since=2026-01-01T00:00:00Z&until=now`.

use model::Timestamp;
use store::rollup::Range;

use crate::problem::Problem;

/// The longest range: what lies before is cut off, not refused.
const SECONDS_MAX: i64 = 10 * 366 * 86_400;
/// The range when none is asked for.
const SECONDS_ORDINARY: i64 = 86_400;

/// Reads a range. Moments are RFC 3339 times, seconds since the epoch, lengths before now (`90m`, `24h`, `7d`, `4w`), or `now`.
///
/// # Errors
/// When one cannot be read, or the range is empty.
pub fn range(since: Option<&str>, until: Option<&str>, now: Timestamp) -> Result<Range, Problem> {
    let until = until.map_or(Ok(now), |text| moment(text, now))?;
    let since = match since {
        Some(text) => moment(text, now)?,
        None => Range::last(SECONDS_ORDINARY, until).since,
    };
    if since >= until {
        return Err(Problem::invalid("the range is empty: `since` must lie before `until`"));
    }
    let earliest = Range::last(SECONDS_MAX, until).since;
    Ok(Range { since: since.max(earliest), until })
}

fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Problem> {
    if text == "now" {
        return Ok(now);
    }
    if let Ok(seconds) = text.parse::<i64>() {
        return Ok(Timestamp::from_secs(seconds));
    }
    if let Some(seconds) = length_s(text) {
        return Ok(Range::last(seconds, now).since);
    }
    text.parse::<jiff::Timestamp>().map(|time| Timestamp(time.as_microsecond())).map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        Problem::invalid(format!("`{shown}` is no moment; write `24h`, `7d`, `now` or `2026-01-01T00:00:00Z`"))
    })
}

/// A length of time such as `24h`, in seconds.
pub fn length_s(text: &str) -> Option<i64> {
    let unit = text.chars().next_back()?;
    let factor = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return None,
    };
    let count: i64 = text.strip_suffix(unit)?.parse().ok()?;
    count.checked_mul(factor).filter(|seconds| (1..=SECONDS_MAX).contains(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_secs(1_767_225_600);

    #[test]
    fn moments_read_as_meant() {
        let hours = |since: &str, until: Option<&str>| {
            range(Some(since), until, NOW).map(|range| (range.until.secs() - range.since.secs()) / 3_600).ok()
        };
        assert_eq!(hours("24h", None), Some(24));
        assert_eq!(hours("7d", Some("now")), Some(168));
        assert_eq!(hours("7d", Some("1d")), Some(144));
        assert_eq!(hours("2025-12-31T00:00:00Z", None), Some(24));
        assert_eq!(hours("1d", Some("2d")), None);
        assert_eq!(hours("yesterday", None), None);
        assert_eq!(hours("-5", None), Some(SECONDS_MAX / 3_600));
    }

    proptest! {
        #[test]
        fn nothing_typed_makes_an_empty_or_endless_range(since in ".{0,40}", until in ".{0,40}") {
            if let Ok(range) = range(Some(&since), Some(&until), NOW) {
                prop_assert!(range.since < range.until);
                prop_assert!(range.until.secs().saturating_sub(range.since.secs()) <= SECONDS_MAX + 1);
            }
        }
    }
}

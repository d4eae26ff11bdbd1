//! The `Range` field (RFC 9110, 14.2).

use model::finding::{Finding, Findings};
use model::reason::Anomaly;

use super::{finding, header, hint, likely};
use crate::http1::token_list;

/// Judges a `Range` value. Malformed ranges are ignored by servers (RFC 9110, 14.2), so they are only reported; many pieces
/// cost the server far more than the client (CVE-2011-3192, RFC 9110, 17.15).
pub(super) fn judge(value: &[u8], ranges_max: usize, out: &mut Findings) {
    let Some(ranges) = value.strip_prefix(b"bytes=").or_else(|| {
        let at = memchr::memchr(b'=', value)?;
        value.get(..at)?.eq_ignore_ascii_case(b"bytes").then(|| value.get(at + 1..))?
    }) else {
        // Another unit, which only the server understands, or none.
        if memchr::memchr(b'=', value).is_none() {
            out.push(hint(Anomaly::RangeMalformed, header("range"), "no unit"));
        }
        return;
    };
    let (mut count, mut bad) = (0usize, false);
    for range in token_list(ranges) {
        count += 1;
        bad |= !is_range(range);
    }
    if count > ranges_max {
        out.push(too_many(count));
    }
    if bad || count == 0 {
        out.push(likely(Anomaly::RangeMalformed, header("range"), ""));
    }
}

fn too_many(count: usize) -> Finding {
    finding(Anomaly::RangeTooMany, header("range"), &format!("{count} pieces"))
}

/// `first-last` with first not above last, `first-`, or `-suffix`.
fn is_range(range: &[u8]) -> bool {
    let Some(dash) = memchr::memchr(b'-', range) else { return false };
    let (first, last) = (range.get(..dash).unwrap_or_default(), range.get(dash + 1..).unwrap_or_default());
    let number = |digits: &[u8]| -> Option<u64> {
        if digits.is_empty() || digits.len() > 18 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(digits.iter().fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0')))
    };
    match (first.is_empty(), last.is_empty()) {
        (true, true) => false,
        (true, false) => number(last).is_some(),
        (false, true) => number(first).is_some(),
        (false, false) => number(first).zip(number(last)).is_some_and(|(first, last)| first <= last),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::finding::Confidence;

    fn check(value: &str) -> Vec<(&'static str, Confidence)> {
        let mut out = Findings::new();
        judge(value.as_bytes(), 5, &mut out);
        out.iter().map(|finding| (finding.reason.code(), finding.confidence)).collect()
    }

    #[test]
    fn ranges() {
        for fine in
            ["bytes=0-499", "bytes=-500", "bytes=9500-", "Bytes=0-0,-1", "bytes=1-2, 3-4,5-6,7-8,9-9", "items=0-9"]
        {
            assert_eq!(check(fine), [], "{fine}");
        }
        let malformed = ("hygiene.range-malformed", Confidence::Likely);
        for bad in ["bytes=5-1", "bytes=", "bytes=-", "bytes=a-b", "bytes=1"] {
            assert_eq!(check(bad), [malformed], "{bad}");
        }
        assert_eq!(check("x"), [("hygiene.range-malformed", Confidence::Hint)]);
        let too_many = ("hygiene.range-too-many", Confidence::Sure);
        assert_eq!(check("bytes=1-1,2-2,3-3,4-4,5-5,6-6"), [too_many]);
        assert_eq!(check("bytes=0-,5-0,5-1,5-2,5-3,5-4"), [too_many, malformed]);
    }
}

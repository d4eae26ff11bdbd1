//! Newtypes for the identifiers and the time that travel through every crate.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Microseconds since the Unix epoch, UTC. Always an argument, never read from a clock inside judging or learning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn secs(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Whole minutes since the Unix epoch: the key of a rollup.
    pub const fn minute(self) -> i64 {
        self.0.div_euclid(60_000_000)
    }

    /// Microseconds from `earlier` to `self`; zero when the clock went backwards.
    pub const fn micros_since(self, earlier: Self) -> u64 {
        let delta = self.0.saturating_sub(earlier.0);
        if delta < 0 { 0 } else { delta as u64 }
    }
}

/// Names one exchange; shown as 16 hexadecimal digits. Ascending per core, so that stored columns of it compress.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RequestId(pub u64);

impl RequestId {
    /// The id as it is shown, without going through the formatting machinery: every exchange needs it.
    pub fn text(self) -> RequestIdText {
        let mut digits = [0u8; 16];
        for (place, digit) in digits.iter_mut().enumerate() {
            let nibble = (self.0 >> (60 - 4 * place)) as u8 & 15;
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        RequestIdText(digits)
    }
}

/// A request id as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestIdText([u8; 16]);

impl RequestIdText {
    /// The 16 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        // Digits and letters are UTF-8.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl std::str::FromStr for RequestId {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// A session as everything outside the data path sees it: a keyed hash of the identifier's value, never the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionHash(pub u64);

impl fmt::Display for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Identifies an endpoint of the inventory; stable over template changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EndpointId(pub u64);

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "e{}", self.0)
    }
}

/// The configured name of an API (a set of endpoints under hosts). Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ApiName(pub Arc<str>);

impl From<&str> for ApiName {
    fn from(name: &str) -> Self {
        Self(Arc::from(name))
    }
}

impl fmt::Display for ApiName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_goes_backwards_gives_zero() {
        assert_eq!(Timestamp(5).micros_since(Timestamp(9)), 0);
        assert_eq!(Timestamp(9).micros_since(Timestamp(5)), 4);
    }

    #[test]
    fn minutes_before_the_epoch_round_down() {
        assert_eq!(Timestamp(-1).minute(), -1);
        assert_eq!(Timestamp(60_000_000).minute(), 1);
    }

    #[test]
    fn request_ids_read_back() {
        let id = RequestId(0x1234_abcd);
        assert_eq!(id.to_string(), "000000001234abcd");
        assert_eq!(id.to_string().parse(), Ok(id));
    }
}

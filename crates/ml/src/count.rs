//! Counts that forget: an exponentially decayed sum with a half-life, driven by the caller's time.

/// A count that halves every half-life. Time is any integer that grows; one that goes backwards counts as no time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct DecayedCount {
    value: f32,
    at: i64,
}

impl DecayedCount {
    /// Adds `amount` at time `now`, both in the caller's units.
    pub fn add(&mut self, now: i64, half_life: i64, amount: f32) {
        self.value = self.value_at(now, half_life) + amount;
        self.at = self.at.max(now);
    }

    /// The count as it stands at `now`.
    pub fn value_at(&self, now: i64, half_life: i64) -> f32 {
        let elapsed = now.saturating_sub(self.at).max(0);
        if self.value == 0.0 || half_life <= 0 {
            return self.value;
        }
        self.value * (-(elapsed as f64 / half_life as f64)).exp2() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_halves_every_half_life() {
        let mut count = DecayedCount::default();
        count.add(100, 10, 8.0);
        assert_eq!([100, 110, 120].map(|now| count.value_at(now, 10)), [8.0, 4.0, 2.0]);
        count.add(110, 10, 1.0);
        assert_eq!(count.value_at(110, 10), 5.0);
    }

    #[test]
    fn a_clock_that_goes_backwards_adds_nothing() {
        let mut count = DecayedCount::default();
        count.add(100, 10, 1.0);
        count.add(50, 10, 1.0);
        assert_eq!(count.value_at(100, 10), 2.0);
    }
}

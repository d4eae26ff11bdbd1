//! A mergeable sketch of durations with a bounded relative error.
//!
//! Durations fall into buckets: 16 per power of two, so that the middle of a bucket is at most 1/32 (3.2 %) away from any
//! duration in it; below 32 microseconds the buckets are exact. Only buckets that were hit are kept: an endpoint's minute has a
//! few dozen. The scheme is that of HdrHistogram (G. Tene) with four significant bits.

use crate::varint::{self, Input};

/// Sub-buckets per power of two, as a power of two.
const SUB_BITS: u32 = 4;
const SUB: u64 = 1 << SUB_BITS;
/// One more than the greatest bucket of a 32-bit duration.
const BUCKETS_MAX: usize = ((32 - SUB_BITS as usize) + 1) * SUB as usize;

/// Durations in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Bucket and count, ascending by bucket.
    buckets: Vec<(u16, u64)>,
    count: u64,
    sum_us: u64,
    max_us: u32,
}

fn bucket_of(micros: u32) -> u16 {
    let micros = u64::from(micros);
    if micros < SUB {
        return micros as u16;
    }
    let exponent = 63 - micros.leading_zeros();
    let sub = (micros >> (exponent - SUB_BITS)) & (SUB - 1);
    (u64::from(exponent - SUB_BITS + 1) * SUB + sub) as u16
}

/// The middle of a bucket.
fn middle_of(bucket: u16) -> u32 {
    let bucket = u64::from(bucket);
    if bucket < SUB {
        return bucket as u32;
    }
    let exponent = bucket / SUB - 1;
    let lower = (SUB + bucket % SUB) << exponent;
    let width = 1u64 << exponent;
    u32::try_from(lower + (width - 1) / 2).unwrap_or(u32::MAX)
}

impl Latency {
    /// Adds one duration.
    pub fn add(&mut self, micros: u32) {
        self.add_bucket(bucket_of(micros), 1);
        self.count += 1;
        self.sum_us = self.sum_us.saturating_add(u64::from(micros));
        self.max_us = self.max_us.max(micros);
    }

    fn add_bucket(&mut self, bucket: u16, count: u64) {
        match self.buckets.binary_search_by_key(&bucket, |&(bucket, _)| bucket) {
            Ok(index) => {
                if let Some((_, total)) = self.buckets.get_mut(index) {
                    *total = total.saturating_add(count);
                }
            }
            Err(index) => self.buckets.insert(index, (bucket, count)),
        }
    }

    /// Adds everything another sketch has.
    pub fn merge(&mut self, other: &Self) {
        if self.buckets.is_empty() {
            self.buckets.clone_from(&other.buckets);
        } else {
            for &(bucket, count) in &other.buckets {
                self.add_bucket(bucket, count);
            }
        }
        self.count = self.count.saturating_add(other.count);
        self.sum_us = self.sum_us.saturating_add(other.sum_us);
        self.max_us = self.max_us.max(other.max_us);
    }

    /// How many durations were added.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The mean in microseconds; `None` without durations.
    pub const fn mean_us(&self) -> Option<u64> {
        self.sum_us.checked_div(self.count)
    }

    /// The longest duration.
    pub const fn max_us(&self) -> u32 {
        self.max_us
    }

    /// The duration that a share `q` (0 to 1) of all does not exceed, within 3.2 %; `None` without durations.
    pub fn quantile_us(&self, q: f64) -> Option<u32> {
        if self.count == 0 {
            return None;
        }
        let rank = ((q.clamp(0.0, 1.0) * self.count as f64).ceil() as u64).clamp(1, self.count);
        let mut seen = 0u64;
        for &(bucket, count) in &self.buckets {
            seen = seen.saturating_add(count);
            if seen >= rank {
                return Some(middle_of(bucket).min(self.max_us));
            }
        }
        Some(self.max_us)
    }

    /// Buckets as (upper bound in microseconds, count), for a histogram on a screen.
    pub fn histogram(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.buckets.iter().map(|&(bucket, count)| (middle_of(bucket), count))
    }

    /// Appends the stored form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        varint::put(out, self.buckets.len() as u64);
        let mut before = 0;
        for &(bucket, count) in &self.buckets {
            varint::put(out, u64::from(bucket - before));
            varint::put(out, count);
            before = bucket;
        }
        varint::put(out, self.sum_us);
        varint::put(out, u64::from(self.max_us));
    }

    /// Reads the stored form; `None` when it is none.
    pub fn decode(input: &mut Input<'_>) -> Option<Self> {
        let length = input.count(BUCKETS_MAX)?;
        let mut sketch = Self { buckets: Vec::with_capacity(length), ..Self::default() };
        let mut bucket = 0u16;
        for index in 0..length {
            let step: u16 = input.narrow()?;
            if index > 0 && step == 0 {
                return None;
            }
            bucket = bucket.checked_add(step).filter(|bucket| usize::from(*bucket) < BUCKETS_MAX)?;
            let count = input.number()?;
            sketch.buckets.push((bucket, count));
            sketch.count = sketch.count.saturating_add(count);
        }
        sketch.sum_us = input.number()?;
        sketch.max_us = input.narrow()?;
        Some(sketch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_bucket_holds_its_own_middle() {
        for bucket in 0..BUCKETS_MAX as u16 {
            assert_eq!(bucket_of(middle_of(bucket)), bucket);
        }
        assert_eq!(usize::from(bucket_of(u32::MAX)), BUCKETS_MAX - 1);
    }

    proptest! {
        #[test]
        fn quantiles_are_within_five_percent(mut values in proptest::collection::vec(1u32..4_000_000_000, 1..300), q in 0.0f64..1.0) {
            let mut sketch = Latency::default();
            for &value in &values {
                sketch.add(value);
            }
            values.sort_unstable();
            let rank = ((q * values.len() as f64).ceil() as usize).clamp(1, values.len());
            let exact = f64::from(values[rank - 1]);
            let got = f64::from(sketch.quantile_us(q).expect("a value"));
            prop_assert!((got - exact).abs() <= exact * 0.05, "{got} for {exact}");
        }

        #[test]
        fn merging_is_adding(a in proptest::collection::vec(any::<u32>(), 0..50), b in proptest::collection::vec(any::<u32>(), 0..50)) {
            let sketch = |values: &[u32]| {
                let mut sketch = Latency::default();
                values.iter().for_each(|&value| sketch.add(value));
                sketch
            };
            let mut merged = sketch(&a);
            merged.merge(&sketch(&b));
            prop_assert_eq!(&merged, &sketch(&[a, b].concat()));
            let mut bytes = Vec::new();
            merged.encode(&mut bytes);
            prop_assert_eq!(Latency::decode(&mut Input::new(&bytes)), Some(merged));
        }

        #[test]
        fn any_bytes_are_a_sketch_or_none(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(sketch) = Latency::decode(&mut Input::new(&bytes)) {
                let _ = sketch.quantile_us(0.5);
            }
        }
    }
}

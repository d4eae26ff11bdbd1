//! A logistic model over hashed character n-grams, quantised to one byte a weight.
//!
//! The text is lower-cased (ASCII), framed by a boundary mark, and cut into all runs of two to four bytes; each run's
//! hash names a weight. The sum is divided by the square root of the number of runs, so that long texts are not sure
//! of themselves merely because they are long.

use crate::bytes::{self, ModelError, Reader};
use crate::hash::hash_bytes;

const KIND: [u8; 4] = *b"ngrm";
const VERSION: u16 = 1;
const BOUNDARY: u8 = b'^';
/// Longest text looked at, in bytes.
pub const TEXT_BYTES_MAX: usize = 64;

/// A hashed n-gram model.
#[derive(Clone, Debug, PartialEq)]
pub struct NgramModel {
    bias: f32,
    scale: f32,
    /// A power of two of weights.
    weights: Vec<i8>,
}

/// Calls `each` with the hash of every n-gram of `text`; gives their number.
pub fn ngrams(text: &[u8], mut each: impl FnMut(u64)) -> u32 {
    let mut frame = [BOUNDARY; TEXT_BYTES_MAX + 2];
    let length = text.len().min(TEXT_BYTES_MAX);
    for (to, from) in frame.iter_mut().skip(1).zip(text.iter().take(length)) {
        *to = from.to_ascii_lowercase();
    }
    let frame = frame.get(..length + 2).unwrap_or_default();
    let mut count = 0;
    for size in 2..=4 {
        for gram in frame.windows(size) {
            each(hash_bytes(size as u64, gram));
            count += 1;
        }
    }
    count
}

impl NgramModel {
    /// Quantises trained weights; their number must be a power of two.
    pub fn new(bias: f32, weights: &[f32]) -> Result<Self, ModelError> {
        if !weights.len().is_power_of_two() {
            return Err(ModelError::Inconsistent("the number of weights must be a power of two"));
        }
        let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
        if !largest.is_finite() || !bias.is_finite() {
            return Err(ModelError::Inconsistent("a number is not finite"));
        }
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        let weights = weights.iter().map(|weight| (weight / scale).round() as i8).collect();
        Ok(Self { bias, scale, weights })
    }

    /// Reads a model file.
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        let mut reader = Reader::new(bytes::open(file, KIND, VERSION)?);
        let (bias, scale) = (reader.f32()?, reader.f32()?);
        let count = reader.u32()? as usize;
        if !count.is_power_of_two() {
            return Err(ModelError::Inconsistent("the number of weights must be a power of two"));
        }
        let weights = reader.take(count)?.iter().map(|&byte| byte as i8).collect();
        reader.finish()?;
        Ok(Self { bias, scale, weights })
    }

    /// Writes a model file.
    pub fn write(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.weights.len() + 12);
        payload.extend_from_slice(&self.bias.to_le_bytes());
        payload.extend_from_slice(&self.scale.to_le_bytes());
        payload.extend_from_slice(&(self.weights.len() as u32).to_le_bytes());
        payload.extend(self.weights.iter().map(|&weight| weight as u8));
        bytes::seal(KIND, VERSION, &payload)
    }

    /// The log-odds of a text.
    pub fn score(&self, text: &[u8]) -> f32 {
        let mask = self.weights.len().saturating_sub(1) as u64;
        let mut sum = 0i32;
        let count = ngrams(text, |hash| {
            sum += self.weights.get((hash & mask) as usize).map_or(0, |&weight| i32::from(weight));
        });
        self.bias + sum as f32 * self.scale / (count.max(1) as f32).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn golden_scores() {
        let weights: Vec<f32> = (0..64u32).map(|at| (at as f32 - 31.5) / 16.0).collect();
        let model = NgramModel::new(0.25, &weights).unwrap();
        let rounded = |text: &str| (model.score(text.as_bytes()) * 1000.0).round();
        assert_eq!(["", "a", "Users", "users"].map(rounded), [-1161.0, -564.0, 1131.0, 1131.0]);
        assert_eq!(NgramModel::read(&model.write()), Ok(model));
    }

    proptest! {
        #[test]
        fn any_bytes_are_scored(file in proptest::collection::vec(any::<u8>(), 0..64), text in any::<Vec<u8>>()) {
            if let Ok(model) = NgramModel::read(&bytes::seal(KIND, VERSION, &file)) {
                prop_assert!(!model.score(&text).is_nan() || !model.scale.is_normal());
            }
        }
    }
}

//! The learned attack score: what the shape of a value says when no detector is sure.
//!
//! A linear model over hashed n-grams of the normalised text and of its token shape. Normalising takes away what an
//! attacker changes for free (case, digits, runs of space), so that a variation looks like what it varies. A long text is
//! scored by its worst window, so that padding does not dilute. The model file is made by `cargo xtask train
//! attack-score`; its card stands beside it.

use std::sync::LazyLock;

use ml::ModelError;
use ml::bytes::{self, Reader};

use super::text::Text;

/// Bytes of a text scored together.
pub const WINDOW_BYTES: usize = 128;
/// Step from one window to the next.
const STRIDE_BYTES: usize = 96;
/// Most windows of one text that are scored.
const WINDOWS_MAX: usize = 512;
/// Weights, as a power of two.
pub const WEIGHT_BITS: u32 = 17;

const KIND: [u8; 4] = *b"atks";
const VERSION: u16 = 1;

/// A value's score.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Score {
    /// 1 (attack) to 99 (clean).
    pub value: u8,
    /// How far towards an attack.
    pub margin: f32,
    /// What the margin settles.
    pub settles: Settles,
}

/// What a score is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Settles {
    /// Nothing.
    Nothing,
    /// It makes sure what a detector finds likely.
    Likely,
    /// It is a hint by itself.
    Hint,
    /// It makes sure what a detector hints at, and is reported by itself.
    Alone,
}

/// The model: weights and the margins from which a score settles something.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    bias: f32,
    scale: f32,
    margins: [f32; 3],
    weights: Vec<i8>,
}

/// The model that is shipped. An unreadable file would be found by the tests; then nothing is settled.
static MODEL: LazyLock<Option<Model>> =
    LazyLock::new(|| Model::read(include_bytes!("../../../models/attack-score.bin")).ok());

impl Model {
    /// Quantises trained weights. `margins`: from where the score settles a likely finding, is a hint, and is evidence
    /// by itself.
    pub fn new(bias: f32, weights: &[f32], margins: [f32; 3]) -> Self {
        let largest = weights.iter().fold(0.0f32, |largest, weight| largest.max(weight.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        let weights = weights.iter().map(|weight| (weight / scale).round() as i8).collect();
        Self { bias, scale, margins, weights }
    }

    /// The same model with other margins.
    #[must_use]
    pub fn with_margins(self, margins: [f32; 3]) -> Self {
        Self { margins, ..self }
    }

    /// Reads a model file.
    ///
    /// # Errors
    /// The file is not exactly what it claims to be.
    pub fn read(file: &[u8]) -> Result<Self, ModelError> {
        let mut reader = Reader::new(bytes::open(file, KIND, VERSION)?);
        let (bias, scale) = (reader.f32()?, reader.f32()?);
        let margins = [reader.f32()?, reader.f32()?, reader.f32()?];
        let weights = reader.take(1 << WEIGHT_BITS)?.iter().map(|&byte| byte as i8).collect();
        reader.finish()?;
        Ok(Self { bias, scale, margins, weights })
    }

    /// Writes a model file.
    pub fn write(&self) -> Vec<u8> {
        let mut payload = Vec::with_capacity(self.weights.len() + 20);
        for number in [self.bias, self.scale].iter().chain(&self.margins) {
            payload.extend_from_slice(&number.to_le_bytes());
        }
        payload.extend(self.weights.iter().map(|&weight| weight as u8));
        bytes::seal(KIND, VERSION, &payload)
    }

    /// How far a text lies towards an attack: its worst window.
    pub fn margin(&self, text: &[u8]) -> f32 {
        windows(text).map(|window| self.window_margin(window)).fold(f32::NEG_INFINITY, f32::max)
    }

    fn window_margin(&self, window: &[u8]) -> f32 {
        let mut sum = 0i32;
        let mut count = 0u32;
        features(window, &mut |index, _| {
            sum += self.weights.get(index).map_or(0, |&weight| i32::from(weight));
            count += 1;
        });
        self.bias + sum as f32 * self.scale / (count.max(1) as f32).sqrt()
    }

    /// The score of a text.
    pub fn score(&self, text: &[u8]) -> Score {
        let margin = self.margin(text);
        let [likely, hint, alone] = self.margins;
        let settles = match margin {
            margin if margin >= alone => Settles::Alone,
            margin if margin >= hint => Settles::Hint,
            margin if margin >= likely => Settles::Likely,
            _ => Settles::Nothing,
        };
        // 50 lies where a likely finding becomes sure.
        let clean = 1.0 / (1.0 + (margin - likely).exp());
        let value = (clean * 100.0).round().clamp(1.0, 99.0) as u8;
        Score { value, margin, settles }
    }

    /// The n-grams that weighed most towards an attack, the heaviest first.
    pub fn heaviest(&self, text: &[u8]) -> Vec<String> {
        let worst = windows(text).max_by(|a, b| self.window_margin(a).total_cmp(&self.window_margin(b)));
        let mut grams: Vec<(i8, String)> = Vec::new();
        features(worst.unwrap_or_default(), &mut |index, gram| {
            let weight = self.weights.get(index).copied().unwrap_or(0);
            if weight > 0 && gram.len() >= 3 {
                grams.push((weight, gram.escape_ascii().to_string()));
            }
        });
        grams.sort_by(|a, b| b.cmp(a));
        grams.dedup();
        grams.into_iter().take(4).map(|(_, gram)| gram).collect()
    }
}

/// The windows of a text.
pub fn windows(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let count = text.len().saturating_sub(WINDOW_BYTES).div_ceil(STRIDE_BYTES) + 1;
    (0..count.min(WINDOWS_MAX)).map(move |at| {
        let start = at * STRIDE_BYTES;
        text.get(start..text.len().min(start + WINDOW_BYTES)).unwrap_or_default()
    })
}

/// Calls `each` with the index of every feature of a window and the text it stands for.
pub fn features(window: &[u8], each: &mut dyn FnMut(usize, &[u8])) {
    let mut plain = [0u8; WINDOW_BYTES + 2];
    let mut shape = [0u8; WINDOW_BYTES + 2];
    let (mut plain_len, mut shape_len) = (1usize, 1usize);
    plain[0] = 1;
    shape[0] = 1;
    for &byte in window.iter().take(WINDOW_BYTES) {
        let normal = match byte {
            b'0'..=b'9' => b'0',
            b' ' | b'\t'..=b'\r' => b' ',
            0x80.. => 0x80,
            byte => byte.to_ascii_lowercase(),
        };
        let previous = plain.get(plain_len - 1).copied().unwrap_or(0);
        if !(matches!(normal, b'0' | b' ' | 0x80) && previous == normal) {
            push(&mut plain, &mut plain_len, normal);
        }
        let sign = match normal {
            b'a'..=b'z' | b'_' | 0x80 => b'a',
            other => other,
        };
        let previous = shape.get(shape_len - 1).copied().unwrap_or(0);
        if !(matches!(sign, b'0' | b' ' | b'a') && previous == sign) {
            push(&mut shape, &mut shape_len, sign);
        }
    }
    push(&mut plain, &mut plain_len, 2);
    push(&mut shape, &mut shape_len, 2);
    grams(plain.get(..plain_len).unwrap_or_default(), &[2, 3, 4], 0, each);
    grams(shape.get(..shape_len).unwrap_or_default(), &[3, 4], 1, each);
}

fn push(buffer: &mut [u8], length: &mut usize, byte: u8) {
    if let Some(slot) = buffer.get_mut(*length) {
        *slot = byte;
        *length += 1;
    }
}

fn grams(text: &[u8], sizes: &[usize], seed: u32, each: &mut dyn FnMut(usize, &[u8])) {
    for &size in sizes {
        for gram in text.windows(size) {
            let word = gram.iter().fold(0u32, |word, &byte| word << 8 | u32::from(byte));
            let mixed = (word ^ (seed << 5 | size as u32).wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
            let mixed = (mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35);
            each((mixed >> (32 - WEIGHT_BITS)) as usize, gram);
        }
    }
}

/// Scores a text with the shipped model.
pub(super) fn judge(text: &Text<'_>) -> Score {
    MODEL.as_ref().map_or(Score { value: 50, margin: 0.0, settles: Settles::Nothing }, |model| model.score(text.raw))
}

/// What weighed most, for the evidence: fragments of four signs at most.
pub(super) fn explain(text: &Text<'_>) -> String {
    let grams = MODEL.as_ref().map(|model| model.heaviest(text.raw)).unwrap_or_default();
    grams.iter().map(|gram| format!("`{gram}`")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_file_reads_back_and_anything_else_does_not() {
        let weights: Vec<f32> = (0..1 << WEIGHT_BITS).map(|at| (at % 255) as f32 - 127.0).collect();
        let model = Model::new(-0.5, &weights, [0.0, 1.0, 2.0]);
        let file = model.write();
        assert_eq!(Model::read(&file), Ok(model));
        assert!(Model::read(&file[..file.len() - 1]).is_err());
        assert!(Model::read(b"").is_err());
    }

    #[test]
    fn the_shipped_model_is_read() {
        assert!(MODEL.is_some());
    }

    #[test]
    fn free_variations_change_nothing() {
        let of = |text: &str| {
            let mut found = Vec::new();
            features(text.as_bytes(), &mut |index, _| found.push(index));
            found
        };
        assert_eq!(of("1 UNION  SELECT 22"), of("7777 union\tselect 3"));
        assert_ne!(of("union select"), of("select union"));
    }

    proptest! {
        #[test]
        fn every_byte_is_in_a_window(length in 0usize..2000) {
            let text = vec![b'a'; length];
            let covered: usize = windows(&text).last().map_or(0, |last| last.as_ptr() as usize - text.as_ptr() as usize + last.len());
            prop_assert_eq!(covered, length);
        }
    }
}

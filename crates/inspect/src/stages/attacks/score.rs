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
    /// Where in the text its worst window begins.
    pub at: usize,
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
    /// It makes sure what a detector hints at, and is sure by itself of a bare value: no sentences, lines or markup.
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
        self.worst(text).0
    }

    /// The margin of the worst window, and where it begins.
    fn worst(&self, text: &[u8]) -> (f32, usize) {
        windows(text).enumerate().fold((f32::NEG_INFINITY, 0), |worst, (at, window)| {
            let margin = self.window_margin(window);
            if margin > worst.0 { (margin, at * STRIDE_BYTES) } else { worst }
        })
    }

    fn window_margin(&self, window: &[u8]) -> f32 {
        let normal = Normal::of(window);
        let mut sum = 0i32;
        let mut count = 0u32;
        let mut add = |index: usize, _, _| {
            sum += self.weights.get(index).map_or(0, |&weight| i32::from(weight));
            count += 1;
        };
        grams(normal.plain(), 2, 0, &mut add);
        grams(normal.shape(), 3, 1, &mut add);
        self.bias + sum as f32 * self.scale / (count.max(1) as f32).sqrt()
    }

    /// The score of a text.
    pub fn score(&self, text: &[u8]) -> Score {
        let (margin, at) = self.worst(text);
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
        Score { value, margin, settles, at }
    }

    /// The n-grams of a window that weighed most towards an attack, the heaviest first.
    pub fn heaviest(&self, window: &[u8]) -> Vec<String> {
        let mut grams: Vec<(i8, String)> = Vec::new();
        features(window, &mut |index, gram| {
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
    let normal = Normal::of(window);
    for (text, shortest, seed) in [(normal.plain(), 2, 0), (normal.shape(), 3, 1)] {
        // Size after size: training sums in this order, and the same data must give the same model.
        for wanted in shortest..=4 {
            grams(text, shortest, seed, &mut |index, at, size| {
                if size == wanted {
                    each(index, text.get(at + 1 - size..=at).unwrap_or_default());
                }
            });
        }
    }
}

/// A window without what an attacker changes for free, and its shape; both between marks for the beginning and the end.
struct Normal {
    plain: [u8; WINDOW_BYTES + 2],
    plain_len: usize,
    shape: [u8; WINDOW_BYTES + 2],
    shape_len: usize,
}

impl Normal {
    fn of(window: &[u8]) -> Self {
        let mut normal =
            Self { plain: [0; WINDOW_BYTES + 2], plain_len: 0, shape: [0; WINDOW_BYTES + 2], shape_len: 0 };
        push(&mut normal.plain, &mut normal.plain_len, 1);
        push(&mut normal.shape, &mut normal.shape_len, 1);
        let (mut last_plain, mut last_shape) = (1, 1);
        for &byte in window.iter().take(WINDOW_BYTES) {
            let [plain, shape] = SIGNS.get(byte as usize).copied().unwrap_or_default();
            if !(plain == last_plain && matches!(plain, b'0' | b' ' | 0x80)) {
                push(&mut normal.plain, &mut normal.plain_len, plain);
                last_plain = plain;
            }
            if !(shape == last_shape && matches!(shape, b'0' | b' ' | b'a')) {
                push(&mut normal.shape, &mut normal.shape_len, shape);
                last_shape = shape;
            }
        }
        push(&mut normal.plain, &mut normal.plain_len, 2);
        push(&mut normal.shape, &mut normal.shape_len, 2);
        normal
    }

    fn plain(&self) -> &[u8] {
        self.plain.get(..self.plain_len).unwrap_or_default()
    }

    fn shape(&self) -> &[u8] {
        self.shape.get(..self.shape_len).unwrap_or_default()
    }
}

/// What a byte is normalised to, and which kind of sign it is.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
static SIGNS: [[u8; 2]; 256] = {
    let mut table = [[0; 2]; 256];
    let mut byte = 0usize;
    while byte < 256 {
        let plain = match byte as u8 {
            b'0'..=b'9' => b'0',
            b' ' | b'\t'..=b'\r' => b' ',
            0x80.. => 0x80,
            byte => byte.to_ascii_lowercase(),
        };
        let shape = match plain {
            b'a'..=b'z' | b'_' | 0x80 => b'a',
            other => other,
        };
        table[byte] = [plain, shape];
        byte += 1;
    }
    table
};

fn push(buffer: &mut [u8], length: &mut usize, byte: u8) {
    if let Some(slot) = buffer.get_mut(*length) {
        *slot = byte;
        *length += 1;
    }
}

/// Calls `each` with the index of every n-gram of `shortest` to four signs, where it ends, and how many signs it has.
fn grams(text: &[u8], shortest: usize, seed: u32, each: &mut impl FnMut(usize, usize, usize)) {
    let mut word = 0u32;
    for (at, &byte) in text.iter().enumerate() {
        word = word << 8 | u32::from(byte);
        if at > 0 && shortest <= 2 {
            each(index(word & 0xffff, seed, 2), at, 2);
        }
        if at > 1 {
            each(index(word & 0xff_ffff, seed, 3), at, 3);
        }
        if at > 2 {
            each(index(word, seed, 4), at, 4);
        }
    }
}

/// The place of an n-gram among the weights: multiplied and mixed, so that neighbours lie apart.
const fn index(word: u32, seed: u32, size: u32) -> usize {
    let mixed = (word ^ (seed << 5 | size).wrapping_mul(0x9e37_79b9)).wrapping_mul(0x85eb_ca6b);
    let mixed = (mixed ^ mixed >> 15).wrapping_mul(0xc2b2_ae35);
    (mixed >> (32 - WEIGHT_BITS)) as usize
}

/// Scores a text with the shipped model.
pub(super) fn judge(text: &Text<'_>) -> Score {
    MODEL
        .as_ref()
        .map_or(Score { value: 50, margin: 0.0, settles: Settles::Nothing, at: 0 }, |model| model.score(text.raw))
}

/// What weighed most, for the evidence: fragments of four signs at most.
pub(super) fn explain(text: &Text<'_>, score: &Score) -> String {
    let window = text.raw.get(score.at..).unwrap_or_default();
    let window = window.get(..window.len().min(WINDOW_BYTES)).unwrap_or_default();
    let grams = MODEL.as_ref().map(|model| model.heaviest(window)).unwrap_or_default();
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

//! Logistic regression with adaptive steps over hashed features, and the margins at which it may speak.

use inspect::stages::attacks::score::{Model, WEIGHT_BITS, features, windows};

use super::{Sample, worst};

const EPOCHS: usize = 4;
const STEP: f32 = 0.25;
/// Shrinks weights that nothing confirms.
const DECAY: f32 = 2e-6;
/// Windows of one text that are learned from.
const WINDOWS_MAX: usize = 4;

/// Trains a model; its margins are still to be set.
pub(super) fn train(samples: &[Sample], seed: u64) -> Model {
    let mut random = fastrand::Rng::with_seed(seed);
    let attacks = samples.iter().filter(|sample| sample.attack).count().max(1);
    // Both kinds weigh the same in sum, whatever their number.
    let attack_weight = (samples.len() - attacks) as f32 / attacks as f32;
    let mut weights = vec![0.0f32; 1 << WEIGHT_BITS];
    let mut squares = vec![1e-3f32; 1 << WEIGHT_BITS];
    let mut bias = 0.0f32;
    let mut order: Vec<usize> = (0..samples.len()).collect();
    let mut indices: Vec<usize> = Vec::new();
    for _ in 0..EPOCHS {
        random.shuffle(&mut order);
        for sample in order.iter().filter_map(|&at| samples.get(at)) {
            for window in windows(&sample.text).take(if sample.attack { 2 } else { WINDOWS_MAX }) {
                indices.clear();
                features(window, &mut |index, _| indices.push(index));
                let norm = 1.0 / (indices.len().max(1) as f32).sqrt();
                let sum: f32 = indices.iter().filter_map(|&index| weights.get(index)).sum();
                let expected = if sample.attack { 1.0 } else { 0.0 };
                let error = expected - 1.0 / (1.0 + (-(bias + sum * norm)).exp());
                let weight = if sample.attack { attack_weight.min(3.0) } else { 1.0 };
                let gradient = error * weight;
                bias += 0.005 * gradient;
                for &index in &indices {
                    let step = gradient * norm;
                    let (Some(square), Some(weight)) = (squares.get_mut(index), weights.get_mut(index)) else {
                        continue;
                    };
                    *square += step * step;
                    *weight += STEP * step / square.sqrt() - DECAY * *weight;
                }
            }
        }
    }
    Model::new(bias, &weights, [0.0; 3])
}

/// The margins that 2 %, 0.2 % and 0.02 % of legitimate texts reach.
pub(super) fn margins(model: &Model, legitimate: &[Sample]) -> [f32; 3] {
    let mut margins: Vec<f32> = legitimate.iter().map(|sample| worst(model, &sample.text)).collect();
    margins.sort_by(|a, b| b.total_cmp(a));
    [0.02, 0.002, 0.0002].map(|share| {
        let at = (margins.len() as f64 * share) as usize;
        margins.get(at).copied().unwrap_or(f32::MAX) + 1e-3
    })
}

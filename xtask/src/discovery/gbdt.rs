//! A small histogram trainer for boosted trees with logistic loss: leaf-wise growth, second-order gains, row and
//! feature sampling from a seed (Friedman 2001; Chen & Guestrin 2016; Ke et al. 2017). One core, no dependencies.

#![allow(
    clippy::indexing_slicing,
    reason = "a development task: an index out of range is a mistake that should stop it"
)]

use ml::forest::{Node, OUTPUT_STEP};
use ml::{Forest, ModelError};

/// Training settings.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Trees.
    pub trees: usize,
    /// Leaves of each.
    pub leaves: usize,
    /// Shrinkage.
    pub rate: f32,
    /// Least sum of second derivatives in a leaf.
    pub leaf_weight_min: f32,
    /// Ridge on leaf outputs.
    pub ridge: f32,
    /// Share of rows for each tree.
    pub rows: f64,
    /// Share of features for each tree.
    pub features: f64,
    /// Seed.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { trees: 200, leaves: 31, rate: 0.1, leaf_weight_min: 4.0, ridge: 4.0, rows: 0.6, features: 0.4, seed: 1 }
    }
}

/// Rows with labels and weights.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Features of a row.
    pub width: usize,
    /// All rows, one after the other.
    pub values: Vec<f32>,
    /// 1 or 0.
    pub labels: Vec<f32>,
    /// Weights.
    pub weights: Vec<f32>,
    /// Which part of the sources a row comes from, for holding parts out.
    pub folds: Vec<u8>,
}

impl Data {
    /// No rows of this width.
    pub fn new(width: usize) -> Self {
        Self { width, ..Self::default() }
    }

    /// Adds a row.
    pub fn push(&mut self, row: &[f32], label: bool, weight: f32, fold: u8) {
        self.values.extend_from_slice(row);
        self.labels.push(f32::from(u8::from(label)));
        self.weights.push(weight);
        self.folds.push(fold);
    }

    /// Number of rows.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// One row.
    pub fn row(&self, at: usize) -> &[f32] {
        self.values.get(at * self.width..(at + 1) * self.width).unwrap_or_default()
    }

    /// The rows outside one fold.
    pub fn without(&self, fold: u8) -> Self {
        let mut kept = Self::new(self.width);
        for at in 0..self.len() {
            if self.folds[at] != fold {
                kept.push(self.row(at), self.labels[at] > 0.5, self.weights[at], self.folds[at]);
            }
        }
        kept
    }
}

const BINS_MAX: usize = 48;
/// The bin of missing values.
const MISSING: u8 = 255;

struct Binned {
    thresholds: Vec<Vec<f32>>,
    /// Bins by feature, then row.
    bins: Vec<Vec<u8>>,
}

fn bin(data: &Data, rng: &mut fastrand::Rng) -> Binned {
    let rows = data.len();
    let sample: Vec<usize> = (0..20_000.min(rows)).map(|_| rng.usize(..rows)).collect();
    let (mut thresholds, mut bins) = (Vec::new(), Vec::new());
    for feature in 0..data.width {
        let value = |row: usize| data.values[row * data.width + feature];
        let mut seen: Vec<f32> = sample.iter().map(|&row| value(row)).filter(|value| value.is_finite()).collect();
        seen.sort_by(f32::total_cmp);
        let mut cuts: Vec<f32> = Vec::new();
        let mut distinct = seen.clone();
        distinct.dedup();
        if distinct.len() <= BINS_MAX {
            cuts.extend(distinct.iter().take(distinct.len().saturating_sub(1)));
        } else {
            cuts.extend((1..BINS_MAX).map(|at| seen[at * (seen.len() - 1) / BINS_MAX]));
            cuts.dedup();
        }
        let column = (0..rows).map(|row| {
            let value = value(row);
            if value.is_nan() { MISSING } else { cuts.partition_point(|&cut| cut < value) as u8 }
        });
        bins.push(column.collect());
        thresholds.push(cuts);
    }
    Binned { thresholds, bins }
}

#[derive(Clone, Copy, Default)]
struct Sums {
    gradient: f64,
    curvature: f64,
}

struct Leaf {
    node: usize,
    rows: Vec<u32>,
    sums: Sums,
    split: Option<Split>,
    histogram: Vec<Sums>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    feature: usize,
    bin: u8,
}

const SLOTS: usize = BINS_MAX + 2;

/// Trains a forest.
pub fn train(data: &Data, settings: Settings) -> Result<Forest, ModelError> {
    let mut rng = fastrand::Rng::with_seed(settings.seed);
    let rows = data.len();
    let positive: f64 = data.labels.iter().zip(&data.weights).map(|(&label, &weight)| f64::from(label * weight)).sum();
    let all: f64 = data.weights.iter().map(|&weight| f64::from(weight)).sum();
    let rate = (positive / all.max(1e-9)).clamp(1e-4, 1.0 - 1e-4);
    let base = (rate / (1.0 - rate)).ln() as f32;
    if rows == 0 {
        return Forest::new(0.0, vec![Vec::new(); data.width], Vec::new(), Vec::new());
    }
    let binned = bin(data, &mut rng);
    let mut scores = vec![base; rows];
    let (mut roots, mut nodes) = (Vec::new(), Vec::new());
    let mut gradients = vec![(0.0f32, 0.0f32); rows];
    for _ in 0..settings.trees {
        for (at, slot) in gradients.iter_mut().enumerate() {
            let probability = ml::forest::sigmoid(scores[at]);
            let weight = data.weights[at];
            *slot = ((probability - data.labels[at]) * weight, (probability * (1.0 - probability)).max(1e-6) * weight);
        }
        let mut features: Vec<usize> = (0..data.width).collect();
        rng.shuffle(&mut features);
        features.truncate(((data.width as f64 * settings.features) as usize).max(1));
        let sample: Vec<u32> = (0..rows as u32).filter(|_| rng.f64() < settings.rows).collect();
        let first = nodes.len();
        let tree = grow(&binned, &gradients, sample, &features, &settings);
        roots.push(first as u32);
        for node in &tree {
            let left = if node.left == 0 { 0 } else { node.left + first as u32 };
            nodes.push(Node { left, ..*node });
        }
        for (at, score) in scores.iter_mut().enumerate() {
            let mut node = &tree[0];
            while node.left != 0 {
                let right = binned.bins[usize::from(node.feature)][at] > node.bin;
                node = &tree[node.left as usize + usize::from(right)];
            }
            *score += f32::from(node.output) * OUTPUT_STEP;
        }
    }
    Forest::new(base, binned.thresholds, roots, nodes)
}

fn grow(
    binned: &Binned,
    gradients: &[(f32, f32)],
    sample: Vec<u32>,
    features: &[usize],
    settings: &Settings,
) -> Vec<Node> {
    let mut nodes = vec![Node { feature: 0, bin: 0, left: 0, output: 0 }];
    let histogram = histogram(binned, gradients, &sample, features);
    let mut leaves = vec![leaf(0, sample, gradients, histogram, features, binned, settings)];
    nodes[0].output = output(leaves[0].sums, settings);
    while leaves.len() < settings.leaves {
        let best = leaves.iter().enumerate().filter_map(|(at, leaf)| leaf.split.map(|split| (at, split)));
        let Some((at, split)) = best.max_by(|a, b| a.1.gain.total_cmp(&b.1.gain)) else { break };
        let parent = leaves.swap_remove(at);
        let column = &binned.bins[split.feature];
        let (left, right): (Vec<u32>, Vec<u32>) =
            parent.rows.iter().partition(|&&row| column[row as usize] <= split.bin);
        let children = nodes.len();
        nodes[parent.node].feature = split.feature as u8;
        nodes[parent.node].bin = split.bin;
        nodes[parent.node].left = children as u32;
        // The larger child's histogram is what the smaller one leaves of the parent's.
        let small_left = left.len() <= right.len();
        let small = self::histogram(binned, gradients, if small_left { &left } else { &right }, features);
        let mut large = parent.histogram;
        for (sum, less) in large.iter_mut().zip(&small) {
            sum.gradient -= less.gradient;
            sum.curvature -= less.curvature;
        }
        let (left_histogram, right_histogram) = if small_left { (small, large) } else { (large, small) };
        for (offset, rows, histogram) in [(0, left, left_histogram), (1, right, right_histogram)] {
            let made = leaf(children + offset, rows, gradients, histogram, features, binned, settings);
            let node = Node { feature: 0, bin: 0, left: 0, output: output(made.sums, settings) };
            nodes.push(node);
            leaves.push(made);
        }
    }
    nodes
}

fn output(sums: Sums, settings: &Settings) -> i16 {
    let value = -sums.gradient / (sums.curvature + f64::from(settings.ridge)) * f64::from(settings.rate);
    (value / f64::from(OUTPUT_STEP)).round().clamp(-32_000.0, 32_000.0) as i16
}

fn histogram(binned: &Binned, gradients: &[(f32, f32)], rows: &[u32], features: &[usize]) -> Vec<Sums> {
    let mut histogram = vec![Sums::default(); features.len() * SLOTS];
    for (slot, &feature) in features.iter().enumerate() {
        let column = &binned.bins[feature];
        let part = &mut histogram[slot * SLOTS..(slot + 1) * SLOTS];
        for &row in rows {
            let bin = usize::from(column[row as usize]).min(SLOTS - 1);
            let (gradient, curvature) = gradients[row as usize];
            part[bin].gradient += f64::from(gradient);
            part[bin].curvature += f64::from(curvature);
        }
    }
    histogram
}

fn leaf(
    node: usize,
    rows: Vec<u32>,
    gradients: &[(f32, f32)],
    histogram: Vec<Sums>,
    features: &[usize],
    binned: &Binned,
    settings: &Settings,
) -> Leaf {
    let mut sums = Sums::default();
    for &row in &rows {
        let (gradient, curvature) = gradients[row as usize];
        sums.gradient += f64::from(gradient);
        sums.curvature += f64::from(curvature);
    }
    let ridge = f64::from(settings.ridge);
    let score = |sums: Sums| sums.gradient * sums.gradient / (sums.curvature + ridge);
    let mut best: Option<Split> = None;
    for (slot, &feature) in features.iter().enumerate() {
        let part = &histogram[slot * SLOTS..(slot + 1) * SLOTS];
        let mut left = Sums::default();
        // The last cut separates the missing values, which take the right branch.
        for (bin, sums_here) in part.iter().enumerate().take(binned.thresholds[feature].len() + 1) {
            left.gradient += sums_here.gradient;
            left.curvature += sums_here.curvature;
            let right = Sums { gradient: sums.gradient - left.gradient, curvature: sums.curvature - left.curvature };
            let least = f64::from(settings.leaf_weight_min);
            if left.curvature < least || right.curvature < least {
                continue;
            }
            let gain = score(left) + score(right) - score(sums);
            if gain > best.map_or(1e-3, |split| split.gain) {
                best = Some(Split { gain, feature, bin: bin as u8 });
            }
        }
    }
    Leaf { node, rows, sums, split: best, histogram }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_a_rule_with_missing_values_and_repeats_itself() {
        let mut data = Data::new(3);
        let mut rng = fastrand::Rng::with_seed(5);
        for _ in 0..4_000 {
            let (a, b) = (rng.f32(), rng.f32());
            let c = if rng.bool() { f32::NAN } else { 0.0 };
            data.push(&[a, b, c], (a > 0.5) != (b > 0.5) || c.is_nan() && a > 0.9, 1.0, 0);
        }
        let settings = Settings { trees: 40, leaves: 8, features: 1.0, ..Settings::default() };
        let forest = train(&data, settings).unwrap();
        let right = (0..data.len()).filter(|&at| (forest.score(data.row(at)) > 0.0) == (data.labels[at] > 0.5)).count();
        assert!(right as f64 > 0.97 * data.len() as f64, "{right}");
        assert_eq!(forest, train(&data, settings).unwrap());
        assert_eq!(Forest::read(&forest.write()).unwrap(), forest);
    }
}

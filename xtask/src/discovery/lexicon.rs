//! Training of the lexicon: what the fixed segments of many vendors' documents have in common.

#![allow(
    clippy::indexing_slicing,
    reason = "a development task: an index out of range is a mistake that should stop it"
)]

use std::collections::{BTreeMap, BTreeSet};

use learn::lexical::{Lexicon, TOKEN_COLUMNS, words_of};
use ml::ngram::ngrams;
use ml::{HashedTable, ModelError, NgramModel};

use super::documents::{Document, Parameter};
use super::values::{Style, Words};

const WEIGHTS: usize = 1 << 15;
/// Tokens of fewer vendors are not shipped: they say more about one vendor than about APIs.
const VENDORS_MIN: usize = 2;

/// A vendor's documents.
pub struct Vendor {
    /// Directory name.
    pub name: String,
    /// Documents.
    pub documents: Vec<Document>,
    /// Which part of the vendors it belongs to.
    pub fold: u8,
}

#[derive(Default)]
struct Token {
    vendors: BTreeSet<usize>,
    segments: BTreeSet<usize>,
    literal_next: u32,
    parameter_next: u32,
}

/// Trains on some vendors.
pub fn train(vendors: &[&Vendor], seed: u64) -> Result<Lexicon, ModelError> {
    let mut tokens: BTreeMap<String, Token> = BTreeMap::new();
    let mut segments: BTreeMap<String, u32> = BTreeMap::new();
    for (number, vendor) in vendors.iter().enumerate() {
        let mut own: BTreeSet<String> = BTreeSet::new();
        let templates: BTreeSet<&str> = vendor
            .documents
            .iter()
            .flat_map(|document| &document.operations)
            .map(|operation| operation.template.as_str())
            .collect();
        for template in templates {
            let pieces: Vec<&str> = template.split('/').filter(|piece| !piece.is_empty()).collect();
            for (at, piece) in pieces.iter().enumerate() {
                if piece.contains('{') {
                    continue;
                }
                let token = tokens.entry(piece.to_ascii_lowercase()).or_default();
                token.vendors.insert(number);
                token.segments.insert(number);
                match pieces.get(at + 1) {
                    Some(next) if next.contains('{') => token.parameter_next += 1,
                    Some(_) => token.literal_next += 1,
                    None => (),
                }
                own.insert((*piece).to_owned());
                for word in words_of(piece) {
                    tokens.entry(word).or_default().vendors.insert(number);
                }
            }
        }
        for segment in own {
            *segments.entry(segment).or_default() += 1;
        }
    }
    let rows = tokens.iter().filter(|(_, token)| token.vendors.len() >= VENDORS_MIN).map(|(text, token)| {
        let known = (token.segments.len() as f32 + 1.0).log2() * 16.0;
        let next = token.parameter_next + token.literal_next;
        let followed = (token.parameter_next as f32 + 0.5) / (next as f32 + 1.0);
        (ml::table::key(text.as_bytes()), vec![known.min(255.0) as u8, (followed * 255.0) as u8])
    });
    let table = HashedTable::new(TOKEN_COLUMNS, rows.collect())?;
    Ok(Lexicon { ngrams: train_ngrams(vendors, &segments, seed)?, tokens: table })
}

fn train_ngrams(vendors: &[&Vendor], segments: &BTreeMap<String, u32>, seed: u64) -> Result<NgramModel, ModelError> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut words: Vec<String> = vendors
        .iter()
        .flat_map(|vendor| &vendor.documents)
        .flat_map(|document| document.words.iter().cloned())
        .collect();
    words.sort();
    words.dedup();
    let words = Words(words);
    let mut texts: Vec<(String, bool)> = Vec::new();
    for (segment, &count) in segments {
        (0..count.min(4)).for_each(|_| texts.push((segment.clone(), true)));
    }
    let literals = texts.len();
    while texts.len() < literals * 2 {
        let style = Style::choose(&mut rng, &Parameter::default(), &words);
        for number in 0..6 {
            texts.push((style.value(&mut rng, number, &words), false));
        }
    }
    let (mut weights, mut bias) = (vec![0.0f32; WEIGHTS], 0.0f32);
    let mut grams: Vec<usize> = Vec::new();
    for epoch in 0..6 {
        rng.shuffle(&mut texts);
        let rate = 0.8 / (1.0 + epoch as f32);
        for (text, literal) in &texts {
            grams.clear();
            let count = ngrams(text.as_bytes(), |hash| grams.push((hash as usize) & (WEIGHTS - 1)));
            let scale = 1.0 / (count.max(1) as f32).sqrt();
            let sum: f32 = grams.iter().map(|&gram| weights[gram]).sum();
            let error = ml::forest::sigmoid(bias + sum * scale) - f32::from(u8::from(*literal));
            bias -= 0.01 * rate * error;
            for &gram in &grams {
                weights[gram] -= rate * (error * scale + 1e-5 * weights[gram]);
            }
        }
    }
    NgramModel::new(bias, &weights)
}

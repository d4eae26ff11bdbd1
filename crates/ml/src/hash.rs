//! A fast keyed hash of short byte strings, stable across machines and versions: model files depend on it.
//!
//! Not a cryptographic hash. Where the bytes come from an outsider, pass a key that the outsider does not know and
//! bound what a collision can cost.

/// Multiplies two words to 128 bits and folds the halves (the core of wyhash and its descendants).
const fn fold(a: u64, b: u64) -> u64 {
    let wide = (a as u128).wrapping_mul(b as u128);
    (wide as u64) ^ ((wide >> 64) as u64)
}

const SALT_A: u64 = 0xa076_1d64_78bd_642f;
const SALT_B: u64 = 0xe703_7ed1_a0b4_28db;

/// Hashes `bytes` under `key`.
pub fn hash_bytes(key: u64, bytes: &[u8]) -> u64 {
    let mut state = key ^ SALT_A;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        state = fold(state ^ u64::from_le_bytes(word), SALT_B);
    }
    let mut word = [0u8; 8];
    for (to, from) in word.iter_mut().zip(chunks.remainder()) {
        *to = *from;
    }
    state = fold(state ^ u64::from_le_bytes(word), SALT_A);
    fold(state ^ bytes.len() as u64, SALT_B)
}

/// The hash that [`hash_bytes`] gives for the same bytes with ASCII capitals made small.
pub fn hash_folded(key: u64, bytes: &[u8]) -> u64 {
    let mut state = key ^ SALT_A;
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0u8; 8];
        word.copy_from_slice(chunk);
        word.make_ascii_lowercase();
        state = fold(state ^ u64::from_le_bytes(word), SALT_B);
    }
    let mut word = [0u8; 8];
    for (to, from) in word.iter_mut().zip(chunks.remainder()) {
        *to = from.to_ascii_lowercase();
    }
    state = fold(state ^ u64::from_le_bytes(word), SALT_A);
    fold(state ^ bytes.len() as u64, SALT_B)
}

/// Mixes one more word into a hash.
pub const fn mix(hash: u64, word: u64) -> u64 {
    fold(hash ^ word ^ SALT_A, SALT_B)
}

/// A hasher for maps whose keys are already hashes: takes the last word written as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct PassHasher(u64);

impl std::hash::Hasher for PassHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, hash_bytes(0, bytes));
    }

    fn write_u32(&mut self, word: u32) {
        self.0 = mix(self.0, u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = self.0.rotate_left(5) ^ word;
    }
}

/// Builds [`PassHasher`]s.
pub type BuildPassHasher = std::hash::BuildHasherDefault<PassHasher>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_files_depend_on_these_values() {
        assert_eq!(
            [hash_bytes(0, b"users"), hash_bytes(0, b"12345678"), hash_bytes(7, b"a-longer-segment-here")],
            [18_382_188_449_683_139_881, 13_775_822_336_488_113_172, 12_919_068_906_952_782_945]
        );
    }

    #[test]
    fn case_is_folded_as_if_the_text_were_small() {
        for text in ["", "Users", "resourceGroups", "ÄX-9aZ_KLMNOPQRS"] {
            let small = text.to_ascii_lowercase();
            assert_eq!(hash_folded(3, text.as_bytes()), hash_bytes(3, small.as_bytes()), "{text}");
        }
    }

    #[test]
    fn the_key_and_the_length_matter() {
        assert_ne!(hash_bytes(0, b"a"), hash_bytes(1, b"a"));
        assert_ne!(hash_bytes(0, b"a"), hash_bytes(0, b"a\0"));
    }
}

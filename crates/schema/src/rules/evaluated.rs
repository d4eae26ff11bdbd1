//! Which members or items of one value some schema has looked at, for the `unevaluated` keywords and for fields that
//! are not declared.

/// A growing set of positions; the first 64 need no allocation.
#[derive(Debug, Default)]
pub(super) struct Evaluated {
    first: u64,
    more: Vec<u64>,
    /// Everything was looked at.
    pub(super) all: bool,
    /// Some schema declares members, so that others are undeclared.
    pub(super) declares: bool,
}

impl Evaluated {
    pub(super) fn mark(&mut self, position: usize) {
        if position < 64 {
            self.first |= 1 << position;
            return;
        }
        let word = position / 64 - 1;
        if self.more.len() <= word {
            self.more.resize(word + 1, 0);
        }
        if let Some(bits) = self.more.get_mut(word) {
            *bits |= 1 << (position % 64);
        }
    }

    pub(super) fn has(&self, position: usize) -> bool {
        if self.all {
            return true;
        }
        let bits = if position < 64 { self.first } else { self.more.get(position / 64 - 1).copied().unwrap_or(0) };
        bits >> (position % 64) & 1 == 1
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.first |= other.first;
        self.all |= other.all;
        self.declares |= other.declares;
        if self.more.len() < other.more.len() {
            self.more.resize(other.more.len(), 0);
        }
        for (own, bits) in self.more.iter_mut().zip(&other.more) {
            *own |= bits;
        }
    }
}

//! An Aho-Corasick automaton (Aho and Corasick, 1975) over lower-case fragments, blind to the case of letters.
//!
//! Complete: one table look-up for each byte, whatever the text, and every occurrence of every fragment is found.

use std::collections::VecDeque;

/// Marks a state with an output in the table of transitions.
const OUTPUT: u32 = 1 << 31;

/// The automaton.
pub(crate) struct Automaton {
    /// The column of each byte; letters of both cases share one.
    column: [u8; 256],
    columns: usize,
    /// The next state, by state and column; states are multiplied by `columns` already, and [`OUTPUT`] marks those that
    /// have an output.
    next: Vec<u32>,
    /// Which output list belongs to a state; 0 for none.
    output: Vec<u16>,
    /// Output lists: indices of fragments.
    lists: Vec<Vec<u16>>,
}

impl Automaton {
    /// An automaton over fragments in lower case; at most 65,535 of them.
    pub(crate) fn new<'m>(fragments: impl Iterator<Item = &'m str> + Clone) -> Self {
        let mut column = [0u8; 256];
        let mut columns = 1usize;
        for byte in fragments.clone().flat_map(str::bytes) {
            if let Some(slot) = column.get_mut(byte as usize)
                && *slot == 0
            {
                *slot = u8::try_from(columns).unwrap_or(0);
                columns += 1;
            }
        }
        for upper in b'A'..=b'Z' {
            let lower = column.get(upper.to_ascii_lowercase() as usize).copied().unwrap_or(0);
            if let Some(slot) = column.get_mut(upper as usize) {
                *slot = lower;
            }
        }
        let mut trie = Trie { columns, next: vec![NONE; columns], ends: vec![Vec::new()] };
        for (index, fragment) in fragments.enumerate() {
            let path = fragment.bytes().map(|byte| column.get(byte as usize).copied().unwrap_or(0));
            trie.insert(path, u16::try_from(index).unwrap_or(u16::MAX));
        }
        trie.link();
        let mut lists = vec![Vec::new()];
        let output = trie.ends.iter().map(|ends| {
            if ends.is_empty() {
                return 0;
            }
            lists.push(ends.clone());
            u16::try_from(lists.len() - 1).unwrap_or(0)
        });
        let output: Vec<u16> = output.collect();
        let marked = |state: u32| match output.get(state as usize) {
            Some(0) | None => state * columns as u32,
            Some(_) => (state * columns as u32) | OUTPUT,
        };
        let next = trie.next.iter().map(|&state| marked(state)).collect();
        Self { column, columns, next, output, lists }
    }

    /// Calls `each` with the index of every fragment found and the offset behind it.
    pub(crate) fn scan(&self, text: &[u8], each: &mut dyn FnMut(usize, usize)) {
        let mut state = State::default();
        for (at, &byte) in text.iter().enumerate() {
            state = self.step(state, byte);
            if state.is_end() {
                for &index in self.ends(state) {
                    each(index as usize, at + 1);
                }
            }
        }
    }

    /// The state behind one more byte.
    #[inline]
    pub(crate) fn step(&self, state: State, byte: u8) -> State {
        let column = self.column.get(byte as usize).copied().unwrap_or(0);
        State(self.next.get((state.0 & !OUTPUT) as usize + column as usize).copied().unwrap_or(0))
    }

    /// The fragments that end where a state was reached.
    pub(crate) fn ends(&self, state: State) -> &[u16] {
        let list = self.output.get((state.0 & !OUTPUT) as usize / self.columns).copied().unwrap_or(0);
        self.lists.get(list as usize).map_or(&[], Vec::as_slice)
    }
}

/// Where in its fragments the automaton is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct State(u32);

impl State {
    /// True when some fragment ends here.
    #[inline]
    pub(crate) const fn is_end(self) -> bool {
        self.0 & OUTPUT != 0
    }
}

const NONE: u32 = u32::MAX;

struct Trie {
    columns: usize,
    next: Vec<u32>,
    ends: Vec<Vec<u16>>,
}

impl Trie {
    fn insert(&mut self, path: impl Iterator<Item = u8>, index: u16) {
        let mut state = 0usize;
        for column in path {
            let slot = state * self.columns + column as usize;
            let known = self.next.get(slot).copied().unwrap_or(NONE);
            state = if known == NONE {
                let new = self.ends.len();
                self.ends.push(Vec::new());
                self.next.resize(self.next.len() + self.columns, NONE);
                if let Some(slot) = self.next.get_mut(slot) {
                    *slot = new as u32;
                }
                new
            } else {
                known as usize
            };
        }
        if let Some(ends) = self.ends.get_mut(state) {
            ends.push(index);
        }
    }

    /// Completes the automaton: every missing transition becomes the one of the longest proper suffix.
    fn link(&mut self) {
        let mut suffix = vec![0usize; self.ends.len()];
        let mut queue = VecDeque::from([0usize]);
        while let Some(state) = queue.pop_front() {
            for column in 0..self.columns {
                let slot = state * self.columns + column;
                let fallback_state = suffix.get(state).copied().unwrap_or(0);
                let fallback = match state {
                    0 => 0,
                    _ => self.next.get(fallback_state * self.columns + column).copied().unwrap_or(0),
                };
                let Some(next) = self.next.get_mut(slot) else { continue };
                if *next == NONE {
                    *next = fallback;
                    continue;
                }
                let child = *next as usize;
                if let Some(slot) = suffix.get_mut(child) {
                    *slot = fallback as usize;
                }
                let inherited = self.ends.get(fallback as usize).cloned().unwrap_or_default();
                if let Some(ends) = self.ends.get_mut(child) {
                    ends.extend(inherited);
                }
                queue.push_back(child);
            }
        }
    }
}

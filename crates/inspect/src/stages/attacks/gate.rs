//! The cheap gate in front of every detector: which bytes a value has, and which known fragments stand in it.
//!
//! One pass ORs the classes of all bytes; a value of letters, digits and a few harmless signs goes no further. One pass
//! of an Aho-Corasick automaton over the markers of all detectors then tells which detectors must look, and what already
//! speaks for them. Both are linear with a small constant, whatever the input.

use std::sync::LazyLock;

use smallvec::SmallVec;

use super::automaton::Automaton;
use super::family::Family;

/// Which kinds of bytes stand in a text, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes(pub u32);

impl Classes {
    /// Space, tab.
    pub const SPACE: u32 = 1;
    /// Single or double quote.
    pub const QUOTE: u32 = 1 << 1;
    /// `<` or `>`.
    pub const ANGLE: u32 = 1 << 2;
    /// Parentheses.
    pub const PAREN: u32 = 1 << 3;
    /// Braces, brackets.
    pub const BRACE: u32 = 1 << 4;
    /// `;`, `|`, `&`, line ends.
    pub const SEPARATOR: u32 = 1 << 5;
    /// `$`, `#`, `@`, `~`, `^`.
    pub const SIGIL: u32 = 1 << 6;
    /// `%`.
    pub const PERCENT: u32 = 1 << 7;
    /// Backslash.
    pub const BACKSLASH: u32 = 1 << 8;
    /// `=`, `!`, `*`, `?`.
    pub const OPERATOR: u32 = 1 << 9;
    /// Bytes beyond ASCII.
    pub const WIDE: u32 = 1 << 10;
    /// Control characters but tab and line ends.
    pub const CONTROL: u32 = 1 << 11;
    /// `+`.
    pub const PLUS: u32 = 1 << 12;
    /// `/`.
    pub const SLASH: u32 = 1 << 13;
    /// A digit.
    pub const DIGIT: u32 = 1 << 14;
    /// Backtick.
    pub const BACKTICK: u32 = 1 << 15;
    /// `_`.
    pub const UNDERSCORE: u32 = 1 << 16;
    /// `,`.
    pub const COMMA: u32 = 1 << 17;
    /// `:`.
    pub const COLON: u32 = 1 << 18;
    /// `&`, which is a separator as well.
    pub const AMPERSAND: u32 = 1 << 19;

    /// `~`, which is a sigil as well.
    pub const TILDE: u32 = 1 << 20;

    /// Line ends, which are separators as well.
    pub const LINE: u32 = 1 << 21;

    /// Everything but letters, digits and the signs of names, numbers and times.
    pub const BEYOND_NAMES: u32 = !(Self::DIGIT | Self::UNDERSCORE | Self::COMMA | Self::COLON);

    /// The classes of all bytes of a text.
    pub fn of(text: &[u8]) -> Self {
        let class = |byte: u8| CLASS.get(byte as usize).copied().unwrap_or(0);
        // Four sets at once, so that one byte need not wait for the one before it.
        let mut sets = [0u32; 4];
        let (chunks, rest) = text.as_chunks::<4>();
        for &[a, b, c, d] in chunks {
            let [first, second, third, fourth] = &mut sets;
            *first |= class(a);
            *second |= class(b);
            *third |= class(c);
            *fourth |= class(d);
        }
        let [a, b, c, d] = sets;
        Self(rest.iter().fold(a | b | c | d, |set, &byte| set | class(byte)))
    }

    /// True when any class of `mask` is there.
    pub const fn any(self, mask: u32) -> bool {
        self.0 & mask != 0
    }

    /// True when every class of `mask` is there.
    pub const fn all(self, mask: u32) -> bool {
        self.0 & mask == mask
    }
}

#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler, which checks the bounds")]
const CLASS: [u32; 256] = {
    let mut table = [0u32; 256];
    let mut byte = 0usize;
    while byte < 256 {
        table[byte] = match byte as u8 {
            b' ' | b'\t' => Classes::SPACE,
            b'\'' | b'"' => Classes::QUOTE,
            b'<' | b'>' => Classes::ANGLE,
            b'(' | b')' => Classes::PAREN,
            b'{' | b'}' | b'[' | b']' => Classes::BRACE,
            b'&' => Classes::SEPARATOR | Classes::AMPERSAND,
            b'\n' | b'\r' => Classes::SEPARATOR | Classes::LINE,
            b';' | b'|' => Classes::SEPARATOR,
            b'_' => Classes::UNDERSCORE,
            b',' => Classes::COMMA,
            b':' => Classes::COLON,
            b'~' => Classes::SIGIL | Classes::TILDE,
            b'$' | b'#' | b'@' | b'^' => Classes::SIGIL,
            b'%' => Classes::PERCENT,
            b'\\' => Classes::BACKSLASH,
            b'=' | b'!' | b'*' | b'?' => Classes::OPERATOR,
            b'+' => Classes::PLUS,
            b'/' => Classes::SLASH,
            b'0'..=b'9' => Classes::DIGIT,
            b'`' => Classes::BACKTICK,
            0..=31 | 127 => Classes::CONTROL,
            128..=255 => Classes::WIDE,
            _ => 0,
        };
        byte += 1;
    }
    table
};

/// What must stand around a marker for it to count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Anything.
    Any,
    /// No letter, digit or underscore before it.
    Start,
    /// No letter, digit or underscore before or behind it.
    Word,
    /// A word, and behind it an opening parenthesis, spaces and comments allowed.
    Call,
}

/// A fragment that speaks for an attack.
#[derive(Clone, Copy, Debug)]
pub struct Marker {
    /// The fragment in lower case.
    pub text: &'static str,
    /// How much it weighs; see [`Weight`](super::family::Weight).
    pub points: u8,
    /// What must stand around it.
    pub edge: Edge,
}

/// A marker that counts wherever it stands.
pub const fn any(points: u8, text: &'static str) -> Marker {
    Marker { text, points, edge: Edge::Any }
}

/// A marker that must begin a word.
pub const fn start(points: u8, text: &'static str) -> Marker {
    Marker { text, points, edge: Edge::Start }
}

/// A marker that must be a whole word.
pub const fn word(points: u8, text: &'static str) -> Marker {
    Marker { text, points, edge: Edge::Word }
}

/// A marker that must be called.
pub const fn call(points: u8, text: &'static str) -> Marker {
    Marker { text, points, edge: Edge::Call }
}

/// A marker found in a text.
#[derive(Clone, Copy, Debug)]
pub struct Hit {
    /// Whose marker it is.
    pub family: Family,
    /// The marker.
    pub marker: Marker,
    /// Where it begins.
    pub at: u32,
}

/// The markers found in one text.
#[derive(Clone, Debug, Default)]
pub struct Hits {
    /// The families of all hits, as a set of `1 << Family`.
    pub families: u32,
    /// The first occurrences, in the order of the text.
    pub list: SmallVec<[Hit; 8]>,
}

/// Most hits kept of one text; the families are complete all the same.
const HITS_MAX: usize = 256;

/// The automaton over all markers.
pub struct Gate {
    automaton: Automaton,
    markers: Vec<(Family, Marker)>,
}

/// The gate over the markers of every detector, built at first use.
pub static GATE: LazyLock<Gate> = LazyLock::new(|| {
    Gate::new(Family::ALL.iter().flat_map(|&family| family.markers().iter().map(move |&marker| (family, marker))))
});

impl Gate {
    fn new(markers: impl Iterator<Item = (Family, Marker)>) -> Self {
        let markers: Vec<(Family, Marker)> = markers.collect();
        let automaton = Automaton::new(markers.iter().map(|(_, marker)| marker.text));
        Self { automaton, markers }
    }

    /// Every marker of a text whose edges are right.
    pub fn scan(&self, text: &[u8]) -> Hits {
        let mut hits = Hits::default();
        self.automaton.scan(text, &mut |index, end| {
            let Some(&(family, marker)) = self.markers.get(index) else { return };
            let at = end.saturating_sub(marker.text.len());
            if !edge_holds(text, at, end, marker.edge) {
                return;
            }
            hits.families |= family.bit();
            if hits.list.len() < HITS_MAX {
                hits.list.push(Hit { family, marker, at: at as u32 });
            }
        });
        hits
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn edge_holds(text: &[u8], at: usize, end: usize, edge: Edge) -> bool {
    let before = at.checked_sub(1).and_then(|at| text.get(at)).copied();
    let after = text.get(end..).unwrap_or_default();
    let starts = !before.is_some_and(is_word);
    let ends = !after.first().copied().is_some_and(is_word);
    match edge {
        Edge::Any => true,
        Edge::Start => starts,
        Edge::Word => starts && ends,
        Edge::Call => {
            starts && {
                let gap = after
                    .iter()
                    .take(16)
                    .take_while(|byte| byte.is_ascii_whitespace() || matches!(byte, b'/' | b'*' | b'+'))
                    .count();
                after.get(gap) == Some(&b'(')
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert_eq, proptest};

    fn gate(markers: &[Marker]) -> Gate {
        Gate::new(markers.iter().map(|&marker| (Family::Sql, marker)))
    }

    #[test]
    fn overlapping_markers_are_all_found() {
        let gate = gate(&[any(1, "she"), any(1, "he"), any(1, "hers"), any(1, "ushers")]);
        let found: Vec<_> = gate.scan(b"USHERS").list.iter().map(|hit| (hit.marker.text, hit.at)).collect();
        assert_eq!(found, [("she", 1), ("he", 2), ("ushers", 0), ("hers", 2)]);
    }

    #[test]
    fn edges_are_minded() {
        let gate = gate(&[word(1, "or"), call(1, "sleep"), start(1, "java.")]);
        let found = |text: &str| gate.scan(text.as_bytes()).list.iter().map(|hit| hit.marker.text).collect::<Vec<_>>();
        assert_eq!(found("for order or sleep on"), ["or"]);
        assert_eq!(found("sleep/**/(1) Xsleep(1)"), ["sleep"]);
        assert_eq!(found("myjava. java.x"), ["java."]);
    }

    #[test]
    fn the_markers_fit_the_automaton() {
        assert!(GATE.markers.len() < usize::from(u16::MAX));
        for (family, marker) in &GATE.markers {
            assert_eq!(marker.text, marker.text.to_ascii_lowercase(), "{family:?}");
            assert!(marker.text.len() >= 2, "{family:?} {}", marker.text);
        }
    }

    proptest! {
        #[test]
        fn the_automaton_finds_what_a_plain_search_finds(text in "[abAB]{0,40}") {
            let markers = [any(1, "ab"), any(1, "aba"), any(1, "bb"), any(1, "abab")];
            let lower = text.to_ascii_lowercase();
            let mut expected: Vec<(usize, &str)> = markers.iter().flat_map(|marker| {
                let lower = &lower;
                (0..lower.len()).filter(|&at| lower[at..].starts_with(marker.text)).map(|at| (at, marker.text))
            }).collect();
            let mut found: Vec<(usize, &str)> =
                gate(&markers).scan(text.as_bytes()).list.iter().map(|hit| (hit.at as usize, hit.marker.text)).collect();
            expected.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}

//! Texts without which a pattern cannot match: what the gate looks for before any pattern runs.
//!
//! A set of literals is *required* when every text the pattern matches contains at least one of them, in any case of its
//! ASCII letters. `None` says that no such set was found; then the pattern always runs.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// Most literals of one pattern.
const LITERALS_MAX: usize = 1500;

/// Most exact texts kept for one part while they are put together.
const EXACT_MAX: usize = 300;

/// Longest literal, in bytes.
const LITERAL_BYTES_MAX: usize = 24;

/// What is known of a part of a pattern.
enum Known {
    /// Exactly these texts match, in small letters.
    Exact(Vec<Vec<u8>>),
    /// Every match contains one of these.
    Contains(Vec<Vec<u8>>),
    /// Nothing.
    Nothing,
}

/// The required literals of a pattern in the syntax of the crate `regex`, in small letters.
pub fn required(translated: &str) -> Option<Vec<Vec<u8>>> {
    let parsed =
        ParserBuilder::new().unicode(false).utf8(false).dot_matches_new_line(true).build().parse(translated).ok()?;
    contained(known(&parsed)).filter(|literals| is_useful(literals))
}

/// One letter or digit stands in nearly every text: a set with one is no gate.
fn is_useful(literals: &[Vec<u8>]) -> bool {
    !literals.is_empty() && literals.len() <= LITERALS_MAX && literals.iter().all(|literal| rarity(literal) > 1)
}

/// How telling a literal is: letters and digits count one, other bytes three.
fn rarity(literal: &[u8]) -> usize {
    literal
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' | b' ' | b'/' | b'.' | b'-' | b'_' => 1,
            _ => 3,
        })
        .sum()
}

fn contained(known: Known) -> Option<Vec<Vec<u8>>> {
    match known {
        Known::Exact(texts) | Known::Contains(texts) if texts.iter().all(|text| !text.is_empty()) => Some(texts),
        _ => None,
    }
}

/// The better of two sets: the one whose weakest literal tells more, then the smaller one.
fn better(a: Option<Vec<Vec<u8>>>, b: Option<Vec<Vec<u8>>>) -> Option<Vec<Vec<u8>>> {
    let worth = |set: &[Vec<u8>]| {
        let weakest = set.iter().map(|text| rarity(text)).min().unwrap_or(0);
        (is_useful(set), weakest.min(4), std::cmp::Reverse(set.len()))
    };
    match (a, b) {
        (Some(a), Some(b)) => Some(if worth(&a) >= worth(&b) { a } else { b }),
        (some, None) | (None, some) => some,
    }
}

fn known(hir: &Hir) -> Known {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Known::Exact(vec![Vec::new()]),
        HirKind::Literal(literal) => {
            Known::Exact(vec![cut(literal.0.to_ascii_lowercase())]).cut_is_inexact(literal.0.len())
        }
        HirKind::Class(class) => class_texts(class).map_or(Known::Nothing, Known::Exact),
        HirKind::Capture(capture) => known(&capture.sub),
        HirKind::Repetition(repetition) => {
            let inner = known(&repetition.sub);
            match (repetition.min, repetition.max, inner) {
                (1, Some(1), inner) => inner,
                (0, Some(1), Known::Exact(mut texts)) => {
                    texts.push(Vec::new());
                    normal(texts)
                }
                (0, ..) => Known::Nothing,
                (_, _, inner) => contained(inner).map_or(Known::Nothing, Known::Contains),
            }
        }
        HirKind::Alternation(branches) => alternation(branches),
        HirKind::Concat(parts) => concatenation(parts),
    }
}

impl Known {
    /// A literal that was cut is contained, not exact.
    fn cut_is_inexact(self, length: usize) -> Self {
        match self {
            Self::Exact(texts) if length > LITERAL_BYTES_MAX => Self::Contains(texts),
            known => known,
        }
    }
}

fn cut(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(LITERAL_BYTES_MAX);
    text
}

fn normal(mut texts: Vec<Vec<u8>>) -> Known {
    texts.sort_unstable();
    texts.dedup();
    if texts.len() > LITERALS_MAX { Known::Nothing } else { Known::Exact(texts) }
}

/// The texts of a small class; both cases of a letter are one.
fn class_texts(class: &Class) -> Option<Vec<Vec<u8>>> {
    let ranges: Vec<(u32, u32)> = match class {
        Class::Bytes(class) => class.iter().map(|range| (u32::from(range.start()), u32::from(range.end()))).collect(),
        Class::Unicode(class) => class.iter().map(|range| (range.start() as u32, range.end() as u32)).collect(),
    };
    let count: u32 = ranges.iter().map(|(low, high)| high - low + 1).sum();
    if count > 12 || ranges.iter().any(|(_, high)| *high > 255) {
        return None;
    }
    let bytes = ranges.into_iter().flat_map(|(low, high)| low..=high);
    let mut texts: Vec<Vec<u8>> = bytes.map(|byte| vec![(byte as u8).to_ascii_lowercase()]).collect();
    texts.sort_unstable();
    texts.dedup();
    Some(texts)
}

fn alternation(branches: &[Hir]) -> Known {
    let mut all = Vec::new();
    let mut exact = true;
    for branch in branches {
        match known(branch) {
            Known::Exact(texts) => all.extend(texts),
            Known::Contains(texts) => {
                exact = false;
                all.extend(texts);
            }
            Known::Nothing => return Known::Nothing,
        }
        if all.len() > LITERALS_MAX {
            return Known::Nothing;
        }
    }
    all.sort_unstable();
    all.dedup();
    if exact { Known::Exact(all) } else { Known::Contains(all) }
}

/// Exact neighbours are joined as long as they stay few; the best run of them is what the whole requires.
fn concatenation(parts: &[Hir]) -> Known {
    let mut run: Vec<Vec<u8>> = vec![Vec::new()];
    let mut best: Option<Vec<Vec<u8>>> = None;
    let mut whole_is_exact = true;
    for part in parts {
        match known(part) {
            Known::Exact(texts) if run.len() * texts.len() <= EXACT_MAX && fits(&run, &texts) => {
                run = run.iter().flat_map(|start| texts.iter().map(|end| [&start[..], end].concat())).collect();
            }
            Known::Exact(texts) => {
                whole_is_exact = false;
                best = better(best, contained(Known::Exact(std::mem::replace(&mut run, texts))));
            }
            other => {
                whole_is_exact = false;
                best = better(best, contained(other));
                best = better(best, contained(Known::Exact(std::mem::replace(&mut run, vec![Vec::new()]))));
            }
        }
    }
    run.sort_unstable();
    run.dedup();
    if whole_is_exact {
        return Known::Exact(run);
    }
    better(best, contained(Known::Exact(run))).map_or(Known::Nothing, Known::Contains)
}

fn fits(run: &[Vec<u8>], texts: &[Vec<u8>]) -> bool {
    let longest = |texts: &[Vec<u8>]| texts.iter().map(Vec::len).max().unwrap_or(0);
    longest(run) + longest(texts) <= LITERAL_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(pattern: &str, expected: Option<&[&str]>) {
        let found = required(pattern)
            .map(|set| set.into_iter().map(|text| String::from_utf8(text).unwrap()).collect::<Vec<_>>());
        let expected = expected.map(|set| set.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
        assert_eq!(found, expected, "{pattern}");
    }

    #[test]
    fn literals_are_found_inside() {
        check("(?i)<script[^>]*>", Some(&["<script"]));
        check(r"\b(?:union\s+select|benchmark\()", Some(&["benchmark(", "union"]));
        check(r"(?:a|b)?", None);
        check(r"[a-z]+", None);
        check(r"^$", None);
        check(r"x(?:abc|)y*", None);
        check(r"\d+['`]\s*or", Some(&["'", "`"]));
        check(r"(?:etc/(?:passwd|shadow))", Some(&["etc/passwd", "etc/shadow"]));
    }

    proptest! {
        /// What a pattern matches contains one of its required literals.
        #[test]
        fn required_literals_are_required(
            pattern in proptest::sample::select(vec![
                "(?i)<script[^>]*>", r"(?:ab|c[de]f)+x?", r"un(?:ion|it)[ab]?cd", r"(?i)[^a-z](?:sel|ins)(?:ect|ert)",
                r"(?:%2e|\.){2}[/\\]", r"a{2,3}b|cc+d",
            ]),
            text in "[a-fA-F<>ciprstnoulx%2./\\\\]{0,24}",
        ) {
            if regex::bytes::Regex::new(pattern).unwrap().is_match(text.as_bytes()) && let Some(set) = required(pattern) {
                let small = text.to_ascii_lowercase();
                prop_assert!(set.iter().any(|literal| memchr::memmem::find(small.as_bytes(), literal).is_some()));
            }
        }
    }
}

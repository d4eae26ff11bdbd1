//! Path templates and the trie that finds them.
//!
//! Segments may hold several parameters and parameters in their middle (`{lat},{lon}`, `report.{format}`,
//! `{name}:cancel`). A literal segment is preferred to one with parameters, a template with more literal text to one
//! with less, and a template to a lone parameter. Paths are matched as sent; a segment is percent-decoded for comparison
//! with literals only, so an encoded slash never separates.

use std::collections::HashMap;

use smallvec::SmallVec;

use crate::rules::uri::decode;

/// Most segments of a path that are looked at.
const SEGMENTS_MAX: usize = 256;
/// Most trie nodes visited for one path; contracts that need more are ambiguous beyond use.
const STEPS_MAX: u32 = 20_000;

/// The raw text of the parameters, as ranges of the path, in the order of the template.
pub type PathValues = SmallVec<[(u32, u32); 4]>;

/// A piece of a segment template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Literal(Box<str>),
    Parameter(Box<str>),
}

/// Splits a segment into literals and parameters. `None` when braces do not match or parameters touch.
pub(crate) fn pieces(segment: &str) -> Option<Vec<Piece>> {
    let mut list = Vec::new();
    let mut rest = segment;
    while let Some(open) = rest.find('{') {
        let (literal, after) = rest.split_at(open);
        if literal.contains('}') {
            return None;
        }
        if !literal.is_empty() {
            list.push(Piece::Literal(decode(literal).into()));
        }
        let (name, after) = after.strip_prefix('{')?.split_once('}')?;
        if name.is_empty() || name.contains('{') || matches!(list.last(), Some(Piece::Parameter(_))) {
            return None;
        }
        list.push(Piece::Parameter(name.into()));
        rest = after;
    }
    if rest.contains('}') {
        return None;
    }
    if !rest.is_empty() || list.is_empty() {
        list.push(Piece::Literal(decode(rest).into()));
    }
    Some(list)
}

#[derive(Debug, Default)]
struct Node {
    literals: HashMap<Box<str>, u32>,
    /// Segments with both literal text and parameters, most literal text first.
    templates: Vec<(Vec<Piece>, u32)>,
    /// A segment that is one parameter.
    parameter: Option<u32>,
    /// The path item that ends here.
    item: Option<u32>,
}

/// Finds path items by path.
#[derive(Debug)]
pub(crate) struct PathTrie {
    nodes: Vec<Node>,
}

impl Default for PathTrie {
    fn default() -> Self {
        Self { nodes: vec![Node::default()] }
    }
}

impl PathTrie {
    /// Adds a template. Returns the item that has an equivalent one already, if there is one.
    pub(crate) fn add(&mut self, segments: &[Vec<Piece>], item: u32) -> Option<u32> {
        let mut at = 0u32;
        for segment in segments {
            at = self.child(at, segment);
        }
        let node = self.nodes.get_mut(at as usize)?;
        match node.item {
            Some(existing) if existing != item => Some(existing),
            _ => {
                node.item = Some(item);
                None
            }
        }
    }

    fn child(&mut self, at: u32, segment: &[Piece]) -> u32 {
        let next = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        let Some(node) = self.nodes.get_mut(at as usize) else { return 0 };
        let found = match segment {
            [Piece::Literal(text)] => *node.literals.entry(text.clone()).or_insert(next),
            [Piece::Parameter(_)] => *node.parameter.get_or_insert(next),
            _ => {
                // Names do not matter: `{a}-x` and `{b}-x` match the same segments.
                let same = |known: &[Piece]| {
                    known.len() == segment.len()
                        && known.iter().zip(segment).all(|(a, b)| match (a, b) {
                            (Piece::Literal(a), Piece::Literal(b)) => a == b,
                            (Piece::Parameter(_), Piece::Parameter(_)) => true,
                            _ => false,
                        })
                };
                match node.templates.iter().find(|(known, _)| same(known)) {
                    Some((_, child)) => *child,
                    None => {
                        node.templates.push((segment.to_vec(), next));
                        node.templates.sort_by_key(|(pieces, _)| std::cmp::Reverse(literal_bytes(pieces)));
                        next
                    }
                }
            }
        };
        if found == next {
            self.nodes.push(Node::default());
        }
        found
    }

    /// Calls `found` with every path item that matches, best first, until it returns true.
    pub(crate) fn find(&self, path: &str, mut found: impl FnMut(u32, &PathValues) -> bool) {
        let mut segments: SmallVec<[(u32, u32); 16]> = SmallVec::new();
        let path_start = usize::from(path.starts_with('/'));
        let mut start = path_start;
        for segment in path.get(path_start..).unwrap_or_default().split('/') {
            if segments.len() >= SEGMENTS_MAX {
                return;
            }
            let end = start + segment.len();
            segments.push((position(start), position(end)));
            start = end + 1;
        }
        let mut search = Search { trie: self, path, segments: &segments, values: PathValues::new(), steps: 0 };
        search.descend(0, 0, &mut found);
    }
}

struct Search<'s> {
    trie: &'s PathTrie,
    path: &'s str,
    segments: &'s [(u32, u32)],
    values: PathValues,
    steps: u32,
}

impl Search<'_> {
    fn descend(&mut self, at: u32, depth: usize, found: &mut impl FnMut(u32, &PathValues) -> bool) -> bool {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            return true;
        }
        let Some(node) = self.trie.nodes.get(at as usize) else { return false };
        let Some((start, end)) = self.segments.get(depth).copied() else {
            return node.item.is_some_and(|item| found(item, &self.values));
        };
        let segment = self.path.get(start as usize..end as usize).unwrap_or_default();
        let literal = match segment.contains('%') {
            true => node.literals.get(decode(segment).as_str()),
            false => node.literals.get(segment),
        };
        if let Some(child) = literal
            && self.descend(*child, depth + 1, found)
        {
            return true;
        }
        for (pieces, child) in &node.templates {
            let before = self.values.len();
            if split_segment(pieces, segment, start, &mut self.values) && self.descend(*child, depth + 1, found) {
                return true;
            }
            self.values.truncate(before);
        }
        if let Some(child) = node.parameter
            && !segment.is_empty()
        {
            self.values.push((start, end));
            if self.descend(child, depth + 1, found) {
                return true;
            }
            self.values.pop();
        }
        false
    }
}

/// Splits a segment by a template; every parameter takes at least one character and ends at the next literal.
fn split_segment(pieces: &[Piece], segment: &str, start: u32, values: &mut PathValues) -> bool {
    let mut at = 0usize;
    let mut pending: Option<usize> = None;
    for (number, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Parameter(_) => pending = Some(at),
            Piece::Literal(text) => {
                let is_last = number + 1 == pieces.len();
                match pending.take() {
                    None => {
                        if !segment.get(at..).is_some_and(|rest| rest.starts_with(&**text)) {
                            return false;
                        }
                        at += text.len();
                    }
                    Some(from) => {
                        let rest = segment.get(from..).unwrap_or_default();
                        let skip = rest.chars().next().map_or(0, char::len_utf8);
                        let found = match is_last {
                            true => rest.strip_suffix(&**text).map(str::len),
                            false => rest.get(skip..).and_then(|rest| rest.find(&**text)).map(|at| at + skip),
                        };
                        let Some(length) = found.filter(|length| *length > 0) else { return false };
                        values.push((start + position(from), start + position(from + length)));
                        at = from + length + text.len();
                    }
                }
            }
        }
    }
    match pending {
        Some(from) if from < segment.len() => {
            values.push((start + position(from), start + position(segment.len())));
            true
        }
        Some(_) => false,
        None => at == segment.len(),
    }
}

fn literal_bytes(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| if let Piece::Literal(text) = piece { text.len() } else { 0 }).sum()
}

/// Paths are far shorter than 4 GB: they come from a bounded head.
fn position(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matched(templates: &[&str], path: &str) -> Vec<String> {
        let mut trie = PathTrie::default();
        for (number, template) in (0u32..).zip(templates) {
            let segments: Vec<Vec<Piece>> =
                template.trim_start_matches('/').split('/').map(|segment| pieces(segment).unwrap()).collect();
            trie.add(&segments, number);
        }
        let mut list = Vec::new();
        trie.find(path, |item, values| {
            let values: Vec<&str> = values.iter().map(|(from, to)| &path[*from as usize..*to as usize]).collect();
            list.push(format!("{} {}", templates[item as usize], values.join("|")).trim_end().to_owned());
            false
        });
        list
    }

    #[test]
    fn the_most_literal_template_comes_first() {
        let templates = ["/pets/{id}", "/pets/mine", "/pets/{id}.json", "/pets/{a}-{b}", "/{x}/mine"];
        assert_eq!(matched(&templates, "/pets/mine"), ["/pets/mine", "/pets/{id} mine", "/{x}/mine pets"]);
        assert_eq!(matched(&templates, "/pets/7.json"), ["/pets/{id}.json 7", "/pets/{id} 7.json"]);
        assert_eq!(matched(&templates, "/pets/a-b-c"), ["/pets/{a}-{b} a|b-c", "/pets/{id} a-b-c"]);
        assert_eq!(matched(&templates, "/pets/m%69ne"), ["/pets/mine", "/pets/{id} m%69ne", "/{x}/mine pets"]);
        assert_eq!(matched(&templates, "/pets/"), [""; 0]);
        assert_eq!(matched(&templates, "/pets/a%2Fb"), ["/pets/{id} a%2Fb"]);
        assert_eq!(matched(&templates, "/pets/1/2"), [""; 0]);
    }

    #[test]
    fn parameters_stand_anywhere_in_a_segment() {
        let templates = ["/at/{lat},{lon}", "/v1/{name}:cancel", "/f/pre{x}post", "/"];
        assert_eq!(matched(&templates, "/at/1.5,2.5"), ["/at/{lat},{lon} 1.5|2.5"]);
        assert_eq!(matched(&templates, "/at/1.5,"), [""; 0]);
        assert_eq!(matched(&templates, "/v1/a:b:cancel"), ["/v1/{name}:cancel a:b"]);
        assert_eq!(matched(&templates, "/f/prexpost"), ["/f/pre{x}post x"]);
        assert_eq!(matched(&templates, "/f/prepost"), [""; 0]);
        assert_eq!(matched(&templates, "/"), ["/"]);
        assert!(pieces("{a}{b}").is_none());
        assert!(pieces("{a").is_none());
        assert!(pieces("a}").is_none());
    }

    proptest::proptest! {
        #[test]
        fn any_path_is_decided(path in "[/a-c%0-9.:,{}é-]{0,40}") {
            let templates = ["/a/{x}", "/{x}/a", "/{x}-{y}/b", "/a.{f}", "/{a}/{b}/{c}", "/a/b"];
            for line in matched(&templates, &path) {
                proptest::prop_assert!(line.starts_with('/'));
            }
        }
    }
}

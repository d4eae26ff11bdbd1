//! From a trie to templates: walks down from the root, decides at every place which children are values of a parameter,
//! and merges those before it goes on, so that what lies below a parameter is judged on the evidence of all its values.

use smallvec::SmallVec;

use crate::constraints::Constraints;
use crate::features::{Row, rows, second_rows};
use crate::lexical::Form;
use crate::models::Models;
use crate::siblings::{Candidate, Place, Spreads, gather};
use crate::trie::{NodeId, ROOT, Terminal, Trie};

/// One piece of a template, or of several that share a beginning.
#[derive(Clone, Debug)]
pub struct Branch {
    /// Index of the branch above; the root is its own.
    pub parent: usize,
    /// The text of a literal in its commonest spelling; `None` for a parameter.
    pub literal: Option<Box<str>>,
    /// No slash stands before this piece.
    pub joined: bool,
    /// Probability of the decision taken.
    pub confidence: f32,
    /// The nodes merged here.
    pub nodes: Vec<NodeId>,
    /// The values merged here, when this is a parameter.
    pub values: Option<Values>,
    /// Branches below.
    pub children: Vec<usize>,
    /// What ended here, by method.
    pub terminals: Vec<Terminal>,
    /// Mean probability that its siblings are parameters; 0 at the root.
    pub depth: usize,
}

/// The evidence for a parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values {
    /// Different values seen (folded ones included).
    pub distinct: u32,
    /// Values seen once.
    pub once: u32,
    /// Requests.
    pub requests: u32,
    /// Shares of the forms, largest first.
    pub forms: Vec<(Form, u32)>,
    /// The heaviest values, at most [`VALUES_KEPT_MAX`]; for type inference, never stored or shown as they are.
    pub heaviest: Vec<(Box<str>, u32)>,
    /// The row and the features that weighed most for the heaviest value, as indices into the feature names.
    pub reasons: Vec<(usize, f32, f32)>,
    /// A suffix behind a joint was swallowed by this parameter.
    pub swallowed: bool,
}

/// Values kept for type inference.
pub const VALUES_KEPT_MAX: usize = 48;

/// What decides at each place.
pub type Decide<'a> = dyn FnMut(&Place, &[Candidate]) -> Judged + 'a;

/// A decision about the candidates of one place.
#[derive(Clone, Debug, Default)]
pub struct Judged {
    /// For every candidate, the probability that it is a value of a parameter.
    pub probabilities: Vec<f32>,
    /// What it rests on; empty when nobody will ask.
    pub rows: Vec<Row>,
}

/// A tree of branches; the first is the root.
pub type Branches = Vec<Branch>;

/// Formats that a suffix names: for telling `{name}.{format}` from file names.
const FORMATS: [&str; 40] = [
    "json", "xml", "csv", "html", "yaml", "yml", "txt", "pdf", "kml", "kmz", "gml", "geojson", "shp", "shpz", "gpkg",
    "wkt", "rdf", "ttl", "jsonld", "rss", "atom", "jsonp", "js", "png", "jpg", "svg", "gif", "webp", "zip", "xlsx",
    "xls", "ics", "mp3", "wav", "midi", "pbf", "mvt", "tsv", "nt", "md",
];

/// Judges by the models, except where an operator decided.
pub fn judge(trie: &Trie, models: &Models, constraints: &Constraints) -> Branches {
    let mut decide = |place: &Place, candidates: &[Candidate]| {
        let mut judged = probabilities(models, place, candidates);
        if !constraints.is_empty() {
            constraints.apply(&place.template, candidates, &mut judged.probabilities);
        }
        judged
    };
    judge_with(trie, models, &mut decide)
}

/// The models' probabilities for the candidates of a place, guards applied.
pub fn probabilities(models: &Models, place: &Place, candidates: &[Candidate]) -> Judged {
    let rows = rows(place, candidates, &models.lexicon);
    let first: Vec<f32> = rows.iter().map(|row| models.segment.probability(row)).collect();
    let second = second_rows(candidates, &rows, &first);
    let mut judged: Vec<f32> = second.iter().map(|row| models.segment_second.probability(row)).collect();
    guard(candidates, &mut judged);
    Judged { probabilities: judged, rows }
}

/// A piece that never varies and has plenty of traffic is a constant unless it is an unmistakable id: a single wrong
/// parameter high up would ruin every template below it.
const CONSTANT_REQUESTS_MIN: u32 = 40;

fn guard(candidates: &[Candidate], judged: &mut [f32]) {
    for (one, probability) in candidates.iter().zip(judged.iter_mut()) {
        if one.wildcard {
            *probability = 1.0;
        }
    }
    if let ([one], [probability]) = (candidates, judged)
        && !one.wildcard
        && !one.form.unmistakable()
        && one.count >= CONSTANT_REQUESTS_MIN
        && *probability < if one.form.identifier() { 0.8 } else { 0.98 }
    {
        *probability = probability.min(0.2);
    }
}

/// Judges by any decision.
pub fn judge_with(trie: &Trie, models: &Models, decide: &mut Decide<'_>) -> Branches {
    let spreads = Spreads::of(trie);
    let root = Branch {
        parent: 0,
        literal: Some("".into()),
        joined: false,
        confidence: 1.0,
        nodes: vec![ROOT],
        values: None,
        children: Vec::new(),
        terminals: terminals(trie, &[ROOT]),
        depth: 0,
    };
    let mut branches = vec![root];
    let mut open = vec![0usize];
    while let Some(at) = open.pop() {
        let place = place(trie, &branches, at);
        let heads = gather(trie, &place, false, &models.lexicon, &spreads);
        let below = if heads.is_empty() { Vec::new() } else { split(trie, &place, heads, decide, models) };
        let tails = gather(trie, &place, true, &models.lexicon, &spreads);
        let tails = if tails.is_empty() { Vec::new() } else { split(trie, &place, tails, decide, models) };
        let tails = settle_tails(trie, &mut branches, at, tails);
        for mut branch in below.into_iter().chain(tails) {
            branch.parent = at;
            branch.depth = place.depth + 1;
            let id = branches.len();
            branches.push(branch);
            open.push(id);
            if let Some(parent) = branches.get_mut(at) {
                parent.children.push(id);
            }
        }
    }
    branches
}

fn place(trie: &Trie, branches: &Branches, at: usize) -> Place {
    let Some(branch) = branches.get(at) else { return Place::default() };
    let mut literal = String::new();
    let mut up = at;
    while let Some(above) = branches.get(up) {
        if let Some(text) = above.literal.as_deref().filter(|text| !text.is_empty()) {
            literal = text.to_ascii_lowercase();
            break;
        }
        if up == above.parent {
            break;
        }
        up = above.parent;
    }
    let requests = branch.nodes.iter().filter_map(|&id| trie.node(id)).map(|node| node.count).sum();
    let parameter_above = branches.get(branch.parent).is_some_and(|above| above.literal.is_none());
    Place {
        nodes: branch.nodes.clone(),
        literal,
        parameter: branch.literal.is_none(),
        parameter_above,
        depth: branch.depth,
        requests,
        template: template(branches, at),
    }
}

/// The merged terminals of some nodes.
fn terminals(trie: &Trie, nodes: &[NodeId]) -> Vec<Terminal> {
    let mut merged: Vec<Terminal> = Vec::new();
    for node in nodes.iter().filter_map(|&id| trie.node(id)) {
        for terminal in &node.terminals {
            match merged.iter_mut().find(|one| one.method == terminal.method) {
                Some(one) => one.merge(terminal),
                None => merged.push(terminal.clone()),
            }
        }
    }
    merged
}

/// Splits the candidates of a place into one branch per literal and at most one for the parameter.
fn split(
    trie: &Trie,
    place: &Place,
    candidates: Vec<Candidate>,
    decide: &mut Decide<'_>,
    models: &Models,
) -> Vec<Branch> {
    let Judged { probabilities, rows } = decide(place, &candidates);
    let mut branches = Vec::new();
    let mut merged: SmallVec<[NodeId; 8]> = SmallVec::new();
    let mut values = Values::default();
    let mut forms = std::collections::BTreeMap::<Form, u32>::new();
    let (mut weighted, mut heaviest_at) = (0.0f64, None::<(u32, usize)>);
    for (at, (one, &probability)) in candidates.iter().zip(&probabilities).enumerate() {
        if probability < 0.5 {
            branches.push(Branch {
                parent: 0,
                literal: Some(one.text.clone()),
                joined: one.joined,
                confidence: 1.0 - probability,
                terminals: terminals(trie, &one.nodes),
                nodes: one.nodes.to_vec(),
                values: None,
                children: Vec::new(),
                depth: 0,
            });
            continue;
        }
        merged.extend(one.nodes.iter().copied());
        let folded: u32 = if one.wildcard {
            one.nodes.iter().filter_map(|&id| trie.node(id)).map(|node| node.folded).sum()
        } else {
            1
        };
        values.distinct = values.distinct.saturating_add(folded);
        values.once += if one.wildcard { folded } else { u32::from(one.count == 1) };
        values.requests = values.requests.saturating_add(one.count);
        weighted += f64::from(probability) * f64::from(one.count);
        if !one.wildcard {
            *forms.entry(one.form).or_default() += 1;
            values.heaviest.push((one.text.clone(), one.count));
            if heaviest_at.is_none_or(|(count, _)| one.count > count) {
                heaviest_at = Some((one.count, at));
            }
        }
    }
    if merged.is_empty() {
        return branches;
    }
    values.forms = forms.into_iter().collect();
    values.forms.sort_by_key(|&(form, count)| (std::cmp::Reverse(count), form));
    values.heaviest.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.heaviest.truncate(VALUES_KEPT_MAX);
    if let Some(row) = heaviest_at.and_then(|(_, at)| rows.get(at)) {
        let weights = models.segment.reasons(row, 4);
        let reason = |(feature, weight): (usize, f32)| Some((feature, *row.get(feature)?, weight));
        values.reasons = weights.into_iter().filter_map(reason).collect();
    }
    let nodes = merged.to_vec();
    branches.push(Branch {
        parent: 0,
        literal: None,
        joined: candidates.first().is_some_and(|one| one.joined),
        confidence: (weighted / f64::from(values.requests.max(1))) as f32,
        terminals: terminals(trie, &nodes),
        nodes,
        values: Some(values),
        children: Vec::new(),
        depth: 0,
    });
    branches
}

/// Decides what becomes of the pieces behind a joint. Behind a parameter, a varying suffix is a parameter of its own
/// only when it names formats; otherwise it is part of the value (file names, domains) and is swallowed.
fn settle_tails(trie: &Trie, branches: &mut Branches, at: usize, tails: Vec<Branch>) -> Vec<Branch> {
    let Some(head) = branches.get_mut(at) else { return tails };
    let Some(values) = head.values.as_mut() else { return tails };
    let formats = names_formats(trie, &head.nodes);
    let mut kept = Vec::new();
    for tail in tails {
        if tail.values.is_none() || formats {
            kept.push(tail);
            continue;
        }
        values.swallowed = true;
        for terminal in &tail.terminals {
            match head.terminals.iter_mut().find(|one| one.method == terminal.method) {
                Some(one) => one.merge(terminal),
                None => head.terminals.push(terminal.clone()),
            }
        }
    }
    kept
}

/// Do the pieces behind the joint of these values name formats of one thing? The endings of file names belong to their
/// names; formats come again under one name, and there are few of them.
fn names_formats(trie: &Trie, heads: &[NodeId]) -> bool {
    let (mut again, mut several, mut all, mut named) = (0u32, 0u32, 0u32, 0u32);
    let mut suffixes = std::collections::BTreeSet::new();
    for head in heads.iter().filter_map(|&id| trie.node(id)) {
        let mut kinds = 0;
        for tail in head.children.iter().filter_map(|&id| trie.node(id)).filter(|tail| tail.joined) {
            kinds += 1;
            all = all.saturating_add(tail.count);
            let suffix = tail.text.trim_start_matches('.').to_ascii_lowercase();
            if FORMATS.contains(&suffix.as_str()) {
                named = named.saturating_add(tail.count);
                suffixes.insert(suffix);
            }
        }
        again += u32::from(head.count >= 3 && kinds > 0);
        several += u32::from(head.count >= 3 && kinds > 1);
    }
    let plenty = suffixes.len() > 1 && f64::from(named) >= 0.8 * f64::from(all);
    plenty && if again >= 2 { several * 4 >= again } else { suffixes.len() <= 4 }
}

/// The template of a branch, parameters as `{}`.
pub fn template(branches: &Branches, at: usize) -> String {
    let mut pieces = Vec::new();
    let mut up = at;
    while let Some(branch) = branches.get(up) {
        if up == branch.parent {
            break;
        }
        pieces.push(branch);
        up = branch.parent;
    }
    let mut text = String::new();
    for branch in pieces.iter().rev() {
        if !branch.joined {
            text.push('/');
        }
        match &branch.literal {
            Some(literal) => text.push_str(literal),
            None if branch.joined && !text.ends_with('=') => {
                let mark = branch.values.as_ref().and_then(|values| values.heaviest.first()?.0.chars().next());
                if let Some(mark @ ('.' | ':')) = mark {
                    text.push(mark);
                }
                text.push_str("{}");
            }
            None => text.push_str("{}"),
        }
    }
    if text.is_empty() { "/".to_owned() } else { text }
}

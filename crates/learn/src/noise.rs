//! Classifier 3's features: is this method and template an endpoint of an API, or pages, probes and fallbacks?

use std::collections::HashMap;

use ml::hash::BuildPassHasher;

use crate::judge::Branches;
use crate::lexical::Lexicon;
use crate::trie::Terminal;

/// Names of the features, in order; explanations use them.
pub const ENDPOINT_FEATURES: [&str; 40] = [
    "requests judged api",
    "requests",
    "failures",
    "not found",
    "refused",
    "clients",
    "clients per request",
    "structured",
    "pages",
    "untyped",
    "disguised failures",
    "sessions",
    "credentials",
    "credentials known",
    "browsers",
    "programs",
    "scanners and crawlers",
    "queries",
    "response size",
    "response keys",
    "responses known",
    "response of many endpoints",
    "method",
    "depth",
    "parameters",
    "parameter confidence",
    "words read like an api",
    "least api-like word",
    "known words",
    "first word known",
    "first word reads like an api",
    "siblings judged api",
    "place judged api",
    "site judged api",
    "methods here",
    "children",
    "joined",
    "span",
    "redirects",
    "place requests",
];

/// A row of classifier 3.
pub type EndpointRow = [f32; ENDPOINT_FEATURES.len()];

/// What is counted over a whole site before its endpoints are judged.
pub struct Site {
    api: f32,
    /// For every response shape, how many endpoints have it.
    shapes: HashMap<u64, f32, BuildPassHasher>,
    /// Sums over each branch's whole subtree: probability and requests.
    below: Vec<(f32, f32)>,
}

fn shape_key(terminal: &Terminal) -> u64 {
    terminal.shape.as_slice().iter().fold(9, |hash, &key| ml::hash::mix(hash, u64::from(key)))
}

impl Site {
    /// Counts over all branches.
    pub fn of(branches: &Branches) -> Self {
        let mut shapes: HashMap<u64, f32, BuildPassHasher> = HashMap::default();
        let mut below = vec![(0.0f32, 0.0f32); branches.len()];
        // Children lie behind their parents, so that one pass from the end sums every subtree.
        for (at, branch) in branches.iter().enumerate().rev() {
            let mut own = below.get(at).copied().unwrap_or_default();
            for terminal in &branch.terminals {
                own.0 += terminal.api_sum;
                own.1 += terminal.successes as f32;
                if terminal.shaped > 0 {
                    *shapes.entry(shape_key(terminal)).or_default() += 1.0;
                }
            }
            if let Some(slot) = below.get_mut(at) {
                *slot = own;
            }
            if at > 0
                && let Some(parent) = below.get_mut(branch.parent)
            {
                *parent = (parent.0 + own.0, parent.1 + own.1);
            }
        }
        let (sum, requests) = below.first().copied().unwrap_or_default();
        Self { api: sum / requests.max(1.0), shapes, below }
    }

    /// The row of one terminal of a branch.
    pub fn row(&self, branches: &Branches, at: usize, terminal: &Terminal, lexicon: &Lexicon) -> Option<EndpointRow> {
        let branch = branches.get(at)?;
        let successes = terminal.successes.max(1) as f32;
        let share = |count: u32| count as f32 / successes;
        let all = successes + terminal.failures as f32;
        let [_, redirects, refused, missing, _] = terminal.classes;
        let [browsers, programs, robots] = terminal.agents;
        let path = Way::of(branches, at, lexicon);
        let ratio = |at: usize, less: (f32, f32)| {
            let (sum, requests) = self.below.get(at).copied().unwrap_or_default();
            if requests - less.1 < 0.5 { f32::NAN } else { (sum - less.0) / (requests - less.1) }
        };
        let own = self.below.get(at).copied().unwrap_or_default();
        let same_shape = if terminal.shaped == 0 {
            f32::NAN
        } else {
            self.shapes.get(&shape_key(terminal)).copied().unwrap_or(1.0).ln()
        };
        Some([
            terminal.api_sum / successes,
            successes.ln(),
            terminal.failures as f32 / all,
            missing as f32 / all,
            refused as f32 / all,
            terminal.clients.estimate().ln_1p(),
            terminal.clients.estimate() / successes,
            share(terminal.structured),
            share(terminal.pages),
            share(terminal.untyped),
            share(terminal.disguised),
            share(terminal.sessions),
            terminal.credentials as f32 / terminal.credentials_known.max(1) as f32,
            share(terminal.credentials_known),
            share(browsers),
            share(programs),
            share(robots),
            share(terminal.queries),
            terminal.size_sum / successes,
            terminal.shape.as_slice().len() as f32,
            share(terminal.shaped),
            same_shape,
            f32::from(terminal.method),
            branch.depth as f32,
            path.parameters,
            path.confidence,
            path.logit_mean,
            path.logit_least,
            path.known,
            path.first_known,
            path.first_logit,
            ratio(branch.parent, own),
            ratio(at, (terminal.api_sum, terminal.successes as f32)),
            self.api,
            branch.terminals.iter().filter(|terminal| terminal.successes > 0).count() as f32,
            (branch.children.len() as f32).ln_1p(),
            f32::from(u8::from(branch.joined)),
            (terminal.seen.1.saturating_sub(terminal.seen.0) as f32 / 1e6).ln_1p(),
            share(redirects),
            self.below.get(branch.parent).map_or(0.0, |sums| sums.1.ln_1p()),
        ])
    }
}

/// What the words on the way to a branch say.
#[derive(Default)]
struct Way {
    parameters: f32,
    confidence: f32,
    logit_mean: f32,
    logit_least: f32,
    known: f32,
    first_known: f32,
    first_logit: f32,
}

impl Way {
    fn of(branches: &Branches, at: usize, lexicon: &Lexicon) -> Self {
        let mut way = Self { confidence: 1.0, logit_least: f32::INFINITY, ..Self::default() };
        let (mut up, mut literals) = (at, 0.0f32);
        while let Some(branch) = branches.get(up).filter(|branch| branch.parent != up) {
            way.confidence *= branch.confidence;
            match branch.literal.as_deref() {
                None => way.parameters += 1.0,
                Some(literal) => {
                    let lexed = lexicon.lex(literal);
                    literals += 1.0;
                    way.logit_mean += lexed.logit;
                    way.logit_least = way.logit_least.min(lexed.logit);
                    way.known += f32::from(u8::from(lexed.known > 0.0));
                    (way.first_known, way.first_logit) = (lexed.known, lexed.logit);
                }
            }
            up = branch.parent;
        }
        if literals > 0.0 {
            way.logit_mean /= literals;
            way.known /= literals;
        } else {
            way.logit_least = f32::NAN;
            way.logit_mean = f32::NAN;
        }
        way
    }
}

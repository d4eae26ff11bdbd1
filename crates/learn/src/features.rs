//! Classifier 1's features: is this candidate one literal among others, or a value of a parameter?
//!
//! In explainable groups: the text itself, what stands before it, the crowd of its siblings, the structure below, the
//! traffic, and the answers. The second stage adds what the first stage thought of the siblings.

use std::collections::HashMap;

use ml::hash::BuildPassHasher;

use crate::lexical::{FORMS, Form, Lexed, Lexicon, MakeUp};
use crate::siblings::{Candidate, Place};
use crate::trie::{SHAPE_KEYS, Shape};

/// Names of the first stage's features, in order; explanations use them.
pub const SEGMENT_FEATURES: [&str; 84] = [
    // the text
    "length",
    "digits",
    "capitals",
    "vowels",
    "marks",
    "odd characters",
    "entropy",
    "alternations",
    "words",
    "plural",
    "form",
    "identifier form",
    "reads like an api word",
    "known as an api word",
    "known words in it",
    "usually followed by a parameter",
    // what stands before it
    "parent reads like an api word",
    "parent known as an api word",
    "parent usually followed by a parameter",
    "parent is a parameter",
    "grandparent is a parameter",
    "parent plural",
    "parent form",
    "depth",
    "joined",
    // the crowd
    "siblings",
    "requests here",
    "siblings seen once",
    "values per request",
    "siblings of the same form",
    "siblings of the same outline",
    "siblings of identifier form",
    "siblings read like api words",
    "siblings known as api words",
    "spread of siblings' readings",
    "siblings of similar length",
    "siblings sharing a beginning",
    "new values keep coming",
    "traffic of identifier forms",
    "traffic of known words",
    // structure
    "has children",
    "siblings with children",
    "children shared with siblings",
    "siblings sharing children",
    "grandchildren shared with siblings",
    "children",
    "ends here",
    "siblings end here",
    "siblings with the same methods",
    "methods",
    "methods shared with siblings",
    "tailed",
    "siblings tailed",
    // traffic
    "requests",
    "share of requests",
    "rank",
    "clients",
    "clients per request",
    "first seen",
    "span",
    "occurs elsewhere",
    "occurs below other words",
    // answers
    "response known",
    "response shared with siblings",
    "most alike response",
    "response keys",
    "siblings' responses agree",
    "queries shared with siblings",
    "siblings' children among its own",
    "heaviest siblings' children among its own",
    "siblings' methods among its own",
    "responses below agree with siblings",
    "children that also stand beside it",
    "reads",
    "creates",
    "changes",
    "place's requests that go on",
    "place's requests",
    "response within the most alike",
    "traffic that answers alike",
    "traffic that answers otherwise",
    "siblings whose answers can be compared",
    "requests per value",
    "siblings seen twice or less",
];

/// How many features the second stage adds.
pub const SECOND_STAGE_FEATURES: usize = 10;

/// Names of what the second stage adds.
pub const SECOND_STAGE_NAMES: [&str; SECOND_STAGE_FEATURES] = [
    "judged by itself",
    "siblings judged by themselves",
    "siblings' traffic judged by itself",
    "same form judged",
    "same outline judged",
    "sharing children judged",
    "siblings surely parameters",
    "siblings surely literals",
    "most literal sibling",
    "heaviest sibling judged",
];

/// A row of the first stage.
pub type Row = [f32; SEGMENT_FEATURES.len()];
/// A row of the second stage.
pub type SecondRow = [f32; SEGMENT_FEATURES.len() + SECOND_STAGE_FEATURES];

/// What all candidates of a place have in common, counted once.
struct Crowd {
    size: f32,
    total: f32,
    singles: f32,
    forms: [f32; FORMS],
    identifiers: f32,
    identifier_traffic: f32,
    known: f32,
    known_traffic: f32,
    logit_sum: f32,
    logit_squares: f32,
    length_sum: f32,
    parents: f32,
    ending: f32,
    tailed: f32,
    late: f32,
    first: f32,
    last: f32,
    outlines: HashMap<u64, f32, BuildPassHasher>,
    beginnings: HashMap<u64, f32, BuildPassHasher>,
    methods: HashMap<u64, f32, BuildPassHasher>,
    kids: HashMap<u64, f32, BuildPassHasher>,
    grandkids: HashMap<u64, f32, BuildPassHasher>,
    keys: HashMap<u64, f32, BuildPassHasher>,
    queries: HashMap<u64, f32, BuildPassHasher>,
    shaped: f32,
    queried: f32,
    ranks: Vec<u32>,
    /// For every child, the sum over the siblings that have it of one over the number of their children.
    kid_shares: HashMap<u64, f32, BuildPassHasher>,
    /// The same, siblings weighted by their requests.
    kid_traffic: HashMap<u64, f32, BuildPassHasher>,
    parent_traffic: f32,
    rare: f32,
    /// The siblings' own texts as children are hashed.
    texts: std::collections::HashSet<u32>,
}

fn beginning(text: &str) -> u64 {
    ml::hash::hash_bytes(5, text.as_bytes().get(..3.min(text.len())).unwrap_or_default())
}

/// A wildcard stands for many; it counts as this many siblings.
fn weight(candidate: &Candidate) -> f32 {
    if candidate.wildcard { 32.0 } else { 1.0 }
}

impl Crowd {
    fn of(candidates: &[Candidate]) -> Self {
        let sum = |value: fn(&Candidate) -> f32| candidates.iter().map(value).sum::<f32>();
        let mut crowd = Self {
            size: sum(weight),
            total: sum(|one| one.count as f32),
            singles: sum(|one| if one.count == 1 { weight(one) } else { 0.0 }),
            forms: [0.0; FORMS],
            identifiers: sum(|one| f32::from(u8::from(one.form.identifier()))),
            identifier_traffic: sum(|one| if one.form.identifier() || one.wildcard { one.count as f32 } else { 0.0 }),
            known: sum(|one| f32::from(u8::from(one.lexed.known > 0.0))),
            known_traffic: sum(|one| if one.lexed.known > 0.0 { one.count as f32 } else { 0.0 }),
            logit_sum: sum(|one| one.lexed.logit),
            logit_squares: sum(|one| one.lexed.logit * one.lexed.logit),
            length_sum: sum(|one| one.make_up.length),
            parents: sum(|one| f32::from(u8::from(!one.kids.is_empty()))),
            ending: sum(|one| f32::from(u8::from(one.ended > 0))),
            tailed: sum(|one| f32::from(u8::from(one.tailed > 0))),
            rare: sum(|one| if one.count <= 2 { weight(one) } else { 0.0 }),
            late: 0.0,
            first: candidates.iter().map(|one| one.first).min().unwrap_or(0) as f32,
            last: candidates.iter().map(|one| one.last).max().unwrap_or(0) as f32,
            outlines: HashMap::default(),
            beginnings: HashMap::default(),
            methods: HashMap::default(),
            kids: HashMap::default(),
            grandkids: HashMap::default(),
            keys: HashMap::default(),
            queries: HashMap::default(),
            shaped: 0.0,
            queried: 0.0,
            ranks: candidates.iter().map(|one| one.count).collect(),
            kid_shares: HashMap::default(),
            kid_traffic: HashMap::default(),
            parent_traffic: sum(|one| if one.kids.is_empty() { 0.0 } else { one.count as f32 }),
            texts: candidates.iter().map(|one| crate::siblings::fold_hash(&one.text) as u32).collect(),
        };
        crowd.ranks.sort_unstable();
        let middle = f32::midpoint(crowd.first, crowd.last);
        for one in candidates {
            if let Some(form) = crowd.forms.get_mut(one.form as usize) {
                *form += 1.0;
            }
            crowd.late += f32::from(u8::from(one.first as f32 > middle));
            *crowd.outlines.entry(one.outline).or_default() += 1.0;
            *crowd.beginnings.entry(beginning(&one.text)).or_default() += 1.0;
            if one.methods != 0 {
                *crowd.methods.entry(u64::from(one.methods)).or_default() += 1.0;
            }
            for &kid in &one.kids {
                let share = 1.0 / one.kids.len() as f32;
                *crowd.kid_shares.entry(u64::from(kid)).or_default() += share;
                *crowd.kid_traffic.entry(u64::from(kid)).or_default() += share * one.count as f32;
            }
            let mut count = |map: fn(&mut Self) -> &mut HashMap<u64, f32, BuildPassHasher>, hashes: &[u32]| {
                for &hash in hashes {
                    *map(&mut crowd).entry(u64::from(hash)).or_default() += 1.0;
                }
            };
            count(|crowd| &mut crowd.kids, &one.kids);
            count(|crowd| &mut crowd.grandkids, &one.grandkids);
            count(|crowd| &mut crowd.queries, one.query.as_slice());
            if let Some((_, shape)) = &one.shape {
                count(|crowd| &mut crowd.keys, shape.as_slice());
            }
            crowd.shaped += f32::from(u8::from(one.shape.is_some()));
            crowd.queried += f32::from(u8::from(!one.query.as_slice().is_empty()));
        }
        crowd
    }
}

/// A share among the others of a crowd; `NaN` when there is no other.
fn among_others(count: f32, own: f32, size: f32) -> f32 {
    if size <= 1.0 { f32::NAN } else { (count - own) / (size - 1.0) }
}

/// The mean over some hashes of how many others have each, relative to the number of others; `NaN` when nothing is known.
fn shared(map: &HashMap<u64, f32, BuildPassHasher>, hashes: &[u32], others: f32) -> f32 {
    if hashes.is_empty() || others <= 0.0 {
        return f32::NAN;
    }
    let sum: f32 = hashes.iter().map(|&hash| map.get(&u64::from(hash)).map_or(0.0, |count| count - 1.0)).sum();
    sum / hashes.len() as f32 / others
}

/// How many others share at least the commonest of some hashes.
fn sharing(map: &HashMap<u64, f32, BuildPassHasher>, hashes: &[u32]) -> f32 {
    hashes.iter().filter_map(|&hash| map.get(&u64::from(hash))).fold(0.0, |most: f32, count| most.max(count - 1.0))
}

fn flag(value: bool) -> f32 {
    f32::from(u8::from(value))
}

/// The rows of all candidates of a place.
pub fn rows(place: &Place, candidates: &[Candidate], lexicon: &Lexicon) -> Vec<Row> {
    let crowd = Crowd::of(candidates);
    let parent = if place.literal.is_empty() { Lexed::default() } else { lexicon.lex(&place.literal) };
    let parent_form = Form::of(&place.literal) as u8 as f32;
    // The heaviest siblings stand for all when responses are compared one by one.
    let mut heaviest: Vec<&Candidate> = candidates.iter().filter(|one| one.shape.is_some()).collect();
    heaviest.sort_by_key(|one| (std::cmp::Reverse(one.count), one.first));
    heaviest.truncate(13);
    let agreement = agreement(heaviest.get(..9).unwrap_or(&heaviest));
    let mut busiest: Vec<&Candidate> = candidates.iter().filter(|one| !one.below.is_empty()).collect();
    busiest.sort_by_key(|one| (std::cmp::Reverse(one.count), one.first));
    busiest.truncate(9);
    candidates
        .iter()
        .map(|one| row(place, one, &crowd, (&parent, parent_form), (&heaviest, &busiest), agreement))
        .collect()
}

fn agreement(heaviest: &[&Candidate]) -> f32 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for (at, a) in heaviest.iter().enumerate() {
        for b in heaviest.iter().skip(at + 1) {
            if let (Some((one, a)), Some((other, b))) = (&a.shape, &b.shape)
                && one == other
            {
                sum += a.likeness(b).unwrap_or(1.0);
                pairs += 1.0;
            }
        }
    }
    if pairs == 0.0 { f32::NAN } else { sum / pairs }
}

fn row(
    place: &Place,
    one: &Candidate,
    crowd: &Crowd,
    (parent, parent_form): (&Lexed, f32),
    (heaviest, busiest): (&[&Candidate], &[&Candidate]),
    agreement: f32,
) -> Row {
    let MakeUp { length, digits, upper, vowels, marks, odd, entropy, alternations, words, plural } = one.make_up;
    let own = weight(one);
    let others = crowd.size - own;
    let count = one.count as f32;
    let in_map = |map: &HashMap<u64, f32, BuildPassHasher>, key: u64| map.get(&key).copied().unwrap_or(0.0);
    let mean_logit = among_others(crowd.logit_sum, one.lexed.logit, crowd.size);
    let variance = crowd.logit_squares / crowd.size - (crowd.logit_sum / crowd.size).powi(2);
    let mean_length = among_others(crowd.length_sum, length, crowd.size);
    let (response, alike) = responses(one, crowd, heaviest);
    let kinship = kinship(one, heaviest);
    let above = crowd.ranks.len() - crowd.ranks.partition_point(|&rank| rank <= one.count);
    let span = (crowd.last - crowd.first).max(1.0);
    [
        length,
        digits,
        upper,
        vowels,
        marks,
        odd,
        entropy,
        alternations,
        words,
        plural,
        f32::from(one.form as u8),
        flag(one.form.identifier()),
        one.lexed.logit,
        one.lexed.known,
        one.lexed.words_known,
        one.lexed.followed,
        parent.logit,
        parent.known,
        parent.followed,
        flag(place.parameter),
        flag(place.parameter_above),
        flag(place.literal.ends_with('s')),
        parent_form,
        place.depth as f32,
        flag(one.joined),
        crowd.size.ln(),
        crowd.total.ln(),
        among_others(crowd.singles, flag(one.count == 1), crowd.size),
        crowd.size / crowd.total.max(1.0),
        among_others(crowd.forms.get(one.form as usize).copied().unwrap_or(0.0), 1.0, crowd.size),
        among_others(in_map(&crowd.outlines, one.outline), 1.0, crowd.size),
        among_others(crowd.identifiers, flag(one.form.identifier()), crowd.size),
        mean_logit,
        among_others(crowd.known, flag(one.lexed.known > 0.0), crowd.size),
        variance.max(0.0).sqrt(),
        (length - mean_length).abs(),
        among_others(in_map(&crowd.beginnings, beginning(&one.text)), 1.0, crowd.size),
        crowd.late / crowd.size,
        (crowd.identifier_traffic - if one.form.identifier() { count } else { 0.0 }) / (crowd.total - count).max(1.0),
        (crowd.known_traffic - if one.lexed.known > 0.0 { count } else { 0.0 }) / (crowd.total - count).max(1.0),
        flag(!one.kids.is_empty()),
        among_others(crowd.parents, flag(!one.kids.is_empty()), crowd.size),
        shared(&crowd.kids, &one.kids, (crowd.parents - 1.0).max(0.0)),
        sharing(&crowd.kids, &one.kids).ln_1p(),
        shared(&crowd.grandkids, &one.grandkids, (crowd.parents - 1.0).max(0.0)),
        (one.kids.len() as f32).ln_1p(),
        one.ended as f32 / count.max(1.0),
        among_others(crowd.ending, flag(one.ended > 0), crowd.size),
        if one.methods == 0 {
            f32::NAN
        } else {
            among_others(in_map(&crowd.methods, u64::from(one.methods)), 1.0, crowd.size)
        },
        one.methods.count_ones() as f32,
        method_likeness(one, crowd),
        one.tailed as f32 / count.max(1.0),
        among_others(crowd.tailed, flag(one.tailed > 0), crowd.size),
        count.ln(),
        count / crowd.total.max(1.0),
        (above as f32).ln_1p(),
        one.clients.estimate().ln_1p(),
        one.clients.estimate() / count.max(1.0),
        (one.first as f32 - crowd.first) / span,
        (one.last - one.first) as f32 / span,
        (one.spread.nodes as f32).ln_1p(),
        one.spread.words.estimate(),
        flag(one.shape.is_some()),
        response,
        alike,
        one.shape.as_ref().map_or(f32::NAN, |(_, shape)| shape.as_slice().len() as f32),
        agreement,
        shared(&crowd.queries, one.query.as_slice(), (crowd.queried - 1.0).max(0.0).min(others)),
        contained(&crowd.kid_shares, one, 1.0, crowd.parents),
        contained(&crowd.kid_traffic, one, count, crowd.parent_traffic),
        methods_contained(one, crowd),
        agreement_below(one, busiest),
        if one.kids.is_empty() {
            f32::NAN
        } else {
            one.kids.iter().filter(|kid| crowd.texts.contains(kid)).count() as f32 / one.kids.len() as f32
        },
        flag(one.methods & 0b11 != 0),
        flag(one.methods & 0b100 != 0),
        flag(one.methods & 0b11_1000 != 0),
        crowd.total / (place.requests.max(1) as f32),
        (place.requests as f32).ln_1p(),
        kinship.within,
        kinship.alike,
        kinship.otherwise,
        kinship.compared,
        (crowd.total / crowd.size).ln_1p(),
        among_others(crowd.rare, flag(one.count <= 2) * own, crowd.size),
    ]
}

/// How the answers of a candidate compare with those of its heaviest siblings by the same method.
#[derive(Clone, Copy)]
struct Kinship {
    /// The largest share of its keys that one sibling has too.
    within: f32,
    /// Share of the compared siblings' traffic with the same kind of answer.
    alike: f32,
    /// Share of it with a different kind of answer.
    otherwise: f32,
    /// Siblings compared, logarithmic.
    compared: f32,
}

/// Optional keys make single answers of one kind differ, so that a rarely seen value is compared by what it has, not
/// by what it lacks: containment both ways says more than likeness.
fn kinship(one: &Candidate, heaviest: &[&Candidate]) -> Kinship {
    let mut kinship = Kinship { within: f32::NAN, alike: f32::NAN, otherwise: f32::NAN, compared: 0.0 };
    let Some((method, shape)) = one.shape.as_ref().filter(|(_, shape)| !shape.as_slice().is_empty()) else {
        return kinship;
    };
    let (mut all, mut alike, mut otherwise, mut compared) = (0.0f32, 0.0f32, 0.0f32, 0u32);
    for other in heaviest.iter().filter(|other| !std::ptr::eq(**other, one)) {
        let Some((_, theirs)) =
            other.shape.as_ref().filter(|(other, shape)| other == method && !shape.as_slice().is_empty())
        else {
            continue;
        };
        let (within, covers) = (within(shape, theirs), within(theirs, shape));
        kinship.within = kinship.within.max(within);
        let count = (other.count as f32).sqrt();
        compared += 1;
        all += count;
        let (more, less) = (within.max(covers), within.min(covers));
        alike += if more >= 0.85 && less >= 0.3 { count } else { 0.0 };
        otherwise += if more < 0.5 { count } else { 0.0 };
    }
    if compared > 0 {
        (kinship.alike, kinship.otherwise) = (alike / all, otherwise / all);
    }
    kinship.compared = (compared as f32).ln_1p();
    kinship
}

/// The share of a shape's keys that another has too, among those that the other's sample could hold.
fn within(shape: &Shape, other: &Shape) -> f32 {
    let (own, theirs) = (shape.as_slice(), other.as_slice());
    let full = theirs.len() == SHAPE_KEYS;
    let last = theirs.last().copied().unwrap_or(0);
    let comparable = own.iter().filter(|&&key| !full || key <= last);
    let (both, all) = comparable
        .fold((0u32, 0u32), |(both, all), key| (both + u32::from(theirs.binary_search(key).is_ok()), all + 1));
    if all == 0 { f32::NAN } else { both as f32 / all as f32 }
}

/// How much of the others' children is among a candidate's own; `own` is its weight in `all`.
fn contained(map: &HashMap<u64, f32, BuildPassHasher>, one: &Candidate, own: f32, all: f32) -> f32 {
    if one.kids.is_empty() || all - own < 0.5 {
        return f32::NAN;
    }
    let sum: f32 = one.kids.iter().filter_map(|&kid| map.get(&u64::from(kid))).sum();
    (sum - own).max(0.0) / (all - own)
}

/// How much of the others' methods is among a candidate's own.
fn methods_contained(one: &Candidate, crowd: &Crowd) -> f32 {
    let (mut sum, mut all) = (0.0, 0.0);
    for (&methods, &count) in &crowd.methods {
        let count = if methods == u64::from(one.methods) { count - 1.0 } else { count };
        let both = methods & u64::from(one.methods);
        sum += count * both.count_ones() as f32 / methods.count_ones().max(1) as f32;
        all += count;
    }
    if one.methods == 0 || all < 0.5 { f32::NAN } else { sum / all }
}

/// Do the same children answer alike below a candidate and below its busiest siblings? Values of a parameter lead to
/// the same kind of thing; literals that merely share a structure do not.
fn agreement_below(one: &Candidate, busiest: &[&Candidate]) -> f32 {
    let (mut sum, mut pairs) = (0.0, 0.0);
    for other in busiest.iter().filter(|other| !std::ptr::eq(**other, one)) {
        for (key, shape) in &one.below {
            if let Ok(at) = other.below.binary_search_by_key(key, |entry| entry.0)
                && let Some(likeness) = other.below.get(at).and_then(|(_, other)| shape.likeness(other))
            {
                sum += likeness;
                pairs += 1.0;
            }
        }
    }
    if pairs == 0.0 { f32::NAN } else { sum / pairs }
}

fn method_likeness(one: &Candidate, crowd: &Crowd) -> f32 {
    if one.methods == 0 {
        return f32::NAN;
    }
    let (mut sum, mut all) = (0.0, 0.0);
    for (&methods, &count) in &crowd.methods {
        let count = if methods == u64::from(one.methods) { count - 1.0 } else { count };
        let (both, either) = (methods & u64::from(one.methods), methods | u64::from(one.methods));
        sum += count * both.count_ones() as f32 / either.count_ones().max(1) as f32;
        all += count;
    }
    if all == 0.0 { f32::NAN } else { sum / all }
}

fn responses(one: &Candidate, crowd: &Crowd, heaviest: &[&Candidate]) -> (f32, f32) {
    let Some((method, shape)) = &one.shape else { return (f32::NAN, f32::NAN) };
    let mean = shared(&crowd.keys, shape.as_slice(), crowd.shaped - 1.0);
    let alike = heaviest
        .iter()
        .filter(|other| !std::ptr::eq(**other, one))
        .filter_map(|other| other.shape.as_ref().filter(|(other, _)| other == method))
        .map(|(_, other)| shape.likeness(other).unwrap_or(1.0))
        .fold(f32::NAN, f32::max);
    (mean, alike)
}

/// The second stage's rows: the first stage's, and what it thought of the siblings.
pub fn second_rows(candidates: &[Candidate], rows: &[Row], first: &[f32]) -> Vec<SecondRow> {
    type Sums = HashMap<u64, (f32, f32), BuildPassHasher>;
    let mut forms: Sums = HashMap::default();
    let mut outlines: Sums = HashMap::default();
    let mut kids: Sums = HashMap::default();
    let (mut sum, mut size, mut traffic_sum, mut traffic) = (0.0f32, 0.0f32, 0.0f32, 0.0f32);
    let (mut sure_parameters, mut sure_literals) = (0.0f32, 0.0f32);
    let mut lowest = [(f32::INFINITY, usize::MAX); 2];
    let mut heaviest = [(0u32, f32::NAN, usize::MAX); 2];
    for (at, (one, &probability)) in candidates.iter().zip(first).enumerate() {
        let own = weight(one);
        sum += probability * own;
        size += own;
        traffic_sum += probability * one.count as f32;
        traffic += one.count as f32;
        sure_parameters += flag(probability > 0.9) * own;
        sure_literals += flag(probability < 0.1);
        let add = |map: &mut Sums, key: u64| {
            let entry = map.entry(key).or_default();
            *entry = (entry.0 + probability, entry.1 + 1.0);
        };
        add(&mut forms, one.form as u64);
        add(&mut outlines, one.outline);
        one.kids.iter().for_each(|&kid| add(&mut kids, u64::from(kid)));
        if probability < lowest.first().map_or(0.0, |entry| entry.0) {
            lowest = [(probability, at), lowest.first().copied().unwrap_or((f32::INFINITY, usize::MAX))];
        } else if probability < lowest.last().map_or(0.0, |entry| entry.0) {
            lowest = [lowest.first().copied().unwrap_or((f32::INFINITY, usize::MAX)), (probability, at)];
        }
        if one.count > heaviest.first().map_or(0, |entry| entry.0) {
            heaviest = [(one.count, probability, at), heaviest.first().copied().unwrap_or((0, f32::NAN, usize::MAX))];
        } else if one.count > heaviest.last().map_or(0, |entry| entry.0) {
            heaviest = [heaviest.first().copied().unwrap_or((0, f32::NAN, usize::MAX)), (one.count, probability, at)];
        }
    }
    let without = |map: &Sums, key: u64, own: f32| {
        map.get(&key).map_or(f32::NAN, |&(sum, size)| if size > 1.0 { (sum - own) / (size - 1.0) } else { f32::NAN })
    };
    let join = |at: usize, (one, (row, &probability)): (&Candidate, (&Row, &f32))| {
        let own = weight(one);
        let count = one.count as f32;
        let below: Vec<f32> = one
            .kids
            .iter()
            .map(|&kid| without(&kids, u64::from(kid), probability))
            .filter(|mean| !mean.is_nan())
            .collect();
        let extra = [
            probability,
            if size > own { (sum - probability * own) / (size - own) } else { f32::NAN },
            if traffic > count { (traffic_sum - probability * count) / (traffic - count) } else { f32::NAN },
            without(&forms, one.form as u64, probability),
            without(&outlines, one.outline, probability),
            if below.is_empty() { f32::NAN } else { below.iter().sum::<f32>() / below.len() as f32 },
            (sure_parameters - flag(probability > 0.9) * own).max(0.0).ln_1p(),
            (sure_literals - flag(probability < 0.1)).max(0.0).ln_1p(),
            lowest.iter().find(|entry| entry.1 != at && entry.0.is_finite()).map_or(f32::NAN, |entry| entry.0),
            heaviest.iter().find(|entry| entry.2 != at).map_or(f32::NAN, |entry| entry.1),
        ];
        let mut joined = [0.0; SEGMENT_FEATURES.len() + SECOND_STAGE_FEATURES];
        for (to, from) in joined.iter_mut().zip(row.iter().chain(&extra)) {
            *to = *from;
        }
        joined
    };
    candidates.iter().zip(rows.iter().zip(first)).enumerate().map(|(at, one)| join(at, one)).collect()
}

//! Trains the classifiers of endpoint discovery: `cargo xtask train discovery --documents DIR --vendors FILE --seed N`.
//!
//! Everything that later feeds on an earlier model is trained on what that model says about vendors it has not seen:
//! vendors are cut into folds, and each fold's sites are looked at through models of the other folds. The shipped
//! models are trained on all folds.

#![allow(
    clippy::indexing_slicing,
    reason = "a development task: an index out of range is a mistake that should stop it"
)]

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use learn::features::{SECOND_STAGE_FEATURES, SEGMENT_FEATURES, rows, second_rows};
use learn::judge::{Judged, judge, judge_with};
use learn::learner::{ADMISSION_MIN, METHODS};
use learn::lexical::Lexicon;
use learn::matcher::Matcher;
use learn::noise::{ENDPOINT_FEATURES, Site as Counts};
use learn::path::{Pieces, pieces};
use learn::request::REQUEST_FEATURES;
use learn::siblings::Candidate;
use learn::trie::NodeId;
use learn::{Learner, LearnerLimits, Models};
use ml::Forest;

use super::documents::of_vendor;
use super::gbdt::{self, Data, Settings};
use super::lexicon::{self, Vendor};
use super::site::Site;
use super::traffic::{Kind, Labelled, Traffic};
use super::values::Words;
use crate::Outcome;

/// Arguments of `train discovery`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Folder of OpenAPI documents: `<vendor>.json` or `<vendor>/**.json`.
    #[arg(long)]
    documents: PathBuf,
    /// File with the vendors to train on, one a line.
    #[arg(long)]
    vendors: PathBuf,
    /// File with vendors to leave out, one a line.
    #[arg(long)]
    without: Option<PathBuf>,
    /// Seed; the same seed gives the same models.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Sites made of each vendor.
    #[arg(long, default_value_t = 4)]
    sites: u64,
    /// Train on this share of the vendors only, for ablations.
    #[arg(long, default_value_t = 1.0)]
    share: f64,
    /// Folder for the model files.
    #[arg(short, long, default_value = "crates/learn/models")]
    output: PathBuf,
}

const FOLDS: u8 = 2;

type Failure = Box<dyn std::error::Error>;

fn names(path: &PathBuf) -> Result<Vec<String>, Failure> {
    let text =
        std::fs::read_to_string(path).map_err(|error| format!("`{}` could not be read: {error}", path.display()))?;
    Ok(text.split_whitespace().map(str::to_owned).collect())
}

/// Runs `train discovery`.
pub fn run(arguments: &Arguments) -> Outcome {
    let started = Instant::now();
    let vendors = vendors(arguments)?;
    let say = |what: &str| eprintln!("{:>6.1} s  {what}", started.elapsed().as_secs_f64());
    say(&format!("{} vendors read", vendors.len()));
    let mut work = Training { seed: arguments.seed, sites: arguments.sites, vendors, lexicons: Vec::new(), say: &say };
    let models = work.train()?;
    std::fs::create_dir_all(&arguments.output)?;
    let write = |name: &str, bytes: Vec<u8>| std::fs::write(arguments.output.join(name), bytes);
    write("ngrams.bin", models.lexicon.ngrams.write())?;
    write("tokens.bin", models.lexicon.tokens.write())?;
    write("request.bin", models.request.write())?;
    write("segment.bin", models.segment.write())?;
    write("segment-second.bin", models.segment_second.write())?;
    write("endpoint.bin", models.endpoint.write())?;
    say("written");
    Ok(())
}

fn vendors(arguments: &Arguments) -> Result<Vec<Vendor>, Failure> {
    let without = arguments.without.as_ref().map(names).transpose()?.unwrap_or_default();
    let mut vendors = Vec::new();
    for name in names(&arguments.vendors)? {
        let hash = ml::hash::hash_bytes(17, name.as_bytes());
        if without.contains(&name) || (hash >> 32) as f64 / f64::from(u32::MAX) > arguments.share {
            continue;
        }
        let documents = of_vendor(&arguments.documents, &name);
        if !documents.is_empty() {
            vendors.push(Vendor { name, documents, fold: (hash % u64::from(FOLDS)) as u8 });
        }
    }
    if vendors.len() < 4 {
        return Err(
            format!("only {} vendors with documents in `{}`", vendors.len(), arguments.documents.display()).into()
        );
    }
    Ok(vendors)
}

struct Training<'a> {
    seed: u64,
    sites: u64,
    vendors: Vec<Vendor>,
    /// Per fold, trained on the other folds.
    lexicons: Vec<Lexicon>,
    say: &'a dyn Fn(&str),
}

/// The candidates of one place with their rows and, where the truth knows, their labels.
struct Taught {
    candidates: Vec<Candidate>,
    rows: Vec<learn::features::Row>,
    labels: Vec<Option<bool>>,
    fold: u8,
}

fn request_settings(seed: u64) -> Settings {
    Settings { trees: 160, leaves: 31, seed, ..Settings::default() }
}

fn segment_settings(seed: u64) -> Settings {
    Settings { trees: 250, leaves: 31, seed, ..Settings::default() }
}

fn endpoint_settings(seed: u64) -> Settings {
    Settings { trees: 160, leaves: 23, seed, ..Settings::default() }
}

/// The requests of one training site.
struct Recorded {
    requests: Vec<Labelled>,
    fold: u8,
    seed: u64,
}

impl Training<'_> {
    fn train(&mut self) -> Result<Models, Failure> {
        let all: Vec<&Vendor> = self.vendors.iter().collect();
        let whole = lexicon::train(&all, self.seed)?;
        for fold in 0..FOLDS {
            let others: Vec<&Vendor> = self.vendors.iter().filter(|vendor| vendor.fold != fold).collect();
            self.lexicons.push(lexicon::train(&others, self.seed)?);
        }
        (self.say)("lexicon trained");
        let sites = self.record();
        (self.say)(&format!("{} sites made", sites.len()));
        let requests = self.request_rows(&sites)?;
        (self.say)(&format!("{} request rows", requests.len()));
        let (request, request_folds) = by_folds(&requests, request_settings(self.seed))?;
        (self.say)("request classifier trained");
        let taught = self.teach(&sites, &request_folds)?;
        let first_rows = self.first_rows(&taught);
        (self.say)(&format!("{} segment rows of {} places", first_rows.len(), taught.len()));
        let (segment, segment_folds) = by_folds(&first_rows, segment_settings(self.seed))?;
        (self.say)("first segment stage trained");
        let second_rows = self.second_rows(&taught, &segment_folds);
        let (segment_second, second_folds) = by_folds(&second_rows, segment_settings(self.seed + 1))?;
        (self.say)("second segment stage trained");
        let mut endpoints = Data::new(ENDPOINT_FEATURES.len());
        for site in &sites {
            let fold = usize::from(site.fold);
            let models = Models {
                lexicon: self.lexicons[fold].clone(),
                request: request_folds[fold].clone(),
                segment: segment_folds[fold].clone(),
                segment_second: second_folds[fold].clone(),
                endpoint: nothing(ENDPOINT_FEATURES.len())?,
            };
            endpoint_rows(site, models, &mut endpoints);
        }
        (self.say)(&format!("{} endpoint rows", endpoints.len()));
        let endpoint = gbdt::train(&endpoints, endpoint_settings(self.seed))?;
        (self.say)("endpoint classifier trained");
        Ok(Models { lexicon: whole, request, segment, segment_second, endpoint })
    }

    /// Makes every training site's requests.
    fn record(&self) -> Vec<Recorded> {
        let mut sites = Vec::new();
        let mut words: Vec<String> = self
            .vendors
            .iter()
            .flat_map(|vendor| &vendor.documents)
            .flat_map(|one| one.words.iter().cloned())
            .collect();
        words.sort();
        words.dedup();
        let words = Words(words);
        for vendor in &self.vendors {
            for number in 0..self.sites {
                let name = ml::hash::hash_bytes(number, vendor.name.as_bytes());
                let seed = ml::hash::mix(self.seed, name);
                let mut rng = fastrand::Rng::with_seed(seed);
                let Some(mut site) = Site::make(&mut rng, &vendor.documents, &words, number % 2 == 1) else { continue };
                // From a handful to many, evenly by magnitude.
                let count = (10f64.powf(2.2 + rng.f64() * 2.0)) as usize;
                let mut traffic = Traffic::new(&mut site, seed);
                let requests = (0..count).map(|_| traffic.next_request()).collect();
                sites.push(Recorded { requests, fold: vendor.fold, seed });
            }
        }
        sites
    }

    fn request_rows(&self, sites: &[Recorded]) -> Result<Data, Failure> {
        let mut data = Data::new(REQUEST_FEATURES.len());
        for site in sites {
            let mut learner = Learner::new(blank(&self.lexicons[0])?, LearnerLimits::default(), 1);
            let mut rng = fastrand::Rng::with_seed(site.seed);
            let share = (500.0 / site.requests.len() as f64).min(1.0);
            let mut add = |learner: &mut Learner, request: &Labelled| {
                if request.kind == Kind::Ambiguous || request.observation.status >= 400 || rng.f64() > share {
                    return;
                }
                if let Some(signature) = learner.signature(&request.observation) {
                    data.push(&signature.map(f32::from), request.kind == Kind::Api, 1.0, site.fold);
                }
            };
            for request in &site.requests {
                add(&mut learner, request);
                learner.observe(&request.observation);
            }
            // Once more as the finished learner sees them.
            site.requests.iter().for_each(|request| add(&mut learner, request));
        }
        Ok(data)
    }

    /// Walks every site's trie with the truth in hand.
    fn teach(&self, sites: &[Recorded], request: &[Forest]) -> Result<Vec<Taught>, Failure> {
        let mut taught = Vec::new();
        for site in sites {
            let fold = usize::from(site.fold);
            let mut models = blank(&self.lexicons[fold])?;
            models.request = request[fold].clone();
            let mut learner = Learner::new(models, LearnerLimits::default(), 1);
            site.requests.iter().for_each(|request| learner.observe(&request.observation));
            let votes = votes(&learner, &site.requests);
            for (number, group) in learner.groups().iter().enumerate() {
                let mut decide = |place: &learn::siblings::Place, candidates: &[Candidate]| {
                    let labels: Vec<Option<bool>> = candidates
                        .iter()
                        .map(|one| {
                            let votes = one.nodes.iter().filter_map(|&node| votes.get(&(number, node)));
                            let (yes, no) = votes.fold((0, 0), |sum, vote| (sum.0 + vote.0, sum.1 + vote.1));
                            (yes + no > 0).then_some(yes > no)
                        })
                        .collect();
                    let rows = rows(place, candidates, &self.lexicons[fold]);
                    let probabilities =
                        labels.iter().map(|label| if *label == Some(true) { 1.0 } else { 0.0 }).collect();
                    if labels.iter().any(Option::is_some) {
                        taught.push(Taught { candidates: candidates.to_vec(), rows, labels, fold: site.fold });
                    }
                    Judged { probabilities, rows: Vec::new() }
                };
                judge_with(&group.trie, learner.models(), &mut decide);
            }
        }
        Ok(taught)
    }

    fn first_rows(&self, taught: &[Taught]) -> Data {
        let mut data = Data::new(SEGMENT_FEATURES.len());
        for place in taught {
            for (at, weight) in sampled(place) {
                if let Some(label) = place.labels[at] {
                    data.push(&place.rows[at], label, weight, place.fold);
                }
            }
        }
        data
    }

    fn second_rows(&self, taught: &[Taught], first: &[Forest]) -> Data {
        let mut data = Data::new(SEGMENT_FEATURES.len() + SECOND_STAGE_FEATURES);
        for place in taught {
            let forest = &first[usize::from(place.fold)];
            let judged: Vec<f32> = place.rows.iter().map(|row| forest.probability(row)).collect();
            let rows = second_rows(&place.candidates, &place.rows, &judged);
            for (at, weight) in sampled(place) {
                if let Some(label) = place.labels[at] {
                    data.push(&rows[at], label, weight, place.fold);
                }
            }
        }
        data
    }
}

/// Which candidates of a place become rows, with their weights: crowds of values say the same many times.
fn sampled(place: &Taught) -> Vec<(usize, f32)> {
    const VALUES_MAX: usize = 24;
    let parameters = place.labels.iter().filter(|label| **label == Some(true)).count();
    let step = parameters.div_ceil(VALUES_MAX).max(1);
    let mut seen = 0;
    let mut kept = Vec::new();
    for (at, label) in place.labels.iter().enumerate() {
        let weight = 1.0 + 0.3 * (place.candidates[at].count as f32).ln();
        match label {
            Some(true) if !place.candidates[at].wildcard => {
                seen += 1;
                if seen % step == 0 {
                    kept.push((at, weight));
                }
            }
            Some(false) => kept.push((at, weight)),
            _ => (),
        }
    }
    kept
}

fn nothing(features: usize) -> Result<Forest, ml::ModelError> {
    Forest::new(0.0, vec![Vec::new(); features], Vec::new(), Vec::new())
}

/// Models that know words and nothing else: every request is admitted.
fn blank(lexicon: &Lexicon) -> Result<Models, ml::ModelError> {
    Ok(Models {
        lexicon: lexicon.clone(),
        request: nothing(REQUEST_FEATURES.len())?,
        segment: nothing(SEGMENT_FEATURES.len())?,
        segment_second: nothing(SEGMENT_FEATURES.len() + SECOND_STAGE_FEATURES)?,
        endpoint: nothing(ENDPOINT_FEATURES.len())?,
    })
}

/// A forest of everything, and for each fold one of everything else.
fn by_folds(data: &Data, settings: Settings) -> Result<(Forest, Vec<Forest>), Failure> {
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            (0..FOLDS).map(|fold| scope.spawn(move || gbdt::train(&data.without(fold), settings))).collect();
        let whole = gbdt::train(data, settings)?;
        let mut folds = Vec::new();
        for part in parts {
            folds.push(part.join().map_err(|_| "a training thread stopped")??);
        }
        Ok((whole, folds))
    })
}

/// For every node of every group: how many successful requests say parameter, how many literal.
fn votes(learner: &Learner, requests: &[Labelled]) -> HashMap<(usize, NodeId), (u32, u32)> {
    let mut votes: HashMap<(usize, NodeId), (u32, u32)> = HashMap::new();
    for request in requests {
        let success = request.observation.status < 400;
        let Some(template) = request.template.as_deref().filter(|_| success && request.kind == Kind::Api) else {
            continue;
        };
        let pieces = pieces(&request.observation.target);
        let Some(labels) = align(template, &pieces) else { continue };
        let Some((group, mut node)) = learner.node_of(&request.observation) else { continue };
        let trie = &learner.groups()[group].trie;
        for label in labels.iter().rev() {
            let entry = votes.entry((group, node)).or_default();
            if *label {
                entry.0 += 1;
            } else {
                entry.1 += 1;
            }
            node = trie.node(node).map_or(learn::trie::ROOT, |node| node.parent);
        }
    }
    votes
}

/// For every piece of a path: does the template have a parameter there?
fn align(template: &str, pieces: &Pieces<'_>) -> Option<Vec<bool>> {
    let path = template.split_once(' ')?.1;
    let mut truths = path.split('/').filter(|truth| !truth.is_empty());
    let mut labels = Vec::new();
    let mut list = pieces.iter().peekable();
    while let Some(piece) = list.next() {
        let truth = truths.next()?;
        let Some(tail) = list.next_if(|next| next.joined) else {
            labels.push(truth.contains('{'));
            continue;
        };
        let mark = tail.text.chars().next().unwrap_or('.');
        let cut = if piece.text.ends_with('=') { truth.find('=').map(|at| at + 1) } else { truth.rfind(mark) };
        match cut.and_then(|at| truth.split_at_checked(at)) {
            Some((head, tail)) => labels.extend([head.contains('{'), tail.contains('{')]),
            None => labels.extend([truth.contains('{'); 2]),
        }
    }
    truths.next().is_none().then_some(labels)
}

/// Judges a site with the models and labels what comes out by the requests that land there.
fn endpoint_rows(site: &Recorded, models: Models, data: &mut Data) {
    let mut learner = Learner::new(models, LearnerLimits::default(), 1);
    site.requests.iter().for_each(|request| learner.observe(&request.observation));
    for (number, group) in learner.groups().iter().enumerate() {
        let branches = judge(&group.trie, learner.models(), learner.constraints());
        let counts = Counts::of(&branches);
        let mut ends = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            for terminal in branch.terminals.iter().filter(|terminal| terminal.successes > 0) {
                ends.push((at, terminal));
            }
        }
        let name = |method: u8| METHODS.get(usize::from(method)).copied().unwrap_or("OTHER");
        let numbered = ends.iter().enumerate().map(|(end, (at, terminal))| (*at, name(terminal.method), end as u32));
        let matcher = Matcher::compile(&branches, numbered);
        let mut votes = vec![(0u32, 0u32); ends.len()];
        for request in &site.requests {
            let admitted = request.observation.status < 400 && request.kind != Kind::Ambiguous;
            let here = learner.node_of(&request.observation).is_some_and(|(group, _)| group == number);
            if !admitted || !here {
                continue;
            }
            let found = matcher.find(&request.observation.method, &pieces(&request.observation.target));
            if let Some(vote) = found.and_then(|end| votes.get_mut(end as usize)) {
                if request.kind == Kind::Api {
                    vote.0 += 1;
                } else {
                    vote.1 += 1;
                }
            }
        }
        for ((at, terminal), (api, noise)) in ends.iter().zip(votes) {
            // An end that only doubtful requests reached is judged too, but noise by the API's own paths is not noise.
            if api + noise == 0 || terminal.api_sum < ADMISSION_MIN {
                continue;
            }
            if let Some(row) = counts.row(&branches, *at, terminal, &learner.models().lexicon) {
                data.push(&row, api > 0, 1.0, site.fold);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn truth_is_aligned_with_pieces() {
        let check = |template: &str, target: &str, expected: Option<&[bool]>| {
            assert_eq!(align(template, &pieces(target)).as_deref(), expected, "{template} {target}");
        };
        check("GET /users/{}", "/users/17", Some(&[false, true]));
        check("GET /a/{}.json", "/a/b.json", Some(&[false, true, false]));
        check("GET /a/{}.{}", "/a/b.json", Some(&[false, true, true]));
        check("GET /a/{}", "/a/b.json", Some(&[false, true, true]));
        check("GET /a/b.json", "/a/b.json", Some(&[false, false, false]));
        check("POST /a/{}:cancel", "/a/17:cancel", Some(&[false, true, false]));
        check("GET /x/regions={}", "/x/regions=gb", Some(&[false, false, true]));
        check("GET /users/{}", "/users/17/x", None);
    }
}

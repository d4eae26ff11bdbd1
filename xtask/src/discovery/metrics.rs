//! The figures of endpoint discovery: exact templates, requests, API or not, inventions.

#![allow(
    clippy::indexing_slicing,
    reason = "a development task: an index out of range is a mistake that should stop it"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::traffic::{Kind, Labelled};

/// The figures of one site.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures {
    /// Templates predicted that count.
    pub predicted: usize,
    /// True templates seen.
    pub truths: usize,
    /// Of those, predicted.
    pub hits: usize,
    /// Share of successful API requests with the right template.
    pub request_accuracy: f64,
    /// Templates invented from noise.
    pub invented: usize,
    /// Predicted templates that mix true ones.
    pub merged: usize,
    /// True templates predicted as several.
    pub split: usize,
    /// Seen and found by how often they were seen: 1, 2-9, 10-99, 100 and more.
    pub by_count: [(usize, usize); 4],
    /// Seen and found of the templates with parameters, and without.
    pub by_parameters: [(usize, usize); 2],
    /// API or not over successful requests: true positives, false positives, false negatives.
    pub requests: [usize; 3],
}

impl Figures {
    /// Share of predicted templates that are right.
    pub fn precision(&self) -> f64 {
        ratio(self.hits, self.predicted)
    }

    /// Share of true templates that are predicted.
    pub fn recall(&self) -> f64 {
        ratio(self.hits, self.truths)
    }

    /// Their harmonic mean.
    pub fn f1(&self) -> f64 {
        ratio(2 * self.hits, self.predicted + self.truths)
    }

    /// Precision of API or not.
    pub fn request_precision(&self) -> f64 {
        self.requests[0] as f64 / (self.requests[0] + self.requests[1]).max(1) as f64
    }

    /// Recall of API or not.
    pub fn request_recall(&self) -> f64 {
        self.requests[0] as f64 / (self.requests[0] + self.requests[2]).max(1) as f64
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// `METHOD /path` with parameters as `{}` and without empty segments, in lower case where case does not matter.
pub fn canonical(key: &str, case_insensitive: bool) -> String {
    let (method, path) = key.split_once(' ').unwrap_or((key, ""));
    let mut plain = String::with_capacity(path.len());
    let mut rest = path;
    while let Some(open) = rest.find('{') {
        let inner = rest.get(open + 1..).unwrap_or_default();
        // Only a pair without another brace between is a parameter.
        match inner.find(['{', '}']) {
            Some(end) if inner.as_bytes().get(end) == Some(&b'}') => {
                plain.push_str(rest.get(..open).unwrap_or_default());
                plain.push_str("{}");
                rest = inner.get(end + 1..).unwrap_or_default();
            }
            _ => {
                plain.push_str(rest.get(..=open).unwrap_or_default());
                rest = inner;
            }
        }
    }
    plain.push_str(rest);
    let path = plain.split('/').filter(|segment| !segment.is_empty()).collect::<Vec<_>>().join("/");
    let path = if case_insensitive { path.to_lowercase() } else { path };
    format!("{method} /{path}")
}

#[derive(Default)]
struct Seen {
    ambiguous: usize,
    api: usize,
    all: usize,
}

/// Scores predictions against the truth; `endpoints` are all endpoints of the site, seen or not.
pub fn score(
    requests: &[Labelled],
    predictions: &[Option<String>],
    case_insensitive: bool,
    endpoints: &[String],
) -> Figures {
    let mut memory: HashMap<String, String> = HashMap::new();
    let mut canon =
        |key: &str| memory.entry(key.to_owned()).or_insert_with(|| canonical(key, case_insensitive)).clone();
    let known: BTreeSet<String> = endpoints.iter().map(|endpoint| canon(endpoint)).collect();
    let mut truths: BTreeMap<String, usize> = BTreeMap::new();
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut by_truth: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut by_prediction: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut figures = Figures::default();
    let (mut right, mut total) = (0usize, 0usize);
    for (request, prediction) in requests.iter().zip(predictions) {
        let prediction = prediction.as_deref().map(&mut canon);
        let truth = request.template.as_deref().map(&mut canon);
        let success = request.observation.status < 400;
        let api = request.kind == Kind::Api;
        if let (true, true, Some(truth)) = (api, success, &truth) {
            *truths.entry(truth.clone()).or_default() += 1;
            total += 1;
            right += usize::from(prediction.as_ref() == Some(truth));
            if let Some(prediction) = &prediction {
                by_truth.entry(truth.clone()).or_default().insert(prediction.clone());
                by_prediction.entry(prediction.clone()).or_default().insert(truth.clone());
            }
        }
        if let Some(prediction) = &prediction {
            let entry = seen.entry(prediction.clone()).or_default();
            entry.all += 1;
            entry.ambiguous += usize::from(request.kind == Kind::Ambiguous);
            entry.api += usize::from(api && success);
        }
        if success && request.kind != Kind::Ambiguous {
            match (api, prediction.is_some()) {
                (true, true) => figures.requests[0] += 1,
                (false, true) => figures.requests[1] += 1,
                (true, false) => figures.requests[2] += 1,
                (false, false) => (),
            }
        }
    }
    let mut counted: BTreeSet<&str> = BTreeSet::new();
    for (prediction, entry) in &seen {
        if truths.contains_key(prediction) {
            counted.insert(prediction);
        } else if entry.ambiguous != entry.all && !known.contains(prediction) {
            // What is only ambiguous does not count, nor does a real endpoint that was never seen to succeed.
            counted.insert(prediction);
            figures.invented += usize::from(entry.api == 0);
        }
    }
    figures.predicted = counted.len();
    figures.truths = truths.len();
    for (truth, &count) in &truths {
        let found = counted.contains(truth.as_str());
        figures.hits += usize::from(found);
        let class = match count {
            1 => 0,
            2..=9 => 1,
            10..=99 => 2,
            _ => 3,
        };
        let parameters = usize::from(!truth.contains("{}"));
        for slot in [&mut figures.by_count[class], &mut figures.by_parameters[parameters]] {
            slot.0 += 1;
            slot.1 += usize::from(found);
        }
    }
    figures.request_accuracy = ratio(right, total);
    figures.merged = by_prediction.values().filter(|truths| truths.len() > 1).count();
    figures.split = by_truth.values().filter(|predictions| predictions.len() > 1).count();
    figures
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::Observation;

    fn request(kind: Kind, template: Option<&str>, status: u16) -> Labelled {
        let observation = Observation { status, ..Observation::default() };
        Labelled { observation, kind, template: template.map(str::to_owned) }
    }

    #[test]
    fn templates_are_compared_without_names_and_empty_segments() {
        assert_eq!(canonical("GET //A/{id}/", false), "GET /A/{}");
        assert_eq!(canonical("GET /A/{id}.{format}", true), "GET /a/{}.{}");
        assert_eq!(canonical("GET /", false), "GET /");
        assert_eq!(canonical("GET /{a{b}", false), "GET /{a{}");
    }

    #[test]
    fn inventions_and_unseen_endpoints_are_told_apart() {
        let requests = [
            request(Kind::Api, Some("GET /a/{}"), 200),
            request(Kind::Api, Some("GET /b"), 404),
            request(Kind::Scan, None, 200),
            request(Kind::Ambiguous, None, 200),
            request(Kind::Api, Some("GET /c"), 200),
        ];
        let predictions = ["GET /a/{id}", "GET /b", "GET /x", "GET /health"].map(|key| Some(key.to_owned()));
        let predictions: Vec<_> = predictions.into_iter().chain([None]).collect();
        let endpoints = ["GET /b".to_owned()];
        let figures = score(&requests, &predictions, false, &endpoints);
        assert_eq!((figures.predicted, figures.truths, figures.hits, figures.invented), (2, 2, 1, 1));
        assert_eq!(figures.requests, [1, 1, 1]);
        assert_eq!((figures.request_accuracy, figures.by_count[0]), (0.5, (2, 1)));
    }
}

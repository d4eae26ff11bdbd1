//! What detectors and score find of attacks the score was not trained on: whole collections and whole families left out,
//! with the margin set on legitimate texts of sites that nothing was trained on.

use std::collections::BTreeMap;

use inspect::stages::attacks::score::Model;
use inspect::stages::attacks::{AttackPolicy, Judging, ScoreUse, Use, use_of_score};
use inspect::values::{Role, Spot, Value};
use model::finding::Confidence;

use super::{Sample, worst};
use crate::table::{Cell, Table};

/// The share of legitimate texts that may be taken for attacks, detectors and score together.
const FALSE_SHARE: f64 = 0.001;
/// Shares at which the score may make sure what a detector finds likely: the largest that leaves room for the rest.
const LIKELY_SHARES: [f64; 7] = [0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0];
/// The share of legitimate texts that detectors, and the score where they find something likely, may take for attacks.
const SETTLED_SHARE: f64 = 0.0007;

/// What is known of one text: the detectors' confidence and the score's margin.
struct Reading {
    confidence: Option<Confidence>,
    margin: f32,
    with: Use,
}

/// From which margins a text is taken for an attack.
struct Limits {
    alone: f32,
    likely: f32,
}

impl Limits {
    fn flag(&self, reading: &Reading) -> bool {
        match (reading.confidence, reading.with) {
            (Some(Confidence::Sure), _) => true,
            (Some(Confidence::Likely), Use::Bare | Use::Settles) => reading.margin >= self.likely.min(self.alone),
            (Some(Confidence::Likely), Use::Document) => reading.margin >= self.alone,
            (_, Use::Bare) => reading.margin >= self.alone,
            _ => false,
        }
    }
}

/// Which samples are trained on.
type Kept<'k> = &'k dyn Fn(&Sample) -> bool;
/// By what samples are left out together.
type Group<'g> = &'g dyn Fn(&Sample) -> String;

/// One table with whole collections left out, one with whole families.
pub(super) fn tables(attacks: &[Sample], legitimate: &[Sample], train: &dyn Fn(Kept<'_>) -> Model) -> Vec<Table> {
    let of_legitimate: Vec<Option<Confidence>> = legitimate.iter().map(|sample| detected(&sample.text)).collect();
    let of_attacks: Vec<Option<Confidence>> = attacks.iter().map(|sample| detected(&sample.text)).collect();
    let by_source = |sample: &Sample| sample.source.clone();
    let by_family = |sample: &Sample| sample.family.to_owned();
    let groupings: [(&str, Group<'_>); 2] =
        [("Whole collections left out", &by_source), ("Whole families left out", &by_family)];
    groupings
        .into_iter()
        .map(|(title, group)| {
            let columns =
                ["left out", "class", "cases", "detectors alone", "score alone", "both", "legitimate flagged"];
            let mut table = Table::new(title, &columns);
            let mut names: Vec<String> = attacks.iter().map(group).collect();
            names.sort();
            names.dedup();
            for name in names {
                let model = train(&|sample| group(sample) != name);
                let readings = |samples: &[Sample], detected: &[Option<Confidence>]| -> Vec<Reading> {
                    let each = samples.iter().zip(detected);
                    each.map(|(sample, &confidence)| Reading {
                        confidence,
                        margin: worst(&model, &sample.text),
                        with: use_of_score(&sample.text),
                    })
                    .collect()
                };
                let quiet = readings(legitimate, &of_legitimate);
                let limits = limits(&quiet);
                let score_only = margin_at(&quiet, FALSE_SHARE);
                let flagged = quiet.iter().filter(|reading| limits.flag(reading)).count();
                let flagged = flagged as f64 / quiet.len().max(1) as f64;
                let mut rows: BTreeMap<String, [u64; 4]> = BTreeMap::new();
                let readings = readings(attacks, &of_attacks);
                for (sample, reading) in attacks.iter().zip(&readings).filter(|(sample, _)| group(sample) == name) {
                    for class in ["all".to_owned(), sample.class.clone()] {
                        let row = rows.entry(class).or_default();
                        let hits = [
                            true,
                            reading.confidence == Some(Confidence::Sure),
                            reading.margin >= score_only,
                            limits.flag(reading),
                        ];
                        row.iter_mut().zip(hits).for_each(|(count, hit)| *count += u64::from(hit));
                    }
                }
                for (class, [cases, detectors, score, both]) in rows {
                    let share = |count: u64| Cell::Ratio(count as f64 / cases.max(1) as f64);
                    table.rows.push(vec![
                        Cell::text(name.clone()),
                        Cell::text(class),
                        Cell::Count(cases),
                        share(detectors),
                        share(score),
                        share(both),
                        Cell::Text(format!("{:.3} %", flagged * 100.0)),
                    ]);
                }
            }
            table
        })
        .collect()
}

/// Prints how many legitimate texts the detectors alone are sure of, and the first of them.
pub(super) fn show_misses(legitimate: &[Sample], most: usize) {
    let sure: Vec<(&Sample, String)> =
        legitimate.iter().filter_map(|sample| detected_names(&sample.text).map(|names| (sample, names))).collect();
    eprintln!("the detectors alone are sure of {} of {} legitimate texts held out", sure.len(), legitimate.len());
    let step = (sure.len() / most.max(1)).max(1);
    for (sample, names) in sure.iter().step_by(step).take(most) {
        let text: String = String::from_utf8_lossy(&sample.text).chars().take(160).collect();
        eprintln!("{}: {text:?}\n    -> {names}", sample.source);
    }
}

/// What a sure finding of the detectors names.
fn detected_names(text: &[u8]) -> Option<String> {
    let policy = AttackPolicy { score: ScoreUse::Off, ..AttackPolicy::default() };
    let mut judging = Judging::new(&policy);
    judging.value(&Value { spot: Spot::Form(b"comment"), role: Role::Value, bytes: text });
    let sure = judging.found().iter().find(|judged| judged.confidence == Confidence::Sure)?;
    Some(format!("{:?}: {}", sure.reason, sure.evidence))
}

/// The margins at which detectors and score together flag no more than [`FALSE_SHARE`] of the legitimate texts.
fn limits(legitimate: &[Reading]) -> Limits {
    let count = |limits: &Limits| legitimate.iter().filter(|reading| limits.flag(reading)).count();
    let within = |share: f64| (legitimate.len() as f64 * share) as usize;
    let mut limits = Limits { alone: f32::MAX, likely: f32::MAX };
    for share in LIKELY_SHARES {
        limits.likely = if share > 0.0 { margin_at(legitimate, share) } else { f32::MAX };
        if count(&limits) <= within(SETTLED_SHARE) {
            break;
        }
    }
    let spent = count(&limits);
    // What is only flagged once the score is trusted alone.
    let everything = Limits { alone: f32::MIN, likely: limits.likely };
    let mut rest: Vec<f32> = legitimate
        .iter()
        .filter(|reading| !limits.flag(reading) && everything.flag(reading))
        .map(|reading| reading.margin)
        .collect();
    rest.sort_by(|a, b| b.total_cmp(a));
    if let Some(&margin) = rest.get(within(FALSE_SHARE).saturating_sub(spent)) {
        limits.alone = margin + 1e-3;
    }
    limits
}

/// The margin that a share of the texts reaches.
fn margin_at(readings: &[Reading], share: f64) -> f32 {
    let mut margins: Vec<f32> = readings.iter().map(|reading| reading.margin).collect();
    margins.sort_by(|a, b| b.total_cmp(a));
    margins.get((margins.len() as f64 * share) as usize).map_or(f32::MAX, |margin| margin + 1e-3)
}

/// How sure the detectors alone are of a text, sent as a field of a form.
fn detected(text: &[u8]) -> Option<Confidence> {
    let policy = AttackPolicy { score: ScoreUse::Off, ..AttackPolicy::default() };
    let mut judging = Judging::new(&policy);
    judging.value(&Value { spot: Spot::Form(b"comment"), role: Role::Value, bytes: text });
    judging.found().iter().map(|judged| judged.confidence).max()
}

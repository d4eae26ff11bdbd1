//! Endpoint discovery: making sites, training the classifiers, measuring the learner.

pub mod bench;
mod documents;
pub mod flood;
mod gbdt;
mod lexicon;
mod metrics;
mod records;
pub mod simulate;
mod site;
mod traffic;
pub mod train;
mod values;

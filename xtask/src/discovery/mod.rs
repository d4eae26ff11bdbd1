//! Endpoint discovery: making sites, training the classifiers, measuring the learner.

pub mod bench;
pub mod simulate;
pub mod train;

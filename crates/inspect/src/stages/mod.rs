//! The stages, one file or folder each.

pub mod attacks;
pub mod clients;
pub mod contract;
pub mod crs;
pub mod hygiene;
pub mod leakage;

//! The learned attack score.
use super::text::Text;

/// A value's score.
#[derive(Clone, Copy, Debug)]
pub struct Score {
    /// 1 (attack) to 99 (clean).
    pub value: u8,
    /// Log-odds of an attack.
    pub margin: f32,
}
/// a
pub const SURE_MARGIN: f32 = 1e9;
/// a
pub const LIKELY_MARGIN: f32 = 1e9;
/// a
pub const HINT_MARGIN: f32 = 1e9;

/// Scores
pub fn judge(_text: &Text<'_>) -> Score {
    Score { value: 50, margin: 0.0 }
}
/// E
pub fn explain(_text: &Text<'_>) -> String {
    String::new()
}

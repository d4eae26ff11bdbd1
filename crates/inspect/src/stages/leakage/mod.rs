//! Stage `leakage`: what responses give away.

use model::reason::StageId;

use crate::stage::Stage;

/// What may be configured of this stage.
#[derive(Clone, Debug, Default)]
pub struct LeakagePolicy {}

/// The stage.
pub struct Leakage;

impl Stage for Leakage {
    fn id(&self) -> StageId {
        StageId::Leakage
    }
}

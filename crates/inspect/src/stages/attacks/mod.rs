//! Stage `attacks`: negative security over every value a client sent.

use model::reason::StageId;

use crate::stage::Stage;

/// What may be configured of this stage.
#[derive(Clone, Debug, Default)]
pub struct AttackPolicy {}

/// The stage.
pub struct Attacks;

impl Stage for Attacks {
    fn id(&self) -> StageId {
        StageId::Attacks
    }
}

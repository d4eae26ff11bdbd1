//! Stage `contract`: positive security; a message must be as its declared or learned contract says.

use model::reason::StageId;

use crate::stage::Stage;

/// What may be configured of this stage.
#[derive(Debug)]
pub struct ContractPolicy {}

/// The stage.
pub struct ContractStage;

impl Stage for ContractStage {
    fn id(&self) -> StageId {
        StageId::Contract
    }
}

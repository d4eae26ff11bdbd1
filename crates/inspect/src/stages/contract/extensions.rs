//! Policy in the document: what `x-portreeve-*` sets beside an operation, or for the whole document.
//!
//! | extension | value |
//! |---|---|
//! | `x-portreeve-mode` | mode of the stage `contract` |
//! | `x-portreeve-modes` | modes of stages by name |
//! | `x-portreeve-responses` | `off`, `monitor` or `block` for responses |
//! | `x-portreeve-undeclared` | `ignore`, `report` or `refuse` for what is not declared |
//! | `x-portreeve-limits` | `body_bytes_max`, `query_bytes_max` |
//! | `x-portreeve-labels` | list of labels |

use model::finding::{Findings, Place};
use model::mode::Mode;
use model::reason::{ContractReason, StageId};
use schema::json::{JsonLimits, Tape, Value};
use schema::openapi::Contract;

use super::{Unmentioned, sure};
use crate::http1::Framing;
use crate::view::RequestView;

/// Most labels of one operation.
const LABELS_MAX: usize = 32;

/// What a document says of one operation beyond its contract.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperationPolicy {
    /// Modes of stages that differ from the configured ones.
    pub modes: Vec<(StageId, Mode)>,
    /// How responses are judged.
    pub responses: Option<Mode>,
    /// What is done about what is not declared.
    pub undeclared: Option<Unmentioned>,
    /// Largest request body in bytes.
    pub body_bytes_max: Option<u64>,
    /// Longest query in bytes.
    pub query_bytes_max: Option<u64>,
    /// Labels for the inventory.
    pub labels: Vec<String>,
}

/// The policies of all operations, in their order, and what is wrong with them; empty when nothing is said anywhere.
pub(super) fn operation_policies(contract: &Contract) -> (Vec<OperationPolicy>, Vec<String>) {
    let mut mistakes = Vec::new();
    let mut common = OperationPolicy::default();
    common.read(contract.extensions(), "the document", &mut mistakes);
    let policies: Vec<OperationPolicy> = contract
        .operations()
        .iter()
        .map(|operation| {
            let mut own = common.clone();
            let name = format!("`{} {}`", operation.method, operation.template);
            own.read(&operation.extensions, &name, &mut mistakes);
            own
        })
        .collect();
    let says_nothing = policies.iter().all(|own| *own == OperationPolicy::default());
    (if says_nothing { Vec::new() } else { policies }, mistakes)
}

fn mode(value: Value<'_>) -> Result<Mode, &'static str> {
    match value.as_str() {
        Some("off") => Ok(Mode::Off),
        Some("monitor") => Ok(Mode::Monitor),
        Some("block") => Ok(Mode::Block),
        _ => Err("write `off`, `monitor` or `block`"),
    }
}

impl OperationPolicy {
    fn read(&mut self, extensions: &[(Box<str>, Box<str>)], at: &str, mistakes: &mut Vec<String>) {
        for (name, json) in extensions {
            let limits = JsonLimits::for_documents();
            let read = match Tape::parse(json.as_bytes(), &limits) {
                Ok(tape) => self.read_one(name, tape.root()),
                Err(_) => Err("it is no JSON".to_owned()),
            };
            if let Err(help) = read {
                mistakes.push(format!("`{name}` of {at}: {help}"));
            }
        }
    }

    fn read_one(&mut self, name: &str, value: Value<'_>) -> Result<(), String> {
        match name {
            "x-portreeve-mode" => self.set_mode(StageId::Contract, mode(value)?),
            "x-portreeve-modes" => {
                for (stage, value) in value.members().ok_or("write stages with their modes")? {
                    let known = StageId::ALL.into_iter().find(|known| known.name() == stage);
                    let known = known.ok_or_else(|| format!("there is no stage `{stage}`"))?;
                    self.set_mode(known, mode(value)?);
                }
            }
            "x-portreeve-responses" => self.responses = Some(mode(value)?),
            "x-portreeve-undeclared" => {
                self.undeclared = Some(match value.as_str() {
                    Some("ignore") => Unmentioned::Ignore,
                    Some("report") => Unmentioned::Report,
                    Some("refuse") => Unmentioned::Refuse,
                    _ => return Err("write `ignore`, `report` or `refuse`".to_owned()),
                });
            }
            "x-portreeve-limits" => {
                for (limit, value) in value.members().ok_or("write limits by name")? {
                    let max = value.as_u64().ok_or_else(|| format!("`{limit}` is a number of bytes"))?;
                    match limit {
                        "body_bytes_max" => self.body_bytes_max = Some(max),
                        "query_bytes_max" => self.query_bytes_max = Some(max),
                        _ => {
                            return Err(format!(
                                "there is no limit `{limit}`; known are `body_bytes_max` and `query_bytes_max`"
                            ));
                        }
                    }
                }
            }
            "x-portreeve-labels" => {
                let items = value.items().ok_or("write a list of labels")?;
                let labels: Option<Vec<String>> =
                    items.take(LABELS_MAX).map(|item| item.as_str().map(str::to_owned)).collect();
                self.labels = labels.ok_or("labels are texts")?;
            }
            // What the learner notes in the documents it writes; nothing to be set.
            "x-portreeve-origin"
            | "x-portreeve-exchanges"
            | "x-portreeve-complete"
            | "x-portreeve-endpoint"
            | "x-portreeve-confidence"
            | "x-portreeve-requests"
            | "x-portreeve-operations"
            | "x-portreeve-enforced" => {}
            _ => {
                return Err(
                    "there is no such extension; known are x-portreeve-mode, -modes, -responses, -undeclared, \
                            -limits and -labels"
                        .to_owned(),
                );
            }
        }
        Ok(())
    }

    fn set_mode(&mut self, stage: StageId, mode: Mode) {
        self.modes.retain(|(known, _)| *known != stage);
        self.modes.push((stage, mode));
    }
}

/// Judges what a head says about sizes.
pub(super) fn judge_limits(own: Option<&OperationPolicy>, request: &RequestView<'_>, out: &mut Findings) {
    let Some(own) = own else { return };
    if let Framing::Length(length) = request.framing {
        judge_body_bytes(Some(own), length, out);
    }
    let query_bytes = request.query.map_or(0, <[u8]>::len) as u64;
    if let Some(max) = own.query_bytes_max.filter(|max| query_bytes > *max) {
        let evidence = format!("query_bytes_max: at most {max}");
        out.push(sure(ContractReason::ParameterInvalid, Place::Query("".into()), &evidence));
    }
}

/// Judges the size of a body, announced or counted; it is named once.
pub(super) fn judge_body_bytes(own: Option<&OperationPolicy>, bytes: u64, out: &mut Findings) {
    let reason = model::reason::Reason::Contract(ContractReason::BodyTooLarge);
    let Some(max) = own.and_then(|own| own.body_bytes_max).filter(|max| bytes > *max) else { return };
    if !out.iter().any(|finding| finding.reason == reason) {
        out.push(sure(ContractReason::BodyTooLarge, Place::Body("".into()), &format!("body_bytes_max: at most {max}")));
    }
}

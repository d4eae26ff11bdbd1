//! `portreeve endpoints`: the inventory, as table, JSON, CSV or OpenAPI; one endpoint with its evidence.

use std::io::Write;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use model::{EndpointId, EndpointState};
use schema::emit::OpenApiVersion;
use store::inventory::{ContractMode, EndpointFilter};
use store::{Inventory, StoredEndpoint};

use super::Outcome;
use crate::learned;

/// Lists, filters, explains and exports endpoints.
#[derive(clap::Args)]
pub struct Arguments {
    /// Where the inventory is kept.
    #[arg(long, default_value = "data", global = true)]
    data: PathBuf,
    /// Only those whose name holds this text, such as `/orders`.
    #[arg(long)]
    text: Option<String>,
    /// Only those in this state: `provisional`, `review`, `saved`, `ignored`.
    #[arg(long, value_parser = state)]
    state: Option<EndpointState>,
    /// Only those with this label.
    #[arg(long)]
    label: Option<String>,
    /// How they are written.
    #[arg(long = "format", alias = "form", value_enum, default_value_t = Form::Table)]
    form: Form,
    /// The version of OpenAPI that is written: `3.1` or `3.0`.
    #[arg(long, default_value = "3.1", value_parser = super::openapi_version)]
    openapi: OpenApiVersion,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Explain one endpoint with its evidence.
    Show {
        /// Its id, such as `e42`.
        id: String,
        /// Everything that is known, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Accept endpoints, and what was learned about them as their contract. A running gateway enforces it within a second.
    Save {
        /// Their ids, such as `e42`.
        #[arg(required = true)]
        ids: Vec<String>,
        /// Refuse what departs from the contract; without it, it is only reported.
        #[arg(long, conflicts_with = "monitor")]
        block: bool,
        /// Only report what departs from the contract.
        #[arg(long)]
        monitor: bool,
        /// Take what is learned by now as the contract, where there is one already.
        #[arg(long)]
        renew: bool,
    },
    /// Decline endpoints; their traffic is still counted, and their contracts no longer hold.
    Ignore {
        /// Their ids, such as `e42`.
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Put endpoints back into review; their contracts no longer hold.
    Review {
        /// Their ids, such as `e42`.
        #[arg(required = true)]
        ids: Vec<String>,
    },
}

/// How endpoints are written.
#[derive(Clone, Copy, ValueEnum)]
pub enum Form {
    /// Aligned columns.
    Table,
    /// One JSON object a line.
    Json,
    /// Comma-separated values (RFC 4180).
    Csv,
    /// OpenAPI 3.1, one document; of several hosts a list.
    Openapi,
}

fn state(text: &str) -> Result<EndpointState, String> {
    match text {
        "provisional" => Ok(EndpointState::Provisional),
        "review" => Ok(EndpointState::Review),
        "saved" => Ok(EndpointState::Saved),
        "ignored" => Ok(EndpointState::Ignored),
        _ => Err("write `provisional`, `review`, `saved` or `ignored`".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// When there is no inventory, or no such endpoint.
pub fn run(arguments: &Arguments) -> Outcome {
    super::require_data(&arguments.data)?;
    let mut inventory = Inventory::open(&arguments.data)?;
    match &arguments.what {
        None => {}
        Some(What::Show { id, json }) => return show(&inventory, id, *json),
        Some(What::Save { ids, block, monitor, renew }) => {
            let mode = match (block, monitor) {
                (true, _) => Some(ContractMode::Block),
                (_, true) => Some(ContractMode::Monitor),
                _ => None,
            };
            return save(&mut inventory, ids, mode, *renew);
        }
        Some(What::Ignore { ids }) => return decline(&mut inventory, ids, EndpointState::Ignored),
        Some(What::Review { ids }) => return decline(&mut inventory, ids, EndpointState::Review),
    }
    let filter = EndpointFilter {
        state: arguments.state,
        label: arguments.label.clone(),
        text: arguments.text.clone(),
        ..EndpointFilter::default()
    };
    write(&inventory.endpoints(&filter)?, arguments.form, arguments.openapi)
}

/// Who the history names for what is done on the command line.
const WHO: &str = "command line";

fn parsed(id: &str) -> Result<EndpointId, String> {
    let number = id.strip_prefix('e').unwrap_or(id).parse::<u64>();
    number.map(EndpointId).map_err(|_| format!("`{id}` is no endpoint's id; they look like `e42`"))
}

fn stored_of(inventory: &Inventory, id: &str) -> Result<StoredEndpoint, Box<dyn std::error::Error>> {
    let stored = inventory.endpoint(parsed(id)?)?;
    Ok(stored.ok_or_else(|| format!("there is no endpoint `{id}`; `portreeve endpoints` lists them"))?)
}

fn save(inventory: &mut Inventory, ids: &[String], mode: Option<ContractMode>, renew: bool) -> Outcome {
    let mut out = std::io::stdout().lock();
    for id in ids {
        let stored = stored_of(inventory, id)?;
        let (own, now) = (stored.endpoint.id, crate::now());
        inventory.change(WHO, now, own, |stored| stored.endpoint.state = EndpointState::Saved)?;
        let contract = match (inventory.contract(own)?, mode) {
            (Some(_), Some(mode)) if !renew => {
                inventory.put_contract_mode(WHO, now, own, mode)?;
                inventory.contract(own)?
            }
            (Some(contract), None) if !renew => Some(contract),
            _ => inventory.accept_contract(WHO, now, own, mode)?,
        };
        let name = learned::printable(&stored.name());
        match contract {
            Some(contract) => writeln!(out, "{name}: saved, contract in mode {}", contract.mode.name())?,
            None if !stored.endpoint.operation.is_empty() => {
                writeln!(out, "{name}: saved; operations share their path and are not held to a learned contract")?;
            }
            None => writeln!(out, "{name}: saved; nothing was learned about its messages yet, so it has no contract")?,
        }
    }
    Ok(())
}

fn decline(inventory: &mut Inventory, ids: &[String], state: EndpointState) -> Outcome {
    for id in ids {
        let (own, now) = (stored_of(inventory, id)?.endpoint.id, crate::now());
        inventory.change(WHO, now, own, |stored| stored.endpoint.state = state)?;
        inventory.withdraw_contract(WHO, now, own)?;
    }
    Ok(())
}

/// Writes endpoints to standard output.
///
/// # Errors
/// When it is closed.
pub fn write(endpoints: &[StoredEndpoint], form: Form, openapi: OpenApiVersion) -> Outcome {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match form {
        Form::Table => writeln!(out, "{}", learned::table(endpoints))?,
        Form::Json => {
            for stored in endpoints {
                writeln!(out, "{}", learned::as_json(stored))?;
            }
        }
        Form::Csv => {
            writeln!(out, "id,method,host,template,operation,protocol,requests,confidence,found_by,labels,risks")?;
            for stored in endpoints {
                let endpoint = &stored.endpoint;
                let cells = [
                    endpoint.id.to_string(),
                    endpoint.method.clone(),
                    endpoint.host.clone(),
                    endpoint.template.clone(),
                    endpoint.operation.clone(),
                    endpoint.protocol.name().to_owned(),
                    endpoint.requests.to_string(),
                    format!("{:.3}", endpoint.confidence),
                    learned::origins(endpoint),
                    endpoint.labels.join(" "),
                    learned::risks(stored).join(" "),
                ];
                writeln!(out, "{}", cells.map(|cell| csv_cell(&cell)).join(","))?;
            }
        }
        Form::Openapi => {
            let documents: Vec<serde_json::Value> = learned::documents(endpoints, openapi).into_values().collect();
            let text = match documents.as_slice() {
                [one] => serde_json::to_string_pretty(one)?,
                all => serde_json::to_string_pretty(all)?,
            };
            writeln!(out, "{text}")?;
        }
    }
    out.flush()?;
    Ok(())
}

/// A cell that no spreadsheet takes for a formula.
fn csv_cell(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@', '\t']) { format!("'{text}") } else { text.to_owned() };
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

fn show(inventory: &Inventory, id: &str, json: bool) -> Outcome {
    let stored = stored_of(inventory, id)?;
    let own = stored.endpoint.id;
    let mut out = std::io::stdout().lock();
    if json {
        writeln!(out, "{}", serde_json::to_string_pretty(&learned::as_json(&stored))?)?;
        return Ok(());
    }
    let contract = inventory.contract(own)?;
    writeln!(out, "{}", learned::explained(&stored, contract.as_ref()))?;
    let changes = inventory.changes(Some(own), 20)?;
    if !changes.is_empty() {
        writeln!(out, "history, the latest first:")?;
    }
    for change in changes {
        let at = jiff::Timestamp::from_microsecond(change.at.0).unwrap_or_default();
        writeln!(out, "  {at:.0} {} {}: {} -> {}", change.who, change.field, change.before, change.after)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        assert_eq!(csv_cell("a"), "a");
        assert_eq!(csv_cell("a,b"), "\"a,b\"");
        assert_eq!(csv_cell("a\"b"), "\"a\"\"b\"");
        assert_eq!(csv_cell("=1+1"), "'=1+1");
    }
}

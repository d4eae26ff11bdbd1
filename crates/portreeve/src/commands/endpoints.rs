//! `portreeve endpoints`: the inventory, as table, JSON, CSV or OpenAPI; one endpoint with its evidence.

use std::io::Write;
use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};
use model::{EndpointId, EndpointState};
use store::inventory::EndpointFilter;
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
    #[arg(long, value_enum, default_value_t = Form::Table)]
    form: Form,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Subcommand)]
enum What {
    /// Explain one endpoint with its evidence.
    Show {
        /// Its id, such as `e42`.
        id: String,
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
    let inventory = Inventory::open(&arguments.data)?;
    if let Some(What::Show { id }) = &arguments.what {
        return show(&inventory, id);
    }
    let filter = EndpointFilter {
        state: arguments.state,
        label: arguments.label.clone(),
        text: arguments.text.clone(),
        ..EndpointFilter::default()
    };
    write(&inventory.endpoints(&filter)?, arguments.form)
}

/// Writes endpoints to standard output.
///
/// # Errors
/// When it is closed.
pub fn write(endpoints: &[StoredEndpoint], form: Form) -> Outcome {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    match form {
        Form::Table => writeln!(out, "{}", learned::table(endpoints))?,
        Form::Json => {
            for stored in endpoints {
                writeln!(out, "{}", learned::as_json(stored))?;
            }
        }
        Form::Csv => {
            writeln!(out, "id,method,host,template,operation,protocol,requests,confidence,found_by,labels")?;
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
                ];
                writeln!(out, "{}", cells.map(|cell| csv_cell(&cell)).join(","))?;
            }
        }
        Form::Openapi => {
            let documents: Vec<serde_json::Value> = learned::documents(endpoints).into_values().collect();
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

fn show(inventory: &Inventory, id: &str) -> Outcome {
    let number = id.strip_prefix('e').unwrap_or(id).parse::<u64>();
    let number = number.map_err(|_| format!("`{id}` is no endpoint's id; they look like `e42`"))?;
    let stored = inventory.endpoint(EndpointId(number))?;
    let stored = stored.ok_or_else(|| format!("there is no endpoint `{id}`; `portreeve endpoints` lists them"))?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "{}", learned::printable(&stored.name()))?;
    writeln!(out, "{}", serde_json::to_string_pretty(&learned::as_json(&stored))?)?;
    let changes = inventory.changes(Some(EndpointId(number)), 20)?;
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

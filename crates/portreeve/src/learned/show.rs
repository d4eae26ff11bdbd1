//! Endpoints for people: a table, JSON, and one endpoint explained with its evidence.

use model::Endpoint;
use serde_json::{Value, json};
use store::StoredEndpoint;
use store::inventory::AcceptedContract;

/// What strangers wrote must not steer a terminal.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Endpoints as lines of a table, the busiest first.
pub fn table(endpoints: &[StoredEndpoint]) -> String {
    let mut sorted: Vec<&StoredEndpoint> = endpoints.iter().collect();
    sorted.sort_by(|a, b| {
        let key = |stored: &StoredEndpoint| (std::cmp::Reverse(stored.endpoint.requests), stored.name());
        key(a).cmp(&key(b))
    });
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header([
        "METHOD",
        "HOST",
        "TEMPLATE",
        "OPERATION",
        "PROTOCOL",
        "REQUESTS",
        "CONFIDENCE",
        "FOUND BY",
        "STATE",
        "LABELS",
        "RISKS",
        "ID",
    ]);
    for stored in sorted {
        let endpoint = &stored.endpoint;
        table.add_row([
            printable(&endpoint.method),
            printable(&endpoint.host),
            printable(&endpoint.template),
            printable(&endpoint.operation),
            endpoint.protocol.name().to_owned(),
            endpoint.requests.to_string(),
            format!("{:.2}", endpoint.confidence),
            origins(endpoint),
            format!("{:?}", endpoint.state).to_lowercase(),
            endpoint.labels.join(","),
            risks(stored).join(","),
            endpoint.id.to_string(),
        ]);
    }
    table.trim_fmt()
}

/// What found an endpoint, in words.
pub fn origins(endpoint: &Endpoint) -> String {
    let all = [
        (endpoint.origins.session_identifier, "session-identifier"),
        (endpoint.origins.learning, "learning"),
        (endpoint.origins.contract, "contract"),
        (endpoint.origins.manual, "manual"),
    ];
    all.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect::<Vec<_>>().join("+")
}

/// What seems risky about an endpoint, and the kinds of its drift, each once.
pub fn risks(stored: &StoredEndpoint) -> Vec<String> {
    let labels = stored.risk.get("labels").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let drift = drift(stored).filter_map(|one| one.get("kind").and_then(Value::as_str));
    let mut all: Vec<String> = Vec::new();
    for name in labels.chain(drift) {
        if !all.iter().any(|known| known == name) {
            all.push(name.to_owned());
        }
    }
    all
}

fn drift(stored: &StoredEndpoint) -> impl Iterator<Item = &Value> {
    stored.risk.get("drift").and_then(Value::as_array).into_iter().flatten()
}

/// One endpoint with everything that is known, for reading.
pub fn explained(stored: &StoredEndpoint, contract: Option<&AcceptedContract>) -> String {
    let endpoint = &stored.endpoint;
    let text = |value: &Value, name: &str| printable(value.get(name).and_then(Value::as_str).unwrap_or_default());
    let number = |value: &Value, name: &str| value.get(name).and_then(Value::as_f64);
    let state = store::inventory::state_name(endpoint.state);
    let mut out = format!(
        "{}\n  {}, {state}, found by {}, confidence {:.2}\n  {}\n",
        printable(&stored.name()),
        endpoint.protocol.name(),
        origins(endpoint),
        endpoint.confidence,
        text(&stored.evidence, "text"),
    );
    let contract = match contract {
        Some(contract) => {
            let taken = jiff::Timestamp::from_microsecond(contract.taken_us).unwrap_or_default();
            format!("learned, accepted by {} at {taken:.0}, mode {}", contract.who, contract.mode.name())
        }
        None if endpoint.origins.contract => format!("declared for `{}`", endpoint.api),
        None => "none".to_owned(),
    };
    out.push_str(&format!("  contract: {contract}\n"));
    let risks = risks(stored);
    if !risks.is_empty() {
        out.push_str(&format!("  risks: {}\n", risks.join(", ")));
    }
    for one in drift(stored) {
        out.push_str(&format!("  drift: {} {} {}\n", text(one, "kind"), text(one, "place"), text(one, "message")));
    }
    let fields = stored.parameters.as_array().map(Vec::as_slice).unwrap_or_default();
    if fields.is_empty() {
        return out;
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["IN", "NAME", "TYPE", "SEEN", "REQUIRED", "EVIDENCE"]);
    for field in fields {
        let mut kind = text(field, "type");
        if let Some(format) = field.get("format").and_then(Value::as_str) {
            kind.push_str(&format!(" ({format})"));
        }
        let seen = match number(field, "present").zip(number(field, "of")) {
            Some((present, of)) => format!("{present} of {of}"),
            None => String::new(),
        };
        let required = match field.get("required").and_then(Value::as_bool) {
            Some(true) => {
                number(field, "required_confidence").map_or("yes".to_owned(), |sure| format!("yes, {sure:.2}"))
            }
            _ => "no".to_owned(),
        };
        table.add_row([text(field, "in"), text(field, "name"), kind, seen, required, field_evidence(field)]);
    }
    out.push_str(&table.trim_fmt());
    out
}

/// What a field's description rests on, in words.
fn field_evidence(field: &Value) -> String {
    let mut parts = Vec::new();
    let pair = |name: &str| {
        let list = field.get(name).and_then(Value::as_array)?;
        Some((list.first()?.to_string(), list.get(1)?.to_string()))
    };
    if let Some(list) = field.get("enum").and_then(Value::as_array) {
        let values: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
        parts.push(printable(&format!("one of {}", values.join(" "))));
    }
    if let Some((min, max)) = pair("range") {
        parts.push(format!("from {min} to {max}"));
    }
    if let Some((min, max)) = pair("length") {
        parts.push(format!("{min} to {max} characters"));
    }
    if let Some(repeated) = field.get("repeated").and_then(Value::as_u64) {
        parts.push(format!("repeated in {repeated}"));
    }
    if let Some(distinct) = field.get("distinct").and_then(Value::as_u64) {
        let once = field.get("once").and_then(Value::as_u64).unwrap_or_default();
        let confidence = field.get("confidence").and_then(Value::as_f64).unwrap_or_default();
        parts.push(format!("{distinct} values, {once} of them once, a parameter with confidence {confidence:.2}"));
    }
    let reasons = field.get("reasons").and_then(Value::as_array).into_iter().flatten();
    let reasons: Vec<String> = reasons
        .filter_map(|reason| Some(format!("{} {:.2}", reason.get(0)?.as_str()?, reason.get(1)?.as_f64()?)))
        .collect();
    if !reasons.is_empty() {
        parts.push(format!("because of {}", reasons.join(", ")));
    }
    parts.join("; ")
}

/// Endpoints as JSON.
pub fn as_json(stored: &StoredEndpoint) -> Value {
    json!({
        "endpoint": stored.endpoint, "owner": stored.owner, "note": stored.note, "evidence": stored.evidence,
        "parameters": stored.parameters, "schema": stored.schema, "risk": stored.risk,
    })
}

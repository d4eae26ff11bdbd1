//! Mutations of `Transfer-Encoding` by `smuggler`, each beside a Content-Length, as that tool sends them.
//!
//! A mutation that is accepted must be one in which every reader sees a plain field whose value mentions the words, and no
//! `Transfer-Encoding` at all: then the Content-Length alone frames it.

use inspect::http1::Framing;
use inspect::http1::{head_end, parse_request};
use model::head::Known;
use model::limits::Limits;

use super::http1::{self, Arguments, Outcome};
use crate::table::{Cell, Table, publish};

/// Runs this task.
pub fn run(arguments: &Arguments) -> crate::Outcome {
    let cases = http1::lines(&arguments.corpus, "smuggler/gadgets.jsonl")?;
    let (mut refused, mut length_only, mut wrong) = (0, 0, 0);
    for case in &cases {
        let gadget = http1::bytes(case, "gadget_b64")?;
        let raw = request(case)?;
        match http1::judge(&raw).first() {
            Some(Outcome::Refused(_)) => refused += 1,
            Some(Outcome::Accepted(Framing::Length(length), _))
                if *length == BODY.len() as u64 && has_no_coding(&raw) =>
            {
                length_only += 1;
                if arguments.misses {
                    eprintln!("framed by its length alone: {}: {}", http1::text(case, "name"), gadget.escape_ascii());
                }
            }
            _ => {
                wrong += 1;
                eprintln!("accepted: {}: {}", http1::text(case, "name"), gadget.escape_ascii());
            }
        }
    }
    let mut table =
        Table::new("smuggler", &["gadgets", "refused", "a plain field: framed by length alone", "accepted otherwise"]);
    table.rows.push([cases.len() as u64, refused, length_only, wrong].map(Cell::Count).to_vec());
    publish(&[table], arguments.json.as_deref())
}

/// What follows the head: the end of a chunked body, and a request for whoever believes in it.
const BODY: &str = "0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: api.example.com\r\n\r\n";

/// The request of a gadget, as that tool sends it.
pub fn request(case: &serde_json::Value) -> Result<Vec<u8>, String> {
    let template = http1::bytes(case, "header_template_b64")?;
    let gadget = http1::bytes(case, "gadget_b64")?;
    let (front, back) = split_at_gadget(&template, &gadget).unwrap_or((template, Vec::new()));
    // The template is text in which bytes above 0x7F are single; they must be so on the wire, too.
    let fill = |part: &[u8]| replace(part, BODY.len());
    Ok([fill(&front), gadget, fill(&back), b"\r\n".to_vec(), BODY.into()].concat())
}

fn split_at_gadget(template: &[u8], gadget: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let at = template.windows(gadget.len()).position(|window| window == gadget)?;
    let (front, rest) = template.split_at_checked(at)?;
    Some((front.to_vec(), rest.get(gadget.len()..)?.to_vec()))
}

fn replace(part: &[u8], length: usize) -> Vec<u8> {
    // Only ASCII place holders are replaced, so the other bytes pass as they are.
    let text: String = part.iter().map(|&byte| char::from(byte)).collect();
    let text = text
        .replace("__METHOD__", "POST")
        .replace("__ENDPOINT__", "/t")
        .replace("__RANDOM__", "1")
        .replace("__HOST__", "api.example.com")
        .replace("__REPLACE_CL__", &length.to_string());
    text.chars().map(|letter| letter as u8).collect()
}

fn has_no_coding(raw: &[u8]) -> bool {
    let head = head_end(raw, 0)
        .map(|end| bytes::Bytes::copy_from_slice(raw.get(..end).unwrap_or_default()))
        .unwrap_or_default();
    parse_request(head, &Limits::default())
        .is_ok_and(|request| request.head.fields.first(Known::TransferEncoding).is_none())
}

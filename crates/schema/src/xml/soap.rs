//! SOAP envelopes (1.1 and 1.2) and the operations of a WSDL 1.1 document.

use super::{XmlDocument, XmlError, XmlLimits, local, parse};

/// The namespace of SOAP 1.1 envelopes.
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of SOAP 1.2 envelopes.
pub const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";

/// What an envelope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `1.1` or `1.2`.
    pub version: &'static str,
    /// Local name of the first element in the body: the operation's message; empty for an empty body.
    pub message: String,
}

/// Reads an envelope; `None` when the document is none.
pub fn envelope(document: &XmlDocument) -> Option<Envelope> {
    let root = document.root().filter(|root| root.local_name() == "Envelope")?;
    let prefix = root.name.split_once(':').map(|(prefix, _)| prefix);
    let declared = match prefix {
        Some(prefix) => format!("xmlns:{prefix}"),
        None => "xmlns".to_owned(),
    };
    let namespace = root.attributes.iter().find(|(name, _)| *name == declared).map(|(_, value)| value.as_str())?;
    let version = match namespace {
        SOAP_11 => "1.1",
        SOAP_12 => "1.2",
        _ => return None,
    };
    let body = document.children(root).find(|child| child.local_name() == "Body")?;
    let message = document.children(body).next().map(|child| child.local_name().to_owned()).unwrap_or_default();
    Some(Envelope { version, message })
}

/// An operation that a WSDL declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WsdlOperation {
    /// Name of the operation.
    pub name: String,
    /// `soapAction`, when the binding has one.
    pub action: Option<String>,
    /// Local name of the element that its request carries.
    pub request: Option<String>,
}

/// The operations of a WSDL 1.1 document, by name.
pub fn wsdl_operations(bytes: &[u8], limits: &XmlLimits) -> Result<Vec<WsdlOperation>, XmlError> {
    let document = parse(bytes, limits)?;
    let attribute = |element: &super::Element, wanted: &str| {
        element.attributes.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone())
    };
    let Some(root) = document.root() else { return Ok(Vec::new()) };
    // Messages name the element that their first part carries.
    let messages: Vec<(String, String)> = document
        .children(root)
        .filter(|child| child.local_name() == "message")
        .filter_map(|message| {
            let part = document.children(message).find(|part| part.local_name() == "part")?;
            Some((attribute(message, "name")?, local(&attribute(part, "element")?).to_owned()))
        })
        .collect();
    let mut list: Vec<WsdlOperation> = Vec::new();
    let operations = |kind: &'static str| {
        document
            .children(root)
            .filter(move |child| child.local_name() == kind)
            .flat_map(|parent| document.children(parent))
            .filter(|child| child.local_name() == "operation")
    };
    for operation in operations("portType") {
        let Some(name) = attribute(operation, "name") else { continue };
        let input = document.children(operation).find(|child| child.local_name() == "input");
        let message = input.and_then(|input| attribute(input, "message"));
        let request = message.and_then(|message| {
            messages.iter().find(|(known, _)| known == local(&message)).map(|(_, element)| element.clone())
        });
        if !list.iter().any(|known| known.name == name) {
            list.push(WsdlOperation { name, action: None, request });
        }
    }
    for operation in operations("binding") {
        let Some(name) = attribute(operation, "name") else { continue };
        let action = document
            .children(operation)
            .find_map(|child| if child.local_name() == "operation" { attribute(child, "soapAction") } else { None });
        if let Some(known) = list.iter_mut().find(|known| known.name == name) {
            known.action = known.action.take().or(action.filter(|action| !action.is_empty()));
        }
    }
    list.sort();
    Ok(list)
}

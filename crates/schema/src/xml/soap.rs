//! SOAP envelopes (1.1 and 1.2), judged by the operations of a WSDL 1.1 document.
//!
//! Names are compared with their namespaces. An envelope has one body with one message: what has two is read as the first
//! by one implementation and as the last by another (XML signature wrapping lives on that), so it is none.

use super::name::{QName, Scope, attribute};
use super::{Element, XmlDocument, XmlError, XmlErrorKind, XmlLimits, parse};

/// The namespace of SOAP 1.1 envelopes.
pub const SOAP_11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
/// The namespace of SOAP 1.2 envelopes.
pub const SOAP_12: &str = "http://www.w3.org/2003/05/soap-envelope";
/// Most operations of one WSDL.
const OPERATIONS_MAX: usize = 10_000;

/// What an envelope says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// `1.1` or `1.2`.
    pub version: &'static str,
    /// Name of the message in the body; `None` for an empty body.
    pub message: Option<QName>,
    /// The message is a fault of SOAP itself.
    pub is_fault: bool,
    /// Position of the message's element in the document.
    pub message_at: u32,
}

/// Reads an envelope. The error says what an envelope needs.
pub fn envelope(document: &XmlDocument) -> Result<Envelope, &'static str> {
    let root = document.root().ok_or("an envelope")?;
    let scope = Scope::default().entered(root);
    let name = scope.name_of(root);
    let version = match &*name.namespace {
        SOAP_11 => "1.1",
        SOAP_12 => "1.2",
        _ => return Err("an envelope of SOAP 1.1 or 1.2"),
    };
    if name.local != "Envelope" {
        return Err("an envelope of SOAP 1.1 or 1.2");
    }
    let mut body = None;
    for (at, position) in root.children.iter().enumerate() {
        let Some(child) = document.element(*position) else { continue };
        let child_name = scope.entered(child).name_of(child);
        match (child_name.local.as_str(), child_name.namespace == name.namespace) {
            ("Header", true) if at == 0 => {}
            ("Body", true) if body.is_none() => body = Some(child),
            _ => return Err("an envelope with at most one header and exactly one body"),
        }
    }
    let body = body.ok_or("an envelope with a body")?;
    let scope = scope.entered(body);
    let message_at = match body.children.as_slice() {
        [] => return Ok(Envelope { version, message: None, is_fault: false, message_at: 0 }),
        [only] => *only,
        _ => return Err("a body with one message"),
    };
    let message = document.element(message_at).map(|message| scope.entered(message).name_of(message));
    let is_fault =
        message.as_ref().is_some_and(|message| message.local == "Fault" && message.namespace == name.namespace);
    Ok(Envelope { version, message, is_fault, message_at })
}

/// An operation that a WSDL declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SoapOperation {
    /// Name of the operation.
    pub name: String,
    /// `soapAction`, when the binding has one.
    pub action: Option<String>,
    /// Name of the element that its request carries; `None` for an empty body.
    pub request: Option<QName>,
    /// Name of the element that its response carries.
    pub response: Option<QName>,
}

/// What is wrong with a SOAP message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SoapViolation {
    /// The XML is refused.
    Xml(XmlError),
    /// It is no envelope; what one needs.
    Envelope(&'static str),
    /// The message is that of no operation.
    UnknownOperation,
    /// The action names another operation than the message.
    Action {
        /// The operation that the message is of.
        operation: String,
    },
}

/// The SOAP services of one address.
pub struct SoapContract {
    operations: Vec<SoapOperation>,
    limits: XmlLimits,
}

impl SoapContract {
    /// Services by a WSDL 1.1 document. The error says what it lacks.
    pub fn from_wsdl(bytes: &[u8], limits: XmlLimits) -> Result<Self, String> {
        let document =
            parse(bytes, &XmlLimits { bytes_max: 64 << 20, elements_max: 1_000_000, ..XmlLimits::default() })
                .map_err(|error| error.to_string())?;
        let operations = operations(&document)?;
        if operations.is_empty() {
            return Err("it declares no operation; a WSDL 1.1 document has `portType` with `operation`".to_owned());
        }
        Ok(Self { operations, limits })
    }

    /// All operations, by name.
    pub fn operations(&self) -> &[SoapOperation] {
        &self.operations
    }

    /// Judges a request. `action` is what SOAPAction (1.1) or the parameter `action` of the media type (1.2) says, without
    /// quotes. The operation's name when it fits.
    pub fn judge_request(&self, bytes: &[u8], action: Option<&str>) -> Result<&SoapOperation, SoapViolation> {
        let envelope = self.read(bytes)?;
        let operation = self.operations.iter().find(|operation| operation.request == envelope.message);
        let operation = operation.filter(|_| !envelope.is_fault).ok_or(SoapViolation::UnknownOperation)?;
        // A server that dispatches by the action would run another operation than the one that was judged.
        if let Some(action) = action.filter(|action| !action.is_empty())
            && operation.action.as_deref().unwrap_or_default() != action
        {
            return Err(SoapViolation::Action { operation: operation.name.clone() });
        }
        Ok(operation)
    }

    /// Judges a response: a fault, or the answer of an operation.
    pub fn judge_response(&self, bytes: &[u8]) -> Result<(), SoapViolation> {
        let envelope = self.read(bytes)?;
        if envelope.is_fault {
            return Ok(());
        }
        let is_known = self.operations.iter().any(|operation| operation.response == envelope.message);
        if is_known { Ok(()) } else { Err(SoapViolation::UnknownOperation) }
    }

    fn read(&self, bytes: &[u8]) -> Result<Envelope, SoapViolation> {
        let document = parse(bytes, &self.limits).map_err(SoapViolation::Xml)?;
        envelope(&document).map_err(SoapViolation::Envelope)
    }
}

impl SoapViolation {
    /// True when the message would be refused for its form alone, whatever the WSDL says.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Xml(error) if error.kind != XmlErrorKind::Malformed)
    }
}

/// The message that an operation's `input` or `output` refers to, as the name of the element in the body.
struct Messages<'d> {
    document: &'d XmlDocument,

    namespace: String,
    elements: Vec<(String, Option<QName>)>,
}

impl<'d> Messages<'d> {
    fn of(document: &'d XmlDocument, root: &'d Element) -> Self {
        let scope = Scope::default().entered(root);
        let mut elements = Vec::new();
        for message in document.children(root).filter(|child| child.local_name() == "message") {
            let scope = scope.entered(message);
            let part = document.children(message).find(|part| part.local_name() == "part");
            let element = part.and_then(|part| {
                let scope = scope.entered(part);
                attribute(part, "element").map(|element| scope.resolve(element))
            });
            if let Some(name) = attribute(message, "name") {
                elements.push((name.to_owned(), element));
            }
        }
        let namespace = attribute(root, "targetNamespace").unwrap_or_default().to_owned();
        Self { document, namespace, elements }
    }

    fn element(&self, operation: &Element, side: &str) -> Option<QName> {
        let side = self.document.children(operation).find(|child| child.local_name() == side)?;
        let message = super::local(attribute(side, "message")?);
        self.elements.iter().find(|(name, _)| name == message).and_then(|(_, element)| element.clone())
    }
}

fn operations(document: &XmlDocument) -> Result<Vec<SoapOperation>, String> {
    let root = document.root().ok_or("it is empty")?;
    if root.local_name() != "definitions" {
        return Err(format!("expected `definitions` of WSDL 1.1, found `{}`", root.local_name()));
    }
    let messages = Messages::of(document, root);
    let parents = |kind: &'static str| document.children(root).filter(move |child| child.local_name() == kind);
    let mut list: Vec<SoapOperation> = Vec::new();
    for operation in parents("portType").flat_map(|parent| document.children(parent)) {
        let Some(name) = attribute(operation, "name").filter(|_| operation.local_name() == "operation") else {
            continue;
        };
        if list.len() >= OPERATIONS_MAX {
            return Err(format!("more than {OPERATIONS_MAX} operations"));
        }
        let (request, response) = (messages.element(operation, "input"), messages.element(operation, "output"));
        if !list.iter().any(|known| known.name == name) {
            list.push(SoapOperation { name: name.to_owned(), action: None, request, response });
        }
    }
    for binding in parents("binding") {
        let style = |element: &Element| {
            document.children(element).find_map(|child| attribute(child, "style").map(|style| style == "rpc"))
        };
        let is_rpc = style(binding).unwrap_or(false);
        for operation in document.children(binding).filter(|child| child.local_name() == "operation") {
            let Some(name) = attribute(operation, "name") else { continue };
            let Some(known) = list.iter_mut().find(|known| known.name == name) else { continue };
            let action = document
                .children(operation)
                .find_map(|child| attribute(child, "soapAction").filter(|_| child.local_name() == "operation"));
            known.action = known.action.take().or(action.filter(|action| !action.is_empty()).map(str::to_owned));
            if style(operation).unwrap_or(is_rpc) {
                rpc_names(&messages, operation, known);
            }
        }
    }
    list.sort();
    Ok(list)
}

/// Of style `rpc`, the body holds an element named as the operation, in the namespace of the binding's `soap:body`.
fn rpc_names(messages: &Messages<'_>, operation: &Element, known: &mut SoapOperation) {
    let namespace = |side: &str| {
        let side = messages.document.children(operation).find(|child| child.local_name() == side);
        let body = side.and_then(|side| messages.document.children(side).find(|child| child.local_name() == "body"));
        body.and_then(|body| attribute(body, "namespace")).unwrap_or(&messages.namespace).to_owned()
    };
    known.request = Some(QName { namespace: namespace("input"), local: known.name.clone() });
    known.response = Some(QName { namespace: namespace("output"), local: format!("{}Response", known.name) });
}

#[cfg(test)]
mod tests;

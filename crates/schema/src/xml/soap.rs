//! SOAP envelopes (1.1 and 1.2), judged by the operations of a WSDL 1.1 document.
//!
//! What the operations carry is held against the schemas of its `types` (document/literal and rpc/literal), and so are blocks of the header
//! that these declare; others, such as those of WS-Security, pass. Details of faults are not looked into.
//!
//! Names are compared with their namespaces. An envelope has one body with one message: what has two is read as the first
//! by one implementation and as the last by another (XML signature wrapping lives on that), so it is none.

use std::path::{Path, PathBuf};

use super::name::{QName, Scope, attribute};
use super::xsd::{Sources, Tree, Wrapper};
use super::{Element, XmlDocument, XmlError, XmlErrorKind, XmlLimits, XsdSchema, XsdViolation, parse};

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
    /// The message does not fit the schema; never empty.
    Schema(Vec<XsdViolation>),
}

/// What a message is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// Its name only.
    Unknown,
    /// The declaration of its name.
    Declared,
    /// The wrapper of this position.
    Wrapper(usize),
}

/// The SOAP services of one address.
pub struct SoapContract {
    operations: Vec<SoapOperation>,
    /// Of each operation, what its request and its response are held against.
    contents: Vec<[Content; 2]>,
    schema: XsdSchema,
    unenforced: Vec<String>,
    limits: XmlLimits,
}

const DOCUMENT_LIMITS: XmlLimits = XmlLimits {
    bytes_max: 64 << 20,
    depth_max: 128,
    elements_max: 1_000_000,
    attributes_max: 1_024,
    name_bytes_max: 1_024,
};

impl SoapContract {
    /// Services by a WSDL 1.1 document that stands alone. The error says what it lacks.
    pub fn from_wsdl(bytes: &[u8], limits: XmlLimits) -> Result<Self, String> {
        let document = parse(bytes, &DOCUMENT_LIMITS).map_err(|error| error.to_string())?;
        Self::from_tree(&Tree::of(document, "the document", None), limits)
    }

    /// Services by a WSDL 1.1 file; schemas that it imports are read from disk, never from the network.
    pub fn from_wsdl_file(path: &Path, limits: XmlLimits) -> Result<Self, String> {
        let mut own = Self::from_tree(&Tree::read(path)?, limits)?;
        own.schema.add_file(path);
        Ok(own)
    }

    fn from_tree(tree: &Tree, limits: XmlLimits) -> Result<Self, String> {
        let described = operations(&tree.document)?;
        if described.list.is_empty() {
            return Err("it declares no operation; a WSDL 1.1 document has `portType` with `operation`".to_owned());
        }
        let mut sources = Sources::default();
        for root in schemas(&tree.document) {
            sources.add(tree.clone(), root, None)?;
        }
        let schema = XsdSchema::of(&sources, &described.wrappers).map_err(|errors| errors.join("; "))?;
        let mut unenforced = described.unenforced;
        unenforced.extend(schema.unenforced().iter().cloned());
        let mut operations = Vec::with_capacity(described.list.len());
        let mut contents = Vec::with_capacity(described.list.len());
        for (operation, mut pair) in described.list {
            for (content, message) in pair.iter_mut().zip([&operation.request, &operation.response]) {
                let Some(message) = message.as_ref().filter(|_| *content == Content::Declared) else { continue };
                if !schema.declares(message) {
                    *content = Content::Unknown;
                    unenforced.push(format!(
                        "the element `{message}` is not declared in `types`: what it holds is not enforced"
                    ));
                }
            }
            operations.push(operation);
            contents.push(pair);
        }
        unenforced.sort();
        unenforced.dedup();
        Ok(Self { operations, contents, schema, unenforced, limits })
    }

    /// What the document says that is not enforced, a sentence each.
    pub fn unenforced(&self) -> &[String] {
        &self.unenforced
    }

    /// Every file that was read.
    pub fn files(&self) -> &[PathBuf] {
        self.schema.files()
    }

    /// All operations, by name.
    pub fn operations(&self) -> &[SoapOperation] {
        &self.operations
    }

    /// Judges a request. `action` is what SOAPAction (1.1) or the parameter `action` of the media type (1.2) says, without
    /// quotes. The operation's name when it fits.
    pub fn judge_request(&self, bytes: &[u8], action: Option<&str>) -> Result<&SoapOperation, SoapViolation> {
        let (mut document, envelope) = self.read(bytes)?;
        let at = self.operations.iter().position(|operation| operation.request == envelope.message);
        let found = at.and_then(|at| Some((at, self.operations.get(at)?)));
        let (at, operation) = found.filter(|_| !envelope.is_fault).ok_or(SoapViolation::UnknownOperation)?;
        // A server that dispatches by the action would run another operation than the one that was judged.
        if let Some(action) = action.filter(|action| !action.is_empty())
            && operation.action.as_deref().unwrap_or_default() != action
        {
            return Err(SoapViolation::Action { operation: operation.name.clone() });
        }
        let content = self.contents.get(at).map_or(Content::Unknown, |[request, _]| *request);
        self.judge_header(&mut document)?;
        self.judge_content(content, &document, &envelope).map(|()| operation)
    }

    /// Judges a response: a fault, or the answer of an operation.
    pub fn judge_response(&self, bytes: &[u8]) -> Result<(), SoapViolation> {
        let (mut document, envelope) = self.read(bytes)?;
        self.judge_header(&mut document)?;
        if envelope.is_fault {
            return Ok(());
        }
        let at = self.operations.iter().position(|operation| operation.response == envelope.message);
        let at = at.ok_or(SoapViolation::UnknownOperation)?;
        let content = self.contents.get(at).map_or(Content::Unknown, |[_, response]| *response);
        self.judge_content(content, &document, &envelope)
    }

    /// Judges the blocks of the header that the schema declares.
    fn judge_header(&self, document: &mut XmlDocument) -> Result<(), SoapViolation> {
        let Some(root) = document.root() else { return Ok(()) };
        let Some(at) = root.children.first().copied() else { return Ok(()) };
        let Some(header) = document.element(at).filter(|first| first.local_name() == "Header") else { return Ok(()) };
        let scope = Scope::default().entered(root).entered(header);
        for block in header.children.clone() {
            let Some(element) = document.elements.get_mut(block as usize) else { continue };
            let scope = scope.entered(element);
            if !self.schema.declares(&scope.name_of(element)) {
                continue;
            }
            // Who a block is for, and whether it must be understood, stands in attributes of SOAP that no schema declares.
            let is_soap =
                |name: &str| name.contains(':') && [SOAP_11, SOAP_12].contains(&&*scope.resolve(name).namespace);
            element.attributes.retain(|(name, _)| !is_soap(name));
            let violations = self.schema.judge_element(document, &[0, at], block);
            if !violations.is_empty() {
                return Err(SoapViolation::Schema(violations));
            }
        }
        Ok(())
    }

    fn judge_content(
        &self,
        content: Content,
        document: &XmlDocument,
        envelope: &Envelope,
    ) -> Result<(), SoapViolation> {
        if envelope.message.is_none() {
            return Ok(());
        }
        let at = envelope.message_at;
        let holds = |body: &&u32| document.element(**body).is_some_and(|body| body.children.contains(&at));
        let body = document.root().and_then(|root| root.children.iter().find(holds)).copied().unwrap_or_default();
        let violations = match content {
            Content::Unknown => Vec::new(),
            Content::Declared => self.schema.judge_element(document, &[0, body], at),
            Content::Wrapper(wrapper) => self.schema.judge_wrapper(wrapper, document, &[0, body], at),
        };
        if violations.is_empty() { Ok(()) } else { Err(SoapViolation::Schema(violations)) }
    }

    fn read(&self, bytes: &[u8]) -> Result<(XmlDocument, Envelope), SoapViolation> {
        let document = parse(bytes, &self.limits).map_err(SoapViolation::Xml)?;
        let envelope = envelope(&document).map_err(SoapViolation::Envelope)?;
        Ok((document, envelope))
    }
}

impl SoapViolation {
    /// True when the message would be refused for its form alone, whatever the WSDL says.
    pub fn is_forbidden(&self) -> bool {
        matches!(self, Self::Xml(error) if error.kind != XmlErrorKind::Malformed)
    }
}

/// A part of a message.
#[derive(Clone, Debug)]
struct Part {
    name: String,
    element: Option<QName>,
    ty: Option<QName>,
}

/// The messages that operations' `input` and `output` refer to.
struct Messages<'d> {
    document: &'d XmlDocument,
    namespace: String,
    parts: Vec<(String, Vec<Part>)>,
}

impl<'d> Messages<'d> {
    fn of(document: &'d XmlDocument, root: &'d Element) -> Self {
        let scope = Scope::default().entered(root);
        let mut parts = Vec::new();
        for message in document.children(root).filter(|child| child.local_name() == "message") {
            let scope = scope.entered(message);
            let each = document.children(message).filter(|part| part.local_name() == "part").map(|part| {
                let scope = scope.entered(part);
                let named = |name| attribute(part, name).map(|value| scope.resolve(value));
                let name = attribute(part, "name").unwrap_or_default().to_owned();
                Part { name, element: named("element"), ty: named("type") }
            });
            if let Some(name) = attribute(message, "name") {
                parts.push((name.to_owned(), each.collect()));
            }
        }
        let namespace = attribute(root, "targetNamespace").unwrap_or_default().to_owned();
        Self { document, namespace, parts }
    }

    fn parts(&self, operation: &Element, side: &str) -> Option<&[Part]> {
        let side = self.document.children(operation).find(|child| child.local_name() == side)?;
        let message = super::local(attribute(side, "message")?);
        self.parts.iter().find(|(name, _)| name == message).map(|(_, parts)| parts.as_slice())
    }

    fn element(&self, operation: &Element, side: &str) -> Option<QName> {
        self.parts(operation, side)?.first()?.element.clone()
    }

    /// The element `soap:body` of one side of an operation of a binding.
    fn body(&self, operation: &Element, side: &str) -> Option<&'d Element> {
        let side = self.document.children(operation).find(|child| child.local_name() == side)?;
        let position = side
            .children
            .iter()
            .find(|at| self.document.element(**at).is_some_and(|child| child.local_name() == "body"))?;
        self.document.element(*position)
    }
}

/// The elements `schema` of a document's `types`.
fn schemas(document: &XmlDocument) -> Vec<u32> {
    let Some(root) = document.root() else { return Vec::new() };
    let types = document.children(root).filter(|child| child.local_name() == "types");
    let each = types.flat_map(|types| types.children.iter().copied());
    each.filter(|at| document.element(*at).is_some_and(|child| child.local_name() == "schema")).collect()
}

/// What a WSDL describes.
#[derive(Default)]
struct Described {
    list: Vec<(SoapOperation, [Content; 2])>,
    wrappers: Vec<Wrapper>,
    unenforced: Vec<String>,
}

fn operations(document: &XmlDocument) -> Result<Described, String> {
    let root = document.root().ok_or("it is empty")?;
    if root.local_name() != "definitions" {
        return Err(format!("expected `definitions` of WSDL 1.1, found `{}`", root.local_name()));
    }
    let messages = Messages::of(document, root);
    let parents = |kind: &'static str| document.children(root).filter(move |child| child.local_name() == kind);
    let mut described = Described::default();
    if parents("import").next().is_some() {
        described.unenforced.push("`import` of other WSDL documents is not followed".to_owned());
    }
    for operation in parents("portType").flat_map(|parent| document.children(parent)) {
        let Some(name) = attribute(operation, "name").filter(|_| operation.local_name() == "operation") else {
            continue;
        };
        if described.list.len() >= OPERATIONS_MAX {
            return Err(format!("more than {OPERATIONS_MAX} operations"));
        }
        let (request, response) = (messages.element(operation, "input"), messages.element(operation, "output"));
        if !described.list.iter().any(|(known, _)| known.name == name) {
            let own = SoapOperation { name: name.to_owned(), action: None, request, response };
            described.list.push((own, [Content::Declared; 2]));
        }
    }
    let port_operations: Vec<&Element> = parents("portType").flat_map(|parent| document.children(parent)).collect();
    for binding in parents("binding") {
        let style = |element: &Element| {
            document.children(element).find_map(|child| attribute(child, "style").map(|style| style == "rpc"))
        };
        let is_rpc = style(binding).unwrap_or(false);
        for operation in document.children(binding).filter(|child| child.local_name() == "operation") {
            let Some(name) = attribute(operation, "name") else { continue };
            let Some(at) = described.list.iter().position(|(known, _)| known.name == name) else { continue };
            let action = document
                .children(operation)
                .find_map(|child| attribute(child, "soapAction").filter(|_| child.local_name() == "operation"));
            if let Some((known, _)) = described.list.get_mut(at) {
                known.action = known.action.take().or(action.filter(|action| !action.is_empty()).map(str::to_owned));
            }
            let port = port_operations.iter().find(|port| attribute(port, "name") == Some(name)).copied();
            for (side, part) in ["input", "output"].into_iter().enumerate() {
                let is_rpc = style(operation).unwrap_or(is_rpc);
                bind(&messages, operation, port, (side, part), is_rpc, at, &mut described);
            }
        }
    }
    described.list.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(described)
}

/// Takes in what a binding says of one side of an operation. Of style `rpc`, the body holds an element named as the operation, in the
/// namespace of the binding's `soap:body`, with a child for each part.
fn bind(
    messages: &Messages<'_>,
    operation: &Element,
    port: Option<&Element>,
    (side, side_name): (usize, &str),
    is_rpc: bool,
    at: usize,
    described: &mut Described,
) {
    let Some((known, contents)) = described.list.get_mut(at) else { return };
    let Some(content) = contents.get_mut(side) else { return };
    let body = messages.body(operation, side_name);
    if body.and_then(|body| attribute(body, "use")) == Some("encoded") {
        *content = Content::Unknown;
        let name = &known.name;
        described
            .unenforced
            .push(format!("the operation `{name}` is encoded: only its name is enforced, not what it holds"));
    }
    if !is_rpc {
        return;
    }
    let namespace = body.and_then(|body| attribute(body, "namespace")).unwrap_or(&messages.namespace).to_owned();
    let suffix = if side == 0 { "" } else { "Response" };
    let name = QName { namespace, local: format!("{}{suffix}", known.name) };
    *(if side == 0 { &mut known.request } else { &mut known.response }) = Some(name.clone());
    if *content == Content::Unknown {
        return;
    }
    let chosen = body.and_then(|body| attribute(body, "parts"));
    let is_chosen = |part: &&Part| chosen.is_none_or(|list| list.split_whitespace().any(|name| name == part.name));
    let parts = port.and_then(|port| messages.parts(port, side_name)).unwrap_or_default();
    let typed: Option<Vec<(String, QName)>> =
        parts.iter().filter(is_chosen).map(|part| Some((part.name.clone(), part.ty.clone()?))).collect();
    *content = match typed {
        Some(parts) => {
            described.wrappers.push(Wrapper { name, parts });
            Content::Wrapper(described.wrappers.len() - 1)
        }
        None => {
            described.unenforced.push(format!("a part of `{name}` has no `type`: what it holds is not enforced"));
            Content::Unknown
        }
    };
}

#[cfg(test)]
mod tests;

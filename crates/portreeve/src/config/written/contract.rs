//! The contracts of an API as they are written.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Mode, Size};

/// What messages are held against: an OpenAPI document, or contracts of several formats.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Contract {
    /// An OpenAPI document, with the usual strictness.
    Document(String),
    /// Contracts by format, and how strictly they hold.
    Formats(Box<Contracts>),
}

/// Contracts by format, and how strictly they hold.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Contracts {
    /// OpenAPI document (3.0, 3.1, Swagger 2.0).
    pub openapi: Option<String>,
    /// A GraphQL service.
    pub graphql: Option<Graphql>,
    /// gRPC services.
    pub grpc: Option<Grpc>,
    /// SOAP services.
    pub soap: Option<Soap>,
    /// Services that speak XML without SOAP.
    pub xml: Option<Xml>,
    /// Requests that match nothing; `refuse` when absent.
    pub unknown_endpoints: Option<Unmentioned>,
    /// Query parameters and members of bodies that are not declared; `report` when absent.
    pub undeclared_parameters: Option<Unmentioned>,
    /// Responses; `monitor` when absent.
    pub responses: Option<Mode>,
}

/// What is done about something that a contract does not mention.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unmentioned {
    Ignore,
    Report,
    Refuse,
}

/// Whether something may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    Allow,
    Refuse,
}

/// What becomes of GraphQL operations over WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebSockets {
    /// Each is judged like one that is posted.
    Judge,
    /// The conversation is refused.
    Refuse,
    /// They pass and are not judged.
    Pass,
}

/// A GraphQL service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Graphql {
    /// Paths it answers at; `/graphql` when absent.
    #[serde(default)]
    pub paths: Vec<String>,
    /// The schema: a file in schema definition language, or the answer to an introspection query as JSON. Without it only
    /// limits apply.
    pub schema: Option<String>,
    /// Questions for the schema; `refuse` when absent.
    pub introspection: Option<Permission>,
    /// Operations over WebSocket; `judge` when absent.
    pub websockets: Option<WebSockets>,
    /// Operations that may run.
    pub persisted: Option<Persisted>,
    /// Limits on operations.
    #[serde(default)]
    pub limits: GraphqlLimits,
}

/// Operations that may run.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Persisted {
    /// The list: a manifest, a map of hashes and documents, or hashes a line each.
    pub list: String,
    /// Documents that are not on the list; `refuse` when absent.
    pub others: Option<Permission>,
}

/// Limits on GraphQL operations.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GraphqlLimits {
    /// Largest document; 64KiB when absent.
    pub bytes_max: Option<Size>,
    /// Most tokens; 4000 when absent.
    pub tokens_max: Option<u32>,
    /// Deepest nesting of fields; 15 when absent.
    #[schemars(range(min = 1, max = 200))]
    pub depth_max: Option<u32>,
    /// Most aliases; 30 when absent.
    pub aliases_max: Option<u32>,
    /// Most fields at the root; 20 when absent.
    pub root_fields_max: Option<u32>,
    /// Most directives; 50 when absent.
    pub directives_max: Option<u32>,
    /// Most fields, fragments expanded; 2000 when absent.
    pub fields_max: Option<u32>,
    /// Most operations in one request; 10 when absent.
    #[schemars(range(min = 1))]
    pub batch_max: Option<u32>,
    /// Highest cost, also of a batch together; 100000 when absent.
    pub cost_max: Option<u32>,
    /// Items that a list is taken to have when no argument says; 10 when absent.
    pub list_size: Option<u32>,
}

/// gRPC services.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Grpc {
    /// `.proto` files.
    #[serde(default)]
    pub files: Vec<String>,
    /// Folders their imports are looked for in; the files' own when absent.
    #[serde(default)]
    pub includes: Vec<String>,
    /// In place of files, a descriptor set (`protoc --include_imports --descriptor_set_out`).
    pub descriptors: Option<String>,
    /// Fields that a message does not declare; `refuse` when absent.
    pub unknown_fields: Option<Permission>,
    /// Largest message; 4MiB when absent.
    pub message_bytes_max: Option<Size>,
    /// Most messages of one stream; 10000 when absent.
    pub messages_max: Option<u32>,
    /// Deepest nesting of messages; 64 when absent.
    #[schemars(range(min = 1, max = 200))]
    pub depth_max: Option<u32>,
    /// Most fields of one message, nested ones included; 1000000 when absent.
    pub fields_max: Option<u32>,
}

/// SOAP services.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Soap {
    /// Paths they answer at.
    pub paths: Vec<String>,
    /// WSDL 1.1 document.
    pub wsdl: String,
    /// Deepest nesting of elements; 64 when absent.
    #[schemars(range(min = 4, max = 512))]
    pub depth_max: Option<u32>,
    /// Most elements; 100000 when absent.
    pub elements_max: Option<u32>,
    /// Most attributes of one element; 128 when absent.
    pub attributes_max: Option<u32>,
}

/// Services that speak XML without SOAP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Xml {
    /// Paths they answer at.
    pub paths: Vec<String>,
    /// XML Schema 1.0 (`.xsd`); the root of a document is one of its elements.
    pub schema: String,
    /// Deepest nesting of elements; 64 when absent.
    #[schemars(range(min = 1, max = 512))]
    pub depth_max: Option<u32>,
    /// Most elements; 100000 when absent.
    pub elements_max: Option<u32>,
    /// Most attributes of one element; 128 when absent.
    pub attributes_max: Option<u32>,
}

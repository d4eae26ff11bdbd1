//! Endpoints: what the inventory holds.

use serde::{Deserialize, Serialize};

use crate::ids::{EndpointId, Timestamp};

/// The protocol an endpoint speaks, told from its traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// Resources by method and path.
    #[default]
    Rest,
    /// GraphQL; the operation's name is part of the endpoint.
    Graphql,
    /// gRPC: `/package.Service/Method`.
    Grpc,
    /// JSON-RPC; the method's name is part of the endpoint.
    JsonRpc,
    /// SOAP; the operation's name is part of the endpoint.
    Soap,
    /// A WebSocket.
    Websocket,
    /// Server-sent events.
    Sse,
    /// The Model Context Protocol over HTTP.
    Mcp,
}

impl Protocol {
    /// The protocol's name in events, exports and the dashboard.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rest => "rest",
            Self::Graphql => "graphql",
            Self::Grpc => "grpc",
            Self::JsonRpc => "json-rpc",
            Self::Soap => "soap",
            Self::Websocket => "websocket",
            Self::Sse => "sse",
            Self::Mcp => "mcp",
        }
    }
}

/// What found an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// Requests that carried a configured session identifier.
    SessionIdentifier,
    /// Learning over all requests.
    Learning,
    /// A declared contract.
    Contract,
    /// A person.
    Manual,
}

/// The set of origins of one endpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OriginSet {
    /// Found through a session identifier.
    pub session_identifier: bool,
    /// Found by learning.
    pub learning: bool,
    /// Declared.
    pub contract: bool,
    /// Entered by hand.
    pub manual: bool,
}

impl OriginSet {
    /// Adds one origin.
    pub const fn insert(&mut self, origin: Origin) {
        match origin {
            Origin::SessionIdentifier => self.session_identifier = true,
            Origin::Learning => self.learning = true,
            Origin::Contract => self.contract = true,
            Origin::Manual => self.manual = true,
        }
    }

    /// True when learning found it and no session identifier did: the figure `found only by machine learning`.
    pub const fn only_learning(self) -> bool {
        self.learning && !self.session_identifier
    }
}

/// Where an endpoint stands in the reviewer's eyes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointState {
    /// Too little evidence yet; shown apart, never dropped.
    Provisional,
    /// Found, waiting for a decision.
    #[default]
    Review,
    /// Accepted into the inventory.
    Saved,
    /// Declined; traffic is still counted.
    Ignored,
}

/// One endpoint: method, host and path template.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Stable identity.
    pub id: EndpointId,
    /// The API it belongs to, by configured name; empty when discovered outside any.
    pub api: String,
    /// Host or host template such as `{hostVar1}.example.com`.
    pub host: String,
    /// The method, upper case.
    pub method: String,
    /// The path template, such as `/users/{userId}`.
    pub template: String,
    /// GraphQL operation, JSON-RPC method or SOAP operation; empty otherwise.
    pub operation: String,
    /// The protocol spoken.
    pub protocol: Protocol,
    /// What found it.
    pub origins: OriginSet,
    /// Where it stands in review.
    pub state: EndpointState,
    /// Probability that this is an API endpoint with this template, 0 to 1.
    pub confidence: f32,
    /// Labels: managed, risk and free ones.
    pub labels: Vec<String>,
    /// First exchange seen.
    pub first_seen: Timestamp,
    /// Last exchange seen.
    pub last_seen: Timestamp,
    /// Exchanges seen in all.
    pub requests: u64,
}

impl Endpoint {
    /// True when the method may change something at the upstream.
    pub fn writes(&self) -> bool {
        matches!(self.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE")
    }
}

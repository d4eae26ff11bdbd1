//! The settings of single stages as they are written: `hygiene`, `attacks`, `leakage`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// HTTP anomalies. What two readers could frame differently is refused whatever stands here.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hygiene {
    /// Anomalies of this tier and worse are refused in mode `block`.
    #[serde(default)]
    pub refuse_from: Tier,
    /// Methods that are allowed, in capitals as they are sent; those of HTTP and QUERY, without TRACE and CONNECT, when absent.
    /// An empty list allows every method but those.
    pub methods: Option<Vec<String>>,
    /// Fields that no client may send, in place of the usual list.
    pub fields_restricted: Option<Vec<String>>,
    /// Endings of the path that are refused, without the dot, in place of the usual list.
    pub extensions_restricted: Option<Vec<String>>,
    /// Most pieces that a `Range` may ask for; 5 when absent.
    pub ranges_max: Option<u32>,
    /// A body with a length on GET: some search APIs read it; `report` when absent.
    pub get_body: Option<Answer>,
    /// `X-HTTP-Method-Override` and its kin on POST; `report` when absent.
    pub method_override: Option<Answer>,
    /// Single anomalies by their code, such as `hygiene.target-dot-segments`, answered otherwise than by their tier.
    #[serde(default)]
    pub anomalies: BTreeMap<String, Answer>,
}

/// How far an anomaly is from a well-formed message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Acceptable,
    #[default]
    Ambiguous,
    Severe,
}

/// What is done about something that some APIs use and others are attacked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Accept,
    Report,
    Refuse,
}

/// Attacks in values.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Attacks {
    /// How readily the stage is sure: `low` only on overwhelming evidence, `high` for APIs that take no free text.
    #[serde(default)]
    pub sensitivity: Sensitivity,
    /// Whether GraphQL introspection is reported.
    #[serde(default)]
    pub introspection: Introspection,
    /// Whether the learned score takes part, or the detectors decide alone.
    #[serde(default)]
    pub score: ScoreUse,
}

/// How readily the stage is sure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    Low,
    #[default]
    Normal,
    High,
}

/// Whether GraphQL introspection is reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Introspection {
    #[default]
    Report,
    Allow,
}

/// Whether the learned score takes part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ScoreUse {
    #[default]
    Full,
    Off,
}

/// What responses give away.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Leakage {
    /// Whether more than a few e-mail addresses in one response are reported.
    #[serde(default)]
    pub emails: Emails,
    /// What is done about which kinds, and where; the first that fits counts, and what none fits is refused in mode `block`.
    #[serde(default)]
    pub rules: Vec<LeakRule>,
}

/// Whether e-mail addresses in responses are reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Emails {
    #[default]
    WhenMany,
    Ignore,
}

/// What is done about some kinds of things, and where.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LeakRule {
    /// The kinds, as events name them: `card-number`, `iban`, `secret`, `email`, `national-id`, `stack-trace`, `sql-error`; every
    /// kind when absent.
    #[serde(default)]
    pub kinds: Vec<String>,
    /// What is done.
    pub action: LeakAction,
    /// Only under this path prefix; everywhere when absent.
    #[serde(default)]
    pub path: String,
}

/// What is done about a kind of thing in a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LeakAction {
    Allow,
    Report,
    Mask,
    Block,
}

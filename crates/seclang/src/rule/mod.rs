//! A rule as it was written, read and checked: what [`load`](crate::load) puts in order and [`run`](crate::run) carries out.

pub mod actions;
pub mod targets;

use std::sync::Arc;

use crate::error::Position;
use crate::expand::Text;
use crate::operator::Operator;
use crate::transform::Transform;
pub use targets::{Select, Target, Targets};

/// When a rule runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// 1: the head of the request.
    RequestHead,
    /// 2: the body of the request.
    RequestBody,
    /// 3: the head of the response.
    ResponseHead,
    /// 4: the body of the response.
    ResponseBody,
    /// 5: after everything; nothing can be refused any more.
    Logging,
}

impl Phase {
    /// Every phase in order.
    pub const ALL: [Self; 5] =
        [Self::RequestHead, Self::RequestBody, Self::ResponseHead, Self::ResponseBody, Self::Logging];

    /// The phase with this number or name.
    pub fn from_text(text: &str) -> Option<Self> {
        match text.to_ascii_lowercase().as_str() {
            "1" => Some(Self::RequestHead),
            "2" | "request" => Some(Self::RequestBody),
            "3" => Some(Self::ResponseHead),
            "4" | "response" => Some(Self::ResponseBody),
            "5" | "logging" => Some(Self::Logging),
            _ => None,
        }
    }
}

/// How bad a rule says it is, as syslog counts: 0 emergency to 7 debug.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Severity(pub u8);

impl Severity {
    const NAMES: [&'static str; 8] = ["EMERGENCY", "ALERT", "CRITICAL", "ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"];

    /// By name or number.
    pub fn from_text(text: &str) -> Option<Self> {
        let number = text.parse().ok().filter(|number| *number < 8);
        let named = || Self::NAMES.iter().position(|name| name.eq_ignore_ascii_case(text)).map(|at| at as u8);
        number.or_else(named).map(Self)
    }

    /// The name.
    pub fn name(self) -> &'static str {
        Self::NAMES.get(usize::from(self.0)).copied().unwrap_or("DEBUG")
    }
}

/// What happens to the exchange when a rule matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disruption {
    /// Nothing.
    Pass,
    /// What `SecDefaultAction` says of the phase.
    Block,
    /// It is refused (`deny`, `drop`, `redirect`, `proxy`).
    Deny,
    /// No more rules run, of this phase or of any.
    Allow(Allowed),
}

/// How far `allow` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Allowed {
    /// `allow:phase`.
    Phase,
    /// `allow:request`: the phases of the request.
    Request,
    /// `allow`.
    Everything,
}

/// What `setvar` does.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Sets it.
    Set(Text),
    /// Adds to its number.
    Add(Text),
    /// Subtracts from its number.
    Subtract(Text),
    /// Takes it away.
    Unset,
}

/// One `setvar`.
#[derive(Clone, Debug, PartialEq)]
pub struct SetVariable {
    /// The collection: `TX` or one that would have to be kept between exchanges.
    pub collection: crate::variable::Variable,
    /// The name in the collection, in small letters where it is plain.
    pub name: Text,
    /// What is done.
    pub change: Change,
}

/// Which rules are meant.
#[derive(Clone, Debug)]
pub enum Which {
    /// By number, from and to.
    Ids(Vec<(u32, u32)>),
    /// By tag.
    Tag(crate::pattern::Pattern),
    /// By message.
    Message(crate::pattern::Pattern),
}

/// How rules are carried out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineMode {
    /// As written.
    #[default]
    On,
    /// Matches are reported, nothing is refused.
    DetectionOnly,
    /// Not at all.
    Off,
}

/// What `ctl` changes for the rest of the exchange.
#[derive(Clone, Debug)]
pub enum Control {
    /// `ruleRemoveById`, `ruleRemoveByTag`, `ruleRemoveByMsg`.
    Remove(Which),
    /// `ruleRemoveTargetById`, `ruleRemoveTargetByTag`, `ruleRemoveTargetByMsg`.
    RemoveTarget(Which, Target),
    /// `ruleEngine`.
    Engine(EngineMode),
    /// `requestBodyProcessor`.
    BodyProcessor(BodyProcessor),
    /// `forceRequestBodyVariable`.
    ForceRequestBody,
    /// `requestBodyAccess`, `responseBodyAccess`.
    BodyAccess {
        /// Of the response; of the request otherwise.
        response: bool,
        /// The body is looked at.
        on: bool,
    },
    /// What concerns logs and limits that others keep here.
    Nothing,
}

/// What reads a request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyProcessor {
    /// Forms.
    UrlEncoded,
    /// Forms with files.
    Multipart,
    /// JSON.
    Json,
    /// XML.
    Xml,
}

impl BodyProcessor {
    /// The name as `REQBODY_PROCESSOR` has it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::UrlEncoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Json => "JSON",
            Self::Xml => "XML",
        }
    }

    /// By name, in any case.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::UrlEncoded, Self::Multipart, Self::Json, Self::Xml]
            .into_iter()
            .find(|processor| processor.name().eq_ignore_ascii_case(name))
    }
}

/// Where a rule goes on after it matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Jump {
    /// Behind a marker, or behind the rule with this number.
    After(String),
    /// Over this many rules.
    Over(u32),
}

/// One condition: targets, what becomes of their values, the question, and what is done when it is answered.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What is looked at; empty for `SecAction`.
    pub targets: Targets,
    /// What becomes of each value first.
    pub transforms: Vec<Transform>,
    /// The question is asked after each transformation.
    pub multi_match: bool,
    /// The question; `None` for `SecAction`.
    pub operator: Option<Operator>,
    /// The answer is turned round.
    pub negated: bool,
    /// The groups of the match go to `TX:0` to `TX:9`.
    pub capture: bool,
    /// `setvar`, in order.
    pub set: Vec<SetVariable>,
    /// `ctl`, in order.
    pub controls: Vec<Control>,
}

/// One rule with its chain.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its number; zero when it has none.
    pub id: u32,
    /// When it runs.
    pub phase: Phase,
    /// Its conditions: all must hold.
    pub conditions: Vec<Condition>,
    /// What happens to the exchange.
    pub disruption: Disruption,
    /// The status of a refusal.
    pub status: Option<u16>,
    /// What a match means.
    pub message: Option<Text>,
    /// Its tags.
    pub tags: Vec<Arc<str>>,
    /// How bad it is.
    pub severity: Option<Severity>,
    /// Matches are reported.
    pub logs: bool,
    /// Where it goes on.
    pub jump: Option<Jump>,
    /// Where it stands.
    pub position: Position,
}

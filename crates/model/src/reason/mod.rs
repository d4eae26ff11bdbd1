//! Why a finding was made: one closed set of reasons, grouped by the stage that reports them.
//!
//! Each group lives in a file of its own with exhaustive matches for severity, category, reference and text, so a new
//! reason does not compile until all of them are answered.

mod access;
mod attacks;
mod clients;
mod contract;
mod crs;
mod hygiene;
mod leakage;

pub use access::AccessReason;
pub use attacks::AttackReason;
pub use clients::ClientReason;
pub use contract::ContractReason;
pub use crs::RuleReason;
pub use hygiene::{Anomaly, Tier};
pub use leakage::LeakReason;

use serde::{Deserialize, Serialize};

/// The stages in the order they judge; see `inspect::pipeline` for why each stands where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StageId {
    /// HTTP anomalies, smuggling, ambiguous framing.
    Hygiene,
    /// Allow and deny lists by client address.
    Clients,
    /// Flood fingerprints and load shedding.
    Overload,
    /// Session identifier, token, key, client certificate.
    Identity,
    /// Is this a known endpoint?
    Inventory,
    /// Limits per endpoint, session, client.
    Rate,
    /// Who may call, who may write.
    Access,
    /// Positive security: the contract.
    Contract,
    /// Negative security: detectors, signatures, attack score.
    Attacks,
    /// Negative security in the ecosystem's language: loaded rules.
    Crs,
    /// Sequences, object-level access, enumeration, bots.
    Behavior,
    /// What responses give away.
    Leakage,
}

impl StageId {
    /// Every stage, in order.
    pub const ALL: [Self; 12] = [
        Self::Hygiene,
        Self::Clients,
        Self::Overload,
        Self::Identity,
        Self::Inventory,
        Self::Rate,
        Self::Access,
        Self::Contract,
        Self::Attacks,
        Self::Crs,
        Self::Behavior,
        Self::Leakage,
    ];

    /// The stage's name in configuration, events and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hygiene => "hygiene",
            Self::Clients => "clients",
            Self::Overload => "overload",
            Self::Identity => "identity",
            Self::Inventory => "inventory",
            Self::Rate => "rate",
            Self::Access => "access",
            Self::Contract => "contract",
            Self::Attacks => "attacks",
            Self::Crs => "crs",
            Self::Behavior => "behavior",
            Self::Leakage => "leakage",
        }
    }
}

/// How bad it is when a finding is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Odd, often harmless.
    Low,
    /// Wrong, possibly hostile.
    Medium,
    /// Hostile or dangerous.
    High,
    /// An attack that works against real software.
    Critical,
}

/// What kind of threat a finding belongs to: the words of the report and the dashboard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Malformed or ambiguous HTTP.
    HttpAnomaly,
    /// Injection of code or queries.
    Injection,
    /// Reading or including files.
    FileAccess,
    /// Scanning for known weaknesses.
    Scanning,
    /// A client that is on a list.
    ClientReputation,
    /// Too much, too fast.
    Volumetric,
    /// A caller who is not who or what it must be.
    Authentication,
    /// A caller who may not.
    Authorization,
    /// A message that is not as declared.
    SchemaViolation,
    /// An endpoint nobody declared.
    UnknownEndpoint,
    /// A response that gives away too much.
    DataLeak,
}

impl Category {
    /// The category's name in events, metrics and the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HttpAnomaly => "http-anomaly",
            Self::Injection => "injection",
            Self::FileAccess => "file-access",
            Self::Scanning => "scanning",
            Self::ClientReputation => "client-reputation",
            Self::Volumetric => "volumetric",
            Self::Authentication => "authentication",
            Self::Authorization => "authorization",
            Self::SchemaViolation => "schema-violation",
            Self::UnknownEndpoint => "unknown-endpoint",
            Self::DataLeak => "data-leak",
        }
    }
}

/// Why a finding was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Stage `hygiene`: an HTTP anomaly.
    Hygiene(Anomaly),
    /// Stage `clients`: the client's address.
    Client(ClientReason),
    /// Stage `access`: who may.
    Access(AccessReason),
    /// Stage `contract`: the message is not as declared.
    Contract(ContractReason),
    /// Stage `attacks`: an attack.
    Attack(AttackReason),
    /// Stage `crs`: loaded rules.
    Crs(RuleReason),
    /// Stage `leakage`: a response gives something away.
    Leak(LeakReason),
}

impl Reason {
    /// A stable code such as `hygiene.host-missing`, as stored in events.
    pub fn code(self) -> &'static str {
        match self {
            Self::Hygiene(reason) => reason.code(),
            Self::Client(reason) => reason.code(),
            Self::Access(reason) => reason.code(),
            Self::Contract(reason) => reason.code(),
            Self::Attack(reason) => reason.code(),
            Self::Crs(reason) => reason.code(),
            Self::Leak(reason) => reason.code(),
        }
    }

    /// The stage that reports this reason.
    pub const fn stage(self) -> StageId {
        match self {
            Self::Hygiene(_) => StageId::Hygiene,
            Self::Client(_) => StageId::Clients,
            Self::Access(_) => StageId::Access,
            Self::Contract(_) => StageId::Contract,
            Self::Attack(_) => StageId::Attacks,
            Self::Crs(_) => StageId::Crs,
            Self::Leak(_) => StageId::Leakage,
        }
    }

    /// How bad it is when the finding is right.
    pub fn severity(self) -> Severity {
        match self {
            Self::Hygiene(reason) => reason.severity(),
            Self::Client(reason) => reason.severity(),
            Self::Access(reason) => reason.severity(),
            Self::Contract(reason) => reason.severity(),
            Self::Attack(reason) => reason.severity(),
            Self::Crs(reason) => reason.severity(),
            Self::Leak(reason) => reason.severity(),
        }
    }

    /// The kind of threat.
    pub fn category(self) -> Category {
        match self {
            Self::Hygiene(_) => Category::HttpAnomaly,
            Self::Client(_) => Category::ClientReputation,
            Self::Access(reason) => reason.category(),
            Self::Contract(reason) => reason.category(),
            Self::Attack(reason) => reason.category(),
            Self::Crs(reason) => reason.category(),
            Self::Leak(_) => Category::DataLeak,
        }
    }

    /// The status of the answer when this reason refuses a request and the policy names no other.
    pub fn status(self) -> u16 {
        match self {
            Self::Hygiene(reason) => reason.status(),
            Self::Client(_) | Self::Attack(_) => 403,
            Self::Crs(reason) => reason.status(),
            Self::Access(reason) => reason.status(),
            Self::Contract(reason) => reason.status(),
            Self::Leak(_) => 502,
        }
    }

    /// Where the rule comes from: an RFC section, a CWE or an OWASP entry.
    pub fn reference(self) -> &'static str {
        match self {
            Self::Hygiene(reason) => reason.reference(),
            Self::Client(reason) => reason.reference(),
            Self::Access(reason) => reason.reference(),
            Self::Contract(reason) => reason.reference(),
            Self::Attack(reason) => reason.reference(),
            Self::Crs(reason) => reason.reference(),
            Self::Leak(reason) => reason.reference(),
        }
    }

    /// One sentence for people, lower case, without a full stop.
    pub fn text(self) -> &'static str {
        match self {
            Self::Hygiene(reason) => reason.text(),
            Self::Client(reason) => reason.text(),
            Self::Access(reason) => reason.text(),
            Self::Contract(reason) => reason.text(),
            Self::Attack(reason) => reason.text(),
            Self::Crs(reason) => reason.text(),
            Self::Leak(reason) => reason.text(),
        }
    }

    /// Every reason there is, for tables, documentation and tests.
    pub fn all() -> impl Iterator<Item = Self> {
        let hygiene = Anomaly::ALL.iter().map(|&reason| Self::Hygiene(reason));
        let clients = ClientReason::ALL.iter().map(|&reason| Self::Client(reason));
        let access = AccessReason::ALL.iter().map(|&reason| Self::Access(reason));
        let contract = ContractReason::ALL.iter().map(|&reason| Self::Contract(reason));
        let attacks = AttackReason::ALL.iter().map(|&reason| Self::Attack(reason));
        let rules = RuleReason::ALL.iter().map(|&reason| Self::Crs(reason));
        let leaks = LeakReason::ALL.iter().map(|&reason| Self::Leak(reason));
        hygiene.chain(clients).chain(access).chain(contract).chain(attacks).chain(rules).chain(leaks)
    }

    /// The reason with this code, as an event or an exception names it.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::all().find(|reason| reason.code() == code)
    }
}

/// Declares one group of reasons as a table: variant, code, and the facts every reason must have. A row that lacks one
/// does not compile.
macro_rules! reasons {
    (
        $(#[$meta:meta])*
        $name:ident, $prefix:literal {
            $( $(#[$doc:meta])* $variant:ident = $code:literal, $severity:ident, $reference:literal, $text:literal; )*
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $( $(#[$doc])* #[doc = $text] $variant, )* }

        impl $name {
            /// Every reason of this group.
            pub const ALL: &[Self] = &[ $(Self::$variant),* ];

            /// The stable code.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => concat!($prefix, ".", $code)),* }
            }

            /// How bad it is when the finding is right.
            pub const fn severity(self) -> $crate::reason::Severity {
                match self { $(Self::$variant => $crate::reason::Severity::$severity),* }
            }

            /// Where the rule comes from.
            pub const fn reference(self) -> &'static str {
                match self { $(Self::$variant => $reference),* }
            }

            /// One sentence for people.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }
    };
}
pub(crate) use reasons;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_read_back() {
        let mut codes: Vec<_> = Reason::all().map(Reason::code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count, "two reasons share a code");
        for reason in Reason::all() {
            assert_eq!(Reason::from_code(reason.code()), Some(reason));
            assert!(reason.code().starts_with(reason.stage().name()), "{}", reason.code());
        }
    }

    #[test]
    fn texts_follow_the_style() {
        for reason in Reason::all() {
            assert!(!reason.text().ends_with('.'), "{}", reason.text());
            assert!(!reason.reference().is_empty(), "{}", reason.code());
        }
    }
}

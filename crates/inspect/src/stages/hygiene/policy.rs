//! What may be configured of the stage, with defaults for APIs.

use std::fmt;

use model::finding::{Confidence, Findings};
use model::reason::{Anomaly, Reason, Tier};

/// What is done about something that some APIs use and others are attacked with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    /// Nothing is reported.
    Accept,
    /// Reported, never refused.
    #[default]
    Report,
    /// Refused in mode `block`.
    Refuse,
}

/// What may be configured of this stage.
#[derive(Clone, Debug)]
pub struct HygienePolicy {
    /// The methods that are allowed; empty for every method but `TRACE`, `TRACK` and `CONNECT`. Case counts.
    pub methods: Vec<Box<str>>,
    /// Fields that no client may send.
    pub fields_restricted: NameSet,
    /// Endings of the path that are refused, without the dot.
    pub extensions_restricted: NameSet,
    /// Most pieces that a `Range` may ask for.
    pub ranges_max: usize,
    /// A body with a length on GET: some search APIs read it, most readers ignore it.
    pub get_body: Answer,
    /// `X-HTTP-Method-Override` and its kin on POST. On other methods, and for methods that are not allowed, they are
    /// refused unless this says `Accept`.
    pub method_override: Answer,
    /// Anomalies of this tier and worse are refused. What two readers could frame differently is refused by the parser before,
    /// whatever this says.
    pub refused_from: Tier,
    /// Single anomalies that are answered otherwise than by their tier.
    pub answers: Vec<(Anomaly, Answer)>,
}

impl Default for HygienePolicy {
    fn default() -> Self {
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "QUERY"];
        Self {
            methods: methods.map(Into::into).to_vec(),
            fields_restricted: NameSet::new(&[
                // httpoxy, CVE-2016-5385.
                "proxy",
                // Override the path behind routing and access rules: Symfony and Zend, IIS.
                "x-original-url",
                "x-rewrite-url",
                // Skips the middleware of Next.js, CVE-2025-29927.
                "x-middleware-subrequest",
                // Shows the source of pages on IIS.
                "translate",
                // WebDAV, RFC 4918.
                "if",
                "lock-token",
            ]),
            // Not `pem`, `inc` or `cfg`: interfaces do serve certificates, companies and settings under such names.
            extensions_restricted: NameSet::new(&[
                "bak", "backup", "bck", "bkp", "old", "orig", "swp", "swo", "sql", "mdb", "sqlite", "dbf", "ini",
                "htaccess", "htpasswd", "env", "p12", "pfx", "jks", "rdb",
            ]),
            ranges_max: 5,
            get_body: Answer::Report,
            method_override: Answer::Report,
            refused_from: Tier::Ambiguous,
            answers: Vec::new(),
        }
    }
}

impl HygienePolicy {
    /// Sets what was found to what was configured: by the anomaly's own answer where it has one, otherwise by its tier.
    /// `from` is where this stage's findings begin.
    pub(super) fn settle(&self, out: &mut Findings, from: usize) {
        if self.answers.is_empty() && self.refused_from == Tier::Ambiguous {
            return;
        }
        let mut at = 0;
        out.retain(|finding| {
            at += 1;
            let Reason::Hygiene(anomaly) = finding.reason else { return true };
            if at <= from {
                return true;
            }
            match self.answers.iter().find(|(own, _)| *own == anomaly) {
                Some((_, Answer::Accept)) => return false,
                Some((_, Answer::Report)) => finding.confidence = finding.confidence.min(Confidence::Likely),
                Some((_, Answer::Refuse)) => finding.confidence = Confidence::Sure,
                None if anomaly.tier() < self.refused_from => {
                    finding.confidence = finding.confidence.min(Confidence::Likely);
                }
                // Stricter than usual: what is likely is enough.
                None if self.refused_from < Tier::Ambiguous && finding.confidence == Confidence::Likely => {
                    finding.confidence = Confidence::Sure;
                }
                None => {}
            }
            true
        });
    }

    /// True when the request's method is allowed.
    pub fn allows_method(&self, method: &[u8]) -> bool {
        if self.methods.is_empty() {
            return !matches!(method, b"TRACE" | b"TRACK" | b"CONNECT");
        }
        self.methods.iter().any(|allowed| allowed.as_bytes() == method)
    }
}

/// Names without case, found by their length first: most lookups end there.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NameSet {
    by_length: Vec<Vec<Box<str>>>,
}

impl NameSet {
    /// A set of ASCII names.
    pub fn new<T: AsRef<str>>(names: &[T]) -> Self {
        let mut set = Self::default();
        for name in names {
            let name = name.as_ref().to_ascii_lowercase();
            if set.by_length.len() <= name.len() {
                set.by_length.resize(name.len() + 1, Vec::new());
            }
            if let Some(bucket) = set.by_length.get_mut(name.len()) {
                bucket.push(name.into());
            }
        }
        set
    }

    /// True when the name is in the set, in any case.
    pub fn contains(&self, name: &[u8]) -> bool {
        let bucket = self.by_length.get(name.len()).map(Vec::as_slice).unwrap_or_default();
        bucket.iter().any(|own| own.as_bytes().eq_ignore_ascii_case(name))
    }
}

impl fmt::Debug for NameSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.by_length.iter().flatten()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_case() {
        let set = NameSet::new(&["Proxy", "if"]);
        assert!(set.contains(b"PROXY") && set.contains(b"If") && !set.contains(b"") && !set.contains(b"proxy-x"));
        assert!(!NameSet::default().contains(b"x"));
    }

    #[test]
    fn tiers_and_single_answers_settle_what_was_found() {
        use model::finding::{Finding, Place};
        let settled = |policy: &HygienePolicy, anomaly: Anomaly, confidence| {
            let mut out = Findings::new();
            out.push(Finding::new(Reason::Hygiene(anomaly), confidence, Place::RequestLine, ""));
            policy.settle(&mut out, 0);
            out.first().map(|finding| finding.confidence)
        };
        let of = |tier| Anomaly::ALL.iter().copied().find(|anomaly| anomaly.tier() == tier).unwrap();
        let (acceptable, ambiguous, severe) = (of(Tier::Acceptable), of(Tier::Ambiguous), of(Tier::Severe));
        let severe_only = HygienePolicy { refused_from: Tier::Severe, ..HygienePolicy::default() };
        assert_eq!(settled(&severe_only, ambiguous, Confidence::Sure), Some(Confidence::Likely));
        assert_eq!(settled(&severe_only, severe, Confidence::Sure), Some(Confidence::Sure));
        let strict = HygienePolicy { refused_from: Tier::Acceptable, ..HygienePolicy::default() };
        assert_eq!(settled(&strict, acceptable, Confidence::Likely), Some(Confidence::Sure));
        assert_eq!(settled(&strict, acceptable, Confidence::Hint), Some(Confidence::Hint));
        for (answer, expected) in [
            (Answer::Accept, None),
            (Answer::Report, Some(Confidence::Likely)),
            (Answer::Refuse, Some(Confidence::Sure)),
        ] {
            let policy = HygienePolicy { answers: vec![(ambiguous, answer)], ..HygienePolicy::default() };
            assert_eq!(settled(&policy, ambiguous, Confidence::Sure), expected);
        }
    }

    #[test]
    fn methods() {
        let policy = HygienePolicy::default();
        assert!(policy.allows_method(b"GET") && !policy.allows_method(b"get") && !policy.allows_method(b"PROPFIND"));
        let any = HygienePolicy { methods: Vec::new(), ..policy };
        assert!(any.allows_method(b"PROPFIND") && !any.allows_method(b"TRACE"));
    }
}

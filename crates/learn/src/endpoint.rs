//! A learned endpoint with its evidence: what the inventory, the dashboard and the exports are made from.

use model::{EndpointId, EndpointState, OriginSet, Protocol, Timestamp};

use crate::constraints::Constraints;
use crate::features::SEGMENT_FEATURES;
use crate::judge::{Branches, Values};
use crate::labels::{Label, purposes};
use crate::learner::{Found, Group, Learner};
use crate::parameter::ParameterType;
use crate::protocol::protocol;
use crate::trie::Terminal;

/// A path parameter of a learned endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedParameter {
    /// Its name: the operator's, or one made from the literal before it.
    pub name: String,
    /// What it holds.
    pub kind: ParameterType,
    /// How sure the type is, 0 to 1.
    pub kind_confidence: f32,
    /// How sure it is that this is a parameter at all, 0 to 1.
    pub confidence: f32,
    /// Different values seen.
    pub distinct: u32,
    /// Values seen once.
    pub once: u32,
    /// The features that weighed most, in words: name, value, weight in log-odds.
    pub reasons: Vec<(&'static str, f32, f32)>,
    /// Shapes of values, redacted: letters as `a`, capitals as `A`, digits as `0`; at most five.
    pub samples: Vec<String>,
}

/// Counts of a learned endpoint.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Counts {
    /// Answers below 400.
    pub successes: u64,
    /// Answers of 400 and above.
    pub failures: u64,
    /// Answers by class: 2xx, 3xx, 401 and 403, other 4xx, 5xx.
    pub classes: [u64; 5],
    /// Answers of 500 and above.
    pub server_errors: u64,
    /// Successes with a session identifier.
    pub sessions: u64,
    /// Successes with a credential.
    pub credentials: u64,
    /// Successes whose source can tell.
    pub credentials_known: u64,
    /// About how many clients.
    pub clients: u64,
}

/// A learned endpoint.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnedEndpoint {
    /// Stable over template changes.
    pub id: EndpointId,
    /// The same for an endpoint without operations; of an operation the id of the endpoint it is one of.
    pub whole: EndpointId,
    /// Host, or host template when relatives share it, such as `{hostVar1}.example.com`.
    pub host: String,
    /// The hosts seen, heaviest first.
    pub hosts: Vec<String>,
    /// Method.
    pub method: String,
    /// Template with named parameters.
    pub template: String,
    /// GraphQL operation, JSON-RPC method or SOAP operation; empty otherwise.
    pub operation: String,
    /// Protocol.
    pub protocol: Protocol,
    /// Parameters in the order of the template.
    pub parameters: Vec<LearnedParameter>,
    /// Probability that this is an endpoint of an API.
    pub confidence: f32,
    /// What found it.
    pub origins: OriginSet,
    /// Provisional while the evidence is thin; ignored by the operator; otherwise in review.
    pub state: EndpointState,
    /// Counts.
    pub counts: Counts,
    /// Proposed labels.
    pub labels: Vec<Label>,
    /// First and last seen.
    pub first_seen: Timestamp,
    /// See `first_seen`.
    pub last_seen: Timestamp,
    /// A schema was learned from sampled bodies.
    pub schema_known: bool,
    /// Where it was learned: group, branch and method, for looking deeper.
    pub found: Found,
}

impl LearnedEndpoint {
    /// The part of requests with a session identifier.
    pub fn session_share(&self) -> f64 {
        self.counts.sessions as f64 / self.counts.successes.max(1) as f64
    }

    /// The evidence in one sentence for people.
    pub fn evidence(&self) -> String {
        let requests = self.counts.successes + self.counts.failures;
        let mut text = format!("{requests} requests by about {} clients", self.counts.clients);
        for parameter in &self.parameters {
            text.push_str(&format!(
                "; {{{}}}: {} values, {} seen once, {}",
                parameter.name,
                parameter.distinct,
                parameter.once,
                parameter.kind.name()
            ));
            if let Some((reason, value, _)) = parameter.reasons.first() {
                text.push_str(&format!(", {reason} {value:.2}"));
            }
        }
        text
    }
}

/// Fewest successes before an endpoint is no longer provisional.
const SETTLED_MIN: u32 = 3;

/// Describes one found endpoint; one entry for each operation where the protocol has operations.
pub fn describe(
    learner: &Learner,
    group: &Group,
    found: Found,
    id: EndpointId,
    schema_known: bool,
) -> Vec<LearnedEndpoint> {
    let Some(branch) = group.branches.get(found.branch) else { return Vec::new() };
    let Some(terminal) = branch.terminals.iter().find(|terminal| terminal.method == found.method) else {
        return Vec::new();
    };
    let plain = group.spelled(found.branch, found.method);
    let constraints = learner.constraints();
    let parameters = parameters(&group.branches, found.branch, constraints);
    let template = named(&plain, &parameters);
    let (host, hosts) = hosts(learner, terminal, &group.domain);
    let method = learner.method(found.method).to_owned();
    let count = u64::from;
    let mut origins = OriginSet { learning: true, ..OriginSet::default() };
    origins.session_identifier = terminal.sessions > 0;
    let state = match () {
        () if constraints.ignores(&method, &plain) => EndpointState::Ignored,
        () if terminal.successes < SETTLED_MIN || found.probability < 0.8 => EndpointState::Provisional,
        () => EndpointState::Review,
    };
    let counts = Counts {
        successes: count(terminal.successes),
        failures: count(terminal.failures),
        classes: terminal.classes.map(count),
        server_errors: terminal.classes.last().copied().map_or(0, count),
        sessions: count(terminal.sessions),
        credentials: count(terminal.credentials),
        credentials_known: count(terminal.credentials_known),
        clients: terminal.clients.estimate().round() as u64,
    };
    let whole = LearnedEndpoint {
        id,
        whole: id,
        host,
        hosts,
        labels: purposes(&method, &template, ""),
        method,
        template,
        operation: String::new(),
        protocol: protocol(terminal.hints, !terminal.operations.is_empty()),
        parameters,
        confidence: found.probability,
        origins,
        state,
        counts,
        first_seen: Timestamp(terminal.seen.0),
        last_seen: Timestamp(terminal.seen.1),
        schema_known,
        found,
    };
    if terminal.operations.is_empty() {
        return vec![whole];
    }
    let by_operation = terminal.operations.iter().map(|(operation, count)| {
        let mut one = whole.clone();
        // The id of an operation follows from its endpoint's and its own name.
        one.id = EndpointId(ml::hash::mix(id.0, ml::hash::hash_bytes(1, operation.as_bytes())) >> 11);
        one.labels = purposes(&one.method, &one.template, operation);
        one.operation = operation.to_string();
        one.counts.successes = u64::from(*count);
        // Failures are counted for the path alone; nobody knows which operation they were.
        one.counts.failures = 0;
        if *count < SETTLED_MIN && one.state == EndpointState::Review {
            one.state = EndpointState::Provisional;
        }
        one
    });
    by_operation.collect()
}

fn hosts(learner: &Learner, terminal: &Terminal, domain: &str) -> (String, Vec<String>) {
    let mut counted = terminal.hosts.clone();
    counted.sort_by_key(|&(host, count)| (std::cmp::Reverse(count), host));
    let hosts: Vec<String> = counted.iter().map(|&(host, _)| learner.host(host).to_owned()).collect();
    let template = match hosts.as_slice() {
        [] => domain.to_owned(),
        [one] => one.clone(),
        several => host_template(several, domain),
    };
    (template, hosts)
}

/// `{hostVar1}-api.example.com` for hosts of one domain that differ in a part of their first label.
fn host_template(hosts: &[String], domain: &str) -> String {
    let labels: Option<Vec<&str>> =
        hosts.iter().map(|host| host.strip_suffix(domain).and_then(|label| label.strip_suffix('.'))).collect();
    let Some(labels) = labels.filter(|labels| labels.iter().all(|label| !label.is_empty())) else {
        return hosts.first().cloned().unwrap_or_default();
    };
    let ending = labels.iter().skip(1).fold(labels.first().copied().unwrap_or_default().to_owned(), |ending, label| {
        let same = ending.bytes().rev().zip(label.bytes().rev()).take_while(|(a, b)| a == b && a.is_ascii()).count();
        ending.get(ending.len() - same..).unwrap_or_default().to_owned()
    });
    // Only whole words are shared: `us-api` and `eu-api` share `-api`.
    let ending = ending.find(['-', '_']).and_then(|at| ending.get(at..)).unwrap_or_default();
    format!("{{hostVar1}}{ending}.{domain}")
}

/// The parameters of a branch, from left to right.
fn parameters(branches: &Branches, at: usize, constraints: &Constraints) -> Vec<LearnedParameter> {
    let mut way = Vec::new();
    let mut up = at;
    while let Some(branch) = branches.get(up).filter(|branch| branch.parent != up) {
        way.push(up);
        up = branch.parent;
    }
    let mut made: Vec<LearnedParameter> = Vec::new();
    let mut before = String::new();
    for &index in way.iter().rev() {
        let Some(branch) = branches.get(index) else { continue };
        let Some(values) = &branch.values else {
            before = branch.literal.as_deref().unwrap_or_default().to_owned();
            continue;
        };
        let plain = crate::judge::template(branches, index);
        let name = constraints.name(&plain).map_or_else(|| invented_name(&before, branch.joined), str::to_owned);
        let taken =
            made.iter().filter(|one| one.name.trim_end_matches(|letter: char| letter.is_ascii_digit()) == name).count();
        let name = if taken == 0 { name } else { format!("{name}{}", taken + 1) };
        made.push(describe_parameter(name, branch.confidence, values));
    }
    made
}

fn describe_parameter(name: String, confidence: f32, values: &Values) -> LearnedParameter {
    let (kind, kind_confidence) = ParameterType::of(values);
    let reason = |&(feature, value, weight): &(usize, f32, f32)| {
        SEGMENT_FEATURES.get(feature).map(|&name| (name, value, weight))
    };
    let mut samples: Vec<String> = values.heaviest.iter().take(24).map(|(text, _)| redacted(text)).collect();
    samples.sort();
    samples.dedup();
    samples.truncate(5);
    LearnedParameter {
        name,
        kind,
        kind_confidence,
        confidence,
        distinct: values.distinct,
        once: values.once,
        reasons: values.reasons.iter().filter_map(reason).collect(),
        samples,
    }
}

/// A value with its letters and digits hidden.
fn redacted(text: &str) -> String {
    let hide = |letter: char| match letter {
        'a'..='z' => 'a',
        'A'..='Z' => 'A',
        '0'..='9' => '0',
        mark if mark.is_ascii() => mark,
        _ => '?',
    };
    text.chars().take(40).map(hide).collect()
}

/// `users` gives `userId`, `order_items` gives `orderItemId`; nothing before gives `id`.
fn invented_name(before: &str, joined: bool) -> String {
    if joined {
        return "format".to_owned();
    }
    let words: Vec<String> = crate::lexical::words_of(before).collect();
    let Some((last, first)) = words.split_last() else { return "id".to_owned() };
    let singular = match last.as_str() {
        word if word.ends_with("ies") && word.len() > 4 => format!("{}y", word.trim_end_matches("ies")),
        word if word.ends_with("sses") || word.ends_with("xes") => word.trim_end_matches("es").to_owned(),
        word if word.ends_with('s') && !word.ends_with("ss") && word.len() > 3 => word.trim_end_matches('s').to_owned(),
        word => word.to_owned(),
    };
    let mut name = String::new();
    for word in first.iter().chain([&singular]) {
        let mut letters = word.chars();
        match letters.next() {
            Some(letter) if !name.is_empty() => name.push(letter.to_ascii_uppercase()),
            Some(letter) => name.push(letter),
            None => (),
        }
        name.extend(letters);
    }
    name + "Id"
}

/// Puts names into a template's `{}`.
fn named(plain: &str, parameters: &[LearnedParameter]) -> String {
    let mut names = parameters.iter();
    let mut template = String::with_capacity(plain.len() + 16);
    let mut rest = plain;
    while let Some((before, after)) = rest.split_once("{}") {
        template.push_str(before);
        template.push('{');
        template.push_str(names.next().map_or("id", |one| &one.name));
        template.push('}');
        rest = after;
    }
    template + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_word_before() {
        for (before, name) in [
            ("users", "userId"),
            ("order_items", "orderItemId"),
            ("categories", "categoryId"),
            ("addresses", "addressId"),
            ("bus", "busId"),
            ("", "id"),
        ] {
            assert_eq!(invented_name(before, false), name);
        }
    }

    #[test]
    fn relatives_get_a_host_variable() {
        let hosts = |list: &[&str]| list.iter().map(|&host| host.to_owned()).collect::<Vec<_>>();
        assert_eq!(host_template(&hosts(&["uk-api.x.com", "jp-api.x.com"]), "x.com"), "{hostVar1}-api.x.com");
        assert_eq!(host_template(&hosts(&["a.x.com", "b.x.com"]), "x.com"), "{hostVar1}.x.com");
        assert_eq!(host_template(&hosts(&["x.com", "b.x.com"]), "x.com"), "x.com");
    }

    #[test]
    fn samples_hide_their_letters() {
        assert_eq!(redacted("Cus_8Zé"), "Aaa_0A?");
    }
}

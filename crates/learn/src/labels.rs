//! Labels that are proposed for an endpoint: what it seems to be for, and what seems risky about it.

use model::Protocol;

use crate::contract::{LearnedField, Side};
use crate::endpoint::LearnedEndpoint;
use crate::lexical::words_of;

/// A proposed label.
#[derive(Clone, Debug, PartialEq)]
pub struct Label {
    /// Its name, such as `log-in`.
    pub name: &'static str,
    /// How sure the proposal is, 0 to 1.
    pub confidence: f32,
}

/// A purpose: words that name it, words that must stand beside them (any; none when empty), and whether only writes count.
struct Purpose {
    name: &'static str,
    words: &'static [&'static str],
    beside: &'static [&'static str],
    writes: bool,
    confidence: f32,
}

const fn purpose(name: &'static str, words: &'static [&'static str], writes: bool, confidence: f32) -> Purpose {
    Purpose { name, words, beside: &[], writes, confidence }
}

const PURPOSES: [Purpose; 12] = [
    purpose("log-in", &["login", "signin", "authenticate", "logon"], true, 0.9),
    Purpose {
        name: "log-in",
        words: &["auth", "session", "sessions", "token"],
        beside: &["create", "auth", "oauth", "new"],
        writes: true,
        confidence: 0.6,
    },
    purpose("log-out", &["logout", "signout", "logoff"], false, 0.9),
    purpose("sign-up", &["signup", "register", "registration", "enroll"], true, 0.85),
    Purpose {
        name: "password-reset",
        words: &["password", "passwd", "credentials"],
        beside: &["reset", "forgot", "recover", "recovery", "forgotten"],
        writes: true,
        confidence: 0.9,
    },
    purpose("purchase", &["checkout", "purchase", "buy"], true, 0.85),
    Purpose {
        name: "purchase",
        words: &["order", "orders", "cart", "basket"],
        beside: &["submit", "place", "confirm", "complete"],
        writes: true,
        confidence: 0.7,
    },
    purpose("payment", &["payment", "payments", "charge", "charges", "refund", "refunds"], true, 0.7),
    purpose("search", &["search", "query", "find", "lookup", "autocomplete"], false, 0.7),
    purpose("upload", &["upload", "uploads", "import"], true, 0.7),
    purpose("token", &["token", "oauth", "jwks"], true, 0.6),
    Purpose {
        name: "comment",
        words: &["comment", "comments", "review", "reviews"],
        beside: &[],
        writes: true,
        confidence: 0.6,
    },
];

/// What an endpoint seems to be for.
pub fn purposes(method: &str, template: &str, operation: &str) -> Vec<Label> {
    let literal: String =
        template.split('/').filter(|piece| !piece.contains('{')).fold(String::new(), |text, piece| text + "/" + piece);
    let mut words: Vec<String> = words_of(&literal).collect();
    words.extend(words_of(operation));
    // `sign-in`, `log_out`: pairs of neighbours count as one word, too.
    let pairs: Vec<String> = words.iter().zip(words.iter().skip(1)).map(|(a, b)| format!("{a}{b}")).collect();
    words.extend(pairs);
    let has = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let writes = matches!(method, "POST" | "PUT" | "PATCH" | "DELETE");
    let mut labels: Vec<Label> = Vec::new();
    for purpose in &PURPOSES {
        let fits =
            has(purpose.words) && (purpose.beside.is_empty() || has(purpose.beside)) && (writes || !purpose.writes);
        if fits && !labels.iter().any(|label| label.name == purpose.name) {
            labels.push(Label { name: purpose.name, confidence: purpose.confidence });
        }
    }
    labels
}

/// Fewest requests before anything is called risky.
const EVIDENCE_MIN: u64 = 20;

/// What seems risky about an endpoint. `now` and `zombie_after` in microseconds.
pub fn risks(endpoint: &LearnedEndpoint, now: i64, zombie_after: i64) -> Vec<&'static str> {
    let mut risks = Vec::new();
    let counts = &endpoint.counts;
    if counts.credentials_known >= EVIDENCE_MIN {
        let share = counts.credentials as f64 / counts.credentials_known as f64;
        if counts.credentials == 0 {
            risks.push("missing-auth");
        } else if share < 0.95 {
            risks.push("mixed-auth");
        }
        let writes = matches!(endpoint.method.as_str(), "POST" | "PUT" | "PATCH" | "DELETE");
        if writes
            && share < 0.5
            && !endpoint
                .labels
                .iter()
                .any(|label| matches!(label.name, "log-in" | "sign-up" | "token" | "password-reset"))
        {
            risks.push("write-without-auth");
        }
    }
    if now.saturating_sub(endpoint.last_seen.0) > zombie_after {
        risks.push("zombie");
    }
    let all = counts.successes + counts.failures;
    if all >= EVIDENCE_MIN && counts.server_errors * 10 > all {
        risks.push("error-anomaly");
    }
    if !endpoint.schema_known && endpoint.protocol == Protocol::Rest {
        risks.push("missing-schema");
    }
    risks
}

/// Words in names of fields that hold what belongs to a person or opens a door.
const SENSITIVE: [&str; 20] = [
    "email",
    "phone",
    "mobile",
    "ssn",
    "passport",
    "birthday",
    "birthdate",
    "dob",
    "iban",
    "cvv",
    "cvc",
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "salary",
    "latitude",
    "longitude",
    "address",
];

/// Whether answers of an endpoint hold sensitive data, by the names of their fields.
pub fn sensitive(fields: &[LearnedField]) -> bool {
    fields.iter().filter(|field| matches!(field.side, Side::Answer(_))).any(|field| {
        let name = field.name.rsplit('/').next().unwrap_or_default();
        words_of(name).any(|word| SENSITIVE.contains(&word.as_str()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_proposed_from_words() {
        let check = |method, template, expected: &[&str]| {
            let names: Vec<&str> = purposes(method, template, "").iter().map(|label| label.name).collect();
            assert_eq!(names, expected, "{method} {template}");
        };
        check("POST", "/api/v1/login", &["log-in"]);
        check("POST", "/users/sign-in", &["log-in"]);
        check("GET", "/login", &[]);
        check("POST", "/account/password/reset", &["password-reset"]);
        check("POST", "/orders/{orderId}/confirm", &["purchase"]);
        check("GET", "/users/search", &["search"]);
        check("GET", "/users/{search}", &[]);
    }
}

//! What may be configured of the stage, with defaults for APIs.

use std::fmt;

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
        }
    }
}

impl HygienePolicy {
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
    fn methods() {
        let policy = HygienePolicy::default();
        assert!(policy.allows_method(b"GET") && !policy.allows_method(b"get") && !policy.allows_method(b"PROPFIND"));
        let any = HygienePolicy { methods: Vec::new(), ..policy };
        assert!(any.allows_method(b"PROPFIND") && !any.allows_method(b"TRACE"));
    }
}

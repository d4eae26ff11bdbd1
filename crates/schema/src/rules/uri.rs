//! Resolving URI references (RFC 3986 section 5), as far as identifiers of schemas need it.

/// A reference split into its parts.
struct Parts<'u> {
    scheme: Option<&'u str>,
    authority: Option<&'u str>,
    path: &'u str,
    query: Option<&'u str>,
}

fn split(uri: &str) -> Parts<'_> {
    let uri = uri.split('#').next().unwrap_or_default();
    let (scheme, rest) = match uri.split_once(':') {
        Some((scheme, rest))
            if scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.')) =>
        {
            (Some(scheme), rest)
        }
        _ => (None, uri),
    };
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(rest, query)| (rest, Some(query)));
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority, path) = rest.split_at(end);
            (Some(authority), path)
        }
        None => (None, rest),
    };
    Parts { scheme, authority, path, query }
}

/// Resolves `reference` against `base`. The fragment is returned apart; the URI has none.
pub(crate) fn resolve<'r>(base: &str, reference: &'r str) -> (String, &'r str) {
    let (without, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    if without.is_empty() {
        return (base.split('#').next().unwrap_or_default().to_owned(), fragment);
    }
    let (base, target) = (split(base), split(without));
    let (scheme, authority, path, query) = if target.scheme.is_some() {
        (target.scheme, target.authority, remove_dots(target.path), target.query)
    } else if target.authority.is_some() {
        (base.scheme, target.authority, remove_dots(target.path), target.query)
    } else if target.path.is_empty() {
        (base.scheme, base.authority, base.path.to_owned(), target.query.or(base.query))
    } else if target.path.starts_with('/') {
        (base.scheme, base.authority, remove_dots(target.path), target.query)
    } else {
        let folder = base.path.rfind('/').map_or("", |at| base.path.get(..=at).unwrap_or_default());
        let folder = if folder.is_empty() && base.authority.is_some() { "/" } else { folder };
        (base.scheme, base.authority, remove_dots(&format!("{folder}{}", target.path)), target.query)
    };
    let mut uri = String::new();
    if let Some(scheme) = scheme {
        uri.push_str(scheme);
        uri.push(':');
    }
    if let Some(authority) = authority {
        uri.push_str("//");
        uri.push_str(authority);
    }
    uri.push_str(&path);
    if let Some(query) = query {
        uri.push('?');
        uri.push_str(query);
    }
    (uri, fragment)
}

/// RFC 3986 section 5.2.4; opaque paths (`urn:`) stay as they are.
fn remove_dots(path: &str) -> String {
    if !path.contains('/') {
        return path.to_owned();
    }
    let mut out: Vec<&str> = Vec::new();
    let mut segments = path.split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." && out.len() > 1 {
                    out.pop();
                }
                if is_last {
                    out.push("");
                }
            }
            segment => out.push(segment),
        }
    }
    out.join("/")
}

/// Decodes percent-encoded octets; what is no UTF-8 afterwards stays as it was.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (first, digits.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_the_rfc_resolve() {
        let base = "http://a/b/c/d;p?q";
        for (reference, expected) in [
            ("g:h", "g:h"),
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g"),
            ("?y", "http://a/b/c/d;p?y"),
            ("", "http://a/b/c/d;p?q"),
            ("..", "http://a/b/"),
            ("../g", "http://a/b/g"),
            ("../../g", "http://a/g"),
            ("../../../g", "http://a/g"),
        ] {
            assert_eq!(resolve(base, reference).0, expected, "{reference}");
        }
        assert_eq!(resolve("urn:uuid:1", "#/a"), ("urn:uuid:1".to_owned(), "/a"));
        assert_eq!(resolve("file:///x/y.yaml", "z.yaml#b"), ("file:///x/z.yaml".to_owned(), "b"));
        assert_eq!(resolve("y.yaml", "z.yaml").0, "z.yaml");
        assert_eq!(decode("a%25b%"), "a%b%");
    }
}

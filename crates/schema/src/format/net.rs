//! Addresses, host names, mailboxes and URIs.

/// Which letters a grammar allows.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Letters {
    Ascii,
    Unicode,
}

/// Four decimal octets without leading zeros.
pub(super) fn ipv4(text: &str) -> bool {
    let mut count = 0;
    for octet in text.split('.') {
        count += 1;
        let is_octet = (1..=3).contains(&octet.len())
            && octet.bytes().all(|byte| byte.is_ascii_digit())
            && (octet.len() == 1 || !octet.starts_with('0'))
            && octet.parse::<u16>().is_ok_and(|value| value <= 255);
        if !is_octet || count > 4 {
            return false;
        }
    }
    count == 4
}

/// RFC 4291 section 2.2, without a zone.
pub(super) fn ipv6(text: &str) -> bool {
    text.len() <= 45 && !text.contains('%') && text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// RFC 1123: labels of letters, digits and inner hyphens; A-labels must be valid.
pub(super) fn hostname(text: &str) -> bool {
    !text.is_empty() && text.len() <= 253 && text.split('.').all(label)
}

fn label(label: &str) -> bool {
    let bytes = label.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
        && !label.starts_with('-')
        && !label.ends_with('-')
        && match (bytes.get(2..4), label.get(..4)) {
            (Some(b"--"), Some(prefix)) => prefix.eq_ignore_ascii_case("xn--") && a_label(label),
            _ => true,
        }
}

fn a_label(label: &str) -> bool {
    let (decoded, result) = idna::domain_to_unicode(label);
    result.is_ok() && idna_contexts(&decoded) && !has_reserved_hyphens(&decoded)
}

/// Hyphens in the third and fourth place are kept for A-labels (RFC 5891 section 4.2.3.1).
fn has_reserved_hyphens(label: &str) -> bool {
    label.chars().skip(2).take(2).eq(['-', '-'])
}

/// RFC 5890: what IDNA 2008 can turn into a host name.
pub(super) fn idn_hostname(text: &str) -> bool {
    if text.is_empty() || text.len() > 1024 {
        return false;
    }
    if text.is_ascii() {
        return hostname(text);
    }
    let dots = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
    if !idna_contexts(text) || text.split(dots).any(|label| !label.is_ascii() && has_reserved_hyphens(label)) {
        return false;
    }
    idna::domain_to_ascii_strict(text).is_ok_and(|ascii| hostname(&ascii))
}

/// The contextual rules of RFC 5892 appendix A and the characters it disallows that UTS 46 lets through.
fn idna_contexts(text: &str) -> bool {
    let characters: Vec<char> = text.chars().collect();
    let at = |index: Option<usize>| index.and_then(|index| characters.get(index)).copied();
    let is_greek = |c: char| matches!(c, '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}');
    let is_hebrew = |c: char| matches!(c, '\u{590}'..='\u{5ff}');
    let is_japanese = |c: char| matches!(c, '\u{3041}'..='\u{309f}' | '\u{30a1}'..='\u{30fa}' | '\u{30fc}'..='\u{30ff}' | '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{3005}' | '\u{3007}');
    let is_virama = |c: char| {
        matches!(
            c,
            '\u{94d}'
                | '\u{9cd}'
                | '\u{a4d}'
                | '\u{acd}'
                | '\u{b4d}'
                | '\u{bcd}'
                | '\u{c4d}'
                | '\u{ccd}'
                | '\u{d4d}'
                | '\u{dca}'
        )
    };
    let arabic = characters.iter().any(|c| matches!(c, '\u{660}'..='\u{669}'));
    let extended = characters.iter().any(|c| matches!(c, '\u{6f0}'..='\u{6f9}'));
    if arabic && extended {
        return false;
    }
    characters.iter().enumerate().all(|(index, c)| {
        let (before, after) = (at(index.checked_sub(1)), at(index.checked_add(1)));
        match *c {
            '\u{b7}' => before == Some('l') && after == Some('l'),
            '\u{375}' => after.is_some_and(is_greek),
            '\u{5f3}' | '\u{5f4}' => before.is_some_and(is_hebrew),
            '\u{30fb}' => characters.iter().any(|c| is_japanese(*c) && *c != '\u{30fb}'),
            '\u{200d}' => before.is_some_and(is_virama),
            '\u{200c}' => before.is_some_and(is_virama) || (before.is_some() && after.is_some()),
            '\u{302e}' | '\u{302f}' | '\u{640}' | '\u{7fa}' | '\u{3031}'..='\u{3035}' | '\u{303b}' => false,
            _ => true,
        }
    })
}

/// A mailbox: a dot-atom or quoted local part, and a host name or an address literal.
pub(super) fn email(text: &str, letters: Letters) -> bool {
    if text.len() > 320 {
        return false;
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_atom = |c: char| {
        c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (letters == Letters::Unicode && !c.is_ascii())
    };
    let is_local = match local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(quoted) if local.len() >= 2 => quoted_local(quoted, letters),
        _ => local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom)),
    };
    let is_domain = match domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(literal) => match literal.strip_prefix("IPv6:") {
            Some(address) => ipv6(address),
            None => ipv4(literal),
        },
        None if letters == Letters::Unicode => idn_hostname(domain),
        None => hostname(domain),
    };
    is_local && is_domain && local.len() <= 64
}

fn quoted_local(text: &str, letters: Letters) -> bool {
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => {
                if !characters.next().is_some_and(|c| (' '..='~').contains(&c)) {
                    return false;
                }
            }
            '"' => return false,
            ' '..='~' => {}
            c if !c.is_ascii() && letters == Letters::Unicode => {}
            _ => return false,
        }
    }
    true
}

/// RFC 3986 section 3: an absolute URI, with a fragment or without.
pub(super) fn uri(text: &str, letters: Letters) -> bool {
    let Some((scheme, rest)) = text.split_once(':') else { return false };
    is_scheme(scheme) && hierarchical(rest, letters)
}

/// RFC 3986 section 4.1.
pub(super) fn uri_reference(text: &str, letters: Letters) -> bool {
    if uri(text, letters) {
        return true;
    }
    // The first segment of a relative path has no colon (section 4.2).
    let first = text.split(['/', '?', '#']).next().unwrap_or_default();
    !first.contains(':') && hierarchical(text, letters)
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
}

fn hierarchical(text: &str, letters: Letters) -> bool {
    let (rest, fragment) = text.split_once('#').map_or((text, None), |(rest, fragment)| (rest, Some(fragment)));
    let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
    let private = if letters == Letters::Unicode { Private::Allowed } else { Private::Refused };
    let tail = |part: Option<&str>, private| part.is_none_or(|part| characters(part, ":@/?", letters, private));
    if !tail(query, private) || !tail(fragment, Private::Refused) {
        return false;
    }
    match path.strip_prefix("//") {
        Some(rest) => {
            let end = rest.find('/').unwrap_or(rest.len());
            let (authority_text, path) = rest.split_at(end);
            authority(authority_text, letters) && characters(path, ":@/", letters, Private::Refused)
        }
        None => characters(path, ":@/", letters, Private::Refused),
    }
}

fn authority(text: &str, letters: Letters) -> bool {
    let (user, host) = text.rsplit_once('@').map_or((None, text), |(user, host)| (Some(user), host));
    if user.is_some_and(|user| !characters(user, ":", letters, Private::Refused)) {
        return false;
    }
    let (host, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let Some((literal, port)) = rest.split_once(']') else { return false };
            let is_future = literal.strip_prefix(['v', 'V']).is_some_and(|rest| {
                rest.split_once('.').is_some_and(|(version, address)| {
                    !version.is_empty()
                        && version.bytes().all(|byte| byte.is_ascii_hexdigit())
                        && !address.is_empty()
                        && characters(address, ":", Letters::Ascii, Private::Refused)
                })
            });
            if !ipv6(literal) && !is_future {
                return false;
            }
            ("", port.strip_prefix(':').or(if port.is_empty() { Some("") } else { None }))
        }
        None => match host.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (host, Some("")),
        },
    };
    port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()))
        && characters(host, "", letters, Private::Refused)
}

/// Whether private-use characters may stand here (RFC 3987: only in queries).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Private {
    Allowed,
    Refused,
}

/// Unreserved characters, sub-delimiters, percent-encoded octets and `extra`.
fn characters(text: &str, extra: &str, letters: Letters, private: Private) -> bool {
    let bytes = text.as_bytes();
    text.char_indices().all(|(at, c)| match c {
        '%' => bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)),
        c if c.is_ascii_alphanumeric() => true,
        '-' | '.' | '_' | '~' | '!' | '$' | '&' | '\'' | '(' | ')' | '*' | '+' | ',' | ';' | '=' => true,
        '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}' => {
            letters == Letters::Unicode && private == Private::Allowed
        }
        '\u{a0}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{ffef}' | '\u{10000}'..='\u{effff}' => {
            letters == Letters::Unicode && (u32::from(c) & 0xFFFE) != 0xFFFE
        }
        c => extra.contains(c),
    })
}

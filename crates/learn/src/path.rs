//! Paths as the learner sees them: the normalisation rules, in one place.
//!
//! 1. The query, a fragment, and an absolute target's scheme and authority are dropped.
//! 2. Empty segments vanish: `//a/` is `/a`. A trailing slash never makes another endpoint.
//! 3. Percent-encoded unreserved characters are decoded (`%41` is `A`, RFC 3986 section 6.2.2.2); all others stay
//!    encoded, so that `%2F` never becomes a separator.
//! 4. Matrix parameters (`;name=value`) are dropped; a `;` without `=` is part of the value.
//! 5. Case is kept here. Siblings that differ only in case are one candidate when they are judged, and the matcher
//!    ignores case, so that a case-insensitive server does not double its endpoints; the commonest spelling is shown.
//! 6. The last segment may be cut in two *pieces* at a format suffix (`report.json`), a verb (`{id}:cancel`) or an
//!    assignment (`regions=gb`), so that either half can be a parameter by itself.
//!
//! Bounds: [`PIECES_MAX`] pieces; what lies deeper is dropped. [`PIECE_BYTES_MAX`] bytes each.

use std::borrow::Cow;

use smallvec::SmallVec;

/// Most pieces of a path.
pub const PIECES_MAX: usize = 24;
/// Longest piece, in bytes; longer ones are cut at a character boundary.
pub const PIECE_BYTES_MAX: usize = 160;

/// A segment of a path, or a half of the last one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The text, with its joint character when `joined`.
    pub text: Cow<'a, str>,
    /// True for the second half of a segment: no slash stands before it.
    pub joined: bool,
}

/// The pieces of a path.
pub type Pieces<'a> = SmallVec<[Piece<'a>; 10]>;

/// The path of a target: without query, fragment, scheme and authority.
pub fn path_of(target: &str) -> &str {
    let target = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/")
        }
        _ => target,
    };
    let end = target.find(['?', '#']).unwrap_or(target.len());
    target.get(..end).unwrap_or_default()
}

/// The query of a target, without the question mark; empty when there is none.
pub fn query_of(target: &str) -> &str {
    target.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default())
}

/// Cuts a target into its normalised pieces.
pub fn pieces(target: &str) -> Pieces<'_> {
    let mut pieces = Pieces::new();
    let mut segments = path_of(target).split('/').filter(|segment| !segment.is_empty()).peekable();
    while let Some(segment) = segments.next() {
        if pieces.len() + 1 >= PIECES_MAX {
            break;
        }
        let segment = cut(without_matrix(segment));
        let joint = if segments.peek().is_none() { joint(segment) } else { None };
        let (head, tail) = joint.and_then(|at| segment.split_at_checked(at)).unwrap_or((segment, ""));
        pieces.push(Piece { text: decode(head), joined: false });
        if !tail.is_empty() {
            pieces.push(Piece { text: decode(tail), joined: true });
        }
    }
    pieces
}

/// The values that a path has where a template has parameters (`{}`, or named), in the template's order, decoded;
/// `None` when the path does not fit. A trailing slash, empty segments and case make no difference, as everywhere here.
pub fn values(template: &str, target: &str) -> Option<Vec<String>> {
    let mut values = Vec::new();
    let mut segments = path_of(target).split('/').filter(|segment| !segment.is_empty());
    for expected in template.split('/').filter(|segment| !segment.is_empty()) {
        let segment = decode(without_matrix(segments.next()?));
        split(expected, &segment, &mut values)?;
    }
    segments.next().is_none().then_some(values)
}

/// Takes a segment apart by its template: every parameter has at least one character and ends at the next fixed text.
fn split(template: &str, segment: &str, values: &mut Vec<String>) -> Option<()> {
    let (mut expected, mut rest) = (template, segment);
    loop {
        let Some((fixed, after)) = expected.split_once('{') else {
            return rest.eq_ignore_ascii_case(expected).then_some(());
        };
        let (head, tail) = rest.split_at_checked(fixed.len())?;
        if !head.eq_ignore_ascii_case(fixed) {
            return None;
        }
        let (_, behind) = after.split_once('}')?;
        let next = behind.split('{').next().unwrap_or_default();
        let end = match (next.is_empty(), behind.len() == next.len()) {
            (true, _) => tail.len(),
            // The last fixed text ends the segment; an earlier one is the first that comes.
            (false, true) => tail.len().checked_sub(next.len())?,
            (false, false) => tail
                .char_indices()
                .skip(1)
                .map(|(at, _)| at)
                .find(|&at| tail.get(at..).is_some_and(|left| left.starts_with(next)))?,
        };
        let (value, left) = tail.split_at_checked(end).filter(|(value, _)| !value.is_empty())?;
        values.push(value.to_owned());
        (expected, rest) = (behind, left);
    }
}

fn cut(segment: &str) -> &str {
    let mut end = segment.len().min(PIECE_BYTES_MAX);
    while !segment.is_char_boundary(end) {
        end -= 1;
    }
    segment.get(..end).unwrap_or_default()
}

fn without_matrix(segment: &str) -> &str {
    match segment.split_once(';') {
        Some((head, parameters)) if !head.is_empty() && parameters.contains('=') => head,
        _ => segment,
    }
}

/// Where the last segment is cut in two, if anywhere. The joint character belongs to the second half, except `=`.
fn joint(segment: &str) -> Option<usize> {
    if segment.contains('%') && segment.len() > 60 {
        return None;
    }
    let address = holds_address(segment);
    let alphanumeric = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(at) = segment.rfind('.').filter(|&at| at > 0) {
        let suffix = segment.get(at + 1..).unwrap_or_default();
        let letter_first = suffix.bytes().next().is_some_and(|byte| byte.is_ascii_alphabetic());
        // One case throughout: `Microsoft.Insights` is a name, `REPORT.JSON` a shouted suffix.
        let lower = suffix.bytes().all(|byte| !byte.is_ascii_uppercase());
        let upper = segment.bytes().all(|byte| !byte.is_ascii_lowercase());
        // The domain of an e-mail address is no format, except where a format follows it.
        let format = !address || ["json", "xml", "csv", "html", "pdf", "yaml"].contains(&suffix);
        if alphanumeric(suffix) && suffix.len() <= 8 && letter_first && (lower || upper) && format {
            return Some(at);
        }
    }
    if let Some(at) = segment.rfind(':').filter(|&at| at > 0) {
        let verb = segment.get(at + 1..).unwrap_or_default();
        let lower_first = verb.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if verb.len() >= 3 && lower_first && verb.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return Some(at);
        }
    }
    let at = segment.find('=').filter(|&at| at > 0)? + 1;
    let name = segment.get(..at - 1).unwrap_or_default();
    (at < segment.len() && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')).then_some(at)
}

/// Does a segment hold an e-mail address, encoded or not: something, an at sign, something with a dot?
fn holds_address(segment: &str) -> bool {
    let at = segment.rfind('@').map(|at| (at, 1)).or_else(|| segment.rfind("%40").map(|at| (at, 3)));
    at.is_some_and(|(at, length)| {
        let name = segment.get(..at).unwrap_or_default();
        let domain = segment.get(at + length..).unwrap_or_default();
        name.bytes().any(|byte| byte.is_ascii_alphanumeric()) && domain.trim_matches('.').contains('.')
    })
}

fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        decoded.push_str(rest.get(..at).unwrap_or_default());
        let code = rest.get(at + 1..at + 3).and_then(|code| u8::from_str_radix(code, 16).ok());
        let skip = match code.map(char::from) {
            Some(plain) if plain.is_ascii_alphanumeric() || matches!(plain, '-' | '.' | '_' | '~') => {
                decoded.push(plain);
                3
            }
            _ => {
                decoded.push('%');
                1
            }
        };
        rest = rest.get(at + skip..).unwrap_or_default();
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(target: &str, expected: Expect) {
        let text: Vec<String> = pieces(target)
            .iter()
            .map(|piece| format!("{}{}", if piece.joined { "+" } else { "/" }, piece.text))
            .collect();
        expected.assert_eq(&text.concat());
    }

    #[test]
    fn paths_are_normalised() {
        check("/a/b?c=/d", expect!["/a/b"]);
        check("//a///b/", expect!["/a/b"]);
        check("http://host/x#y", expect!["/x"]);
        check("/%41%2f%7eb/%zz/%", expect!["/A%2f~b/%zz/%"]);
        check("/cars;color=red/x;y", expect!["/cars/x;y"]);
        check("", expect![""]);
        check("*", expect!["/*"]);
    }

    #[test]
    fn the_last_segment_is_cut_at_its_joint() {
        check("/report.json", expect!["/report+.json"]);
        check("/v1.0/x.y/z", expect!["/v1.0/x.y/z"]);
        check("/api/v2.0", expect!["/api/v2.0"]);
        check("/jobs/17:cancel", expect!["/jobs/17+:cancel"]);
        check("/x/regions=gb", expect!["/x/regions=+gb"]);
        check("/a@b.com", expect!["/a@b.com"]);
        check("/a%40b.de", expect!["/a%40b.de"]);
        check("/a@b.com.json", expect!["/a@b.com+.json"]);
        check("/@@version.json", expect!["/@@version+.json"]);
        check("/REPORT.JSON", expect!["/REPORT+.JSON"]);
        check("/.env", expect!["/.env"]);
        check("/Microsoft.Insights", expect!["/Microsoft.Insights"]);
    }

    #[test]
    fn values_stand_where_the_template_has_parameters() {
        let check = |template: &str, target: &str, expected: Option<&[&str]>| {
            let found = values(template, target);
            let expected = expected.map(|list| list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>());
            assert_eq!(found, expected, "{template} {target}");
        };
        check("/users/{}/orders", "/Users/7/orders/?x=1", Some(&["7"]));
        check("/f/{name}.{format}", "/f/a.b.json", Some(&["a", "b.json"]));
        check("/jobs/{}:cancel", "/jobs/a:b:cancel", Some(&["a:b"]));
        check("/cars/{}", "/cars;x=1/%41%2F;color=red", Some(&["A%2F"]));
        check("/users/{}", "/users", None);
        check("/users/{}", "/users/7/8", None);
        check("/{}.json", "/.json", None);
        check("/", "/", Some(&[]));
    }

    proptest! {
        #[test]
        fn values_never_panic(template in "(/[a-c{}.:]{0,6}){0,4}", target in "(/[a-c.:%é;=]{0,8}){0,5}") {
            let _ = values(&template, &target);
        }

        #[test]
        fn any_target_is_bounded(target in ".{0,400}") {
            let pieces = pieces(&target);
            prop_assert!(pieces.len() <= PIECES_MAX);
            prop_assert!(pieces.iter().all(|piece| !piece.text.is_empty() && piece.text.len() <= PIECE_BYTES_MAX));
        }

        #[test]
        fn normalising_twice_changes_nothing(target in "(/[a-zA-Z0-9%._~:=;-]{0,12}){0,5}") {
            let join = |target: &str| -> String {
                pieces(target).iter().map(|piece| format!("{}{}", if piece.joined { "" } else { "/" }, piece.text)).collect()
            };
            let once = join(&target);
            let again = join(&once);
            // Decoding may uncover a new matrix parameter or joint only through `%`, which stays encoded otherwise.
            if !once.contains('%') && !once.contains(';') {
                prop_assert_eq!(again, once);
            }
        }
    }
}

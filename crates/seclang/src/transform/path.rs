//! Paths in their shortest form.

/// A backslash as a slash.
pub(super) const fn slash(byte: u8) -> u8 {
    if byte == b'\\' { b'/' } else { byte }
}

/// Without double slashes, without `.` and with every `..` resolved that has something before it. A `..` that climbs
/// above a relative path stays; above an absolute one it goes.
pub(super) fn normalize(path: &[u8]) -> Vec<u8> {
    let absolute = path.first() == Some(&b'/');
    let ends_open = path.len() > 1 && matches!(path, [.., b'/'] | [.., b'/', b'.'] | [.., b'/', b'.', b'.'])
        || path == b"."
        || path == b"..";
    let mut segments: Vec<&[u8]> = Vec::new();
    for segment in path.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => match segments.last() {
                Some(last) if *last != b".." => {
                    segments.pop();
                }
                _ if absolute => {}
                _ => segments.push(segment),
            },
            _ => segments.push(segment),
        }
    }
    let mut made = Vec::with_capacity(path.len());
    if absolute {
        made.push(b'/');
    }
    made.extend_from_slice(&segments.join(&b'/'));
    let climbs = segments.last() == Some(&&b".."[..]);
    if ends_open && !made.is_empty() && !climbs && made.last() != Some(&b'/') {
        made.push(b'/');
    }
    made
}

//! Calls that only code makes: of a function whose name is computed, and values that are nothing but a call.
//!
//! `(system)('x')`, `'sys'.'tem'('x')`, `[system][0](x)`, `$f(...)`: interpreters call whatever an expression comes to, so
//! the letters of the expression are read together, without the signs between them.

use super::family::Weight;
use super::text::{Text, is_word, window};
use crate::values::Spot;

/// Functions that run code or commands, or reach files: what a computed name is computed for.
const DANGEROUS: &[&str] = &[
    "system",
    "exec",
    "passthru",
    "popen",
    "eval",
    "assert",
    "phpinfo",
    "file_get_contents",
    "file_put_contents",
    "readfile",
    "fopen",
    "fwrite",
    "unlink",
    "call_user_func",
    "create_function",
    "base64_decode",
    "unserialize",
    "include",
    "require",
    "array_map",
    "array_filter",
    "usort",
    "preg_replace",
    "putenv",
    "getenv",
    "mail",
    "scandir",
    "opendir",
    "highlight_file",
    "show_source",
    "var_dump",
    "print_r",
    "printf",
    "spawn",
    "compile",
    "__import__",
    "getattr",
    "open",
    "child_process",
    "function",
    "constructor",
    "die",
    "define",
    "alert",
    "confirm",
    "prompt",
];

/// Most closing signs of a text that are looked at.
const CALLS_MAX: usize = 64;
/// How far to the left the beginning of what is called is looked for.
const CALLEE_BYTES_MAX: usize = 96;

/// Weighs the calls in a text.
pub(super) fn weigh(text: &Text<'_>, weight: &mut Weight) {
    if text.prose {
        return;
    }
    computed(text, weight);
    joined(text, weight);
    alone(text, weight);
}

/// A call of what brackets or quotes come to.
fn computed(text: &Text<'_>, weight: &mut Weight) {
    for open in memchr::memchr_iter(b'(', text.low).take(CALLS_MAX) {
        let head = without_gap(text.low.get(..open).unwrap_or_default());
        let Some(closer) = head.last().filter(|byte| matches!(byte, b')' | b']' | b'}' | b'\'' | b'"')) else {
            continue;
        };
        let callee = callee(head);
        let arguments = window(text.from(open + 1), 64);
        let called_with_text = matches!(arguments.trim_ascii_start().first(), Some(b'\'' | b'"' | b'$' | b'`'));
        let ends = text.low.trim_ascii_end();
        let statement = ends.ends_with(b";") || ends.ends_with(b")?>");
        let letters = letters(callee);
        let dangerous = DANGEROUS.iter().any(|name| letters.ends_with(name.as_bytes()));
        let quoted = matches!(closer, b'\'' | b'"');
        let points = match (dangerous, called_with_text, statement) {
            (true, true, _) | (true, _, true) => 10,
            // `"open" (see below)` is a remark.
            (true, false, false) if !quoted => 6,
            (false, true, true) => 7,
            (false, false, true) if quoted => 4,
            _ => 0,
        };
        weight.add(points, "call of a computed name");
    }
}

/// Names put together from strings: `'sys'.'tem'`, `"ev"+"al"`.
fn joined(text: &Text<'_>, weight: &mut Weight) {
    let joints = text.low.windows(3).enumerate().filter(|(_, part)| {
        matches!(part, [b'\'' | b'"', b'.' | b'+', b'\'' | b'"'] | [b'\'' | b'"', b' ', b'.' | b'+'])
    });
    for (at, _) in joints.take(16) {
        let from = at.saturating_sub(24);
        let around = text.low.get(from..text.low.len().min(at + 28)).unwrap_or_default();
        let letters = letters(around);
        let split = DANGEROUS.iter().filter(|name| name.len() >= 4).any(|name| {
            memchr::memmem::find(&letters, name.as_bytes()).is_some()
                && memchr::memmem::find(around, name.as_bytes()).is_none()
        });
        weight.add(if split { 9 } else { 0 }, "a name in pieces");
    }
}

/// How the functions of PHP's library are named that tell of the machine or reach out of the program.
const LIBRARY: &[&str] = &[
    "posix_",
    "pcntl_",
    "proc_",
    "shell_",
    "stream_",
    "socket_",
    "curl_",
    "mysql_",
    "mysqli_",
    "pg_",
    "sqlite_",
    "oci_",
    "odbc_",
    "ldap_",
    "ftp_",
    "imap_",
    "apache_",
    "php_",
    "phpversion",
    "ini_",
    "get_defined_",
    "get_cfg_",
    "get_current_user",
    "get_loaded_",
    "get_include_",
    "getmy",
    "sys_get",
    "file_",
    "dir_",
    "disk_",
    "highlight_",
    "show_source",
    "readline_",
    "call_user_",
    "func_get_",
    "create_function",
    "register_",
    "forward_static_",
    "array_map",
    "array_filter",
    "array_walk",
    "ob_",
    "error_log",
    "error_reporting",
    "set_error_",
    "debug_",
    "zend_",
    "opcache_",
    "fast",
    "apc_",
    "preg_",
    "mb_ereg",
    "str_rot13",
    "base64_",
    "gz",
    "bz",
    "zip_",
    "hex2bin",
    "convert_uu",
    "exif_",
    "image",
    "is_uploaded",
    "move_uploaded",
    "parse_",
    "extract",
    "spl_",
    "iterator_",
    "assert_options",
    "dns_",
    "gethost",
    "inet_",
    "openlog",
    "escapeshell",
    "var_export",
    "print_r",
    "var_dump",
    "import_request",
    "filter_",
    "filepro",
    "win_",
    "com_",
    "dotnet_",
    "expect_",
    "ssh2_",
    "sleep_",
    "time_nanosleep",
    "time_sleep",
    "usleep",
    "pg_sleep",
    "xml_",
    "simplexml_",
    "libxml_",
    "unserialize_",
    "is_array",
    "is_writ",
    "is_executable",
    "is_callable",
    "is_link",
    "current_database",
    "current_user",
    "session_user",
    "system_user",
    "db_name",
];

/// The whole value is one call, named as programs name functions: `posix_getegid()`, `get_defined_vars()[0]`.
///
/// What is called with bare words may also select fields (`order_items(id,name)`), so only empty parentheses and strings
/// count.
fn alone(text: &Text<'_>, weight: &mut Weight) {
    let low = text.low.trim_ascii();
    let asked = matches!(text.spot, Spot::Query(_) | Spot::Form(_) | Spot::Cookie(_));
    if low.len() > 256 || !asked {
        return;
    }
    let name_end = low.iter().take_while(|&&byte| is_word(byte)).count();
    let (name, rest) = low.split_at_checked(name_end).unwrap_or_default();
    let behind = skip_gap(rest);
    let Some(arguments) = behind.strip_prefix(b"(") else { return };
    let first = arguments.trim_ascii_start().first();
    let code = matches!(first, None | Some(b')' | b'\'' | b'"' | b'$'));
    let programmed = name.len() >= 6 && name.iter().skip(1).any(|&byte| byte == b'_') && !name.ends_with(b"_");
    let closed = memchr::memrchr(b')', arguments).map_or(arguments.len(), |at| at + 1);
    let tail = arguments.get(closed..).unwrap_or_default();
    // Some glue the name to what the parameter held before.
    let known = LIBRARY
        .iter()
        .any(|start| name.starts_with(start.as_bytes()) || start.len() >= 8 && super::text::has(name, start));
    let one_line = memchr::memchr(b'\n', low).is_none();
    let whole =
        tail.iter().all(|&byte| is_word(byte) || matches!(byte, b'[' | b']' | b';' | b' ' | b'\'' | b'"' | b'}'));
    let points = if known { 10 } else { 5 };
    weight.add(if code && programmed && whole && one_line { points } else { 0 }, "nothing but a call");
}

/// The expression that ends at the end of `head`: back to the bracket or quote that opens it, and over indices, strings
/// and joints before it.
fn callee(head: &[u8]) -> &[u8] {
    let near = head.get(head.len().saturating_sub(CALLEE_BYTES_MAX)..).unwrap_or_default();
    let mut depth = 0usize;
    let mut start = near.len();
    for (at, &byte) in near.iter().enumerate().rev() {
        match byte {
            b')' | b']' | b'}' => depth += 1,
            b'(' | b'[' | b'{' if depth == 0 => break,
            b'(' | b'[' | b'{' => depth -= 1,
            b';' | b'=' | b',' | b'\n' if depth == 0 => break,
            _ => {}
        }
        start = at;
    }
    near.get(start..).unwrap_or_default()
}

/// The letters and underscores of an expression, comments, indices and digits left out.
fn letters(expression: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(expression.len());
    let mut rest = expression;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        if byte == b'/' && after.first() == Some(&b'*') {
            let end = memchr::memmem::find(after, b"*/").map_or(after.len(), |end| end + 2);
            rest = after.get(end..).unwrap_or_default();
        } else if byte.is_ascii_alphabetic() || byte == b'_' {
            out.push(byte);
        }
    }
    out
}

/// Without the spaces and the comment at its end.
fn without_gap(head: &[u8]) -> &[u8] {
    let head = head.trim_ascii_end();
    match head.strip_suffix(b"*/") {
        Some(inner) => {
            let near = inner.len().saturating_sub(CALLEE_BYTES_MAX);
            let open = memchr::memmem::rfind(inner.get(near..).unwrap_or_default(), b"/*").map(|at| near + at);
            open.and_then(|open| inner.get(..open)).unwrap_or(head).trim_ascii_end()
        }
        None => head,
    }
}

/// Without the spaces and comments at its front.
fn skip_gap(rest: &[u8]) -> &[u8] {
    let rest = rest.trim_ascii_start();
    match rest.strip_prefix(b"/*") {
        Some(inner) => memchr::memmem::find(inner, b"*/").and_then(|end| inner.get(end + 2..)).unwrap_or(rest),
        None => rest,
    }
    .trim_ascii_start()
}

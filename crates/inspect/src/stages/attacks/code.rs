//! Program code: PHP, JSP, ASP, Python, Ruby, Perl and Node, and server-side includes.
//!
//! Showing code is ordinary in issues and wikis; running it needs tags, or a dangerous call that is the value itself.

use super::calls;
use super::family::{Family, Weight};
use super::gate::{Classes, Marker, any, call, start};
use super::judging::names_a_file;
use super::text::{Text, has, is_listing, quoted_code, window};

pub(super) const MARKERS: &[Marker] = &[
    any(9, "<?php"),
    any(8, "<?="),
    any(0, "<?"),
    any(0, "<%"),
    any(8, "<%@"),
    any(8, "<jsp:"),
    any(9, "<script language=\"php"),
    any(9, "<script language='php"),
    any(8, "<script runat"),
    any(0, "<!--#"),
    any(9, "<cfexecute"),
    any(7, "<cffile"),
    any(6, "[php]"),
    any(6, "[/php]"),
    call(5, "system"),
    call(6, "shell_exec"),
    call(6, "passthru"),
    call(6, "proc_open"),
    call(6, "popen"),
    call(6, "pcntl_exec"),
    call(5, "exec"),
    call(5, "eval"),
    call(5, "assert"),
    call(5, "phpinfo"),
    call(5, "base64_decode"),
    call(5, "file_get_contents"),
    call(5, "file_put_contents"),
    call(5, "fopen"),
    call(5, "fwrite"),
    call(4, "readfile"),
    call(5, "create_function"),
    call(6, "call_user_func"),
    call(6, "call_user_func_array"),
    call(5, "preg_replace"),
    call(5, "array_map"),
    call(5, "array_filter"),
    call(5, "usort"),
    call(5, "move_uploaded_file"),
    call(5, "include"),
    call(3, "require"),
    call(5, "require_once"),
    call(5, "include_once"),
    call(4, "unserialize"),
    call(5, "gzinflate"),
    call(5, "str_rot13"),
    call(5, "parse_str"),
    call(4, "extract"),
    call(4, "chr"),
    call(4, "hex2bin"),
    call(4, "ob_start"),
    call(4, "highlight_file"),
    call(4, "show_source"),
    call(4, "var_dump"),
    call(4, "print_r"),
    call(4, "md5"),
    call(4, "print"),
    call(5, "ini_set"),
    call(4, "ini_get"),
    call(5, "set_time_limit"),
    call(5, "register_shutdown_function"),
    call(5, "apache_setenv"),
    call(5, "getenv"),
    call(5, "putenv"),
    call(5, "posix_getpwuid"),
    call(5, "opendir"),
    call(5, "scandir"),
    call(5, "unlink"),
    call(5, "chmod"),
    call(5, "mail"),
    call(5, "fsockopen"),
    call(5, "curl_exec"),
    call(5, "curl_init"),
    call(5, "dl"),
    call(5, "symlink"),
    call(5, "glob"),
    call(5, "openlog"),
    call(5, "ftp_connect"),
    call(5, "session_start"),
    call(5, "function_exists"),
    call(5, "get_defined_vars"),
    call(5, "getallheaders"),
    call(5, "error_log"),
    call(5, "putenv"),
    call(5, "phpversion"),
    call(5, "php_uname"),
    call(5, "zend_version"),
    call(5, "bzopen"),
    call(5, "gzopen"),
    call(5, "tmpfile"),
    call(5, "tempnam"),
    call(5, "is_writable"),
    call(5, "filemtime"),
    call(5, "rename"),
    call(5, "copy"),
    call(5, "rmdir"),
    call(5, "mkdir"),
    any(6, "while("),
    any(6, "for(;;)"),
    any(6, "$_get"),
    any(6, "$_post"),
    any(6, "$_request"),
    any(6, "$_cookie"),
    any(6, "$_server"),
    any(6, "$_files"),
    any(6, "$_env"),
    any(6, "$_session"),
    any(6, "$globals"),
    any(6, "$http_"),
    any(5, "$this->"),
    any(6, "${@"),
    any(6, "php_self"),
    any(4, "$$"),
    any(5, "auto_prepend_file"),
    any(5, "allow_url_include"),
    any(5, "disable_functions"),
    any(4, "__halt_compiler"),
    any(4, "$argc"),
    any(4, "$argv"),
    any(7, "child_process"),
    any(7, "process.mainmodule"),
    any(6, "process.env"),
    any(6, "process.binding"),
    any(6, "require('fs"),
    any(6, "require(\"fs"),
    any(6, "require('child"),
    any(6, "require(\"child"),
    any(7, "global.process"),
    any(6, "execsync"),
    any(6, "spawnsync"),
    any(5, "readfilesync"),
    any(5, "process.exit"),
    any(5, "process.kill"),
    any(6, "this.constructor.constructor"),
    any(6, "console.debug"),
    any(5, "res.end("),
    any(5, "response.end("),
    any(5, "_load("),
    any(6, "global.root"),
    any(7, "__import__("),
    any(6, "os.system"),
    any(6, "os.popen"),
    any(6, "subprocess."),
    any(5, "import os"),
    any(5, "import socket"),
    any(5, "import subprocess"),
    any(4, "exec(compile"),
    any(4, "globals()["),
    any(5, "open('/etc"),
    any(5, "execfile("),
    any(6, "kernel.exec"),
    any(6, "kernel.fork"),
    any(6, "io.popen"),
    any(6, "file.read("),
    any(5, "open3"),
    any(6, "process.spawn"),
    any(5, "%x("),
    any(5, "instance_eval"),
    any(5, "erb.new"),
    any(8, "response.write("),
    any(8, "wscript.shell"),
    any(8, "createobject("),
    any(6, "server.createobject"),
    any(6, "execute("),
    any(6, "executeglobal"),
    any(6, "response.end"),
    any(6, "request.form"),
    any(5, "process.start("),
    any(5, "system.io.file"),
    any(5, "reflection.assembly"),
    any(6, "frombase64string"),
    any(6, "scripting.filesystem"),
    any(0, "${'"),
    any(0, ")("),
    any(0, ") ("),
    any(0, "]("),
    any(0, "] ("),
    any(0, "}("),
    any(0, "} ("),
    any(0, "'("),
    any(0, "' ("),
    any(0, "\"("),
    any(0, "\" ("),
    any(0, "*/("),
    any(0, "*/ ("),
    any(0, "()"),
    any(0, "('"),
    any(0, "(\""),
    any(0, "{$"),
    any(0, "_limit"),
    any(0, "extension_"),
    any(0, "open_basedir"),
    any(0, "safe_mode"),
    any(0, "suhosin"),
    any(0, "session.save"),
    any(0, "opcache."),
    any(0, "zend."),
    any(0, "_url_"),
    any(0, "enable_dl"),
    any(0, "cgi.fix"),
    any(0, "register_globals"),
    any(0, ".php"),
    any(0, ".pht"),
    any(0, ".phar"),
    any(0, ".jsp"),
    any(0, ".asp"),
    any(0, ".ashx"),
    any(0, ".asmx"),
    any(0, ".cgi"),
    any(0, ".cfm"),
    any(0, ".shtml"),
    any(0, ".asa"),
    any(0, ".htaccess"),
    any(0, "web.config"),
    any(0, "wp-config"),
    any(0, ".user.ini"),
    any(0, ".bash"),
    any(0, ".ssh"),
    any(0, ".env"),
    start(5, "use io::"),
    any(5, "print \"content-type"),
    any(5, "print `"),
    any(5, "open(f,"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    file_name(text, weight);
    let quoted = quoted_code(text.low);
    let listing = is_listing(text.raw);
    let harmless = listing && text.has(Family::Code, "<?") && is_harmless(text);
    let mut sum = 0;
    let mut strong = 0;
    for hit in text.hits(Family::Code) {
        let at = hit.at as usize;
        let shown = text.prose && quoted.iter().any(|&(from, to)| at >= from && at < to);
        let points = u32::from(hit.marker.points);
        let ordinary =
            listing && (ORDINARY.contains(&hit.marker.text) || harmless && hit.marker.text.starts_with("<?"));
        let points = if shown || text.prose || ordinary { points / 3 } else { points };
        // Names of functions only add up to a suspicion; tags and superglobals make it an attack.
        let cap = if points >= 6 { 12 } else { 8u32 };
        let points = points.min(cap.saturating_sub(sum));
        sum += points;
        strong = strong.max(u32::from(hit.marker.points));
        weight.add(points, hit.marker.text);
        if !text.prose
            && !ordinary
            && (4..=6).contains(&hit.marker.points)
            && is_called_with_text(text, at + hit.marker.text.len())
        {
            weight.add(4, "called with a text");
        }
    }
    if text.low.starts_with(b"while(") && text.raw.len() < 100 {
        weight.add(10, "endless loop");
    }
    if text.classes.any(Classes::OPERATOR) && memchr::memchr2(b'_', b'.', text.low).is_some() && text.raw.len() <= 1024
    {
        settings(text, weight);
    }
    // `${'name'}`: a variable whose name is computed.
    for at in memchr::memchr_iter(b'$', text.low).take(64) {
        let rest = text.from(at + 1).trim_ascii_start();
        let inner = rest.strip_prefix(b"{").map(<[u8]>::trim_ascii_start);
        let apart = rest.len() < text.from(at + 1).len() && inner.is_some();
        if apart && !text.prose && window(rest, 64).contains(&b'}') {
            weight.add(10, "computed variable");
        }
        if inner.is_some_and(|inner| {
            matches!(inner.first(), Some(b'\'' | b'"' | b'@'))
                || inner.starts_with(b"$") && rest.as_ptr() != text.from(at + 1).as_ptr()
        }) {
            weight.add(10, "computed variable");
        }
    }
    calls::weigh(text, weight);
    tags(text, &quoted, harmless, weight);
    if sum >= 5 && !text.prose && !harmless && statement_around(text.low) {
        weight.add(3, "a statement");
    }
}

/// What programs that people write down have in them without running anything: what they import and ask.
const ORDINARY: &[&str] = &[
    "require",
    "getenv",
    "curl_init",
    "curl_exec",
    "import os",
    "import socket",
    "process.env",
    "print",
    "while(",
    "md5",
];

/// Names of files that a server would run instead of storing them.
fn file_name(text: &Text<'_>, weight: &mut Weight) {
    if !names_a_file(text.spot) {
        return;
    }
    // Spaces and dots that file systems drop must not hide the ending.
    let name: Vec<u8> = text.low.iter().copied().filter(|byte| !matches!(byte, b' ' | 0)).collect();
    let runs = RUNNABLE.iter().any(|ending| {
        memchr::memmem::find_iter(&name, ending.as_bytes()).any(|at| {
            let rest = name.get(at + ending.len()..).unwrap_or_default();
            let version = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            matches!(rest.get(version..), Some([] | [b'.' | b';' | b'%' | b':' | b'/', ..]))
        })
    });
    weight.add(if runs { 10 } else { 0 }, "a file that a server runs");
    let known = [
        ".htaccess",
        ".htpasswd",
        "web.config",
        "wp-config",
        ".user.ini",
        "php.ini",
        ".bashrc",
        ".bash_history",
        ".ssh",
        ".env",
        "authorized_keys",
        "crossdomain.xml",
    ];
    weight.add(if known.iter().any(|known| has(&name, known)) { 10 } else { 0 }, "a file that configures a server");
}

/// Endings of scripts that web servers run.
const RUNNABLE: &[&str] = &[
    ".php", ".phps", ".phpt", ".phtml", ".phar", ".pht", ".jsp", ".jspx", ".asp", ".aspx", ".ashx", ".asmx", ".cer",
    ".asa", ".cgi", ".cfm", ".shtml",
];

/// Settings of PHP that change what runs.
const SETTINGS: &[&str] = &[
    "allow_url_include",
    "allow_url_fopen",
    "auto_prepend_file",
    "auto_append_file",
    "disable_functions",
    "disable_classes",
    "extension_dir",
    "memory_limit",
    "open_basedir",
    "safe_mode",
    "short_open_tag",
    "suhosin.",
    "session.save_path",
    "upload_tmp_dir",
    "sendmail_path",
    "opcache.",
    "zend.",
    "include_path",
    "display_errors",
    "error_log",
    "mail.log",
    "enable_dl",
    "register_globals",
    "magic_quotes",
    "expose_php",
    "cgi.fix_pathinfo",
    "cgi.force_redirect",
    "user_ini.filename",
];

/// `memory_limit = 512M`: a setting and its value.
fn settings(text: &Text<'_>, weight: &mut Weight) {
    for setting in SETTINGS {
        let Some(at) = memchr::memmem::find(text.low, setting.as_bytes()) else { continue };
        let rest = window(text.from(at + setting.len()), 48);
        let name = rest.iter().take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')).count();
        if rest.get(name..).is_some_and(|rest| rest.trim_ascii_start().starts_with(b"=")) && !text.prose {
            weight.add(10, "a setting of PHP");
        }
    }
}

/// A literal, a variable or a nested call right inside the parentheses.
fn is_called_with_text(text: &Text<'_>, at: usize) -> bool {
    let rest = window(text.from(at), 24);
    let open = rest.iter().position(|&byte| byte == b'(');
    open.and_then(|open| rest.get(open + 1..))
        .is_some_and(|inner| matches!(inner.trim_ascii_start().first(), Some(b'\'' | b'"' | b'$' | b'`' | b'@' | b'<')))
}

fn statement_around(low: &[u8]) -> bool {
    low.trim_ascii_end().ends_with(b";")
        || has(low, ");")
        || low.starts_with(b";")
        || has(low, "${@")
        || low.starts_with(b"'.")
        || low.starts_with(b"\".")
        || low.starts_with(b"'+")
        || low.starts_with(b"'-")
}

/// A program over several lines that runs no other, reads nothing of its request and has no computed names: somebody shows
/// how to call something.
fn is_harmless(text: &Text<'_>) -> bool {
    let fragments = [
        "$_",
        "$globals",
        "system",
        "passthru",
        "popen",
        "proc_open",
        "eval",
        "assert",
        "create_function",
        "call_user",
        "base64_decode",
        "gzinflate",
        "str_rot13",
        "hex2bin",
        "unserialize",
        "include",
        "file_put",
        "fwrite",
        "fputs",
        "move_uploaded",
        "copy(",
        "unlink",
        "chmod",
        "php://",
        "phpinfo",
        "preg_replace",
        "fsockopen",
        "`",
        "${",
        "]($",
        ")($",
        "}(",
        "stdin",
        "allow_url",
        "dl(",
        "mail(",
        "pcntl",
        "posix",
        "\\x",
        "chr(",
        "array_map",
        "usort",
    ];
    // `curl_exec` asks another server, which is what such a program is for.
    let runs = text.find_all("exec").take(64).any(|at| {
        let called = text.from(at + 4).trim_ascii_start().first() == Some(&b'(');
        called && !text.low.get(..at).unwrap_or_default().ends_with(b"curl_")
    });
    text.raw.len() <= 16 * 1024 && !runs && !fragments.iter().any(|fragment| has(text.low, fragment))
}

fn tags(text: &Text<'_>, quoted: &[(usize, usize)], harmless: bool, weight: &mut Weight) {
    let shown = |at: usize| quoted.iter().any(|&(from, to)| at >= from && at < to);
    for at in text.find_all("<?").take(32) {
        let rest = text.from(at + 2);
        let php =
            rest.starts_with(b"php") || rest.starts_with(b"=") || rest.first().is_some_and(u8::is_ascii_whitespace);
        if php && !rest.starts_with(b"xml") {
            weight.add(if shown(at) || harmless { 3 } else { 6 }, "PHP tag");
            if !shown(at)
                && !harmless
                && !text.prose
                && window(rest, 512).iter().any(|byte| matches!(byte, b'(' | b'`' | b'$'))
            {
                weight.add(5, "code in the tag");
            }
        }
    }
    for at in text.find_all("<%").take(32) {
        let rest = window(text.from(at + 2), 256);
        let inner = rest.get(..memchr::memmem::find(rest, b"%>").unwrap_or(rest.len())).unwrap_or_default();
        let runs = inner.iter().any(|byte| matches!(byte, b'(' | b'`' | b'*' | b'@' | b'"'));
        weight.add(
            if shown(at) {
                2
            } else if runs {
                8
            } else {
                4
            },
            "server page tag",
        );
    }
    for at in text.find_all("<!--#").take(16) {
        let rest = text.from(at + 5);
        if ["exec", "include", "echo", "config", "fsize", "flastmod", "printenv", "set"]
            .iter()
            .any(|directive| rest.starts_with(directive.as_bytes()))
        {
            weight.add(if shown(at) { 4 } else { 10 }, "server-side include");
        }
    }
}

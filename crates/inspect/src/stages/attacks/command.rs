//! Shell commands, Unix and Windows: what stands behind a separator or inside a substitution must read as a command.
//!
//! Quotes, backslashes, carets and empty variables inside a word are taken out first, as a shell does. A bare command
//! word is no evidence (`cat`, `time`, `find` are English); an option, a path, an address or the end behind it is.

use super::commands::{KEYWORDS, STRONG, WEAK, WRAPPERS};
use super::family::{Family, Weight};
use super::gate::{Classes, Marker, any, start, word};
use super::text::{Text, has, is_fenced, is_word, quoted_code, window};

pub(super) const MARKERS: &[Marker] = &[
    any(10, "${ifs"),
    any(10, "$ifs"),
    any(10, "/dev/tcp/"),
    any(10, "/dev/udp/"),
    any(10, "() {"),
    any(9, "(){ :"),
    any(9, "() { "),
    any(7, "/bin/sh"),
    any(7, "/bin/bash"),
    any(7, "/bin/cat"),
    any(7, "/bin/ls"),
    any(7, "/bin/id"),
    any(7, "/bin/nc"),
    any(6, "/usr/bin/"),
    any(6, "/usr/local/bin/"),
    any(6, "/usr/sbin/"),
    any(6, "/bin/ping"),
    any(6, "/bin/uname"),
    any(7, "bash -i"),
    any(7, "bash -c"),
    any(7, "sh -c"),
    any(7, "sh -i"),
    any(8, "nc -e"),
    any(8, "nc -l"),
    start(7, "ncat "),
    any(6, "mkfifo "),
    any(7, "python -c"),
    any(7, "python3 -c"),
    any(7, "perl -e"),
    any(7, "ruby -e"),
    any(7, "php -r"),
    any(6, "lua -e"),
    any(5, "awk 'begin"),
    any(7, "base64 -d"),
    any(6, "base64 --decode"),
    any(6, "|bash"),
    any(6, "| bash"),
    any(6, "|sh"),
    any(5, "| sh"),
    any(7, "cmd.exe"),
    any(7, "cmd /c"),
    any(6, "command.com"),
    any(4, "powershell"),
    any(6, "powershell -"),
    any(6, "powershell iex"),
    any(6, "powershell.exe"),
    any(7, "certutil"),
    any(6, "bitsadmin"),
    any(6, "wscript"),
    any(6, "cscript"),
    any(6, "mshta"),
    any(5, "rundll32"),
    any(5, "regsvr32"),
    any(6, "net user"),
    any(6, "net localgroup"),
    any(8, "set /a"),
    any(5, "%comspec%"),
    any(5, "%systemroot%"),
    any(4, "%windir%"),
    any(10, "invoke-expression"),
    any(10, "invoke-webrequest"),
    any(6, "downloadstring"),
    any(5, "downloadfile"),
    any(4, "new-object"),
    any(4, "start-process"),
    any(5, "-encodedcommand"),
    any(5, "executionpolicy"),
    any(5, "wmic "),
    any(5, "schtasks"),
    any(4, "systeminfo"),
    start(3, "chmod +x"),
    start(3, "chmod 777"),
    start(4, "rm -rf"),
    start(3, "uname -a"),
    start(3, "ifconfig"),
    start(3, "ipconfig"),
    start(3, "whoami"),
    start(3, "netstat -"),
    start(3, "ps aux"),
    start(3, "ps -"),
    start(3, "ls -la"),
    start(3, "ls -al"),
    start(3, "ls -l"),
    start(3, "dir c:"),
    start(3, "type c:"),
    start(3, "ping -"),
    start(3, "wget http"),
    start(3, "curl http"),
    start(3, "curl -"),
    start(3, "wget -"),
    start(3, "nslookup "),
    start(3, "telnet "),
    start(4, "cat /etc"),
    start(3, "sleep "),
    any(10, "-oproxycommand"),
    any(10, "--upload-pack="),
    any(10, "--receive-pack="),
    any(10, "--checkpoint-action="),
    any(10, "--use-askpass="),
    any(9, "--to-command="),
    any(9, "--use-compress-program"),
    any(9, "core.sshcommand"),
    any(9, "core.gitproxy"),
    any(8, "ext::sh"),
    any(0, "<<<"),
    any(0, ":~"),
    any(0, "\\n"),
    any(0, "\\r"),
    any(0, "${"),
    word(2, "cat"),
    word(2, "etc"),
    word(0, "ls"),
    word(0, "id"),
    word(0, "echo"),
    word(0, "printf"),
    word(0, "nc"),
    word(0, "exec"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let quoted = quoted_code(text.low);
    let mut markers = 0;
    for hit in text.hits(Family::Command) {
        let at = hit.at as usize;
        let points = u32::from(hit.marker.points);
        // The first line of a script names its interpreter.
        if hit.marker.text.starts_with("/usr/") && at == 2 && text.low.starts_with(b"#!") {
            continue;
        }
        // A function with its name; what a shell is to import has none.
        if hit.marker.text.starts_with("() {") && text.before(at).is_some_and(is_word) {
            continue;
        }
        // Weak fragments only help others.
        let points = if points <= 4 { points.min(6u32.saturating_sub(markers)) } else { points };
        markers += points;
        let shown =
            text.prose && quoted.iter().any(|&(from, to)| at >= from && at < to) || is_fenced(text.low, &quoted, at);
        weight.add(
            if shown {
                0
            } else if text.prose {
                points / 2
            } else {
                points
            },
            hit.marker.text,
        );
    }
    separators(text, &quoted, weight);
    substitutions(text, &quoted, weight);
    globs(text, weight);
    // `~+`, `~-2`: directories a shell remembers; nothing else is written so.
    if let [b'~', b'+' | b'-', digits @ ..] = text.low.trim_ascii()
        && digits.len() <= 3
        && digits.iter().all(u8::is_ascii_digit)
    {
        weight.add(10, "tilde expansion");
    }
    braces(text, weight);
    signs(text, weight);
    leading_command(text, weight);
}

/// A command behind `;`, `|`, `&`, a line end.
fn separators(text: &Text<'_>, quoted: &[(usize, usize)], weight: &mut Weight) {
    if !text.classes.any(Classes::SEPARATOR) {
        return;
    }
    let low = text.low;
    for (count, at) in low
        .iter()
        .enumerate()
        .filter(|(_, byte)| matches!(byte, b';' | b'|' | b'&' | b'\n' | b'\r'))
        .map(|(at, _)| at)
        .enumerate()
    {
        if count >= 512 {
            break;
        }
        // The second of `&&` and `||` is the one looked behind.
        if matches!(low.get(at + 1), Some(b'|' | b'&' | b';' | b'\n')) {
            continue;
        }
        // A script shown between fences in a text.
        if text.prose && quoted.iter().any(|&(from, to)| at >= from && at < to) || is_fenced(low, quoted, at) {
            continue;
        }
        let command = Command::read(low.get(at + 1..).unwrap_or_default());
        weight.add(behind(text, at, &command), "command behind a separator");
        weight.add(grammar(text, at), "grammar of a shell");
        if command.disguised && command.strength != Strength::None {
            weight.add(5, "disguised word");
        }
    }
}

/// How much a command weighs that stands behind the separator at `at`.
fn behind(text: &Text<'_>, at: usize, command: &Command) -> u32 {
    let low = text.low;
    let separator = low.get(at).copied().unwrap_or(b';');
    // A line end that was spelt out in an escape separates commands; one that a text just has separates lines.
    let line_end = matches!(separator, b'\n' | b'\r') && !text.hidden_lines;
    let loose = text.prose || line_end;
    let points = match (command.strength, command.argument) {
        (Strength::None, _) => return 0,
        // Commands line by line from the first word on: a script that somebody shows.
        (Strength::Strong, Argument::Shell) if line_end && Command::read(low).strength == Strength::Strong => 4,
        // One line of a script that somebody shows.
        (Strength::Strong, Argument::Shell) if text.listing => 5 + 2 * u32::from(!line_end),
        (Strength::Strong, Argument::Shell) => 10,
        (Strength::Strong, Argument::Nothing) if line_end || text.prose && at > 0 => 4,
        (Strength::Strong, Argument::Nothing) => 8,
        (Strength::Strong, Argument::Plain) => {
            if loose {
                1
            } else {
                4
            }
        }
        (Strength::Weak, Argument::Shell) => {
            if text.prose {
                5
            } else {
                8
            }
        }
        (Strength::Weak, Argument::Nothing) => {
            if loose {
                0
            } else {
                3
            }
        }
        (Strength::Weak, Argument::Plain) => 0,
    };
    // A separator before everything else has nothing to separate but a command line.
    let first = !line_end && !text.prose && low.iter().take(at).all(|byte| !byte.is_ascii_alphanumeric());
    let points = match (first, command.strength, command.argument) {
        (false, ..) => points,
        (true, Strength::Strong, Argument::Plain) => 8,
        (true, Strength::Weak, Argument::Plain) => {
            if command.shell_only {
                8
            } else {
                3
            }
        }
        (true, Strength::Weak, Argument::Nothing) => {
            if command.last {
                8
            } else {
                points + 2
            }
        }
        (true, ..) => points + 2,
    };
    let points = if line_end && text.prose { points / 2 } else { points };
    // Behind the address of a machine stands nothing but an address, unless a command line was made of it.
    let points = if points == 8 && !text.prose && is_address(low.get(..at).unwrap_or_default()) { 10 } else { points };
    // `a&b` is also how queries and texts join.
    let single = separator == b'&' && low.get(at.wrapping_sub(1)) != Some(&b'&');
    let apart = first && low.get(at + 1) == Some(&b' ') && points >= 8 && command.strength == Strength::Strong;
    if single && command.argument != Argument::Shell && !apart { points / 2 } else { points }
}

/// An address of IPv4, perhaps with the second half of a separator or a space behind it.
fn is_address(before: &[u8]) -> bool {
    let end = before.iter().rposition(|byte| !matches!(byte, b' ' | b'|' | b'&' | b'"' | b'\'')).map_or(0, |at| at + 1);
    let name = before.get(..end).unwrap_or_default();
    name.len() >= 7
        && name.len() <= 15
        && name.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && name.iter().filter(|&&byte| byte == b'.').count() == 3
}

/// What else only a shell reads behind a separator: a variable as a command, a script by its path, the words of a loop.
fn grammar(text: &Text<'_>, at: usize) -> u32 {
    let separator = text.low.get(at).copied().unwrap_or(b';');
    let line_end = matches!(separator, b'\n' | b'\r') && !text.hidden_lines;
    if text.prose || text.listing || line_end || !matches!(separator, b';' | b'|' | b'&' | b'\n' | b'\r') {
        return 0;
    }
    let rest = window(trim_spaces(text.from(at + 1)), 24);
    let word = rest.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (word, after) = rest.split_at_checked(word).unwrap_or_default();
    if separator == b';'
        && KEYWORDS.contains(&word)
        && !after.first().is_some_and(|byte| is_word(*byte) || *byte == b'=')
    {
        return 8;
    }
    match rest {
        [b'.', b'/', letter, ..] if letter.is_ascii_alphanumeric() => 8,
        [b'.', b' ', b'/' | b'.', ..] => 9,
        // `;$a$b`: a command in pieces.
        [b'$', b'a'..=b'z' | b'_', ..] => {
            let name = rest.iter().skip(1).take_while(|byte| is_word(**byte)).count();
            if rest.get(name + 1) == Some(&b'$') { 10 } else { 0 }
        }
        _ => 0,
    }
}

/// Signs that only a shell puts together: `<<<`, `${PATH:0:1}`, `%PATH:~0,1%`.
fn signs(text: &Text<'_>, weight: &mut Weight) {
    if text.prose || text.listing {
        return;
    }
    // What the gate did not see is not searched again.
    let has_mark = |mark: &str| text.has(Family::Command, mark);
    for at in text.find_all("<<<").take(if has_mark("<<<") { 8 } else { 0 }) {
        let alone = text.before(at) != Some(b'<') && !text.from(at + 3).starts_with(b"<");
        weight.add(if alone && text.raw.len() > at + 3 { 8 } else { 0 }, "a here-string");
    }
    for at in text.find_all("${").take(if has_mark("${") { 32 } else { 0 }) {
        let rest = window(text.from(at + 2), 32);
        let name = rest.iter().take_while(|byte| is_word(**byte)).count();
        let cut = matches!(rest.get(name..), Some([b':', digit, b':' | b'}', ..] | [b':', b' ', digit, ..]) if digit.is_ascii_digit() || *digit == b'-');
        let stripped = matches!(rest.get(name..), Some([b'%' | b'#', b'%' | b'#' | b'?' | b'*', ..]));
        weight.add(if name > 0 && (cut || stripped) { 10 } else { 0 }, "a part of a variable");
    }
    for at in text.find_all(":~").take(if has_mark(":~") { 16 } else { 0 }) {
        let digits = text.from(at + 2).first().is_some_and(|byte| byte.is_ascii_digit() || *byte == b'-');
        let percent = has(window(text.low.get(..at).unwrap_or_default(), 64), "%");
        weight.add(if digits && percent { 10 } else { 0 }, "a part of a variable");
    }
    // The letters `\n` in front of everything, for what reads escapes.
    if let [b'\\', b'n' | b'r', rest @ ..] = text.low {
        let line = rest.split(|&byte| byte == b'\\').next().unwrap_or_default();
        let command = Command::read(line);
        let points = match (command.strength, command.argument) {
            (Strength::Strong, Argument::Shell | Argument::Nothing) => 10,
            (Strength::Weak, Argument::Shell) => 6,
            _ => 0,
        };
        weight.add(points, "command behind an escaped line end");
    }
}

/// `$(cmd)`, `` `cmd` ``, `<(cmd)`, `${...}`.
fn substitutions(text: &Text<'_>, quoted: &[(usize, usize)], weight: &mut Weight) {
    let low = text.low;
    for open in ["$(", "<(", ">("] {
        for at in memchr::memmem::find_iter(low, open).take(128) {
            let command = Command::read(low.get(at + 2..).unwrap_or_default());
            let shown = quoted.iter().any(|&(from, to)| at >= from && at < to);
            let points = match command.strength {
                Strength::None => 0,
                // Questions about shells show the bare form.
                Strength::Strong if text.prose && command.argument == Argument::Nothing => 4,
                Strength::Strong => 10,
                Strength::Weak if command.argument == Argument::Plain => 4,
                Strength::Weak => 8,
            };
            weight.add(if shown && text.prose { points / 3 } else { points }, "command substitution");
            if command.disguised {
                weight.add(4, "disguised word");
            }
        }
    }
    if has(low, "$((") {
        weight.add(5, "shell arithmetic");
    }
    for &(from, to) in quoted {
        let command = Command::read(low.get(from + 1..to.saturating_sub(1)).unwrap_or_default());
        if command.strength == Strength::None {
            continue;
        }
        // Markdown sets code off with spaces; glued to something it is a substitution.
        let glued = |byte: Option<&u8>| {
            byte.is_some_and(|byte| {
                byte.is_ascii_alphanumeric()
                    || matches!(byte, b'=' | b'|' | b';' | b'&' | b'-' | b'$' | b'/' | b'\'' | b'"')
            })
        };
        let joined = glued(from.checked_sub(1).and_then(|at| low.get(at))) || glued(low.get(to));
        let alone = from <= 1 && to + 1 >= low.len();
        let strong = command.strength == Strength::Strong;
        let points = match (text.prose, joined || alone) {
            (true, _) => 2,
            (false, true) => {
                if strong {
                    10
                } else if command.argument == Argument::Shell {
                    8
                } else {
                    3
                }
            }
            (false, false) => {
                if strong {
                    7
                } else {
                    3
                }
            }
        };
        weight.add(points, "backticks");
    }
}

/// Paths spelt with wildcards: `/???/c?t`, `/b*n/c*t`.
fn globs(text: &Text<'_>, weight: &mut Weight) {
    if !text.classes.all(Classes::SLASH | Classes::OPERATOR) {
        return;
    }
    for piece in
        text.low.split(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'|' | b'&' | b'(')).take(256)
    {
        if !piece.starts_with(b"/") || piece.starts_with(b"//") || piece.starts_with(b"/*") {
            continue;
        }
        let masked = piece.split(|&byte| byte == b'/').skip(1).filter(|segment| {
            (2..=12).contains(&segment.len())
                && segment.iter().any(|byte| matches!(byte, b'?' | b'*' | b'['))
                && segment
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'?' | b'*' | b'[' | b']' | b'-'))
        });
        if masked.count() >= 2 && !has(piece, "=") {
            weight.add(9, "path with wildcards");
        }
    }
}

/// Words made by brace expansion: `{,ifconfig}`, `{ls,-la}`, `c{a,}t`.
fn braces(text: &Text<'_>, weight: &mut Weight) {
    if !text.classes.any(Classes::BRACE) || text.prose {
        return;
    }
    for at in memchr::memchr_iter(b'{', text.low).take(64) {
        let inner = window(text.from(at + 1), 64);
        let Some(end) = memchr::memchr(b'}', inner) else { continue };
        let words = inner.get(..end).unwrap_or_default();
        let plain =
            words.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b',' | b'-' | b'/' | b'.' | b'_'));
        let expands = words.contains(&b',') && words.iter().any(u8::is_ascii_alphabetic);
        let odd = words.starts_with(b",")
            || words.ends_with(b",")
            || has(words, ",-")
            || has(words, ",/")
            || has(words, ",,");
        // Letters on both sides: the words only come to be by expanding.
        let inside_word = at.checked_sub(1).and_then(|at| text.low.get(at)).is_some_and(u8::is_ascii_alphabetic)
            && inner.get(end + 1).is_some_and(u8::is_ascii_alphabetic)
            && !words.iter().any(u8::is_ascii_digit);
        if plain && expands && odd {
            weight.add(10, "brace expansion");
        } else if plain && expands && inside_word {
            weight.add(if text.raw.len() <= 48 && !has(text.low, " ") { 10 } else { 6 }, "brace expansion");
        }
    }
}

/// A text that is a command line from its first word on.
fn leading_command(text: &Text<'_>, weight: &mut Weight) {
    if text.prose
        || text.spot.in_head() && matches!(text.spot, crate::values::Spot::Path | crate::values::Spot::Segment(_))
    {
        return;
    }
    let command = Command::read(text.low);
    let points = match (command.strength, command.argument) {
        (Strength::Strong, Argument::Shell) => 5,
        (Strength::Weak, Argument::Shell) => 2,
        _ => 0,
    };
    weight.add(points, "command line");
    if command.disguised && command.strength != Strength::None {
        weight.add(if command.strength == Strength::Strong { 10 } else { 5 }, "disguised word");
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Strength {
    None,
    Weak,
    Strong,
}

#[derive(Clone, Copy, PartialEq)]
enum Argument {
    /// An option, path, address, redirection, variable.
    Shell,
    /// The end or another separator.
    Nothing,
    /// Words.
    Plain,
}

/// The command at the front of a text.
struct Command {
    strength: Strength,
    argument: Argument,
    /// Its word was written with signs a shell takes out.
    disguised: bool,
    /// Nothing follows but another separator or a comment.
    last: bool,
    /// No text but a script has this word with words behind it.
    shell_only: bool,
}

impl Command {
    const NONE: Self =
        Self { strength: Strength::None, argument: Argument::Plain, disguised: false, last: false, shell_only: false };

    fn read(rest: &[u8]) -> Self {
        let (outer, after) = Self::word(rest);
        if !outer.wraps || outer.command.argument == Argument::Nothing {
            return outer.command;
        }
        // `env id`, `timeout 5 id`: what the wrapper runs, behind its options and numbers.
        let mut inner = after.trim_ascii_start();
        for _ in 0..2 {
            let word = inner.iter().take(16).take_while(|byte| !byte.is_ascii_whitespace()).count();
            match inner.first() {
                Some(b'-' | b'0'..=b'9') => inner = inner.get(word..).unwrap_or_default().trim_ascii_start(),
                _ => break,
            }
        }
        let (inner, _) = Self::word(inner);
        if inner.command.strength == Strength::Strong && inner.command.argument != Argument::Plain {
            return Self { disguised: outer.command.disguised || inner.command.disguised, ..inner.command };
        }
        outer.command
    }

    /// The word at the front, and what follows it.
    fn word(rest: &[u8]) -> (Word, &[u8]) {
        let none = Word { command: Self::NONE, wraps: false };
        let skipped = rest
            .iter()
            .take(32)
            .take_while(|byte| {
                byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'(' | b'{' | b'!' | b'@' | b'+')
            })
            .count();
        let rest = rest.get(skipped..).unwrap_or_default();
        let mut word = [0u8; 24];
        let mut length = 0usize;
        let mut used = 0usize;
        let mut disguised = false;
        let bytes = window(rest, 64);
        while let Some(&byte) = bytes.get(used) {
            let next = bytes.get(used + 1).copied();
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' | b'/' => {
                    let Some(slot) = word.get_mut(length) else { return (none, rest) };
                    *slot = byte;
                    length += 1;
                    used += 1;
                }
                b'\'' | b'"' | b'^' | b'\\'
                    if length > 0
                        && next.is_some_and(|next| {
                            next.is_ascii_alphanumeric() || matches!(next, b'\'' | b'"' | b'/')
                        }) =>
                {
                    disguised = true;
                    used += 1;
                }
                b'$' if matches!(next, Some(b'@' | b'*' | b'1'..=b'9' | b'!')) => {
                    disguised = true;
                    used += 2;
                }
                _ => break,
            }
        }
        let word = word.get(..length).unwrap_or_default();
        let name = word.rsplit(|&byte| byte == b'/').next().unwrap_or(word);
        let name = name.strip_suffix(b".exe").unwrap_or(name);
        let in_bin = has(word, "bin/");
        let listed = |list: &[&str]| list.iter().any(|known| known.as_bytes() == name);
        let strength = if in_bin || listed(STRONG) {
            Strength::Strong
        } else if listed(WEAK) {
            Strength::Weak
        } else {
            return (none, rest);
        };
        let after = rest.get(used..).unwrap_or_default();
        let shell_only = matches!(name, b"echo" | b"eval" | b"exec" | b"unset" | b"alias" | b"printf" | b"sendmail");
        let last = window(after, 16).iter().all(|byte| b" ;|&#\t\n\r'\"".contains(byte)) && after.len() <= 16;
        let command = Self { strength, argument: argument(after), disguised, last, shell_only };
        (Word { command, wraps: listed(WRAPPERS) }, after)
    }
}

/// A command, and whether it runs another one.
struct Word {
    command: Command,
    wraps: bool,
}

fn argument(after: &[u8]) -> Argument {
    let spaces = after.iter().take(16).take_while(|byte| matches!(byte, b' ' | b'\t' | b'+' | b'"' | b'\'')).count();
    let rest = after.get(spaces..).unwrap_or_default();
    match rest {
        [] | [b';' | b'|' | b'&' | b'`' | b')' | b'\n' | b'\r' | b'#' | b'}' | 0, ..] => Argument::Nothing,
        [b'1' | b'2', b'>', ..] => Argument::Shell,
        [b'$' | b'>' | b'<' | b'~' | b'*' | b'?' | b'%' | b'{' | b'\\' | b'^', ..] => Argument::Shell,
        [b',', b'/' | b'-', ..] => Argument::Shell,
        [b'/', letter, ..] if *letter > 32 => Argument::Shell,
        [b'-', letter, ..] if letter.is_ascii_alphanumeric() || *letter == b'-' => Argument::Shell,
        [b'.', b'.' | b'/', ..] => Argument::Shell,
        _ if spaces == 0 => Argument::Plain,
        _ => {
            let word = window(rest, 64);
            let word = word
                .split(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'|' | b'&' | b'`' | b')'))
                .next()
                .unwrap_or_default();
            let pathlike = memchr::memchr2(b'/', b'\\', word).is_some()
                || has(word, "://")
                || word.iter().filter(|&&byte| byte == b'.').count() >= 2
                || word.get(1) == Some(&b':')
                || word.iter().any(|byte| matches!(byte, b'$' | b'*' | b'?' | b'\'' | b'"' | b'@'));
            let number = !word.is_empty() && word.iter().all(u8::is_ascii_digit);
            let followed = rest.get(word.len()..).unwrap_or_default();
            if pathlike
                || number
                    && matches!(trim_spaces(followed).first(), None | Some(b';' | b'|' | b'&' | b'`' | b')' | b'#'))
            {
                Argument::Shell
            } else {
                Argument::Plain
            }
        }
    }
}

fn trim_spaces(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_start()
}

//! Texts made from grammar, for what no collection that may be trained on has enough of: attacks by what the receiving
//! parser reads, and legitimate markup as editors and systems send it, so that a tag by itself tells nothing.

use super::Sample;

/// Attacks of one family that are made.
const MADE_OF_FAMILY: usize = 400;

type Words = &'static [&'static str];
type Maker = fn(&mut fastrand::Rng) -> String;

/// Attacks of the families that the collections have few of.
pub(super) fn attacks(seed: u64) -> Vec<Sample> {
    let mut random = fastrand::Rng::with_seed(seed ^ 0x6d61_6465);
    let makers: [(&'static str, Maker); 5] = [
        ("header", header),
        ("query language", filter),
        ("address", address),
        ("object", object),
        ("command", command),
    ];
    let mut out = Vec::new();
    for (family, make) in makers {
        for _ in 0..MADE_OF_FAMILY {
            let text = make(&mut random);
            out.push(Sample {
                source: "made".to_owned(),
                family,
                class: family.to_owned(),
                text: text.into_bytes(),
                attack: true,
            });
        }
    }
    out
}

fn one(random: &mut fastrand::Rng, words: Words) -> &'static str {
    random.choice(words).copied().unwrap_or_default()
}

fn word(random: &mut fastrand::Rng) -> String {
    let length = random.usize(2..9);
    std::iter::repeat_with(|| random.lowercase()).take(length).collect()
}

/// A value, a line end in one of its spellings, and what a head, a log or a mail goes on with.
fn header(random: &mut fastrand::Rng) -> String {
    const ENDS: Words = &[
        "%0d%0a",
        "%0a",
        "%0d",
        "\r\n",
        "\n",
        "\\r\\n",
        "%250d%250a",
        "%E5%98%8D%E5%98%8A",
        "\u{560d}\u{560a}",
        "%u000d%u000a",
        "&#13;&#10;",
        "\\u000d\\u000a",
        "%c4%8d%c4%8a",
        "\u{2028}",
        "%23%0d%0a",
        "%0d%0a%20",
    ];
    const FIELDS: Words = &[
        "Set-Cookie: ",
        "Location: //",
        "Content-Type: text/",
        "Content-Length: 0",
        "X-",
        "Refresh: 0;url=//",
        "HTTP/1.1 200 ",
        "Access-Control-Allow-Origin: ",
        "Link: <//",
        "Host: ",
        "Transfer-Encoding: chunked",
        "Bcc: ",
        "GET / HTTP/1.1",
        "[INFO] ",
        "RCPT TO:<",
        "Cache-Control: ",
        "Content-Security-Policy: ",
        "Last-Modified: ",
    ];
    let end = one(random, ENDS);
    let value = if random.bool() { word(random) } else { String::new() };
    let again = if random.u8(..) < 60 { format!("{end}{end}<{}>", word(random)) } else { String::new() };
    format!("{value}{end}{}{}{again}", one(random, FIELDS), word(random))
}

/// What leaves a filter of LDAP and goes on with another condition (RFC 4515).
fn filter(random: &mut fastrand::Rng) -> String {
    const NAMES: Words = &[
        "uid",
        "cn",
        "sn",
        "mail",
        "objectClass",
        "userPassword",
        "memberOf",
        "ou",
        "description",
        "telephoneNumber",
        "sAMAccountName",
        "givenName",
        "homeDirectory",
        "objectCategory",
    ];
    const STARTS: Words = &["*", "", "admin", "*)", "x*", "admin)"];
    const OPERATORS: Words = &["=", "=*", ">=", "<=", "~=", "=a*"];
    const JOINS: Words = &[")(", ")(|(", "))(|(", ")(&(", "))(&(", ")(!("];
    const ENDS: Words = &["", ")", "))", "))%00", "*", "*))", ")(&", ")(|"];
    let start = one(random, STARTS);
    let condition = format!("{}{}", one(random, NAMES), one(random, OPERATORS));
    format!("{start}{}{condition}{}", one(random, JOINS), one(random, ENDS))
}

/// An address of the inside in one of its spellings.
fn address(random: &mut fastrand::Rng) -> String {
    const SCHEMES: Words =
        &["http://", "https://", "//", "gopher://", "dict://", "ftp://", "http:\\\\", "http:/", "ldap://"];
    const PATHS: Words =
        &["", "/", "/admin", "/latest/meta-data/", ":8080/", ":22", ":6379/_INFO", "/server-status", "#@a/"];
    const NAMES: Words = &[
        "metadata",
        "metadata.google.internal",
        "[::1]",
        "[::]",
        "[::ffff:7f00:1]",
        "host.docker.internal",
        "0",
        "127.1",
    ];
    let [a, b, c, d] = match random.u8(0..4) {
        0 => [127, 0, 0, 1],
        1 => [169, 254, 169, 254],
        2 => [10, random.u8(..), random.u8(..), random.u8(..)],
        _ => [192, 168, random.u8(..), random.u8(..)],
    };
    let number = u32::from_be_bytes([a, b, c, d]);
    let host = match random.u8(0..9) {
        0 => format!("{number}"),
        1 => format!("{number:#x}"),
        2 => format!("{a:#o}.{b:#o}.{c:#o}.{d:#o}").replace("0o", "0"),
        3 => format!("{a:#x}.{b:#x}.{c:#x}.{d:#x}"),
        4 => format!("[::ffff:{a}.{b}.{c}.{d}]"),
        5 => format!("{a}.{b}.{c}.{d}.{}.io", word(random)),
        6 => format!("{}.example@{a}.{b}.{c}.{d}", word(random)),
        7 => one(random, NAMES).to_owned(),
        // Private addresses in their ordinary spelling are also what people have at home.
        _ if matches!(a, 10 | 192) => format!("{number}"),
        _ => format!("{a}.{b}.{c}.{d}"),
    };
    format!("{}{host}{}", one(random, SCHEMES), one(random, PATHS))
}

/// How objects begin that a deserializer brings to life.
fn object(random: &mut fastrand::Rng) -> String {
    let name = word(random);
    match random.u8(0..9) {
        0 => format!("O:{}:\"{name}\":1:{{s:1:\"a\";i:{};}}", name.len(), random.u8(..)),
        1 => format!("a:2:{{i:0;s:{}:\"{name}\";i:1;O:{}:\"{name}\":0:{{}}}}", name.len(), name.len()),
        2 => format!("rO0ABXNyAB{}", blob(random)),
        3 => format!("AAEAAAD/////AQAAAAAAAAAMAgAAA{}", blob(random)),
        4 => format!("gASV{}AAAAAAAACM{}", random.u8(16..99), blob(random)),
        5 => format!("!!python/object/apply:{name}.{name} [{name}]"),
        6 => format!("{{\"@type\":\"com.{name}.{name}\",\"{name}\":\"ldap://{name}/\"}}"),
        7 => format!("c{name}\nsystem\n(S'{name}'\ntR."),
        _ => format!("BAhvOh{}", blob(random)),
    }
}

fn blob(random: &mut fastrand::Rng) -> String {
    let length = random.usize(16..60);
    std::iter::repeat_with(|| random.alphanumeric()).take(length).collect()
}

/// A separator or substitution around a command with an argument.
fn command(random: &mut fastrand::Rng) -> String {
    const SEPARATORS: Words = &[";", "|", "||", "&&", "&", "\n", "%0a", "; ", " | ", " && ", "';", "\";", "`", "$("];
    const COMMANDS: Words = &[
        "id",
        "whoami",
        "ls",
        "ping",
        "curl",
        "wget",
        "uname",
        "env",
        "nc",
        "bash",
        "sh",
        "dir",
        "ipconfig",
        "ifconfig",
        "nslookup",
        "dig",
        "rm",
        "hostname",
        "ps",
        "pwd",
        "printenv",
        "systeminfo",
        "tasklist",
        "netstat",
    ];
    // Words of English need an argument that only a shell reads.
    const WORDS: Words =
        &["cat", "echo", "sleep", "touch", "type", "find", "head", "sort", "net", "host", "python", "php"];
    const ARGUMENTS: Words = &[
        " -la",
        " /etc/passwd",
        " -c 5 127.0.0.1",
        " http://a.example/x",
        " 5",
        " -a",
        "${IFS}/etc/hosts",
        " *",
        " -e /bin/sh",
        " c:\\",
        " /all",
        " 1>&2",
        " > /tmp/x",
        "$IFS$9x",
        " -n 3 127.0.0.1",
        " /c dir",
    ];
    const ENDS: Words = &["", ";", "|", "#", " #", "&", "'", "\""];
    let value = match random.u8(0..4) {
        0 => word(random),
        1 => format!("{}.{}.0.{}", random.u8(1..224), random.u8(..), random.u8(..)),
        _ => String::new(),
    };
    let separator = one(random, SEPARATORS);
    let end = match separator {
        "`" => "`",
        "$(" => ")",
        _ => one(random, ENDS),
    };
    let line = match random.u8(0..3) {
        0 => one(random, COMMANDS).to_owned(),
        1 => format!("{}{}", one(random, COMMANDS), one(random, ARGUMENTS)),
        _ => format!("{}{}", one(random, WORDS), one(random, ARGUMENTS)),
    };
    format!("{value}{separator}{line}{end}")
}

/// Items as people list them, with words that are also commands: `cat food; sleep well`.
pub(super) fn listed(text: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    const WORDS: Words = &[
        "cat", "sleep", "echo", "find", "host", "head", "sort", "type", "net", "touch", "time", "date", "more", "less",
        "who", "set", "test", "cut", "file", "group", "users", "history", "mail", "write", "look", "watch", "make",
        "git", "python", "node", "docker", "id", "name", "ping", "curl", "bash",
    ];
    const JOINS: Words = &["; ", ", ", " | ", " & ", "; ", " / ", " + "];
    let text = String::from_utf8_lossy(text.get(..text.len().min(120)).unwrap_or_default()).into_owned();
    let words: Vec<&str> = text.split_whitespace().take(16).collect();
    let join = one(random, JOINS);
    let items: Vec<String> = (0..random.usize(2..5))
        .map(|_| {
            let mut item: Vec<&str> = (0..random.usize(1..3)).filter_map(|_| random.choice(&words).copied()).collect();
            if random.bool() {
                item.insert(0, one(random, WORDS));
            }
            item.join(" ")
        })
        .collect();
    items.join(join).into_bytes()
}

/// An ordinary text as markup: what editors send, what systems send each other.
pub(super) fn markup(text: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    const INLINE: Words = &["b", "i", "em", "strong", "u", "code", "span", "small", "sub", "s", "mark"];
    const BLOCK: Words = &["p", "div", "li", "h1", "h2", "h3", "td", "blockquote", "pre"];
    let text = String::from_utf8_lossy(text.get(..text.len().min(160)).unwrap_or_default()).into_owned();
    let (inline, block, name) = (one(random, INLINE), one(random, BLOCK), word(random));
    let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
    let (front, back) = text.split_at_checked(middle).unwrap_or((text.as_str(), ""));
    match random.u8(0..10) {
        0 => format!("<{block}>{text}</{block}>"),
        1 => format!("<{block}>{front}<{inline}>{back}</{inline}></{block}>"),
        2 => format!("{front}<br>{back}"),
        3 => format!("<ul><li>{front}</li><li>{back}</li></ul>"),
        4 => format!("{front} <a href=\"https://www.{name}.example/{name}\">{back}</a>"),
        5 => format!("<p class=\"{name}\">{text}</p>"),
        6 => format!("<img src=\"https://{name}.example/{name}.png\" alt=\"{text}\">"),
        7 => format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><{name}><{name}Id>{}</{name}Id>{text}</{name}>",
            random.u16(..)
        ),
        8 => format!("<{name}>{text}</{name}>"),
        _ => format!("<table><tr><td>{front}</td><td style=\"text-align: left\">{back}</td></tr></table>"),
    }
    .into_bytes()
}

//! Variations of the training texts: what costs an attacker nothing, and the same done to legitimate texts so that it
//! tells nothing by itself.

use super::{Sample, made};

/// The samples and their variations.
pub(super) fn augment(samples: Vec<Sample>, seed: u64) -> Vec<Sample> {
    let mut random = fastrand::Rng::with_seed(seed);
    let ordinary: Vec<Vec<u8>> = samples
        .iter()
        .filter(|sample| !sample.attack && sample.text.len() < 40)
        .map(|sample| sample.text.clone())
        .collect();
    let mut out = Vec::with_capacity(samples.len() * 2);
    for sample in samples {
        for _ in 0..2 {
            let mut varied = sample.clone();
            varied.text = vary(&sample.text, sample.attack, &ordinary, &mut random);
            out.push(varied);
        }
        if !sample.attack && random.u8(..) < 80 {
            out.push(Sample { text: made::markup(&sample.text, &mut random), ..sample.clone() });
        }
        if !sample.attack && random.u8(..) < 60 {
            out.push(Sample { text: made::listed(&sample.text, &mut random), ..sample.clone() });
        }
        if !sample.attack && random.u8(..) < 128 {
            out.push(Sample { text: salad(&sample.text, &mut random), ..sample.clone() });
        }
        out.push(sample);
    }
    out
}

/// Words that attacks and ordinary texts share: by themselves they prove nothing.
const SHARED: &[&str] = &[
    "select",
    "union",
    "SELECT",
    "UNION",
    "insert",
    "update",
    "DELETE",
    "drop",
    "from",
    "where",
    "or",
    "and",
    "AND",
    "OR",
    "like",
    "having",
    "order by",
    "table",
    "null",
    "exec",
    "declare",
    "sleep",
    "javascript",
    "JavaScript:",
    "script",
    "alert",
    "confirm",
    "prompt",
    "eval",
    "document",
    "window",
    "cookie",
    "onload",
    "click",
    "iframe",
    "style",
    "import",
    "function",
    "java",
    "class",
    "echo",
    "cat",
    "curl",
    "wget",
    "bash",
    "ping",
    "ls",
    "nc",
    "id",
    "whoami",
    "sh",
    "etc",
    "passwd",
    "admin",
    "password",
    "root",
    "system",
    "cmd",
    "file",
    "include",
    "config",
    "php",
    "template",
    "user",
    "query",
    "url=",
    "=",
    "--",
    "'",
    "\"",
    "1=1",
    "$",
    "{",
    "}",
    "<",
    ">",
    ";",
    "|",
    "&",
    "#",
    "(",
    ")",
    "..",
    "/",
    "%",
    "*",
    "+",
    ":",
    "!",
    "@",
    "~",
    "`",
    "\\",
    "http://",
    "https://",
];

/// An ordinary text with shared words and signs strewn into it, without any grammar.
fn salad(text: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let text = String::from_utf8_lossy(text.get(..text.len().min(120)).unwrap_or_default()).into_owned();
    let mut words: Vec<&str> = text.split(' ').collect();
    words.truncate(random.usize(1..12));
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..=words.len());
        words.insert(at, random.choice(SHARED).copied().unwrap_or("select"));
    }
    words.join(if random.u8(..) < 40 { "" } else { " " }).into_bytes()
}

fn vary(text: &[u8], attack: bool, ordinary: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut text = text.to_vec();
    for _ in 0..random.usize(1..3) {
        text = match random.u8(0..8) {
            0 => text
                .iter()
                .map(|byte| if random.bool() { byte.to_ascii_uppercase() } else { byte.to_ascii_lowercase() })
                .collect(),
            1 => percent(&text, random, 255),
            2 => percent(&text, random, 70),
            3 if attack => replace_spaces(&text, &[&b"/**/"[..], b"%20", b"\t", b"\n", b"+", b"  "], random),
            3 | 4 => replace_spaces(&text, &[&b"+"[..], b"%20", b"  ", b"\n"], random),
            // An attack behind or before something ordinary; two ordinary texts joined by a sign.
            5 => joined(ordinary, &[&b""[..], b" ", b"=", b",", b";", b"/", b"&", b"'", b"\""], &text, random),
            6 => {
                let mut with = text.clone();
                with.extend_from_slice(random.choice(ordinary).map_or(&b"x"[..], Vec::as_slice));
                with
            }
            _ => entities(&text, random),
        };
    }
    text
}

fn percent(text: &[u8], random: &mut fastrand::Rng, of_255: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2);
    for &byte in text {
        if !byte.is_ascii_alphanumeric() && random.u8(..) <= of_255 {
            out.extend_from_slice(format!("%{byte:02x}").as_bytes());
        } else {
            out.push(byte);
        }
    }
    out
}

fn entities(text: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() * 2);
    for &byte in text {
        match byte {
            b'<' | b'>' | b'"' | b'\'' | b'&' if random.bool() => {
                out.extend_from_slice(format!("&#{byte};").as_bytes())
            }
            _ => out.push(byte),
        }
    }
    out
}

fn replace_spaces(text: &[u8], with: &[&[u8]], random: &mut fastrand::Rng) -> Vec<u8> {
    let with = random.choice(with).copied().unwrap_or(b" ");
    let mut out = Vec::with_capacity(text.len() * 2);
    for &byte in text {
        if byte == b' ' { out.extend_from_slice(with) } else { out.push(byte) }
    }
    out
}

fn joined(ordinary: &[Vec<u8>], signs: &[&[u8]], text: &[u8], random: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = random.choice(ordinary).cloned().unwrap_or_default();
    out.extend_from_slice(random.choice(signs).copied().unwrap_or_default());
    out.extend_from_slice(text);
    out
}

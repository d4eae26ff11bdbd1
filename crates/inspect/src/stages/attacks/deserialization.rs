//! Serialized objects: what a deserializer of Java, PHP, .NET, Python, Ruby or Node would bring to life.
//!
//! Formats are known by how they begin, as bytes, as base64 or as hexadecimal digits; texts by the names of types where
//! an application would have its own.

use base64::Engine;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::family::{Family, Weight};
use super::gate::{Marker, any, start};
use super::text::{Text, has, is_word, window};

pub(super) const MARKERS: &[Marker] = &[
    start(0, "ro0ab"),
    any(0, "aced0005"),
    any(10, "aaeaaad/////"),
    any(0, "o:"),
    any(0, "a:1:{"),
    start(0, "a:"),
    start(0, "e:"),
    any(0, "c:"),
    start(0, "gas"),
    start(0, "gaw"),
    start(0, "gaj"),
    start(0, "gan"),
    start(0, "bah"),
    start(0, "aaeaaad"),
    start(0, "h4si"),
    start(0, "y29"),
    start(0, "y2j"),
    start(0, "y19"),
    start(0, "y3b"),
    start(0, "y3n"),
    any(0, "/we"),
    any(0, "80049"),
    any(0, "80059"),
    any(0, "0001000000ffffffff"),
    any(0, "!!"),
    any(0, "\"@type\""),
    any(0, "\"@class\""),
    any(0, "tag:yaml.org,2002:"),
    any(0, "system\n"),
    any(0, "popen\n"),
    any(0, "eval\n"),
    any(0, "exec\n"),
    any(0, "getattr\n"),
    any(0, "call\n"),
    any(0, "spawn\n"),
    any(0, "import__\n"),
    any(0, "run\n"),
    any(0, "check_output\n"),
    any(0, "<java."),
    any(0, "<javax."),
    any(0, "<jdk."),
    any(0, "<com.sun."),
    any(0, "<sun."),
    any(0, "<org."),
    start(0, "system."),
    start(0, "microsoft."),
    any(10, "__js_function"),
    any(10, "!php/object"),
    any(10, "!!js/"),
    any(9, "unserializable-parents"),
    any(9, "serialization=\"custom\""),
    any(9, "soap/encoding/clr"),
    any(9, "expandedwrapper"),
    any(8, "system.data.services.internal"),
    any(8, "xamlreader"),
    any(7, "clr-namespace:"),
    any(8, "gem::installer"),
    any(8, "gem::requirement"),
    any(8, "gem::specfetcher"),
    any(8, "gem::package"),
    any(6, "json_class"),
    any(8, "class=\"java.lang.processbuilder"),
    any(8, "class=\"java.lang.runtime"),
    any(8, "jndiconverter"),
    any(8, "jndiconfiguration"),
    any(8, "jndirefforwardingdatasource"),
    any(8, "classpathxmlapplicationcontext"),
    any(8, "filesystemxmlapplicationcontext"),
    any(8, "drivermanagerconnectionsource"),
    any(7, "javax.swing.jeditorpane"),
    any(7, "com.zaxxer.hikari.hikariconfig"),
    any(7, "methodinvokingfactorybean"),
    any(7, "jdk.nashorn.internal"),
    any(10, "!!python/"),
    any(10, "!!javax.script"),
    any(9, "!!java."),
    any(9, "!!com.sun"),
    any(9, "!!org."),
    any(10, "!ruby/"),
    any(10, "_$$nd_func$$_"),
    any(9, "java.beans.xmldecoder"),
    any(8, "<java version"),
    any(8, "jdbcrowsetimpl"),
    any(8, "templatesimpl"),
    any(8, "invokertransformer"),
    any(8, "chainedtransformer"),
    any(8, "constanttransformer"),
    any(8, "instantiatetransformer"),
    any(8, "clonetransformer"),
    any(8, "forclosure"),
    any(8, "instantiatefactory"),
    any(8, "prototypeclonefactory"),
    any(8, "prototypeserializationfactory"),
    any(8, "whileclosure"),
    any(8, "closuretransformer"),
    any(7, "annotationinvocationhandler"),
    any(7, "badattributevalueexpexception"),
    any(8, "commons.collections"),
    any(7, "commons.fileupload"),
    any(7, "commons.beanutils"),
    any(8, "objectdataprovider"),
    any(8, "windowsidentity"),
    any(7, "typeconfusedelegate"),
    any(8, "psobject"),
    any(7, "system.diagnostics"),
    any(6, "system.configuration.install"),
    any(7, "ysoserial"),
    any(7, "com.sun.rowset"),
    any(7, "hibernate.engine"),
    any(6, "com.mchange.v2.c3p0"),
    any(6, "rome.feed"),
    any(6, "org.codehaus.groovy"),
    any(6, "javassist"),
    any(6, "com.alibaba.fastjson"),
    any(7, "\"@type\":\"com.sun"),
    any(7, "\"@type\":\"java."),
    any(7, "cposix\nsystem"),
    any(8, "cos\nsystem"),
    any(7, "c__builtin__"),
    any(7, "cbuiltins\n"),
    any(6, "csubprocess"),
    any(6, "bytecode_class"),
    any(7, "dynamic-proxy"),
    any(7, "javax.imageio.imageio"),
    any(6, "<sorted-set>"),
    any(6, "ldaprealm"),
    any(7, "objectinputstream"),
    any(8, "object/new:"),
    any(7, "object/apply:"),
    any(6, "subprocess.popen"),
    any(6, "marshal.loads"),
    any(6, "pickle.loads"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let mut best = 0;
    for hit in text.hits(Family::Deserialization) {
        let points = u32::from(hit.marker.points);
        if points == 0 {
            continue;
        }
        let points = if text.prose { points / 2 } else { points };
        weight.add(if best == 0 { points } else { 3 }, hit.marker.text);
        best = best.max(points);
    }
    if (6..10).contains(&best) && !text.prose && text.raw.len() <= 400 {
        weight.add(4, "nothing else around it");
    }
    if let Some(object) = magic(text.raw).or_else(|| in_hex(text.low)).or_else(|| in_base64(text.raw)) {
        weight.add(10, object);
    }
    // Magic numbers keep their case: base64 of 0xACED0005 somewhere in a text.
    if memchr::memmem::find(text.raw, b"rO0AB")
        .is_some_and(|at| at == 0 || text.raw.get(at - 1).is_none_or(|byte| !byte.is_ascii_alphanumeric()))
    {
        weight.add(10, "Java object");
    }
    if !text.listing && !text.prose && is_pickle(text.raw) {
        weight.add(10, "Python object");
    }
    php(text, weight);
    php_array(text, weight);
    // What the gate did not see is not searched again.
    let seen = |marks: &[&str]| marks.iter().any(|mark| text.has(Family::Deserialization, mark));
    if seen(&["!!", "tag:yaml.org,2002:"]) {
        yaml(text, weight);
    }
    if seen(ELEMENTS) {
        elements(text, weight);
    }
    if seen(&["system.", "microsoft."]) {
        assembly(text, weight);
    }
    if seen(&["\"@type\"", "\"@class\""]) {
        named_type(text, weight);
    }
}

/// What binary formats begin with.
fn magic(raw: &[u8]) -> Option<&'static str> {
    match raw {
        [0xac, 0xed, 0x00, 0x05, ..] => Some("Java object"),
        // The same read as Latin-1 and written as UTF-8, or with bytes that were no characters.
        [0xc2, 0xac, 0xc3, 0xad, 0x00, 0x05, ..] => Some("Java object"),
        [0x00, 0x01, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff, ..] => Some(".NET object"),
        // Protocol 4 and later has frames, whose length has eight bytes of which most are zero.
        [0x80, 0x04..=0x05, 0x95, _, _, _, 0, 0, 0, 0, 0, ..] => Some("Python object"),
        [0x80, 0x02..=0x03, op, .., b'.'] if is_pickle_opcode(*op) => Some("Python object"),
        [0x04, 0x08, kind, _, ..] if b"oIUuCceSfl{[\"".contains(kind) => Some("Ruby object"),
        _ => None,
    }
}

/// Opcodes that a pickle begins with: a global, a mark, an empty container, a text, a number.
fn is_pickle_opcode(op: u8) -> bool {
    b"c(]})XUKMJGVSN\x88\x89\x8a".contains(&op)
}

/// The same in hexadecimal digits.
fn in_hex(low: &[u8]) -> Option<&'static str> {
    let digits = low.strip_prefix(b"0x").or_else(|| low.strip_prefix(b"x'")).unwrap_or(low);
    let begins = |start: &str| digits.starts_with(start.as_bytes());
    if begins("aced0005") {
        Some("Java object")
    } else if begins("0001000000ffffffff") {
        Some(".NET object")
    } else if (begins("800495") || begins("800595")) && digits.get(12..22).is_some_and(|zeros| zeros == b"0000000000") {
        Some("Python object")
    } else {
        None
    }
}

/// Most characters of a base64 text that are decoded to know it by.
const BASE64_BYTES_MAX: usize = 1024;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
static BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
static BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// The same in base64, at the front of the text or behind the name of a parameter.
fn in_base64(raw: &[u8]) -> Option<&'static str> {
    let text = raw.trim_ascii();
    let text = match memchr::memchr(b'=', window(text, 32)) {
        Some(at) if text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric) => text.get(at + 1..)?,
        _ => text,
    };
    let begins = [&b"rO0A"[..], b"AAEAAAD/", b"AAEAAAD_", b"gA", b"BAh", b"H4sI", b"eJ", b"Y", b"/wE"];
    if text.len() < 12 || !begins.iter().any(|start| text.starts_with(start)) {
        return None;
    }
    let whole = text.len() <= BASE64_BYTES_MAX;
    let text = window(text, BASE64_BYTES_MAX);
    let engine = if memchr::memchr2(b'-', b'_', text).is_some() { &BASE64_URL } else { &BASE64 };
    let mut bytes = engine.decode(text).ok()?;
    if !whole {
        // Only the end tells a pickle of the second protocol; what is cut has none.
        bytes.push(b'.');
    }
    if matches!(bytes.as_slice(), [0x1f, 0x8b, ..] | [0x78, 0x01 | 0x5e | 0x9c | 0xda, ..]) {
        bytes = crate::values::decode::inflate(&bytes)?;
    }
    // The state of a page (LosFormatter) may carry an object of any type.
    let carried = bytes.starts_with(&[0xff, 0x01]).then(|| window(&bytes, 32)).and_then(|start| {
        let at = memchr::memmem::find(start, &[0x00, 0x01, 0x00, 0x00, 0x00, 0xff, 0xff, 0xff, 0xff])?;
        start.get(at..)
    });
    magic(carried.unwrap_or(&bytes)).or_else(|| is_pickle(&bytes).then_some("Python object"))
}

/// The instructions GLOBAL and INST of a pickle, which name a module and what is taken from it, each on its line.
fn is_pickle(bytes: &[u8]) -> bool {
    const MODULES: &[&str] = &[
        "os",
        "posix",
        "nt",
        "subprocess",
        "builtins",
        "__builtin__",
        "commands",
        "sys",
        "pty",
        "importlib",
        "runpy",
        "operator",
        "functools",
        "socket",
        "shutil",
        "ctypes",
        "timeit",
        "code",
        "platform",
        "popen2",
        "webbrowser",
        "types",
        "numpy",
        "torch",
        "copy_reg",
        "copyreg",
        "asyncio",
        "multiprocessing",
        "pickle",
        "marshal",
    ];
    let bytes = window(bytes, 4096);
    memchr::memchr_iter(b'\n', bytes).take(64).any(|end| {
        let line = bytes.get(end.saturating_sub(40)..end).unwrap_or_default();
        let length = line.iter().rev().take_while(|byte| is_word(**byte) || **byte == b'.').count();
        let name = line.get(line.len() - length..).unwrap_or_default();
        let Some((b'c' | b'i', module)) = name.split_first() else { return false };
        let root = module.split(|&byte| byte == b'.').next().unwrap_or_default();
        let next = bytes.get(end + 1..).unwrap_or_default();
        let member = next.iter().take(40).take_while(|byte| is_word(**byte) || **byte == b'.').count();
        MODULES.iter().any(|known| known.as_bytes() == root) && member >= 2 && next.get(member) == Some(&b'\n')
    })
}

/// `a:2:{s:4:"name";b:1;`: an array as PHP writes it, which makes of a comparison what it likes.
fn php_array(text: &Text<'_>, weight: &mut Weight) {
    let Some(rest) = text.low.strip_prefix(b"a:") else { return };
    let digits = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
    let inner = rest.get(digits..).and_then(|rest| rest.strip_prefix(b":{"));
    if digits > 0 && inner.is_some_and(|inner| matches!(inner, [b'i' | b's' | b'o', b':', ..])) {
        weight.add(10, "PHP array");
    }
}

/// A tag of YAML that names a type of a language: `!!python/object`, `!!javax.script.X`, `!<tag:yaml.org,2002:js/x>`.
fn yaml(text: &Text<'_>, weight: &mut Weight) {
    if text.has(Family::Deserialization, "tag:yaml.org,2002:") {
        let named = ["python/", "js/", "java", "ruby/", "perl/", "com.", "org."].iter().any(|kind| {
            text.find_all("tag:yaml.org,2002:").take(4).any(|at| text.from(at + 18).starts_with(kind.as_bytes()))
        });
        weight.add(if named { 10 } else { 0 }, "a type in a tag");
    }
    for at in text.find_all("!!").take(32) {
        if text.before(at).is_some_and(|byte| !byte.is_ascii_whitespace() && !b"[{,:-\"'".contains(&byte)) {
            continue;
        }
        let tag = window(text.from(at + 2), 64);
        let word = tag.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let typed = match tag.get(word) {
            Some(b'/') => matches!(tag.get(..word), Some(b"python" | b"js" | b"perl" | b"ruby" | b"java" | b"php")),
            Some(b'.') => word >= 2 && tag.get(word + 1).is_some_and(u8::is_ascii_lowercase) && has(tag, "."),
            _ => false,
        };
        weight.add(if typed && !text.prose { 10 } else { 0 }, "a type in a tag");
    }
}

/// How the names of classes of a platform begin as elements.
const ELEMENTS: &[&str] = &["<java.", "<javax.", "<jdk.", "<com.sun.", "<sun.", "<org."];

/// Elements of XML named like classes, as XStream writes them: `<java.util.PriorityQueue>`. `<java.version>` is none.
fn elements(text: &Text<'_>, weight: &mut Weight) {
    for start in ELEMENTS {
        for at in text.find_all(start).take(16) {
            let name = window(text.raw.get(at + 1..).unwrap_or_default(), 96);
            let length = name.iter().take_while(|byte| is_word(**byte) || **byte == b'.').count();
            let name = name.get(..length).unwrap_or_default();
            let class = name.rsplit(|&byte| byte == b'.').next().and_then(<[u8]>::first);
            let segments = name.split(|&byte| byte == b'.').count();
            let is_class = segments >= 3 && class.is_some_and(u8::is_ascii_uppercase);
            weight.add(if is_class && !text.prose { 10 } else { 0 }, "an element named like a class");
        }
    }
}

/// `"@type": "java.lang.AutoCloseable"`: the sender chooses the class of a platform or a library that is made.
fn named_type(text: &Text<'_>, weight: &mut Weight) {
    for key in ["\"@type\"", "\"@class\""] {
        for at in text.find_all(key).take(16) {
            let rest = window(text.from(at + key.len()), 64).trim_ascii_start();
            let value = rest.strip_prefix(b":").map(<[u8]>::trim_ascii_start).and_then(|rest| rest.strip_prefix(b"\""));
            let value = value.map(|value| value.strip_prefix(b"l").filter(|_| has(value, ";")).unwrap_or(value));
            let platform =
                ["java.", "javax.", "com.sun.", "sun.", "jdk.", "org.apache.", "org.spring", "ch.qos.", "com.mysql"];
            let named = value.is_some_and(|value| platform.iter().any(|root| value.starts_with(root.as_bytes())));
            weight.add(if named && !text.prose { 10 } else { 0 }, "a class named by its sender");
        }
    }
}

/// A type of .NET with its assembly: `System.IO.FileInfo, System.IO.FileSystem`.
fn assembly(text: &Text<'_>, weight: &mut Weight) {
    if text.prose {
        return;
    }
    for start in ["system.", "microsoft."] {
        for at in text.find_all(start).take(16) {
            if text.before(at).is_some_and(|byte| is_word(byte) || byte == b'.') {
                continue;
            }
            let rest = window(text.from(at), 160);
            let name = rest.iter().take_while(|byte| is_word(**byte) || matches!(byte, b'.' | b'+' | b'`')).count();
            let behind = rest.get(name..).unwrap_or_default();
            let named = behind.strip_prefix(b", ").or_else(|| behind.strip_prefix(b",")).is_some_and(|assembly| {
                ["system", "mscorlib", "presentation", "microsoft."]
                    .iter()
                    .any(|known| assembly.starts_with(known.as_bytes()))
            });
            let alone = at <= 1 || has(window(text.low, at), "type\"");
            weight.add(if named && alone { 10 } else { 0 }, "a type with its assembly");
        }
    }
}

/// `O:8:"stdClass":1:{`, `a:1:{i:0;O:`, `C:11:"ArrayObject":`.
fn php(text: &Text<'_>, weight: &mut Weight) {
    for open in ["o:", "c:", "e:"] {
        for at in text.find_all(open).take(64) {
            if text.before(at).is_some_and(|byte| byte.is_ascii_alphanumeric()) {
                continue;
            }
            let rest = text.from(at + 2);
            let rest = rest.strip_prefix(b"+").unwrap_or(rest);
            let digits = rest.iter().take(5).take_while(|byte| byte.is_ascii_digit()).count();
            let rest = rest.get(digits..).unwrap_or_default();
            if digits > 0 && (rest.starts_with(b":\"") || rest.starts_with(b":\\\"")) && has(window(rest, 128), "\":") {
                weight.add(10, "PHP object");
            }
        }
    }
}

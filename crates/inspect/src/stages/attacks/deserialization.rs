//! Serialized objects: what a deserializer of Java, PHP, .NET, Python, Ruby or Node would bring to life.

use super::family::{Family, Weight};
use super::gate::{Marker, any, start};
use super::text::{Text, has, window};

pub(super) const MARKERS: &[Marker] = &[
    start(0, "ro0ab"),
    any(0, "aced0005"),
    any(10, "aaeaaad/////"),
    any(0, "o:"),
    any(0, "a:1:{"),
    any(0, "c:"),
    any(0, "gasv"),
    any(0, "gas"),
    any(0, "kgh"),
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
    // Magic numbers keep their case: base64 of 0xACED0005, and its hexadecimal form.
    if memchr::memmem::find(text.raw, b"rO0AB")
        .is_some_and(|at| at == 0 || text.raw.get(at - 1).is_none_or(|byte| !byte.is_ascii_alphanumeric()))
    {
        weight.add(10, "Java object");
    }
    if text.low.starts_with(b"aced0005") || text.raw.windows(4).take(256).any(|four| four == [0xac, 0xed, 0x00, 0x05]) {
        weight.add(10, "Java object");
    }
    if text.raw.starts_with(b"gASV")
        || text.raw.starts_with(b"gAS") && text.raw.len() > 24
        || text.raw.starts_with(b"KGNvc")
        || text.raw.starts_with(&[0x80, 0x04, 0x95])
    {
        weight.add(8, "Python object");
    }
    php(text, weight);
}

/// `O:8:"stdClass":1:{`, `a:1:{i:0;O:`, `C:11:"ArrayObject":`.
fn php(text: &Text<'_>, weight: &mut Weight) {
    for open in ["o:", "c:"] {
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

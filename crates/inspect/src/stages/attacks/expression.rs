//! Expression languages and lookups: JNDI (Log4Shell) with its disguises, OGNL, SpEL and EL, and the Java names they reach for.

use super::family::{Family, Weight};
use super::gate::{Marker, any, start, word};
use super::text::{Text, has, window};

pub(super) const MARKERS: &[Marker] = &[
    any(0, "${"),
    any(0, "jndi"),
    any(0, "%{"),
    any(10, "${jndi"),
    any(9, "jndi:ldap"),
    any(9, "jndi:rmi"),
    any(9, "jndi:dns"),
    any(9, "jndi:iiop"),
    any(6, "${env:"),
    any(6, "${sys:"),
    any(6, "${lower:"),
    any(6, "${upper:"),
    any(7, "${::-"),
    any(6, "${java:"),
    any(6, "${ctx:"),
    any(8, "${script:"),
    any(8, "${url:"),
    any(8, "${dns:"),
    any(6, "${base64:"),
    any(6, "${hostname}"),
    any(6, "${date:"),
    any(6, "${main:"),
    any(6, "${bundle:"),
    any(6, "${docker:"),
    any(6, "${k8s:"),
    any(6, "${spring:"),
    any(6, "${web:"),
    any(9, "#_memberaccess"),
    any(9, "@java.lang"),
    any(8, "#context"),
    any(8, "ognlcontext"),
    word(8, "xwork"),
    any(8, "#application"),
    any(7, "#session."),
    any(7, "#request."),
    any(7, "#parameters"),
    any(7, "#attr"),
    any(9, "@ognl."),
    any(8, "redirect:${"),
    any(8, "redirectaction:"),
    any(7, "allowstaticmethodaccess"),
    any(7, "denymethodexecution"),
    any(7, "excludedclasses"),
    any(6, "servletactioncontext"),
    any(10, "t(java.lang"),
    any(9, "t (java.lang"),
    any(6, "getruntime"),
    any(7, "java.lang.runtime"),
    any(7, "java.lang.processbuilder"),
    any(6, "processbuilder"),
    any(6, "java.lang.system"),
    any(6, "java.lang.class"),
    any(6, "java.lang.object"),
    any(6, "java.lang.thread"),
    any(6, "java.lang.string"),
    any(6, "java.lang.math"),
    any(6, "java.lang.integer"),
    any(6, "java.lang.number"),
    any(6, "java.lang.long"),
    any(6, "java.lang.short"),
    any(6, "java.lang.double"),
    any(6, "java.lang.float"),
    any(6, "java.lang.byte"),
    any(6, "java.lang.boolean"),
    any(6, "java.lang.character"),
    any(6, "java.lang.process"),
    any(6, "java.lang.stringbu"),
    any(6, "java.lang.reflect"),
    any(6, "java.lang.exception"),
    any(6, "java.io.file"),
    any(6, "java.io.bufferedreader"),
    any(6, "java.io.bufferedinputstream"),
    any(6, "java.io.bytearray"),
    any(6, "java.io.chararray"),
    any(6, "java.io.inputstream"),
    any(6, "java.io.objectinputstream"),
    any(6, "java.io.outputstream"),
    any(6, "java.io.pipe"),
    any(6, "java.io.print"),
    any(6, "java.io.reader"),
    any(6, "java.io.writer"),
    any(6, "java.util.scanner"),
    any(6, "java.net.url"),
    any(6, "java.net.socket"),
    any(6, "javax.script"),
    any(6, "scriptenginemanager"),
    any(6, "javax.naming"),
    any(6, "java.beans"),
    any(6, "java.rmi"),
    any(6, "javax.management"),
    any(5, "javax.el"),
    any(6, "javax.servlet"),
    any(6, "jakarta.el"),
    any(6, ".getclass("),
    any(6, ".class.forname"),
    any(6, "class.forname"),
    any(6, "getmethod("),
    any(6, "getdeclaredmethod"),
    any(6, ".newinstance("),
    any(6, ".invoke("),
    any(6, "getconstructor"),
    any(5, "setaccessible"),
    any(9, "class.module.classloader"),
    any(9, "class.classloader"),
    any(8, "classloader"),
    any(6, "springframework"),
    any(5, "facescontext"),
    word(6, "commonj"),
    any(6, "getdeclaredconstructor"),
    any(5, "unmarshaller"),
    any(5, "beanshell"),
    any(6, "bsh.interpreter"),
    any(6, "groovy.lang"),
    any(6, "groovyshell"),
    start(5, "exec("),
    any(6, ".exec("),
    any(5, "runtime.exec"),
    any(6, "forname("),
    any(5, "param.class"),
    any(4, "getparameter("),
    any(4, "pagecontext"),
    any(6, "applicationscope"),
    any(6, "sessionscope"),
    any(6, "requestscope"),
    any(6, "new java."),
    any(8, "xmldecoder"),
    any(4, "#{t("),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let mut sum = 0;
    let mut distinct = 0;
    let mut last = "";
    for hit in text.hits(Family::Expression) {
        if hit.marker.points == 0 || hit.marker.text == last {
            continue;
        }
        last = hit.marker.text;
        // A line of a stack trace names classes as well.
        let frame = text
            .low
            .get((hit.at as usize).saturating_sub(4)..hit.at as usize)
            .is_some_and(|before| before.ends_with(b"at ") || before.ends_with(b"by: "));
        let points = if frame { 0 } else { u32::from(hit.marker.points) };
        let points = if text.prose { points / 2 } else { points };
        distinct += u32::from(points > 0);
        let points = points.min(12u32.saturating_sub(sum));
        sum += points;
        weight.add(points, hit.marker.text);
    }
    if distinct == 1 && (6..10).contains(&sum) && !text.prose {
        // One such name alone: it is the whole value, or it is used.
        let small = text.raw.len() <= 200;
        let called = has(text.low, "(")
            || has(text.low, "${")
            || has(text.low, "%{")
            || has(text.low, "#{")
            || has(text.low, "@");
        weight.add(
            if small {
                4
            } else if called {
                3
            } else {
                0
            },
            "nothing else around it",
        );
    }
    if text.has(Family::Expression, "${") || text.has(Family::Expression, "%{") {
        let (resolved, lookups) = resolve(text.low);
        if has(&resolved, "jndi:") {
            weight.add(11, "jndi lookup");
        } else if lookups >= 2 {
            weight.add(7, "nested lookups");
        }
        for at in text.find_all("%{").take(64) {
            let inner = window(text.from(at + 2), 64);
            if inner.iter().any(|byte| matches!(byte, b'(' | b'*' | b'#' | b'@')) && has(inner, "}") {
                weight.add(7, "OGNL expression");
            }
        }
    }
}

/// Resolves nested lookups to the text they stand for: `${lower:j}`, `${::-j}`, `${env:NONE:-j}` are all `j`. Also counts them.
fn resolve(low: &[u8]) -> (Vec<u8>, usize) {
    let mut out: Vec<u8> = Vec::with_capacity(low.len());
    let mut open: Vec<usize> = Vec::new();
    let mut lookups = 0;
    let mut rest = low;
    while let Some((&byte, after)) = rest.split_first() {
        match byte {
            b'$' | b'%' if after.first() == Some(&b'{') && open.len() < 16 => {
                open.push(out.len());
                rest = after.get(1..).unwrap_or_default();
                continue;
            }
            b'}' => {
                if let Some(start) = open.pop() {
                    let inner = out.get(start..).unwrap_or_default();
                    // What a lookup falls back to, or what it changes the case of.
                    let kept = match memchr::memmem::rfind(inner, b":-") {
                        Some(at) => inner.get(at + 2..),
                        None if inner.starts_with(b"lower:") || inner.starts_with(b"upper:") => inner.get(6..),
                        None => None,
                    };
                    if let Some(kept) = kept.map(<[u8]>::to_vec) {
                        lookups += 1;
                        out.truncate(start);
                        out.extend_from_slice(&kept);
                    }
                } else {
                    out.push(byte);
                }
            }
            _ => out.push(byte),
        }
        rest = after;
    }
    (out, lookups)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookups_resolve_to_what_they_hide() {
        for text in [
            "${jndi:ldap://x}",
            "${${lower:j}ndi:rmi://x}",
            "${${::-j}${::-n}${::-d}${::-i}:dns://x}",
            "${${env:q:-j}ndi${env:q:-:}ldap://x}",
            "${j${k8s:k5:-nd}i:ldap://x}",
        ] {
            assert!(has(&resolve(text.as_bytes()).0, "jndi:"), "{text}");
        }
        assert_eq!(resolve(b"hello ${name}, }").1, 0);
        assert_eq!(resolve(&b"${".repeat(1000)).0.len(), 1000 * 2 - 16 * 2);
    }
}

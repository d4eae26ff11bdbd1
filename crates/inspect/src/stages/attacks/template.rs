//! Server-side template injection: expressions between template marks that compute, call or reach into objects.
//!
//! A placeholder (`{{ user.name }}`, `${name}`, `{% if paid %}`) is what mail and message APIs are sent all day.

use super::family::{Family, Weight};
use super::gate::{Marker, any};
use super::text::{Text, has, is_word, window};

pub(super) const MARKERS: &[Marker] = &[
    any(0, "{{"),
    any(0, "${"),
    any(0, "#{"),
    any(0, "<%"),
    any(0, "{%"),
    any(0, "*{"),
    any(0, "~{"),
    any(0, "@("),
    any(0, "[["),
    any(0, "{php"),
    any(0, "#set"),
    any(0, "#parse("),
    any(0, "#evaluate("),
    any(0, "#foreach"),
    any(0, "#macro("),
    any(0, "[%"),
    any(0, "@{"),
    any(0, "{#"),
    any(0, "[#"),
    any(0, "{{{"),
    any(0, "{$"),
    any(0, "{="),
    any(7, "__class__"),
    any(7, "__mro__"),
    any(7, "__subclasses__"),
    any(7, "__globals__"),
    any(7, "__builtins__"),
    any(7, "__import__"),
    any(6, "__init__"),
    any(6, "__bases__"),
    any(7, "__getitem__"),
    any(6, "__base__"),
    any(6, "__dict__"),
    any(5, "|attr("),
    any(5, "|filter("),
    any(5, "|map("),
    any(5, "|join"),
    any(5, "|format("),
    any(6, "_self.env"),
    any(6, "registerundefinedfiltercallback"),
    any(6, "getfilter("),
    any(4, "request.application"),
    any(5, "request.args"),
    any(5, "self._"),
    any(5, "cycler."),
    any(5, "joiner."),
    any(5, "lipsum"),
    any(5, "url_for."),
    any(5, "get_flashed_messages"),
    any(5, "config.items"),
    any(5, "config.class"),
    any(5, ".popen("),
    any(5, "freemarker.template"),
    any(9, "?new()"),
    any(6, "<#assign"),
    any(5, "$class.inspect"),
    any(5, "$class.type"),
    any(6, "{php}"),
    any(6, "smarty"),
    any(4, "$smarty.version"),
    any(5, "constructor.constructor"),
    any(5, "#with"),
    any(4, "lookup string"),
    any(6, "<#list"),
    any(5, "${class"),
    any(6, "product.getclass"),
    any(5, "#evaluate("),
    any(5, "$engine"),
    any(6, "mako.template"),
    any(6, "{% import"),
    any(6, "{% debug"),
    any(6, "{% include"),
    any(5, "dump(app"),
    any(5, "app.request"),
];

const MARKS: &[(&str, &str)] = &[
    ("{{", "}}"),
    ("${", "}"),
    ("#{", "}"),
    ("<%", "%>"),
    ("{%", "%}"),
    ("*{", "}"),
    ("~{", "}"),
    ("@(", ")"),
    ("[[", "]]"),
    ("[%", "%]"),
    ("{php", "{/php"),
    ("@{", "}"),
    ("{", "}"),
    ("{=", "}"),
    ("{$", "}"),
];

/// Weighs a text.
pub(super) fn detect(text: &Text<'_>, weight: &mut Weight) {
    let mut sum = 0;
    for hit in text.hits(Family::Template) {
        let points = u32::from(hit.marker.points);
        // A name that a program declares or a file is called by; an expression reaches it from something else.
        let reached = text.before(hit.at as usize).is_some_and(|byte| !b" \t\n/(*`".contains(&byte));
        let points = if hit.marker.text.starts_with("__") && !reached { points / 2 } else { points };
        let points = points.min(10u32.saturating_sub(sum));
        sum += points;
        weight.add(points, hit.marker.text);
    }
    let marked = MARKS.iter().take(12).any(|(open, _)| text.has(Family::Template, open));
    if sum > 0 && marked {
        weight.add(4, "between template marks");
    }
    for (open, close) in MARKS {
        for at in text.find_all(open).take(128) {
            let inner = window(text.from(at + open.len()), 128);
            let Some(end) = memchr::memmem::find(inner, close.as_bytes()) else { continue };
            let expression = inner.get(..end).unwrap_or_default();
            let bare = *open == "{";
            let points = expression_points(expression);
            // `{1+1}` is also how texts and formulas are written.
            let points = if bare || *open == "[[" || *open == "@(" {
                if arithmetic(expression) && text.raw.len() <= 40 { 6 } else { 0 }
            } else {
                points
            };
            weight.add(points, "template expression");
            if !bare && !text.prose && reaches_framework(expression) {
                // As a whole value it asks what is there; in a text it stands for what the sender may fill in.
                let whole = text.raw.len() <= expression.len() + 12;
                weight.add(if whole { 10 } else { 4 }, "an object of the framework");
            }
        }
    }
    directive(text, weight);
    // Marks of several engines in a row: the polyglot that asks which one is there.
    if has(text.low, "${{<%[%") || has(text.low, "{{7*'7'}}") {
        weight.add(10, "template polyglot");
    }
}

/// Objects that frameworks put into every template, asked for as they are: `{{config}}`, `{{ request['x'] }}`. With a dot
/// behind them they may be somebody's placeholder (`{{ request.path }}` in Liquid).
const FRAMEWORK: &[&[u8]] = &[
    b"config",
    b"self",
    b"request",
    b"settings",
    b"namespace",
    b"beans",
    b"app",
    b"url_for",
    b"@root",
    b"constructor",
];
/// Objects that are nobody's placeholder however they go on.
const INTERNAL: &[&[u8]] = &[
    b"_self",
    b"handler.settings",
    b"settings.secret",
    b"lipsum",
    b"cycler",
    b"joiner",
    b"get_flashed_messages",
    b".env",
    b".system",
    b"pagecontext",
    b"applicationscope",
    b"sessionscope",
    b"requestscope",
    b"facescontext",
    b"servletcontext",
    b"root.process",
    b"global.process",
    b"process.env",
    b"process.mainmodule",
    b"messages.storages",
    b"app.request",
    b"g.pop",
    b"$smarty",
    b"velocitycontext",
    b"springmacrorequestcontext",
];

/// The expression is, or begins with, an object of the framework.
fn reaches_framework(expression: &[u8]) -> bool {
    let expression = expression.trim_ascii();
    let goes_on = |names: &[&[u8]], signs: &[u8]| {
        names.iter().any(|name| {
            expression.strip_prefix(*name).is_some_and(|rest| rest.first().is_none_or(|byte| signs.contains(byte)))
        })
    };
    goes_on(FRAMEWORK, b"[(|") || goes_on(INTERNAL, b".[(| _")
}

/// Directives of Velocity and of Go's templates, which are no placeholders in any sense.
fn directive(text: &Text<'_>, weight: &mut Weight) {
    if text.prose || text.listing {
        return;
    }
    let marks = ["#set", "#parse(", "#evaluate(", "#foreach", "#macro("];
    let directives = ["#set(", "#set (", "#parse(", "#evaluate(", "#foreach(", "#foreach (", "#macro("];
    let called = marks.iter().any(|mark| text.has(Family::Template, mark));
    for directive in directives.iter().filter(|_| called) {
        for at in text.find_all(directive).take(16) {
            let inner = window(text.from(at + directive.len()), 8).trim_ascii_start();
            let begins = at == 0 || text.before(at).is_some_and(|byte| !is_word(byte) && byte != b'&');
            let variable = matches!(inner.first(), Some(b'$' | b'"' | b'\''));
            weight.add(if begins && variable { 8 } else { 0 }, "template directive");
        }
    }
    let actions = ["{{define ", "{{template ", "{{printf ", "{{html ", "{{call ", "{{print ", "{{js ", "{{urlquery "];
    let marked = text.has(Family::Template, "{{");
    for action in actions.iter().filter(|_| marked) {
        let named = text
            .find_all(action)
            .take(8)
            .any(|at| matches!(text.from(at + action.len()).trim_ascii_start().first(), Some(b'"' | b'`' | b'.')));
        weight.add(if named { 8 } else { 0 }, "template directive");
    }
    if weight.points >= 8 && weight.points < 10 && text.raw.len() <= 120 {
        weight.add(2, "nothing else around it");
    }
}

fn expression_points(expression: &[u8]) -> u32 {
    let expression = expression.trim_ascii();
    if expression.is_empty() || expression.len() > 120 {
        return 0;
    }
    if arithmetic(expression) {
        return 10;
    }
    let called = memchr::memchr(b'(', expression).is_some();
    let indexed = has(expression, "['") || has(expression, "[\"") || has(expression, "].");
    let quoted = expression.iter().any(|byte| matches!(byte, b'\'' | b'"'));
    if has(expression, "__") && (called || has(expression, ".")) || has(expression, "constructor") && called {
        return 10;
    }
    if called && (has(expression, "system") || has(expression, "exec"))
        || has(expression, "popen")
        || has(expression, "passthru")
        || has(expression, "file_get_contents")
    {
        return 9;
    }
    if expression.starts_with(b"'") && (has(expression, "'*") || has(expression, "'.")) || has(expression, "'+'") {
        return 7;
    }
    match (called, indexed, quoted) {
        (true, true, _) => 6,
        (true, false, true) => 4,
        (true, false, false) => 3,
        (false, true, _) => 2,
        _ => 0,
    }
}

/// `7*7`, `191 * '7'`, `=7*7`: numbers and signs and nothing else.
fn arithmetic(expression: &[u8]) -> bool {
    let expression = expression.trim_ascii();
    let expression = expression.strip_prefix(b"=").unwrap_or(expression);
    let plain = expression.iter().all(|byte| {
        byte.is_ascii_digit()
            || matches!(byte, b' ' | b'*' | b'+' | b'-' | b'/' | b'\'' | b'"' | b'(' | b')' | b'.' | b'%')
    });
    let operator = expression.iter().skip(1).any(|byte| matches!(byte, b'*' | b'+' | b'/'));
    let numbers = expression.split(|byte| !is_word(*byte)).filter(|part| !part.is_empty()).count();
    plain && operator && numbers >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_pass_and_computations_do_not() {
        for placeholder in ["user.name", "order_id", "name | upcase", "if paid", "order.lines[0].sku", "t('greeting')"]
        {
            assert!(expression_points(placeholder.as_bytes()) < 6, "{placeholder}");
        }
        for expression in ["7*7", " 7 * '7' ", "''.__class__.__mro__", "system('id')", "x.constructor('a')()"] {
            assert!(expression_points(expression.as_bytes()) >= 7, "{expression}");
        }
    }
}

//! Messages in each format. Lines may hold words of attackers: every format escapes them its own way.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::group::Message;
use super::{Settings, Urgency};
use crate::learned::printable;

/// Longest line in characters.
const LINE_CHARS_MAX: usize = 500;
/// The facility `log audit` (RFC 5424, 6.2.1).
const FACILITY: u8 = 13;

/// What a message says first.
pub fn title(message: &Message) -> String {
    match message.lines.as_slice() {
        [only] if message.count == 1 => line(only),
        _ => format!("{}: {}", message.kind.title(), message.count),
    }
}

fn line(text: &str) -> String {
    printable(&text.chars().take(LINE_CHARS_MAX).collect::<String>())
}

fn lines(message: &Message) -> Vec<String> {
    let mut lines: Vec<String> = message.lines.iter().map(|text| line(text)).collect();
    let more = message.count.saturating_sub(lines.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn link(settings: &Settings, message: &Message) -> Option<String> {
    (!settings.dashboard.is_empty()).then(|| format!("{}{}", settings.dashboard, message.kind.page()))
}

fn time(at_s: i64) -> String {
    jiff::Timestamp::from_second(at_s).unwrap_or_default().to_string()
}

/// Our own JSON.
pub fn plain(settings: &Settings, message: &Message) -> Value {
    json!({
        "id": format!("{:016x}", message.id),
        "kind": message.kind.name(),
        "urgency": message.urgency.name(),
        "title": title(message),
        "count": message.count,
        "lines": lines(message),
        "first": time(message.first_s),
        "at": time(message.at_s),
        "link": link(settings, message),
    })
}

/// What Slack's incoming webhooks take: text, with `&`, `<` and `>` escaped, so that nobody is mentioned and nothing linked.
pub fn slack(settings: &Settings, message: &Message) -> Value {
    let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let sign = match message.urgency {
        Urgency::High => ":rotating_light: ",
        Urgency::Medium => ":warning: ",
        Urgency::Low => "",
    };
    let mut text = format!("{sign}*Portreeve: {}*", escaped(&title(message)));
    if message.count > 1 {
        for line in lines(message) {
            let _ = write!(text, "\n• {}", escaped(&line));
        }
    }
    if let Some(link) = link(settings, message) {
        let _ = write!(text, "\n<{link}|Look at it>");
    }
    json!({ "text": text })
}

/// A detection finding of the Open Cybersecurity Schema Framework, class 2004, version 1.3.
pub fn ocsf(settings: &Settings, message: &Message) -> Value {
    let severity = match message.urgency {
        Urgency::Low => (2, "Low"),
        Urgency::Medium => (3, "Medium"),
        Urgency::High => (4, "High"),
    };
    let title = title(message);
    json!({
        "activity_id": 1, "activity_name": "Create",
        "category_uid": 2, "category_name": "Findings",
        "class_uid": 2004, "class_name": "Detection Finding",
        "type_uid": 200_401, "type_name": "Detection Finding: Create",
        "severity_id": severity.0, "severity": severity.1,
        "status_id": 1, "status": "New",
        "time": message.at_s.saturating_mul(1_000),
        "start_time": message.first_s.saturating_mul(1_000),
        "count": message.count,
        "message": title,
        "metadata": {
            "version": "1.3.0",
            "uid": format!("{:016x}", message.id),
            "product": {"name": "Portreeve", "vendor_name": "Portreeve", "version": env!("CARGO_PKG_VERSION")},
        },
        "finding_info": {
            "uid": format!("{:016x}", message.id),
            "title": title,
            "desc": lines(message).join("\n"),
            "types": [message.kind.name()],
            "first_seen_time": message.first_s.saturating_mul(1_000),
            "src_url": link(settings, message),
        },
    })
}

/// A syslog message (RFC 5424) around a body that is JSON, or our lines when there is none.
pub fn syslog(settings: &Settings, message: &Message, body: Option<&Value>) -> Vec<u8> {
    let severity = match message.urgency {
        Urgency::Low => 5,
        Urgency::Medium => 4,
        Urgency::High => 2,
    };
    let text = body.map_or_else(
        || {
            let mut parts = vec![title(message)];
            if message.count > 1 {
                parts.extend(lines(message));
            }
            parts.extend(link(settings, message));
            parts.join("; ")
        },
        Value::to_string,
    );
    // The structured data holds words of ours alone, so nothing in it needs an escape (6.3.3). 32473 is the enterprise number
    // for documentation (RFC 5612). The text begins with the mark of UTF-8 (6.4).
    let head = format!(
        "<{}>1 {} {} portreeve {} {} [portreeve@32473 kind=\"{}\" urgency=\"{}\" count=\"{}\"] ",
        FACILITY * 8 + severity,
        time(message.at_s),
        host(),
        std::process::id(),
        message.kind.name(),
        message.kind.name(),
        message.urgency.name(),
        message.count,
    );
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice("\u{feff}".as_bytes());
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

/// The machine's name as syslog wants it: printable, without spaces, `-` when unknown.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = name.trim().chars().filter(char::is_ascii_graphic).take(255).collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::super::{Kind, group::Message};
    use super::*;
    use expect_test::expect;

    fn message(lines: &[&str], count: u64) -> Message {
        Message {
            kind: Kind::Attack,
            urgency: Urgency::High,
            count,
            lines: lines.iter().map(|&line| line.to_owned()).collect(),
            first_s: 1_767_225_600,
            at_s: 1_767_225_660,
            id: 7,
        }
    }

    #[test]
    fn our_own_form() {
        let settings = Settings { dashboard: "https://gate.example".to_owned(), ..Settings::default() };
        expect![[r#"{"at":"2026-01-01T00:01:00Z","count":30,"first":"2026-01-01T00:00:00Z","id":"0000000000000007","kind":"attack","lines":["shop: 30","and 29 more"],"link":"https://gate.example/threats?since=1h","title":"attack under way: 30","urgency":"high"}"#]]
        .assert_eq(&plain(&settings, &message(&["shop: 30"], 30)).to_string());
    }

    #[test]
    fn slack_is_told_without_mentions_and_links_of_others() {
        let told = slack(&Settings::default(), &message(&["<!channel> <https://evil.example|click> &"], 1));
        let text = told["text"].as_str().expect("text");
        assert!(!text.contains('<') && text.contains("&lt;!channel&gt;"), "{text}");
    }

    #[test]
    fn a_line_cannot_begin_another_syslog_message() {
        let told = syslog(&Settings::default(), &message(&["a\n<0>1 forged\r\u{1b}[31m"], 1), None);
        assert!(!told.contains(&b'\n') && !told.contains(&b'\r') && !told.contains(&0x1b));
        let text = String::from_utf8(told).expect("UTF-8");
        assert!(text.starts_with("<106>1 2026-01-01T00:01:00Z "), "{text}");
        assert!(
            text.contains("attack [portreeve@32473 kind=\"attack\" urgency=\"high\" count=\"1\"] \u{feff}a"),
            "{text}"
        );
    }

    #[test]
    fn findings_of_the_open_schema_have_what_it_requires() {
        let told = ocsf(&Settings::default(), &message(&["shop"], 1));
        for name in
            ["activity_id", "category_uid", "class_uid", "finding_info", "metadata", "severity_id", "time", "type_uid"]
        {
            assert!(!told[name].is_null(), "{name}");
        }
        assert_eq!(told["type_uid"], json!(2004 * 100 + 1));
    }
}

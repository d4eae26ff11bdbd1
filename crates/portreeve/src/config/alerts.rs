//! The section `alerts`: what is meant by it.

use super::meant::Meaning;
use super::{units, written};
use crate::alerts::{Format, Kind, Receiver, Settings, Way};

/// What is meant by the section; mistakes go to `meaning`.
pub(super) fn meant(meaning: &mut Meaning<'_>, written: &written::Alerts) -> Settings {
    let seconds = |meaning: &mut Meaning<'_>, key: &str, time: Option<&written::Time>, default_ms: u32| {
        u64::from(meaning.millis(&format!("/alerts/{key}"), time, default_ms)) / 1_000
    };
    let dashboard = written.dashboard.as_deref().unwrap_or_default().trim_end_matches('/');
    if !dashboard.is_empty() && !dashboard.starts_with("https://") && !dashboard.starts_with("http://") {
        let text = format!("`{dashboard}` is no address of a dashboard");
        meaning.problem("/alerts/dashboard", text, "write it as `https://gate.example.com`");
    }
    Settings {
        group_s: seconds(meaning, "group_for", written.group_for.as_ref(), 60_000),
        repeat_s: seconds(meaning, "repeat_after", written.repeat_after.as_ref(), 14_400_000),
        dashboard: dashboard.to_owned(),
        receivers: written
            .receivers
            .iter()
            .enumerate()
            .filter_map(|(at, receiver)| one(meaning, &format!("/alerts/receivers/{at}"), receiver))
            .collect(),
    }
}

fn one(meaning: &mut Meaning<'_>, pointer: &str, written: &written::Receiver) -> Option<Receiver> {
    let secret = match &written.secret {
        Some(secret) => Some(meaning.secret(&format!("{pointer}/secret"), secret)?),
        None => None,
    };
    let format = match written.format {
        written::AlertFormat::Plain => Format::Plain,
        written::AlertFormat::Slack => Format::Slack,
        written::AlertFormat::Ocsf => Format::Ocsf,
    };
    let way = match (&written.webhook, &written.syslog) {
        (Some(webhook), None) => {
            let url = meaning.secret(&format!("{pointer}/webhook"), webhook)?;
            let Some(way) = webhook_of(&url, secret) else {
                // The address may be a secret, so it is not repeated.
                let help = "write it as `https://hooks.example.com/portreeve`";
                meaning.problem(&format!("{pointer}/webhook"), "this is no address of a webhook".to_owned(), help);
                return None;
            };
            way
        }
        (None, Some(syslog)) => {
            if format == Format::Slack {
                let text = "syslog servers do not read `slack`".to_owned();
                meaning.problem(&format!("{pointer}/format"), text, "write `plain` or `ocsf`");
            }
            if secret.is_some() {
                let text = "messages over syslog are not signed".to_owned();
                meaning.problem(&format!("{pointer}/secret"), text, "leave `secret` out");
            }
            let Some(way) = syslog_of(syslog) else {
                let text = format!("`{syslog}` is no syslog server");
                meaning.problem(
                    &format!("{pointer}/syslog"),
                    text,
                    "write it as `udp://10.0.0.5:514` or `tcp://10.0.0.5:601`",
                );
                return None;
            };
            way
        }
        _ => {
            let help = "write `webhook: https://..` or `syslog: udp://..`";
            meaning.problem(pointer, "a receiver has one way to be told".to_owned(), help);
            return None;
        }
    };
    let host = match &way {
        Way::Webhook { host, .. } | Way::Syslog { host, .. } => host.clone(),
    };
    let kind = |kind: &written::AlertKind| match kind {
        written::AlertKind::ShadowEndpoint => Kind::ShadowEndpoint,
        written::AlertKind::Posture => Kind::Posture,
        written::AlertKind::Anomaly => Kind::Anomaly,
        written::AlertKind::Attack => Kind::Attack,
        written::AlertKind::Quota => Kind::Quota,
        written::AlertKind::Certificate => Kind::Certificate,
    };
    let kinds = written.kinds.iter().map(kind).collect();
    Some(Receiver { name: written.name.clone().unwrap_or(host), way, format, kinds })
}

fn webhook_of(url: &str, secret: Option<String>) -> Option<Way> {
    let (scheme, rest) = url.split_once("://")?;
    let tls = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    // What cannot stand in a request line cannot be asked for.
    if authority.contains('@') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let (host, port) = host_and_port(authority, Some(if tls { 443 } else { 80 }))?;
    Some(Way::Webhook { tls, host, port, path, secret })
}

fn syslog_of(url: &str) -> Option<Way> {
    let (scheme, authority) = url.split_once("://")?;
    let (tcp, default) = match scheme {
        "udp" => (false, 514),
        "tcp" => (true, 601),
        _ => return None,
    };
    let (host, port) = host_and_port(authority, Some(default))?;
    Some(Way::Syslog { tcp, host, port })
}

fn host_and_port(authority: &str, default: Option<u16>) -> Option<(String, u16)> {
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()));
    let text = match default {
        Some(port) if !has_port => format!("{authority}:{port}"),
        _ => authority.to_owned(),
    };
    units::host_and_port(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn addresses_read_as_meant() {
        let read = |url: &str| match webhook_of(url, None) {
            Some(Way::Webhook { tls, host, port, path, .. }) => Some((tls, host, port, path)),
            _ => None,
        };
        assert_eq!(read("https://a.example/x?y=1"), Some((true, "a.example".to_owned(), 443, "/x?y=1".to_owned())));
        assert_eq!(read("http://127.0.0.1:9/"), Some((false, "127.0.0.1".to_owned(), 9, "/".to_owned())));
        assert_eq!(read("https://a.example"), Some((true, "a.example".to_owned(), 443, "/".to_owned())));
        for wrong in ["a.example", "ftp://a", "https://u:p@a.example/", "https://a.example/x y", "https://"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(
            syslog_of("udp://10.0.0.5"),
            Some(Way::Syslog { tcp: false, host: "10.0.0.5".to_owned(), port: 514 })
        );
        assert_eq!(syslog_of("tls://10.0.0.5"), None);
    }

    proptest! {
        #[test]
        fn no_address_makes_it_panic(text in "[a-z]{0,6}(://)?.{0,40}") {
            let _ = (webhook_of(&text, None), syslog_of(&text));
        }
    }
}

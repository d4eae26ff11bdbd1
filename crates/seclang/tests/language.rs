//! The language: small rule files, what they do, and what is wrong with them.

#![expect(clippy::panic, reason = "a panic in a test is its report, also in what tests share")]

use proptest::prelude::*;
use seclang::lex::File;
use seclang::load::{Reader, load};
use seclang::{Body, GateUse, Loaded, Report, Request, Response, Settings};

/// Data files in memory; nothing can be included.
struct Memory;

impl Reader for Memory {
    fn include(&self, _from: &str, pattern: &str) -> Result<Vec<File>, String> {
        match pattern {
            "more.conf" => Ok(vec![File::new("more.conf", "SecAction \"id:900,phase:1,pass,nolog,setvar:tx.more=1\"")]),
            _ => Ok(Vec::new()),
        }
    }

    fn data(&self, _from: &str, name: &str) -> Result<Vec<u8>, String> {
        match name {
            "words.data" => Ok(b"# no\n\nevil\nworse thing\n".to_vec()),
            "networks.data" => Ok(b"10.0.0.0/8\n".to_vec()),
            _ => Err(format!("`{name}` is not there")),
        }
    }
}

fn read(text: &str, settings: &Settings) -> Result<Loaded, Vec<String>> {
    load(&[File::new("a.conf", text)], &Memory, settings)
        .map_err(|problems| problems.iter().map(ToString::to_string).collect())
}

fn judge(text: &str, target: &str, fields: &[(&[u8], &[u8])], body: Option<&str>) -> Report {
    let with = |gate| {
        let loaded =
            read(text, &Settings { gate, ..Settings::default() }).unwrap_or_else(|e| panic!("{}", e.join("\n")));
        let body = body.map(|body| Body { bytes: body.as_bytes(), whole: true, json: None });
        loaded.rules.judge_request(&Request {
            method: if body.is_some() { b"POST" } else { b"GET" },
            target: target.as_bytes(),
            protocol: "HTTP/1.1",
            fields,
            client: [10, 0, 0, 1].into(),
            unique: 1,
            body,
        })
    };
    let report = with(GateUse::On);
    assert_eq!(report, with(GateUse::Off), "the gate changes the outcome");
    report
}

/// The numbers of the rules that matched a GET of this target.
fn fired(text: &str, target: &str) -> Vec<u32> {
    judge(text, target, &[(b"Host", b"a"), (b"Cookie", b"c=1; d=two"), (b"User-Agent", b"Mozilla")], None).fired
}

#[test]
fn targets_transformations_and_operators_work_together() {
    let rules = r#"
        SecRule ARGS:q "@contains evil" "id:1,phase:1,pass,t:none,t:urlDecodeUni,t:lowercase"
        SecRule ARGS_NAMES "@streq q" "id:2,phase:1,pass"
        SecRule &ARGS "@gt 1" "id:3,phase:1,pass"
        SecRule REQUEST_COOKIES|!REQUEST_COOKIES:c "@rx ^[a-z]+$" "id:4,phase:1,pass"
        SecRule REQUEST_HEADERS:/^user-/ "!@rx curl" "id:5,phase:1,pass"
        SecRule ARGS "@pmFromFile words.data" "id:6,phase:2,pass"
        SecRule REMOTE_ADDR "@ipMatchFromFile networks.data" "id:7,phase:2,pass"
        SecRule REQUEST_FILENAME "@endsWith .php" "id:8,phase:2,pass"
        SecRule REQUEST_HEADERS:Absent "!@rx ." "id:9,phase:1,pass"
        SecRule ARGS "ev[i1]l" "id:10,phase:2,pass,t:length"
        SecRule ARGS "@rx <b>" "id:11,phase:2,pass,t:urlDecode,t:htmlEntityDecode,multiMatch"
    "#;
    assert_eq!(fired(rules, "/a?q=%2545VIL&r=1"), [1, 2, 3, 4, 5, 7]);
    assert_eq!(fired(rules, "/x.php?a=Worse+Thing"), [4, 5, 6, 7, 8]);
    assert_eq!(fired(rules, "/?a=%26lt;b%26gt;"), [4, 5, 7, 11]);
    assert_eq!(fired(rules, "/?a=%3Cb%3E%26amp;"), [4, 5, 7, 11]);
}

#[test]
fn chains_captures_and_variables() {
    let rules = r#"
        SecAction "id:1,phase:1,pass,nolog,setvar:tx.limit=3,setvar:'tx.list=|a| |b|'"
        SecRule ARGS:n "@rx ^(\d+)-(\w+)$" "id:2,phase:2,pass,capture,chain,setvar:tx.seen=%{tx.2}"
            SecRule TX:1 "@gt %{tx.limit}" "chain"
            SecRule MATCHED_VAR "@le 9" "setvar:tx.score=+5,setvar:tx.score=-1"
        SecRule TX:score "@eq 4" "id:3,phase:2,pass"
        SecRule TX:seen "@streq x" "id:4,phase:2,pass"
        SecRule ARGS:m "@rx ^.*$" "id:5,phase:2,pass,capture,setvar:'tx.form=|%{tx.0}|',chain"
            SecRule TX:form "@within %{tx.list}" "setvar:!tx.form"
        SecRule &TX:form "@eq 0" "id:6,phase:2,pass"
        SecRule TX:/^sc/ "@unconditionalMatch" "id:7,phase:2,pass"
    "#;
    assert_eq!(fired(rules, "/?n=5-x"), [2, 3, 4, 6, 7]);
    assert_eq!(fired(rules, "/?n=2-x"), [4, 6]);
    assert_eq!(fired(rules, "/?n=12-y&m=b"), [5, 6]);
    assert_eq!(fired(rules, "/?m=c"), Vec::<u32>::new());
}

#[test]
fn markers_skips_and_allow() {
    let rules = r#"
        SecRule ARGS:a "@streq 1" "id:1,phase:1,pass,skipAfter:END"
        SecRule ARGS "@unconditionalMatch" "id:2,phase:1,pass,skip:1"
        SecRule ARGS "@unconditionalMatch" "id:3,phase:1,pass"
        SecMarker "END"
        SecRule ARGS "@unconditionalMatch" "id:4,phase:1,pass"
        SecRule ARGS:b "@streq 1" "id:5,phase:1,allow:phase"
        SecRule ARGS "@unconditionalMatch" "id:6,phase:1,pass"
        SecRule ARGS "@unconditionalMatch" "id:7,phase:2,pass"
    "#;
    assert_eq!(fired(rules, "/?a=1"), [1, 4, 6, 7]);
    assert_eq!(fired(rules, "/?c=1"), [2, 4, 6, 7]);
}

#[test]
fn rules_that_nothing_changes_are_carried_out_once() {
    let rules = r#"
        SecRule &TX:level "@eq 0" "id:1,phase:1,pass,nolog,setvar:tx.level=1"
        SecRule TX:level "@lt 2" "id:2,phase:1,pass,nolog,skipAfter:END"
        SecRule ARGS "@unconditionalMatch" "id:3,phase:1,pass"
        SecMarker END
        SecRule ARGS "@unconditionalMatch" "id:4,phase:1,pass"
    "#;
    assert_eq!(read(rules, &Settings::default()).unwrap().rules.counts(), (4, 1));
    assert_eq!(fired(rules, "/?a=1"), [4]);
    // A rule that an exchange decides over writes the variable: nothing of it may be carried out before.
    let changed = format!("SecRule ARGS:up \"@streq 1\" \"id:9,phase:1,pass,nolog,setvar:tx.level=2\"\n{rules}");
    assert_eq!(read(&changed, &Settings::default()).unwrap().rules.counts(), (5, 5));
    assert_eq!(fired(&changed, "/?up=1"), [9, 3, 4]);
    assert_eq!(fired(&changed, "/?up=0"), [1, 2, 4]);
    // Skipped by what an exchange decides: the variable is not the same for all.
    let skipped = r#"
        SecRule ARGS:a "@streq 1" "id:1,phase:1,pass,skipAfter:END"
        SecAction "id:2,phase:1,pass,nolog,setvar:tx.x=1"
        SecMarker END
        SecRule TX:x "@eq 1" "id:3,phase:1,pass"
    "#;
    assert_eq!((fired(skipped, "/?a=1"), fired(skipped, "/?a=2")), (vec![1], vec![2, 3]));
}

#[test]
fn refusals_name_rule_message_and_variable() {
    let rules = r#"
        SecDefaultAction "phase:2,log,deny,status:406"
        SecRule ARGS "@contains evil" "id:1,phase:2,block,severity:CRITICAL,tag:'attack-x',msg:'found in %{MATCHED_VAR_NAME}'"
    "#;
    let report = judge(rules, "/?q=evil", &[], None);
    let denial = report.denial.unwrap();
    assert_eq!((denial.rule, denial.status, denial.message.as_str()), (1, Some(406), "found in ARGS:q"));
    let found = &report.matches[0];
    assert_eq!((found.variable, &found.name[..]), (seclang::variable::Variable::ArgsGet, &b"q"[..]));
    let only_detecting = format!("SecRuleEngine DetectionOnly\n{rules}");
    let report = judge(&only_detecting, "/?q=evil", &[], None);
    assert!(report.detection_only && report.denial.is_some());
    assert!(judge(&format!("SecRuleEngine Off\n{rules}"), "/?q=evil", &[], None).fired.is_empty());
}

#[test]
fn exclusions_hold_at_load_and_while_running() {
    let rules = "SecRule ARGS|ARGS_NAMES \"@contains evil\" \"id:1,phase:2,pass,tag:'attack-x/y',msg:'a message'\"\n";
    for (more, expected) in [
        ("", true),
        ("SecRuleRemoveById 1", false),
        ("SecRuleRemoveById \"5 0-3\"", false),
        ("SecRuleRemoveByTag attack-x", false),
        ("SecRuleRemoveByMsg \"a message\"", false),
        ("SecRuleRemoveById 2", true),
        ("SecRuleUpdateTargetById 1 \"!ARGS:q\"", false),
        ("SecRuleUpdateTargetByTag attack-x !ARGS:/^Q$/", false),
        ("SecRuleUpdateTargetById 1 !ARGS:r", true),
        ("SecRuleUpdateActionById 1 \"t:uppercase\"", false),
    ] {
        assert_eq!(!fired(&format!("{rules}{more}\n"), "/?q=evil").is_empty(), expected, "{more}");
    }
    for (control, expected) in [
        ("ruleRemoveById=1", false),
        ("ruleRemoveByTag=attack-x", false),
        ("ruleRemoveTargetById=1;ARGS:q", false),
        ("ruleRemoveTargetByTag=attack-x;ARGS", false),
        ("ruleRemoveTargetById=1;ARGS:other", true),
        ("ruleEngine=Off", false),
    ] {
        let before =
            format!("SecRule REQUEST_URI \"@beginsWith /x\" \"id:9,phase:1,pass,nolog,ctl:{control}\"\n{rules}");
        assert_eq!(fired(&before, "/x?q=evil").contains(&1), expected, "{control}");
        assert!(fired(&before, "/y?q=evil").contains(&1), "{control}");
    }
}

#[test]
fn bodies_become_arguments() {
    let rules = r#"
        SecRule ARGS_POST:a "@streq 1" "id:1,phase:2,pass"
        SecRule ARGS:json.x.0.y "@streq z" "id:2,phase:2,pass"
        SecRule XML:/* "@contains deep" "id:3,phase:2,pass"
        SecRule XML://@* "@streq at" "id:4,phase:2,pass"
        SecRule FILES "@endsWith .sh" "id:5,phase:2,pass"
        SecRule MULTIPART_PART_HEADERS:f "@rx ^content-type:" "id:6,phase:2,pass,t:lowercase"
        SecRule REQBODY_ERROR "@eq 1" "id:7,phase:2,pass"
        SecRule REQBODY_PROCESSOR "@streq JSON" "id:8,phase:1,pass"
    "#;
    let judge = |media: &str, body: &str| judge(rules, "/", &[(b"Content-Type", media.as_bytes())], Some(body)).fired;
    assert_eq!(judge("application/x-www-form-urlencoded", "a=1"), [1]);
    assert_eq!(judge("application/json; charset=utf-8", r#"{"x":[{"y":"z"}]}"#), [8, 2]);
    assert_eq!(judge("application/json", "{"), [8, 7]);
    assert_eq!(judge("text/xml", "<a b='at'><c>de<!-- x -->ep</c></a>"), [3, 4]);
    let part =
        |head: &str, content: &str| format!("--x\r\nContent-Disposition: form-data; {head}\r\n\r\n{content}\r\n");
    let form = part("name=a", "1") + &part("name=f; filename=x.sh\r\nContent-Type: text/plain", "#!") + "--x--\r\n";
    assert_eq!(judge("multipart/form-data; boundary=x", &form), [1, 5, 6]);
    assert_eq!(judge("multipart/form-data", &form), [7]);
}

#[test]
fn responses_are_judged() {
    let rules = r#"
        SecRule REQUEST_URI "@beginsWith /free" "id:1,phase:1,pass,nolog,ctl:ruleRemoveById=3"
        SecRule RESPONSE_STATUS "@rx ^5" "id:2,phase:3,pass,nolog"
        SecRule RESPONSE_BODY "@contains stack trace" "id:3,phase:4,deny,t:lowercase,msg:'a trace'"
    "#;
    let loaded = read(rules, &Settings::default()).unwrap();
    assert!(loaded.rules.judges_responses() && loaded.rules.reads_response("text/html"));
    let judge = |target: &str| {
        let request = Request {
            method: b"GET",
            target: target.as_bytes(),
            protocol: "HTTP/1.1",
            fields: &[],
            client: [10, 0, 0, 1].into(),
            unique: 1,
            body: None,
        };
        let body = Body { bytes: b"a Stack Trace", whole: true, json: None };
        let response = Response { status: 500, protocol: "HTTP/1.1", fields: &[], body: Some(body) };
        let report = loaded.rules.judge_response(&request, &response);
        (report.fired, report.denial.is_some())
    };
    assert_eq!(judge("/"), (vec![2, 3], true));
    assert_eq!(judge("/free"), (vec![2], false));
}

#[test]
fn every_mistake_is_told_with_its_place() {
    let mut wrong = Vec::new();
    for (text, message, place) in [
        ("SecNothing On", "unknown directive `SecNothing`", "a.conf:1:1"),
        ("\nSecRule ARGS \"@nope x\" \"id:1\"", "unknown operator `@nope`", "a.conf:2:15"),
        ("SecRule ARGS \"@rx x\" \\\n  \"id:1,t:none,t:nope\"", "unknown transformation `nope`", "a.conf:2:18"),
        ("SecRule NOPE \"@rx x\" \"id:1\"", "unknown variable `NOPE`", "a.conf:1:9"),
        ("SecRule ARGS \"@rx x\" \"id:1,nope:2\"", "unknown action `nope`", "a.conf:1:28"),
        ("SecRule ARGS \"@rx a(\" \"id:1\"", "the pattern is wrong", "a.conf:1:19"),
        ("SecRule ARGS \"@rx x\" \"phase:1\"", "has no `id`", "a.conf:1:1"),
        ("SecRule ARGS \"@rx x\" \"id:1,ctl:nope=1\"", "unknown control `nope`", "a.conf:1:32"),
        ("SecRule ARGS \"@pmFromFile x.data\" \"id:1\"", "`x.data` is not there", "a.conf:1:27"),
        ("SecRule ARGS \"@rx x\" \"id:1,skipAfter:END\"", "there is no marker `END`", "a.conf:1:1"),
        ("SecRule ARGS \"@rx x\" \"id:1,chain\"", "the chain has no next rule", "a.conf:1:1"),
        ("SecRule ARGS \"@validateByteRange 1-300\" \"id:1\"", "is no range of bytes", "a.conf:1:34"),
        ("SecRule ARGS \"@inspectFile x\" \"id:1\"", "is not carried out here", "a.conf:1:15"),
        ("Include nothing.conf", "no file is meant", "a.conf:1:9"),
        ("SecRule ARGS \"@rx x\" \"id:1,msg:'x\"", "is never closed", "a.conf:1:33"),
    ] {
        let problems = read(text, &Settings::default()).map(|_| ()).unwrap_err();
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        if !problems[0].contains(message) || !problems[0].contains(place) {
            wrong.push(format!("{text} ({place}):\n{}", problems[0]));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let two = "SecRule ARGS \"@rx x\" \"id:1\"\nSecRule ARGS \"@rx x\" \"id:1\"\nSecNope";
    assert_eq!(read(two, &Settings::default()).map(|_| ()).unwrap_err().len(), 2);
    let notes = read("SecAuditEngine On\nSecRule IP:x \"@rbl x\" \"id:1\"\nInclude more.conf", &Settings::default());
    assert_eq!(notes.unwrap().notes.len(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Any text is rules or problems, each with a place; nothing panics.
    #[test]
    fn any_text_is_answered(text in "(SecRule |SecAction |ARGS|TX:|\\||!|&|\"|'|@rx |@pm |id:[0-9]|,|t:none|chain|setvar:tx\\.a=|%\\{|\\}|\\(|\\[|\\\\|\n| |[ -~]){0,30}") {
        if let Err(problems) = read(&text, &Settings::default()) {
            prop_assert!(!problems.is_empty());
        }
    }

    /// Judging answers any message, and the gate never changes the outcome.
    #[test]
    fn the_gate_changes_nothing(target in "/[a-z]{0,3}\\?([a-c]|=|&|%[0-9a-f]{2}|\\+|evil|EVIL|<b>|%26lt;b%26gt;|[ -~]){0,12}", cookie in "[ -~]{0,20}", body in "[ -~]{0,30}") {
        let rules = r#"
            SecRule ARGS|ARGS_NAMES|REQUEST_COOKIES "@rx (?i)<b>|e[vw]il\d?" "id:1,phase:2,pass,t:urlDecodeUni,t:htmlEntityDecode"
            SecRule ARGS|REQUEST_BODY "@contains evil" "id:2,phase:2,pass,t:lowercase,t:removeWhitespace"
            SecRule REQUEST_URI|QUERY_STRING "@pm <b> %45 lt;" "id:3,phase:2,pass,multiMatch,t:urlDecode,t:lowercase"
            SecRule ARGS "@rx ^(?:ab|cd)+$" "id:4,phase:2,pass,t:removeNulls,t:trim"
            SecRule REQUEST_BODY "@rx a.*b[0-9]" "id:5,phase:2,pass,t:base64Decode"
        "#;
        let fields: &[(&[u8], &[u8])] =
            &[(b"Cookie", cookie.as_bytes()), (b"Content-Type", b"application/x-www-form-urlencoded")];
        judge(rules, &target, fields, Some(&body));
    }
}

//! One file per kind of mistake under `tests/config`, beside the exact message; and the schema that is committed.

use std::path::{Path, PathBuf};

use expect_test::expect_file;

use super::*;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config")
}

fn environment(name: &str) -> Option<String> {
    match name {
        "ORDERS_PORT" => Some("8081".to_owned()),
        "WORKERS" => Some("2".to_owned()),
        "SESSION_KEY" => Some("0123456789abcdef0123456789abcdef".to_owned()),
        "SHORT" => Some("hunter2".to_owned()),
        _ => None,
    }
}

#[test]
fn every_mistake_is_told_as_written_down() {
    let mut seen = 0;
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        seen += 1;
        let text = std::fs::read_to_string(path).unwrap();
        let name = PathBuf::from(path.file_name().unwrap());
        let shown = match parse(&name, &folder(), &text, &environment) {
            Ok(_) => "right\n".to_owned(),
            // Where the checkout lies is no part of the message.
            Err(report) => report.to_string().replace(&folder().display().to_string(), "DIR"),
        };
        expect_file![path.with_extension("txt")].assert_eq(&shown);
    }
    assert!(seen > 10, "the cases were not found");
}

#[test]
fn ten_mistakes_make_ten_diagnostics() {
    let text = std::fs::read_to_string(folder().join("ten-mistakes.yaml")).unwrap();
    let report = parse(Path::new("ten-mistakes.yaml"), &folder(), &text, &environment).unwrap_err();
    assert_eq!(report.diagnostics.len(), 10, "{report}");
    assert!(report.diagnostics.iter().all(|diagnostic| diagnostic.spot.line > 0), "{report}");
}

#[test]
fn the_committed_schema_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema/portreeve.schema.json");
    let mut text = serde_json::to_string_pretty(&written::json_schema()).unwrap();
    text.push('\n');
    expect_file![path].assert_eq(&text);
}

#[test]
fn the_configuration_of_the_readme_is_right() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let (_, behind) = readme.split_once("```yaml\n").expect("the README has a configuration");
    let (text, _) = behind.split_once("```").unwrap();
    assert!(text.lines().count() <= 22, "the README promises a configuration of about 20 lines");
    let folder = tempfile::tempdir().unwrap();
    for name in ["tls/chain.pem", "tls/key.pem", "contracts/shop.yaml"] {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let contract = "openapi: 3.1.0\ninfo: {title: shop, version: '1'}\npaths: {}\n";
        std::fs::write(path, contract).unwrap();
    }
    let environment = |name: &str| (name == "ADMIN_TOKEN").then(|| "0123456789abcdef0123456789abcdef".to_owned());
    let settings =
        parse(Path::new("portreeve.yaml"), folder.path(), text, &environment).unwrap_or_else(|e| panic!("{e}"));
    assert!(settings.gateway.routes.iter().all(|route| !route.targets.is_empty()));
}

#[test]
fn a_shown_configuration_hides_its_secrets() {
    let text = "admin: {address: 127.0.0.1:1}\nsession:\n  key: hunter2hunter2hunter2\n";
    let shown = masked(text);
    assert!(shown.contains("address: 127.0.0.1:1") && !shown.contains("hunter2"), "{shown}");
}

proptest::proptest! {
    /// Any text is either a configuration or a report that can be shown; nothing panics.
    #[test]
    fn any_text_is_answered(text in "(\\PC|\n|[a-z_]+: |- |  |\\$\\{|\\}|'|\"|\\[|\\]){0,80}") {
        if let Err(report) = parse(Path::new("x"), Path::new("."), &text, &environment) {
            proptest::prop_assert!(!report.diagnostics.is_empty());
            proptest::prop_assert!(report.to_string().contains("mistake"));
        }
    }
}

#[test]
fn hidden_secrets_come_back_where_they_were_and_nowhere_else() {
    let kept = "admin: { address: 127.0.0.1:1, token: \"s3cret\" }\n";
    let shown = masked(kept);
    assert!(shown.contains(diagnostic::MASK) && !shown.contains("s3cret"), "{shown}");
    let edited = format!("# a comment\n{shown}");
    assert_eq!(unmasked(&edited, kept), Ok(format!("# a comment\n{kept}")));
    // Another key with the same mask, and the same line twice: nobody says which secret is meant.
    let stolen = format!("log: {}\n{shown}", diagnostic::MASK);
    assert_eq!(unmasked(&stolen, kept), Err(vec![1]));
    assert_eq!(unmasked(&format!("{shown}{shown}"), kept), Err(vec![1, 2]));
    // What says where a secret is stays readable.
    for reference in ["${ADMIN_TOKEN}", "file:/run/secrets/admin"] {
        let text = format!("admin:\n  token: \"{reference}\"\n");
        assert_eq!(masked(&text), text);
    }
}

#[test]
fn a_secret_of_several_lines_is_hidden_whole_and_comes_back() {
    let forms = [
        "admin:\n  token: |\n    hunter2\n\n    hunter3\n  address: 127.0.0.1:1\n",
        "admin:\n  token: >-\n    hunter2\n    hunter3\n  address: 127.0.0.1:1\n",
        "admin:\n  token: \"hunter2\n    hunter3\"\n  address: 127.0.0.1:1\n",
        "admin:\n  token: 'hunter2\n    hunter3'\n  address: 127.0.0.1:1\n",
        "admin:\n  token: hunter2\n    hunter3\n  address: 127.0.0.1:1\n",
        "admin:\n  token:\n    hunter2\n    hunter3\n  address: 127.0.0.1:1\n",
        "admin: { token: \"hunter2\n    hunter3\",\n  address: 127.0.0.1:1 }\n",
    ];
    for kept in forms {
        let shown = masked(kept);
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(kept.starts_with("admin: {") || shown.contains("  address: 127.0.0.1:1\n"), "{shown}");
        assert_eq!(unmasked(&shown, kept).as_deref(), Ok(kept));
    }
    let list = "alerts:\n  receivers:\n    - webhook: https://example.com/hunter2\n      format: slack\n";
    assert!(masked(list).contains("format: slack") && !masked(list).contains("hunter"), "{}", masked(list));
}

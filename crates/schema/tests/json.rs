//! The tape against `serde_json`, against the public parsing suite, and against hostile bytes.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a panic in a test or benchmark is the report"
)]

use std::path::PathBuf;

use proptest::prelude::*;
use schema::json::{ErrorKind, JsonLimits, Kind, NoteKind, Role, Tape, Value};

fn limits() -> JsonLimits {
    JsonLimits::default()
}

fn error(text: &[u8]) -> (ErrorKind, u32) {
    let error = Tape::parse(text, &limits()).unwrap_err();
    (error.kind, error.offset)
}

fn notes(text: &str) -> Vec<(NoteKind, u32)> {
    Tape::parse(text.as_bytes(), &limits()).unwrap().notes().iter().map(|note| (note.kind, note.offset)).collect()
}

fn to_serde(value: Value<'_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Bool => value.as_bool().unwrap().into(),
        Kind::Number => serde_json::from_str(value.as_number().unwrap().text()).unwrap(),
        Kind::String => value.as_str().unwrap().into(),
        Kind::Array => value.items().unwrap().map(to_serde).collect(),
        Kind::Object => {
            serde_json::Value::Object(value.members().unwrap().map(|(k, v)| (k.to_owned(), to_serde(v))).collect())
        }
    }
}

#[test]
fn every_refusal_has_its_kind_and_place() {
    assert_eq!(error(b""), (ErrorKind::Empty, 0));
    assert_eq!(error(b" \n"), (ErrorKind::Empty, 2));
    assert_eq!(error(b"[1,]"), (ErrorKind::UnexpectedByte, 3));
    assert_eq!(error(b"{\"a\":1,}"), (ErrorKind::UnexpectedByte, 7));
    assert_eq!(error(b"[1"), (ErrorKind::UnexpectedEnd, 2));
    assert_eq!(error(b"[01]"), (ErrorKind::InvalidNumber, 2));
    assert_eq!(error(b"[1.]"), (ErrorKind::InvalidNumber, 3));
    assert_eq!(error(b"[-]"), (ErrorKind::InvalidNumber, 2));
    assert_eq!(error(b"\"\\x\""), (ErrorKind::InvalidEscape, 1));
    assert_eq!(error(b"\"a\nb\""), (ErrorKind::ControlCharacter, 2));
    assert_eq!(error(b"\"\xff\""), (ErrorKind::InvalidUtf8, 1));
    assert_eq!(error(b"{} {}"), (ErrorKind::TrailingBytes, 3));
    assert_eq!(error(b"[\0]\0"), (ErrorKind::WideEncoding, 0));
    assert_eq!(error(b"\xfe\xff\0["), (ErrorKind::WideEncoding, 0));
    assert_eq!(error(b"nul"), (ErrorKind::UnexpectedEnd, 3));
    assert_eq!(error(b"nulL"), (ErrorKind::UnexpectedByte, 3));
    assert_eq!(error(b"{'a':1}"), (ErrorKind::UnexpectedByte, 1));
    assert_eq!(error(b"[1}"), (ErrorKind::UnexpectedByte, 2));
}

#[test]
fn every_limit_refuses_just_beyond_it() {
    let tight = JsonLimits {
        bytes_max: 40,
        depth_max: 2,
        keys_max: 2,
        items_max: 3,
        nodes_max: 8,
        string_bytes_max: 5,
        key_bytes_max: 3,
        number_bytes_max: 4,
    };
    let kind = |text: &str| Tape::parse(text.as_bytes(), &tight).err().map(|error| error.kind);
    assert_eq!(kind("[[1]]"), None);
    assert_eq!(kind("[[[1]]]"), Some(ErrorKind::TooDeep));
    assert_eq!(kind(r#"{"a":1,"b":2}"#), None);
    assert_eq!(kind(r#"{"a":1,"b":2,"c":3}"#), Some(ErrorKind::TooManyKeys));
    assert_eq!(kind("[1,2,3]"), None);
    assert_eq!(kind("[1,2,3,4]"), Some(ErrorKind::TooManyItems));
    assert_eq!(kind("[[1,2],[1,2],[1,2]]"), Some(ErrorKind::TooManyNodes));
    assert_eq!(kind(r#""12345""#), None);
    assert_eq!(kind(r#""123456""#), Some(ErrorKind::StringTooLong));
    assert_eq!(kind(r#""\n23456""#), Some(ErrorKind::StringTooLong));
    assert_eq!(kind(r#"{"abcd":1}"#), Some(ErrorKind::KeyTooLong));
    assert_eq!(kind("12345"), Some(ErrorKind::NumberTooLong));
    assert_eq!(kind(&" ".repeat(41)), Some(ErrorKind::TooLarge));
    let deep = JsonLimits { depth_max: u16::MAX, ..limits() };
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(Tape::parse(nested(512).as_bytes(), &deep).is_ok());
    assert_eq!(Tape::parse(nested(513).as_bytes(), &deep).unwrap_err().kind, ErrorKind::TooDeep);
}

#[test]
fn what_parsers_disagree_about_is_noted() {
    assert_eq!(notes(r#"{"a":1,"b":{"a":2},"\u0061":3}"#), [(NoteKind::DuplicateKey, 19)]);
    assert_eq!(notes(r#"{"a":1,"b":2}"#), []);
    assert_eq!(notes("\u{feff}[]"), [(NoteKind::ByteOrderMark, 0)]);
    assert_eq!(notes(r#"["\ud800","\ud83d\ude00","\udc00\ud800"]"#).len(), 3);
    assert_eq!(notes("[1e400, 1e308]"), [(NoteKind::NumberOverflow, 1)]);
    let many: String = (0..40).map(|key| format!("\"k{key}\":1,")).collect();
    assert_eq!(notes(&format!("{{{many}\"k7\":2}}")).len(), 1);
    let repeated = format!("{{{}\"a\":1}}", "\"a\":1,".repeat(100));
    let tape = Tape::parse(repeated.as_bytes(), &limits()).unwrap();
    assert_eq!((tape.notes().len(), tape.notes_dropped()), (16, 84));
}

#[test]
fn strings_come_with_their_places() {
    let text = r#"{"user":{"na/me":"Ada","t~ags":["x","y\n"]},"n":1}"#;
    let tape = Tape::parse(text.as_bytes(), &limits()).unwrap();
    let seen: Vec<(String, Role, String)> =
        tape.strings().map(|s| (s.text.to_owned(), s.role, tape.pointer(s.index))).collect();
    let expected = [
        ("user", Role::Key, "/user"),
        ("na/me", Role::Key, "/user/na~1me"),
        ("Ada", Role::Value, "/user/na~1me"),
        ("t~ags", Role::Key, "/user/t~0ags"),
        ("x", Role::Value, "/user/t~0ags/0"),
        ("y\n", Role::Value, "/user/t~0ags/1"),
        ("n", Role::Key, "/n"),
    ];
    let expected: Vec<_> = expected.map(|(text, role, at)| (text.to_owned(), role, at.to_owned())).into();
    assert_eq!(seen, expected);
    for (text, _, pointer) in &seen {
        if let Some(found) = tape.find(pointer).and_then(Value::as_str) {
            assert!(seen.iter().any(|(other, _, at)| at == pointer && other == found), "{text}");
        }
    }
    assert_eq!(tape.find("/user/t~0ags/1").unwrap().as_str(), Some("y\n"));
    assert!(tape.find("/user/t~0ags/01").is_none());
    assert!(tape.find("user").is_none());
}

fn corpus(folder: &str) -> Option<PathBuf> {
    let Ok(root) = std::env::var("PORTREEVE_CORPORA") else {
        println!("skipped: PORTREEVE_CORPORA is not set");
        return None;
    };
    Some(PathBuf::from(root).join(folder))
}

#[test]
fn the_parsing_suite_is_decided_as_it_says() {
    let Some(folder) = corpus("json-test-suite/test_parsing") else { return };
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        let accepted = Tape::parse(&bytes, &limits()).is_ok();
        match name.as_bytes()[0] {
            b'y' => assert!(accepted, "{name} must be accepted"),
            b'n' => assert!(!accepted, "{name} must be refused"),
            _ => {}
        }
        seen += 1;
    }
    assert!(seen > 300, "only {seen} files");
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
        ".*".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::Array),
            prop::collection::btree_map(".{0,12}", inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn what_serde_writes_is_read_back_the_same(value in json(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        let tape = Tape::parse(text.as_bytes(), &limits()).unwrap();
        prop_assert_eq!(to_serde(tape.root()), value);
        prop_assert!(tape.notes().is_empty());
        for string in tape.strings() {
            let found = tape.find(&tape.pointer(string.index));
            prop_assert!(found.is_some());
            if string.role == Role::Value {
                prop_assert_eq!(found.unwrap().as_str(), Some(string.text));
            }
        }
    }

    #[test]
    fn a_damaged_text_is_decided_as_serde_decides(value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = serde_json::to_vec(&value).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let ours = Tape::parse(&bytes, &limits());
        let theirs: Result<serde_json::Value, _> = serde_json::from_slice(&bytes);
        match (&ours, &theirs) {
            (Ok(tape), Ok(value)) => if tape.notes().is_empty() {
                prop_assert_eq!(&to_serde(tape.root()), value)
            },
            (Err(error), Err(_)) => prop_assert!(error.offset as usize <= bytes.len()),
            // What serde refuses and we only note: overflowing numbers and lone surrogates.
            (Ok(tape), Err(_)) => prop_assert!(!tape.notes().is_empty()),
            (Err(error), Ok(_)) => prop_assert!(false, "we refuse: {error}"),
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(tape) = Tape::parse(&bytes, &limits()) {
            prop_assert!(tape.len() <= bytes.len());
        }
    }

    #[test]
    fn punctuation_soup_is_decided_as_serde_decides(text in r#"[\[\]{}:,"0-9.eE+\-truefalsn\\ ]{0,40}"#) {
        let ours = Tape::parse(text.as_bytes(), &limits());
        let theirs: Result<serde_json::Value, _> = serde_json::from_str(&text);
        prop_assert_eq!(ours.as_ref().is_ok_and(|tape| tape.notes().is_empty() || theirs.is_ok()), theirs.is_ok(), "{:?}", text);
    }
}

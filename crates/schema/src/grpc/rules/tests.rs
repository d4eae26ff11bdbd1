use super::super::{GrpcContract, GrpcLimits, GrpcMatch, GrpcSide, UnknownFields, WireProblem};
use proptest::prelude::*;
use prost_reflect::DynamicMessage;

/// The part of the rules' own definition that the tests write, with its numbers.
const VALIDATE: &str = r#"
syntax = "proto2";
package buf.validate;
import "google/protobuf/descriptor.proto";
extend google.protobuf.MessageOptions { optional MessageRules message = 1159; }
extend google.protobuf.OneofOptions { optional OneofRules oneof = 1159; }
extend google.protobuf.FieldOptions { optional FieldRules field = 1159; }
message Rule { optional string id = 1; optional string expression = 3; }
message MessageRules { repeated Rule cel = 3; repeated MessageOneofRule oneof = 4; }
message MessageOneofRule { repeated string fields = 1; optional bool required = 2; }
message OneofRules { optional bool required = 1; }
enum Ignore { IGNORE_UNSPECIFIED = 0; IGNORE_IF_ZERO_VALUE = 1; IGNORE_ALWAYS = 3; }
message FieldRules {
  repeated Rule cel = 23; optional bool required = 25; optional Ignore ignore = 27;
  oneof type {
    FloatRules float = 1; Int32Rules int32 = 3; UInt64Rules uint64 = 6; SInt64Rules sint64 = 8; BoolRules bool = 13;
    StringRules string = 14; BytesRules bytes = 15; EnumRules enum = 16; RepeatedRules repeated = 18; MapRules map = 19;
    TimestampRules timestamp = 22;
  }
}
message FloatRules { optional float const = 1; optional float lt = 2; optional float gte = 5; optional bool finite = 8; }
message Int32Rules { optional int32 const = 1; optional int32 lt = 2; optional int32 lte = 3; optional int32 gt = 4; optional int32 gte = 5; repeated int32 in = 6; repeated int32 not_in = 7; }
message UInt64Rules { optional uint64 lte = 3; }
message SInt64Rules { optional sint64 gte = 5; }
message BoolRules { optional bool const = 1; }
message StringRules {
  optional string const = 1; optional uint64 len = 19; optional uint64 min_len = 2; optional uint64 max_len = 3; optional uint64 max_bytes = 5;
  optional string pattern = 6; optional string prefix = 7; optional string suffix = 8; optional string contains = 9;
  optional string not_contains = 23; repeated string in = 10; repeated string not_in = 11;
  oneof well_known { bool email = 12; bool uuid = 22; bool ipv4 = 15; KnownRegex well_known_regex = 24; }
  optional bool strict = 25;
}
enum KnownRegex { KNOWN_REGEX_UNSPECIFIED = 0; KNOWN_REGEX_HTTP_HEADER_NAME = 1; KNOWN_REGEX_HTTP_HEADER_VALUE = 2; }
message BytesRules { optional uint64 min_len = 2; optional bytes prefix = 5; oneof well_known { bool ip = 10; } }
message EnumRules { optional bool defined_only = 2; repeated int32 not_in = 4; }
message RepeatedRules { optional uint64 min_items = 1; optional uint64 max_items = 2; optional bool unique = 3; optional FieldRules items = 4; }
message MapRules { optional uint64 min_pairs = 1; optional uint64 max_pairs = 2; optional FieldRules keys = 4; optional FieldRules values = 5; }
message TimestampRules { oneof greater_than { bool gt_now = 8; } }
"#;

const SHOP: &str = r#"
syntax = "proto3";
package shop;
import "buf/validate/validate.proto";
import "google/protobuf/timestamp.proto";
enum Kind { NONE = 0; A = 1; B = 2; }
message Part { string code = 1 [(buf.validate.field).string.len = 2]; }
message Item {
  option (buf.validate.message).oneof = { fields: ["left", "right"] };
  string name = 1 [(buf.validate.field).string = { min_len: 2, max_len: 4, pattern: "^[a-zä]+$" }];
  int32 count = 2 [(buf.validate.field).int32 = { gte: 1, lt: 10, not_in: [5] }];
  optional string mail = 3 [(buf.validate.field).string.email = true];
  repeated int32 sizes = 4 [(buf.validate.field).repeated = { max_items: 3, unique: true, items: { int32: { gt: 0 } } }];
  map<string, Part> parts = 5 [(buf.validate.field).map = { min_pairs: 1, keys: { string: { min_len: 1 } } }];
  Kind kind = 6 [(buf.validate.field).enum = { defined_only: true, not_in: [2] }];
  Part part = 7 [(buf.validate.field).required = true];
  oneof which { option (buf.validate.oneof).required = true; int32 one = 8; bool two = 9 [(buf.validate.field).bool.const = true]; }
  float rate = 10 [(buf.validate.field).float = { finite: true, gte: 0 }];
  bytes address = 11 [(buf.validate.field).bytes.ip = true, (buf.validate.field).ignore = IGNORE_IF_ZERO_VALUE];
  Part loose = 12 [(buf.validate.field).ignore = IGNORE_ALWAYS];
  string left = 13; string right = 14;
  int32 outside = 15 [(buf.validate.field).int32 = { gt: 10, lt: 5 }];
  sint64 low = 16 [(buf.validate.field).sint64.gte = -3];
  repeated string words = 17 [(buf.validate.field).repeated.items.string.in = "x"];
  string told = 18 [(buf.validate.field).cel = { id: "told", expression: "this != 'x'" }];
  optional string header = 20 [(buf.validate.field).string.well_known_regex = KNOWN_REGEX_HTTP_HEADER_NAME];
  optional string lenient = 21 [(buf.validate.field).string = { well_known_regex: KNOWN_REGEX_HTTP_HEADER_NAME, strict: false }];
  google.protobuf.Timestamp at = 19 [(buf.validate.field).timestamp.gt_now = true];
}
service Shop { rpc Put(Item) returns (Item); }
"#;

fn load(text: &str) -> Result<GrpcContract, String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("buf/validate")).unwrap();
    // The whole definition may be given instead (`buf export buf.build/bufbuild/protovalidate`).
    let whole = std::env::var_os("PORTREEVE_VALIDATE_PROTO").map(|path| std::fs::read_to_string(path).unwrap());
    let definition = whole.unwrap_or_else(|| VALIDATE.to_owned());
    std::fs::write(folder.path().join("buf/validate/validate.proto"), definition).unwrap();
    let file = folder.path().join("shop.proto");
    std::fs::write(&file, text).unwrap();
    GrpcContract::from_proto_files(&[file.as_path()], &[folder.path()], GrpcLimits::default(), UnknownFields::Refuse)
}

fn encoded(contract: &GrpcContract, json: &str) -> Vec<u8> {
    let descriptor = contract.pool.get_message_by_name("shop.Item").unwrap();
    let mut read = serde_json::Deserializer::from_str(json);
    let message = DynamicMessage::deserialize(descriptor, &mut read).unwrap();
    let mut bytes = Vec::new();
    prost_reflect::prost::Message::encode(&message, &mut bytes).unwrap();
    bytes
}

fn judge(contract: &GrpcContract, bytes: &[u8]) -> Option<(WireProblem, String, String)> {
    let GrpcMatch::Method(method) = contract.match_method("/shop.Shop/Put") else { panic!() };
    let judged = contract.judge_message(&method, GrpcSide::Request, bytes).err();
    judged.map(|violation| (violation.problem, violation.path.clone(), violation.expected().to_owned()))
}

/// A message that fits, with members put in the place of its own.
fn with(changes: &str) -> String {
    let good = r#"{"name": "abc", "count": 3, "parts": {"k": {"code": "xy"}}, "part": {"code": "xy"}, "one": 1, "outside": 1}"#;
    let mut value: serde_json::Value = serde_json::from_str(good).unwrap();
    let changes: serde_json::Value = serde_json::from_str(changes).unwrap();
    for (name, change) in changes.as_object().unwrap() {
        let members = value.as_object_mut().unwrap();
        if change.is_null() {
            members.remove(name);
        } else {
            members.insert(name.clone(), change.clone());
        }
    }
    value.to_string()
}

#[test]
fn what_the_rules_say_passes() {
    let contract = load(SHOP).unwrap();
    for changes in [
        "{}",
        r#"{"name": "ää", "count": 9}"#,
        r#"{"mail": "a@b.example"}"#,
        r#"{"sizes": [1, 2, 3]}"#,
        r#"{"kind": "A", "rate": 1.5, "address": "AQIDBA==", "low": "-3"}"#,
        r#"{"loose": {"code": "much too long"}}"#,
        r#"{"left": "l", "outside": 11, "words": ["x", "x"]}"#,
        r#"{"one": null, "two": true}"#,
        r#"{"one": 0}"#,
        r#"{"header": "x-a", "lenient": "a b"}"#,
    ] {
        let json = with(changes);
        assert_eq!(judge(&contract, &encoded(&contract, &json)), None, "{json}");
    }
}

#[test]
fn what_breaks_a_rule_is_named_with_its_place() {
    let contract = load(SHOP).unwrap();
    for (changes, path, expected) in [
        (r#"{"name": null}"#, "name", "string.min_len: at least 2 characters"),
        (r#"{"name": "abcde"}"#, "name", "string.max_len: at most 4 characters"),
        (r#"{"name": "AB"}"#, "name", "string.pattern: text that matches `^[a-zä]+$`"),
        (r#"{"count": null}"#, "count", "int32: >= 1 and < 10"),
        (r#"{"count": 10}"#, "count", "int32: >= 1 and < 10"),
        (r#"{"count": -1}"#, "count", "int32: >= 1 and < 10"),
        (r#"{"count": 5}"#, "count", "int32.not_in: none of the values of the rule"),
        (r#"{"mail": ""}"#, "mail", "string.email: an address of mail"),
        (r#"{"sizes": [1, 2, 3, 4]}"#, "sizes", "0 to 3 elements"),
        (r#"{"sizes": [1, 1]}"#, "sizes", "repeated.unique: each value once"),
        (r#"{"sizes": [0]}"#, "sizes", "int32: > 0"),
        (r#"{"parts": null}"#, "parts", "at least 1 elements"),
        (r#"{"parts": {"": {"code": "xy"}}}"#, "parts.key", "string.min_len: at least 1 characters"),
        (r#"{"parts": {"k": {"code": "x"}}}"#, "parts.value.code", "string.len: 2 characters"),
        (r#"{"kind": 7}"#, "kind", "enum.defined_only: a value of the enumeration"),
        (r#"{"kind": "B"}"#, "kind", "enum.not_in: none of the values of the rule"),
        (r#"{"part": null}"#, "part", "required: a value"),
        (r#"{"part": {}}"#, "part.code", "string.len: 2 characters"),
        (r#"{"one": null}"#, "", "which: one of the fields"),
        (r#"{"one": null, "two": false}"#, "two", "bool.const: true"),
        (r#"{"rate": "NaN"}"#, "rate", "float.finite: a finite number"),
        (r#"{"rate": -0.5}"#, "rate", "float: >= 0"),
        (r#"{"address": "AQID"}"#, "address", "bytes.ip: an IP address"),
        (r#"{"left": "l", "right": "r"}"#, "", "oneof: at most one of the fields"),
        (r#"{"outside": 7}"#, "outside", "int32: > 10 and < 5"),
        (r#"{"low": "-4"}"#, "low", "sint64: >= -3"),
        (r#"{"header": "a b"}"#, "header", "string.well_known_regex: the name of a header"),
        (r#"{"lenient": "a\nb"}"#, "lenient", "string.well_known_regex: the name of a header"),
        (r#"{"words": ["x", "y"]}"#, "words", "string.in: one of the values of the rule"),
    ] {
        let json = with(changes);
        let found = judge(&contract, &encoded(&contract, &json));
        assert_eq!(found, Some((WireProblem::Rule, path.to_owned(), expected.to_owned())), "{json}");
    }
}

#[test]
fn what_is_not_enforced_is_named_and_a_pattern_that_cannot_be_is_a_mistake() {
    let told = load(SHOP).unwrap().unenforced();
    let expected = ["rule `cel` of `told`", "rule `timestamp` of `at`"];
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for part in expected {
        assert!(told.iter().any(|sentence| sentence.contains(part)), "{told:?}");
    }
    let broken = load(&SHOP.replace("^[a-zä]+$", "(?=look)")).err().unwrap();
    assert!(broken.contains("`shop.Item.name`: the pattern cannot be enforced"), "{broken}");
}

proptest! {
    /// Whatever comes, it is judged, and rules only take away from what passes without them.
    #[test]
    fn rules_only_narrow(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
        use std::sync::LazyLock;
        static RULED: LazyLock<GrpcContract> = LazyLock::new(|| load(SHOP).unwrap());
        static PLAIN: LazyLock<GrpcContract> = LazyLock::new(|| {
            let mut contract = load(SHOP).unwrap();
            contract.rules = super::Rules::default();
            contract
        });
        let (ruled, plain) = (judge(&RULED, &bytes), judge(&PLAIN, &bytes));
        prop_assert!(ruled.is_some() || plain.is_none());
    }
}

use super::*;

const PROTO: &str = r#"
syntax = "proto3";
package shop;
message Item { string name = 1; repeated int32 counts = 2; Item inner = 3; double price = 4; map<string, int64> stock = 5; Kind kind = 6; }
enum Kind { A = 0; B = 1; }
service Shop { rpc Put(Item) returns (Item); rpc Watch(stream Item) returns (stream Item); }
"#;

fn contract(unknown: UnknownFields) -> GrpcContract {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("shop.proto");
    std::fs::write(&file, PROTO).unwrap();
    GrpcContract::from_proto_files(&[file.as_path()], &[folder.path()], GrpcLimits::default(), unknown).unwrap()
}

fn judge(message: &[u8]) -> Option<(WireProblem, String)> {
    let contract = contract(UnknownFields::Refuse);
    let GrpcMatch::Method(method) = contract.match_method("/shop.Shop/Put") else { panic!() };
    contract.judge_message(&method, GrpcSide::Request, message).err().map(|v| (v.problem, v.path))
}

#[test]
fn methods_are_found_by_path() {
    let contract = contract(UnknownFields::Refuse);
    assert_eq!(contract.methods(), ["shop.Shop/Put", "shop.Shop/Watch"]);
    assert!(matches!(contract.match_method("/shop.Shop/Nope"), GrpcMatch::UnknownMethod));
    assert!(matches!(contract.match_method("/shop.Other/Put"), GrpcMatch::UnknownService));
    assert!(matches!(contract.match_method("x"), GrpcMatch::UnknownService));
}

#[test]
fn rules_that_are_not_enforced_are_named() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("validate")).unwrap();
    std::fs::write(folder.path().join("validate/validate.proto"), "syntax = \"proto3\"; package validate;").unwrap();
    let file = folder.path().join("shop.proto");
    let import = PROTO.replacen("package shop;", "package shop; import \"validate/validate.proto\";", 1);
    std::fs::write(&file, import).unwrap();
    let loaded = GrpcContract::from_proto_files(
        &[file.as_path()],
        &[folder.path()],
        GrpcLimits::default(),
        UnknownFields::Refuse,
    );
    let told = loaded.unwrap().unenforced();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("`shop.proto` imports `validate/validate.proto`"), "{told:?}");
    assert!(contract(UnknownFields::Refuse).unenforced().is_empty());
}

#[test]
fn messages_are_judged_in_wire_format() {
    assert_eq!(judge(b""), None);
    assert_eq!(judge(b"\x0a\x02hi\x12\x02\x01\x02\x10\x05\x1a\x04\x0a\x02yo\x21\0\0\0\0\0\0\0\0\x2a\x05\x0a\x01k\x10\x07\x30\x09"), None);
    assert_eq!(judge(b"\x0a\x05hi"), Some((WireProblem::Truncated, "name".into())));
    assert_eq!(judge(b"\x0a\x01\xff"), Some((WireProblem::Utf8, "name".into())));
    assert_eq!(judge(b"\x08\x01"), Some((WireProblem::WireType, "name".into())));
    assert_eq!(judge(b"\x1a\x02\x7a\x00"), Some((WireProblem::UnknownField, "inner.15".into())));
    assert_eq!(
        judge(b"\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        Some((WireProblem::Malformed, "counts".into()))
    );
    assert_eq!(judge(b"\x00"), Some((WireProblem::Malformed, "".into())));
    let mut deep: Vec<u8> = Vec::new();
    for _ in 0..200 {
        let mut outer = vec![0x1a];
        let mut length = deep.len();
        while length >= 0x80 {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        outer.extend(&deep);
        deep = outer;
    }
    assert_eq!(judge(&deep).unwrap().0, WireProblem::TooDeep);
}

/// The frames of a body that comes in pieces of this many bytes: compressed, trailers, length.
fn frames(body: &[u8], piece_bytes: usize) -> Result<Vec<(bool, bool, usize)>, FrameError> {
    let mut reader = FrameReader::default();
    let mut list = Vec::new();
    for piece in body.chunks(piece_bytes) {
        reader.feed(&GrpcLimits::default(), piece, &mut |f| list.push((f.compressed, f.trailers, f.message.len())))?;
    }
    reader.end().map(|()| list)
}

#[test]
fn frames_are_taken_apart_however_they_come() {
    for piece_bytes in [1, 2, 3, 5, 7, 1000] {
        let read = |body: &[u8]| frames(body, piece_bytes);
        assert_eq!(
            read(b"\0\0\0\0\x02hi\x01\0\0\0\0\x80\0\0\0\x01x").unwrap(),
            [(false, false, 2), (true, false, 0), (false, true, 1)]
        );
        assert_eq!(read(b"\0\0\0\0\x05hi"), Err(FrameError::Truncated));
        assert_eq!(read(b"\0\0"), Err(FrameError::Truncated));
        assert_eq!(read(b"\x02\0\0\0\0"), Err(FrameError::Flag));
        assert_eq!(read(b"\0\xff\0\0\0"), Err(FrameError::TooLarge));
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_messages_never_panic(messages in proptest::collection::vec(proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60), 64)) {
        for unknown in [UnknownFields::Allow, UnknownFields::Refuse] {
            let contract = contract(unknown);
            let GrpcMatch::Method(method) = contract.match_method("/shop.Shop/Put") else { panic!() };
            for message in &messages {
                let _ = contract.judge_message(&method, GrpcSide::Request, message);
                let whole = frames(message, 1000);
                assert_eq!(whole, frames(message, 1));
            }
        }
    }
}

#[test]
fn the_files_that_were_read_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let import = "import \"parts/kind.proto\"; import \"google/protobuf/timestamp.proto\";";
    let text = PROTO.replacen("package shop;", &format!("package shop; {import}"), 1);
    let file = folder.path().join("shop.proto");
    std::fs::write(&file, text).unwrap();
    std::fs::create_dir(folder.path().join("parts")).unwrap();
    std::fs::write(folder.path().join("parts/kind.proto"), "syntax = \"proto3\"; package parts;").unwrap();
    let limits = GrpcLimits::default();
    let contract =
        GrpcContract::from_proto_files(&[file.as_path()], &[folder.path()], limits, UnknownFields::Refuse).unwrap();
    let mut files = contract.files().to_vec();
    files.sort();
    assert_eq!(files, [folder.path().join("parts/kind.proto"), file]);
}

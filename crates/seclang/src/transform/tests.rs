use proptest::prelude::*;

use super::*;

fn check(name: &str, cases: &[(&[u8], &[u8])]) {
    let transform = Transform::from_name(name).unwrap();
    for (input, expected) in cases {
        let made = transform.apply(input);
        assert_eq!(made.escape_ascii().to_string(), expected.escape_ascii().to_string(), "{name}({input:?})");
    }
}

#[test]
fn encodings_are_undone() {
    check("base64Decode", &[(b"VGVzdA==", b"Test"), (b"VGVz!dA==", b"Tes"), (b"", b""), (b"VGV", b"Te")]);
    check("base64DecodeExt", &[(b"VG Vz!dA==", b"Test"), (b"P.HNjcmlwdD4=", b"<script>")]);
    check("base64Encode", &[(b"Test", b"VGVzdA==")]);
    check("hexDecode", &[(b"54657374", b"Test"), (b"5465737", b"Tes")]);
    check("hexEncode", &[(b"Te\xff", b"5465ff")]);
    check("sqlHexDecode", &[(b"a 0x414243 b", b"a ABC b"), (b"0x4", b"0x4"), (b"0x", b"0x"), (b"0X414", b"A4")]);
    check(
        "urlDecode",
        &[(b"a%20b+c%2", b"a b c%2"), (b"%u0041%zz%", b"%u0041%zz%"), (b"%2541", b"%41"), (b"plain", b"plain")],
    );
    check(
        "urlDecodeUni",
        &[(b"%u0041%uff1cscript%uFF1E%41", b"A<script>A"), (b"%u00", b"%u00"), (b"%u12zz+", b"%u12zz ")],
    );
    check("urlEncode", &[(b"a b/c*", b"a+b%2fc*")]);
    check("utf8toUnicode", &[("é\u{ff1c}a".as_bytes(), b"%u00e9%uff1ca"), (b"\xffa", b"\xffa")]);
}

#[test]
fn escapes_of_languages_are_undone() {
    check(
        "jsDecode",
        &[
            (b"\\u0061\\x62\\143\\n\\/\\q", b"abc\n/q"),
            (b"\\uff1c", b"<"),
            (b"\\u{61}\\u{}", b"au{}"),
            (b"\\777\\", b"?7\\"),
        ],
    );
    check("escapeSeqDecode", &[(b"\\a\\n\\x41\\101\\q\\\\", b"\x07\nAA\\q\\"), (b"\\", b"\\"), (b"\\x4", b"\\x4")]);
    check(
        "cssDecode",
        &[(b"\\74 est\\ja", b"testja"), (b"\\000061x", b"ax"), (b"a\\\nb", b"ab"), (b"\\ff1c", b"<"), (b"a\\", b"a")],
    );
    check(
        "htmlEntityDecode",
        &[
            (b"&lt;a&gt;&#x41;&#66&quot&amp;&nbsp;", b"<a>AB\"&\xa0"),
            (b"&nothing; &#; &#x; &", b"&nothing; &#; &#x; &"),
            (b"&#99999999999999999999x", b"\xffx"),
            (b"&colon;&Tab;&NewLine;", b":\t\n"),
        ],
    );
}

#[test]
fn parts_are_taken_away() {
    check("cmdLine", &[(b"C^o\\m'm\"and  /c  (DIR),;x", b"command/c(dir) x"), (b"a\t\n b", b"a b")]);
    check("compressWhitespace", &[(b"a \t\n b\xa0c", b"a b c"), (b" ", b" ")]);
    check("removeWhitespace", &[(b" a \tb\xa0", b"ab")]);
    check("removeNulls", &[(b"a\0b\0", b"ab")]);
    check("replaceNulls", &[(b"a\0b", b"a b")]);
    check("replaceComments", &[(b"a/*x*/b/*y", b"a b "), (b"*/a", b"*/a"), (b"/*/b", b" ")]);
    check("removeComments", &[(b"a/*x*/b<!--y-->c--d", b"abc "), (b"a#b", b"a "), (b"a/*x", b"a ")]);
    check("removeCommentsChar", &[(b"a/*x*/b<!--y-->c--d#e", b"axbycde"), (b"-", b"-")]);
    check("trim", &[(b" \ta b\n", b"a b"), (b" ", b"")]);
    check("trimLeft", &[(b" a ", b"a ")]);
    check("trimRight", &[(b" a ", b" a")]);
}

#[test]
fn letters_paths_and_digests() {
    check("lowercase", &[(b"aB\xc9", b"ab\xc9")]);
    check("uppercase", &[(b"aB1", b"AB1")]);
    check("length", &[(b"abc", b"3"), (b"", b"0")]);
    check(
        "normalizePath",
        &[
            (b"/a/./b//c/../d", b"/a/b/d"),
            (b"/../../etc/passwd", b"/etc/passwd"),
            (b"../a", b"../a"),
            (b"a/../..", b".."),
            (b"/a/b/..", b"/a/"),
            (b"/", b"/"),
            (b"./a/", b"a/"),
            (b"", b""),
        ],
    );
    check("normalisePathWin", &[(b"\\a\\..\\b", b"/b"), (b"c:\\a\\.\\b", b"c:/a/b")]);
    check("parityZero7bit", &[(b"\xe1b", b"ab")]);
    check("parityEven7bit", &[(b"a", b"\xe1"), (b"c", b"c")]);
    check("parityOdd7bit", &[(b"a", b"a"), (b"c", b"\xe3")]);
    let hex = |name: &str| Transform::HexEncode.apply(&Transform::from_name(name).unwrap().apply(b"")).into_owned();
    assert_eq!(hex("sha1"), b"da39a3ee5e6b4b0d3255bfef95601890afd80709");
    assert_eq!(hex("md5"), b"d41d8cd98f00b204e9800998ecf8427e");
}

#[test]
fn names_are_found_in_any_case_and_nothing_else_is() {
    assert_eq!(Transform::from_name("urlDecodeUNI"), Some(Transform::UrlDecodeUni));
    assert_eq!(Transform::from_name("urlDecodeTwice"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// What the kinds of bytes promise holds: without them nothing changes, and nothing grows beyond its bound.
    #[test]
    fn bounds_and_kinds_hold(text in proptest::collection::vec(prop_oneof![any::<u8>(), proptest::sample::select(&b"%u+\\x&#;/*.-<! 0aF\"'^,"[..])], 0..60)) {
        let kinds = kinds::of(&text);
        for (name, transform) in NAMES {
            let made = transform.apply(&text);
            prop_assert!(made.len() <= text.len() * 4 + 40, "{name} grew");
            if transform.touches() & kinds == 0 {
                prop_assert_eq!(&made[..], &text[..], "{} changed a text it should not touch", name);
            }
        }
    }
}

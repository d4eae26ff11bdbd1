use super::*;

fn kind(text: &str) -> Option<XmlErrorKind> {
    parse(text.as_bytes(), &XmlLimits::default()).err().map(|error| error.kind)
}

#[test]
fn well_formed_documents_are_read() {
    let text = "\u{feff}<?xml version='1.0' encoding=\"UTF-8\"?><!-- c --><a x='1&amp;2'>t<b:c/>&#x41;<![CDATA[<]]>&lt;</a>\n<?pi x?>";
    let document = parse(text.as_bytes(), &XmlLimits::default()).unwrap();
    let root = document.root().unwrap();
    assert_eq!((root.name.as_str(), root.text.as_str()), ("a", "tA<<"));
    assert_eq!(root.attributes, [("x".to_owned(), "1&2".to_owned())]);
    assert_eq!(document.children(root).next().unwrap().local_name(), "c");
}

#[test]
fn everything_else_is_refused_by_its_kind() {
    use XmlErrorKind::*;
    for text in [
        "",
        "x",
        "<a>",
        "<a></b>",
        "<a/><b/>",
        "<a x='1' x='2'/>",
        "<a x=1/>",
        "<a x='<'/>",
        "<a>&x;</a>",
        "<a>&#0;</a>",
        "<a>]]></a>",
        "<a><!-- -- --></a>",
        "<a b='1'c='2'/>",
        "<1/>",
        "<a>\u{1}</a>",
        "<?XML x?><a/>",
        " <?xml version='1.0'?><a/>",
        "<?xml version='2.0'?><a/>",
        "<?xml encoding='UTF-8'?><a/>",
        "<a>&amp</a>",
        "< a/>",
        "<a/>x",
        "<![CDATA[x]]><a/>",
        "<a",
        "<a/ >",
    ] {
        assert_eq!(kind(text), Some(Malformed), "{text}");
    }
    assert_eq!(kind("<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"), Some(Doctype));
    assert_eq!(kind("<?xml version='1.0' encoding='UTF-16'?><a/>"), Some(Encoding));
    assert_eq!(kind(&"<a>".repeat(65)), Some(TooDeep));
    assert_eq!(kind(&format!("<{}/>", "a".repeat(600))), Some(NameTooLong));
    let attributes: String = (0..200).map(|n| format!(" a{n}='1'")).collect();
    assert_eq!(kind(&format!("<a{attributes}/>")), Some(TooMany));
    assert_eq!(parse(b"\xff\xfe<\0a\0", &XmlLimits::default()).unwrap_err().kind, Encoding);
}

proptest::proptest! {
    #[test]
    fn arbitrary_text_never_panics(text in "(<a>|</a>|<|>|/|\\?|!--|x='|'|&|;|#x1|é|\\[CDATA\\[|\\]\\]>| ){0,40}") {
        if let Ok(document) = parse(text.as_bytes(), &XmlLimits::default()) {
            let _ = soap::envelope(&document);
            let _ = soap::SoapContract::from_wsdl(text.as_bytes(), XmlLimits::default());
        }
    }
}

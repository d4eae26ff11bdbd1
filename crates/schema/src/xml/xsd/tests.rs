use super::super::{XmlLimits, parse};
use super::*;

fn schema_with(head: &str, inside: &str) -> Result<XsdSchema, Vec<String>> {
    let text = format!("<xs:schema xmlns:xs='{XSD}' xmlns:t='urn:t' {head}>{inside}</xs:schema>");
    XsdSchema::from_document(parse(text.as_bytes(), &XmlLimits::default()).unwrap(), "test.xsd")
}

fn schema(inside: &str) -> XsdSchema {
    let head = "targetNamespace='urn:t' elementFormDefault='qualified'";
    schema_with(head, inside).unwrap_or_else(|errors| panic!("{errors:?}"))
}

/// What is wrong with a document, as `path: expected`.
fn judge(schema: &XsdSchema, body: &str) -> Vec<String> {
    let text = body.replacen('>', &format!(" xmlns='urn:t' xmlns:t='urn:t' xmlns:xsi='{XSI}' xmlns:xs='{XSD}'>"), 1);
    let document = parse(text.as_bytes(), &XmlLimits::default()).unwrap_or_else(|error| panic!("{text}: {error}"));
    schema.judge(&document).into_iter().map(|v| format!("{}: {}", v.path, v.expected)).collect()
}

fn check(schema: &XsdSchema, right: &[&str], wrong: &[(&str, &str)]) {
    for body in right {
        assert_eq!(judge(schema, body), [] as [String; 0], "{body}");
    }
    for (body, expected) in wrong {
        let found = judge(schema, body);
        assert!(found.first().is_some_and(|first| first.contains(expected)), "{body}: {found:?}");
    }
}

#[test]
fn orders_are_held_against_their_type() {
    let own = schema(
        "<xs:element name='a'><xs:complexType><xs:sequence>
           <xs:element name='sku' type='t:Sku' maxOccurs='3'/>
           <xs:choice><xs:element name='cash' type='xs:boolean'/><xs:element name='card' type='xs:string'/></xs:choice>
           <xs:element name='note' type='xs:string' minOccurs='0' nillable='true'/></xs:sequence>
           <xs:attribute name='id' type='xs:positiveInteger' use='required'/><xs:attribute name='v' fixed='1.0' type='xs:decimal'/>
         </xs:complexType></xs:element>
         <xs:simpleType name='Sku'><xs:restriction base='xs:token'><xs:pattern value='[A-Z]{2}\\d+'/><xs:maxLength value='5'/></xs:restriction></xs:simpleType>",
    );
    check(
        &own,
        &[
            "<a id='1'><sku>AB1</sku><cash>true</cash></a>",
            "<a id='1' v='1.00'><sku> AB1\n</sku><sku>AB2</sku><card/><note xsi:nil='true'/></a>",
        ],
        &[
            ("<a><sku>AB1</sku><cash>1</cash></a>", "/a/@id: the required attribute"),
            ("<a id='0'><sku>AB1</sku><cash>1</cash></a>", "/a/@id: at least 1"),
            ("<a id='1' x='1'><sku>AB1</sku><cash>1</cash></a>", "/a/@x: only declared"),
            ("<a id='1' v='2'><sku>AB1</sku><cash>1</cash></a>", "/a/@v: the fixed value"),
            ("<a id='1'><sku>ab</sku><cash>1</cash></a>", "/a/sku: a text that matches"),
            ("<a id='1'><sku>AB1234</sku><cash>1</cash></a>", "/a/sku: a length of at most 5"),
            ("<a id='1'><cash>1</cash></a>", "/a/cash: `sku`"),
            ("<a id='1'><sku>AB1</sku></a>", "/a: `sku` or `cash` or `card` before its end"),
            ("<a id='1'><sku>AB1</sku><cash>1</cash><card/></a>", "/a/card: `note`"),
            ("<a id='1'><sku>AB1</sku><cash xsi:nil='true'/></a>", "/a/cash/@nil: a value"),
            ("<a id='1'>x<sku>AB1</sku><cash>1</cash></a>", "/a: elements without text"),
            ("<a id='1'><sku><b/></sku><cash>1</cash></a>", "/a/sku: text without"),
            ("<b>x</b>", "/b: an element that the schema declares"),
        ],
    );
}

#[test]
fn types_are_extended_restricted_and_substituted() {
    let own = schema(
        "<xs:complexType name='Base' abstract='true'><xs:sequence><xs:element name='x' type='xs:int'/></xs:sequence></xs:complexType>
         <xs:complexType name='More'><xs:complexContent><xs:extension base='t:Base'><xs:sequence><xs:element name='y' type='xs:date'/></xs:sequence>
           <xs:attribute name='z' type='xs:string'/></xs:extension></xs:complexContent></xs:complexType>
         <xs:complexType name='Price'><xs:simpleContent><xs:extension base='xs:decimal'><xs:attribute name='unit' use='required'/></xs:extension></xs:simpleContent></xs:complexType>
         <xs:element name='a'><xs:complexType><xs:choice maxOccurs='unbounded'><xs:element name='base' type='t:Base'/><xs:element name='price' type='t:Price'/>
           <xs:element ref='t:head'/><xs:any namespace='##other' processContents='lax'/></xs:choice></xs:complexType></xs:element>
         <xs:element name='head' type='xs:decimal' abstract='true'/><xs:element name='member' type='xs:int' substitutionGroup='t:head'/>",
    );
    check(
        &own,
        &[
            "<a><base xsi:type='t:More' z='1'><x>1</x><y>2026-01-01</y></base></a>",
            "<a><price unit='EUR'>1.5</price><member>7</member><o:x xmlns:o='urn:o' p='1'><o:y/></o:x></a>",
        ],
        &[
            ("<a><base><x>1</x></base></a>", "/a/base: `xsi:type`"),
            ("<a><base xsi:type='t:Price'><x>1</x></base></a>", "/a/base/@type: a type"),
            ("<a><base xsi:type='t:More'><x>1</x></base></a>", "/a/base: `y` before"),
            ("<a><base xsi:type='t:More'><x>2147483648</x><y>2026-01-01</y></base></a>", "/a/base/x: at most"),
            ("<a><price>1</price></a>", "/a/price/@unit: the required"),
            ("<a><price unit='x'>1e1</price></a>", "/a/price: a decimal"),
            ("<a><head>1</head></a>", "/a/head: an element that may stand"),
            ("<a><member>1.5</member></a>", "/a/member: a whole"),
            ("<a><unknown/></a>", "/a/unknown: `base` or"),
        ],
    );
}

#[test]
fn groups_lists_unions_and_all_are_enforced() {
    let own = schema(
        "<xs:group name='g'><xs:all><xs:element name='p' type='xs:ID'/><xs:element name='q' minOccurs='0' type='t:L'/></xs:all></xs:group>
         <xs:simpleType name='L'><xs:restriction><xs:simpleType><xs:list itemType='t:U'/></xs:simpleType><xs:maxLength value='2'/></xs:restriction></xs:simpleType>
         <xs:simpleType name='U'><xs:union memberTypes='xs:int'><xs:simpleType><xs:restriction base='xs:string'><xs:enumeration value='none'/></xs:restriction></xs:simpleType></xs:union></xs:simpleType>
         <xs:attributeGroup name='ag'><xs:attribute name='m' type='xs:NMTOKEN'/><xs:anyAttribute namespace='urn:o' processContents='skip'/></xs:attributeGroup>
         <xs:element name='a'><xs:complexType><xs:group ref='t:g'/><xs:attributeGroup ref='t:ag'/></xs:complexType></xs:element>",
    );
    check(
        &own,
        &["<a m='1' o:k='v' xmlns:o='urn:o'><q>1 none</q><p>i</p></a>", "<a><p>i</p></a>"],
        &[
            ("<a></a>", "/a: `p` before its end"),
            ("<a><p>i</p><p>j</p></a>", "/a/p: the element only once"),
            ("<a><p>i</p><q>1 2 3</q></a>", "/a/q: a length of at most 2"),
            ("<a><p>i</p><q>some</q></a>", "/a/q: a value of one of the types"),
            ("<a k='v'><p>i</p></a>", "/a/@k: only declared"),
            ("<a m='x y'><p>i</p></a>", "/a/@m: a name"),
        ],
    );
}

#[test]
fn what_cannot_be_enforced_is_named() {
    let errors = |inside: &str| schema_with("targetNamespace='urn:t'", inside).err().unwrap_or_default().join("; ");
    for (inside, expected) in [
        ("<xs:element name='a' type='t:Missing'/>", "the type `{urn:t}Missing` is not declared"),
        ("<xs:redefine schemaLocation='x.xsd'/>", "`redefine` is not supported"),
        ("<xs:complexType name='T'><xs:assert test='1'/></xs:complexType>", "`assert` is not supported"),
        (
            "<xs:complexType name='T'><xs:complexContent><xs:extension base='t:T'/></xs:complexContent></xs:complexType>",
            "derived from itself",
        ),
        (
            "<xs:group name='g'><xs:sequence><xs:group ref='t:g'/></xs:sequence></xs:group><xs:complexType name='T'><xs:group ref='t:g'/></xs:complexType>",
            "part of itself",
        ),
        (
            "<xs:simpleType name='S'><xs:restriction base='xs:int'><xs:enumeration value='x'/></xs:restriction></xs:simpleType>",
            "of a facet is not a whole number",
        ),
        (
            "<xs:simpleType name='S'><xs:restriction base='xs:string'><xs:pattern value='('/></xs:restriction></xs:simpleType>",
            "no regular expression",
        ),
        ("<xs:include schemaLocation='http://x.example/a.xsd'/>", "is not read"),
        ("<xs:element name='a'/><xs:element name='a'/>", "declared twice"),
    ] {
        assert!(errors(inside).contains(expected), "{inside}: {}", errors(inside));
    }
    let own = schema(
        "<xs:element name='a'><xs:complexType/><xs:key name='k'><xs:selector xpath='b'/><xs:field xpath='@c'/></xs:key></xs:element>",
    );
    assert!(own.unenforced()[0].contains("identity constraints"), "{:?}", own.unenforced());
}

#[test]
fn files_are_included_and_imported() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("main.xsd", &format!("<xs:schema xmlns:xs='{XSD}' xmlns='urn:t' xmlns:o='urn:o' targetNamespace='urn:t'><xs:include schemaLocation='part.xsd'/>
        <xs:import namespace='urn:o' schemaLocation='other.xsd'/><xs:element name='a' type='P'/><xs:element name='b' type='o:O'/></xs:schema>"));
    write("part.xsd", &format!("<xs:schema xmlns:xs='{XSD}'><xs:include schemaLocation='main.xsd'/><xs:simpleType name='P'><xs:restriction base='Q'/></xs:simpleType>
        <xs:simpleType name='Q'><xs:restriction base='xs:int'/></xs:simpleType></xs:schema>").replace("<xs:include schemaLocation='main.xsd'/>", ""));
    write(
        "other.xsd",
        &format!(
            "<xs:schema xmlns:xs='{XSD}' targetNamespace='urn:o'><xs:simpleType name='O'><xs:restriction base='xs:boolean'/></xs:simpleType></xs:schema>"
        ),
    );
    let own = XsdSchema::from_file(&folder.path().join("main.xsd")).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(own.files().len(), 3);
    check(&own, &["<a>1</a>", "<b>true</b>"], &[("<a>x</a>", "/a: a whole"), ("<b>x</b>", "/b: `true`")]);
}

proptest::proptest! {
    #[test]
    fn any_schema_is_read_without_a_panic(parts in proptest::collection::vec(proptest::sample::select(vec![
        "<xs:element name='a'>", "</xs:element>", "<xs:complexType name='T'>", "<xs:complexType>", "</xs:complexType>", "<xs:sequence maxOccurs='9'>",
        "</xs:sequence>", "<xs:choice minOccurs='0'>", "</xs:choice>", "<xs:any/>", "<xs:element ref='t:a'/>", "<xs:element name='b' type='t:T'/>",
        "<xs:group ref='t:g'/>", "<xs:group name='g'>", "</xs:group>", "<xs:all>", "</xs:all>", "<xs:attribute name='q'/>", "<xs:anyAttribute/>"]), 0..14)) {
        let text = format!("<xs:schema xmlns:xs='{XSD}' xmlns:t='urn:t' targetNamespace='urn:t'>{}</xs:schema>", parts.concat());
        if let Ok(document) = parse(text.as_bytes(), &XmlLimits::default())
            && let Ok(own) = XsdSchema::from_document(document, "any.xsd")
        {
            for body in ["<a xmlns='urn:t'/>", "<a xmlns='urn:t' q='1'><b/><a/>x</a>"] {
                let _ = own.judge(&parse(body.as_bytes(), &XmlLimits::default()).unwrap());
            }
        }
    }
}

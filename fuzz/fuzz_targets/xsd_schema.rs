//! Any text is read as a schema, and as a document of a schema, without a panic.
#![no_main]

use schema::xml::{XmlLimits, XsdSchema, parse};

const SCHEMA: &str = "<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='a'><xs:complexType mixed='true'><xs:choice minOccurs='0' maxOccurs='unbounded'>\
    <xs:element ref='a'/><xs:element name='d' type='xs:dateTime'/><xs:element name='n' type='xs:duration'/><xs:any processContents='lax'/></xs:choice>\
    <xs:attribute name='i' type='xs:ID'/><xs:anyAttribute processContents='lax'/></xs:complexType></xs:element></xs:schema>";

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(document) = parse(bytes, &XmlLimits::default()) else { return };
    let schema = XsdSchema::from_document(parse(SCHEMA.as_bytes(), &XmlLimits::default()).unwrap(), "own").unwrap();
    let _ = schema.judge(&document);
    if let Ok(any) = XsdSchema::from_document(document.clone(), "any") {
        let _ = any.judge(&document);
    }
});

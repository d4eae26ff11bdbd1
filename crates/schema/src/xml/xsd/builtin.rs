//! The built-in types of XML Schema 1.0.

use std::sync::Arc;

use super::simple::{Bound, BoundKind, SimpleType, Variety, White};
use super::value::Atom;

/// The simple types, each after its base.
pub(super) const NAMES: &[&str] = &[
    "anySimpleType",
    "string",
    "normalizedString",
    "token",
    "language",
    "NMTOKEN",
    "NMTOKENS",
    "Name",
    "NCName",
    "ID",
    "IDREF",
    "IDREFS",
    "ENTITY",
    "ENTITIES",
    "boolean",
    "decimal",
    "integer",
    "nonPositiveInteger",
    "negativeInteger",
    "long",
    "int",
    "short",
    "byte",
    "nonNegativeInteger",
    "unsignedLong",
    "unsignedInt",
    "unsignedShort",
    "unsignedByte",
    "positiveInteger",
    "float",
    "double",
    "duration",
    "dateTime",
    "time",
    "date",
    "gYearMonth",
    "gYear",
    "gMonthDay",
    "gDay",
    "gMonth",
    "hexBinary",
    "base64Binary",
    "anyURI",
    "QName",
    "NOTATION",
];

/// The name of the type that a built-in type is derived from (part 2, section 3).
pub(super) fn base(name: &str) -> &'static str {
    match name {
        "anySimpleType" => "anyType",
        "normalizedString" => "string",
        "token" => "normalizedString",
        "language" | "NMTOKEN" | "Name" => "token",
        "NCName" => "Name",
        "ID" | "IDREF" | "ENTITY" => "NCName",
        "integer" => "decimal",
        "nonPositiveInteger" | "long" | "nonNegativeInteger" => "integer",
        "negativeInteger" => "nonPositiveInteger",
        "int" => "long",
        "short" => "int",
        "byte" => "short",
        "unsignedLong" | "positiveInteger" => "nonNegativeInteger",
        "unsignedInt" => "unsignedLong",
        "unsignedShort" => "unsignedInt",
        "unsignedByte" => "unsignedShort",
        _ => "anySimpleType",
    }
}

fn atomic(atom: Atom, white: White) -> SimpleType {
    SimpleType::of(Variety::Atomic(atom), white)
}

/// An integer type with its bounds.
fn integer(min: Option<&str>, max: Option<&str>) -> SimpleType {
    let mut own = atomic(Atom::Integer, White::Collapse);
    for (kind, text) in [(BoundKind::MinInclusive, min), (BoundKind::MaxInclusive, max)] {
        let value = text.and_then(|text| Some((Atom::Integer.value(text, &|_| None)?, text)));
        if let Some((value, text)) = value {
            own.facets.bounds.push(Bound { value, shown: text.to_owned(), kind });
        }
    }
    own
}

fn list(item: Atom) -> SimpleType {
    let mut own = SimpleType::of(Variety::List(Arc::new(atomic(item, White::Collapse))), White::Collapse);
    own.facets.length_min = Some(1);
    own
}

/// A built-in type by its name; `None` for those that are not simple or not of version 1.0.
pub(super) fn simple(name: &str) -> Option<SimpleType> {
    use White::{Collapse, Preserve, Replace};
    let atom = match name {
        "anySimpleType" => return Some(SimpleType::of(Variety::Any, Preserve)),
        "string" => return Some(atomic(Atom::String, Preserve)),
        "normalizedString" => return Some(atomic(Atom::String, Replace)),
        "integer" => return Some(integer(None, None)),
        "nonPositiveInteger" => return Some(integer(None, Some("0"))),
        "negativeInteger" => return Some(integer(None, Some("-1"))),
        "nonNegativeInteger" => return Some(integer(Some("0"), None)),
        "positiveInteger" => return Some(integer(Some("1"), None)),
        "long" => return Some(integer(Some("-9223372036854775808"), Some("9223372036854775807"))),
        "int" => return Some(integer(Some("-2147483648"), Some("2147483647"))),
        "short" => return Some(integer(Some("-32768"), Some("32767"))),
        "byte" => return Some(integer(Some("-128"), Some("127"))),
        "unsignedLong" => return Some(integer(Some("0"), Some("18446744073709551615"))),
        "unsignedInt" => return Some(integer(Some("0"), Some("4294967295"))),
        "unsignedShort" => return Some(integer(Some("0"), Some("65535"))),
        "unsignedByte" => return Some(integer(Some("0"), Some("255"))),
        "NMTOKENS" => return Some(list(Atom::Nmtoken)),
        "IDREFS" => return Some(list(Atom::IdRef)),
        "ENTITIES" => return Some(list(Atom::NcName)),
        "token" => Atom::String,
        "boolean" => Atom::Boolean,
        "decimal" => Atom::Decimal,
        "float" => Atom::Float,
        "double" => Atom::Double,
        "duration" => Atom::Duration,
        "dateTime" => Atom::DateTime,
        "time" => Atom::Time,
        "date" => Atom::Date,
        "gYearMonth" => Atom::YearMonth,
        "gYear" => Atom::Year,
        "gMonthDay" => Atom::MonthDay,
        "gDay" => Atom::Day,
        "gMonth" => Atom::Month,
        "hexBinary" => Atom::Hex,
        "base64Binary" => Atom::Base64,
        "anyURI" => Atom::Uri,
        "QName" | "NOTATION" => Atom::Qualified,
        "language" => Atom::Language,
        "NMTOKEN" => Atom::Nmtoken,
        "Name" => Atom::Name,
        "NCName" | "ENTITY" => Atom::NcName,
        "ID" => Atom::Id,
        "IDREF" => Atom::IdRef,
        _ => return None,
    };
    Some(atomic(atom, Collapse))
}

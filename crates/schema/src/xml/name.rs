//! Names with their namespaces (Namespaces in XML 1.0).

use super::{Element, local};

/// A name with its namespace; an empty namespace is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QName {
    /// The namespace.
    pub namespace: String,
    /// The name without prefix.
    pub local: String,
}

impl std::fmt::Display for QName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.namespace.is_empty() {
            f.write_str(&self.local)
        } else {
            write!(f, "{{{}}}{}", self.namespace, self.local)
        }
    }
}

/// The prefixes in force at an element, the innermost last.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scope(Vec<(String, String)>);

impl Scope {
    /// The scope within an element.
    pub(crate) fn entered(&self, element: &Element) -> Self {
        let mut inner = self.clone();
        for (name, value) in &element.attributes {
            if name == "xmlns" {
                inner.0.push((String::new(), value.clone()));
            } else if let Some(prefix) = name.strip_prefix("xmlns:") {
                inner.0.push((prefix.to_owned(), value.clone()));
            }
        }
        inner
    }

    fn namespace(&self, prefix: &str) -> &str {
        self.0.iter().rev().find(|(known, _)| known == prefix).map_or("", |(_, namespace)| namespace)
    }

    /// The name of an element; its own declarations must have been entered.
    pub(crate) fn name_of(&self, element: &Element) -> QName {
        self.resolve(&element.name)
    }

    /// A name as written in an element's name or in a value of type `QName`.
    pub(crate) fn resolve(&self, name: &str) -> QName {
        let prefix = name.split_once(':').map_or("", |(prefix, _)| prefix);
        QName { namespace: self.namespace(prefix).to_owned(), local: local(name).to_owned() }
    }
}

/// The value of an attribute without namespace.
pub(crate) fn attribute<'e>(element: &'e Element, name: &str) -> Option<&'e str> {
    element.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

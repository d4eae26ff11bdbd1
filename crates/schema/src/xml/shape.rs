//! XML bodies of OpenAPI as values, by the `xml` hints of the schema (OpenAPI 3.1 section 4.8.26).

use super::{Element, XmlDocument, local};
use crate::json::{Tape, TapeBuilder};
use crate::rules::{RuleId, Rules, types};

impl Rules {
    /// The document as the value that the schema speaks of. Namespaces and prefixes are not told apart.
    pub(crate) fn xml_tape(&self, rule: RuleId, document: &XmlDocument) -> Tape<'static> {
        let mut builder = TapeBuilder::new();
        if let Some(root) = document.root() {
            self.write_element(&mut builder, Some(rule), document, root);
        }
        builder.finish()
    }

    fn write_element(
        &self,
        builder: &mut TapeBuilder,
        rule: Option<RuleId>,
        document: &XmlDocument,
        element: &Element,
    ) {
        let hint = self.hint(rule);
        let is_plain =
            element.children.is_empty() && element.attributes.iter().all(|(name, _)| name.starts_with("xmlns"));
        match rule {
            Some(rule) if hint & types::OBJECT != 0 && !(hint & types::STRING != 0 && is_plain) => {
                self.write_object(builder, rule, document, element);
            }
            Some(rule) if hint & types::ARRAY != 0 && hint & types::STRING == 0 => {
                let items = self.items_rule(rule);
                builder.open_array(0);
                for child in document.children(element) {
                    self.write_element(builder, items, document, child);
                }
                builder.close();
            }
            _ => super::super::openapi::write_text(builder, element.text.trim(), hint),
        }
    }

    fn write_object(&self, builder: &mut TapeBuilder, rule: RuleId, document: &XmlDocument, element: &Element) {
        let mut names = Vec::new();
        self.member_names(rule, &mut names);
        names.sort();
        names.dedup();
        let mut used: Vec<u32> = Vec::new();
        let mut used_attributes: Vec<&str> = Vec::new();
        builder.open_object(0);
        for name in &names {
            let Some(member) = self.member_rule(rule, name) else { continue };
            let (label, is_attribute, is_wrapped) = self.xml_hint(member, name);
            if is_attribute {
                if let Some((attribute, value)) = element.attributes.iter().find(|(known, _)| local(known) == label) {
                    used_attributes.push(attribute);
                    builder.key(name, 0);
                    super::super::openapi::write_text(builder, value, self.hint(Some(member)));
                }
                continue;
            }
            let is_list = self.hint(Some(member)) & (types::ARRAY | types::OBJECT | types::STRING) == types::ARRAY;
            let items = if is_list { self.items_rule(member) } else { None };
            // Without a wrapper it is the items' own name that counts.
            let label = match items {
                Some(items) if !is_wrapped => self.xml_hint(items, &label).0,
                _ => label,
            };
            let own = |position: &u32| document.element(*position).is_some_and(|child| child.local_name() == label);
            let children: Vec<u32> = element.children.iter().copied().filter(own).collect();
            if children.is_empty() {
                continue;
            }
            used.extend(&children);
            builder.key(name, 0);
            let children = children.iter().filter_map(|position| document.element(*position));
            if is_list && !is_wrapped {
                builder.open_array(0);
                for child in children {
                    self.write_element(builder, items, document, child);
                }
                builder.close();
            } else if let Some(child) = children.into_iter().next() {
                self.write_element(builder, Some(member), document, child);
            }
        }
        // What nobody declares keeps its name, so that closed schemas refuse it and open ones can list it.
        for position in element.children.iter().filter(|position| !used.contains(position)) {
            if let Some(child) = document.element(*position) {
                builder.key(child.local_name(), 0);
                self.write_element(builder, None, document, child);
            }
        }
        for (name, value) in &element.attributes {
            let is_namespace = name == "xmlns" || name.starts_with("xmlns:") || name.starts_with("xsi:");
            if !is_namespace && !used_attributes.contains(&name.as_str()) {
                builder.key(name, 0);
                builder.string(value, 0);
            }
        }
        builder.close();
    }

    /// Name, `attribute` and `wrapped` of a member.
    fn xml_hint(&self, rule: RuleId, name: &str) -> (String, bool, bool) {
        let hint = self.node(rule).and_then(|node| node.xml.as_ref());
        match hint {
            Some(hint) => (hint.name.as_deref().unwrap_or(name).to_owned(), hint.attribute, hint.wrapped),
            None => (name.to_owned(), false, false),
        }
    }
}

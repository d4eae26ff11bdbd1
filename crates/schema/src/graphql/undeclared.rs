//! Directives that a schema uses without declaring them, as frameworks make it (`@key`, `@auth`, `@enumInt`): they mean
//! something to the server only, so they are put aside before the schema is validated.

use std::collections::HashSet;

use apollo_compiler::ast::{Definition, DirectiveList, Document, FieldDefinition, InputValueDefinition};
use apollo_compiler::{Name, Node};

/// Removes applications of directives that are neither built in nor declared in the document.
pub(super) fn drop_undeclared_directives(document: &mut Document) {
    let declared: HashSet<Name> = document
        .definitions
        .iter()
        .filter_map(|definition| definition.as_directive_definition())
        .map(|directive| directive.name.clone())
        .collect();
    let is_known = |name: &str| {
        matches!(name, "deprecated" | "specifiedBy" | "oneOf" | "skip" | "include")
            || declared.iter().any(|known| known.as_str() == name)
    };
    let clean = |list: &mut DirectiveList| list.0.retain(|directive| is_known(directive.name.as_str()));
    let inputs = |list: &mut Vec<Node<InputValueDefinition>>| {
        for input in list {
            clean(&mut input.make_mut().directives);
        }
    };
    let fields = |list: &mut Vec<Node<FieldDefinition>>| {
        for field in list {
            let field = field.make_mut();
            clean(&mut field.directives);
            inputs(&mut field.arguments);
        }
    };
    macro_rules! with_fields {
        ($node:expr, $inner:expr) => {{
            let definition = $node.make_mut();
            clean(&mut definition.directives);
            $inner(&mut definition.fields);
        }};
    }
    macro_rules! with_values {
        ($node:expr) => {{
            let definition = $node.make_mut();
            clean(&mut definition.directives);
            for value in &mut definition.values {
                clean(&mut value.make_mut().directives);
            }
        }};
    }
    for definition in &mut document.definitions {
        match definition {
            Definition::ObjectTypeDefinition(node) => with_fields!(node, fields),
            Definition::ObjectTypeExtension(node) => with_fields!(node, fields),
            Definition::InterfaceTypeDefinition(node) => with_fields!(node, fields),
            Definition::InterfaceTypeExtension(node) => with_fields!(node, fields),
            Definition::InputObjectTypeDefinition(node) => with_fields!(node, inputs),
            Definition::InputObjectTypeExtension(node) => with_fields!(node, inputs),
            Definition::EnumTypeDefinition(node) => with_values!(node),
            Definition::EnumTypeExtension(node) => with_values!(node),
            Definition::ScalarTypeDefinition(node) => clean(&mut node.make_mut().directives),
            Definition::ScalarTypeExtension(node) => clean(&mut node.make_mut().directives),
            Definition::UnionTypeDefinition(node) => clean(&mut node.make_mut().directives),
            Definition::UnionTypeExtension(node) => clean(&mut node.make_mut().directives),
            Definition::SchemaDefinition(node) => clean(&mut node.make_mut().directives),
            Definition::SchemaExtension(node) => clean(&mut node.make_mut().directives),
            Definition::DirectiveDefinition(_)
            | Definition::OperationDefinition(_)
            | Definition::FragmentDefinition(_) => {}
        }
    }
}

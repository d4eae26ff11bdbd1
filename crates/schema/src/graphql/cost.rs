//! The cost of an operation: every field that yields an object or a list costs one for each time it can occur.
//!
//! How often a field occurs follows from the lists above it: an argument that asks for a number of items says so, and
//! otherwise a list is taken to have a configured number. `edges`, `nodes` and `items` below a field with such an argument
//! are that list, not another one.

use std::collections::HashMap;

use apollo_compiler::ast::Value;
use apollo_compiler::executable::{Field, Operation, Selection, SelectionSet};
use apollo_compiler::response::{JsonMap, JsonValue};
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};

use super::GraphqlLimits;

/// Arguments that ask for a number of items.
const SLICING: &[&str] =
    &["first", "last", "limit", "take", "size", "count", "pageSize", "perPage", "per_page", "page_size", "top"];

struct Pricing<'a> {
    limits: &'a GraphqlLimits,
    schema: &'a Schema,
    document: &'a ExecutableDocument,
    variables: &'a JsonMap,
    /// Cost of a fragment for one occurrence, and whether it was below a sliced field.
    fragments: HashMap<(String, bool), u64>,
}

/// The cost of a valid operation. Saturates.
pub(super) fn cost(
    limits: &GraphqlLimits,
    schema: &Valid<Schema>,
    document: &Valid<ExecutableDocument>,
    operation: &Operation,
    variables: &Valid<JsonMap>,
) -> u64 {
    let mut pricing = Pricing { limits, schema, document, variables, fragments: HashMap::new() };
    pricing.selections(&operation.selection_set, false)
}

impl Pricing<'_> {
    fn selections(&mut self, set: &SelectionSet, is_sliced: bool) -> u64 {
        let mut sum = 0u64;
        for selection in &set.selections {
            sum = sum.saturating_add(match selection {
                Selection::Field(field) => self.field(field, is_sliced),
                Selection::InlineFragment(inline) => self.selections(&inline.selection_set, is_sliced),
                Selection::FragmentSpread(spread) => {
                    let key = (spread.fragment_name.to_string(), is_sliced);
                    match (self.fragments.get(&key), spread.fragment_def(self.document)) {
                        (Some(known), _) => *known,
                        (None, Some(fragment)) => {
                            // Validation has refused cycles.
                            let price = self.selections(&fragment.selection_set, is_sliced);
                            self.fragments.insert(key, price);
                            price
                        }
                        (None, None) => 0,
                    }
                }
            });
        }
        sum
    }

    fn field(&mut self, field: &Field, is_sliced: bool) -> u64 {
        let is_composite =
            field.inner_type_def(self.schema).is_some_and(|ty| ty.is_object() || ty.is_interface() || ty.is_union());
        let asked = self.asked(field);
        let continues = is_sliced && matches!(field.name.as_str(), "edges" | "nodes" | "items");
        let times = match asked {
            Some(asked) => asked,
            None if field.ty().is_list() && !continues => self.limits.list_size,
            None => 1,
        };
        let own = u64::from(is_composite);
        let inner = self.selections(&field.selection_set, asked.is_some() && !field.ty().is_list());
        times.max(1).saturating_mul(own.saturating_add(inner))
    }

    /// How many items the arguments ask for.
    fn asked(&self, field: &Field) -> Option<u64> {
        let arguments = field.arguments.iter().filter(|argument| SLICING.contains(&argument.name.as_str()));
        arguments
            .filter_map(|argument| match &*argument.value {
                Value::Int(number) => number.as_str().parse::<i64>().ok(),
                Value::Variable(name) => match self.variables.get(name.as_str()) {
                    Some(JsonValue::Number(number)) => number.as_i64(),
                    _ => None,
                },
                _ => None,
            })
            .map(|number| u64::try_from(number).unwrap_or(0))
            .max()
    }
}

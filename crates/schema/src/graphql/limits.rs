//! Counting what an operation asks for, fragments expanded, without expanding them.

use std::collections::HashMap;

use apollo_compiler::ast::{self, Selection};

use super::{GraphqlJudgement, limit};

/// Limits on one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphqlLimits {
    /// Largest document in bytes.
    pub bytes_max: usize,
    /// Most tokens.
    pub tokens_max: usize,
    /// Deepest nesting of fields, fragments expanded.
    pub depth_max: usize,
    /// Most aliases, fragments expanded.
    pub aliases_max: u64,
    /// Most fields at the root.
    pub root_fields_max: u64,
    /// Most directives, fragments expanded.
    pub directives_max: u64,
    /// Most fields, fragments expanded.
    pub fields_max: u64,
    /// Most operations sent together.
    pub batch_max: usize,
    /// Highest cost; only where the schema is known.
    pub cost_max: u64,
    /// Items a list is taken to have when no argument says.
    pub list_size: u64,
}

impl Default for GraphqlLimits {
    fn default() -> Self {
        Self {
            bytes_max: 64 * 1024,
            tokens_max: 4_000,
            depth_max: 15,
            aliases_max: 30,
            root_fields_max: 20,
            directives_max: 50,
            fields_max: 2_000,
            batch_max: 10,
            cost_max: 100_000,
            list_size: 10,
        }
    }
}

/// What was counted, fragments expanded; counts saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// Deepest nesting of fields.
    pub depth: usize,
    /// Aliases.
    pub aliases: u64,
    /// Directives.
    pub directives: u64,
    /// Fields.
    pub fields: u64,
    /// Fields at the root.
    pub root_fields: u64,
    /// Cost by the schema; 0 where it is not known.
    pub cost: u64,
    /// It asks for the schema.
    pub introspects: bool,
}

impl Measures {
    fn add(&mut self, inner: &Self) {
        self.aliases = self.aliases.saturating_add(inner.aliases);
        self.directives = self.directives.saturating_add(inner.directives);
        self.fields = self.fields.saturating_add(inner.fields);
        self.introspects |= inner.introspects;
    }
}

struct Counter<'d> {
    fragments: HashMap<&'d str, &'d ast::FragmentDefinition>,
    /// Fragments counted; `None` while one is being counted, which ends a cycle.
    counted: HashMap<&'d str, Option<Measures>>,
}

/// Counts the operation and reports what exceeds the limits.
pub(super) fn judge(
    limits: &GraphqlLimits,
    document: &ast::Document,
    operation: &ast::OperationDefinition,
    judgement: &mut GraphqlJudgement,
) {
    let fragments = document.definitions.iter().filter_map(|definition| definition.as_fragment_definition());
    let fragments = fragments.map(|fragment| (fragment.name.as_str(), &**fragment)).collect();
    let mut counter = Counter { fragments, counted: HashMap::new() };
    let mut measures = counter.selections(&operation.selection_set);
    measures.directives = measures.directives.saturating_add(operation.directives.len() as u64);
    let mut roots = Vec::new();
    measures.root_fields = counter.roots(&operation.selection_set, &mut roots, 0);
    judgement.root_fields = roots;
    judgement.measures = measures;
    for (value, max, rule) in [
        (measures.depth as u64, limits.depth_max as u64, "depth_max"),
        (measures.aliases, limits.aliases_max, "aliases_max"),
        (measures.root_fields, limits.root_fields_max, "root_fields_max"),
        (measures.directives, limits.directives_max, "directives_max"),
        (measures.fields, limits.fields_max, "fields_max"),
    ] {
        if value > max {
            judgement.violations.push(limit(rule, max));
        }
    }
}

impl<'d> Counter<'d> {
    /// Recursion is bounded by the parser's own limit on nesting, and by the number of fragments.
    fn selections(&mut self, selections: &'d [Selection]) -> Measures {
        let mut sum = Measures::default();
        for selection in selections {
            match selection {
                Selection::Field(field) => {
                    let inner = self.selections(&field.selection_set);
                    sum.add(&inner);
                    sum.depth = sum.depth.max(inner.depth.saturating_add(1));
                    sum.fields = sum.fields.saturating_add(1);
                    sum.aliases = sum.aliases.saturating_add(u64::from(field.alias.is_some()));
                    sum.directives = sum.directives.saturating_add(field.directives.len() as u64);
                    sum.introspects |= matches!(field.name.as_str(), "__schema" | "__type");
                }
                Selection::InlineFragment(inline) => {
                    let inner = self.selections(&inline.selection_set);
                    sum.add(&inner);
                    sum.depth = sum.depth.max(inner.depth);
                    sum.directives = sum.directives.saturating_add(inline.directives.len() as u64);
                }
                Selection::FragmentSpread(spread) => {
                    let inner = self.fragment(spread.fragment_name.as_str());
                    sum.add(&inner);
                    sum.depth = sum.depth.max(inner.depth);
                    sum.directives = sum.directives.saturating_add(spread.directives.len() as u64);
                }
            }
        }
        sum
    }

    fn fragment(&mut self, name: &str) -> Measures {
        let Some((name, fragment)) = self.fragments.get_key_value(name).map(|(name, fragment)| (*name, *fragment))
        else {
            return Measures::default();
        };
        if let Some(known) = self.counted.get(name) {
            return known.unwrap_or_default();
        }
        self.counted.insert(name, None);
        let measures = self.selections(&fragment.selection_set);
        self.counted.insert(name, Some(measures));
        measures
    }

    /// Fields at the root with their names, through fragments.
    fn roots(&self, selections: &'d [Selection], names: &mut Vec<Box<str>>, depth: u8) -> u64 {
        let mut count = 0u64;
        for selection in selections {
            count = count.saturating_add(match selection {
                Selection::Field(field) => {
                    let name = field.name.as_str();
                    if names.len() < 8 && !names.iter().any(|known| **known == *name) {
                        names.push(name.into());
                    }
                    1
                }
                _ if depth >= 8 => 1,
                Selection::InlineFragment(inline) => self.roots(&inline.selection_set, names, depth + 1),
                Selection::FragmentSpread(spread) => match self.fragments.get(spread.fragment_name.as_str()) {
                    // Counting stops early: the limit is far below.
                    Some(fragment) if count < 10_000 => self.roots(&fragment.selection_set, names, depth + 1),
                    _ => 0,
                },
            });
            if count > 10_000 {
                return count;
            }
        }
        count
    }
}

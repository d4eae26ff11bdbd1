//! From documents to rules. Schemas wait in a queue rather than on the stack, so neither deep schemas nor long chains of
//! references can overflow it.

use std::collections::HashMap;
use std::sync::Arc;

use super::library::{Library, Place};
use super::node::{
    ArrayRules, Bound, Choice, Condition, Contains, Discriminator, DynamicReference, Logic, Node, NumberRules,
    ObjectRules, PropertyTable, RuleId, Rules, TextRules, XmlHint, types,
};
use crate::document::{Diagnostic, Level};
use crate::format::Format;
use crate::json::{Divisor, Kind, TapeBuilder, Value};
use crate::pattern::Pattern;

/// Most compiled schemas in one contract.
const NODES_MAX: usize = 4_000_000;
/// Most diagnostics kept.
const DIAGNOSTICS_MAX: usize = 1_000;

/// Which rules a schema is read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// JSON Schema draft 2020-12, which OpenAPI 3.1 uses.
    Draft202012,
    /// The schema object of OpenAPI 3.0 and Swagger 2.0.
    OpenApi30,
}

/// Compiles schemas on request and remembers what it has compiled.
pub struct RuleCompiler {
    /// The documents.
    pub library: Library,
    /// Whether `format` is asserted.
    pub asserts_formats: bool,
    rules: Rules,
    compiled: HashMap<(Place, Dialect), RuleId>,
    queue: Vec<(RuleId, Place, u32, Dialect)>,
    patterns: HashMap<Box<str>, Option<Arc<Pattern>>>,
    dynamic_names: HashMap<String, u32>,
    /// Names under which schemas were referred to.
    names: HashMap<Place, Box<str>>,
    diagnostics: Vec<Diagnostic>,
}

/// One schema while its keywords are read.
struct Reading<'d> {
    schema: Value<'d>,
    place: Place,
    resource: u32,
    dialect: Dialect,
    validates: bool,
}

impl RuleCompiler {
    /// A compiler over a library.
    pub fn new(library: Library) -> Self {
        Self {
            library,
            asserts_formats: true,
            rules: Rules::default(),
            compiled: HashMap::new(),
            queue: Vec::new(),
            patterns: HashMap::new(),
            dynamic_names: HashMap::new(),
            names: HashMap::new(),
            diagnostics: Vec::new(),
        }
    }

    /// The rule of the schema at a place. What it refers to is compiled when [`RuleCompiler::finish`] is called.
    pub fn rule(&mut self, place: Place, dialect: Dialect) -> RuleId {
        let resource = self.library.resource_of_root(place);
        self.rule_in(place, resource, dialect)
    }

    /// A rule that everything fits.
    pub fn anything(&mut self) -> RuleId {
        self.push(Node::anything())
    }

    /// A rule for an object of these members: name, rule, and whether it is required.
    pub fn object_of(&mut self, members: &[(Box<str>, RuleId, bool)]) -> RuleId {
        let mut object = ObjectRules::default();
        for (name, rule, required) in members {
            if let Some(property) = object.properties.add(name) {
                property.rule = Some(*rule);
                property.required = *required;
            }
        }
        object.required = u32::try_from(members.iter().filter(|(_, _, required)| *required).count()).unwrap_or(0);
        self.push(Node { types: types::OBJECT, object: Some(Box::new(object)), ..Node::anything() })
    }

    /// Adds a diagnostic.
    pub fn report(&mut self, level: Level, rule: &'static str, place: Place, message: impl Into<String>) {
        if self.diagnostics.len() < DIAGNOSTICS_MAX {
            let diagnostic = self.library.diagnose(level, rule, place, message);
            self.diagnostics.push(diagnostic);
        }
    }

    /// Compiles everything that was asked for, and returns it with what is to be said about it.
    pub fn finish(mut self) -> (Rules, Library, Vec<Diagnostic>) {
        self.drain();
        self.link();
        self.find_loops();
        (self.rules, self.library, self.diagnostics)
    }

    fn push(&mut self, node: Node) -> RuleId {
        let id = RuleId(u32::try_from(self.rules.nodes.len()).unwrap_or(u32::MAX));
        self.rules.nodes.push(node);
        id
    }

    /// The rule for a place within a resource, following plain references at once.
    fn rule_in(&mut self, mut place: Place, mut resource: u32, dialect: Dialect) -> RuleId {
        let start = place;
        for _ in 0..64 {
            if let Some(inner) = self.library.resource_at(place) {
                resource = inner;
            }
            if let Some(id) = self.compiled.get(&(place, dialect)) {
                return *id;
            }
            let document = self.library.document(place);
            let reference = plain_reference(document.tape().at(place.index), dialect);
            let target = reference.map(|reference| (reference, self.library.resolve(resource, reference)));
            // A dynamic reference must see every resource on the way to it.
            let crosses = matches!(&target, Some((_, Ok((_, inside)))) if *inside != resource);
            let Some((reference, target)) = target.filter(|_| !(crosses && self.library.has_dynamic_anchors())) else {
                if self.rules.nodes.len() >= NODES_MAX {
                    self.report(Level::Error, "too-large", place, "the contract has too many schemas");
                    return RuleId(0);
                }
                let id = self.push(Node { resource, ..Node::anything() });
                self.compiled.insert((place, dialect), id);
                self.queue.push((id, place, resource, dialect));
                return id;
            };
            match target {
                Ok((target, inside)) => {
                    (place, resource) = (target, inside);
                    self.remember_name(place, reference);
                }
                Err(message) => {
                    let text = format!("cannot resolve `{reference}`: {message}");
                    self.report(Level::Error, "unresolved-reference", place, text);
                    let id = self.anything();
                    self.compiled.insert((place, dialect), id);
                    return id;
                }
            }
        }
        self.report(
            Level::Error,
            "reference-loop",
            start,
            "the reference leads back to itself; give the schema a body",
        );
        let id = self.anything();
        self.compiled.insert((start, dialect), id);
        id
    }

    fn drain(&mut self) {
        loop {
            while let Some((id, place, resource, dialect)) = self.queue.pop() {
                let node = self.compile(place, resource, dialect);
                if let Some(slot) = self.rules.nodes.get_mut(id.0 as usize) {
                    *slot = node;
                }
            }
            // Dynamic anchors are only reached from elsewhere; compile each one that a name may lead to.
            let names: Vec<(String, u32)> = self.dynamic_names.iter().map(|(n, i)| (n.clone(), *i)).collect();
            for (name, number) in names {
                for (resource, place) in self.library.dynamic_anchors(&name) {
                    let known = self.rules.dynamic.get(number as usize);
                    if known.is_some_and(|list| list.iter().any(|(known, _)| *known == resource)) {
                        continue;
                    }
                    let id = self.rule_in(place, resource, Dialect::Draft202012);
                    if let Some(list) = self.rules.dynamic.get_mut(number as usize) {
                        list.push((resource, id));
                    }
                }
            }
            if self.queue.is_empty() {
                return;
            }
        }
    }

    fn compile(&mut self, place: Place, resource: u32, dialect: Dialect) -> Node {
        let document = self.library.document(place);
        let schema = document.tape().at(place.index);
        let info = self.library.resource_info(resource);
        let validates = info.is_none_or(|info| info.validates);
        let formats = self.asserts_formats || info.is_some_and(|info| info.asserts_formats);
        let mut node = Node { resource, ..Node::anything() };
        match schema.kind() {
            Kind::Bool => {
                node.never = schema.as_bool() == Some(false);
                return node;
            }
            Kind::Object => {}
            kind => {
                let message = format!("a schema is an object, not {}", kind.name());
                self.report(Level::Error, "malformed-schema", place, message);
                return node;
            }
        }
        let reading = Reading { schema, place, resource, dialect, validates };
        node.name = schema.get("title").and_then(Value::as_str).map(Into::into);
        if node.name.is_none() {
            node.name = self.names.get(&place).cloned();
        }
        node.xml = schema.get("xml").map(|xml| {
            let flag = |name: &str| xml.get(name).and_then(Value::as_bool) == Some(true);
            let name = xml.get("name").and_then(Value::as_str).map(Into::into);
            Box::new(XmlHint { name, attribute: flag("attribute"), wrapped: flag("wrapped") })
        });
        let flag = |name: &str| schema.get(name).and_then(Value::as_bool) == Some(true);
        node.read_only = flag("readOnly");
        node.write_only = flag("writeOnly");
        if validates {
            node.types = self.types(&reading);
            node.nullable = dialect == Dialect::OpenApi30 && (flag("nullable") || flag("x-nullable"));
        }
        node.number = self.number(&reading, formats).map(Box::new);
        node.text = self.text(&reading, formats).map(Box::new);
        node.array = self.array(&reading).map(Box::new);
        node.object = self.object(&reading).map(Box::new);
        node.logic = self.logic(&reading).map(Box::new);
        if formats && let Some(name) = schema.get("format").and_then(Value::as_str) {
            let is_other =
                matches!(name, "binary" | "password" | "decimal" | "char" | "html" | "commonmark" | "media-range");
            if Format::named(name).is_none() && !is_other {
                self.report(
                    Level::Hint,
                    "unknown-format",
                    place,
                    format!("the format `{name}` is not known and constrains nothing"),
                );
            }
        }
        if dialect == Dialect::OpenApi30 {
            for keyword in [
                "const",
                "if",
                "then",
                "else",
                "prefixItems",
                "patternProperties",
                "dependentSchemas",
                "contains",
                "propertyNames",
                "unevaluatedProperties",
            ] {
                if let Some(value) = schema.get(keyword)
                    && document.root().get("openapi").is_some()
                {
                    let at = Place { index: value.index(), ..place };
                    self.report(
                        Level::Warning,
                        "unsupported-keyword",
                        at,
                        format!("`{keyword}` is not part of OpenAPI 3.0 and is enforced as in 3.1"),
                    );
                }
            }
        }
        node
    }

    /// A sub-schema of the schema being read.
    fn sub(&mut self, reading: &Reading<'_>, value: Value<'_>) -> RuleId {
        self.rule_in(Place { index: value.index(), ..reading.place }, reading.resource, reading.dialect)
    }

    fn sub_named(&mut self, reading: &Reading<'_>, keyword: &str) -> Option<RuleId> {
        let value = reading.schema.get(keyword)?;
        matches!(value.kind(), Kind::Object | Kind::Bool).then(|| self.sub(reading, value))
    }

    fn sub_list(&mut self, reading: &Reading<'_>, keyword: &str) -> Vec<RuleId> {
        let items = reading.schema.get(keyword).and_then(Value::items);
        items.into_iter().flatten().map(|item| self.sub(reading, item)).collect()
    }

    fn malformed(&mut self, reading: &Reading<'_>, value: Value<'_>, message: impl Into<String>) {
        let place = Place { index: value.index(), ..reading.place };
        self.report(Level::Error, "malformed-schema", place, message);
    }

    fn types(&mut self, reading: &Reading<'_>) -> u8 {
        let Some(value) = reading.schema.get("type") else { return types::ALL };
        let names: Vec<Value<'_>> = match value.kind() {
            Kind::Array => value.items().into_iter().flatten().collect(),
            _ => vec![value],
        };
        let mut set = 0;
        for name in names {
            match name.as_str().map(|name| (name, types::named(name))) {
                Some((_, Some(bits))) => set |= bits,
                Some(("file", _)) if reading.dialect == Dialect::OpenApi30 => set |= types::STRING,
                Some((text, None)) => {
                    let text = format!(
                        "`{text}` is not a type; use one of null, boolean, integer, number, string, array, object"
                    );
                    self.malformed(reading, name, text);
                    return types::ALL;
                }
                None => {
                    self.malformed(reading, name, "`type` takes a name or a list of names");
                    return types::ALL;
                }
            }
        }
        set
    }

    fn bound(&mut self, reading: &Reading<'_>, keyword: &str) -> Option<Bound> {
        let value = reading.schema.get(keyword)?;
        match value.as_number() {
            Some(number) => Some(Bound::new(number)),
            None if value.kind() == Kind::Bool => None,
            None => {
                self.malformed(reading, value, format!("`{keyword}` takes a number"));
                None
            }
        }
    }

    fn count(&mut self, reading: &Reading<'_>, keyword: &str) -> Option<u64> {
        let value = reading.schema.get(keyword)?;
        let count = value.as_u64();
        if count.is_none() {
            self.malformed(reading, value, format!("`{keyword}` takes a whole number that is not negative"));
        }
        count
    }

    fn format(&self, reading: &Reading<'_>, formats: bool) -> Option<Format> {
        let name = reading.schema.get("format").and_then(Value::as_str)?;
        if formats { Format::named(name) } else { None }
    }

    fn number(&mut self, reading: &Reading<'_>, formats: bool) -> Option<NumberRules> {
        if !reading.validates {
            return None;
        }
        let mut rules = NumberRules {
            min: self.bound(reading, "minimum"),
            max: self.bound(reading, "maximum"),
            above: self.bound(reading, "exclusiveMinimum"),
            below: self.bound(reading, "exclusiveMaximum"),
            multiple_of: None,
            format: self.format(reading, formats),
        };
        // OpenAPI 3.0 makes the bound itself exclusive.
        let is_exclusive = |keyword: &str| reading.schema.get(keyword).and_then(Value::as_bool) == Some(true);
        if is_exclusive("exclusiveMinimum") {
            rules.above = rules.min.take();
        }
        if is_exclusive("exclusiveMaximum") {
            rules.below = rules.max.take();
        }
        if let Some(value) = reading.schema.get("multipleOf") {
            match value.as_number().and_then(|number| Some((Divisor::new(number)?, number.text().into()))) {
                Some(divisor) => rules.multiple_of = Some(divisor),
                None => self.malformed(reading, value, "`multipleOf` takes a number above zero of at most 19 digits"),
            }
        }
        let constrains_numbers = rules.format.is_some_and(|format| {
            matches!(
                format,
                Format::Int8
                    | Format::Int16
                    | Format::Int32
                    | Format::Int64
                    | Format::Uint8
                    | Format::Uint16
                    | Format::Uint32
                    | Format::Uint64
                    | Format::Float
                    | Format::Double
            )
        });
        if !constrains_numbers {
            rules.format = None;
        }
        let is_empty = rules.min.is_none()
            && rules.max.is_none()
            && rules.above.is_none()
            && rules.below.is_none()
            && rules.multiple_of.is_none()
            && rules.format.is_none();
        (!is_empty).then_some(rules)
    }

    fn pattern(&mut self, reading: &Reading<'_>, place: Value<'_>, source: &str) -> Option<Arc<Pattern>> {
        if let Some(known) = self.patterns.get(source) {
            return known.clone();
        }
        let pattern = match Pattern::new(source) {
            Ok(pattern) => Some(Arc::new(pattern)),
            Err(refusal) => {
                let at = Place { index: place.index(), ..reading.place };
                self.report(
                    Level::Error,
                    "unsupported-pattern",
                    at,
                    format!("the pattern `{source}` {refusal}; it is not enforced"),
                );
                None
            }
        };
        self.patterns.insert(source.into(), pattern.clone());
        pattern
    }

    fn text(&mut self, reading: &Reading<'_>, formats: bool) -> Option<TextRules> {
        let mut rules = TextRules { format: self.format(reading, formats), ..TextRules::default() };
        if reading.validates {
            rules.min = self.count(reading, "minLength").filter(|min| *min > 0);
            rules.max = self.count(reading, "maxLength");
        }
        if let Some(value) = reading.schema.get("pattern").filter(|_| reading.validates) {
            match value.as_str() {
                Some(source) => rules.pattern = self.pattern(reading, value, source),
                None => self.malformed(reading, value, "`pattern` takes a string"),
            }
        }
        let is_empty = rules.min.is_none() && rules.max.is_none() && rules.pattern.is_none() && rules.format.is_none();
        (!is_empty).then_some(rules)
    }

    fn array(&mut self, reading: &Reading<'_>) -> Option<ArrayRules> {
        let keywords = ["prefixItems", "items", "contains", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"];
        if !keywords.iter().any(|keyword| reading.schema.get(keyword).is_some()) {
            return None;
        }
        let mut rules = ArrayRules {
            prefix: self.sub_list(reading, "prefixItems"),
            items: self.sub_named(reading, "items"),
            contains: None,
            min: None,
            max: None,
            unique: false,
            unevaluated: self.sub_named(reading, "unevaluatedItems"),
        };
        if let Some(items) = reading.schema.get("items").filter(|items| items.kind() == Kind::Array) {
            self.malformed(reading, items, "`items` takes one schema; use `prefixItems` for a list");
        }
        if reading.validates {
            rules.min = self.count(reading, "minItems").filter(|min| *min > 0);
            rules.max = self.count(reading, "maxItems");
            rules.unique = reading.schema.get("uniqueItems").and_then(Value::as_bool) == Some(true);
        }
        if let Some(rule) = self.sub_named(reading, "contains") {
            let (min, max) = match reading.validates {
                true => (self.count(reading, "minContains").unwrap_or(1), self.count(reading, "maxContains")),
                false => (1, None),
            };
            rules.contains = Some(Contains { rule, min, max });
        }
        Some(rules)
    }

    fn object(&mut self, reading: &Reading<'_>) -> Option<ObjectRules> {
        let keywords = [
            "properties",
            "required",
            "patternProperties",
            "additionalProperties",
            "propertyNames",
            "minProperties",
            "maxProperties",
            "dependentRequired",
            "dependentSchemas",
            "dependencies",
            "unevaluatedProperties",
        ];
        if !keywords.iter().any(|keyword| reading.schema.get(keyword).is_some()) {
            return None;
        }
        let mut rules = ObjectRules {
            additional: self.sub_named(reading, "additionalProperties"),
            names: self.sub_named(reading, "propertyNames"),
            unevaluated: self.sub_named(reading, "unevaluatedProperties"),
            ..ObjectRules::default()
        };
        let members = |keyword: &str| reading.schema.get(keyword).and_then(Value::members).into_iter().flatten();
        for (name, value) in members("properties") {
            let rule = self.sub(reading, value);
            if let Some(property) = rules.properties.add(name) {
                property.rule = Some(rule);
            }
        }
        for (source, value) in members("patternProperties") {
            let rule = self.sub(reading, value);
            if let Some(pattern) = self.pattern(reading, value, source) {
                rules.patterns.push((pattern, rule));
            }
        }
        for (name, value) in members("dependentSchemas") {
            rules.dependent_schemas.push((name.into(), self.sub(reading, value)));
        }
        for (name, value) in members("dependencies") {
            match value.items() {
                Some(names) => {
                    let names = names.filter_map(Value::as_str).map(Into::into).collect();
                    rules.dependent_required.push((name.into(), names));
                }
                None => rules.dependent_schemas.push((name.into(), self.sub(reading, value))),
            }
        }
        if !reading.validates {
            return Some(rules);
        }
        for (name, value) in members("dependentRequired") {
            let names = value.items().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect();
            rules.dependent_required.push((name.into(), names));
        }
        rules.min = self.count(reading, "minProperties").filter(|min| *min > 0);
        rules.max = self.count(reading, "maxProperties");
        if let Some(required) = reading.schema.get("required") {
            match required.items() {
                Some(names) => {
                    for name in names.filter_map(Value::as_str) {
                        if let Some(property) = rules.properties.add(name) {
                            property.required = true;
                        }
                    }
                }
                // Parameters of Swagger 2.0 are schemas with such a flag of their own.
                None if required.kind() == Kind::Bool && reading.schema.get("in").is_some() => {}
                None if required.kind() == Kind::Bool => {
                    let at = Place { index: required.index(), ..reading.place };
                    let text = "`required` is a list of names on the object, not a flag of its member; it is ignored";
                    self.report(Level::Warning, "malformed-schema", at, text);
                }
                None => self.malformed(reading, required, "`required` takes a list of names"),
            }
        }
        rules.required = u32::try_from(rules.properties.entries.iter().filter(|p| p.required).count()).unwrap_or(0);
        Some(rules)
    }

    fn logic(&mut self, reading: &Reading<'_>) -> Option<Logic> {
        let schema = reading.schema;
        let mut logic = Logic {
            all_of: self.sub_list(reading, "allOf"),
            any_of: self.sub_list(reading, "anyOf"),
            one_of: self.sub_list(reading, "oneOf"),
            not: self.sub_named(reading, "not"),
            ..Logic::default()
        };
        if let Some(test) = self.sub_named(reading, "if") {
            let (then, otherwise) = (self.sub_named(reading, "then"), self.sub_named(reading, "else"));
            logic.condition = Some(Condition { test, then, otherwise });
        }
        if reading.validates {
            logic.choice = self.choice(reading);
        }
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            logic.reference = self.follow(reading, reference).map(|(id, _)| id);
        }
        if let Some(reference) = schema.get("$dynamicRef").and_then(Value::as_str)
            && let Some((initial, resource)) = self.follow(reading, reference)
        {
            let anchor = reference.split_once('#').map_or("", |(_, fragment)| fragment);
            let name = self.library.is_dynamic(resource, anchor).then(|| self.dynamic_name(anchor));
            logic.dynamic = Some(DynamicReference { initial, name });
        }
        if let Some(value) = schema.get("discriminator") {
            logic.discriminator = self.discriminator(reading, value, &logic);
        }
        let is_empty = logic.all_of.is_empty()
            && logic.any_of.is_empty()
            && logic.one_of.is_empty()
            && logic.not.is_none()
            && logic.condition.is_none()
            && logic.choice.is_none()
            && logic.reference.is_none()
            && logic.dynamic.is_none();
        (!is_empty).then_some(logic)
    }

    /// Remembers the name a schema is referred to by, for messages.
    fn remember_name(&mut self, place: Place, reference: &str) {
        let name = reference.rsplit(['/', '#']).next().unwrap_or_default();
        if !name.is_empty() && !self.names.contains_key(&place) {
            self.names.insert(place, super::uri::decode(name).into());
        }
    }

    fn follow(&mut self, reading: &Reading<'_>, reference: &str) -> Option<(RuleId, u32)> {
        match self.library.resolve(reading.resource, reference) {
            Ok((place, resource)) => Some((self.rule_in(place, resource, reading.dialect), resource)),
            Err(message) => {
                let text = format!("cannot resolve `{reference}`: {message}");
                self.report(Level::Error, "unresolved-reference", reading.place, text);
                None
            }
        }
    }

    fn dynamic_name(&mut self, name: &str) -> u32 {
        if let Some(number) = self.dynamic_names.get(name) {
            return *number;
        }
        let number = u32::try_from(self.rules.dynamic.len()).unwrap_or(u32::MAX);
        self.rules.dynamic.push(Vec::new());
        self.dynamic_names.insert(name.to_owned(), number);
        number
    }

    fn choice(&mut self, reading: &Reading<'_>) -> Option<Choice> {
        let (keyword, values): (_, Vec<Value<'_>>) = match (reading.schema.get("const"), reading.schema.get("enum")) {
            (Some(value), _) => ("const", vec![value]),
            (None, Some(list)) => match list.items() {
                Some(items) => ("enum", items.collect()),
                None => {
                    self.malformed(reading, list, "`enum` takes a list");
                    return None;
                }
            },
            (None, None) => return None,
        };
        let mut builder = TapeBuilder::new();
        builder.open_array(0);
        for value in &values {
            builder.copy(*value);
        }
        let texts = values.iter().all(|value| value.kind() == Kind::String).then(|| {
            let mut texts = PropertyTable::default();
            for value in &values {
                texts.add(value.as_str().unwrap_or_default());
            }
            texts
        });
        Some(Choice { keyword, values: builder.finish(), texts })
    }

    /// The discriminator of OpenAPI: which branch a value of the property selects.
    fn discriminator(&mut self, reading: &Reading<'_>, value: Value<'_>, logic: &Logic) -> Option<Discriminator> {
        let place = Place { index: value.index(), ..reading.place };
        let property = match (value.as_str(), value.get("propertyName").and_then(Value::as_str)) {
            // Swagger 2.0 has only the name.
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => {
                self.report(Level::Error, "malformed-schema", place, "`discriminator` needs `propertyName`");
                return None;
            }
        };
        let keyword = if logic.one_of.is_empty() { "anyOf" } else { "oneOf" };
        let branches = if logic.one_of.is_empty() { &logic.any_of } else { &logic.one_of };
        if branches.is_empty() {
            let text = "`discriminator` without `oneOf` or `anyOf` selects nothing and is not enforced";
            self.report(Level::Hint, "unsupported-discriminator", place, text);
            return None;
        }
        let mut mapping: Vec<(Box<str>, u32, RuleId)> = Vec::new();
        let sources = reading.schema.get(keyword).and_then(Value::items);
        for ((position, branch), source) in (0u32..).zip(branches).zip(sources.into_iter().flatten()) {
            if let Some(reference) = source.get("$ref").and_then(Value::as_str) {
                let name = reference.rsplit(['/', '#']).next().unwrap_or(reference);
                mapping.push((super::uri::decode(name).into(), position, *branch));
            }
        }
        for (name, target) in value.get("mapping").and_then(Value::members).into_iter().flatten() {
            let Some(target) = target.as_str() else { continue };
            let reference = match target.contains(['/', '#', '.']) {
                true => target.to_owned(),
                false => format!("#/components/schemas/{target}"),
            };
            match self.follow(reading, &reference) {
                Some((rule, _)) => match branches.iter().position(|branch| *branch == rule) {
                    Some(position) => {
                        mapping.retain(|(known, _, _)| **known != *name);
                        mapping.push((name.into(), u32::try_from(position).unwrap_or(0), rule));
                    }
                    None => {
                        let text = format!("`{target}` of the mapping is none of the alternatives");
                        self.report(Level::Warning, "unsupported-discriminator", place, text);
                    }
                },
                None => return None,
            }
        }
        let names_all =
            (0u32..).zip(branches).all(|(position, _)| mapping.iter().any(|(_, known, _)| *known == position));
        names_all.then(|| Discriminator { property: property.into(), mapping })
    }

    /// Carries `readOnly` and `writeOnly` from a member's schema to its owner.
    fn link(&mut self) {
        let flags: Vec<(bool, bool)> = self.rules.nodes.iter().map(|node| (node.read_only, node.write_only)).collect();
        let references: Vec<Option<RuleId>> =
            self.rules.nodes.iter().map(|node| node.logic.as_ref().and_then(|logic| logic.reference)).collect();
        for node in &mut self.rules.nodes {
            let Some(object) = &mut node.object else { continue };
            for property in &mut object.properties.entries {
                let Some(rule) = property.rule else { continue };
                let of = |rule: RuleId| flags.get(rule.0 as usize).copied().unwrap_or((false, false));
                let (mut read_only, mut write_only) = of(rule);
                if let Some(Some(target)) = references.get(rule.0 as usize) {
                    read_only |= of(*target).0;
                    write_only |= of(*target).1;
                }
                (property.read_only, property.write_only) = (read_only, write_only);
            }
        }
    }

    /// Finds schemas that apply themselves to the same value again: `a: allOf [a]` can never be decided.
    fn find_loops(&mut self) {
        let count = self.rules.nodes.len();
        // 0: not seen, 1: on the path, 2: done.
        let mut state = vec![0u8; count];
        let mut broken: Vec<RuleId> = Vec::new();
        for start in 0..count {
            if state.get(start) != Some(&0) {
                continue;
            }
            let mut path: Vec<(usize, Vec<RuleId>)> = vec![(start, in_place(&self.rules, start))];
            if let Some(state) = state.get_mut(start) {
                *state = 1;
            }
            while let Some((at, children)) = path.last_mut() {
                let at = *at;
                let Some(next) = children.pop() else {
                    if let Some(state) = state.get_mut(at) {
                        *state = 2;
                    }
                    path.pop();
                    continue;
                };
                match state.get(next.0 as usize) {
                    Some(0) => {
                        if let Some(state) = state.get_mut(next.0 as usize) {
                            *state = 1;
                        }
                        path.push((next.0 as usize, in_place(&self.rules, next.0 as usize)));
                    }
                    Some(1) => broken.push(next),
                    _ => {}
                }
            }
        }
        for id in broken {
            let place = self.compiled.iter().find(|(_, known)| **known == id).map(|((place, _), _)| *place);
            if let Some(place) = place {
                self.report(
                    Level::Error,
                    "reference-loop",
                    place,
                    "the schema applies itself to the same value again; it is not enforced",
                );
            }
            if let Some(node) = self.rules.nodes.get_mut(id.0 as usize) {
                node.logic = None;
            }
        }
    }
}

/// The schemas a node applies to the same value.
fn in_place(rules: &Rules, at: usize) -> Vec<RuleId> {
    let Some(logic) = rules.nodes.get(at).and_then(|node| node.logic.as_ref()) else { return Vec::new() };
    let mut list: Vec<RuleId> = Vec::new();
    list.extend(logic.all_of.iter().chain(&logic.any_of).chain(&logic.one_of));
    list.extend(logic.not.iter().chain(&logic.reference));
    if let Some(condition) = &logic.condition {
        list.push(condition.test);
        list.extend(condition.then.iter().chain(&condition.otherwise));
    }
    if let Some(dynamic) = &logic.dynamic {
        list.push(dynamic.initial);
    }
    list
}

/// The reference of a schema that consists of it and annotations only.
fn plain_reference<'v>(schema: Value<'v>, dialect: Dialect) -> Option<&'v str> {
    let reference = schema.get("$ref").and_then(Value::as_str)?;
    let is_annotation = |key: &str| {
        matches!(
            key,
            "$ref"
                | "description"
                | "title"
                | "summary"
                | "example"
                | "examples"
                | "default"
                | "deprecated"
                | "$comment"
                | "externalDocs"
        ) || key.starts_with("x-")
    };
    // OpenAPI 3.0 ignores what stands beside a reference.
    let is_plain =
        dialect == Dialect::OpenApi30 || schema.members().into_iter().flatten().all(|(key, _)| is_annotation(key));
    is_plain.then_some(reference)
}

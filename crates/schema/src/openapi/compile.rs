//! From an OpenAPI document to a [`Contract`].

use std::collections::HashMap;

use super::contract::{
    BodyRules, Contract, ContractInfo, Encoding, HostCheck, Location, MediaRules, Operation, OperationId, Parameter,
    ParameterShape, PathItem, QueryName, ResponseRules, SecurityNeed, StatusKey, Style,
};
use super::load::Loaded;
use super::media::BodyKind;
use super::path::{PathTrie, Piece, pieces};
use crate::document::Level;
use crate::json::{Kind, Value, to_text};
use crate::rules::{Dialect, Library, Place, RuleCompiler, RuleId, types};

/// Most operations of one contract.
const OPERATIONS_MAX: usize = 200_000;
/// Most values of a server variable that are spelled out.
const VARIABLE_VALUES_MAX: usize = 16;

const METHODS: &[&str] = &["get", "put", "post", "delete", "options", "head", "patch", "trace", "query"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Version {
    Swagger2,
    V30,
    V31,
}

struct Compiler {
    rules: RuleCompiler,
    version: Version,
    root: Place,
    info: ContractInfo,
    trie: PathTrie,
    items: Vec<PathItem>,
    operations: Vec<Operation>,
    ids: HashMap<Box<str>, ()>,
}

pub(super) fn compile(library: Library, root: Place, hosts: HostCheck) -> Loaded {
    let mut rules = RuleCompiler::new(library);
    let Some((version, text)) = version(&mut rules, root) else {
        return Loaded { contract: None, diagnostics: rules.finish().2, files: Vec::new() };
    };
    let info = ContractInfo { openapi: text.into(), ..ContractInfo::default() };
    let mut compiler = Compiler {
        rules,
        version,
        root,
        info,
        trie: PathTrie::default(),
        items: Vec::new(),
        operations: Vec::new(),
        ids: HashMap::new(),
    };
    let extensions = compiler.document();
    let Compiler { rules, mut info, trie, items, mut operations, .. } = compiler;
    let (rules, _, diagnostics) = rules.finish();
    for operation in &mut operations {
        prepare(&rules, operation);
    }
    info.hosts.sort();
    info.hosts.dedup();
    let contract = Contract { info, hosts, rules, trie, items, operations, extensions };
    Loaded { contract: Some(contract), diagnostics, files: Vec::new() }
}

fn version(rules: &mut RuleCompiler, root: Place) -> Option<(Version, String)> {
    let document = rules.library.document(root);
    let value = document.root();
    let text = |name: &str| {
        let value = value.get(name)?;
        // YAML reads an unquoted `2.0` as a number.
        value.as_str().or_else(|| value.as_number().map(|number| number.text())).map(str::to_owned)
    };
    match (text("openapi"), text("swagger")) {
        (Some(text), _) if text.starts_with("3.0") => Some((Version::V30, text)),
        (Some(text), _) if text.starts_with("3.1") => Some((Version::V31, text)),
        (Some(text), _) if text.starts_with("3.") => {
            rules.report(
                Level::Warning,
                "newer-version",
                root,
                format!("OpenAPI `{text}` is read as 3.1; what is new in it is not enforced"),
            );
            Some((Version::V31, text))
        }
        (None, Some(text)) if text.starts_with('2') => Some((Version::Swagger2, text)),
        (Some(text), _) | (None, Some(text)) => {
            rules.report(
                Level::Error,
                "unknown-version",
                root,
                format!("`{text}` is not a version of OpenAPI this can read; use 3.0, 3.1 or Swagger 2.0"),
            );
            None
        }
        (None, None) => {
            rules.report(Level::Error, "not-openapi", root, "the document has neither `openapi` nor `swagger`");
            None
        }
    }
}

impl Compiler {
    fn dialect(&self) -> Dialect {
        if self.version == Version::V31 { Dialect::Draft202012 } else { Dialect::OpenApi30 }
    }

    fn at(place: Place, value: Value<'_>) -> Place {
        Place { index: value.index(), ..place }
    }

    /// Follows references of objects other than schemas.
    fn follow(&mut self, mut place: Place) -> Option<Place> {
        let start = place;
        for _ in 0..32 {
            let document = self.rules.library.document(place);
            let Some(reference) = document.tape().at(place.index).get("$ref").and_then(Value::as_str) else {
                return Some(place);
            };
            let resource = self.rules.library.resource_of_root(place);
            match self.rules.library.resolve(resource, reference) {
                Ok((target, _)) => place = target,
                Err(message) => {
                    let text = format!("cannot resolve `{reference}`: {message}");
                    self.rules.report(Level::Error, "unresolved-reference", place, text);
                    return None;
                }
            }
        }
        self.rules.report(Level::Error, "reference-loop", start, "the reference leads back to itself");
        None
    }

    fn document(&mut self) -> Vec<(Box<str>, Box<str>)> {
        let document = self.rules.library.document(self.root);
        let value = document.root();
        let text = |pointer: &str| value.find(pointer).and_then(Value::as_str).unwrap_or_default().into();
        self.info.title = text("/info/title");
        self.info.version = text("/info/version");
        let bases = self.servers(self.root, value);
        for (name, _) in bases.iter().flatten() {
            if !self.info.base_paths.contains(name) {
                self.info.base_paths.push(name.clone());
            }
        }
        if let Some(dialect) = value.get("jsonSchemaDialect").and_then(Value::as_str)
            && !dialect.contains("/dialect/base")
            && !dialect.contains("2020-12")
        {
            let text = format!("the dialect `{dialect}` is not known; schemas are read as JSON Schema 2020-12");
            self.rules.report(Level::Warning, "unknown-dialect", self.root, text);
        }
        if let Some(webhooks) = value.get("webhooks").filter(|webhooks| webhooks.count() > 0) {
            let place = Self::at(self.root, webhooks);
            self.rules.report(
                Level::Hint,
                "not-enforced",
                place,
                "webhooks are requests of the API and are not judged",
            );
        }
        let Some(paths) = value.get("paths") else {
            if self.version != Version::V31 {
                self.rules.report(Level::Error, "malformed-document", self.root, "the document has no `paths`");
            }
            return extensions(value);
        };
        for (template, item) in paths.members().into_iter().flatten() {
            if template.starts_with("x-") {
                continue;
            }
            let place = Self::at(self.root, item);
            if !template.starts_with('/') {
                self.rules.report(
                    Level::Error,
                    "malformed-path",
                    place,
                    format!("the path `{template}` must begin with `/`"),
                );
                continue;
            }
            let Some(place) = self.follow(place) else { continue };
            self.path_item(template, place, &bases);
        }
        extensions(value)
    }

    /// Base paths with the number of their parameters. `None` when there is no `servers` at this level.
    fn servers(&mut self, place: Place, value: Value<'_>) -> Option<Vec<(Box<str>, usize)>> {
        if self.version == Version::Swagger2 {
            if place.index != 0 {
                return None;
            }
            if let Some(host) = value.get("host").and_then(Value::as_str) {
                self.info.hosts.push(host.split(':').next().unwrap_or_default().to_ascii_lowercase().into());
            }
            let base = value.get("basePath").and_then(Value::as_str).unwrap_or_default();
            return Some(vec![(base.trim_end_matches('/').into(), 0)]);
        }
        let servers = value.get("servers")?;
        let mut bases: Vec<(Box<str>, usize)> = Vec::new();
        for server in servers.items().into_iter().flatten() {
            let url = server.get("url").and_then(Value::as_str).unwrap_or("/");
            for url in self.expand(Self::at(place, server), server, url) {
                let path = match url.split_once("://") {
                    Some((_, rest)) => {
                        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
                        let host = authority.split(':').next().unwrap_or_default();
                        if !host.is_empty() {
                            self.info.hosts.push(star_out(host).to_ascii_lowercase().into());
                        }
                        path.to_owned()
                    }
                    None => url.trim_start_matches('.').to_owned(),
                };
                let path = path.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
                let path = if path.is_empty() || path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
                let parameters = path.matches('{').count();
                if !bases.iter().any(|(known, _)| **known == *path) {
                    bases.push((path.into(), parameters));
                }
            }
        }
        (!bases.is_empty()).then_some(bases)
    }

    /// Puts the values of server variables in; a variable without a list stays and matches anything.
    fn expand(&mut self, place: Place, server: Value<'_>, url: &str) -> Vec<String> {
        let mut urls = vec![url.to_owned()];
        for (name, variable) in server.get("variables").and_then(Value::members).into_iter().flatten() {
            let mark = format!("{{{name}}}");
            let listed: Vec<&str> =
                variable.get("enum").and_then(Value::items).into_iter().flatten().filter_map(Value::as_str).collect();
            if listed.is_empty() || !url.contains(&mark) {
                // A path as default cannot be one segment, so it is taken as it is.
                if let Some(default) = variable.get("default").and_then(Value::as_str)
                    && (default.contains('/') || default.is_empty())
                {
                    urls = urls.iter().map(|url| url.replace(&mark, default)).collect();
                }
                continue;
            }
            let expanded: Vec<String> =
                urls.iter().flat_map(|url| listed.iter().map(|value| url.replace(&mark, value))).collect();
            if expanded.len() > VARIABLE_VALUES_MAX {
                let text = format!("the variable `{name}` has many values; any value is accepted");
                self.rules.report(Level::Hint, "server-variable", place, text);
                continue;
            }
            urls = expanded;
        }
        urls
    }

    fn path_item(&mut self, template: &str, place: Place, bases: &Option<Vec<(Box<str>, usize)>>) {
        let document = self.rules.library.document(place);
        let item = document.tape().at(place.index);
        if item.kind() != Kind::Object {
            self.rules.report(Level::Error, "malformed-path", place, format!("the path `{template}` takes an object"));
            return;
        }
        let own_bases = self.servers(place, item);
        let shared = self.parameters(place, item);
        for (method, operation) in item.members().into_iter().flatten() {
            if !METHODS.contains(&method) {
                continue;
            }
            if self.operations.len() >= OPERATIONS_MAX {
                self.rules.report(Level::Error, "too-large", place, format!("more than {OPERATIONS_MAX} operations"));
                return;
            }
            let at = Self::at(place, operation);
            if operation.kind() != Kind::Object {
                self.rules.report(Level::Error, "malformed-operation", at, format!("`{method}` takes an object"));
                continue;
            }
            let bases = self.servers(at, operation).or_else(|| own_bases.clone()).or_else(|| bases.clone());
            let bases = bases.unwrap_or_else(|| vec![("".into(), 0)]);
            self.operation(template, method, at, item, &shared, &bases);
        }
    }

    fn operation(
        &mut self,
        template: &str,
        method: &str,
        place: Place,
        item: Value<'_>,
        shared: &[Place],
        bases: &[(Box<str>, usize)],
    ) {
        let document = self.rules.library.document(place);
        let value = document.tape().at(place.index);
        let mut names: Vec<Box<str>> = Vec::new();
        let Some(segments) = split_template(template) else {
            self.rules.report(
                Level::Error,
                "malformed-path",
                place,
                format!("the braces of `{template}` do not match or its parameters touch"),
            );
            return;
        };
        for piece in segments.iter().flatten() {
            if let Piece::Parameter(name) = piece {
                names.push(name.clone());
            }
        }
        let number = OperationId(u32::try_from(self.operations.len()).unwrap_or(u32::MAX));
        let method: Box<str> = method.to_ascii_uppercase().into();
        if !self.enter(template, &method, number, place, bases) {
            return;
        }
        let id: Option<Box<str>> = value.get("operationId").and_then(Value::as_str).map(Into::into);
        if let Some(id) = &id
            && self.ids.insert(id.clone(), ()).is_some()
        {
            self.rules.report(
                Level::Warning,
                "duplicate-operation-id",
                place,
                format!("the operationId `{id}` is used twice"),
            );
        }
        let mut places = shared.to_vec();
        places.extend(self.parameters(place, value));
        let (parameters, swagger_body) = self.all_parameters(&places, &names, place);
        let body = match value.get("requestBody") {
            Some(body) if self.version != Version::Swagger2 => self.request_body(Self::at(place, body)),
            _ => self.swagger_body(swagger_body, value),
        };
        if let Some(callbacks) = value.get("callbacks").filter(|callbacks| callbacks.count() > 0) {
            let at = Self::at(place, callbacks);
            self.rules.report(Level::Hint, "not-enforced", at, "callbacks are requests of the API and are not judged");
        }
        let responses = self.responses(place, value);
        let mut extensions = extensions(item);
        for (name, text) in self::extensions(value) {
            extensions.retain(|(known, _)| *known != name);
            extensions.push((name, text));
        }
        self.operations.push(Operation {
            id,
            method,
            template: template.into(),
            tags: value
                .get("tags")
                .and_then(Value::items)
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(Into::into)
                .collect(),
            deprecated: value.get("deprecated").and_then(Value::as_bool) == Some(true),
            parameters,
            security: self.security(value),
            extensions,
            names,
            query: HashMap::new(),
            query_catch_all: None,
            body,
            responses,
        });
    }

    /// Makes the operation findable. False when another operation has its place.
    fn enter(
        &mut self,
        template: &str,
        method: &str,
        id: OperationId,
        place: Place,
        bases: &[(Box<str>, usize)],
    ) -> bool {
        let mut is_new = true;
        for (base, skipped) in bases {
            let full = format!("{base}{template}");
            let Some(segments) = split_template(&full) else { continue };
            let fresh = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
            let number = match self.trie.add(&segments, fresh) {
                Some(existing) => existing,
                None => {
                    self.items.push(PathItem::default());
                    fresh
                }
            };
            let Some(item) = self.items.get_mut(number as usize) else { continue };
            if item.methods.iter().any(|(known, _, _)| **known == *method) {
                is_new = false;
                let text = format!(
                    "`{method} {full}` is declared twice, possibly under other parameter names; the first one counts"
                );
                self.rules.report(Level::Error, "duplicate-operation", place, text);
            } else {
                item.methods.push((method.into(), id, *skipped));
            }
        }
        is_new
    }

    fn parameters(&mut self, place: Place, value: Value<'_>) -> Vec<Place> {
        let list = value.get("parameters").and_then(Value::items).into_iter().flatten();
        list.filter_map(|parameter| self.follow(Self::at(place, parameter))).collect()
    }

    /// Compiles parameters, those of the operation overriding those of the path; Swagger's body parameters apart.
    fn all_parameters(
        &mut self,
        places: &[Place],
        names: &[Box<str>],
        operation: Place,
    ) -> (Vec<Parameter>, Vec<Place>) {
        let mut list: Vec<Parameter> = Vec::new();
        let mut bodies: Vec<Place> = Vec::new();
        for place in places {
            let document = self.rules.library.document(*place);
            let value = document.tape().at(place.index);
            let (Some(name), Some(location)) =
                (value.get("name").and_then(Value::as_str), value.get("in").and_then(Value::as_str))
            else {
                self.rules.report(Level::Error, "malformed-parameter", *place, "a parameter needs `name` and `in`");
                continue;
            };
            let location = match location {
                "path" => Location::Path,
                "query" => Location::Query,
                "header" => Location::Header,
                "cookie" => Location::Cookie,
                "body" | "formData" if self.version == Version::Swagger2 => {
                    bodies.retain(|known| !self.same_parameter(*known, name));
                    bodies.push(*place);
                    continue;
                }
                other => {
                    let text = format!("`{other}` is not a place of parameters; use path, query, header or cookie");
                    self.rules.report(Level::Error, "malformed-parameter", *place, text);
                    continue;
                }
            };
            let Some(parameter) = self.parameter(*place, value, name, location) else { continue };
            if location == Location::Path && !names.iter().any(|known| **known == *name) {
                let text = format!("the path has no parameter `{name}`");
                self.rules.report(Level::Warning, "path-parameter", *place, text);
            }
            list.retain(|known| known.location != location || known.name != parameter.name);
            list.push(parameter);
        }
        for name in names {
            if !list.iter().any(|parameter| parameter.location == Location::Path && parameter.name == *name) {
                let text = format!("the path parameter `{name}` is not declared; any text is accepted");
                self.rules.report(Level::Warning, "path-parameter", operation, text);
            }
        }
        (list, bodies)
    }

    fn same_parameter(&self, place: Place, name: &str) -> bool {
        let document = self.rules.library.document(place);
        document.tape().at(place.index).get("name").and_then(Value::as_str) == Some(name)
    }

    fn parameter(&mut self, place: Place, value: Value<'_>, name: &str, location: Location) -> Option<Parameter> {
        let lower = name.to_ascii_lowercase();
        if location == Location::Header && matches!(&*lower, "accept" | "content-type" | "authorization") {
            // OpenAPI 3.1 section 4.8.12: such definitions shall be ignored.
            return None;
        }
        let flag = |name: &str| value.get(name).and_then(Value::as_bool);
        let default = match location {
            Location::Query | Location::Cookie => Style::Form,
            Location::Path | Location::Header => Style::Simple,
        };
        let (mut style, mut explode) = match self.version {
            Version::Swagger2 => swagger_style(value, default),
            _ => (self.style(place, value, default), None),
        };
        let mut rule = match self.version {
            Version::Swagger2 => Some(self.rules.rule(place, Dialect::OpenApi30)),
            _ => value.get("schema").map(|schema| self.rules.rule(Self::at(place, schema), self.dialect())),
        };
        if let Some((media, content)) =
            value.get("content").and_then(Value::members).and_then(|mut content| content.next())
        {
            let is_json = BodyKind::of(&essence(media)) == BodyKind::Json;
            style = if is_json { Style::Json } else { Style::Plain };
            rule = content.get("schema").map(|schema| self.rules.rule(Self::at(place, schema), self.dialect()));
            if !is_json {
                let text = format!("the content `{media}` of the parameter `{name}` is judged as text");
                self.rules.report(Level::Hint, "parameter-content", place, text);
            }
            explode = Some(false);
        }
        if rule.is_none() {
            let text = format!("the parameter `{name}` has neither `schema` nor `content`; any text is accepted");
            self.rules.report(Level::Warning, "parameter-without-schema", place, text);
        }
        let explode = explode.or_else(|| flag("explode")).unwrap_or(style == Style::Form || style == Style::DeepObject);
        Some(Parameter {
            name: if location == Location::Header { lower.into() } else { name.into() },
            location,
            required: location == Location::Path || flag("required") == Some(true),
            deprecated: flag("deprecated") == Some(true),
            style,
            explode,
            allow_empty: flag("allowEmptyValue") == Some(true),
            rule,
            shape: ParameterShape::Scalar,
            takes_lists: false,
        })
    }

    fn style(&mut self, place: Place, value: Value<'_>, default: Style) -> Style {
        let Some(name) = value.get("style").and_then(Value::as_str) else { return default };
        match name {
            "form" => Style::Form,
            "simple" => Style::Simple,
            "label" => Style::Label,
            "matrix" => Style::Matrix,
            "spaceDelimited" => Style::SpaceDelimited,
            "pipeDelimited" => Style::PipeDelimited,
            "deepObject" => Style::DeepObject,
            other => {
                self.rules.report(
                    Level::Error,
                    "unknown-style",
                    place,
                    format!("`{other}` is not a style; the default is used"),
                );
                default
            }
        }
    }

    fn request_body(&mut self, place: Place) -> Option<BodyRules> {
        let place = self.follow(place)?;
        let document = self.rules.library.document(place);
        let value = document.tape().at(place.index);
        let required = value.get("required").and_then(Value::as_bool) == Some(true);
        if value.get("content").is_none() {
            self.rules.report(Level::Error, "malformed-body", place, "a request body needs `content`");
            return None;
        }
        Some(BodyRules { required, media: self.content(place, value) })
    }

    fn content(&mut self, place: Place, value: Value<'_>) -> Vec<MediaRules> {
        let mut list = Vec::new();
        for (range, media) in value.get("content").and_then(Value::members).into_iter().flatten() {
            let range = essence(range);
            let schema = media.get("schema");
            let rule = schema.map(|schema| self.rules.rule(Self::at(place, schema), self.dialect()));
            let kind = BodyKind::of(&range);
            let is_constrained = schema.is_some_and(|schema| schema.count() > 0);
            if kind == BodyKind::Opaque && is_constrained && !range.contains('*') && range != "application/octet-stream"
            {
                let is_binary =
                    schema.and_then(|schema| schema.get("format")).and_then(Value::as_str) == Some("binary");
                if !is_binary {
                    let text = format!("the schema of `{range}` is not enforced; only its presence is");
                    self.rules.report(Level::Hint, "media-not-enforced", Self::at(place, media), text);
                }
            }
            let mut encoding = Vec::new();
            for (name, one) in media.get("encoding").and_then(Value::members).into_iter().flatten() {
                let types = one.get("contentType").and_then(Value::as_str).unwrap_or_default();
                let style = self.style(Self::at(place, one), one, Style::Form);
                encoding.push((
                    name.into(),
                    Encoding {
                        content_types: types
                            .split(',')
                            .map(str::trim)
                            .filter(|t| !t.is_empty())
                            .map(|t| essence(t).into())
                            .collect(),
                        style,
                        explode: one.get("explode").and_then(Value::as_bool).unwrap_or(style == Style::Form),
                    },
                ));
            }
            list.push(MediaRules { range: range.into(), kind, rule, encoding });
        }
        list
    }

    /// The body of a Swagger 2.0 operation: its `body` parameter or its `formData` parameters.
    fn swagger_body(&mut self, places: Vec<Place>, operation: Value<'_>) -> Option<BodyRules> {
        if places.is_empty() {
            return None;
        }
        let document = self.rules.library.document(self.root);
        let consumes = operation.get("consumes").or_else(|| document.root().get("consumes"));
        let mut ranges: Vec<String> = consumes.map(media_list).unwrap_or_default();
        let mut fields: Vec<(Box<str>, RuleId, bool)> = Vec::new();
        let mut encoding: Vec<(Box<str>, Style, bool)> = Vec::new();
        let mut has_file = false;
        for place in places {
            let document = self.rules.library.document(place);
            let value = document.tape().at(place.index);
            let required = value.get("required").and_then(Value::as_bool) == Some(true);
            if value.get("in").and_then(Value::as_str) == Some("body") {
                if ranges.is_empty() {
                    ranges.push("application/json".to_owned());
                }
                let rule =
                    value.get("schema").map(|schema| self.rules.rule(Self::at(place, schema), Dialect::OpenApi30));
                let media = ranges
                    .iter()
                    .map(|range| MediaRules {
                        range: range.as_str().into(),
                        kind: BodyKind::of(range),
                        rule,
                        encoding: Vec::new(),
                    })
                    .collect();
                return Some(BodyRules { required, media });
            }
            let name = value.get("name").and_then(Value::as_str).unwrap_or_default();
            has_file |= value.get("type").and_then(Value::as_str) == Some("file");
            let rule = self.rules.rule(place, Dialect::OpenApi30);
            let (style, explode) = swagger_style(value, Style::Form);
            if value.get("type").and_then(Value::as_str) == Some("array") {
                encoding.push((name.into(), style, explode.unwrap_or(false)));
            }
            fields.push((name.into(), rule, required));
        }
        ranges.retain(|range| matches!(BodyKind::of(range), BodyKind::Form | BodyKind::Multipart));
        if ranges.is_empty() {
            ranges.push("multipart/form-data".to_owned());
            if !has_file {
                ranges.push("application/x-www-form-urlencoded".to_owned());
            }
        }
        let required = fields.iter().any(|(_, _, required)| *required);
        let rule = self.rules.object_of(&fields);
        let media = ranges
            .iter()
            .map(|range| MediaRules {
                range: range.as_str().into(),
                kind: BodyKind::of(range),
                rule: Some(rule),
                encoding: encoding
                    .iter()
                    .map(|(name, style, explode)| {
                        (name.clone(), Encoding { content_types: Vec::new(), style: *style, explode: *explode })
                    })
                    .collect(),
            })
            .collect();
        Some(BodyRules { required, media })
    }

    fn responses(&mut self, place: Place, operation: Value<'_>) -> Vec<(StatusKey, ResponseRules)> {
        let mut list = Vec::new();
        let Some(responses) = operation.get("responses") else {
            self.rules.report(
                Level::Hint,
                "no-responses",
                place,
                "the operation declares no responses; none are judged",
            );
            return list;
        };
        for (key, response) in responses.members().into_iter().flatten() {
            if key.starts_with("x-") {
                continue;
            }
            let at = Self::at(place, response);
            let Some(status) = StatusKey::parse(key) else {
                self.rules.report(
                    Level::Error,
                    "malformed-response",
                    at,
                    format!("`{key}` is not a status, a range such as `2XX`, or `default`"),
                );
                continue;
            };
            let Some(at) = self.follow(at) else { continue };
            let document = self.rules.library.document(at);
            let value = document.tape().at(at.index);
            let mut headers = Vec::new();
            for (name, header) in value.get("headers").and_then(Value::members).into_iter().flatten() {
                let Some(place) = self.follow(Self::at(at, header)) else { continue };
                let document = self.rules.library.document(place);
                let value = document.tape().at(place.index);
                headers.extend(self.parameter(place, value, name, Location::Header));
            }
            let media = match self.version {
                Version::Swagger2 => self.swagger_response(at, value, operation),
                _ => self.content(at, value),
            };
            list.push((status, ResponseRules { headers, body: BodyRules { required: false, media } }));
        }
        list
    }

    fn swagger_response(&mut self, place: Place, value: Value<'_>, operation: Value<'_>) -> Vec<MediaRules> {
        let Some(schema) = value.get("schema") else { return Vec::new() };
        let document = self.rules.library.document(self.root);
        let produces = operation.get("produces").or_else(|| document.root().get("produces"));
        let mut ranges = produces.map(media_list).unwrap_or_default();
        if ranges.is_empty() {
            ranges.push("application/json".to_owned());
        }
        let is_file = schema.get("type").and_then(Value::as_str) == Some("file");
        let rule = (!is_file).then(|| self.rules.rule(Self::at(place, schema), Dialect::OpenApi30));
        let kind = |range: &str| if is_file { BodyKind::Opaque } else { BodyKind::of(range) };
        ranges
            .iter()
            .map(|range| MediaRules { range: range.as_str().into(), kind: kind(range), rule, encoding: Vec::new() })
            .collect()
    }

    fn security(&self, operation: Value<'_>) -> Vec<Vec<SecurityNeed>> {
        let document = self.rules.library.document(self.root);
        let list = operation.get("security").or_else(|| document.root().get("security"));
        let needs = |alternative: Value<'_>| {
            let members = alternative.members().into_iter().flatten();
            members
                .map(|(scheme, scopes)| SecurityNeed {
                    scheme: scheme.into(),
                    scopes: scopes.items().into_iter().flatten().filter_map(Value::as_str).map(Into::into).collect(),
                })
                .collect()
        };
        list.and_then(Value::items).into_iter().flatten().map(needs).collect()
    }
}

/// What can only be known once all schemas are compiled: the shapes of parameters, and which names of the query are whose.
fn prepare(rules: &crate::rules::Rules, operation: &mut Operation) {
    let headers = operation.responses.iter_mut().flat_map(|(_, response)| &mut response.headers);
    for parameter in operation.parameters.iter_mut().chain(headers) {
        let hint = rules.hint(parameter.rule);
        parameter.takes_lists = hint & types::ARRAY != 0;
        let scalars = types::STRING | types::NUMBER | types::INTEGER | types::BOOLEAN;
        parameter.shape = match parameter.style {
            Style::Json | Style::Plain => ParameterShape::Scalar,
            Style::DeepObject => ParameterShape::Object,
            _ if hint & scalars != 0 => ParameterShape::Scalar,
            _ if hint & types::ARRAY != 0 => ParameterShape::Array,
            _ if hint & types::OBJECT != 0 => ParameterShape::Object,
            _ => ParameterShape::Scalar,
        };
    }
    for (number, parameter) in (0u32..).zip(&operation.parameters) {
        if parameter.location != Location::Query {
            continue;
        }
        let explodes = parameter.shape == ParameterShape::Object && parameter.style == Style::Form && parameter.explode;
        if let Some(rule) = parameter.rule.filter(|_| explodes) {
            let mut names = Vec::new();
            if rules.member_names(rule, &mut names) {
                operation.query_catch_all = Some(number);
            }
            for name in names {
                operation.query.entry(name).or_insert(QueryName::Member(number));
            }
        } else if parameter.style != Style::DeepObject {
            operation.query.insert(parameter.name.clone(), QueryName::Whole(number));
        }
    }
}

fn split_template(template: &str) -> Option<Vec<Vec<Piece>>> {
    template.strip_prefix('/').unwrap_or(template).split('/').map(pieces).collect()
}

/// A host with `*` for its variables.
fn star_out(host: &str) -> String {
    let mut out = String::new();
    let mut rest = host;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        out.push('*');
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    out.push_str(rest);
    out
}

fn essence(range: &str) -> String {
    range.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

fn media_list(value: Value<'_>) -> Vec<String> {
    value.items().into_iter().flatten().filter_map(Value::as_str).map(essence).collect()
}

/// `collectionFormat` of Swagger 2.0 as a style.
fn swagger_style(value: Value<'_>, default: Style) -> (Style, Option<bool>) {
    match value.get("collectionFormat").and_then(Value::as_str) {
        Some("ssv") => (Style::SpaceDelimited, Some(false)),
        Some("tsv") => (Style::TabDelimited, Some(false)),
        Some("pipes") => (Style::PipeDelimited, Some(false)),
        Some("multi") => (Style::Form, Some(true)),
        _ => (default, Some(false)),
    }
}

fn extensions(value: Value<'_>) -> Vec<(Box<str>, Box<str>)> {
    let members = value.members().into_iter().flatten();
    members
        .filter(|(name, _)| name.starts_with("x-portreeve-"))
        .map(|(name, value)| (name.into(), to_text(value).into()))
        .collect()
}

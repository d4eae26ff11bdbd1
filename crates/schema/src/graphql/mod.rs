//! GraphQL: operations judged by limits, and where the schema is known by it.
//!
//! Limits come first and need no schema: size and tokens before parsing, then depth, aliases, root fields, directives and
//! fields with fragments expanded. Expansion is counted, never carried out, so a few fragments that multiply cost no more
//! than their text. Validation follows the specification of October 2021 through apollo-compiler; the cost is ours.

mod cost;
mod introspection;
mod limits;
mod persisted;
mod request;
mod undeclared;
mod upload;

use apollo_compiler::ast;
use apollo_compiler::response::JsonMap;
use apollo_compiler::validation::Valid;
use apollo_compiler::{ExecutableDocument, Schema};

pub use introspection::sdl_from_introspection;
pub use limits::{GraphqlLimits, Measures};
pub use persisted::{PersistedQueries, PersistedUse};
pub use request::{GraphqlRequest, RequestError, requests_from_get, requests_from_json};
pub use upload::operations_of_upload;

/// Whether operations may ask for the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Introspection {
    /// They may.
    #[default]
    Allow,
    /// They may not; `__typename` is always allowed.
    Refuse,
}

/// What is wrong with an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum GraphqlProblem {
    /// It cannot be parsed.
    Syntax,
    /// It does not fit the schema.
    Invalid,
    /// Its variables do not fit their types.
    Variables,
    /// It exceeds a limit.
    Limit,
    /// It asks for the schema.
    Introspection,
    /// There is no operation of the name, or none is named and there are several.
    Operation,
    /// It is not on the list of persisted queries, or its hash is another document's.
    Persisted,
}

/// One departure. It never has a value of the operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GraphqlViolation {
    /// What kind.
    pub problem: GraphqlProblem,
    /// The limit or the rule of the specification, such as `depth_max` or `UndefinedField`.
    pub rule: &'static str,
    /// What was expected.
    pub expected: Box<str>,
    /// Line and column in the document, from 1; zeros when unknown.
    pub position: (u32, u32),
}

/// `query`, `mutation` or `subscription`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OperationKind {
    /// Reads.
    Query,
    /// Writes.
    Mutation,
    /// Listens.
    Subscription,
}

/// What judging an operation gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GraphqlJudgement {
    /// Departures; empty for an operation that may pass.
    pub violations: Vec<GraphqlViolation>,
    /// The kind of the operation that would run.
    pub kind: Option<OperationKind>,
    /// Its name: an endpoint of its own.
    pub name: Option<Box<str>>,
    /// The fields it asks the root for, by name, at most eight: what to call an operation without name.
    pub root_fields: Vec<Box<str>>,
    /// What was counted.
    pub measures: Measures,
}

/// A GraphQL service: its limits, and its schema where it is known.
pub struct GraphqlContract {
    schema: Option<Valid<Schema>>,
    limits: GraphqlLimits,
    introspection: Introspection,
    persisted: Option<(PersistedQueries, PersistedUse)>,
}

impl GraphqlContract {
    /// A service whose schema is not known: only limits apply.
    pub fn without_schema(limits: GraphqlLimits, introspection: Introspection) -> Self {
        Self { schema: None, limits, introspection, persisted: None }
    }

    /// A service by its schema in the schema definition language. Directives that it uses without declaring them are put
    /// aside. The error lists what is wrong, a line each.
    pub fn from_sdl(
        name: &str,
        sdl: &str,
        limits: GraphqlLimits,
        introspection: Introspection,
    ) -> Result<Self, Vec<String>> {
        let describe = |errors: &apollo_compiler::validation::DiagnosticList| {
            errors.iter().map(|diagnostic| place_and_message(&diagnostic)).collect::<Vec<_>>()
        };
        let mut document = ast::Document::parse(sdl, name).map_err(|error| describe(&error.errors))?;
        undeclared::drop_undeclared_directives(&mut document);
        match document.to_schema_validate() {
            Ok(schema) => Ok(Self { schema: Some(schema), limits, introspection, persisted: None }),
            Err(error) => Err(describe(&error.errors)),
        }
    }

    /// A service by the answer to an introspection query, as JSON.
    pub fn from_introspection(
        name: &str,
        json: &[u8],
        limits: GraphqlLimits,
        introspection: Introspection,
    ) -> Result<Self, Vec<String>> {
        let sdl = sdl_from_introspection(json).map_err(|message| vec![message])?;
        Self::from_sdl(name, &sdl, limits, introspection)
    }

    /// The same with a list of the operations that may run.
    pub fn with_persisted(mut self, list: PersistedQueries, usage: PersistedUse) -> Self {
        self.persisted = Some((list, usage));
        self
    }

    /// The limits.
    pub fn limits(&self) -> &GraphqlLimits {
        &self.limits
    }

    /// The rules of the specification that a document breaks by this schema, by name, once for each place: for
    /// documents that need not run, such as fragments alone. `None` when it cannot be parsed.
    pub fn broken_rules(&self, document: &str) -> Option<Vec<&'static str>> {
        let parsed = ast::Document::parse(document, "document.graphql").ok()?;
        let Some(schema) = &self.schema else { return Some(Vec::new()) };
        let errors = match parsed.to_executable_validate(schema) {
            Ok(_) => return Some(Vec::new()),
            Err(error) => error.errors,
        };
        Some(errors.iter().map(|diagnostic| diagnostic.error.unstable_error_name().unwrap_or("Other")).collect())
    }

    /// The document that a request runs: its own, or the listed one; `None` for a persisted query whose document only the
    /// server knows.
    fn document<'r>(&'r self, request: &'r GraphqlRequest) -> Result<Option<&'r str>, GraphqlViolation> {
        let unlisted = |rule, expected: &str| GraphqlViolation {
            problem: GraphqlProblem::Persisted,
            rule,
            expected: expected.into(),
            position: (0, 0),
        };
        let list = self.persisted.as_ref();
        match (request.query.as_deref(), request.persisted.as_deref()) {
            (Some(query), id) => {
                // A server keeps what it is sent under the hash it is told: another hash would replace a good document.
                if let Some(hash) = id.filter(|id| persisted::is_hash(id))
                    && persisted::sha256(query) != hash
                {
                    return Err(unlisted("sha256Hash", "the SHA-256 of the document sent with it"));
                }
                match list {
                    Some((list, PersistedUse::Only)) if !list.lists(query) => {
                        Err(unlisted("persistedOnly", "an operation of the list"))
                    }
                    _ => Ok(Some(query)),
                }
            }
            (None, Some(id)) => match list.map(|(list, _)| list.entry(id)) {
                None => Ok(None),
                Some(Some(document)) => Ok(document),
                Some(None) => Err(unlisted("persistedQuery", "a hash or identifier of the list")),
            },
            (None, None) => Ok(None),
        }
    }

    /// Judges one operation. A persisted query whose document is not known here can only be looked up in the list.
    pub fn judge(&self, request: &GraphqlRequest) -> GraphqlJudgement {
        let mut judgement = GraphqlJudgement { name: request.operation_name.clone(), ..GraphqlJudgement::default() };
        if request.query.as_deref().is_some_and(|query| query.len() > self.limits.bytes_max) {
            return judgement.with(limit("bytes_max", self.limits.bytes_max as u64));
        }
        let query = match self.document(request) {
            Ok(Some(query)) => query,
            Ok(None) => return judgement,
            Err(violation) => return judgement.with(violation),
        };
        if query.len() > self.limits.bytes_max {
            return judgement.with(limit("bytes_max", self.limits.bytes_max as u64));
        }
        let mut parser = apollo_compiler::parser::Parser::new()
            .token_limit(self.limits.tokens_max)
            .recursion_limit(self.limits.depth_max.saturating_mul(4).max(64));
        let parsed = parser.parse_ast(query, "operation.graphql");
        if parser.tokens_reached() > self.limits.tokens_max {
            return judgement.with(limit("tokens_max", self.limits.tokens_max as u64));
        }
        let document = match parsed {
            Ok(document) => document,
            Err(error) => {
                let position = error.errors.iter().next().and_then(|diagnostic| diagnostic.line_column_range());
                let position = position.map_or((0, 0), |range| pair(range.start.line, range.start.column));
                return judgement.with(GraphqlViolation {
                    problem: GraphqlProblem::Syntax,
                    rule: "SyntaxError",
                    expected: "a GraphQL document".into(),
                    position,
                });
            }
        };
        let Some(operation) = chosen(&document, request.operation_name.as_deref()) else {
            return judgement.with(GraphqlViolation {
                problem: GraphqlProblem::Operation,
                rule: "operationName",
                expected: "the name of one operation of the document".into(),
                position: (0, 0),
            });
        };
        judgement.kind = Some(match operation.operation_type {
            ast::OperationType::Query => OperationKind::Query,
            ast::OperationType::Mutation => OperationKind::Mutation,
            ast::OperationType::Subscription => OperationKind::Subscription,
        });
        judgement.name = operation.name.as_ref().map(|name| name.as_str().into());
        limits::judge(&self.limits, &document, operation, &mut judgement);
        if judgement.measures.introspects && self.introspection == Introspection::Refuse {
            judgement.violations.push(GraphqlViolation {
                problem: GraphqlProblem::Introspection,
                rule: "introspection",
                expected: "no question for the schema".into(),
                position: (0, 0),
            });
        }
        // What exceeds a limit is not validated: that is what the limits are for.
        if judgement.violations.is_empty()
            && let Some(schema) = &self.schema
        {
            self.validate(schema, &document, request, &mut judgement);
        }
        judgement
    }

    fn validate(
        &self,
        schema: &Valid<Schema>,
        document: &ast::Document,
        request: &GraphqlRequest,
        judgement: &mut GraphqlJudgement,
    ) {
        let document: Valid<ExecutableDocument> = match document.to_executable_validate(schema) {
            Ok(document) => document,
            Err(error) => {
                for diagnostic in error.errors.iter().take(8) {
                    let position =
                        diagnostic.line_column_range().map_or((0, 0), |r| pair(r.start.line, r.start.column));
                    judgement.violations.push(GraphqlViolation {
                        problem: GraphqlProblem::Invalid,
                        rule: diagnostic.error.unstable_error_name().unwrap_or("Invalid"),
                        expected: "an operation that fits the schema".into(),
                        position,
                    });
                }
                return;
            }
        };
        let Ok(operation) = document.operations.get(request.operation_name.as_deref()) else { return };
        let variables: JsonMap = match request.variables.as_deref().map(serde_json::from_str) {
            Some(Ok(variables)) => variables,
            Some(Err(_)) => return judgement.violations.push(variables_misfit()),
            None => JsonMap::default(),
        };
        let Ok(variables) = apollo_compiler::request::coerce_variable_values(schema, operation, &variables) else {
            return judgement.violations.push(variables_misfit());
        };
        judgement.measures.cost = cost::cost(&self.limits, schema, &document, operation, &variables);
        if judgement.measures.cost > self.limits.cost_max {
            judgement.violations.push(limit("cost_max", self.limits.cost_max));
        }
    }
}

impl GraphqlJudgement {
    fn with(mut self, violation: GraphqlViolation) -> Self {
        self.violations.push(violation);
        self
    }
}

/// Whether a text is a GraphQL document at all, of definitions of any kind.
pub fn parses(document: &str) -> bool {
    ast::Document::parse(document, "document.graphql").is_ok()
}

fn variables_misfit() -> GraphqlViolation {
    GraphqlViolation {
        problem: GraphqlProblem::Variables,
        rule: "variables",
        expected: "variables that fit their types".into(),
        position: (0, 0),
    }
}

fn limit(rule: &'static str, max: u64) -> GraphqlViolation {
    GraphqlViolation {
        problem: GraphqlProblem::Limit,
        rule,
        expected: format!("at most {max}").into(),
        position: (0, 0),
    }
}

fn pair(line: usize, column: usize) -> (u32, u32) {
    (u32::try_from(line).unwrap_or(0), u32::try_from(column).unwrap_or(0))
}

/// A mistake of a schema with its place, in one line: what the compiler draws around it is for terminals.
fn place_and_message(
    diagnostic: &apollo_compiler::diagnostic::Diagnostic<'_, apollo_compiler::validation::DiagnosticData>,
) -> String {
    let message = one_line(diagnostic.to_string().lines().next().unwrap_or_default());
    let message = message.strip_prefix("Error: ").unwrap_or(&message);
    match diagnostic.line_column_range() {
        Some(range) => format!("line {}, column {}: {message}", range.start.line, range.start.column),
        None => message.to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The operation that would run: the named one, or the only one.
fn chosen<'d>(document: &'d ast::Document, name: Option<&str>) -> Option<&'d ast::OperationDefinition> {
    let mut operations =
        document.definitions.iter().filter_map(|definition| definition.as_operation_definition()).map(|node| &**node);
    match name.filter(|name| !name.is_empty()) {
        Some(name) => operations.find(|operation| operation.name.as_ref().is_some_and(|known| known.as_str() == name)),
        None => {
            let first = operations.next()?;
            operations.next().is_none().then_some(first)
        }
    }
}

#[cfg(test)]
mod tests;

use super::*;
use crate::json::{JsonLimits, Tape};

const SDL: &str = "
type Query { user(id: ID!): User, users(first: Int, filter: Filter): [User!]!, feed(first: Int): Feed }
type Mutation { rename(id: ID!, name: String!): User }
type User { id: ID!, name: String, friends: [User!]!, role: Role }
type Feed { edges: [Edge!]! }
type Edge { node: User }
enum Role { ADMIN GUEST }
input Filter { role: Role!, limit: Int = 3 }
";

fn contract() -> GraphqlContract {
    GraphqlContract::from_sdl("test.graphql", SDL, GraphqlLimits::default(), Introspection::Refuse).unwrap()
}

fn judge(query: &str, variables: &str) -> GraphqlJudgement {
    contract().judge(&GraphqlRequest {
        query: Some(query.into()),
        variables: (!variables.is_empty()).then(|| variables.into()),
        ..GraphqlRequest::default()
    })
}

fn rules(query: &str, variables: &str) -> Vec<&'static str> {
    judge(query, variables).violations.iter().map(|violation| violation.rule).collect()
}

#[test]
fn valid_operations_pass_and_are_named() {
    let judged = judge(
        "query Who($id: ID!) { user(id: $id) { ...F } } fragment F on User { name friends { id } }",
        r#"{"id":"1"}"#,
    );
    assert_eq!(judged.violations, []);
    assert_eq!((judged.kind, judged.name.as_deref()), (Some(OperationKind::Query), Some("Who")));
    assert_eq!(judged.root_fields, ["user".into()]);
    assert_eq!((judged.measures.depth, judged.measures.fields, judged.measures.cost), (3, 4, 11));
}

#[test]
fn what_does_not_fit_the_schema_is_refused() {
    assert_eq!(rules("{ user { name } }", ""), ["RequiredArgument"]);
    assert_eq!(rules("{ users { id nope } }", ""), ["UndefinedField"]);
    assert_eq!(rules("query($id: ID!) { user(id: $id) { id } }", r#"{"id":{}}"#), ["variables"]);
    assert_eq!(rules("query($f: Filter) { users(filter: $f) { id } }", r#"{"f":{"role":"ROOT"}}"#), ["variables"]);
    assert_eq!(rules("query($f: Filter) { users(filter: $f) { id } }", r#"{"f":{"role":"GUEST"}}"#), [""; 0]);
    assert_eq!(rules("{", ""), ["SyntaxError"]);
    assert_eq!(rules("{ __schema { types { name } } }", ""), ["introspection"]);
    assert_eq!(rules("{ __typename users { id } }", ""), [""; 0]);
    assert_eq!(rules("query A { users { id } } query B { users { id } }", ""), ["operationName"]);
}

#[test]
fn limits_count_fragments_as_expanded() {
    let deep = format!("{{ users {}{} }}", "{ friends ".repeat(20), "{ id }".to_owned() + &" }".repeat(20));
    assert_eq!(rules(&deep, ""), ["depth_max"]);
    let aliases: String = (0..40).map(|n| format!("a{n}: user(id: 1) {{ id }} ")).collect();
    assert_eq!(rules(&format!("{{ {aliases} }}"), ""), ["aliases_max", "root_fields_max"]);
    // Fragments that multiply: sixteen levels of four are four billion fields.
    let mut bomb = String::from("{ users { ...F0 } } ");
    for n in 0..16 {
        let spread = format!("...F{} ", n + 1).repeat(4);
        bomb.push_str(&format!("fragment F{n} on User {{ {spread} }} "));
    }
    bomb.push_str("fragment F16 on User { id }");
    assert_eq!(rules(&bomb, ""), ["fields_max"]);
    assert_eq!(
        rules("{ users { ...A } } fragment A on User { friends { ...A } }", ""),
        ["RecursiveFragmentDefinition"]
    );
    assert_eq!(rules(&format!("{{ users {{ id {} }} }}", "@include(if: true) ".repeat(60)), "")[0], "directives_max");
    assert_eq!(rules(&format!("{{ users {{ {} }} }}", "id ".repeat(5_000)), ""), ["tokens_max"]);
    assert_eq!(
        rules("query($n: Int) { users(first: $n) { friends { friends { id } } } }", r#"{"n":1000}"#),
        ["cost_max"]
    );
}

#[test]
fn cost_follows_slicing_arguments() {
    let cost = |query: &str| judge(query, "").measures.cost;
    assert_eq!(cost("{ users(first: 5) { id } }"), 5);
    assert_eq!(cost("{ users { id } }"), 10);
    assert_eq!(cost("{ feed(first: 5) { edges { node { id } } } }"), 15);
    assert_eq!(cost("{ feed { edges { node { id } } } }"), 21);
}

#[test]
fn requests_come_in_several_forms() {
    let read = |text: &str| {
        let tape = Tape::parse(text.as_bytes(), &JsonLimits::default()).unwrap();
        requests_from_json(tape.root(), 2)
    };
    assert_eq!(read(r#"{"query":"{a}","variables":{"x":1}}"#).unwrap()[0].variables.as_deref(), Some(r#"{"x":1}"#));
    assert_eq!(read(r#"[{"query":"{a}"},{"query":"{b}"}]"#).unwrap().len(), 2);
    assert_eq!(read(r#"[{"query":"{a}"},{"query":"{b}"},{"query":"{c}"}]"#), Err(RequestError::Batch));
    assert_eq!(read(r#"{"query":1}"#), Err(RequestError::Member));
    assert_eq!(read("{}"), Err(RequestError::Empty));
    assert_eq!(read("1"), Err(RequestError::Shape));
    let persisted = read(r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"ABC"}}}"#).unwrap();
    assert_eq!(persisted[0].persisted.as_deref(), Some("abc"));
    assert_eq!(
        requests_from_get(&[("query", "{a}"), ("operationName", "A")]).unwrap()[0].operation_name.as_deref(),
        Some("A")
    );
}

#[test]
fn an_introspection_answer_is_a_schema() {
    let json = r#"{"data":{"__schema":{"queryType":{"name":"Q"},"types":[
        {"kind":"OBJECT","name":"Q","fields":[{"name":"a","args":[{"name":"n","type":{"kind":"NON_NULL","ofType":{"kind":"SCALAR","name":"Int"}},"defaultValue":"3"}],"type":{"kind":"LIST","ofType":{"kind":"NON_NULL","ofType":{"kind":"ENUM","name":"E"}}}}],"interfaces":[]},
        {"kind":"ENUM","name":"E","enumValues":[{"name":"X"}]},{"kind":"SCALAR","name":"Int"}],"directives":[]}}}"#;
    let contract =
        GraphqlContract::from_introspection("x", json.as_bytes(), GraphqlLimits::default(), Introspection::Allow)
            .unwrap();
    assert_eq!(contract.judge(&GraphqlRequest::of_document("{ a(n: 1) }")).violations, []);
    assert_eq!(contract.judge(&GraphqlRequest::of_document("{ b }")).violations.len(), 1);
    assert!(sdl_from_introspection(br#"{"__schema":{"types":[{"kind":"SCALAR","name":"A { evil"}]}}"#).is_err());
}

#[test]
fn a_broken_schema_is_described() {
    let errors =
        GraphqlContract::from_sdl("x", "type Query { a: Nope }", GraphqlLimits::default(), Introspection::Allow)
            .err()
            .unwrap();
    assert!(errors.iter().any(|line| line.contains("Nope")), "{errors:?}");
}

#[test]
fn directives_of_the_server_need_no_declaration() {
    let sdl = "directive @mine on OBJECT type Query @mine @key(fields: \"id\") { a(x: Int @in): E @auth } enum E { X @enumInt(value: 1) }";
    let contract = GraphqlContract::from_sdl("x", sdl, GraphqlLimits::default(), Introspection::Allow).unwrap();
    assert_eq!(contract.judge(&GraphqlRequest::of_document("{ a }")).violations, []);
    assert_eq!(contract.judge(&GraphqlRequest::of_document("{ a @nope }")).violations.len(), 1);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn arbitrary_documents_never_panic(text in "(\\{|\\}|\\(|\\)|query|fragment|on|users|id|\\.\\.\\.|:|\\$|@|\"|1| |F|first){0,40}") {
        let _ = judge(&text, "{}");
    }
}

#[test]
fn only_what_is_listed_runs() {
    let document = "query Me { user(id: 1) { id } }";
    let hash = persisted::sha256(document);
    let list = |usage| {
        let text = format!("{{\"operations\": [{{\"id\": \"me\", \"body\": \"{document}\"}}]}}\n");
        contract().with_persisted(PersistedQueries::parse(text.as_bytes()).unwrap(), usage)
    };
    let rules = |usage, query: Option<&str>, id: Option<&str>| -> Vec<&'static str> {
        let request =
            GraphqlRequest { query: query.map(Into::into), persisted: id.map(Into::into), ..GraphqlRequest::default() };
        list(usage).judge(&request).violations.iter().map(|violation| violation.rule).collect()
    };
    use PersistedUse::{Beside, Only};
    assert!(rules(Only, Some(document), None).is_empty());
    assert!(rules(Only, None, Some(&hash)).is_empty());
    assert!(rules(Only, None, Some("me")).is_empty());
    assert_eq!(rules(Only, Some("{ user(id: 1) { id } }"), None), ["persistedOnly"]);
    assert_eq!(rules(Only, None, Some("other")), ["persistedQuery"]);
    assert!(rules(Beside, Some("{ user(id: 1) { id } }"), None).is_empty());
    assert_eq!(rules(Beside, None, Some("other")), ["persistedQuery"]);
    // A hash that belongs to another document would teach the server a wrong one.
    assert_eq!(rules(Beside, Some("{ user(id: 1) { id } }"), Some(&hash)), ["sha256Hash"]);
}

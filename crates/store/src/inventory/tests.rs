//! The inventory's promises: nothing is lost, the operator wins.

use model::{EndpointId, Origin};
use serde_json::json;

use super::*;
use crate::testing::START;

fn endpoint(id: u64, template: &str) -> StoredEndpoint {
    let mut origins = OriginSet::default();
    origins.insert(Origin::Learning);
    StoredEndpoint::new(Endpoint {
        id: EndpointId(id),
        api: "shop".to_owned(),
        host: "api.shop.example".to_owned(),
        method: "GET".to_owned(),
        template: template.to_owned(),
        operation: String::new(),
        protocol: Protocol::Rest,
        origins,
        state: EndpointState::Review,
        confidence: 0.75,
        labels: vec!["log-in".to_owned()],
        first_seen: START,
        last_seen: Timestamp(START.0 + 5),
        requests: 10,
    })
}

fn inventory() -> (tempfile::TempDir, Inventory) {
    let directory = tempfile::tempdir().expect("a directory");
    assert!(Inventory::open_reading(directory.path()).expect("no inventory").is_none());
    let inventory = Inventory::open(directory.path()).expect("an inventory");
    (directory, inventory)
}

#[test]
fn endpoints_read_back_as_written() {
    let (directory, mut inventory) = inventory();
    let mut written = endpoint(u64::MAX - 3, "/users/{id}");
    written.evidence = json!({"values": 20, "why": "uuid"});
    written.schema = json!({"responses": {}});
    assert_eq!(inventory.put("learner", START, &[written.clone()]).expect("written"), [Upserted::Added]);
    assert_eq!(inventory.put("learner", START, &[written.clone()]).expect("written"), [Upserted::Unchanged]);
    let reader = Inventory::open_reading(directory.path()).expect("readable").expect("an inventory");
    assert_eq!(reader.endpoint(written.endpoint.id).expect("read"), Some(written.clone()));
    assert_eq!(
        reader.endpoint_names().expect("names").name(written.endpoint.id.0),
        Some("GET api.shop.example/users/{id}")
    );
}

#[test]
fn every_change_leaves_who_when_and_what() {
    let (_directory, mut inventory) = inventory();
    inventory.put("learner", START, &[endpoint(1, "/users/{id}"), endpoint(2, "/users/me")]).expect("written");
    let at = Timestamp(START.0 + 60);
    inventory
        .change("ada", at, EndpointId(1), |stored| {
            stored.owner = "team-a".to_owned();
            stored.endpoint.state = EndpointState::Saved;
            stored.endpoint.id = EndpointId(99);
        })
        .expect("changed");
    inventory.merge("ada", at, EndpointId(2), EndpointId(1)).expect("merged");
    let changes: Vec<String> = inventory
        .changes(None, 10)
        .expect("changes")
        .iter()
        .map(|change| {
            format!("{} {} {} {} -> {}", change.who, change.endpoint, change.field, change.before, change.after)
        })
        .collect();
    assert_eq!(
        changes,
        [
            r#"ada e2 merged "GET api.shop.example/users/me" -> "e1""#,
            r#"ada e1 owner "" -> "team-a""#,
            r#"ada e1 state "review" -> "saved""#,
            r#"learner e2 added null -> "GET api.shop.example/users/me""#,
            r#"learner e1 added null -> "GET api.shop.example/users/{id}""#,
        ]
    );
    assert_eq!(inventory.endpoints(&EndpointFilter::default()).expect("a list").len(), 1);
    let all = EndpointFilter { removed: true, ..EndpointFilter::default() };
    assert_eq!(inventory.endpoints(&all).expect("a list").len(), 2);
    inventory.restore("ada", at, EndpointId(2)).expect("restored");
    assert_eq!(inventory.endpoints(&EndpointFilter::default()).expect("a list").len(), 2);
    assert_eq!(inventory.changes(Some(EndpointId(2)), 1).expect("changes")[0].field, "restored");
    let error = inventory.remove("ada", at, EndpointId(7)).expect_err("not there");
    assert_eq!(error.to_string(), "there is no endpoint `e7`");
}

#[test]
fn the_learner_never_overrules_the_operator() {
    let (_directory, mut inventory) = inventory();
    let mut found = endpoint(1, "/users/{id}");
    found.endpoint.state = EndpointState::Provisional;
    inventory.put_learned(START, &[found.clone()]).expect("written");
    found.endpoint.state = EndpointState::Review;
    assert_eq!(inventory.put_learned(START, &[found.clone()]).expect("written"), [Upserted::Changed]);
    inventory
        .change("ada", START, EndpointId(1), |stored| {
            stored.endpoint.state = EndpointState::Ignored;
            stored.owner = "team-a".to_owned();
            stored.endpoint.labels.push("mine".to_owned());
        })
        .expect("changed");
    found.endpoint.requests = 7;
    found.endpoint.last_seen = Timestamp(START.0 + 1_000);
    found.evidence = json!([1]);
    inventory.put_learned(START, &[found]).expect("written");
    let stored = inventory.endpoint(EndpointId(1)).expect("read").expect("there");
    assert_eq!(stored.endpoint.state, EndpointState::Ignored);
    assert_eq!(stored.owner, "team-a");
    assert_eq!(stored.endpoint.labels, ["log-in", "mine"]);
    assert_eq!((stored.endpoint.requests, stored.endpoint.last_seen.0), (10, START.0 + 1_000));
    assert_eq!(stored.evidence, json!([1]));
}

#[test]
fn endpoints_are_found_by_what_they_are() {
    let (_directory, mut inventory) = inventory();
    let mut other = endpoint(2, "/orders");
    other.endpoint.api = "accounts".to_owned();
    other.endpoint.labels = vec!["risk:missing-auth".to_owned()];
    other.endpoint.state = EndpointState::Saved;
    inventory.put("a", START, &[endpoint(1, "/Users/{id}"), other]).expect("written");
    let found = |filter: EndpointFilter| -> Vec<u64> {
        inventory.endpoints(&filter).expect("a list").iter().map(|stored| stored.endpoint.id.0).collect()
    };
    let any = EndpointFilter::default;
    assert_eq!(found(any()), [1, 2]);
    assert_eq!(found(EndpointFilter { api: Some("accounts".to_owned()), ..any() }), [2]);
    assert_eq!(found(EndpointFilter { state: Some(EndpointState::Review), ..any() }), [1]);
    assert_eq!(found(EndpointFilter { label: Some("risk:missing-auth".to_owned()), ..any() }), [2]);
    assert_eq!(found(EndpointFilter { text: Some("users".to_owned()), ..any() }), [1]);
}

#[test]
fn constraints_settings_policies_and_the_audit_log_only_grow() {
    let (_directory, mut inventory) = inventory();
    let id = inventory.add_constraint("ada", START, "pin", &json!({"template": "/a/{b}"})).expect("added");
    inventory.withdraw_constraint(START, id).expect("withdrawn");
    assert!(inventory.withdraw_constraint(START, id).is_err());
    assert_eq!(inventory.constraints().expect("a list").len(), 1);

    assert_eq!(inventory.setting("theme").expect("read"), None);
    assert_eq!(inventory.put_setting("theme", &json!("dark")).expect("set"), None);
    assert_eq!(inventory.put_setting("theme", &json!("light")).expect("set"), Some(json!("dark")));

    for number in 1..=3 {
        let version = inventory.put_policy("ada", START, "", &format!("text {number}")).expect("kept");
        assert_eq!(version, number);
    }
    assert_eq!(inventory.policy(None).expect("read").map(|policy| policy.text), Some("text 3".to_owned()));
    assert_eq!(inventory.policy(Some(1)).expect("read").map(|policy| policy.text), Some("text 1".to_owned()));
    assert_eq!(inventory.policies(2).expect("a list").len(), 2);

    for number in 0..5 {
        let entry = AuditEntry {
            sequence: 0,
            at: START,
            who: if number % 2 == 0 { "ada" } else { "bob" }.to_owned(),
            action: "policy.apply".to_owned(),
            subject: number.to_string(),
            before: json!(null),
            after: json!(number),
        };
        inventory.audit(&entry).expect("written");
    }
    let ada = AuditFilter { who: Some("ada".to_owned()), ..AuditFilter::default() };
    let entries = inventory.audit_entries(&ada, 2).expect("a list");
    assert_eq!(entries.iter().map(|entry| entry.subject.as_str()).collect::<Vec<_>>(), ["4", "2"]);
    let next = AuditFilter { before: Some(entries[1].sequence), ..ada };
    assert_eq!(inventory.audit_entries(&next, 10).expect("a list").len(), 1);
}

#[test]
fn contracts_are_frozen_until_taken_again() {
    let (_directory, mut inventory) = inventory();
    let mut learned = endpoint(1, "/users/{id}");
    inventory.put_learned(START, &[learned.clone()]).expect("written");
    let id = EndpointId(1);
    assert_eq!(inventory.accept_contract("ada", START, id, None).expect("asked"), None, "nothing was learned");
    learned.schema = json!({"responses": {"200": {}}});
    inventory.put_learned(START, &[learned.clone()]).expect("written");
    let taken = inventory.accept_contract("ada", START, id, None).expect("asked").expect("a contract");
    assert_eq!((taken.mode, &taken.operation), (ContractMode::Monitor, &learned.schema));
    assert!(inventory.contracts().expect("read").is_empty(), "it is not saved");
    inventory.change("ada", START, id, |stored| stored.endpoint.state = EndpointState::Saved).expect("saved");
    let before = inventory.latest_change().expect("read");
    assert!(inventory.put_contract_mode("ada", START, id, ContractMode::Block).expect("changed"));
    assert!(inventory.latest_change().expect("read") > before);
    learned.schema = json!({"responses": {"200": {}, "201": {}}});
    inventory.put_learned(START, &[learned.clone()]).expect("written");
    let [(stored, held)] = &inventory.contracts().expect("read")[..] else { panic!("one contract") };
    assert_eq!((held.mode, &held.operation), (ContractMode::Block, &taken.operation), "learning changes nothing");
    assert_eq!(stored.schema, learned.schema);
    let again = inventory.accept_contract("ada", START, id, None).expect("asked").expect("a contract");
    assert_eq!((again.mode, again.operation), (ContractMode::Block, learned.schema));
    inventory.withdraw_contract("ada", START, id).expect("withdrawn");
    assert!(inventory.contracts().expect("read").is_empty());
    let fields: Vec<String> =
        inventory.changes(Some(id), 9).expect("read").into_iter().map(|change| change.field).collect();
    assert_eq!(fields.iter().filter(|field| *field == "contract").count(), 4);
}

#[test]
fn the_learner_takes_out_what_it_was_wrong_about_and_takes_it_back() {
    let (_directory, mut inventory) = inventory();
    let all = [endpoint(1, "/users/17"), endpoint(2, "/users/{id}"), endpoint(3, "/users/18")];
    inventory.put_learned(START, &all).expect("written");
    inventory
        .change("ada", START, EndpointId(3), |stored| stored.endpoint.state = EndpointState::Saved)
        .expect("saved");
    let gone = [(EndpointId(1), Some(EndpointId(2))), (EndpointId(3), Some(EndpointId(2)))];
    assert_eq!(inventory.follow_learned(START, &gone).expect("written"), 1, "what was saved stays");
    let one = |inventory: &Inventory| inventory.endpoint(EndpointId(1)).expect("read").expect("its row");
    assert_eq!(one(&inventory).replaced_by, Some(EndpointId(2)));
    inventory.put_learned(START, &all).expect("written");
    assert_eq!(one(&inventory).removed_at, None, "it came back");
    inventory.remove("ada", START, EndpointId(1)).expect("removed");
    inventory.put_learned(START, &all).expect("written");
    assert!(one(&inventory).removed_at.is_some(), "what a person removed stays removed");
}

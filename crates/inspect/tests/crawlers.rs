//! Our list of crawlers against the collection `crawler-user-agents`, where `PORTREEVE_CORPORA` names its folder.

use std::collections::BTreeSet;

use inspect::stages::clients::crawlers::{CRAWLERS, claimed_crawler};

#[test]
fn crawlers_of_the_collection_are_recognised() {
    let Some(folder) = std::env::var_os("PORTREEVE_CORPORA") else {
        println!("skipped: set PORTREEVE_CORPORA to the folder of the collections");
        return;
    };
    let path = std::path::Path::new(&folder).join("crawler-user-agents/crawler-user-agents.json");
    let entries: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let (mut recognised, mut found) = (0, BTreeSet::new());
    for entry in entries.as_array().unwrap() {
        let agents = entry["instances"].as_array().unwrap();
        for agent in agents.iter().filter_map(serde_json::Value::as_str) {
            if let Some(crawler) = claimed_crawler(agent.as_bytes()) {
                recognised += 1;
                found.insert(crawler.agent);
                let named = agent.to_ascii_lowercase().contains(&crawler.agent.to_ascii_lowercase());
                assert!(named, "`{agent}` is not {}", crawler.agent);
            }
        }
    }
    println!("{recognised} user agents, {} of {} crawlers", found.len(), CRAWLERS.len());
    let missing: Vec<_> = CRAWLERS.iter().map(|crawler| crawler.agent).filter(|agent| !found.contains(agent)).collect();
    // A typing error of ours would be a name that nobody uses.
    assert_eq!(missing, Vec::<&str>::new());
    assert!(recognised >= CRAWLERS.len(), "{recognised}");
}

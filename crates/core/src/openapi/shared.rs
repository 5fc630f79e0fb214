//! Moves responses that several operations share into the components of a document.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// Returns the components for responses that several operations share, by name, and replaces these responses with
/// references. `known` are the components that the document already has. An equal component is reused.
pub fn shared(operations: &mut [BTreeMap<String, Value>], known: &BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut counts: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (status, response) in operations.iter().flatten() {
        *counts.entry((status.clone(), response.to_string())).or_default() += 1;
    }
    let mut names: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut components = known.clone();
    for (status, response) in operations.iter_mut().flatten() {
        let key = (status.clone(), response.to_string());
        if counts.get(&key).is_some_and(|count| *count > 1) {
            let name = names.entry(key).or_insert_with(|| add_component(&mut components, status, response));
            *response = json!({ "$ref": format!("#/components/responses/{name}") });
        }
    }
    components
}

/// Adds a response to the components, unless they contain an equal response. Returns the response's name, such as
/// `Error413`. If another response already has this name, the name is `Error413_2`.
fn add_component(components: &mut BTreeMap<String, Value>, status: &str, response: &Value) -> String {
    let names = (1..).map(|count| if count == 1 { format!("Error{status}") } else { format!("Error{status}_{count}") });
    let is_free = |name: &String| components.get(name).is_none_or(|known| known == response);
    let name = names.into_iter().find(is_free).unwrap_or_default();
    components.entry(name.clone()).or_insert_with(|| response.clone());
    name
}

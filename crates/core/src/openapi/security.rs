//! The requirements of the policy for an operation. Required credentials (rule G2) become the `security` of the
//! operation, and required headers (rule G1) become its parameters.

use std::collections::BTreeMap;

use http::HeaderName;
use serde_json::{Map, Value, json};

use super::operation::Operation;
use super::route::RouteErrors;

/// The credentials that an operation accepts.
#[derive(Clone, Debug)]
pub struct Security {
    /// The `security` of the operation, in which any one entry is enough. If the list is empty, the operation needs no
    /// credentials. If the list contains an empty object, credentials are optional.
    pub requirements: Value,
    /// The schemes by name, as in `components.securitySchemes`.
    pub schemes: BTreeMap<String, Value>,
}

impl RouteErrors {
    /// Returns the credentials that the policy requires for the operation, or `None` if none of its routes requires
    /// any.
    #[must_use]
    pub fn security(&self) -> Option<Security> {
        let policy = self.config.policy();
        if !policy.has_schemes() {
            return None;
        }
        let (schemes, is_optional) = policy.credentials_at(&self.head);
        let alone = |name: &str| Value::Object(Map::from_iter([(name.to_owned(), json!([]))]));
        let mut requirements: Vec<_> = schemes.iter().map(|scheme| alone(&scheme.name)).collect();
        requirements.extend((is_optional && !schemes.is_empty()).then(|| json!({})));
        let described = schemes.iter().map(|scheme| (scheme.name.to_string(), scheme.as_openapi()));
        Some(Security { requirements: requirements.into(), schemes: described.collect() })
    }

    /// Returns the parameters for the headers that the policy requires, except headers that the operation declares
    /// itself.
    #[must_use]
    pub fn header_parameters(&self, operation: &Operation<'_>) -> Vec<Value> {
        let guards = self.config.policy().guards_of(&self.head);
        let required = if guards.mode.is_enforced() { guards.required } else { Vec::new() };
        let declared = operation.parameters();
        let declared = declared.iter().filter(|it| it["in"] == "header").filter_map(|it| it["name"].as_str());
        let declared: Vec<_> = declared.map(str::to_ascii_lowercase).collect();
        let missing = required.iter().map(HeaderName::as_str).filter(|name| !declared.iter().any(|it| it == name));
        let schema = json!({ "type": "string" });
        missing.map(|name| json!({ "name": name, "in": "header", "required": true, "schema": schema })).collect()
    }
}

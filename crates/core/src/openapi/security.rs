//! Which credentials the policy requires for an operation (rule G2): its `security`, and the schemes in it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::route::RouteErrors;

/// The credentials that an operation accepts.
#[derive(Clone, Debug)]
pub struct Security {
    /// The `security` of the operation, in which any one entry is enough. An empty list means that it needs no
    /// credentials, and an empty object in the list that they are optional.
    pub requirements: Value,
    /// The schemes by name, as in `components.securitySchemes`.
    pub schemes: BTreeMap<String, Value>,
}

impl RouteErrors {
    /// Which credentials the policy requires for the operation; `None` if none of its routes requires any.
    #[must_use]
    pub fn security(&self) -> Option<Security> {
        let policy = self.config.policy();
        if !policy.has_schemes() {
            return None;
        }
        let (schemes, is_optional) = policy.credentials_at(&self.head);
        let alone = |name: &str| Value::Object(Map::from_iter([(name.to_owned(), json!([]))]));
        let mut requirements: Vec<_> = schemes.iter().map(|scheme| alone(scheme.name())).collect();
        requirements.extend((is_optional && !schemes.is_empty()).then(|| json!({})));
        let described = schemes.iter().map(|scheme| (scheme.name().to_owned(), scheme.as_openapi()));
        Some(Security { requirements: requirements.into(), schemes: described.collect() })
    }
}

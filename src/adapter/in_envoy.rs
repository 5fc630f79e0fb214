//! What Envoy is given of a policy: read by the module, and by the command that looks at a configuration.

use std::fmt::Write;

use serde_json::Value;

use crate::loader::PolicyLoader;

/// Where a filter's configuration has its policy.
#[derive(Debug, PartialEq, Eq)]
pub enum GivenPolicy {
    /// Nowhere: the default policy holds.
    Nowhere,
    /// It is this text.
    Here(String),
    /// It is in this file.
    File(String),
}

impl GivenPolicy {
    /// Reads a `filter_config` as Envoy gives it to a module.
    ///
    /// # Errors
    ///
    /// What is wrong with it, for who writes the configuration.
    pub fn of(text: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(text).map_err(|error| format!("filter_config is no UTF-8: {error}"))?;
        match text.trim_start().as_bytes().first() {
            None => Ok(Self::Nowhere),
            Some(b'{') => {
                let value = serde_json::from_str(text).map_err(|error| format!("filter_config: {error}"))?;
                Self::of_struct(&value)
            }
            Some(_) => Self::of_string(text),
        }
    }

    /// As [`GivenPolicy::of`], of a `google.protobuf.Struct`.
    ///
    /// # Errors
    ///
    /// As of the text.
    pub fn of_struct(value: &Value) -> Result<Self, String> {
        let entries: Vec<_> = value.as_object().into_iter().flatten().collect();
        match &entries[..] {
            [] => Ok(Self::Nowhere),
            [(key, Value::String(policy))] if *key == "policy" => Ok(Self::Here(policy.clone())),
            [(key, Value::String(file))] if *key == "policy_file" => Ok(Self::File(file.clone())),
            _ => {
                let mut keys = String::new();
                for (key, _) in &entries {
                    let _ = write!(keys, "{}{key:?}", if keys.is_empty() { "" } else { ", " });
                }
                Err(format!("filter_config has the keys {keys}; it takes one text, \"policy\" or \"policy_file\""))
            }
        }
    }

    fn of_string(text: &str) -> Result<Self, String> {
        // What is no TOML is a policy that is none, and told with its line.
        let table = text.parse::<toml::Table>().unwrap_or_default();
        match (table.get("policy_file"), table.len()) {
            (Some(toml::Value::String(file)), 1) => Ok(Self::File(file.clone())),
            (Some(_), 1) => {
                Err("filter_config: policy_file is not a text; say policy_file = \"/etc/envoy/policy.toml\"".into())
            }
            (Some(_), _) => Err("filter_config: a policy beside policy_file; say one of them".into()),
            (None, _) => Ok(Self::Here(text.to_owned())),
        }
    }

    /// What a policy's own text is called in errors.
    pub const INLINE: &str = "filter_config";

    /// Reads policies as they can hold inside Envoy: without a verifier in Rust.
    pub fn loader() -> PolicyLoader {
        PolicyLoader::new().no_verifiers(
            "inside Envoy no verifier in Rust can be given: let one of Envoy's own filters decide before this one, such as \
             ext_authz, jwt_authn or oauth2, and take the scheme out of `auth`",
        )
    }
}

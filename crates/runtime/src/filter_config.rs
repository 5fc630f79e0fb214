//! The configuration of the module for Envoy (`filter_config`). The module parses it. The command `envoy-config`, which
//! writes it, uses parts of this parser.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::Value;

use error_envelope_core::loader::PolicyLoader;

/// The source of the policy in a filter's configuration.
#[derive(Debug, Default, PartialEq, Eq)]
pub enum FilterPolicy {
    /// No policy is configured, so the default policy applies.
    #[default]
    Nowhere,
    /// The policy is this text.
    Here(String),
    /// The policy is in this file.
    File(String),
}

/// The parsed configuration of a filter.
#[derive(Debug, PartialEq, Eq)]
pub struct FilterConfig {
    /// The policy, or its file.
    pub policy: FilterPolicy,
    /// The admin address, if the configuration sets one.
    pub admin: Option<SocketAddr>,
    /// The file with the token that requests to the admin address must send.
    pub admin_token_file: Option<String>,
    /// True if each error is written to Envoy's dynamic metadata, for access logs.
    pub metadata: bool,
}

impl Default for FilterConfig {
    fn default() -> Self {
        Self { policy: FilterPolicy::Nowhere, admin: None, admin_token_file: None, metadata: true }
    }
}

impl FilterConfig {
    /// Parses a `filter_config` in the forms in which Envoy passes it to a module.
    ///
    /// # Errors
    ///
    /// Returns a text for the author of the configuration.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(text).map_err(|error| format!("filter_config is not UTF-8: {error}"))?;
        match text.trim_start().as_bytes().first() {
            None => Ok(Self::default()),
            Some(b'{') => {
                let value = serde_json::from_str(text).map_err(|error| format!("filter_config: {error}"))?;
                Self::of_struct(&value)
            }
            Some(_) => Self::from_text(text),
        }
    }

    /// Parses a `google.protobuf.Struct`.
    fn of_struct(value: &Value) -> Result<Self, String> {
        let mut config = Self::default();
        for (key, entry) in value.as_object().into_iter().flatten() {
            match (key.as_str(), entry) {
                ("admin", Value::String(text)) => {
                    let address = Self::address(text).map_err(|why| format!("filter_config: admin: {why}"))?;
                    config.admin = Some(address);
                }
                ("admin_token_file", Value::String(file)) => config.admin_token_file = Some(file.clone()),
                ("metadata", Value::Bool(on)) => config.metadata = *on,
                ("policy", Value::String(text)) if config.policy == FilterPolicy::Nowhere => {
                    config.policy = FilterPolicy::Here(text.clone());
                }
                ("policy_file", Value::String(file)) if config.policy == FilterPolicy::Nowhere => {
                    config.policy = FilterPolicy::File(file.clone());
                }
                (key, _) => return Err(mistyped(key).unwrap_or_else(|| other_keys(value))),
            }
        }
        Ok(config)
    }

    fn from_text(text: &str) -> Result<Self, String> {
        // Text that is not valid TOML is treated as a policy, so that the error is reported with its line.
        let table = text.parse::<toml::Table>().unwrap_or_default();
        let (own, rest): (toml::Table, toml::Table) =
            table.into_iter().partition(|(key, _)| OWN.contains(&key.as_str()));
        let config = Self::of_struct(&serde_json::to_value(&own).unwrap_or_default())?;
        let policy = match (rest.get("policy_file"), rest.len(), own.keys().next()) {
            (Some(toml::Value::String(file)), 1, _) => FilterPolicy::File(file.clone()),
            (Some(_), 1, _) => {
                let why = "filter_config: policy_file is not a string; write policy_file = \"/etc/envoy/policy.toml\"";
                return Err(why.to_owned());
            }
            (Some(_), ..) => {
                return Err("filter_config: policy and policy_file are mutually exclusive; keep one of them".to_owned());
            }
            (None, 0, Some(_)) => FilterPolicy::Nowhere,
            (None, _, Some(key)) => {
                let value = if key == "metadata" { "false" } else { "\"…\"" };
                return Err(format!(
                    "filter_config: {key} cannot be used if filter_config is the policy's own text; write both in a \
                     google.protobuf.Struct, {{\"policy\": \"…\", \"{key}\": {value}}}, or put the policy into a file: \
                     policy_file = \"…\""
                ));
            }
            (None, _, None) => FilterPolicy::Here(text.to_owned()),
        };
        Ok(Self { policy, ..config })
    }

    /// Parses an admin address: an IP address and a port, or only a port on loopback. Host names are not accepted,
    /// because Envoy would have to wait for their lookup.
    ///
    /// # Errors
    ///
    /// Returns a text that describes the error in the address.
    pub fn address(text: &str) -> Result<SocketAddr, String> {
        let port = text.parse::<u16>().map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        port.or_else(|_| text.parse()).map_err(|_| {
            format!("{text:?} is not an IP address with a port; write \"127.0.0.1:9902\", or \"9902\" for the same")
        })
    }
}

/// The keys that are not about the policy.
const OWN: [&str; 3] = ["admin", "admin_token_file", "metadata"];

/// Returns the error for a value of the wrong type, if the key is one of [`OWN`].
fn mistyped(key: &str) -> Option<String> {
    let wrong = match key {
        "admin" => "admin is not a string; write admin = \"127.0.0.1:9902\"",
        "admin_token_file" => "admin_token_file is not a string; write admin_token_file = \"/etc/envoy/admin-token\"",
        "metadata" => "metadata is not true or false; write metadata = false if nothing reads an error's metadata",
        _ => return None,
    };
    Some(format!("filter_config: {wrong}"))
}

fn other_keys(value: &Value) -> String {
    let keys: Vec<_> = value.as_object().into_iter().flatten().map(|(key, _)| format!("{key:?}")).collect();
    format!(
        "filter_config has the keys {}; write either \"policy\" or \"policy_file\", and optionally \"admin\", \
         \"admin_token_file\" and \"metadata\" (true or false)",
        keys.join(", ")
    )
}

impl FilterPolicy {
    /// The name that error messages use for a policy in the configuration itself.
    pub const INLINE: &str = "filter_config";

    /// Returns a loader for policies inside Envoy. It refuses schemes that need a verifier, because Envoy cannot run a
    /// verifier in Rust.
    pub fn loader() -> PolicyLoader {
        let loader = PolicyLoader::new().no_verifiers(
            "Envoy cannot run a verifier in Rust: use one of Envoy's own filters before this one, such as \
             ext_authz, jwt_authn or oauth2, and remove the scheme from `auth`",
        );
        let loader = loader.no_certificates(
            "inside Envoy, let the listener's TLS context require certificates, and check their names with Envoy's own \
             filter rbac",
        );
        #[cfg(feature = "jwt")]
        let loader = loader.key_sets(|_| {
            let instead =
                "inside Envoy, use jwks_file, or put Envoy's own filter jwt_authn before this one, which fetches key \
                 sets";
            Err(instead.to_owned())
        });
        loader
    }
}

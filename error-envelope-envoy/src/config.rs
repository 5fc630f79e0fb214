//! The filter's configuration: a policy, or the file that has one (M2, V4).
//!
//! As a `google.protobuf.StringValue` it is TOML: the policy itself, or the one line `policy_file = "…"`. As a
//! `google.protobuf.Struct` it is `{"policy": "…"}` or `{"policy_file": "…"}`. An empty one is the default policy.

use std::sync::Arc;

use serde_json::Value;
use tower_error_envelope::adapter::InForce;
use tower_error_envelope::exchange::Terms;
use tower_error_envelope::{Policy, PolicyError, PolicyFile, PolicyLoader};

use crate::abi::{self, Defining, Level};
use crate::count::Counters;
use crate::{log, timer};

/// What holds for all streams of one configuration.
pub(crate) struct Module {
    in_force: InForce,
    counters: Counters,
}

/// What a policy's own text is called in errors.
const INLINE: &str = "filter_config";

const NO_VERIFIERS: &str = "inside Envoy no verifier in Rust can be given: let one of Envoy's own filters decide before this \
                            one, such as ext_authz, jwt_authn or oauth2, and take the scheme out of `auth`";

impl Module {
    /// What is wrong with the text is in the log.
    pub(crate) fn new(text: &[u8], defining: &Defining) -> Option<Self> {
        log::install();
        match Source::of(text).and_then(Source::read) {
            Ok(in_force) => {
                in_force.announce();
                Some(Self { in_force, counters: Counters::define(defining) })
            }
            Err(why) => {
                abi::log(Level::Error, format!("error_envelope: the configuration is refused: {why}").as_bytes());
                None
            }
        }
    }

    /// What holds for a stream that begins now (M3).
    pub(crate) fn terms(&self) -> Arc<Terms> {
        self.in_force.terms()
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }
}

/// Where the policy is.
#[derive(Debug, PartialEq)]
enum Source {
    Nowhere,
    Here(String),
    File(String),
}

impl Source {
    fn of(text: &[u8]) -> Result<Self, String> {
        let text = str::from_utf8(text).map_err(|error| format!("filter_config is no UTF-8: {error}"))?;
        match text.trim_start().as_bytes().first() {
            None => Ok(Self::Nowhere),
            Some(b'{') => Self::of_struct(text),
            Some(_) => Self::of_string(text),
        }
    }

    fn of_struct(text: &str) -> Result<Self, String> {
        let value: Value = serde_json::from_str(text).map_err(|error| format!("filter_config: {error}"))?;
        let entries: Vec<_> = value.as_object().into_iter().flatten().collect();
        match &entries[..] {
            [] => Ok(Self::Nowhere),
            [(key, Value::String(policy))] if *key == "policy" => Ok(Self::Here(policy.clone())),
            [(key, Value::String(file))] if *key == "policy_file" => Ok(Self::File(file.clone())),
            _ => {
                let keys: Vec<_> = entries.iter().map(|(key, _)| format!("{key:?}")).collect();
                Err(format!(
                    "filter_config has the keys {}; it takes one text, \"policy\" or \"policy_file\"",
                    keys.join(", ")
                ))
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

    fn read(self) -> Result<InForce, String> {
        timer::start().map_err(|error| format!("its timer cannot be started: {error}"))?;
        let read = |read: Result<InForce, PolicyError>| read.map_err(|error| error.to_string());
        match self {
            Self::Nowhere => Ok(InForce::fixed(Policy::default())),
            Self::Here(text) => read(loader().parse(INLINE, &text).map(PolicyFile::into_policy).map(InForce::fixed)),
            Self::File(path) => read(InForce::watching(path, loader())),
        }
    }
}

fn loader() -> PolicyLoader {
    PolicyLoader::new().no_verifiers(NO_VERIFIERS)
}

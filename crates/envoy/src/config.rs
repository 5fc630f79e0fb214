//! The filter's configuration: a policy, or the path of a policy file (M2, V4).
//!
//! A configuration of the type `google.protobuf.StringValue` is TOML: the policy itself, or the line `policy_file =
//! "…"`. A `google.protobuf.Struct` is `{"policy": "…"}` or `{"policy_file": "…"}`. An empty configuration means the
//! default policy. Two more keys may be next to `policy_file`, and in a Struct also next to `policy`. `admin` sets the
//! admin address for operators, and `metadata` sets whether errors are written to dynamic metadata.

use std::sync::Arc;

use error_envelope_core::loader::PolicyFile;
use error_envelope_core::policy::{Policy, PolicyError};
use error_envelope_runtime::{FilterConfig, FilterPolicy, PolicyHandle};

use crate::abi::{self, Defining, Level};
use crate::count::Counters;
use crate::on_call::AdminRegistration;
use crate::{log, timer};

/// The state that all streams of one configuration share.
pub(crate) struct FilterModule {
    pub(crate) in_force: PolicyHandle,
    _on_call: Option<AdminRegistration>,
    pub(crate) counters: Arc<Counters>,
    /// True if each error is written to dynamic metadata.
    pub(crate) metadata: bool,
}

impl FilterModule {
    /// Parses the configuration's text. Errors in the text are logged.
    pub(crate) fn new(text: &[u8], defining: &Defining) -> Option<Self> {
        log::install();
        let given = FilterConfig::parse(text);
        let metadata = given.as_ref().is_ok_and(|given| given.metadata);
        match given.and_then(read) {
            Ok((in_force, on_call)) => {
                in_force.announce();
                Some(Self { in_force, _on_call: on_call, counters: Counters::define(defining), metadata })
            }
            Err(why) => {
                abi::log(Level::Error, format!("error_envelope: rejected the configuration: {why}").as_bytes());
                None
            }
        }
    }
}

fn read(given: FilterConfig) -> Result<(PolicyHandle, Option<AdminRegistration>), String> {
    timer::start().map_err(|error| format!("the module's timer cannot be started: {error}"))?;
    let in_force = read_policy(given.policy).map_err(|error| error.to_string())?;
    match given.admin {
        Some(address) => AdminRegistration::wire(address, given.admin_token_file.as_deref(), in_force)
            .map(|(named, in_force)| (in_force, Some(named))),
        None => Ok((in_force, None)),
    }
}

fn read_policy(given: FilterPolicy) -> Result<PolicyHandle, PolicyError> {
    let loader = FilterPolicy::loader();
    match given {
        FilterPolicy::Nowhere => Ok(PolicyHandle::fixed(Policy::default())),
        FilterPolicy::Here(text) => {
            loader.parse(FilterPolicy::INLINE, &text).map(PolicyFile::into_policy).map(PolicyHandle::fixed)
        }
        FilterPolicy::File(path) => PolicyHandle::watching(path, loader),
    }
}

//! `error-envelope schema`: a JSON Schema of the policy file, so that editors complete and underline it.
//!
//! The keys of a route in it are generated from `crates/core/src/policy/keys.rs`. The tests compare the whole of it with the
//! reader: the same tables, keys, words and defaults.

use crate::failure::{CommandError, print};

/// Generate a JSON Schema of the policy file, for editors
///
/// Editors with taplo use it if the first line of the policy is `#:schema ./policy.schema.json`.
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Writes to standard output.
pub(crate) fn run(Args {}: &Args) -> Result<(), CommandError> {
    print(include_str!("policy.schema.json"))
}

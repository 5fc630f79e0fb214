//! What the feature `foreign` adds: other frameworks' bodies are read by their structure (R2, R13), shapes of the policy are
//! read and written (R15), and so are the dialects of others (R12).

pub(super) mod anthropic;
pub mod custom;
pub(super) mod error_with_meta;
mod field_lists;
mod foreign_text;
mod framework_errors;
pub(super) mod google;
pub(super) mod openai;
mod shapes;
pub(super) mod status_in_error;
pub(super) mod success_flag;

pub(super) use shapes::{read, read_custom_array, read_list};

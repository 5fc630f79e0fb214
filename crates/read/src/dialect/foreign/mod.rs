//! The code that the feature `foreign` adds. This code reads other frameworks' bodies by their structure (R2, R13). The
//! code also reads and writes shapes of the policy (R15), and the dialects of other APIs (R12).
//!
//! 1. `custom` tries the shapes of the policy.
//! 2. `shapes` tries the built-in shapes. Each shape is a file of this folder or of the folder above.
//! 3. For all other JSON objects, `foreign_text` finds the text and the code by the names of the fields.
//! 4. `framework_errors` finds the issues in all of these bodies, including the bodies of FastAPI, Django, Rails and
//!    Spring.

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

pub(super) use shapes::{read, read_custom_array, read_inner, read_list};

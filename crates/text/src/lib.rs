//! Defines how [`tower-error-envelope`](https://docs.rs/tower-error-envelope) reads JSON bodies, messages, the places
//! of errors, and sentences about them. The functions of this crate take a text, and return the part of the text that a
//! client may get. Error codes and faults are defined in other crates.
//!
//! 1. [`json`] reads the fields of an object only as far as necessary. [`tree`] parses a body once, as a whole.
//! 2. [`message`] makes a text one printable line, and recognises texts that are not messages (E2, R3).
//! 3. [`field_names`] and [`field_ranks`] define which field of a foreign error has which meaning (R2, R13).
//! 4. [`place`] parses the path of a field in any notation. [`sentences`] reads sentences that name a field or quote a
//!    value that a client sent. [`framework_text`] uses both modules for the text of a whole error (R13).
//! 5. [`issues`] converts the lists that were found, and [`issue_list`] writes them in the canonical form (E8).
//! 6. [`named!`] declares enumerations whose values have words.
//!
//! All modules are only for the other crates of the workspace, and may change in any version.

#![doc(hidden)]
#![allow(rustdoc::private_intra_doc_links, reason = "contributors also follow the links of a room's page")]

pub mod field_names;
pub mod field_ranks;
pub mod framework_text;
pub mod issue_list;
pub mod issues;
pub mod json;
pub mod message;
mod named;
pub mod place;
pub mod sentences;
pub mod tree;

//! Reads foreign errors for [`tower-error-envelope`](https://docs.rs/tower-error-envelope), and writes errors in other
//! forms. The input is the head and the body of a response. The output is the code, the text and the details of the
//! error. Policies, routes and the handling of a request are in `error-envelope-core`.
//!
//! 1. [`dialect`] reads a body in any shape, and writes a body in the shape that a client expects (R2, R12, R13, R15).
//! 2. [`redact`] replaces secrets in texts (R17).
//! 3. [`fields`] and [`syntax`] read header fields as RFC 9110 defines them. [`grpc_messages`] finds the messages in a
//!    body of gRPC. [`target`] stores the path and the query that a client sent, because errors must not repeat values
//!    from them (E9).
//!
//! The parsers for the errors of other frameworks need the feature `foreign`. Hidden modules are only for the other
//! crates of the workspace, and may change in any version.

#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(feature = "foreign"),
    allow(dead_code, unused_imports, unused_mut, reason = "only the readers of foreign shapes use them")
)]
#![allow(rustdoc::private_intra_doc_links, reason = "contributors also follow the links of a room's page")]

#[doc(hidden)]
pub mod dialect;
#[doc(hidden)]
pub mod fields;
#[doc(hidden)]
pub mod grpc_messages;
#[cfg(feature = "redact")]
pub mod redact;
#[doc(hidden)]
pub mod syntax;
#[doc(hidden)]
pub mod target;

use error_envelope_fault::{code, details, fault, request_id, rpc};
use error_envelope_text::{field_names, framework_text, issue_list, issues, json, message, place, sentences, tree};

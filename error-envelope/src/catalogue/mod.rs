//! `error-envelope catalogue`: the codes and the envelope, for documents, machines and clients.
//!
//! All formats are written from one list of codes, the library's table and a policy's own, and say the same:
//!
//! 1. [`markdown`] for a page of documentation, [`json`] for programs of one's own;
//! 2. [`json_schema`] and [`openapi`] describe the envelope, by the shapes in [`schema`] and the forms in [`form`];
//! 3. [`typescript`] and [`zod`] are modules that a client imports, by the table in [`script`].
//!
//! The set of codes is open (E2): no format refuses a code that it does not list, and each tells clients to treat such
//! a code as transient. What is written depends on the codes alone, so that a checked-in export shows what changed.

mod codes;
mod form;
mod json;
mod json_schema;
mod markdown;
mod openapi;
mod schema;
mod script;
mod tree;
mod typescript;
mod zod;

use std::path::PathBuf;

use clap::ValueEnum;

use self::codes::Codes;
use crate::failure::{Failure, print};
use crate::policy;

/// The version of the contract that the exports state. It changes when something that a client relies on does; a new
/// code is no such thing, since the set is open.
const CONTRACT_VERSION: &str = "1";

/// Write the error codes and the envelope for documents and clients
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to write
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Markdown)]
    format: Format,
    /// A policy file whose own codes are written, too
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Tables for a page of documentation
    Markdown,
    /// The codes for a program of one's own
    Json,
    /// JSON Schema 2020-12 of the envelope
    JsonSchema,
    /// OpenAPI 3.1 components: a response per status
    Openapi,
    /// A TypeScript module without dependencies
    Typescript,
    /// A TypeScript module for Zod 4
    Zod,
}

/// Writes to standard output.
pub(crate) fn run(args: &Args) -> Result<(), Failure> {
    let read = args.policy.as_deref().map(policy::read).transpose()?;
    let codes = Codes::of(read.as_ref().map(|read| read.file.policy()));
    print(&args.format.write(&codes))
}

impl Format {
    fn write(self, codes: &Codes) -> String {
        match self {
            Self::Markdown => markdown::write(codes),
            Self::Json => json::write(codes),
            Self::JsonSchema => json_schema::write(codes),
            Self::Openapi => openapi::write(codes),
            Self::Typescript => typescript::write(codes),
            Self::Zod => zod::write(codes),
        }
    }
}

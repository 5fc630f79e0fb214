//! `error-envelope catalogue`: the codes and the envelope, for documents, machines and clients.
//!
//! All formats are written from one list of codes, the library's table and a policy's own, and contain the same:
//!
//! 1. [`json`] is for your own programs;
//! 2. its schema and [`document`] describe the envelope, by the shapes and forms of the core's room `openapi`;
//! 3. [`render()`] fills the templates of a page of documentation, and of modules for clients;
//! 4. [`details`] writes a code's details, a JSON Schema of the library's, as TypeScript and Zod.
//!
//! [`diff`] lists the changes since an export in JSON was written.
//!
//! The set of codes is open (E2): no format refuses a code that it does not list, and each expects clients to treat such
//! a code as transient. The output depends on the codes alone, so that a checked-in export shows what changed.

mod details;
mod diff;
mod json;
mod render;

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser};
use error_envelope_core::openapi::{Codes, document};
use tower_error_envelope::codes;

use self::render::render;
use crate::failure::{CommandError, print, print_unless_closed};
use crate::policy;

/// Export the error codes and the envelope as documentation or client code
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Set the output format [default: markdown, with --diff human]
    #[arg(long, value_name = "FORMAT", value_enum)]
    format: Option<Format>,
    /// Include the codes that this policy file adds or names
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Include the codes of these groups, which belong to products
    #[arg(long, value_name = "GROUP", value_parser = groups(), value_delimiter = ',')]
    group: Vec<String>,
    /// Compare with the JSON export OLD and show the changes (--format human or json); exit code 1 if a change breaks clients
    #[arg(long, value_name = "OLD")]
    diff: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// Markdown tables for documentation
    Markdown,
    /// The codes as JSON, for your own programs
    Json,
    /// JSON Schema 2020-12 of the envelope
    JsonSchema,
    /// OpenAPI 3.1 components: one response per status
    Openapi,
    /// A TypeScript module without dependencies
    Typescript,
    /// A TypeScript module for Zod 4
    Zod,
    /// A Python module without dependencies: a StrEnum and an exception
    Python,
    /// A Go package without dependencies
    Go,
    /// With --diff: one line per change
    Human,
}

/// Writes to standard output, and returns the exit code.
pub(crate) fn run(args: &Args) -> Result<u8, CommandError> {
    let read = args.policy.as_deref().map(policy::read).transpose()?;
    let codes = Codes::from_policy(read.as_ref().map(|read| read.file.policy()), &args.group);
    let Some(old) = &args.diff else {
        return print(&args.format.unwrap_or(Format::Markdown).write(&codes)?).map(|()| 0);
    };
    let diff = diff::diff(old, &json::write(&codes))?;
    let changes = match args.format {
        None | Some(Format::Human) => diff.human(),
        Some(Format::Json) => diff.json(),
        Some(_) => return Err(CommandError::Io("--diff needs --format human or json".to_owned())),
    };
    print_unless_closed(&changes).map(|()| u8::from(diff.breaks()))
}

impl Format {
    fn write(self, codes: &Codes) -> Result<String, CommandError> {
        Ok(match self {
            Self::Markdown => render("errors.md", codes)?,
            Self::Json => json::write(codes),
            Self::JsonSchema => json::envelope_schema(codes),
            Self::Openapi => document::write(codes),
            Self::Typescript => render("errors.ts", codes)?,
            Self::Zod => render("errors.zod.ts", codes)?,
            Self::Python => render("errors.py", codes)?,
            Self::Go => render("errors.go", codes)?,
            Self::Human => return Err(CommandError::Io("--format human needs --diff OLD".to_owned())),
        })
    }
}

/// Parses a group of codes that belong to products (E2).
fn groups() -> PossibleValuesParser {
    codes::GROUPS.iter().map(|(name, about)| PossibleValue::new(name).help(about)).collect::<Vec<_>>().into()
}

//! Provides `#[derive(AsFault)]`, which `tower-error-envelope` re-exports with its feature `derive`. The documentation
//! is in `tower-error-envelope`.
//!
//! The module `attribute` parses an attribute, and `variant` checks it against the fields of its variant. Then
//! `implementation` writes it as an arm of one `match`. If code depends on features of `tower-error-envelope`, macros
//! of that crate write the code.

mod attribute;
mod implementation;
mod message;
mod variant;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// Maps each variant of an error to a fault. See `tower_error_envelope::AsFault`.
#[proc_macro_derive(AsFault, attributes(fault))]
pub fn derive_as_fault(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    write(&input, "tower_error_envelope")
}

/// Derives `AsFault` in crates that depend only on `error-envelope-fault`. See `error_envelope_fault::AsFault`.
#[proc_macro_derive(HandlerAsFault, attributes(fault))]
pub fn derive_as_fault_of_handlers(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    write(&input, "error_envelope_fault")
}

/// Writes the implementation. `library` is the crate whose names the generated code uses.
fn write(input: &DeriveInput, library: &str) -> TokenStream {
    let library = syn::Ident::new(library, proc_macro2::Span::call_site());
    implementation::write(input, &library).into()
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// Tests a custom code whose name does not have the form of a code. The compiler's message quotes the standard
/// library's sources only where they are installed, so its text cannot be tested.
///
/// ```compile_fail,E0080
/// #[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
/// enum Failure {
///     #[error("taken")]
///     #[fault(custom("Seat taken", 409))]
///     Name,
/// }
/// ```
///
/// ```
/// #[derive(Debug, thiserror::Error, tower_error_envelope::AsFault)]
/// enum Failure {
///     #[error("taken")]
///     #[fault(custom("seat_taken", 409))]
///     Name,
/// }
/// ```
#[cfg(doctest)]
struct OwnCode;

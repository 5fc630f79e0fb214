//! `#[derive(AsFault)]`, which `tower-error-envelope` hands on with its feature `derive`. That crate has the documentation.
//!
//! An attribute is parsed (`attribute`), checked against the fields of its variant, and written (`implementation`) as an arm
//! of one match. What depends on the features of `tower-error-envelope` is written by a macro of its own, which knows them.

mod attribute;
mod implementation;
mod json_type;
mod message;
mod variant;

use proc_macro::TokenStream;
use syn::{DeriveInput, parse_macro_input};

/// What each variant of an error is to clients. See `tower_error_envelope::AsFault`.
#[proc_macro_derive(AsFault, attributes(fault))]
pub fn derive_as_fault(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    implementation::write(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// A code of one's own that is not in the form of a code. What the compiler says of it shows the standard library's sources where they
/// are installed, so that no text of it can be expected.
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

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

//! The output of the derive: `AsFault`, `CODES`, and the additions of `tower-error-envelope`'s features.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Attribute, Data, DeriveInput, Error, Fields, Generics, Ident, Result, parse_quote};

use crate::variant::Variant;

/// Writes the implementations for a type. A mistake in an attribute causes only one compile error, because other code
/// that uses the type still finds its implementations.
pub(crate) fn write(input: &DeriveInput, library: &Ident) -> TokenStream {
    let (Parts { as_fault, codes, checks }, mistake) = match Parts::of(input) {
        Ok(parts) => (parts, None),
        Err(mistake) => (Parts::of_mistake(), Some(mistake.into_compile_error())),
    };
    let generics = with_bounds(&input.ident, &input.generics);
    let (impls, types, bounds) = generics.split_for_impl();
    let (name, vis) = (&input.ident, &input.vis);
    quote! {
        const _: () = {
        extern crate #library as __error_envelope;

        #[automatically_derived]
        impl #impls __error_envelope::AsFault for #name #types #bounds {
            #as_fault
        }

        #[automatically_derived]
        #[allow(dead_code)]
        impl #impls #name #types #bounds {
            /// The codes that this error can become.
            #vis const CODES: __error_envelope::Codes = #codes;
        }

        #checks

        __error_envelope::__derived_response!([#impls] [#name #types] [#bounds]);
        __error_envelope::__derived_status!([#impls] [#name #types] [#bounds]);
        __error_envelope::__derived_responses!([#impls] [#name #types] [#bounds] __error_envelope::__private::responses);
        __error_envelope::__derived_output!([#impls] [#name #types] [#bounds] __error_envelope::__private::responses);
        };

        #mistake
    }
}

/// The parts of the output that depend on the variants.
struct Parts {
    as_fault: TokenStream,
    codes: TokenStream,
    checks: TokenStream,
}

impl Parts {
    fn of(input: &DeriveInput) -> Result<Self> {
        let variants = variants(input)?;
        let checks = variants.iter().filter_map(Variant::check);
        Ok(Self { checks: quote!(#(#checks)*), codes: codes(&variants), as_fault: as_fault(&variants)? })
    }

    /// Returns the parts for a derive that has a mistake. The compiler reports the mistake, and also compiles these
    /// parts, but they never run.
    fn of_mistake() -> Self {
        let as_fault = quote! {
            fn code(&self) -> __error_envelope::ErrorCode { ::std::unreachable!() }
            fn fault(&self) -> __error_envelope::Fault { ::std::unreachable!() }
        };
        Self { as_fault, codes: codes(&[]), checks: TokenStream::new() }
    }
}

fn variants(input: &DeriveInput) -> Result<Vec<Variant<'_>>> {
    match &input.data {
        Data::Enum(data) => {
            refuse(&input.attrs, "put `#[fault(…)]` on a variant")?;
            data.variants
                .iter()
                .map(|each| variant(&input.ident, Some(&each.ident), &each.fields, &each.attrs))
                .collect()
        }
        Data::Struct(data) => Ok(vec![variant(&input.ident, None, &data.fields, &input.attrs)?]),
        Data::Union(data) => Err(Error::new(data.union_token.span, "a union is not an error")),
    }
}

fn variant<'a>(
    error: &Ident,
    name: Option<&Ident>,
    fields: &'a Fields,
    attributes: &[Attribute],
) -> Result<Variant<'a>> {
    let why = "put `#[fault(…)]` on the variant, not on its field";
    fields.iter().try_for_each(|field| refuse(&field.attrs, why))?;
    Variant::new(error, name, fields, attributes)
}

fn refuse(attributes: &[Attribute], why: &str) -> Result<()> {
    match attributes.iter().find(|attribute| attribute.path().is_ident("fault")) {
        Some(attribute) => Err(Error::new_spanned(attribute, why)),
        None => Ok(()),
    }
}

/// Adds the bound that the type is an error. A generic type may be an error only for some of its parameters. For a type
/// without parameters, the compiler itself reports a missing trait.
fn with_bounds(name: &Ident, generics: &Generics) -> Generics {
    let mut bounded = generics.clone();
    if generics.type_params().next().is_some() {
        let types = generics.split_for_impl().1;
        let error: syn::WherePredicate = parse_quote! {
            #name #types: ::std::error::Error + ::std::marker::Send + ::std::marker::Sync + 'static
        };
        bounded.make_where_clause().predicates.push(error);
    }
    bounded
}

fn as_fault(variants: &[Variant<'_>]) -> Result<TokenStream> {
    let codes = variants.iter().map(Variant::code_arm);
    let faults = variants.iter().map(Variant::fault_arm).collect::<Result<Vec<_>>>()?;
    let into_fault = into_fault(variants);
    // An enum without variants has no value to match, but the compiler requires that the reference to the enum is
    // dereferenced. A `with` may be a closure, which is called in place. It may also return a fault, which is converted
    // to itself.
    let allowed = quote!(#[allow(unused_variables, clippy::redundant_closure_call, clippy::useless_conversion)]);
    let this = if variants.is_empty() { quote!(*self) } else { quote!(self) };
    Ok(quote! {
        #allowed
        fn code(&self) -> __error_envelope::ErrorCode {
            #[allow(unused_imports)]
            use __error_envelope::__private::codes::*;
            match #this { #(#codes)* }
        }

        #allowed
        fn fault(&self) -> __error_envelope::Fault {
            match #this { #(#faults)* }
        }

        #into_fault
    })
}

/// Writes `into_fault`, which a type needs if the cause of its fault is not the error itself.
fn into_fault(variants: &[Variant<'_>]) -> Option<TokenStream> {
    let arms: Vec<_> = variants.iter().filter_map(Variant::arm_by_value).collect();
    (!arms.is_empty()).then(|| {
        quote! {
            #[allow(unreachable_patterns)]
            fn into_fault(self) -> __error_envelope::Fault {
                match self {
                    #(#arms)*
                    error => __error_envelope::AsFault::fault(&error).with_source(error),
                }
            }
        }
    })
}

/// Returns the codes of a type: its own, and those of its transparent inner errors, but not those that a `with`
/// function returns.
fn codes(variants: &[Variant<'_>]) -> TokenStream {
    let own = variants.iter().filter_map(Variant::declared);
    let nested = variants.iter().filter_map(Variant::inner);
    let is_complete = !variants.iter().any(Variant::has_unknown_code);
    quote! {{
        #[allow(unused_imports)]
        use __error_envelope::__private::{NoCodes as _, NoSchema as _, codes::*};
        __error_envelope::Codes { own: &[#(#own),*], nested: &[#(<#nested>::CODES),*], is_complete: #is_complete }
    }}
}

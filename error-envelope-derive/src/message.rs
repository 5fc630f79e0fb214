//! A message's text: fields by their names, or by their numbers.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Expr, ExprLit, Lit, LitStr};

/// A text is a format string whose names are the fields', as in `format!`; any other expression is the message itself.
pub(crate) fn write(message: &Expr) -> TokenStream {
    match message {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if has_places(&text.value()) => {
            let text = LitStr::new(&by_binding(&text.value()), text.span());
            quote!(::std::format!(#text))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let text = LitStr::new(&text.value().replace("{{", "{").replace("}}", "}"), text.span());
            quote!(#text)
        }
        other => quote!(#other),
    }
}

fn has_places(text: &str) -> bool {
    // A single brace of either kind: `format!` says what is wrong with it.
    let without = text.replace("{{", "").replace("}}", "");
    without.contains(['{', '}'])
}

/// `{0}` is the field that is bound as `_0`.
fn by_binding(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        let (before, after) = rest.split_at(at + 1);
        written += before;
        rest = after;
        if let Some(after) = rest.strip_prefix('{') {
            written.push('{');
            rest = after;
        } else if rest.starts_with(|digit: char| digit.is_ascii_digit()) {
            written.push('_');
        }
    }
    written + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_becomes_the_name_that_the_field_is_bound_to() {
        for (text, written) in [
            ("{0} of {1:?}", "{_0} of {_1:?}"),
            ("{left} left", "{left} left"),
            ("{{0}} {0}", "{{0}} {_0}"),
            ("{", "{"),
        ] {
            assert_eq!(by_binding(text), written);
        }
        assert!(!has_places("{{0}}"));
    }
}

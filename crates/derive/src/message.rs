//! Writes the code for `message = "…"`, a format string whose placeholders are names or numbers of fields.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ExprLit, Fields, Lit, LitStr, Result};

/// Writes the message. A string literal is a format string with the names of fields, as in `format!`. Any other
/// expression is the message itself.
pub(crate) fn write(message: &Expr, fields: &Fields) -> Result<TokenStream> {
    Ok(match message {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) if has_placeholders(&text.value()) => {
            let bound = by_binding(&text.value());
            if bound != text.value() && !matches!(fields, Fields::Unnamed(_)) {
                let why = "no field has a number here: write its name, such as `{left}`, or `{{0}}` for the text `{0}`";
                return Err(Error::new(text.span(), why));
            }
            let text = LitStr::new(&bound, text.span());
            quote!(::std::format!(#text))
        }
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => {
            let text = LitStr::new(&text.value().replace("{{", "{").replace("}}", "}"), text.span());
            quote!(#text)
        }
        other => quote!(#other),
    })
}

/// Returns the text that an OpenAPI document shows for a message, which is a format string with the names of fields.
/// Returns `None` if the message is any other expression.
pub(crate) fn documented(message: &Expr) -> Option<String> {
    match message {
        Expr::Lit(ExprLit { lit: Lit::Str(text), .. }) => Some(text.value().replace("{{", "{").replace("}}", "}")),
        _ => None,
    }
}

fn has_placeholders(text: &str) -> bool {
    // The search also finds a single brace, which `format!` reports as an error.
    let without = text.replace("{{", "").replace("}}", "");
    without.contains(['{', '}'])
}

/// Replaces `{0}` with `{_0}`, the binding of that field.
fn by_binding(text: &str) -> String {
    let by_name = |piece: &str| {
        ('0'..='9').fold(piece.to_owned(), |piece, digit| piece.replace(&format!("{{{digit}"), &format!("{{_{digit}")))
    };
    text.split("{{").map(by_name).collect::<Vec<_>>().join("{{")
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
        assert!(!has_placeholders("{{0}}"));
    }
}

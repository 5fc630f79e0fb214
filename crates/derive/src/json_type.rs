//! The JSON type of a field, as far as its type's name shows: a macro sees no more.

use syn::{Type, TypePath};

/// Empty if any value is possible.
pub(crate) fn name_of(field: &Type) -> &'static str {
    let Type::Path(TypePath { qself: None, path }) = peeled(field) else { return "" };
    let Some(last) = path.segments.last() else { return "" };
    match last.ident.to_string().as_str() {
        "bool" => "boolean",
        "char" | "str" | "String" => "string",
        "f32" | "f64" => "number",
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => "integer",
        _ => "",
    }
}

fn peeled(mut field: &Type) -> &Type {
    while let Type::Reference(reference) = field {
        field = &reference.elem;
    }
    field
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::*;

    #[test]
    fn what_may_be_null_or_of_a_type_of_ones_own_may_be_anything() {
        let types: [(Type, &str); 7] = [
            (parse_quote!(u32), "integer"),
            (parse_quote!(&'static str), "string"),
            (parse_quote!(std::string::String), "string"),
            (parse_quote!(f32), "number"),
            (parse_quote!(Option<bool>), ""),
            (parse_quote!(Seat), ""),
            (parse_quote!([u8; 4]), ""),
        ];
        for (field, name) in types {
            assert_eq!(name_of(&field), name);
        }
    }
}

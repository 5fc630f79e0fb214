//! Guesses the JSON type of a field from the name of its Rust type: a macro cannot see more than the name.

use syn::{GenericArgument, PathArguments, PathSegment, Type, TypePath};

/// The name of the JSON type; empty if any value is possible. The name of an `Option`, which may be absent, ends with
/// `?`.
pub(crate) fn name_of(field: &Type) -> String {
    match last_segment(field) {
        Some(last) if last.ident == "Option" => format!("{}?", argument(last).map_or("", plain_name_of)),
        _ => plain_name_of(field).to_owned(),
    }
}

fn plain_name_of(field: &Type) -> &'static str {
    let Some(last) = last_segment(field) else { return "" };
    match last.ident.to_string().as_str() {
        "bool" => "boolean",
        "char" | "str" | "String" => "string",
        "f32" | "f64" => "number",
        "i8" | "i16" | "i32" | "i64" | "isize" | "u8" | "u16" | "u32" | "u64" | "usize" => "integer",
        _ => "",
    }
}

fn last_segment(field: &Type) -> Option<&PathSegment> {
    match without_references(field) {
        Type::Path(TypePath { qself: None, path, .. }) => path.segments.last(),
        _ => None,
    }
}

fn argument(segment: &PathSegment) -> Option<&Type> {
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().find_map(|each| if let GenericArgument::Type(inner) = each { Some(inner) } else { None })
}

fn without_references(mut field: &Type) -> &Type {
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
    fn what_may_be_absent_is_marked_and_a_type_of_ones_own_may_be_anything() {
        let types: [(Type, &str); 9] = [
            (parse_quote!(u32), "integer"),
            (parse_quote!(&'static str), "string"),
            (parse_quote!(std::string::String), "string"),
            (parse_quote!(f32), "number"),
            (parse_quote!(Option<bool>), "boolean?"),
            (parse_quote!(&'static std::option::Option<&'static str>), "string?"),
            (parse_quote!(Option<Seat>), "?"),
            (parse_quote!(Seat), ""),
            (parse_quote!([u8; 4]), ""),
        ];
        for (field, name) in types {
            assert_eq!(name_of(&field), name);
        }
    }
}

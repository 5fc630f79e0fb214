//! One variant, or a struct: the bindings of its fields, and its fault.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, ExprLit, Field, Fields, GenericArgument, Ident, Lit, LitInt, LitStr, Member, PathArguments,
    Result, Type,
};

use crate::attribute::{Code, Detail, FaultAttribute};
use crate::message;

pub(crate) struct Variant<'a> {
    /// The path in messages: the name of the struct, or `OrderError::SoldOut`.
    path: String,
    /// The path in patterns: `Self` or `Self::Name`.
    constructor: TokenStream,
    fields: &'a Fields,
    fault: FaultAttribute,
}

impl<'a> Variant<'a> {
    pub(crate) fn new(
        error: &Ident,
        name: Option<&Ident>,
        fields: &'a Fields,
        attributes: &[Attribute],
    ) -> Result<Self> {
        let (path, constructor) = match name {
            Some(name) => (format!("{error}::{name}"), quote!(Self::#name)),
            None => (error.to_string(), quote!(Self)),
        };
        let variant = Self { path, constructor, fields, fault: FaultAttribute::parse_all(attributes)? };
        match (variant.fault.transparent, &variant.fault.with) {
            (Some(span), _) if variant.inner().is_none() => {
                Err(Error::new(span, "`transparent` needs exactly one field: its error supplies the fault"))
            }
            (Some(span), _) if variant.inner().is_some_and(is_anyhow) => Err(Error::new(
                span,
                "`anyhow::Error` is not `AsFault`: write `with = Fault::from`, and enable the feature `anyhow`",
            )),
            (_, Some(with)) if variant.wrapped_binding().is_none() => Err(Error::new(
                with.span(),
                "`with` needs the wrapped error: write one field only, or mark a field by the name `source`, `#[source]` or `#[from]`",
            )),
            _ => Ok(variant),
        }
    }

    /// Returns the binding of the field that the `with` function gets. The variant has only this field, or thiserror
    /// uses this field as the error's source.
    fn wrapped_binding(&self) -> Option<Ident> {
        let is_source = |field: &Field| {
            field.ident.as_ref().is_some_and(|name| name == "source")
                || field.attrs.iter().any(|it| it.path().is_ident("source") || it.path().is_ident("from"))
        };
        let mut fields = self.fields.iter().enumerate();
        let (at, field) = fields.find(|(_, field)| self.fields.len() == 1 || is_source(field))?;
        Some(binding(at, field))
    }

    /// Returns true if the variant's code depends on the value of the wrapped error, so that it is unknown at compile
    /// time.
    pub(crate) fn has_unknown_code(&self) -> bool {
        self.fault.with.is_some()
    }

    /// Returns the type of the inner error, if the variant is transparent.
    pub(crate) fn inner(&self) -> Option<&'a Type> {
        let mut fields = self.fields.iter();
        match (self.fault.transparent, fields.next(), fields.next()) {
            (Some(_), Some(field), None) => Some(&field.ty),
            _ => None,
        }
    }

    /// Returns the code as a constant expression, or `None` if the code comes from the inner error.
    pub(crate) fn code(&self) -> Option<TokenStream> {
        if self.fault.transparent.is_some() || self.has_unknown_code() {
            return None;
        }
        Some(match &self.fault.code {
            Some(Code::Path(path)) => quote!(#path),
            Some(Code::Custom(name, status)) => custom(name, status),
            Some(Code::OfHttp(..)) | None => quote!(__error_envelope::ErrorCode::INTERNAL_ERROR),
        })
    }

    /// Returns the constant expression for the documentation of a variant, or `None` if its code is not constant.
    pub(crate) fn declared(&self) -> Option<TokenStream> {
        let code = self.code()?;
        let status = option(self.fault.status.as_ref());
        let details = self.fault.details.iter().flatten().filter_map(|detail| self.declared_detail(detail));
        let variant = &self.path;
        let waits = self.fault.retry_after.is_some();
        let message = option(self.fault.message.as_ref().and_then(message::documented));
        Some(quote! {
            __error_envelope::__private::Declared {
                variant: #variant, code: #code, status: #status, message: #message, details: &[#(#details),*], waits: #waits
            }
        })
    }

    fn declared_detail(&self, detail: &Detail) -> Option<TokenStream> {
        let (_, field) = self.field(detail)?;
        let (name, kind) = (detail_name(detail), serialized(&field.ty));
        let of = quote!(<__error_envelope::__private::SchemaOf<#kind>>);
        let schemas = quote!([#of::TO_SCHEMA, #of::JSON_SCHEMA]);
        Some(quote!(__error_envelope::__private::Detail { name: #name, schemas: #schemas }))
    }

    /// Returns a constant that the compiler always evaluates. An invalid name or status, or a status without a code, is
    /// thus a compile error.
    pub(crate) fn check(&self) -> Option<TokenStream> {
        let code = match (&self.fault.code, &self.fault.status) {
            (Some(Code::Custom(name, status)), _) => custom(name, status),
            (Some(Code::OfHttp(status, span)), _) => {
                quote_spanned!(*span=> __error_envelope::__private::code_of_http(#status))
            }
            (None, Some(status)) if self.fault.with.is_none() => {
                quote_spanned!(status.span()=> __error_envelope::__private::code_missing(#status))
            }
            _ => return None,
        };
        Some(quote!(const _: __error_envelope::ErrorCode = #code;))
    }

    /// Returns the match arm that returns the variant's code.
    pub(crate) fn code_arm(&self) -> TokenStream {
        let (constructor, pattern) = (&self.constructor, self.pattern());
        match self.code() {
            Some(code) => quote!(#constructor { .. } => #code,),
            None => match self.with() {
                Some(fault) => quote!(#pattern => __error_envelope::Fault::code(&#fault).clone(),),
                None => self.inner_arm(&pattern, &quote!(code)),
            },
        }
    }

    /// Returns the match arm that returns the variant's fault.
    pub(crate) fn fault_arm(&self) -> Result<TokenStream> {
        let pattern = self.pattern();
        if self.inner().is_some() {
            return Ok(self.inner_arm(&pattern, &quote!(fault)));
        }
        let fault = self.fault()?;
        Ok(quote!(#pattern => #fault,))
    }

    /// Returns the match arm that turns the inner error into its fault, with that error's cause.
    ///
    /// Returns `None` if there is no inner error. The error that is converted is then the cause.
    pub(crate) fn arm_by_value(&self) -> Option<TokenStream> {
        self.inner().map(|_| self.inner_arm(&self.pattern(), &quote!(into_fault)))
    }

    fn inner_arm(&self, pattern: &TokenStream, method: &TokenStream) -> TokenStream {
        // If the inner error does not implement a trait, the compiler's error points to the attribute.
        let span = self.fault.transparent.unwrap_or_else(Span::call_site);
        let field = self.fields.iter().next().map(|field| Ident::new(&binding(0, field).to_string(), span));
        let fault = quote_spanned!(span=> __error_envelope::__private::Transparent::#method(#field));
        quote!(#pattern => #fault,)
    }

    fn pattern(&self) -> TokenStream {
        let constructor = &self.constructor;
        let fields = self.fields.iter().enumerate().map(|(at, field)| {
            let (member, binding) = (member(at, field), binding(at, field));
            if field.ident.is_some() { quote!(#member) } else { quote!(#member: #binding) }
        });
        quote!(#constructor { #(#fields),* })
    }

    fn fault(&self) -> Result<TokenStream> {
        let mut fault = match self.with() {
            Some(fault) => fault,
            None => quote!(__error_envelope::Fault::new(__error_envelope::AsFault::code(self))),
        };
        if let Some(status) = &self.fault.status {
            fault = quote!(#fault.with_status(#status));
        }
        if let Some(message) = &self.fault.message {
            let message = message::write(message, self.fields)?;
            fault = quote!(#fault.with_message(#message));
        }
        if let Some(details) = &self.fault.details {
            let members = details.iter().map(|detail| self.detail(detail)).collect::<Result<Vec<_>>>()?;
            fault = quote!(<__error_envelope::__private::Members as ::core::default::Default>::default() #(#members)*.set(#fault));
        }
        for (name, value) in &self.fault.headers {
            fault = quote!(__error_envelope::__private::with_header(#fault, #name, #value));
        }
        if let Some(wait) = &self.fault.retry_after {
            let wait = match wait {
                Expr::Lit(ExprLit { lit: Lit::Int(seconds), .. }) => quote!(::std::time::Duration::from_secs(#seconds)),
                other => quote!(#other),
            };
            fault = quote!(__error_envelope::__private::RetryAfter::set(#wait, #fault));
        }
        Ok(fault)
    }

    /// Writes the call of the `with` function, which returns the fault. If the types of the function do not fit, the
    /// compiler's error points to the function.
    fn with(&self) -> Option<TokenStream> {
        let (with, field) = (self.fault.with.as_ref()?, self.wrapped_binding()?);
        Some(quote_spanned!(with.span()=> <__error_envelope::Fault as ::core::convert::From<_>>::from((#with)(#field))))
    }

    fn detail(&self, detail: &Detail) -> Result<TokenStream> {
        let Some((at, field)) = self.field(detail) else {
            let wrong = format!("the variant has no field `{}`", name_of(&detail.field));
            return Err(Error::new(detail.field.span(), wrong));
        };
        let (name, value) = (detail_name(detail), binding(at, field));
        Ok(quote!(.with(#name, #value)))
    }

    fn field(&self, detail: &Detail) -> Option<(usize, &'a Field)> {
        self.fields.iter().enumerate().find(|(at, field)| member(*at, field) == detail.field)
    }
}

fn option(value: Option<impl ToTokens>) -> TokenStream {
    value.map_or_else(|| quote!(::std::option::Option::None), |value| quote!(::std::option::Option::Some(#value)))
}

/// Returns true if the type is written as `anyhow::Error`.
fn is_anyhow(field: &Type) -> bool {
    let Type::Path(path) = field else { return false };
    let names = path.path.segments.iter().rev().map(|segment| segment.ident.to_string());
    names.take(2).eq(["Error", "anyhow"])
}

/// Returns the name of a detail, which is the name of its field, unless the attribute sets another name.
fn detail_name(detail: &Detail) -> LitStr {
    detail.name.clone().unwrap_or_else(|| LitStr::new(&name_of(&detail.field), detail.field.span()))
}

/// Returns the type behind references and `Cow`, which is serialized in the same way. utoipa has no schema for most
/// references and `Cow` types.
fn serialized(field: &Type) -> &Type {
    let inner = match field {
        Type::Reference(reference) => Some(&*reference.elem),
        Type::Path(path) => path.path.segments.last().filter(|last| last.ident == "Cow").and_then(|last| {
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            let mut types = arguments.args.iter();
            types.find_map(|each| if let GenericArgument::Type(inner) = each { Some(inner) } else { None })
        }),
        _ => None,
    };
    inner.map_or(field, serialized)
}

fn custom(name: &LitStr, status: &LitInt) -> TokenStream {
    quote_spanned!(name.span()=> __error_envelope::ErrorCode::custom(#name, #status))
}

fn member(at: usize, field: &Field) -> Member {
    field.ident.clone().map_or(Member::from(at), Member::from)
}

/// Returns the name to which a field is bound in patterns. A field without a name gets `_0`, `_1` and so on.
fn binding(at: usize, field: &Field) -> Ident {
    field.ident.clone().unwrap_or_else(|| format_ident!("_{at}"))
}

fn name_of(member: &Member) -> String {
    match member {
        Member::Named(name) => name.to_string().trim_start_matches("r#").to_owned(),
        Member::Unnamed(index) => index.index.to_string(),
    }
}

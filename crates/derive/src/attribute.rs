//! Parses `#[fault(CODE, message = …, details(…), header(…), retry_after = …, status = …)]`, the same with `with = …`
//! instead of the code, and `#[fault(transparent)]`.

use proc_macro2::Span;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Attribute, Error, Expr, ExprPath, Ident, LitInt, LitStr, Member, Result, Token, parenthesized, token};

const FORMS: &str = "expected a code such as `CONFLICT`, `custom(\"seat_taken\", 409)`, `with = …`, `transparent`, \
                     `message = …`, `details(…)`, `header(…)`, `retry_after = …` or `status = …`";

/// The names of the parts in [`FORMS`]. No two begin with the same letters.
const PARTS: [&str; 8] = ["custom", "with", "transparent", "message", "details", "header", "retry_after", "status"];

/// The HTTP names of statuses that are not names of codes. Such a status has a code with another name, or no code.
const STATUSES: [(&str, u16); 17] = [
    ("UNAUTHORIZED", 401),
    ("PROXY_AUTHENTICATION_REQUIRED", 407),
    ("CONTENT_TOO_LARGE", 413),
    ("IM_A_TEAPOT", 418),
    ("UNPROCESSABLE_CONTENT", 422),
    ("UNPROCESSABLE_ENTITY", 422),
    ("FAILED_DEPENDENCY", 424),
    ("TOO_MANY_REQUESTS", 429),
    ("REQUEST_HEADER_FIELDS_TOO_LARGE", 431),
    ("INTERNAL_SERVER_ERROR", 500),
    ("BAD_GATEWAY", 502),
    ("HTTP_VERSION_NOT_SUPPORTED", 505),
    ("VARIANT_ALSO_NEGOTIATES", 506),
    ("INSUFFICIENT_STORAGE", 507),
    ("LOOP_DETECTED", 508),
    ("NOT_EXTENDED", 510),
    ("NETWORK_AUTHENTICATION_REQUIRED", 511),
];

/// The attributes of one variant.
#[derive(Default)]
pub(crate) struct FaultAttribute {
    pub(crate) code: Option<Code>,
    pub(crate) transparent: Option<Span>,
    /// A function that maps the wrapped error to a value which converts into a fault.
    pub(crate) with: Option<Expr>,
    pub(crate) message: Option<Expr>,
    pub(crate) details: Option<Vec<Detail>>,
    /// The names and values of the headers that the fault adds to the response.
    pub(crate) headers: Vec<(LitStr, Expr)>,
    pub(crate) retry_after: Option<Expr>,
    pub(crate) status: Option<LitInt>,
}

pub(crate) enum Code {
    /// The name of a code in the catalogue, or the path of a constant.
    Path(ExprPath),
    /// The name and the status of a custom code. The compiler checks both when it evaluates the constant.
    Custom(LitStr, LitInt),
    /// The HTTP name of a status, which is not the name of a code. The compiler's error states the right code. If the
    /// service has a constant with this name, the attribute must state it as a path.
    OfHttp(u16, Span),
}

/// A field of the details, under its own name or under another name: `left`, `0 = "seat"`, `left = "remaining"`.
pub(crate) struct Detail {
    pub(crate) field: Member,
    pub(crate) name: Option<LitStr>,
}

impl FaultAttribute {
    /// Parses all attributes of a variant. Several attributes are treated as one.
    pub(crate) fn parse_all(attributes: &[Attribute]) -> Result<Self> {
        let mut all = Self::default();
        let mut last = None;
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("fault")) {
            attribute.parse_args_with(|input: ParseStream<'_>| all.parse_parts(input))?;
            last = Some(attribute);
        }
        match (all.transparent, &all.with) {
            (Some(span), _) if all.has_more() => {
                Err(Error::new(span, "`transparent` excludes other settings, which the field's error supplies"))
            }
            (_, Some(with)) if all.code.is_some() => {
                Err(Error::new(with.span(), "`with` and a code are mutually exclusive: keep one of them"))
            }
            // If only a status is set, the compiler's error names the code that the variant probably needs.
            (None, None) if all.code.is_none() && all.status.is_none() && all.has_more() => Err(Error::new_spanned(
                last,
                "the code is missing: add one, such as `CONFLICT`, or `INTERNAL_ERROR` if the client is not to blame",
            )),
            _ => Ok(all),
        }
    }

    fn has_more(&self) -> bool {
        self.code.is_some()
            || self.with.is_some()
            || self.message.is_some()
            || self.details.is_some()
            || !self.headers.is_empty()
            || self.retry_after.is_some()
            || self.status.is_some()
    }

    fn parse_parts(&mut self, input: ParseStream<'_>) -> Result<()> {
        while !input.is_empty() {
            self.parse_part(input)?;
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(())
    }

    fn parse_part(&mut self, input: ParseStream<'_>) -> Result<()> {
        if !input.peek(Ident::peek_any) && !input.peek(Token![::]) {
            return Err(input.error(FORMS));
        }
        if input.peek2(Token![=]) {
            return self.parse_value(input);
        }
        let path: ExprPath = input.parse()?;
        let span = path.span();
        match path.path.get_ident().map(ToString::to_string).as_deref() {
            Some("transparent") => set_once(&mut self.transparent, span, span),
            Some("details") => set_once(&mut self.details, in_parentheses(input, Detail::parse_all)?, span),
            Some("header") if input.peek(token::Paren) => {
                self.headers.push(in_parentheses(input, header)?);
                Ok(())
            }
            Some("custom") if input.peek(token::Paren) => {
                set_once(&mut self.code, in_parentheses(input, Code::parse_custom)?, span)
            }
            // A word in lower case is a misspelled key, not a constant.
            Some(name) if name.starts_with(|first: char| first.is_ascii_lowercase()) => Err(unknown(name, span)),
            Some(name) if name.contains(|letter: char| letter.is_ascii_lowercase()) => {
                Err(Error::new(span, format!("a code is written as its constant: write `{}`", in_capitals(name))))
            }
            name => {
                let status = STATUSES.iter().find(|(known, _)| name == Some(*known));
                let code = status.map_or(Code::Path(path), |(_, status)| Code::OfHttp(*status, span));
                set_once(&mut self.code, code, span)
            }
        }
    }

    fn parse_value(&mut self, input: ParseStream<'_>) -> Result<()> {
        let key: Ident = input.parse()?;
        input.parse::<Token![=]>()?;
        match key.to_string().as_str() {
            "with" => set_once(&mut self.with, input.parse()?, key.span()),
            "message" => set_once(&mut self.message, input.parse()?, key.span()),
            "retry_after" => set_once(&mut self.retry_after, input.parse()?, key.span()),
            "status" => set_once(&mut self.status, error_status(input)?, key.span()),
            name => Err(unknown(name, key.span())),
        }
    }
}

/// Returns the error for an unknown word, with the part that the author probably meant.
fn unknown(name: &str, span: Span) -> Error {
    match PARTS.iter().find(|part| **part != name && name.get(..2).is_some_and(|begin| part.starts_with(begin))) {
        Some(part) => Error::new(span, format!("did you mean `{part}`? {FORMS}")),
        None => Error::new(span, FORMS),
    }
}

/// Parses the name and the value of a header: `"x-seat", seat`.
fn header(input: ParseStream<'_>) -> Result<(LitStr, Expr)> {
    let name: LitStr = input.parse()?;
    let text = name.value();
    if text.is_empty() || !text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-') {
        return Err(Error::new(name.span(), "write the name of a header in lower case, such as `\"x-seat\"`"));
    }
    input.parse::<Token![,]>()?;
    let value = input.parse()?;
    input.parse::<Option<Token![,]>>()?;
    Ok((name, value))
}

/// Returns a name in capitals, such as `NOT_FOUND` for `NotFound`.
fn in_capitals(name: &str) -> String {
    let mut capitals = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !capitals.is_empty() && !capitals.ends_with('_') {
            capitals.push('_');
        }
        capitals.push(letter.to_ascii_uppercase());
    }
    capitals
}

/// Parses a status, and refuses any number outside 400–599. `Fault::with_status` would ignore such a number at run
/// time, without an error.
fn error_status(input: ParseStream<'_>) -> Result<LitInt> {
    let status: LitInt = input.parse()?;
    match status.base10_parse::<u16>() {
        Ok(400..=599) => Ok(status),
        _ => Err(Error::new(status.span(), "an error status is a number from 400 to 599")),
    }
}

fn set_once<T>(place: &mut Option<T>, value: T, span: Span) -> Result<()> {
    match place.replace(value) {
        Some(_) => Err(Error::new(span, "this is set more than once")),
        None => Ok(()),
    }
}

fn in_parentheses<T>(input: ParseStream<'_>, parse: fn(ParseStream<'_>) -> Result<T>) -> Result<T> {
    let content;
    parenthesized!(content in input);
    parse(&content)
}

impl Code {
    fn parse_custom(input: ParseStream<'_>) -> Result<Self> {
        let name = input.parse()?;
        input.parse::<Token![,]>()?;
        Ok(Self::Custom(name, input.parse()?))
    }
}

impl Detail {
    fn parse_all(input: ParseStream<'_>) -> Result<Vec<Self>> {
        Ok(Punctuated::<Self, Token![,]>::parse_terminated(input)?.into_iter().collect())
    }
}

impl Parse for Detail {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let field = input.parse()?;
        let name = if input.parse::<Option<Token![=]>>()?.is_some() { Some(input.parse()?) } else { None };
        Ok(Self { field, name })
    }
}

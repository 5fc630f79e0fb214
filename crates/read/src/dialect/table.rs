//! The table of shapes. A row with a constant defines a shape that can be written. Any other row defines a shape that
//! is only parsed.
//!
//! A row defines the variants of [`Dialect`] and [`Shape`] with their docs. The row of a dialect refers to the constant
//! in the dialect's file, which contains the description of the dialect.

use std::borrow::Cow;
use std::ops::Deref;

use super::custom::CustomShape;
use super::form::DialectSpec;

macro_rules! shapes {
    (
        $($(#[doc = $doc:literal])* $(#[cfg($cfg:meta)])? $dialect:ident: $form:path,)+
        -- parse only --
        $($(#[$shape_doc:meta])* $shape:ident: $word:literal,)+
    ) => {
        /// The shape in which errors are written on a route (R2, R12). The policy file sets the shape with the key
        /// `dialect`.
        ///
        /// [`Dialect::Standard`], the canonical envelope, is the default.
        ///
        /// ```
        /// use tower_error_envelope::policy::Dialect;
        ///
        /// assert_eq!(Dialect::default(), Dialect::Standard);
        /// assert_eq!(Dialect::OpenAi.as_str(), "openai");
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Dialect {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? $dialect,)+
            /// A shape that the policy describes (R15).
            Custom(CustomShape),
        }

        /// The shape of an inner error, as the log names it (R2, L1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Shape {
            $($(#[doc = $doc])* $(#[cfg($cfg)])? $dialect,)+
            $($(#[$shape_doc])* $shape,)+
            /// A shape that the policy describes (R15).
            Custom(CustomShape),
        }

        impl Dialect {
            /// All built-in dialects, in the order in which they are tried.
            pub const ALL: &'static [Self] = &[$($(#[cfg($cfg)])? Self::$dialect,)+];

            /// Returns the shape of a body in this dialect.
            pub const fn shape(self) -> Shape {
                match self {
                    $($(#[cfg($cfg)])? Self::$dialect => Shape::$dialect,)+
                    Self::Custom(shape) => Shape::Custom(shape),
                }
            }

            /// Returns the description of the dialect, with the functions that write and parse it.
            pub const fn spec(self) -> &'static DialectSpec {
                match self {
                    $($(#[cfg($cfg)])? Self::$dialect => &$form,)+
                    Self::Custom(shape) => shape.spec(),
                }
            }
        }

        impl Shape {
            /// All built-in shapes.
            pub const ALL: &'static [Self] = &[$($(#[cfg($cfg)])? Self::$dialect,)+ $(Self::$shape,)+];

            /// Returns the name in the log and, for dialects, in the policy file.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $($(#[cfg($cfg)])? Self::$dialect => $form.name,)+
                    $(Self::$shape => $word,)+
                    Self::Custom(shape) => shape.as_str(),
                }
            }

            /// Returns the dialect's description, or `None` for a shape that is only parsed and never written.
            pub(super) const fn dialect_spec(self) -> Option<&'static DialectSpec> {
                match self {
                    $($(#[cfg($cfg)])? Self::$dialect => Some(&$form),)+
                    $(Self::$shape => None,)+
                    Self::Custom(shape) => Some(shape.spec()),
                }
            }
        }
    };
}

// The shapes are tried in this order. If two shapes fit a body, the more specific one must come first.
shapes! {
    /// The canonical envelope.
    Standard: super::standard::FORM,
    /// `{"success":false,"error":"…"}`, in which all further fields are the details.
    #[cfg(feature = "foreign")]
    SuccessFlag: super::foreign::success_flag::FORM,
    /// Anthropic's `{"type":"error","error":{"type","message"},"request_id"}`.
    #[cfg(feature = "foreign")]
    Anthropic: super::foreign::anthropic::FORM,
    /// JSON-RPC 2.0: `{"jsonrpc":"2.0","id","error":{"code":-32053,"message","data":{"code","request_id"}}}`. The `id`
    /// is the id of the call in the request's body.
    JsonRpc: super::json_rpc::FORM,
    /// Google's `{"error":{"code":404,"message","status":"NOT_FOUND","details":[…]}}` (AIP-193).
    #[cfg(feature = "foreign")]
    Google: super::foreign::google::FORM,
    /// `{"error":{code,message,details},"meta":{request_id,ts}}`.
    #[cfg(feature = "foreign")]
    ErrorWithMeta: super::foreign::error_with_meta::FORM,
    /// `{"error":{"code":"UPPER","message","status"}}`, and `{"message","errors":{field:[…]}}` for a 422 with field
    /// issues.
    #[cfg(feature = "foreign")]
    StatusInError: super::foreign::status_in_error::FORM,
    /// OpenAI's `{"error":{"message","type","param","code"}}`.
    #[cfg(feature = "foreign")]
    OpenAi: super::foreign::openai::FORM,
    /// RFC 9457, `application/problem+json`. The validation problems of ASP.NET are read as this shape.
    Problem: super::problem::FORM,
    -- parse only --
    /// `{"error":{"code","message","details"}}` without an id.
    ErrorObject: "error_object",
    /// FastAPI's `{"detail":…}`.
    FastApi: "fastapi",
    /// Spring's `{timestamp,status,error,path}`.
    Spring: "spring",
    /// `{"error":"…"}` of Go and Express.
    ErrorText: "error_text",
    /// `{"message":"…"}`.
    Message: "message",
    /// The list of a validator, or texts by field, in a body that has no other shape.
    Issues: "issues",
    /// `text/plain`.
    PlainText: "plain_text",
    /// A gRPC status, also over gRPC-Web.
    Grpc: "grpc",
    /// Connect's `{"code","message","details"}`, or the end of a Connect stream.
    Connect: "connect",
}

impl Shape {
    /// Returns true if any code of the catalogue may be the code of a body in this shape. Google's codes are the names
    /// of gRPC's statuses, of which only `NOT_FOUND` is also in the catalogue.
    pub const fn has_codes(self) -> bool {
        #[cfg(feature = "foreign")]
        if matches!(self, Self::Google) {
            return false;
        }
        matches!(self, Self::ErrorObject) || self.dialect_spec().is_some()
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self::ALL[0]
    }
}

/// The name of a route's dialect, which is a built-in [`Dialect`] or a shape that the policy describes (R15).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectName(Cow<'static, str>);

impl Default for DialectName {
    fn default() -> Self {
        Dialect::default().into()
    }
}

impl From<Dialect> for DialectName {
    fn from(dialect: Dialect) -> Self {
        Self(Cow::Borrowed(dialect.as_str()))
    }
}

impl From<&str> for DialectName {
    fn from(name: &str) -> Self {
        name.to_owned().into()
    }
}

impl From<String> for DialectName {
    fn from(name: String) -> Self {
        Self(Cow::Owned(name))
    }
}

impl Deref for DialectName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Dialect {
    /// Returns the dialect at this index. The built-in dialects come first, and then the dialects of the policy.
    pub fn from_place(place: usize, own: &[CustomShape]) -> Self {
        let custom = || own.get(place.checked_sub(Self::ALL.len())?).copied().map(Self::Custom);
        Self::ALL.get(place).copied().or_else(custom).unwrap_or_default()
    }

    /// Returns true if errors can be written in this dialect. A shape of the policy can be written only if it has a
    /// template.
    pub const fn is_written(self) -> bool {
        match self {
            Self::Custom(shape) => shape.is_written(),
            _ => true,
        }
    }

    /// Returns the index of this dialect, if it exists.
    pub fn place(self, own: &[CustomShape]) -> Option<usize> {
        (0..Self::ALL.len() + own.len()).find(|place| Self::from_place(*place, own) == self)
    }

    /// Returns the name in the policy file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        self.spec().name
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn r2_the_canonical_envelope_is_the_default() {
        assert_eq!(Dialect::default(), Dialect::Standard);
    }

    #[test]
    fn r12_a_header_of_a_dialects_own_has_a_headers_name() {
        for name in Dialect::ALL.iter().filter_map(|dialect| dialect.spec().id_header) {
            assert_eq!(HeaderName::from_static(name), name);
        }
    }
}

//! `#[derive(AsFault)]` (feature `derive`), and the functions that the derived code calls.

mod policy_file;

#[cfg(feature = "openapi")]
use serde_json::Value;

use crate::code::ErrorCode;
pub use crate::fault::AsFault;
/// Maps each variant of an error to a fault. A variant without an attribute becomes `internal_error`.
///
/// `tower-error-envelope` re-exports the same derive for services with the layer, and documents it.
pub use error_envelope_derive::HandlerAsFault as AsFault;

/// The codes of the faults that an error can become. `#[derive(AsFault)]` defines them as the constant `CODES` of the
/// type.
#[derive(Clone, Copy, Debug)]
pub struct Codes {
    #[doc(hidden)]
    pub own: &'static [private::Declared],
    #[doc(hidden)]
    pub nested: &'static [Codes],
    #[doc(hidden)]
    pub is_complete: bool,
}

impl Codes {
    /// Returns all codes, each once. The codes of the variants come first, and then the codes of transparent errors.
    pub fn iter(&self) -> impl Iterator<Item = &'static ErrorCode> + use<> {
        (*self).into_iter()
    }

    /// Returns true if the list is complete. An incomplete list lacks the codes that a function in `with = …` returns,
    /// or the codes of a transparent error whose [`AsFault`](trait@AsFault) is handwritten.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.is_complete && self.nested.iter().all(Self::is_complete)
    }

    #[doc(hidden)]
    pub fn for_each(&self, visit: &mut dyn FnMut(&'static private::Declared)) {
        self.own.iter().for_each(&mut *visit);
        self.nested.iter().for_each(|nested| nested.for_each(visit));
    }

    /// Returns the variants, each with the schema of its details. The flag is true if the variant always has details.
    ///
    /// # Panics
    /// Panics if the type of a detail has no schema, or if two variants have the same code and different details. With
    /// different details for one code, a client could not find out which details it gets.
    #[cfg(feature = "openapi")]
    #[doc(hidden)]
    #[must_use]
    pub fn documented(&self) -> Vec<(&'static private::Declared, Option<(Value, bool)>)> {
        let mut all: Vec<(&private::Declared, Option<(Value, bool)>)> = Vec::new();
        self.for_each(&mut |declared| {
            let details = declared.details_schema();
            if let Some((other, _)) = all.iter().find(|(it, theirs)| it.code == declared.code && *theirs != details) {
                let (first, second, code) = (other.variant, declared.variant, &declared.code);
                panic!(
                    "{first} and {second} have the code {code} and different details: give one of them another code"
                );
            }
            all.push((declared, details));
        });
        all
    }
}

/// Returns the codes of [`Codes::iter`], for `Policy::builder().codes(OrderError::CODES)`.
impl IntoIterator for Codes {
    type Item = &'static ErrorCode;
    type IntoIter = std::vec::IntoIter<&'static ErrorCode>;

    fn into_iter(self) -> Self::IntoIter {
        let mut codes: Vec<&'static ErrorCode> = Vec::new();
        self.for_each(&mut |declared| {
            if !codes.contains(&&declared.code) {
                codes.push(&declared.code);
            }
        });
        codes.into_iter()
    }
}

/// This module is for the derived code, and is not a part of the public interface.
pub mod private {
    #[cfg(feature = "openapi")]
    use std::collections::BTreeMap;
    use std::fmt;
    use std::marker::PhantomData;
    use std::time::Duration;

    use serde::ser::{Error, SerializeMap};
    use serde::{Serialize, Serializer};
    use serde_json::value::{RawValue, Value, to_raw_value};

    use super::Codes;
    use crate::code::ErrorCode;
    #[cfg(feature = "openapi")]
    use crate::code::Retry;
    pub use crate::code::{code_missing, code_of_http, names as codes};
    use crate::fault::{AsFault, Fault};
    #[cfg(feature = "openapi")]
    use crate::openapi::{
        details::of_fields,
        response::{ErrorResponse, any_error, inline, value},
        schema::{of_error, of_errors},
        tree::{Json, object},
    };
    #[cfg(feature = "aide")]
    pub use crate::operations::inferred;
    #[cfg(feature = "utoipa")]
    pub use crate::responses::typed;
    #[cfg(feature = "aide")]
    pub use aide::{
        OperationOutput,
        generate::GenContext,
        openapi::{Operation, Response as Inferred},
    };
    #[cfg(feature = "axum")]
    pub use axum_core::response::{IntoResponse, Response};
    #[cfg(feature = "tonic")]
    pub use tonic::Status;
    #[cfg(feature = "utoipa")]
    pub use utoipa::{
        IntoResponses,
        openapi::{RefOr, Response as Described},
    };

    /// The properties of a variant that are known without a value of it.
    #[derive(Clone, Debug)]
    pub struct Declared {
        /// The path of the variant, such as `OrderError::SoldOut`.
        pub variant: &'static str,
        /// The code of the variant.
        pub code: ErrorCode,
        /// The status that `status = …` sets.
        pub status: Option<u16>,
        /// The text that `message = "…"` sets. The value of a field replaces `{name}`.
        pub message: Option<&'static str>,
        /// The fields that `details(…)` lists.
        pub details: &'static [Detail],
        /// True if the variant has `retry_after = …`.
        pub waits: bool,
    }

    #[cfg(feature = "openapi")]
    impl Declared {
        pub(super) fn details_schema(&self) -> Option<(Value, bool)> {
            let field = |detail: &Detail| match detail.schemas.iter().find_map(|schema| schema()) {
                Some(schema) => (detail.name, schema),
                None => panic!(
                    "{}: the type of the detail {} has no schema, or contains itself: derive utoipa::ToSchema or \
                     schemars::JsonSchema",
                    self.variant, detail.name
                ),
            };
            (!self.details.is_empty()).then(|| of_fields(self.details.iter().map(field).collect()))
        }
    }

    /// Returns the responses for the variants of an error, by status. If the list of codes may be incomplete, there is
    /// also a response for any other error.
    #[cfg(feature = "openapi")]
    #[must_use]
    pub fn responses(codes: &Codes) -> BTreeMap<String, Value> {
        let mut by_status: BTreeMap<u16, (Vec<Json>, Vec<String>, bool)> = BTreeMap::new();
        for (declared, details) in codes.documented() {
            let status = declared.status.unwrap_or_else(|| declared.code.status().as_u16());
            let (errors, names, waits) = by_status.entry(status).or_default();
            if !names.iter().any(|name| *name == declared.code.as_str()) {
                names.push(declared.code.as_str().to_owned());
                errors.push(of_error(declared.code.as_str(), declared.code.message(), details.as_ref()));
            }
            *waits |= declared.waits || declared.code.retry() != Retry::No;
        }
        let response = |(status, (errors, codes, waits)): (u16, (Vec<Json>, Vec<String>, bool))| {
            let content = object([("application/json", object([("schema", of_errors(errors))]))]);
            let response = ErrorResponse { status: Some(status), waits, codes, content }.write(inline);
            (status.to_string(), value(&response))
        };
        let any = (!codes.is_complete()).then(|| ("default".to_owned(), any_error()));
        by_status.into_iter().map(response).chain(any).collect()
    }

    /// A field of `details(…)`.
    #[derive(Clone, Copy, Debug)]
    pub struct Detail {
        /// The name of the field in the details.
        pub name: &'static str,
        /// Functions that return the schema of the field's type, for utoipa and for schemars. A function returns `None`
        /// if there is no schema.
        pub schemas: [fn() -> Option<Value>; 2],
    }

    /// Provides the schema of a type. Cargo features are shared by all crates of a build. So the derive accepts a type
    /// without a schema, and an error is reported only when an OpenAPI document needs that schema.
    pub struct SchemaOf<T: ?Sized>(PhantomData<T>);

    #[cfg(feature = "utoipa")]
    impl<T: utoipa::ToSchema + ?Sized> SchemaOf<T> {
        /// The schema of the type, without references.
        pub const TO_SCHEMA: fn() -> Option<Value> = crate::openapi::details::to_schema::<T>;
    }

    #[cfg(feature = "aide")]
    impl<T: schemars::JsonSchema + ?Sized> SchemaOf<T> {
        /// The schema of the type, without references.
        pub const JSON_SCHEMA: fn() -> Option<Value> = crate::openapi::details::json_schema::<T>;
    }

    /// Provides the constants of a type that has no schema.
    pub trait NoSchema {
        /// Returns no schema.
        const TO_SCHEMA: fn() -> Option<Value> = || None;
        /// Returns no schema.
        const JSON_SCHEMA: fn() -> Option<Value> = || None;
    }

    impl<T: ?Sized> NoSchema for SchemaOf<T> {}

    /// Provides `CODES` for a transparent error that does not define them.
    pub trait NoCodes {
        /// An empty list that is not complete.
        const CODES: Codes = Codes { own: &[], nested: &[], is_complete: false };
    }

    impl<T: ?Sized> NoCodes for T {}

    /// A type that the field of a `transparent` variant may have: an error with [`AsFault`], or a [`Fault`] itself.
    #[diagnostic::on_unimplemented(
        message = "`{Self}` has no code for clients: it does not implement `AsFault`",
        label = "`transparent` needs a field whose type is `AsFault`, or a `Fault`",
        note = "for an error of your own: `impl AsFault for {Self} {{ … }}`, or `#[derive(AsFault)]`",
        note = "for an error of another crate: `#[fault(with = code_of)]`, with `fn code_of(error: &{Self}) -> ErrorCode`",
        note = "features of `tower-error-envelope` cover errors of other crates: `anyhow` (with `#[fault(with = Fault::from)]`), \
                `axum`, `diesel`, `garde`, `reqwest`, `sqlx`, `tonic`, `validator`, `ws` (axum's WebSockets)",
        note = "if the feature is on, the build has two versions of the crate, such as `reqwest` 0.12 and 0.13 or `sqlx` 0.8 and 0.9: \
            `cargo tree -d` lists them, and `cargo update -p reqwest@0.13.5 --precise 0.12.28` leaves one"
    )]
    pub trait Transparent: Sized {
        /// Returns the code of the error.
        fn code(&self) -> ErrorCode;
        /// Returns the fault of the error.
        fn fault(&self) -> Fault;
        /// Converts the error into its fault, with its cause.
        fn into_fault(self) -> Fault;
    }

    impl<E: AsFault> Transparent for E {
        fn code(&self) -> ErrorCode {
            AsFault::code(self)
        }

        fn fault(&self) -> Fault {
            AsFault::fault(self)
        }

        fn into_fault(self) -> Fault {
            AsFault::into_fault(self)
        }
    }

    impl Transparent for Fault {
        fn code(&self) -> ErrorCode {
            self.code().clone()
        }

        fn fault(&self) -> Fault {
            self.clone()
        }

        fn into_fault(self) -> Fault {
            self
        }
    }

    /// A type that the value of `retry_after = …` may have.
    #[diagnostic::on_unimplemented(
        message = "`retry_after` is a `Duration` or an `Option<Duration>`, not `{Self}`",
        label = "if this is a number of seconds, write `Duration::from_secs(…)`",
        note = "a field is a reference: for a field `secs: u64`, write `retry_after = std::time::Duration::from_secs(*secs)`"
    )]
    pub trait RetryAfter {
        /// Sets the waiting time on the fault, if this value has a waiting time.
        fn set(self, fault: Fault) -> Fault;
    }

    impl RetryAfter for Duration {
        fn set(self, fault: Fault) -> Fault {
            fault.with_retry_after(self)
        }
    }

    impl<T: RetryAfter> RetryAfter for Option<T> {
        fn set(self, fault: Fault) -> Fault {
            match self {
                Some(wait) => wait.set(fault),
                None => fault,
            }
        }
    }

    impl<T: RetryAfter + Clone> RetryAfter for &T {
        fn set(self, fault: Fault) -> Fault {
            self.clone().set(fault)
        }
    }

    /// Adds the header of `header(NAME, value)` to the fault. The derive has already checked the name. If no header can
    /// have the value, the header is left out.
    pub fn with_header(fault: Fault, name: &'static str, value: impl fmt::Display) -> Fault {
        fault.with_header(name, value.to_string())
    }

    /// The details that `details(…)` describes. The details are an object with the fields that have a value, in the
    /// order of the attribute.
    #[derive(Default)]
    pub struct Members(Vec<(&'static str, serde_json::Result<Box<RawValue>>)>);

    impl Members {
        /// Adds a field. A field with the value `None` is left out.
        #[must_use]
        pub fn with(mut self, name: &'static str, value: impl Serialize) -> Self {
            let value = to_raw_value(&value);
            if !value.as_ref().is_ok_and(|value| value.get() == "null") {
                self.0.push((name, value));
            }
            self
        }

        /// Sets the fields as the details of the fault. If there are no fields, the fault does not change.
        pub fn set(self, fault: Fault) -> Fault {
            if self.0.is_empty() { fault } else { fault.with_details(self) }
        }
    }

    impl Serialize for Members {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.0.len()))?;
            for (name, value) in &self.0 {
                map.serialize_entry(name, value.as_ref().map_err(S::Error::custom)?)?;
            }
            map.end()
        }
    }
}

/// Implements `IntoResponse` for the error, with the feature `axum`.
#[cfg(feature = "axum")]
#[doc(hidden)]
#[macro_export]
macro_rules! __derived_response {
    ([$($generics:tt)*] [$error:ty] [$($bounds:tt)*]) => {
        #[automatically_derived]
        impl $($generics)* $crate::__private::IntoResponse for $error $($bounds)* {
            fn into_response(self) -> $crate::__private::Response {
                $crate::__private::IntoResponse::into_response($crate::Fault::from(self))
            }
        }
    };
}

/// Converts the error into a `tonic::Status`, with the feature `tonic`.
#[cfg(feature = "tonic")]
#[doc(hidden)]
#[macro_export]
macro_rules! __derived_status {
    ([$($generics:tt)*] [$error:ty] [$($bounds:tt)*]) => {
        #[automatically_derived]
        impl $($generics)* ::core::convert::From<$error> for $crate::__private::Status $($bounds)* {
            fn from(error: $error) -> Self {
                Self::from($crate::Fault::from(error))
            }
        }
    };
}

/// Implements utoipa's `IntoResponses` for the error, with the feature `utoipa`. The implementation lists the error's
/// responses for an operation.
#[cfg(feature = "utoipa")]
#[doc(hidden)]
#[macro_export]
macro_rules! __derived_responses {
    ([$($generics:tt)*] [$error:ty] [$($bounds:tt)*] $responses:path) => {
        #[automatically_derived]
        impl $($generics)* $crate::__private::IntoResponses for $error $($bounds)* {
            fn responses() -> ::std::collections::BTreeMap<
                ::std::string::String,
                $crate::__private::RefOr<$crate::__private::Described>,
            > {
                $responses(&Self::CODES).into_iter().map(|(status, it)| (status, $crate::__private::typed(it))).collect()
            }
        }
    };
}

/// Implements aide's `OperationOutput` for the error, with the feature `aide`. The implementation lists the error's
/// responses for an operation.
#[cfg(feature = "aide")]
#[doc(hidden)]
#[macro_export]
macro_rules! __derived_output {
    ([$($generics:tt)*] [$error:ty] [$($bounds:tt)*] $responses:path) => {
        #[automatically_derived]
        impl $($generics)* $crate::__private::OperationOutput for $error $($bounds)* {
            type Inner = Self;

            fn inferred_responses(
                _: &mut $crate::__private::GenContext,
                _: &mut $crate::__private::Operation,
            ) -> ::std::vec::Vec<(::std::option::Option<u16>, $crate::__private::Inferred)> {
                $crate::__private::inferred($responses(&Self::CODES))
            }
        }
    };
}

/// Replaces the macros above whose feature is off.
#[doc(hidden)]
#[macro_export]
macro_rules! __derived_nothing {
    ($($all:tt)*) => {};
}

//! The fields that a line of the access log may have.

use std::str::FromStr;

use super::super::error::Error;

macro_rules! fields {
    ($($field:ident $name:literal $about:literal,)*) => {
        /// A field of a line in JSON.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum AccessField {
            $(#[doc = $about] $field,)*
        }

        impl AccessField {
            /// All fields, in the order of a line.
            pub const ALL: &[Self] = &[$(Self::$field,)*];

            /// Its name in a line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$field => $name,)*
                }
            }

            /// Its description, in one sentence.
            #[must_use]
            pub const fn description(self) -> &'static str {
                match self {
                    $(Self::$field => $about,)*
                }
            }
        }
    };
}

fields! {
    Timestamp "timestamp" "When the request head arrived, in RFC 3339.",
    RequestId "request_id" "The request id, as in the response and the error log.",
    Method "method" "The method as sent.",
    Path "path" "The path as sent, without the query.",
    Route "route" "The route of the policy; null if none matches.",
    Status "status" "The status of the response; null if the client left before its head.",
    Code "code" "The response's `x-error-code`; null without one.",
    Outcome "outcome" "`complete`, `abandoned` (the client left) or `cut_off` (the service cut it off).",
    DurationMs "duration_ms" "Milliseconds from the request head to the last byte of the response.",
    RequestBytes "request_bytes" "Bytes of the request body that were read; upgraded bytes included.",
    ResponseBytes "response_bytes" "Bytes of the response body that were sent; upgraded bytes included.",
    Caller "caller" "The caller's id: a key's `id`, a token's `sub` or a certificate's name, never the key itself. Null without credentials.",
    ClientAddress "client_address" "The address of the client's connection.",
    UserAgent "user_agent" "The header user-agent.",
    Host "host" "The host that the client requested.",
    Protocol "protocol" "`HTTP/1.0`, `HTTP/1.1` or `HTTP/2.0`.",
    Upstream "upstream" "The service that was chosen; null if none was.",
}

impl FromStr for AccessField {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.iter().find(|field| field.name() == name).copied();
        found.ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|field| field.name()).collect();
            Error::invalid(format!("{name} is not a field")).with_advice(format!("choose from {}", all.join(", ")))
        })
    }
}

//! The table of codes, and the code of each status (R1). A row defines the constant, the texts and the numbers of a
//! code. If HTTP has another name for the status of a code, that name is in brackets, so that rustdoc and editors find
//! the constant by it. A group that has a description belongs to products (E2). The constants of such a group are in a
//! module of [`codes`], and not on [`ErrorCode`]. A test compares the table with the catalogue.

use super::error_code::{ErrorCode, Retry, Row};

macro_rules! table {
    ($($group:ident $($about:literal)? { $($constant:ident $([$($of_http:literal)*])? $name:literal $status:literal $grpc:literal $jsonrpc:literal
        $retry:ident $message:literal $(=> $details:literal)?)* })*) => {
        mod rows {
            use super::{Retry, Row};

            #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names are those of the constants")]
            enum RowIndex {
                $($($constant,)*)*
            }

            $($(
                pub(super) static $constant: Row = Row {
                    name: $name,
                    status: $status,
                    grpc: $grpc,
                    jsonrpc: $jsonrpc,
                    retry: Retry::$retry,
                    message: $message,
                    group: stringify!($group),
                    of_status: stringify!($group).eq_ignore_ascii_case("status"),
                    place: RowIndex::$constant as usize,
                    details: <[&str]>::first(&[$($details)?]).copied(),
                };
            )*)*
        }

        impl ErrorCode {
            $(only! { general $($about)? {
                $(
                    #[doc = concat!("`", $name, "` (", $status, "): ", $message)]
                    $($(#[doc(alias = $of_http)])*)?
                    pub const $constant: Self = Self::of_row(&rows::$constant);
                )*
            } })*

            /// All codes of the catalogue, in its order.
            pub const ALL: &'static [Self] = &[$($(Self::of_row(&rows::$constant),)*)*];
        }

        /// The general codes under their bare names, for `#[derive(AsFault)]`.
        #[doc(hidden)]
        pub mod names {
            use super::ErrorCode;

            $(only! { general $($about)? { $(pub const $constant: ErrorCode = ErrorCode::$constant;)* } })*
        }

        /// The codes of the catalogue that belong to products, in a module for each group.
        ///
        /// The codes that any service can use are constants of [`ErrorCode`].
        pub mod codes {
            $(only! { product $($about)? {
                #[doc = concat!($($about,)? ": the group `", stringify!($group), "`.")]
                pub mod $group {
                    use crate::code::ErrorCode;
                    use crate::code::table::rows;

                    $(
                        #[doc = concat!("`", $name, "` (", $status, "): ", $message)]
                        pub const $constant: ErrorCode = ErrorCode::of_row(&rows::$constant);
                    )*
                }
            } })*

            /// The groups that belong to products, each with a short description.
            pub const GROUPS: &[(&str, &str)] = &[$($((stringify!($group), $about),)?)*];
        }

        const ROWS: &[&Row] = &[$($(&rows::$constant,)*)*];

        const CODE_MISSING: &[&str] = &[$($(
            concat!("`status` without a code is `internal_error`: add a code, such as `", stringify!($constant), "`"),
        )*)*];

        const CODE_OF_STATUS: &[&str] = &[$($(
            concat!("no code has this name: write `", stringify!($constant), "`, or the path of your own constant"),
        )*)*];

        const CODE_WITH_STATUS: &[&str] = &[$($(
            concat!("no code has this status: write `", stringify!($constant), ", status = …`, or the path of your own constant"),
        )*)*];
    };
}

/// Keeps the items only if the group is of the wanted kind, `general` or `product`. A group of products has a
/// description.
macro_rules! only {
    (general { $($items:tt)* }) => { $($items)* };
    (general $about:literal { $($items:tt)* }) => {};
    (product { $($items:tt)* }) => {};
    (product $about:literal { $($items:tt)* }) => { $($items)* };
}

table! {
    auth {
        AUTH_MISSING "auth_missing" 401 16 -32010 No "No credentials were sent."
        AUTH_INVALID ["UNAUTHORIZED"] "auth_invalid" 401 16 -32011 No "The credentials do not match any active key."
        AUTH_MALFORMED "auth_malformed" 401 16 -32012 No "The Authorization header is not a well-formed Bearer token."
        AUTH_EXPIRED "auth_expired" 401 16 -32013 No "The credentials have expired or were revoked."
        AUTH_NO_EMAIL "auth_no_email" 403 7 -32014 No "The session has no verified email address."
    }
    channel "Channels, pairing and their life cycle" {
        CHANNEL_NOT_FOUND "channel_not_found" 404 5 -32015 No "The channel does not exist."
        CHANNEL_ACCESS_DENIED "channel_access_denied" 403 7 -32016 No "This key belongs to a different channel."
        CHANNEL_UNAVAILABLE "channel_unavailable" 409 9 -32017 No "The channel is not connected."
        CHANNEL_SCOPED_KEY "channel_scoped_key" 403 7 -32018 No "A key scoped to one channel cannot call a multi-channel route."
        INVALID_LIFECYCLE_TRANSITION "invalid_lifecycle_transition" 409 9 -32019 No "The channel cannot make this transition from its current state."
        PAIR_CODE_UNAVAILABLE "pair_code_unavailable" 409 9 -32020 No "The channel's state does not allow a pair code right now."
        PAIR_CODE_FAILED "pair_code_failed" 502 14 -32021 Backoff "The upstream rejected the pair code request."
        NO_QR "no_qr" 409 14 -32022 Backoff "No QR code is available for the channel's current state."
        NOT_DISABLED "not_disabled" 409 9 -32023 No "The channel is not disabled."
        PLAN_CHANNEL_LIMIT "plan_channel_limit" 402 8 -32025 No "The plan's channel limit is reached."
    }
    quota {
        RATE_LIMITED ["TOO_MANY_REQUESTS"] "rate_limited" 429 8 -32026 Backoff "Too many requests."
        WORKER_AT_CAPACITY "worker_at_capacity" 503 14 -32027 Backoff "No worker has a free slot right now."
    }
    media "Media and webhooks" {
        WEBHOOK_ENDPOINT_NOT_FOUND "webhook_endpoint_not_found" 404 5 -32028 No "The webhook endpoint does not exist."
        MEDIA_GONE "media_gone" 410 5 -32029 Refresh "The media is no longer cached."
    }
    generic {
        INVALID_REQUEST ["UNPROCESSABLE_CONTENT" "UNPROCESSABLE_ENTITY"] "invalid_request" 400 3 -32602 No "The request failed validation."
            => r#"{"type":"object","properties":{"issues":{"description":"What is wrong, and where.","type":"array","items":{"type":"object","properties":{"path":{"description":"Names and indices that lead to the value; empty for the whole request.","type":"array","items":{"anyOf":[{"type":"string"},{"type":"integer","minimum":0}]}},"message":{"type":"string"},"code":{"type":"string"}},"required":["path","message"]},"minItems":1}},"required":["issues"]}"#
        NOT_FOUND "not_found" 404 5 -32030 No "Not found."
        BAD_REQUEST "bad_request" 400 3 -32600 No "The request is malformed."
        CONCURRENT_MODIFICATION "concurrent_modification" 409 10 -32024 Refresh "Another write changed the same resource first."
        NO_OP "no_op" 409 9 -32031 No "Already in the requested state."
        OTHER ["BAD_GATEWAY"] "other" 502 14 -32603 Backoff "An upstream provider failed."
        INTERNAL_ERROR ["INTERNAL_SERVER_ERROR"] "internal_error" 500 13 -32603 Backoff "An unexpected error occurred."
    }
    status {
        PAYMENT_REQUIRED "payment_required" 402 9 -32032 No "Payment is required."
        FORBIDDEN "forbidden" 403 7 -32033 No "Not allowed."
        METHOD_NOT_ALLOWED "method_not_allowed" 405 12 -32601 No "The method is not allowed for this resource."
        NOT_ACCEPTABLE "not_acceptable" 406 3 -32034 No "No acceptable representation."
        REQUEST_TIMEOUT "request_timeout" 408 4 -32035 Backoff "The request timed out."
        CONFLICT "conflict" 409 9 -32036 No "The request conflicts with the resource's current state."
        GONE "gone" 410 5 -32037 No "The resource is gone."
        LENGTH_REQUIRED "length_required" 411 3 -32038 No "A Content-Length is required."
        PRECONDITION_FAILED "precondition_failed" 412 9 -32039 Refresh "A precondition failed."
        PAYLOAD_TOO_LARGE ["CONTENT_TOO_LARGE"] "payload_too_large" 413 8 -32040 No "The request body is too large."
            => r#"{"type":"object","properties":{"limit_bytes":{"description":"The most bytes that a body may have.","type":"integer","minimum":0}}}"#
        URI_TOO_LONG "uri_too_long" 414 3 -32041 No "The request target is too long."
        UNSUPPORTED_MEDIA_TYPE "unsupported_media_type" 415 3 -32043 No "Content-Type must be application/json."
        RANGE_NOT_SATISFIABLE "range_not_satisfiable" 416 11 -32044 No "The requested range cannot be satisfied."
        EXPECTATION_FAILED "expectation_failed" 417 9 -32045 No "The Expect header cannot be met."
        MISDIRECTED_REQUEST "misdirected_request" 421 3 -32046 No "This server does not answer for that host."
        LOCKED "locked" 423 14 -32047 Backoff "The resource is locked."
        TOO_EARLY "too_early" 425 14 -32048 Backoff "The request arrived as early data; send it again."
        UPGRADE_REQUIRED "upgrade_required" 426 9 -32049 No "A protocol upgrade is required."
        PRECONDITION_REQUIRED "precondition_required" 428 9 -32050 Refresh "The request must be conditional."
        HEADERS_TOO_LARGE ["REQUEST_HEADER_FIELDS_TOO_LARGE"] "headers_too_large" 431 8 -32051 No "The request headers are too large."
        UNAVAILABLE_FOR_LEGAL_REASONS "unavailable_for_legal_reasons" 451 7 -32052 No "Unavailable for legal reasons."
        NOT_IMPLEMENTED "not_implemented" 501 12 -32601 No "Not implemented."
        SERVICE_UNAVAILABLE "service_unavailable" 503 14 -32053 Backoff "The service is unavailable."
        GATEWAY_TIMEOUT "gateway_timeout" 504 4 -32054 Backoff "The service did not answer in time."
    }
}

/// Returns the row that is used for an error status (R1).
pub(super) const fn of_status(status: u16) -> &'static Row {
    match status {
        400..=599 => BY_STATUS[status as usize - 400],
        _ => &rows::INTERNAL_ERROR,
    }
}

/// Fails to compile, because a variant sets this status but names no code. The compiler's error points to the call.
#[track_caller]
pub const fn code_missing(status: u16) -> ErrorCode {
    panic!("{}", CODE_MISSING[of_status(status).place])
}

/// Fails to compile, because a variant uses HTTP's name of this status as its code, and the catalogue has no code with
/// that name.
#[track_caller]
pub const fn code_of_http(status: u16) -> ErrorCode {
    let row = of_status(status);
    panic!("{}", if row.status == status { CODE_OF_STATUS[row.place] } else { CODE_WITH_STATUS[row.place] })
}

static BY_STATUS: [&Row; 200] = {
    let mut rows = [&rows::INTERNAL_ERROR; 200];
    let mut at = 0;
    while at < rows.len() {
        rows[at] = search(at as u16 + 400);
        at += 1;
    }
    rows
};

const fn search(status: u16) -> &'static Row {
    match status {
        401 => &rows::AUTH_INVALID,
        404 => &rows::NOT_FOUND,
        422 => &rows::INVALID_REQUEST,
        429 => &rows::RATE_LIMITED,
        502 | 520..=527 => &rows::OTHER,
        529 => &rows::WORKER_AT_CAPACITY,
        _ => {
            let mut at = 0;
            while at < ROWS.len() {
                if ROWS[at].of_status && ROWS[at].status == status {
                    return ROWS[at];
                }
                at += 1;
            }
            if status >= 400 && status <= 499 { &rows::BAD_REQUEST } else { &rows::INTERNAL_ERROR }
        }
    }
}

/// Returns the row with this name, in any letter case.
pub(super) const fn find(name: &[u8]) -> Option<&'static Row> {
    let mut at = 0;
    while at < ROWS.len() {
        if ROWS[at].name.as_bytes().eq_ignore_ascii_case(name) {
            return Some(ROWS[at]);
        }
        at += 1;
    }
    None
}

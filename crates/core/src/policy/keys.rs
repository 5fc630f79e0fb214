//! The keys of a route, in the order of the manual. There is one row for each key, and every list of keys is made from
//! the rows (rule G0).
//!
//! A new key needs a row, and the code that reads it. The row makes the setters of [`Route`](super::Route) too. `crates/cli/src/policy.schema.json` and the list in
//! `manual/policy.md` are generated from the rows: the comment of a row is the description in the schema, and `manual`
//! is the comment in the manual.
//!
//! `KEY: TYPE` is the type of what a table may set. The resolved value may have another type, and belongs to one of
//! three groups:
//!
//! - `reply`: how errors are written. It outlives the guards. A `bit` is the same for a `bool`, and is stored as a bit.
//! - `guard`: what is required of a request. If readings of a path have the same values, they have the same guards.
//! - `path`: which readings a path has, and what to do if they differ.
//!
//! If no table sets the key, `= DEFAULT` applies, else the default of the type. A list of names, or a page, is stored
//! `by` a function of [`Lists`]. `weaker` names the function that tests whether the first of two values requires less
//! of a request than the second; these functions belong to the reader of files.

use super::choice::{
    BodyLimitPer, EventStreams, ExtProcBodies, LetterCase, Mode, NoTransform, Paths, Preflight, Protocols, UnknownCodes,
};
use super::compile::lists::{DialectIndex, Index, ListIndex, Lists};
use crate::dialect::DialectName;
use crate::guard::content_type::JSON;
use crate::page::ErrorPage;
use crate::table::{Kind, SettingError, tables};

/// Enough for the JSON of nearly every API, and little enough that a thousand bodies fit into memory.
pub(super) const DEFAULT_BODY_LIMIT: u64 = 1024 * 1024;

macro_rules! keys {
    ($(
        $(#[doc = $about:literal])+
        #[manual = $note:literal]
        $(#[rust = $more:literal])?
        $key:ident: $value:ident
        $(, reply $reply:ty $(= $reply_default:expr)? $(, by $reply_list:ident)? $(, weaker $reply_weaker:ident)?)?
        $(, bit $bit:ty $(= $bit_default:expr)?)?
        $(, guard $guard:ty $(= $guard_default:expr)? $(, by $guard_list:ident)?, weaker $guard_weaker:ident)?
        $(, path $path:ty, weaker $path_weaker:ident)?;
    )*) => {
        tables! {
            /// The keys that `[defaults]` and a route may have.
            pub(crate) struct RouteTable {
                $($(#[doc = $about])+ $key: $value,)*
            }
        }

        #[cfg(feature = "policy-file")]
        impl RouteTable {
            pub(crate) const OF_REPLIES: &[&'static str] = &[$($(name_of!($key, $reply),)? $(name_of!($key, $bit),)?)*];

            /// The settings that apply if no table sets anything.
            pub(crate) fn defaults() -> Self {
                Self { $($key: Some(default!($value $($(, $reply_default)?)? $($(, $bit_default)?)? $($(, $guard_default)?)?)),)* }
            }
        }

        /// [`RouteTable`] in which lists are replaced by their indices in the policy.
        #[derive(Clone, Debug, Default)]
        pub(super) struct PartialSettings {$(
            $(pub(super) $key: Option<$reply>,)?
            $(pub(super) $key: Option<$bit>,)?
            $(pub(super) $key: Option<$guard>,)?
            $(pub(super) $key: Option<$path>,)?
        )*}

        impl PartialSettings {
            /// `lists` stores each different list, and returns its index. An empty list has none.
            pub(super) fn new(keys: &RouteTable, lists: &mut Lists, refuse: &mut dyn FnMut(SettingError)) -> Self {
                let content_types = keys.media_types().map_err(&mut *refuse).ok().flatten();
                let keys = RouteTable { content_types, ..keys.clone() };
                Self {$(
                    $($key: stored!($reply, keys.$key $(, lists.$reply_list, refuse)?),)?
                    $($key: stored!($bit, keys.$key),)?
                    $($key: stored!($guard, keys.$key $(, lists.$guard_list, refuse)?),)?
                    $($key: stored!($path, keys.$key),)?
                )*}
            }

            /// Takes the settings that are not set yet from a less specific table.
            pub(super) fn inherit(&mut self, wider: &Self) {$(
                $(self.$key = Option::<$reply>::or(self.$key, wider.$key);)?
                $(self.$key = Option::<$bit>::or(self.$key, wider.$key);)?
                $(self.$key = Option::<$guard>::or(self.$key, wider.$key);)?
                $(self.$key = Option::<$path>::or(self.$key, wider.$key);)?
            )*}

            pub(super) fn with_defaults(self, part: u16, route: Option<Index>) -> Settings {
                Settings {
                    response_settings: ResponseSettings {
                        $($($key: self.$key.unwrap_or(default!($reply $(, $reply_default)?)),)?)*
                        bits: 0 $($(| Bit::$key.set(self.$key.unwrap_or(default!($bit $(, $bit_default)?))))?)*,
                        part,
                        route,
                    },
                    $(
                        $($key: self.$key.unwrap_or(default!($guard $(, $guard_default)?)),)?
                        $($key: self.$key.unwrap_or(default!($path)),)?
                    )*
                }
            }
        }

        /// The settings for one request.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct Settings {
            /// The settings for responses. They are one value, so that a request can keep them with one move.
            pub(crate) response_settings: ResponseSettings,
            $(
                $(pub(crate) $key: $guard,)?
                $(pub(crate) $key: $path,)?
            )*
        }

        /// The settings that outlive the guards: how errors are written.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct ResponseSettings {
            $($(pub(crate) $key: $reply,)?)*
            /// One bit for each [`Bit`].
            pub(crate) bits: u8,
            /// The index of the narrowest scope; 0 is the policy itself.
            pub(crate) part: u16,
            pub(crate) route: Option<Index>,
        }

        /// The keys for responses that are either on or off.
        #[allow(non_camel_case_types, reason = "each has the name of its key")]
        #[derive(Clone, Copy)]
        enum Bit {
            $($(#[doc = stringify!($bit)] $key,)?)*
        }

        #[cfg_attr(not(feature = "redact"), allow(dead_code, reason = "nothing reads `redact` then"))]
        impl ResponseSettings {$($(
            #[inline]
            pub(crate) const fn $key(&self) -> $bit {
                self.bits & Bit::$key.set(true) != 0
            }
        )?)*}

        impl Settings {
            /// Whether the guards of both require the same in the same mode, so that it is enough to apply one of them.
            pub(super) fn guards_like(&self, other: &Self) -> bool {
                self.response_settings.mode == other.response_settings.mode $($(&& <$guard>::eq(&self.$key, &other.$key))?)*
            }
        }
    };
}

impl Bit {
    const fn set(self, is_set: bool) -> u8 {
        (is_set as u8) << self as u8
    }
}

#[cfg(feature = "policy-file")]
macro_rules! name_of {
    ($key:ident, $_:ty) => {
        stringify!($key)
    };
}

macro_rules! default {
    ($type:ty) => {
        <$type>::default()
    };
    ($type:ty, $default:expr) => {
        $default
    };
}

macro_rules! stored {
    ($type:ty, $value:expr) => {
        $value
    };
    ($type:ty, $value:expr, $lists:ident.$place:ident, $refuse:ident) => {
        $value.as_ref().and_then(|value| $lists.$place(value).map_err(&mut *$refuse).ok())
    };
}

/// Calls a macro with all rows.
macro_rules! for_each_key {
    ($call:ident $($with:tt)*) => {
        $call! {
            $([$with])*
            // The text for the schema, which is not a comment.
            #[doc = " How much the layer does (M1). `off`: only request ids, responses to failures, and credentials."]
            /// `observe`: also logs what `enforce` would do. `own`: guards also refuse requests. `fill`: also rewrites
            /// empty, HTML and plain-text errors. `enforce`: rewrites all errors.
            #[manual = r#""off", "observe", "own", "fill", "enforce": see rolling-out.md"#]
            mode: Mode, reply Mode, weaker guards_nothing;
            /// The form of errors for clients (R2, R12): a built-in dialect, or one of the policy's shapes with a
            /// template (R15).
            #[manual = "or {dialects}"]
            dialect: DialectName, reply DialectIndex, by dialect;
            /// A client that prefers `application/problem+json` gets RFC 9457 (R11).
            #[manual = "a client that prefers application/problem+json gets RFC 9457"]
            negotiate: bool, bit bool = true;
            /// What clients get for a well-formed code that is neither in the catalogue nor in the policy (E2): the
            /// code itself, or the code of its status.
            #[manual = r#""by_status": an unknown code is replaced by the code of its status"#]
            unknown_codes: UnknownCodes, reply UnknownCodes;
            /// The longest request body, in bytes or with KiB, MiB or GiB (G4). In RPC streams it limits each message.
            /// `"none"` removes the limit.
            #[manual = r#"bytes, or with KiB, MiB, GiB; "none" lifts it; see "Body limits""#]
            #[rust = "The framework inside has a limit of its own, which still applies. axum's extractors read at most 2 MiB. To read more, set axum's `DefaultBodyLimit` on the same routes as well."]
            body_limit: Limit, guard Option<u64> = Some(DEFAULT_BODY_LIMIT), weaker larger;
            /// What the limit counts if a request's content type is that of an RPC stream: each message, or the whole
            /// body (P1).
            #[manual = r#"or "message", "body": what the limit counts in an RPC stream"#]
            body_limit_per: BodyLimitPer, guard BodyLimitPer, weaker counts_less;
            // Stored as `content_types`.
            /// Request bodies must be `application/json` (G3).
            #[manual = "true: request bodies must be application/json"]
            #[rust = "The type must be exactly this one: `application/vnd.api+json` gets 415, although the `Json` of axum and of this crate would read it. For such bodies, use `.content_types([\"application/json\", \"application/vnd.api+json\"])` instead."]
            json: bool;
            /// The media types that the route decodes, instead of `json` (G3).
            #[manual = "instead of json: the media types that the route decodes"]
            content_types: Names, guard Option<Index>, by intern_types, weaker lets_more_in;
            /// Names of [auth.*] tables. Any one of them lets the request in; an empty list requires no credentials
            /// (G2).
            #[manual = "names of [auth.*]: any one of them lets the request in; [] is open"]
            auth: Names, guard Option<Index>, by intern_schemes, weaker lets_more_in;
            /// Credentials are checked, but a failed check is only logged (M1).
            #[manual = "true: credentials are checked and logged; a request without valid ones passes"]
            auth_observe: bool, guard bool, weaker enforces_less;
            // Bad credentials are refused all the same: a client that sends some expects to be recognised.
            /// A request without credentials passes, without an identity. Credentials that are sent are still checked
            /// (G2).
            #[manual = "true: a request without credentials passes; credentials that are sent are checked"]
            auth_optional: bool, guard bool, weaker enforces_less;
            /// Names of [header.*] tables. A request must have all of these headers (G1).
            #[manual = "names of [header.*]: a request must have all of them"]
            require_headers: Names, guard Option<Index>, by intern_headers, weaker requires_fewer;
            /// Whether a service's error with `cache-control: no-transform` is rewritten or passes (R9).
            #[manual = r#""respect": an error with cache-control: no-transform passes"#]
            no_transform: NoTransform, reply NoTransform;
            /// Whether errors of GraphQL, tRPC, oRPC, JSON-RPC and OAuth keep their shape or become envelopes (R10).
            #[manual = r#""rewrite": errors of GraphQL, tRPC, oRPC, JSON-RPC and OAuth become envelopes, too"#]
            protocols: Protocols, reply Protocols;
            /// Names of fields that are copied from the body of a foreign 4xx into `details` (R14).
            #[manual = "names of fields of a foreign 4xx body that pass into `details`"]
            keep_fields: Names, reply Option<ListIndex>, by intern_fields;
            /// `[redacted]` replaces secrets in the texts of foreign 4xx errors (R17): keys, tokens, cookies,
            /// passwords, connection strings, e-mail addresses.
            #[manual = "true: secrets in the texts of foreign 4xx errors are replaced (R17)"]
            #[rust = "Codes, paths of issues, and errors that are already envelopes do not change."]
            redact: bool, bit bool;
            /// Whether CORS preflights skip the guards or are guarded (G0).
            #[manual = r#""guard": the guards apply to CORS preflights, too"#]
            preflight: Preflight, guard Preflight, weaker passes_preflights;
            /// How to treat a path whose readings match routes with different guards: apply all guards, or return 400
            /// (G0).
            #[manual = r#""refuse": 400 for a path whose readings match different guards"#]
            paths: Paths, path Paths, weaker reads_on;
            /// Whether guards ignore or compare the ASCII letter case of paths (G0).
            #[manual = r#""exact": guards treat /Admin and /admin as different paths"#]
            case: LetterCase, path LetterCase, weaker distinguishes_case;
            /// How to end an event stream that is cut off between two events: with nothing, or with an error event
            /// (F6).
            #[manual = r#""append_error": an event stream that breaks off ends with an error event"#]
            event_streams: EventStreams, reply EventStreams;
            /// How the external processor treats an error without a declared length: its head decides, or Envoy buffers
            /// its body. Other adapters ignore this key (R4).
            #[manual = r#""buffered": ext-proc reads errors without a length"#]
            ext_proc_bodies: ExtProcBodies, reply ExtProcBodies;
            /// Clients whose Accept prefers text/html to JSON get an error page: the built-in one, or a template file
            /// of at most 64 KiB (R16).
            #[manual = r#"true, or a template file: an error page; see "A page for browsers""#]
            html: ErrorPage, reply Option<ListIndex>, by intern_page;
            /// Scripts of other origins may read the request id, the code and retry-after (E4).
            #[manual = "browsers may read the id, the code and retry-after"]
            expose_headers: bool, bit bool = true;
        }
    };
}

pub(crate) use for_each_key;

/// The most bytes of a body; `None` if there is no limit.
pub(crate) type Limit = Option<u64>;
pub(crate) type Names = Vec<String>;

for_each_key!(keys);

impl RouteTable {
    #[cfg(feature = "policy-file")]
    /// Joins the settings of both tables; if both set a key, this table's value counts.
    pub(crate) fn over_base(self, base: Self) -> Self {
        let sets_types = self.json.is_some() || self.content_types.is_some();
        self.overriding(if sets_types { Self { json: None, content_types: None, ..base } } else { base })
    }

    /// The media types that the table requires. `json` and `content_types` are two ways to set them: a narrower route's
    /// value replaces a wider one's, in whichever way each is set.
    pub(crate) fn media_types(&self) -> Result<Option<Vec<String>>, SettingError> {
        let json = || Some(vec![JSON.to_owned()]);
        match (self.json, &self.content_types) {
            (Some(true), Some(types)) if !types.is_empty() => {
                let right = "keep one of them; a list may name application/json, too";
                Err(SettingError::new("content_types", "json = true and content_types are mutually exclusive", right)
                    .of_kind(Kind::Conflict))
            }
            (Some(true), _) => Ok(json()),
            (_, Some(types)) => Ok(Some(types.clone())),
            (Some(false), None) => Ok(Some(Vec::new())),
            (None, None) => Ok(None),
        }
    }
}

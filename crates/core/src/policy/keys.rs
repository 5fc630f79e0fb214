//! The keys of a route, in the order of the manual. There is one row for each key, and every list of keys is made from
//! the rows (rule G0).
//!
//! A new key needs a row, and the code that reads it. The row makes the setters of [`RouteRule`](super::RouteRule) too.
//! `crates/cli/src/policy.schema.json` and the list in `manual/policy.md` are generated from the rows: the comment of a
//! row is the description in the schema, and `manual` is the comment in the manual.
//!
//! `KEY: TYPE` is the type of the value that a table may set. `= DEFAULT` is the value that applies if no table sets
//! the key. Without `= DEFAULT`, the default of the type applies. `=> MADE, by` is the type into which the value is
//! made when the policy is built, and the function of [`Names`] that makes it.
//!
//! `guard` marks a key that decides what is required of a request. If readings of a path have the same values of these
//! keys, they have the same guards. `guard` also tests whether the first of two values requires less than the second,
//! as `weaker` does for other keys.

use std::sync::Arc;

use super::choice::{
    BodyLimitPer, EventStreams, ExtProcBodies, LetterCase, Mode, NoTransform, Paths, Preflight, Protocols, UnknownCodes,
};
use super::names::{Names, Shared};
use crate::dialect::{Dialect, DialectName};
use crate::guard::auth::Scheme;
use crate::guard::content_type::{JSON, MediaTypes};
use crate::guard::header::HeaderGuard;
use crate::page::{ErrorPage, PageTemplate};
use crate::table::{Kind, Refusals, SettingError, tables};

/// The default limit of a request body. The limit is enough for the JSON of nearly every API, and small enough that a
/// thousand bodies fit into memory.
pub(super) const DEFAULT_BODY_LIMIT: u64 = 1024 * 1024;

macro_rules! keys {
    ($(
        $(#[doc = $about:literal])+
        #[manual = $note:literal]
        $(#[rust = $more:literal])?
        $(#[guard($guard:expr)])?
        $(#[weaker($weaker:expr)])?
        $key:ident: $value:ident $(=> $made:ty, by $make:ident)? $(= $default:expr)?;
    )*) => {
        tables! {
            /// The keys that `[defaults]` and a route may have.
            pub(crate) struct RouteTable {
                $($(#[doc = $about])+ $key: $value,)*
            }
        }

        #[cfg(feature = "policy-file")]
        impl RouteTable {
            /// The keys that decide what is required of a request.
            pub(crate) const GUARDS: &[&'static str] =
                &[stringify!(json), $($(name_of!($key, $guard),)? $(name_of!($key, $weaker),)?)*];

            /// Returns the settings that apply if no table sets anything.
            pub(crate) fn defaults() -> Self {
                Self { $($key: Some(default!($value $(, $default)?)),)* }
            }

            /// Returns true if both tables set the key, and this table requires less of a request than `base`.
            pub(crate) fn weakens(&self, base: &Self, key: &str) -> bool {
                let types = |keys: &Self| Self { content_types: keys.media_types().ok().flatten(), ..keys.clone() };
                let (own, base) = (types(self), types(base));
                match if key == "json" { "content_types" } else { key } {
                    $(
                        $(stringify!($key) => is_weaker(&own.$key, &base.$key, $guard),)?
                        $(stringify!($key) => is_weaker(&own.$key, &base.$key, $weaker),)?
                    )*
                    _ => false,
                }
            }
        }

        /// The settings that apply to a request. Each key is set. All requests for which the same tables decide share
        /// these settings.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub(crate) struct RouteSettings {
            $(pub(crate) $key: made!($value $(, $made)?),)*
            /// The index of the narrowest scope, where 0 is the policy itself.
            pub(crate) part: u16,
            /// The most specific route that matches.
            pub(crate) route: Option<u32>,
            /// The mode that the policy sets, if a kill switch has replaced it by `off`.
            pub(crate) switched_from: Option<Mode>,
        }

        impl Default for RouteSettings {
            fn default() -> Self {
                Self::inherited(&mut std::iter::empty(), 0, None)
            }
        }

        impl RouteSettings {
            /// Returns true if the guards of both settings have the same requirements in the same mode, so that it is
            /// enough to apply the guards of one of them.
            pub(super) fn guards_like(&self, other: &Self) -> bool {
                self.mode == other.mode $($(&& is_same!(self.$key, other.$key, $guard))?)*
            }
        }

        /// A table whose names are replaced by the values to which they refer.
        #[derive(Clone, Debug, Default)]
        pub(super) struct LinkedTable {
            $(pub(super) $key: Option<made!($value $(, $made)?)>,)*
        }

        impl LinkedTable {
            pub(super) fn new(keys: &RouteTable, names: &mut Names, refusals: &mut Refusals) -> Self {
                let content_types = refusals.keep(keys.media_types()).flatten();
                let keys = RouteTable { content_types, markdown: keys.offers_markdown(), ..keys.clone() };
                Self { $($key: keys.$key.and_then(|value| linked!(value, names, refusals $(, $make)?)),)* }
            }
        }

        impl RouteSettings {
            /// Joins the settings of these tables. For each key, the first table that sets the key decides.
            pub(super) fn inherited(
                tables: &mut dyn Iterator<Item = &LinkedTable>,
                part: u16,
                route: Option<u32>,
            ) -> Self {
                let mut first = LinkedTable::default();
                for table in tables {
                    $(if first.$key.is_none() {
                        first.$key.clone_from(&table.$key);
                    })*
                }
                Self {
                    $($key: first.$key.unwrap_or_else(|| default!(made!($value $(, $made)?) $(, $default)?)),)*
                    part,
                    route,
                    switched_from: None,
                }
            }
        }
    };
}

#[cfg(feature = "policy-file")]
macro_rules! name_of {
    ($key:ident, $_:expr) => {
        stringify!($key)
    };
}

macro_rules! made {
    ($value:ident) => {
        $value
    };
    ($value:ident, $made:ty) => {
        $made
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

macro_rules! is_same {
    ($one:expr, $other:expr, $_:expr) => {
        $one == $other
    };
}

macro_rules! linked {
    ($value:ident, $names:ident, $refusals:ident) => {
        Some($value)
    };
    ($value:ident, $names:ident, $refusals:ident, $make:ident) => {
        $names.$make(&$value, $refusals)
    };
}

impl RouteSettings {
    /// Returns the index of the narrowest scope, where 0 is the policy itself.
    #[inline]
    pub(crate) fn part(&self) -> u32 {
        self.part.into()
    }

    #[inline]
    pub(crate) fn label(&self) -> LogLabel {
        LogLabel { mode: self.mode, switched_from: self.switched_from, route: self.route, part: self.part }
    }

    /// Returns true if a client may choose a page (R16, R18).
    #[inline]
    pub(crate) fn has_pages(&self) -> bool {
        self.html.is_some() || self.markdown
    }

    /// Returns true if the settings belong to a route or a scope.
    pub(super) fn has_place(&self) -> bool {
        self.route.is_some() || self.part > 0
    }

    /// Returns these settings, changed so that they accept any content type.
    pub(super) fn without_types(self: &Arc<Self>) -> Arc<Self> {
        match self.content_types.is_none() {
            true => self.clone(),
            false => Arc::new(Self { content_types: Shared::default(), ..Self::clone(self) }),
        }
    }

    /// Returns true if the guards only check the type and the size of a body, and the mode enforces them.
    #[inline]
    pub(crate) fn guards_bodies_alone(&self) -> bool {
        self.require_headers.is_none() && self.auth.is_none() && self.mode.is_enforced()
    }
}

/// The part of the settings that outlives the session, because the log needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LogLabel {
    pub(crate) mode: Mode,
    /// The mode that the policy sets, if a kill switch has replaced it by `off`.
    pub(crate) switched_from: Option<Mode>,
    pub(super) route: Option<u32>,
    /// The index of the narrowest scope, where 0 is the policy itself.
    pub(super) part: u16,
}

impl LogLabel {
    #[inline]
    pub(crate) fn has_route(self) -> bool {
        self.route.is_some()
    }
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
            #[weaker(|own, base| base.is_enforced() && !own.is_enforced())]
            mode: Mode;
            /// The form of errors for clients (R2, R12): a built-in dialect, or one of the policy's shapes with a
            /// template (R15).
            #[manual = "or {dialects}"]
            dialect: DialectName => Dialect, by dialect;
            /// A client that prefers `application/problem+json` gets RFC 9457 (R11).
            #[manual = "a client that prefers application/problem+json gets RFC 9457"]
            negotiate: bool = true;
            /// The treatment of a well-formed code that is neither in the catalogue nor in the policy (E2). Clients get
            /// the code itself, or the code of its status.
            #[manual = r#""by_status": an unknown code is replaced by the code of its status"#]
            unknown_codes: UnknownCodes;
            /// The longest request body, in bytes or with KiB, MiB or GiB (G4). In RPC streams the limit applies to
            /// each message. `"none"` removes the limit.
            #[manual = r#"bytes, or with KiB, MiB, GiB; "none" lifts it; see "Body limits""#]
            #[rust = "The framework inside has a limit of its own, which still applies. axum's extractors read at most 2 MiB. To read more, set axum's `DefaultBodyLimit` on the same routes as well."]
            #[guard(|own, base| own.unwrap_or(u64::MAX) > base.unwrap_or(u64::MAX))]
            body_limit: Limit = Some(DEFAULT_BODY_LIMIT);
            /// The unit to which the limit applies if a request's content type is that of an RPC stream (P1): each
            /// message, or the whole body.
            #[manual = r#"or "message", "body": what the limit counts in an RPC stream"#]
            #[guard(|own, base| own.counts_less_than(*base))]
            body_limit_per: BodyLimitPer;
            /// Request bodies must be `application/json` (G3).
            #[manual = "true: request bodies must be application/json"]
            #[rust = "The type must be exactly this one: `application/vnd.api+json` gets 415, although the `Json` of axum and of this crate would read it. For such bodies, use `.content_types([\"application/json\", \"application/vnd.api+json\"])` instead."]
            json: bool => (), by as_content_type;
            /// The media types that the route decodes, instead of `json` (G3).
            #[manual = "instead of json: the media types that the route decodes"]
            #[guard(lets_more_in)]
            content_types: Texts => Shared<MediaTypes>, by media_types;
            /// Names of [auth.*] tables. A request needs the credentials of only one of these tables. An empty list
            /// requires no credentials (G2).
            #[manual = "names of [auth.*]: any one of them lets the request in; [] is open"]
            #[guard(lets_more_in)]
            auth: Texts => Shared<[Arc<Scheme>]>, by schemes;
            /// Credentials are checked, but a failed check is only logged (M1).
            #[manual = "true: credentials are checked and logged; a request without valid ones passes"]
            #[guard(|own, base| *own && !*base)]
            auth_observe: bool;
            // Bad credentials are still refused, because a client that sends credentials expects to be recognised.
            /// A request without credentials passes, without an identity. Credentials that are sent are still checked
            /// (G2).
            #[manual = "true: a request without credentials passes; credentials that are sent are checked"]
            #[rust = "Handlers take an `Option<Identity>`."]
            #[guard(|own, base| *own && !*base)]
            auth_optional: bool;
            /// Names of [header.*] tables. A request must have all of these headers (G1).
            #[manual = "names of [header.*]: a request must have all of them"]
            #[guard(|own, base| base.iter().any(|name| !own.contains(name)))]
            require_headers: Texts => Shared<[HeaderGuard]>, by headers;
            /// The treatment of a service's error with `cache-control: no-transform`: it is rewritten, or it passes
            /// (R9).
            #[manual = r#""respect": an error with cache-control: no-transform passes"#]
            no_transform: NoTransform;
            /// The treatment of errors of GraphQL, tRPC, oRPC, JSON-RPC, OAuth and products with an SDK. These errors
            /// keep their shape, or become envelopes (R10).
            #[manual = r#""rewrite": errors of GraphQL, tRPC, oRPC, JSON-RPC, OAuth and SDKs become envelopes, too"#]
            protocols: Protocols;
            /// Names of fields that are copied from the body of a foreign 4xx into `details` (R14).
            #[manual = "names of fields of a foreign 4xx body that pass into `details`"]
            keep_fields: Texts => Shared<[Box<str>]>, by fields;
            /// If true, the sentences and codes of a foreign 4xx body that no rule reads pass into `details` (rule E9).
            #[manual = "keep the sentences and codes of a 4xx body that no rule reads, in `details`"]
            keep_rest: bool = true;
            /// `[redacted]` replaces secrets in the texts of foreign 4xx errors (R17): keys, tokens, cookies,
            /// passwords, connection strings, e-mail addresses.
            #[manual = "true: secrets in the texts of foreign 4xx errors are replaced (R17)"]
            #[rust = "Codes, paths of issues, and errors that are already envelopes do not change."]
            redact: bool;
            /// The treatment of CORS preflights: they skip the guards, or are guarded (G0).
            #[manual = r#""guard": the guards apply to CORS preflights, too"#]
            #[guard(|own, base| (*own, *base) == (Preflight::Pass, Preflight::Guard))]
            preflight: Preflight;
            /// The treatment of a path whose readings match routes with different guards. All guards apply, or the
            /// request gets 400 (G0). A third choice is 400 for every path with characters that services read
            /// differently.
            #[manual = r#""refuse": 400 for a path whose readings match different guards; "plain": 400 unless all its characters are plain"#]
            #[weaker(|own, base| matches!((own, base), (Paths::Guard, Paths::Refuse | Paths::Plain) | (Paths::Refuse, Paths::Plain)))]
            paths: Paths;
            /// The treatment of the ASCII letter case of paths: guards ignore it, or compare it (G0).
            #[manual = r#""exact": guards treat /Admin and /admin as different paths"#]
            #[weaker(|own, base| (*own, *base) == (LetterCase::Exact, LetterCase::Fold))]
            case: LetterCase;
            /// The end of an event stream that is cut off between two events: nothing, or an error event (F6).
            #[manual = r#""append_error": an event stream that breaks off ends with an error event"#]
            event_streams: EventStreams;
            /// The treatment of an error without a declared length in the external processor (R4). The head of the
            /// error decides, or Envoy buffers the body. Other adapters ignore this key.
            #[manual = r#""buffered": ext-proc reads errors without a length"#]
            ext_proc_bodies: ExtProcBodies;
            /// Clients whose Accept prefers text/html to JSON get an error page. The page is built in, or a template
            /// file of at most 64 KiB (R16).
            #[manual = r#"true, or a template file: an error page; see "A page for browsers""#]
            html: ErrorPage => Shared<PageTemplate>, by page;
            /// Clients whose Accept prefers text/markdown to JSON get errors as Markdown (R18). A table that sets a
            /// dialect must also set this key to offer Markdown.
            #[manual = "agents that prefer text/markdown get Markdown; see \"Markdown for agents\""]
            markdown: bool;
            /// Scripts of other origins may read the request id, the code and retry-after (E4).
            #[manual = "browsers may read the id, the code and retry-after"]
            expose_headers: bool = true;
        }
    };
}

pub(crate) use for_each_key;

/// The maximum number of bytes of a body, or `None` if there is no limit.
pub(crate) type Limit = Option<u64>;
pub(crate) type Texts = Vec<String>;

for_each_key!(keys);

/// Returns true if both tables set the key, and the first value requires less.
#[cfg(feature = "policy-file")]
fn is_weaker<T>(own: &Option<T>, base: &Option<T>, weaker: fn(&T, &T) -> bool) -> bool {
    matches!((own, base), (Some(own), Some(base)) if weaker(own, base))
}

/// Returns true if the first list lets in requests that the second list refuses. A request needs only one name of a
/// list, and an empty list lets all requests in.
#[cfg(feature = "policy-file")]
#[allow(clippy::ptr_arg, reason = "the table's type for the key is a Vec")]
fn lets_more_in(own: &Vec<String>, base: &Vec<String>) -> bool {
    !base.is_empty() && (own.is_empty() || own.iter().any(|name| !base.contains(name)))
}

/// The keys by their names. `json` and `content_types` are two names for one setting.
#[cfg(feature = "policy-file")]
impl RouteTable {
    const CONTENT_TYPES: &str = "content_types";

    /// Returns the names of all settings, in the order of the manual. `json` also represents `content_types`.
    pub(crate) fn settings() -> impl Iterator<Item = &'static str> {
        Self::KEYS.iter().copied().filter(|key| *key != Self::CONTENT_TYPES)
    }

    /// Returns the names under which one of [`RouteTable::settings`] may be set.
    pub(crate) fn names_of(key: &'static str) -> &'static [&'static str] {
        let index = Self::KEYS.iter().position(|name| *name == key);
        match index {
            _ if key == "json" => &["json", Self::CONTENT_TYPES],
            Some(index) => &Self::KEYS[index..=index],
            None => &[],
        }
    }

    /// Returns the name and the value of one of [`RouteTable::settings`], as this table sets it.
    pub(crate) fn value_of(&self, key: &'static str) -> Option<(&'static str, String)> {
        // If both are set, the list decides, unless it is empty and `json` is true.
        let list_decides = |types: &Vec<String>| self.json != Some(true) || !types.is_empty();
        let is_list = key == "json" && self.content_types.as_ref().is_some_and(list_decides);
        let key = if is_list { Self::CONTENT_TYPES } else { key };
        Some((key, self.written(key)?))
    }

    /// Joins the settings of both tables. If both set a key, this table's value is used.
    pub(crate) fn over_base(self, base: Self) -> Self {
        let sets_types = self.json.is_some() || self.content_types.is_some();
        self.overriding(if sets_types { Self { json: None, content_types: None, ..base } } else { base })
    }
}

impl RouteTable {
    /// Returns the value that this table gives to one of [`RouteTable::settings`], even if another key of the table
    /// implies it.
    #[cfg(feature = "policy-file")]
    pub(crate) fn effective_value_of(&self, key: &'static str) -> Option<(&'static str, String)> {
        let markdown = || Some((key, self.offers_markdown().filter(|_| key == "markdown")?.to_string()));
        self.value_of(key).or_else(markdown)
    }

    /// Returns whether the table offers Markdown (R18). A table that sets a dialect, but not this key, offers only that
    /// dialect.
    fn offers_markdown(&self) -> Option<bool> {
        let is_other = |dialect: &DialectName| *dialect != DialectName::from(Dialect::Standard);
        self.markdown.or_else(|| self.dialect.as_ref().is_some_and(is_other).then_some(false))
    }

    /// Returns the media types that the table requires. `json` and `content_types` are two ways to set these types. A
    /// narrower route's value replaces a wider route's value, even if the two routes use different keys.
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

//! The keys of a route, in the order of the manual. There is one row for each key, and every list of keys is made from
//! the rows (rule G0).
//!
//! A new key needs a row, and the code that reads it. The row makes the setters of [`RouteRule`](super::RouteRule) too.
//! The comment of a row is its description in `crates/cli/src/policy.schema.json`, from which the tables in
//! `manual/policy.md` are made.
//!
//! `KEY: TYPE` is the type of the value that a table may set. `= DEFAULT` is the value that applies if no table sets
//! the key. Without `= DEFAULT`, the default of the type applies. `=> MADE, by` is the type into which the value is
//! made when the policy is built, and the function of [`Names`] that makes it.
//!
//! `guard` marks a key that decides what is required of a request. If readings of a path have the same values of these
//! keys, they have the same guards. `guard`, and `weaker` for other keys, contain a function. The function returns true
//! if its first value requires less than its second value.

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

    /// Sets mode `off`, and keeps the own mode for records.
    pub(crate) fn switch_off(&mut self) {
        self.switched_from = Some(self.mode);
        self.mode = Mode::Off;
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
            /// The mode decides how much the layer does (M1). With `"off"`, the layer sets request ids, checks
            /// credentials and responds to failures. `"observe"` works like `"off"`, and the log also shows what
            /// `"enforce"` would do. With `"own"`, guards also refuse requests. `"fill"` works like `"own"`, and the
            /// layer also rewrites errors whose body is empty, HTML or plain text. With `"enforce"`, the layer rewrites
            /// all errors, except those that keep their shape (R10) or pass because of `no_transform` (R9).
            #[weaker(|own, base| base.is_enforced() && !own.is_enforced())]
            mode: Mode;
            /// The dialect is the form of errors for clients (R2, R12). It is a built-in dialect, or the NAME of a
            /// `[shape.NAME]` with `write` (R15).
            dialect: DialectName => Dialect, by dialect;
            /// If true, and the dialect is `"standard"`, a client that prefers `application/problem+json` gets errors
            /// in that form, which RFC 9457 defines (R11).
            negotiate: bool = true;
            /// This key applies to codes that are well formed, but neither in the catalogue nor in the policy (E2).
            /// Such a code comes from an envelope of another layer, or from a service's `x-error-code` if that header
            /// decides (R1). With `"keep"`, clients get this code. With `"by_status"`, clients get the code of the status
            /// instead.
            unknown_codes: UnknownCodes;
            /// A request body must not be longer than this limit, in bytes or with KiB, MiB or GiB (G4). In an RPC
            /// stream, the limit applies to each message. `"none"` removes the limit.
            #[rust = "The framework inside has a limit of its own, which still applies. axum's extractors read at most 2 MiB. To read more, set axum's `DefaultBodyLimit` on the same routes as well."]
            #[guard(|own, base| own.unwrap_or(u64::MAX) > base.unwrap_or(u64::MAX))]
            body_limit: Limit = Some(DEFAULT_BODY_LIMIT);
            /// This key decides what `body_limit` counts (P1). With `"auto"`, the limit applies to each message of an
            /// RPC, and to the whole body of any other request. With `"message"`, the limit applies to each message of
            /// an RPC with any path. With `"body"`, the limit applies to the whole body.
            #[guard(|own, base| own.counts_less_than(*base))]
            body_limit_per: BodyLimitPer;
            /// If true, a request with a body must declare the content type `application/json` (G3).
            #[rust = "The type must be exactly this one: `application/vnd.api+json` gets 415, although the `Json` of axum and of this crate would read it. For such bodies, use `.content_types([\"application/json\", \"application/vnd.api+json\"])` instead."]
            json: bool => (), by as_content_type;
            /// A request with a body must declare one of these media types (G3). An empty list allows every type. One
            /// table must not set both `json = true` and media types. A more specific table that sets `json` or this
            /// key replaces both, so `json = false` ends an inherited list.
            #[guard(lets_more_in)]
            content_types: Texts => Shared<MediaTypes>, by media_types;
            /// This list names `[auth.NAME]` tables. A request needs the credentials of only one of these tables (G2).
            /// An empty list requires no credentials.
            #[guard(lets_more_in)]
            auth: Texts => Shared<[Arc<Scheme>]>, by schemes;
            /// If true, credentials are checked, but a failed check is only logged (M1).
            #[guard(|own, base| *own && !*base)]
            auth_observe: bool;
            // Bad credentials are still refused, because a client that sends credentials expects to be recognised.
            /// If true, a request without credentials passes, without an identity. Credentials that are sent are still
            /// checked (G2).
            #[rust = "Handlers take an `Option<Identity>`."]
            #[guard(|own, base| *own && !*base)]
            auth_optional: bool;
            /// This list names `[header.NAME]` tables. A request must have all of these headers (G1).
            #[guard(|own, base| base.iter().any(|name| !own.contains(name)))]
            require_headers: Texts => Shared<[HeaderGuard]>, by headers;
            /// This key applies to a service's error with `cache-control: no-transform` (R9). With `"rewrite"`, the
            /// layer rewrites the error. With `"respect"`, the error passes unchanged.
            no_transform: NoTransform;
            /// This key applies to errors of GraphQL, tRPC, oRPC, JSON-RPC, OAuth and some products (R10). The products
            /// are AWS, Azure, Kubernetes, Elasticsearch, OpenSearch, OCI registries and Docker. With `"pass"`, these
            /// errors keep their shape. With `"rewrite"`, they become envelopes.
            protocols: Protocols;
            /// The layer copies the fields with these names from the body of a foreign 4xx into `details` (R14). It
            /// finds them in the object that is read as the error, such as the value of `error`, and at the top of the
            /// body. The names are not JSON pointers, and letter case matters.
            keep_fields: Texts => Shared<[Box<str>]>, by fields;
            /// If true, the sentences and codes of a foreign 4xx body that no rule reads stay in `details` (E9).
            keep_rest: bool = true;
            /// If true, `[redacted]` replaces secrets in the texts of foreign errors that clients get (R17). On a 5xx,
            /// such a text is, for example, a message that a `[[map]]` rule keeps. Secrets are keys, tokens, cookies,
            /// passwords, connection strings and email addresses.
            #[rust = "Codes, paths of issues, and errors that are already envelopes do not change."]
            redact: bool;
            /// This key applies to CORS preflights (G0). With `"pass"`, G1 to G3 do not apply to them. With
            /// `"guard"`, the guards apply as to any other request.
            #[guard(|own, base| (*own, *base) == (Preflight::Pass, Preflight::Guard))]
            preflight: Preflight;
            /// Services may read a path in several ways, and these readings may match routes with different guards or modes
            /// (G0). For example, `/pub/%2e%2e/admin` is also read as `/admin`. With `"guard"`, the guards of every
            /// reading apply. With `"refuse"`, a path whose readings have different guards or modes gets 400. With `"plain"`,
            /// every path gets 400 unless it is plain. A plain path contains only letters and digits of ASCII, `-`,
            /// `.`, `_`, `~` and `/`. It has no empty segment other than the last, and no dot segment.
            #[weaker(|own, base| matches!((own, base), (Paths::Guard, Paths::Refuse | Paths::Plain) | (Paths::Refuse, Paths::Plain)))]
            paths: Paths;
            /// With `"fold"`, the guards ignore the ASCII letter case of paths (G0). With `"exact"`, the guards treat
            /// `/Admin` and `/admin` as different paths.
            #[weaker(|own, base| (*own, *base) == (LetterCase::Exact, LetterCase::Fold))]
            case: LetterCase;
            /// This key applies to an event stream that is cut off between two events (F6). With `"break"`, the stream
            /// breaks off. With `"append_error"`, the stream ends with an error event.
            event_streams: EventStreams;
            /// This key applies to errors without a declared length in the external processor. With `"head"`, the
            /// head of the error decides its code. With `"buffered"`, Envoy buffers the body, and the external
            /// processor reads it. Other adapters ignore this key.
            ext_proc_bodies: ExtProcBodies;
            /// If true, a client whose `Accept` header prefers `text/html` to JSON gets an error page (R16). A text is
            /// the path of a template file for the page, relative to the policy file. The template has at most 64 KiB.
            html: ErrorPage => Shared<PageTemplate>, by page;
            /// If true, a client whose `Accept` header prefers `text/markdown` to JSON gets errors as Markdown (R18). A
            /// table that sets another dialect than `"standard"`, but not this key, ends an inherited `markdown =
            /// true`. A more specific table can set this key again.
            markdown: bool;
            /// If true, and the response has `access-control-allow-origin`, scripts of other origins may read the
            /// request id, the code and `retry-after` (E4).
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

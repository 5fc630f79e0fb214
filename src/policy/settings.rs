//! What a table says, what a route inherits, and what holds for one request in the end (rule G0).

use std::num::{NonZeroU8, NonZeroU32};
use std::ops::Deref;

use super::choice::{BodyLimitPer, LetterCase, Mode, NoTransform, Paths, Preflight, Protocols, UnknownCodes};
use crate::dialect::Dialect;
use crate::guard::content_type::JSON;
use crate::guard::pattern::Refused;

/// What one table says.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) mode: Option<Mode>,
    pub(super) dialect: Option<Dialect>,
    pub(super) auth: Option<Vec<String>>,
    pub(super) auth_observe: Option<bool>,
    pub(super) body_limit: Option<Option<u64>>,
    pub(super) body_limit_per: Option<BodyLimitPer>,
    pub(super) json: Option<bool>,
    pub(super) content_types: Option<Vec<String>>,
    pub(super) require_headers: Option<Vec<String>>,
    pub(super) unknown_codes: Option<UnknownCodes>,
    pub(super) no_transform: Option<NoTransform>,
    pub(super) protocols: Option<Protocols>,
    pub(super) keep_members: Option<Vec<String>>,
    pub(super) preflight: Option<Preflight>,
    pub(super) paths: Option<Paths>,
    pub(super) case: Option<LetterCase>,
    pub(super) expose_headers: Option<bool>,
    pub(super) negotiate: Option<bool>,
}

impl Keys {
    /// The keys that are set, each with its value as the policy file would write it.
    #[cfg_attr(not(feature = "policy-file"), allow(dead_code, reason = "files alone have keys"))]
    pub(super) fn told(&self) -> Vec<(&'static str, String)> {
        let word = |word: &str| format!("{word:?}");
        let list = |list: &Vec<String>| format!("{list:?}");
        let flag = |flag: bool| flag.to_string();
        let limit = |limit: Option<u64>| limit.map_or_else(|| word("none"), size);
        let told = [
            ("mode", self.mode.map(|it| word(it.as_str()))),
            ("dialect", self.dialect.map(|it| word(it.as_str()))),
            ("negotiate", self.negotiate.map(flag)),
            ("unknown_codes", self.unknown_codes.map(|it| word(it.as_str()))),
            ("body_limit", self.body_limit.map(limit)),
            ("body_limit_per", self.body_limit_per.map(|it| word(it.as_str()))),
            ("json", self.json.map(flag)),
            ("content_types", self.content_types.as_ref().map(list)),
            ("auth", self.auth.as_ref().map(list)),
            ("auth_observe", self.auth_observe.map(flag)),
            ("require_headers", self.require_headers.as_ref().map(list)),
            ("no_transform", self.no_transform.map(|it| word(it.as_str()))),
            ("protocols", self.protocols.map(|it| word(it.as_str()))),
            ("keep_members", self.keep_members.as_ref().map(list)),
            ("preflight", self.preflight.map(|it| word(it.as_str()))),
            ("paths", self.paths.map(|it| word(it.as_str()))),
            ("case", self.case.map(|it| word(it.as_str()))),
            ("expose_headers", self.expose_headers.map(flag)),
        ];
        told.into_iter().filter_map(|(key, value)| value.map(|value| (key, value))).collect()
    }

    /// A key that is set in both.
    #[cfg(feature = "policy-file")]
    pub(super) fn shared_with(&self, other: &Self) -> Option<&'static str> {
        let theirs = other.told();
        self.told().into_iter().map(|(key, _)| key).find(|key| theirs.iter().any(|(other, _)| other == key))
    }

    /// What both set.
    #[cfg(feature = "policy-file")]
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            mode: self.mode.or(other.mode),
            dialect: self.dialect.or(other.dialect),
            negotiate: self.negotiate.or(other.negotiate),
            unknown_codes: self.unknown_codes.or(other.unknown_codes),
            body_limit: self.body_limit.or(other.body_limit),
            body_limit_per: self.body_limit_per.or(other.body_limit_per),
            json: self.json.or(other.json),
            content_types: self.content_types.or(other.content_types),
            auth: self.auth.or(other.auth),
            auth_observe: self.auth_observe.or(other.auth_observe),
            require_headers: self.require_headers.or(other.require_headers),
            no_transform: self.no_transform.or(other.no_transform),
            protocols: self.protocols.or(other.protocols),
            keep_members: self.keep_members.or(other.keep_members),
            preflight: self.preflight.or(other.preflight),
            paths: self.paths.or(other.paths),
            case: self.case.or(other.case),
            expose_headers: self.expose_headers.or(other.expose_headers),
        }
    }

    /// `json` and `content_types` are two ways to say one thing, so that a narrower route's word replaces a wider one's
    /// whichever way each is said.
    fn media_types(&self) -> Result<Option<Vec<String>>, Refused> {
        let json = || Some(vec![JSON.to_owned()]);
        match (self.json, &self.content_types) {
            (Some(true), Some(types)) if !types.is_empty() => {
                let right = "keep one of them; a list may name application/json, too";
                Err(Refused::new("content_types", "json = true and content_types exclude each other", right))
            }
            (Some(true), _) => Ok(json()),
            (_, Some(types)) => Ok(Some(types.clone())),
            (Some(false), None) => Ok(Some(Vec::new())),
            (None, None) => Ok(None),
        }
    }
}

/// As the file writes it: in the largest unit that it is a multiple of.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = units.into_iter().find(|(_, bits)| bytes != 0 && bytes.trailing_zeros() >= *bits);
    whole.map_or_else(|| bytes.to_string(), |(unit, bits)| format!("\"{} {unit}\"", bytes >> bits))
}

/// [`Keys`] whose lists are known by their places in the policy.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    mode: Option<Mode>,
    dialect: Option<Dialect>,
    auth: Option<Option<Index>>,
    auth_observe: Option<bool>,
    body_limit: Option<Option<u64>>,
    body_limit_per: Option<BodyLimitPer>,
    types: Option<Option<Index>>,
    headers: Option<Option<Index>>,
    unknown_codes: Option<UnknownCodes>,
    no_transform: Option<NoTransform>,
    protocols: Option<Protocols>,
    keep: Option<Option<ListIndex>>,
    preflight: Option<Preflight>,
    paths: Option<Paths>,
    case: Option<LetterCase>,
    expose_headers: Option<bool>,
    negotiate: Option<bool>,
}

impl Said {
    /// `lists` gives each distinct list its place; an empty list has none.
    pub(super) fn new(keys: &Keys, lists: &mut impl Places) -> Result<Self, Refused> {
        Ok(Self {
            mode: keys.mode,
            dialect: keys.dialect,
            auth: keys.auth.as_deref().map(|names| lists.auth(names)).transpose()?,
            auth_observe: keys.auth_observe,
            body_limit: keys.body_limit,
            body_limit_per: keys.body_limit_per,
            types: keys.media_types()?.map(|types| lists.types(types)).transpose()?,
            headers: keys.require_headers.as_deref().map(|names| lists.headers(names)).transpose()?,
            unknown_codes: keys.unknown_codes,
            no_transform: keys.no_transform,
            protocols: keys.protocols,
            keep: keys.keep_members.as_deref().map(|names| lists.kept(names)).transpose()?,
            preflight: keys.preflight,
            paths: keys.paths,
            case: keys.case,
            expose_headers: keys.expose_headers,
            negotiate: keys.negotiate,
        })
    }

    pub(super) fn put_mode(&mut self, mode: Mode) {
        self.mode = Some(mode);
    }

    pub(super) fn mode(&self) -> Option<Mode> {
        self.mode
    }

    pub(super) fn dialect(&self) -> Option<Dialect> {
        self.dialect
    }

    pub(super) fn body_limit(&self) -> Option<u64> {
        self.body_limit.flatten()
    }

    /// Takes what is not said yet from a less specific route.
    pub(super) fn inherit(&mut self, wider: &Self) {
        self.mode = self.mode.or(wider.mode);
        self.dialect = self.dialect.or(wider.dialect);
        self.auth = self.auth.or(wider.auth);
        self.auth_observe = self.auth_observe.or(wider.auth_observe);
        self.body_limit = self.body_limit.or(wider.body_limit);
        self.body_limit_per = self.body_limit_per.or(wider.body_limit_per);
        self.types = self.types.or(wider.types);
        self.headers = self.headers.or(wider.headers);
        self.unknown_codes = self.unknown_codes.or(wider.unknown_codes);
        self.no_transform = self.no_transform.or(wider.no_transform);
        self.protocols = self.protocols.or(wider.protocols);
        self.keep = self.keep.or(wider.keep);
        self.preflight = self.preflight.or(wider.preflight);
        self.paths = self.paths.or(wider.paths);
        self.case = self.case.or(wider.case);
        self.expose_headers = self.expose_headers.or(wider.expose_headers);
        self.negotiate = self.negotiate.or(wider.negotiate);
    }

    pub(super) fn settled(self, part: u32, route: Option<Index>) -> Settings {
        Settings {
            manner: Manner {
                mode: self.mode.unwrap_or_default(),
                dialect: self.dialect.unwrap_or_default(),
                unknown_codes: self.unknown_codes.unwrap_or_default(),
                no_transform: self.no_transform.unwrap_or_default(),
                protocols: self.protocols.unwrap_or_default(),
                expose_headers: self.expose_headers.unwrap_or(true),
                negotiate: self.negotiate.unwrap_or(true),
                keep: self.keep.flatten(),
                part,
                route,
            },
            auth: self.auth.flatten(),
            auth_observe: self.auth_observe.unwrap_or(false),
            body_limit: self.body_limit.unwrap_or(Some(DEFAULT_BODY_LIMIT)),
            body_limit_per: self.body_limit_per.unwrap_or_default(),
            preflight: self.preflight.unwrap_or_default(),
            paths: self.paths.unwrap_or_default(),
            case: self.case.unwrap_or_default(),
            types: self.types.flatten(),
            headers: self.headers.flatten(),
        }
    }
}

/// Where lists are kept.
pub(super) trait Places {
    fn types(&mut self, types: Vec<String>) -> Result<Option<Index>, Refused>;

    fn headers(&mut self, names: &[String]) -> Result<Option<Index>, Refused>;

    fn auth(&mut self, names: &[String]) -> Result<Option<Index>, Refused>;

    fn kept(&mut self, names: &[String]) -> Result<Option<ListIndex>, Refused>;
}

/// Large enough for the JSON of nearly every API, small enough that a thousand of them at once fit into memory.
pub(super) const DEFAULT_BODY_LIMIT: u64 = 1024 * 1024;

/// What holds for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Together, so that what a request keeps of its settings is one move.
    manner: Manner,
    /// Credentials are checked and logged, not enforced (M1).
    pub(crate) auth_observe: bool,
    pub(crate) body_limit: Option<u64>,
    pub(crate) body_limit_per: BodyLimitPer,
    pub(crate) preflight: Preflight,
    pub(super) paths: Paths,
    pub(super) case: LetterCase,
    pub(super) types: Option<Index>,
    pub(super) headers: Option<Index>,
    pub(super) auth: Option<Index>,
}

/// A place in one of the policy's lists: half a word, so that settings, which every request carries, stay small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Index(NonZeroU32);

impl Index {
    /// `None` for more than 2³² entries: no file of 4 MiB has them.
    pub(super) fn new(place: usize) -> Option<Self> {
        u32::try_from(place).ok()?.checked_add(1).and_then(NonZeroU32::new).map(Self)
    }

    pub(super) fn get(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// A place in a list of few: what errors leave by is two words, and has a byte left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ListIndex(NonZeroU8);

impl ListIndex {
    /// So many places there are.
    pub(super) const MAX: usize = u8::MAX as usize;

    pub(super) fn new(index: Index) -> Option<Self> {
        u8::try_from(index.0.get()).ok().and_then(NonZeroU8::new).map(Self)
    }

    pub(super) fn get(self) -> usize {
        usize::from(self.0.get()) - 1
    }
}

/// What of them outlives the exchange: enough for the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label {
    pub(crate) mode: Mode,
    pub(super) route: Option<Index>,
}

/// What of the settings outlives the guards: how errors leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Manner {
    pub(crate) mode: Mode,
    pub(crate) dialect: Dialect,
    pub(crate) unknown_codes: UnknownCodes,
    pub(crate) no_transform: NoTransform,
    pub(crate) protocols: Protocols,
    pub(crate) expose_headers: bool,
    pub(crate) negotiate: bool,
    pub(super) keep: Option<ListIndex>,
    /// The narrowest scope; 0 is the policy itself.
    pub(super) part: u32,
    pub(super) route: Option<Index>,
}

impl Manner {
    /// The narrowest scope; 0 is the policy itself.
    #[inline]
    pub(crate) fn part(&self) -> u32 {
        self.part
    }

    #[inline]
    pub(crate) fn label(&self) -> Label {
        Label { mode: self.mode, route: self.route }
    }
}

impl Settings {
    pub(super) fn put_mode(&mut self, mode: Mode) {
        self.manner.mode = mode;
    }

    #[inline]
    pub(crate) fn manner(&self) -> Manner {
        self.manner
    }

    /// Whether a body's type and size are all that the guards look at, and they refuse for it.
    #[inline]
    pub(crate) fn guards_bodies_alone(&self) -> bool {
        self.headers.is_none() && self.auth.is_none() && !matches!(self.mode, Mode::Off | Mode::Observe)
    }

    /// Whether the guards ask for the same in the same mode: then one of two readings says it all.
    pub(super) fn guards_like(&self, other: &Self) -> bool {
        let body = |it: &Self| (it.body_limit, it.body_limit_per, it.types);
        let guards = |it: &Self| (it.mode, body(it), it.preflight, it.headers, it.auth, it.auth_observe);
        guards(self) == guards(other)
    }
}

impl Deref for Settings {
    type Target = Manner;

    #[inline]
    fn deref(&self) -> &Manner {
        &self.manner
    }
}

impl Default for Settings {
    fn default() -> Self {
        Said::default().settled(0, None)
    }
}

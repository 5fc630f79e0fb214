//! What a table says, what a route inherits, and what holds for one request in the end (rule G0).

use std::num::NonZeroU32;

use super::choice::{Mode, NoTransform, Preflight, Protocols, UnknownCodes};
use crate::guard::content_type::JSON;
use crate::guard::pattern::Refused;

/// What one table says.
#[derive(Clone, Debug, Default)]
pub(super) struct Keys {
    pub(super) mode: Option<Mode>,
    pub(super) body_limit: Option<Option<u64>>,
    pub(super) json: Option<bool>,
    pub(super) content_types: Option<Vec<String>>,
    pub(super) require_headers: Option<Vec<String>>,
    pub(super) unknown_codes: Option<UnknownCodes>,
    pub(super) no_transform: Option<NoTransform>,
    pub(super) protocols: Option<Protocols>,
    pub(super) preflight: Option<Preflight>,
    pub(super) expose_headers: Option<bool>,
    pub(super) negotiate: Option<bool>,
}

impl Keys {
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

/// [`Keys`] whose lists are known by their places in the policy.
#[derive(Debug, Default)]
pub(super) struct Said {
    mode: Option<Mode>,
    body_limit: Option<Option<u64>>,
    types: Option<Option<Index>>,
    headers: Option<Option<Index>>,
    unknown_codes: Option<UnknownCodes>,
    no_transform: Option<NoTransform>,
    protocols: Option<Protocols>,
    preflight: Option<Preflight>,
    expose_headers: Option<bool>,
    negotiate: Option<bool>,
}

impl Said {
    /// `types` and `headers` give each distinct list its place; an empty list has none.
    pub(super) fn new(
        keys: &Keys,
        types: impl FnOnce(Vec<String>) -> Result<Option<Index>, Refused>,
        headers: impl FnOnce(&[String]) -> Result<Option<Index>, Refused>,
    ) -> Result<Self, Refused> {
        Ok(Self {
            mode: keys.mode,
            body_limit: keys.body_limit,
            types: keys.media_types()?.map(types).transpose()?,
            headers: keys.require_headers.as_deref().map(headers).transpose()?,
            unknown_codes: keys.unknown_codes,
            no_transform: keys.no_transform,
            protocols: keys.protocols,
            preflight: keys.preflight,
            expose_headers: keys.expose_headers,
            negotiate: keys.negotiate,
        })
    }

    /// Takes what is not said yet from a less specific route.
    pub(super) fn inherit(&mut self, wider: &Self) {
        self.mode = self.mode.or(wider.mode);
        self.body_limit = self.body_limit.or(wider.body_limit);
        self.types = self.types.or(wider.types);
        self.headers = self.headers.or(wider.headers);
        self.unknown_codes = self.unknown_codes.or(wider.unknown_codes);
        self.no_transform = self.no_transform.or(wider.no_transform);
        self.protocols = self.protocols.or(wider.protocols);
        self.preflight = self.preflight.or(wider.preflight);
        self.expose_headers = self.expose_headers.or(wider.expose_headers);
        self.negotiate = self.negotiate.or(wider.negotiate);
    }

    pub(super) fn settled(self, route: Option<Index>) -> Settings {
        Settings {
            mode: self.mode.unwrap_or_default(),
            body_limit: self.body_limit.unwrap_or(Some(DEFAULT_BODY_LIMIT)),
            unknown_codes: self.unknown_codes.unwrap_or_default(),
            no_transform: self.no_transform.unwrap_or_default(),
            protocols: self.protocols.unwrap_or_default(),
            preflight: self.preflight.unwrap_or_default(),
            expose_headers: self.expose_headers.unwrap_or(true),
            negotiate: self.negotiate.unwrap_or(true),
            types: self.types.flatten(),
            headers: self.headers.flatten(),
            route,
        }
    }
}

/// Large enough for the JSON of nearly every API, small enough that a thousand of them at once fit into memory.
const DEFAULT_BODY_LIMIT: u64 = 1024 * 1024;

/// What holds for one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) mode: Mode,
    pub(crate) body_limit: Option<u64>,
    pub(crate) unknown_codes: UnknownCodes,
    pub(crate) no_transform: NoTransform,
    pub(crate) protocols: Protocols,
    pub(crate) preflight: Preflight,
    pub(crate) expose_headers: bool,
    #[allow(dead_code, reason = "the policy keeps it; R11, which it switches off, is not written yet")]
    pub(crate) negotiate: bool,
    pub(super) types: Option<Index>,
    pub(super) headers: Option<Index>,
    pub(super) route: Option<Index>,
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

/// What of the settings outlives the exchange: enough for the log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label {
    pub(crate) mode: Mode,
    pub(super) route: Option<Index>,
}

impl Settings {
    pub(crate) fn with_body_limit(self, body_limit: Option<u64>) -> Self {
        Self { body_limit, ..self }
    }

    pub(crate) fn label(&self) -> Label {
        Label { mode: self.mode, route: self.route }
    }

    /// Whether the guards ask for the same in the same mode: then one of the two spellings says it all.
    pub(super) fn guards_like(&self, other: &Self) -> bool {
        (self.mode, self.body_limit, self.preflight, self.types, self.headers)
            == (other.mode, other.body_limit, other.preflight, other.types, other.headers)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Said::default().settled(None)
    }
}

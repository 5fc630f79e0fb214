//! The builder of a [`Policy`]: it keeps what it is told, and [`PolicyBuilder::build`] refuses what is wrong.

use std::time::Duration;

use super::choice::Trust;
use super::error::{Place, PolicyError, Problem};
use super::route::Route;
use super::settings::Keys;
use super::{Budget, Drain, IdSettings, Inspect, Policy};
use crate::classify::rule::MapRule;
use crate::code::ErrorCode;
use crate::guard::header::RequiredHeader;
use crate::guard::pattern::Refused;

/// Builds a [`Policy`]: see [`Policy::builder`]. What routes can set is set here as the default of all of them.
#[derive(Debug, Default)]
#[must_use]
pub struct PolicyBuilder {
    pub(super) ids: IdSettings,
    pub(super) inspect: Inspect,
    pub(super) drain: Drain,
    pub(super) keys: Keys,
    pub(super) headers: Vec<(String, RequiredHeader)>,
    pub(super) codes: Vec<ErrorCode>,
    pub(super) rules: Vec<MapRule>,
    pub(super) routes: Vec<Route>,
}

impl PolicyBuilder {
    /// Sets whether a sender's id is kept (rule I2): never by default.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.ids.trust_valid = trust == Trust::Valid;
        self
    }

    /// Whether a request without a valid `traceparent` gets one whose trace id is the request id (rule I4).
    pub fn traceparent(mut self, traceparent: bool) -> Self {
        self.ids.traceparent = traceparent;
        self
    }

    /// Sets what reading an inner error's body may cost (rule R4): 64 KiB and 1 s by default, at most 1 GiB and 5 min.
    pub fn inspect(mut self, max_bytes: u64, timeout: Duration) -> Self {
        self.inspect = Inspect(Budget { max_bytes, timeout });
        self
    }

    /// Sets what dropping the rest of a refused request may cost (rule G5): 16 MiB and 2 s by default, at most 5 min.
    pub fn drain(mut self, max_bytes: u64, timeout: Duration) -> Self {
        self.drain = Drain(Budget { max_bytes, timeout });
        self
    }

    /// Names a header that routes may require (rule G1).
    pub fn header(mut self, name: impl Into<String>, header: RequiredHeader) -> Self {
        self.headers.push((name.into(), header));
        self
    }

    /// Adds a code of the organisation's own, made by [`ErrorCode::own`].
    pub fn code(mut self, code: ErrorCode) -> Self {
        self.codes.push(code);
        self
    }

    /// Adds a rule; the first that fits an inner error decides (rule R1).
    pub fn map(mut self, rule: MapRule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Adds a route; their order does not matter.
    pub fn route(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// The policy, if all of it is right.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, by its key.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let names = self.names();
        self.compile().map_err(|Problem { place, refused, .. }| {
            let Refused { key, wrong, right } = refused;
            let table = names.of(&place);
            let key = if key.is_empty() { table } else { format!("{table}: {key}") };
            PolicyError::new(Some(key), wrong, right)
        })
    }

    /// What [`PolicyBuilder::build`] calls a table in its errors.
    fn names(&self) -> Names {
        Names {
            codes: self.codes.iter().map(|code| code.as_str().to_owned()).collect(),
            rules: self.rules.iter().map(|rule| rule.target().as_str().to_owned()).collect(),
            routes: self.routes.iter().map(|route| route.pattern.clone()).collect(),
        }
    }
}

struct Names {
    codes: Vec<String>,
    rules: Vec<String>,
    routes: Vec<String>,
}

impl Names {
    fn of(&self, place: &Place) -> String {
        let of = |names: &[String], index: usize| names.get(index).cloned().unwrap_or_default();
        match place {
            Place::Defaults => "defaults".to_owned(),
            Place::Inspect => "inspect".to_owned(),
            Place::Drain => "drain".to_owned(),
            Place::Header(name) => format!("header {name:?}"),
            Place::Code(index) => format!("code {:?}", of(&self.codes, *index)),
            Place::Map(index) => format!("map[{index}] to {:?}", of(&self.rules, *index)),
            Place::Route(index) => format!("route {:?}", of(&self.routes, *index)),
        }
    }
}

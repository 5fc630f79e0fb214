//! The settings where the most specific route matches together with those that a request of it usually matches:
//! computed when the policy is built, so that a request inherits nothing key by key.

use http::Method;

use super::keys::Settings;
use crate::guard::pattern::{Pattern, Segment};

/// More routes than a request of a route matches in any policy seen; for more, settings are inherited anew.
const MOST: usize = 8;

/// The routes that match a request, the most specific first.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchedRoutes {
    routes: [u32; MOST],
    number: usize,
}

/// The settings of requests that match the same routes as the witness of the first of them.
#[derive(Clone, Debug)]
pub(super) struct PrecomputedRoute {
    part: usize,
    met: MatchedRoutes,
    settings: Settings,
}

impl MatchedRoutes {
    #[inline]
    pub(super) fn push(&mut self, route: usize) {
        if let (Some(place), Ok(route)) = (self.routes.get_mut(self.number), u32::try_from(route)) {
            *place = route;
        }
        self.number += 1;
    }

    pub(super) fn first(&self) -> Option<usize> {
        (self.number > 0).then(|| self.routes[0] as usize)
    }

    fn routes(&self) -> Option<&[u32]> {
        self.routes.get(..self.number)
    }
}

impl PrecomputedRoute {
    /// `part` is the narrowest around the requests.
    pub(super) fn new(part: usize, met: MatchedRoutes, settings: Settings) -> Self {
        Self { part, met, settings }
    }

    #[cfg(feature = "policy-file")]
    pub(super) fn all(&self) -> &Settings {
        &self.settings
    }

    pub(super) fn set_mode(&mut self, mode: super::Mode) {
        self.settings.response_settings.mode = mode;
    }

    pub(super) fn mode(&self) -> super::Mode {
        self.settings.mode
    }

    #[inline]
    pub(super) fn settings(&self, part: usize, met: &MatchedRoutes) -> Option<&Settings> {
        let same = self.part == part && met.number <= MOST && self.met.routes() == met.routes();
        same.then_some(&self.settings)
    }
}

/// No path that a client sends decodes to this segment as a rule.
pub(super) const FRESH: &str = "\u{1}";

/// A request that the pattern matches, and as few others as possible do.
pub(super) fn witness(pattern: &Pattern) -> (Method, Vec<u8>) {
    let segments = pattern.segments().iter().map(|segment| match segment {
        Segment::Literal(literal) => &**literal,
        Segment::One => FRESH,
    });
    let rest = pattern.has_rest().then_some(FRESH);
    let path = segments.chain(rest).fold(Vec::new(), |path, segment| [&path[..], b"/", segment.as_bytes()].concat());
    (pattern.first_method().unwrap_or(Method::GET), if path.is_empty() { b"/".to_vec() } else { path })
}

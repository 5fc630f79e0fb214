//! The settings of each route, together with the routes that usually match with it. They are made when the policy is
//! built, so that requests need not inherit settings key by key.

use std::sync::Arc;

use http::Method;

use super::keys::RouteSettings;
use crate::guard::pattern::{Pattern, Segment};

/// The most routes that are stored together. Requests in known policies match fewer. If more match, the settings are
/// inherited for each request.
const MOST: usize = 8;

/// The routes that match a request, the most specific first.
#[derive(Clone, Debug, Default)]
pub(super) struct MatchedRoutes {
    routes: [u32; MOST],
    number: usize,
}

/// The settings for all requests that match exactly these routes: those that a sample request of the first one matches.
#[derive(Clone, Debug)]
pub(super) struct FixedChain {
    /// The narrowest part that covers these requests.
    pub(super) part: usize,
    pub(super) met: MatchedRoutes,
    pub(super) settings: Arc<RouteSettings>,
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

impl FixedChain {
    #[inline]
    pub(super) fn settings(&self, part: usize, met: &MatchedRoutes) -> Option<&Arc<RouteSettings>> {
        let same = self.part == part && met.number <= MOST && self.met.routes() == met.routes();
        same.then_some(&self.settings)
    }
}

/// A segment that paths of clients hardly ever have.
pub(super) const FRESH: &str = "\u{1}";

/// Returns a request that this pattern matches, and that as few other patterns as possible match.
pub(super) fn witness(pattern: &Pattern) -> (Method, Vec<u8>) {
    let segments = pattern.segments().iter().map(|segment| match segment {
        Segment::Literal(literal) => &**literal,
        Segment::One => FRESH,
    });
    let rest = pattern.has_rest().then_some(FRESH);
    let path = segments.chain(rest).fold(Vec::new(), |path, segment| [&path[..], b"/", segment.as_bytes()].concat());
    (pattern.first_method().unwrap_or(Method::GET), if path.is_empty() { b"/".to_vec() } else { path })
}

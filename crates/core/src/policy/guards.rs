//! What the guards of a route check, for programs that test what a service refuses. No service needs it.

use http::request::Parts;
use http::{HeaderName, Method, header};

use super::{Mode, Policy, chains};
use crate::guard::auth::Scheme;
use crate::guard::header::HeaderGuard;

/// What is checked in a request before the service is called.
#[derive(Clone, Debug)]
pub struct Guards {
    /// The mode, which decides whether the guards refuse requests (M1).
    pub mode: Mode,
    /// The names of the headers that must be there (G1).
    pub required: Vec<HeaderName>,
    /// The names of the headers that have credentials: one for each scheme (G2), except for certificates. A custom
    /// verifier may read other headers.
    pub credentials: Vec<HeaderName>,
    /// Whether the request must have a certain media type (G3).
    pub decodes: bool,
    /// The most bytes that a body may have (G4).
    pub body_limit: Option<u64>,
}

impl Policy {
    /// The guards for a request (G0). If it can be read in ways that have different guards, those of the normalised
    /// reading.
    #[must_use]
    pub fn guards_of(&self, head: &Parts) -> Guards {
        let settings = self.matched(head).unwrap_or_else(|_| self.settings_without_host()).normal;
        let of_scheme = |scheme: &Scheme| scheme.key_header().cloned().unwrap_or(header::AUTHORIZATION);
        Guards {
            mode: settings.mode,
            required: settings.require_headers.iter().map(HeaderGuard::name).cloned().collect(),
            credentials: {
                let required: &[_] = if settings.auth_optional { &[] } else { &settings.auth };
                let by_header = required.iter().filter(|scheme| !scheme.is_certificate());
                by_header.map(|scheme| of_scheme(scheme)).collect()
            },
            decodes: settings.content_types.is_some(),
            body_limit: settings.body_limit,
        }
    }

    /// A sample request for each route, which matches as few other routes as possible. It has a method, if the route
    /// names one, and a path with `stand_in` for each parameter.
    pub fn samples(&self, stand_in: &str) -> impl Iterator<Item = (Option<Method>, String)> {
        self.parts.iter().flat_map(|part| part.matcher.patterns()).map(move |pattern| {
            let (_, path) = chains::witness(pattern);
            let path = String::from_utf8_lossy(&path).replace(chains::FRESH, stand_in);
            (pattern.first_method(), path)
        })
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use crate::guard::auth::AuthScheme;
    use crate::policy::{Mode, Policy, Route};

    #[test]
    fn g0_what_guards_look_at_is_told_by_route() {
        let policy = Policy::builder()
            .scheme("partner", AuthScheme::custom())
            .route(Route::new("POST /a/{id}/b/{*rest}").auth(["partner"]).body_limit(7).json(true))
            .route(Route::new("/off").mode(Mode::Off))
            .build()
            .unwrap();
        let samples: Vec<_> = policy.samples("x").collect();
        assert_eq!(samples, [(Some(http::Method::POST), "/a/x/b/x".to_owned()), (None, "/off".to_owned())]);
        let guards = |method: &str, path: &str| {
            let head = Request::builder().method(method).uri(path).body(()).unwrap().into_parts().0;
            policy.guards_of(&head)
        };
        let route = guards("POST", "/a/x/b/x");
        assert_eq!((route.mode, route.body_limit, route.decodes), (Mode::Enforce, Some(7), true));
        assert_eq!((route.credentials, route.required), (vec![http::header::AUTHORIZATION], Vec::new()));
        let elsewhere = guards("GET", "/off");
        assert_eq!((elsewhere.mode, elsewhere.decodes, elsewhere.credentials.len()), (Mode::Off, false, 0));
    }
}

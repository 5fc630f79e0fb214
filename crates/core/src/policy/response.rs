//! The parts of a policy that belong to the settings of a request: the requirements of its guards (G1–G4), and the form
//! of its errors.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderName, Method, StatusCode, header};

use super::keys::RouteSettings;
use super::matcher::{FRESH, witness};
use super::{Mode, Policy};
#[cfg(feature = "openapi")]
use crate::code::ErrorCode;
use crate::dialect::Dialect;
use crate::dialect::custom::CustomShape;
use crate::fault::Fault;
#[cfg(feature = "jwt")]
use crate::guard::auth::RemoteKeys;
use crate::guard::auth::Scheme;
use crate::outward::Outward;
use crate::policy::rule::Rule;

/// The number of prepared forms that every policy has: the canonical envelope with and without `vary`, and RFC 9457 if
/// the client chose it.
const COMMON_FORMS: usize = 3;

/// A service's fault, after the policy's settings were applied.
pub(crate) struct Adopted {
    pub(crate) fault: Fault,
    /// The status that the policy sets for the code, if the fault has another status. The field is set only once for
    /// each code, at the first fault with another status.
    pub(crate) other_status: Option<StatusCode>,
}

/// The checks of a request before the service is called.
#[derive(Clone, Debug)]
pub struct Guards {
    /// The mode, which decides whether the guards refuse requests (M1).
    pub mode: Mode,
    /// The names of the headers that are required (G1).
    pub required: Vec<HeaderName>,
    /// The names of the headers that contain credentials. Each scheme (G2) has one of these headers, except for
    /// certificates. A custom verifier may read other headers.
    pub credentials: Vec<HeaderName>,
    /// True if the request must have a certain media type (G3).
    pub decodes: bool,
    /// The maximum number of bytes that a body may have (G4).
    pub body_limit: Option<u64>,
}

impl Policy {
    /// Returns true if any route requires credentials.
    pub(crate) fn has_schemes(&self) -> bool {
        !self.schemes.is_empty()
    }

    /// Returns the names of the schemes whose verifiers the layer must have.
    pub fn custom_schemes(&self) -> impl Iterator<Item = &str> {
        self.custom.iter().map(|name| &**name)
    }

    /// Returns the key sets that an adapter must fetch for the schemes of routes. If several schemes need the same set,
    /// this iterator returns the set for each of them.
    #[cfg(feature = "jwt")]
    pub fn remote_keys(&self) -> impl Iterator<Item = &RemoteKeys> {
        self.schemes.iter().filter_map(|scheme| scheme.remote_keys())
    }

    /// Returns true if any route refuses requests. Returns false if all routes are in mode `off` or `observe`, and
    /// require no credentials.
    pub(crate) fn refuses(&self) -> bool {
        let of_parts = || self.parts.iter().any(|part| part.defaults.mode.is_enforced());
        let of_routes = || self.routes.iter().any(|route| route.mode.is_some_and(Mode::is_enforced));
        self.has_schemes() || !self.is_switched_off && (of_parts() || of_routes())
    }

    /// Returns true if a request may need, or may get, headers with names that the policy defines, or a `traceparent`
    /// (I4).
    pub(crate) fn names_headers(&self) -> bool {
        let lists = [&self.forwarded_ids, &self.key_headers];
        let has_names = lists.iter().any(|names| !names.is_empty());
        let compares_ids = || self.schemes.iter().any(|scheme| scheme.id_header().is_some());
        self.process.ids.traceparent || self.requires_headers || has_names || compares_ids()
    }

    /// Returns the dialects that a route of this policy may have. The result contains the built-in dialects, and the
    /// shapes of the policy that have a template (R15).
    pub fn dialects(&self) -> impl Iterator<Item = Dialect> {
        let all = (0..self.places_of_dialects()).map(|place| Dialect::from_place(place, &self.shapes));
        all.filter(|dialect| dialect.is_written())
    }

    /// Returns the policy's own shapes (rule R15).
    #[must_use]
    pub fn own_shapes(&self) -> &[CustomShape] {
        &self.shapes
    }

    /// Returns the policy's own shapes that are tried for a request, beginning with those of the narrowest scope (rule
    /// R15).
    pub(crate) fn shapes(&self, settings: &RouteSettings) -> &[CustomShape] {
        &self.part(settings.part).shapes
    }

    /// Returns the rules that apply to a request, beginning with those of the narrowest scope.
    pub(crate) fn rules(&self, settings: &RouteSettings) -> &[Arc<Rule>] {
        &self.part(settings.part).rules
    }

    /// Returns how codes are written in another dialect (rule R12), beginning with the rules of the narrowest scope.
    pub(crate) fn outward(&self, settings: &RouteSettings) -> &[Arc<Outward>] {
        &self.part(settings.part).outward
    }

    /// Returns true if any rule compares the path of a request.
    #[inline]
    pub(crate) fn rules_use_path(&self, settings: &RouteSettings) -> bool {
        self.part(settings.part).rules_use_path
    }

    /// Returns the index of the form in which whole error texts can be prepared. Returns `None` if the text of an error
    /// depends on more than its code, such as on the path of the request. Also returns `None` for a part of the policy
    /// beyond the first few parts. `negotiated` is true if the client chose RFC 9457 (R11).
    #[inline]
    pub(crate) fn form(&self, settings: &RouteSettings, negotiated: bool) -> Option<usize> {
        match settings.dialect {
            _ if negotiated => Some(2),
            Dialect::Standard => Some(usize::from(!settings.negotiate && !settings.has_pages())),
            dialect => self.form_of_dialect(settings, dialect),
        }
    }

    /// Returns the number of forms in which the text of an error can be prepared.
    pub(crate) fn forms(&self) -> usize {
        /// The maximum number of parts whose errors are prepared. Errors of further parts are not prepared, because
        /// there may be a thousand parts.
        const MOST_PARTS: usize = 8;

        COMMON_FORMS + MOST_PARTS.min(self.parts.len()) * self.places_of_dialects()
    }

    fn form_of_dialect(&self, settings: &RouteSettings, dialect: Dialect) -> Option<usize> {
        // None of the forms has `vary`.
        if settings.has_pages() || dialect.spec().has_request_facts() || self.rules_use_path(settings) {
            return None;
        }
        let place = dialect.place(&self.shapes)?;
        let form = COMMON_FORMS + usize::from(settings.part) * self.places_of_dialects() + place;
        (form < self.forms()).then_some(form)
    }

    fn places_of_dialects(&self) -> usize {
        Dialect::ALL.len() + self.shapes.len()
    }

    /// Gives a fault the message, the gRPC status and the retry advice of its `[[code]]`, even if the service created
    /// the fault. A message or a status that the fault itself sets is kept.
    #[inline]
    pub(crate) fn adopt(&self, fault: Fault) -> Adopted {
        let Some((place, code)) = self.codes.defined(fault.code()) else {
            return Adopted { fault, other_status: None };
        };
        let differs = fault.status() != code.status();
        let other_status = (differs && self.faults.is_first(place)).then(|| code.status());
        Adopted { fault: fault.with_code(code), other_status }
    }

    /// Returns the guards for a request (G0). If the request can be read in ways that have different guards, returns
    /// the guards of the normalised reading.
    #[must_use]
    pub fn guards_of(&self, head: &Parts) -> Guards {
        let settings = self.matched(head).unwrap_or_else(|_| self.settings_without_host()).normal;
        let of_scheme = |scheme: &Scheme| scheme.key_header().cloned().unwrap_or(header::AUTHORIZATION);
        Guards {
            mode: settings.mode,
            required: settings.require_headers.iter().map(|guard| guard.name.clone()).collect(),
            credentials: {
                let required: &[_] = if settings.auth_optional { &[] } else { &settings.auth };
                let by_header = required.iter().filter(|scheme| !scheme.is_certificate());
                by_header.map(|scheme| of_scheme(scheme)).collect()
            },
            decodes: settings.content_types.is_some(),
            body_limit: settings.body_limit,
        }
    }

    /// Returns a sample request for each route, which matches as few other routes as possible. A sample has a method if
    /// the route names one, and its path has `stand_in` in place of each parameter.
    pub fn samples(&self, stand_in: &str) -> impl Iterator<Item = (Option<Method>, String)> {
        self.parts.iter().flat_map(|part| &part.matcher.patterns).map(move |pattern| {
            let (_, path) = witness(pattern);
            let path = String::from_utf8_lossy(&path).replace(FRESH, stand_in);
            (pattern.methods.first().cloned(), path)
        })
    }
}

#[cfg(feature = "openapi")]
impl Policy {
    /// Returns the faults that clients may get on a route before the service gets the request, and the faults for a
    /// service that fails.
    pub(crate) fn refusals(&self, head: &Parts, has_body: bool) -> Vec<Fault> {
        let settings = &self.matched(head).unwrap_or_else(|_| self.settings_without_host()).normal;
        let mut faults = Vec::new();
        if !settings.auth_observe {
            let refused = settings.auth.iter().flat_map(|scheme| scheme.faults());
            let may_be_missing = settings.auth_optional;
            faults.extend(refused.filter(|fault| !may_be_missing || *fault.code() != ErrorCode::AUTH_MISSING));
        }
        // `HEADERS_TOO_LARGE` is missing on purpose: the HTTP server refuses such a head first, without an envelope.
        faults.push(Fault::new(ErrorCode::INTERNAL_ERROR));
        // The guards that a mode may turn off (G0, G1, G3, G4).
        if settings.mode.is_enforced() {
            faults.extend(settings.require_headers.iter().map(|guard| guard.missing.clone()));
            // This is the answer to a path that can be read in several ways.
            faults.push(Fault::new(ErrorCode::BAD_REQUEST));
        }
        if settings.mode.is_enforced() && has_body {
            faults.extend(settings.content_types.get().map(|types| types.refusal.clone()));
            faults.extend(settings.body_limit.map(|limit| self.faults.too_large(limit)));
        }
        faults
    }

    /// Returns the schemes of a route, and true if requests without credentials may pass.
    pub(crate) fn credentials_at(&self, head: &Parts) -> (Vec<Arc<Scheme>>, bool) {
        let settings = &self.matched(head).unwrap_or_else(|_| self.settings_without_host()).normal;
        (settings.auth.to_vec(), settings.auth_observe || settings.auth_optional)
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use crate::guard::auth::AuthScheme;
    use crate::policy::{Mode, Policy, RouteRule};

    #[test]
    fn g0_what_guards_look_at_is_told_by_route() {
        let policy = Policy::builder()
            .scheme("partner", AuthScheme::custom())
            .route(RouteRule::new("POST /a/{id}/b/{*rest}").auth(["partner"]).body_limit(7).json(true))
            .route(RouteRule::new("/off").mode(Mode::Off))
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

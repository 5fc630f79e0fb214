//! Tests which URLs are accepted, and that the called service belongs to the scope whose guards were applied (G0).

use http::{Method, Request};
use proptest::prelude::*;

use super::*;
use crate::guard::reading::normalised;
use crate::policy::Matched;
use crate::policy::Scope;

#[test]
fn a_url_has_one_spelling() {
    for (written, url) in [
        ("http://orders:8080", "http://orders:8080"),
        ("http://orders:8080/", "http://orders:8080"),
        ("HTTP://Orders.Example:80", "http://orders.example"),
        ("https://orders:443", "https://orders"),
        ("https://orders:80", "https://orders:80"),
        ("http://orders.default.svc.cluster.local.:1", "http://orders.default.svc.cluster.local.:1"),
        ("http://10.0.0.7", "http://10.0.0.7"),
        ("http://[0:0::0001]:65535", "http://[::1]:65535"),
        ("https://under_score", "https://under_score"),
    ] {
        let parsed: UpstreamUrl = written.parse().unwrap_or_else(|error| panic!("{written}: {error}"));
        assert_eq!(parsed.to_string(), url);
        assert_eq!(url.parse::<UpstreamUrl>().unwrap(), parsed);
    }
}

#[test]
fn a_url_that_leads_nowhere_is_refused_without_being_repeated() {
    const NO_URL: &str = "this is not a URL with a scheme and a host";
    const NO_PATHS: &str = "the URL has a path, a query or a fragment";
    const NO_HOST: &str = "this is not a host name or an IP address";
    for (written, wrong) in [
        ("", NO_URL),
        ("orders:8080", NO_URL),
        ("/orders", NO_URL),
        ("http://", NO_URL),
        ("//orders", NO_URL),
        ("http:orders", NO_URL),
        ("http://or ders", NO_URL),
        ("ftp://orders", "only http and https are supported"),
        ("h2c://orders", "only http and https are supported"),
        ("http://orders/v1", NO_PATHS),
        ("http://orders//", NO_PATHS),
        ("http://orders?a", NO_PATHS),
        ("http://orders/?", NO_PATHS),
        ("http://orders#a", NO_PATHS),
        ("http://anna:hunter2@orders", "the URL has credentials, which are never sent"),
        ("hunter2@orders", "the URL has credentials, which are never sent"),
        ("http://orders:99999", "the port is not a number from 1 to 65535"),
        ("http://orders:0", "the port is not a number from 1 to 65535"),
        ("http://orders:", "the port is not a number from 1 to 65535"),
        ("http://:8080", NO_HOST),
        ("http://a..b", NO_HOST),
        ("http://[::1", NO_URL),
        ("http://[::g]", NO_HOST),
        ("http://a*b", NO_HOST),
    ] {
        let error = written.parse::<UpstreamUrl>().map(|url| url.to_string()).expect_err(written);
        assert_eq!(error.wrong(), wrong, "{written}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

/// A scope in the form of the test.
#[derive(Clone, Debug)]
struct Written {
    host: Option<&'static str>,
    prefix: Option<&'static str>,
    upstream: bool,
}

impl Written {
    fn covers(&self, host: &str, path: &[u8]) -> bool {
        let is_host = self.host.is_none_or(|written| match written.strip_prefix('*') {
            Some(below) => host.ends_with(below),
            None => host == written,
        });
        let below = |prefix: &str| path.strip_prefix(prefix.as_bytes());
        is_host && self.prefix.is_none_or(|prefix| below(prefix).is_some_and(|rest| matches!(rest, [] | [b'/', ..])))
    }

    /// Returns a number for hosts and prefix together. If two scopes cover a request, the one with the higher number is
    /// narrower.
    fn weight(&self) -> usize {
        let host = self
            .host
            .map_or(0, |host| 100 + host.trim_start_matches("*.").len() * 2 - usize::from(host.starts_with('*')));
        host + self.prefix.map_or(0, |prefix| prefix.len() * 1000)
    }
}

fn scopes() -> impl Strategy<Value = Vec<Written>> {
    let host = prop::sample::select(vec![None, Some("h.example"), Some("*.h.example"), Some("a.h.example")]);
    let prefix = prop::sample::select(vec![None, Some("/a"), Some("/A"), Some("/a/b"), Some("/b"), Some("/a;x")]);
    let scope = (host, prefix, any::<bool>()).prop_map(|(host, prefix, upstream)| Written { host, prefix, upstream });
    prop::collection::vec(scope, 1..5)
}

fn path() -> impl Strategy<Value = String> {
    let parts =
        ["/", "a", "b", "A", "%61", "%2F", "%2f", "%5C", "..", ".", "%2e", ";x", "//", "/a", "/b", "%252F", "x"];
    prop::collection::vec(prop::sample::select(parts.to_vec()), 0..8).prop_map(|parts| format!("/{}", parts.concat()))
}

fn limit(part: usize) -> u64 {
    part as u64 + 1
}

/// Builds a policy with these scopes. Returns `None` if two scopes overlap and neither contains the other.
fn policy_of(scopes: &[Written]) -> Option<Policy> {
    let builder = (1..).zip(scopes).fold(Policy::builder().body_limit(limit(0)), |builder, (at, written)| {
        let scope = written.host.into_iter().fold(Scope::new(), Scope::host).body_limit(limit(at));
        let scope = written.prefix.into_iter().fold(scope, Scope::prefix);
        builder.scope(if written.upstream { scope.upstream(format!("http://s{at}")) } else { scope })
    });
    builder.build().ok()
}

fn matched(policy: &Policy, host: &str, path: &str) -> Option<Matched> {
    let head = Request::builder().method(Method::POST).uri(path).header("host", host).body(()).ok()?.into_parts().0;
    let cached = policy.cached_settings(&head, false).cloned();
    let matched = policy.matched(&head).ok()?;
    cached.inspect(|settings| assert_eq!(*settings, matched.normal, "{host}{path}"));
    Some(matched)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn g0_the_service_belongs_to_the_scope_whose_guards_were_asked(
        scopes in scopes(),
        host in prop::sample::select(vec!["h.example", "a.h.example", "b.a.h.example", "other.example"]),
        path in path(),
    ) {
        let Some(policy) = policy_of(&scopes) else { return Ok(()) };
        let Some(matched) = matched(&policy, host, &path) else { return Ok(()) };
        let normal = normalised(&path).unwrap_or_else(|| path.as_bytes().into());
        let mut around: Vec<_> = (1..).zip(&scopes).filter(|(_, scope)| scope.covers(host, &normal)).collect();
        around.sort_by_key(|(_, scope)| std::cmp::Reverse(scope.weight()));
        let expected = around.iter().find(|(_, scope)| scope.upstream).map(|(at, _)| format!("http://s{at}"));
        let upstream = policy.upstream(&matched.normal).map(ToString::to_string);
        prop_assert_eq!(&upstream, &expected, "{:?} {}{}", scopes, host, path);
        let narrowest = limit(around.first().map_or(0, |(at, _)| *at));
        prop_assert_eq!(matched.normal.body_limit, Some(narrowest));
        prop_assert!(matched.guards().any(|guards| guards.body_limit == Some(narrowest)));
    }

    /// Checks that a router that gets the list in advance chooses the same service.
    #[test]
    fn the_list_by_host_says_the_same(
        scopes in scopes(),
        host in prop::sample::select(vec!["h.example", "a.h.example", "b.a.h.example", "other.example"]),
        path in path(),
    ) {
        let Some(policy) = policy_of(&scopes) else { return Ok(()) };
        let Some(matched) = matched(&policy, host, &path) else { return Ok(()) };
        let normal = normalised(&path).unwrap_or_else(|| path.as_bytes().into());
        let hosts = policy.upstreams_by_host();
        let fits = |pattern: &str| match pattern.strip_prefix('*') {
            Some(below) => host.ends_with(below),
            None => pattern == host,
        };
        // An exact host comes first, then the longest domain.
        let listed = hosts.iter().filter(|it| fits(it.host())).max_by_key(|it| (it.host() == host, it.host().len())).unwrap();
        let covers = |prefix: &str| match prefix {
            "/" => true,
            _ => normal.strip_prefix(prefix.as_bytes()).is_some_and(|rest| matches!(rest, [] | [b'/', ..])),
        };
        let (_, upstream) = listed.prefixes().find(|(prefix, _)| covers(prefix)).unwrap();
        prop_assert_eq!(upstream, policy.upstream(&matched.normal), "{:?} {}{}", scopes, host, path);
    }

    #[test]
    fn a_url_that_is_taken_is_taken_again_as_it_is_shown(
        url in "(?i)(https?://)?[a-z0-9.\\-_\\[\\]:@/?#%]{0,24}",
    ) {
        if let Ok(parsed) = url.parse::<UpstreamUrl>() {
            prop_assert_eq!(&parsed.to_string().parse::<UpstreamUrl>().unwrap(), &parsed);
            prop_assert!(!parsed.host().is_empty() && parsed.port() > 0);
        }
    }
}

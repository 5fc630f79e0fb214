//! The methods that a service may see in a request (rule G0).
//!
//! Some services distinguish letter case. Some replace the method: by the one in a header for any method, or by the one
//! in `_method` of the query for any method except GET and HEAD. Patterns have methods in capitals.

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode;

use crate::fields::{Lengths, is_same_to_cgi};

/// The headers in which a request may name another method.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

pub(crate) const OVERRIDE_LENGTHS: Lengths = Lengths::from_names(&OVERRIDES);

/// The most other methods that a request may name; an honest client names one.
const MOST: usize = 8;

/// A query that is shorter than this cannot name more methods than that, because each takes at least `_method=A`.
const CROWDED_QUERY: usize = (MOST + 1) * "_method=A&".len() - 1;

/// A request names more methods than the guards check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyMethods;

/// Whether a header may name another method, in any spelling that a service which works like CGI accepts.
pub(crate) fn is_override(name: &str) -> bool {
    OVERRIDE_LENGTHS.may_have(name.len()) && OVERRIDES.iter().any(|it| is_same_to_cgi(name, it))
}

/// Whether a service can only see the request's own method in it. Headers are not checked here.
#[inline]
pub(crate) fn is_plain(head: &Parts) -> bool {
    match head.method {
        Method::GET | Method::HEAD => true,
        Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS | Method::PATCH => {
            head.uri.query().is_none_or(|query| !may_override(query))
        }
        _ => false,
    }
}

/// Whether the request names at most as many methods as the guards check. Headers are not counted.
#[inline]
pub(crate) fn names_few_methods(head: &Parts) -> bool {
    matches!(head.method, Method::GET | Method::HEAD)
        || head.uri.query().is_none_or(|query| query.len() < CROWDED_QUERY)
        || is_plain(head)
}

/// Whether a service may see another method than the request's own.
pub(crate) fn names_another_method(head: &Parts) -> bool {
    methods(head).map_or(true, |methods| methods.len() > own_spellings(&head.method).count())
}

/// A quick check that finds every spelling of `_method`, but also matches some other queries.
fn may_override(query: &str) -> bool {
    query.contains('%') || query.as_bytes().windows(6).any(|name| name.eq_ignore_ascii_case(b"method"))
}

/// All methods that a service may see in a request, its own first.
pub(crate) fn methods(head: &Parts) -> Result<Vec<Method>, TooManyMethods> {
    let mut found: Vec<Method> = own_spellings(&head.method).collect();
    let most = found.len() + MOST;
    let mut add = |name: &[u8]| match in_capitals(name) {
        Some(method) if !found.contains(&method) => {
            found.push(method);
            if found.len() > most { Err(TooManyMethods) } else { Ok(()) }
        }
        _ => Ok(()),
    };
    for (_, value) in head.headers.iter().filter(|(name, _)| is_override(name.as_str())) {
        value.as_bytes().split(|byte| *byte == b',').try_for_each(&mut add)?;
    }
    // A service that distinguishes `get` from GET would let `_method` replace it.
    if !matches!(head.method, Method::GET | Method::HEAD) {
        overrides_of(head.uri.query().unwrap_or_default()).iter().try_for_each(|name| add(name))?;
    }
    Ok(found)
}

/// The request's own method, as it was sent and in capitals.
fn own_spellings(sent: &Method) -> impl Iterator<Item = Method> {
    let other = in_capitals(sent.as_str().as_bytes()).filter(|method| method != sent);
    std::iter::once(sent.clone()).chain(other)
}

/// A method in capitals; `None` if the name is empty or not a token, so that no service takes it for a method.
fn in_capitals(name: &[u8]) -> Option<Method> {
    Method::from_bytes(&name.trim_ascii().to_ascii_uppercase()).ok()
}

/// The values of `_method` in the query. PHP replaces each character that the name of a variable cannot have with `_`,
/// and ends the name at a NUL.
fn overrides_of(query: &str) -> Vec<Vec<u8>> {
    let decoded = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).collect::<Vec<u8>>();
    let fields = query.split(['&', ';']).map(|field| field.split_once('=').unwrap_or((field, "")));
    let named = fields.filter(|(name, _)| {
        let name = decoded(name);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name.trim_ascii_start());
        is_same_to_cgi(&name, "_method")
    });
    named.map(|(_, value)| decoded(value)).collect()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn named(method: &str, uri: &str, headers: &[(&str, &str)]) -> Vec<String> {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(uri), |it, (name, value)| it.header(*name, *value));
        let head = request.body(()).unwrap().into_parts().0;
        let methods = methods(&head).unwrap();
        let is_one = methods.len() == 1;
        assert!(is_one || !is_plain(&head) || !headers.is_empty(), "{method} {uri}");
        methods.iter().map(Method::to_string).collect()
    }

    #[test]
    fn g0_a_request_is_read_as_each_method_that_it_names() {
        for (method, uri, headers, expected) in [
            ("GET", "/", &[][..], &["GET"][..]),
            ("PoSt", "/", &[], &["PoSt", "POST"]),
            ("POST", "/", &[("x-http-method-override", "delete")], &["POST", "DELETE"]),
            ("GET", "/", &[("X_HTTP.Method-Override", " PUT , patch")], &["GET", "PUT", "PATCH"]),
            ("POST", "/", &[("x-http-method", "GET"), ("x-method-override", "HEAD")], &["POST", "GET", "HEAD"]),
            ("POST", "/", &[("x-http-method-override", "a b"), ("x-http-methods", "PUT")], &["POST"]),
            ("POST", "/?a=1&_method=DELETE", &[], &["POST", "DELETE"]),
            ("post", "/?_m%65thod=%64elete", &[], &["post", "POST", "DELETE"]),
            ("POST", "/?+.METHOD=put;_method=", &[], &["POST", "PUT"]),
            ("POST", "/?_method%00x=put", &[], &["POST", "PUT"]),
            ("GET", "/?_method=DELETE", &[], &["GET"]),
            ("get", "/?_method=DELETE", &[], &["get", "GET", "DELETE"]),
            ("PUT", "/?_method=DELETE", &[], &["PUT", "DELETE"]),
            ("POST", "/?x_method=DELETE", &[], &["POST"]),
        ] {
            assert_eq!(named(method, uri, headers), expected, "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn g0_more_methods_than_are_guarded_are_too_many() {
        let named = |number: usize| {
            let list: Vec<String> = (0..number).map(|at| format!("M{at}")).collect();
            let request = Request::builder().method("get").header("x-http-method-override", list.join(",") + ",GET,M0");
            methods(&request.body(()).unwrap().into_parts().0).map(|methods| methods.len())
        };
        assert_eq!((named(MOST), named(MOST + 1)), (Ok(2 + MOST), Err(TooManyMethods)));
    }

    #[test]
    fn g0_a_short_query_names_no_more_methods_than_are_guarded() {
        let query: Vec<String> = (b'A'..=b'I').map(|name| format!("_method={}", char::from(name))).collect();
        let query = query.join("&");
        let head =
            |query: &str| Request::builder().method("PUT").uri(format!("/?{query}")).body(()).unwrap().into_parts().0;
        assert_eq!(methods(&head(&query)), Err(TooManyMethods));
        assert!(!names_few_methods(&head(&query)) && names_few_methods(&head(&query[1..])));
    }

    #[test]
    fn g0_a_request_names_another_method_than_its_own() {
        for (uri, line, names_another) in [
            ("/", ("x-http-method", "OPTIONS"), false),
            ("/?_method=options", ("x-other", "DELETE"), false),
            ("/", ("x-http-method", "DELETE"), true),
            ("/?_method=DELETE", ("x-other", "DELETE"), true),
        ] {
            let request = Request::builder().method("OPTIONS").uri(uri).header(line.0, line.1);
            assert_eq!(
                super::names_another_method(&request.body(()).unwrap().into_parts().0),
                names_another,
                "{uri} {line:?}"
            );
        }
    }
}

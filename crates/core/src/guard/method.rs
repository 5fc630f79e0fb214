//! The methods that a service may see in a request (rule G0).
//!
//! Some services distinguish letter case. Some replace the method by the one in a header, or in `_method` of the query.
//! They trim, unquote, split and decode that value in more ways than can be listed. So a value that is not plain is
//! never interpreted: if a route for this path names a method, the request is refused. Patterns have methods in
//! capitals.

use http::Method;
use http::request::Parts;
use percent_encoding::percent_decode;

use crate::fields::{Lengths, is_same_to_cgi};

/// The headers in which a request may name another method.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

pub(crate) const OVERRIDE_LENGTHS: Lengths = Lengths::from_names(&OVERRIDES);

/// The fields of a query in which a request may name another method. Plack has its own.
const FIELDS: [&str; 5] = ["_method", "x-tunneled-method", OVERRIDES[0], OVERRIDES[1], OVERRIDES[2]];

/// The most other methods that a request may name; an honest client names one.
const MOST: usize = 8;

/// The longest plain name of a method; the longest registered one, `UPDATEREDIRECTREF`, has 17 bytes.
const LONGEST: usize = 32;

/// A query that is shorter than this cannot name more methods than that, because each takes at least `_method=A`.
const CROWDED_QUERY: usize = (MOST + 1) * "_method=A&".len() - 1;

/// A request names more methods than the guards check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyMethods;

/// All methods that a service may see in a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Methods {
    /// The request's own method comes first.
    pub(crate) named: Vec<Method>,
    /// The header or the field of the query whose value is not plain.
    pub(crate) unclear: Option<&'static str>,
}

/// Whether a header may name another method, in any spelling that a service which works like CGI accepts.
pub(crate) fn is_override(name: &str) -> bool {
    override_header(name).is_some()
}

fn override_header(name: &str) -> Option<&'static str> {
    let is_same = |it: &&str| is_same_to_cgi(name, it);
    if OVERRIDE_LENGTHS.may_have(name.len()) { OVERRIDES.into_iter().find(is_same) } else { None }
}

/// Whether a service can only see the request's own method in it. Headers are not checked here.
#[inline]
pub(crate) fn is_plain(head: &Parts) -> bool {
    match head.method {
        Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE | Method::OPTIONS | Method::PATCH => {
            head.uri.query().is_none_or(|query| !may_override(query))
        }
        _ => false,
    }
}

/// Whether the request names at most as many methods as the guards check. Headers are not counted.
#[inline]
pub(crate) fn names_few_methods(head: &Parts) -> bool {
    head.uri.query().is_none_or(|query| query.len() < CROWDED_QUERY) || is_plain(head)
}

/// Whether the query has the field that names another method, whatever its value.
pub(crate) fn is_in_query(head: &Parts) -> bool {
    head.uri.query().is_some_and(|query| may_override(query) && overrides_of(query).next().is_some())
}

/// A quick check that finds every spelling of `_method`, but also matches some other queries.
fn may_override(query: &str) -> bool {
    query.contains('%') || query.as_bytes().windows(6).any(|name| name.eq_ignore_ascii_case(b"method"))
}

/// All methods that a service may see in a request.
pub(crate) fn methods(head: &Parts) -> Result<Methods, TooManyMethods> {
    let mut methods = Methods { named: own_spellings(&head.method).collect(), unclear: None };
    let most = methods.named.len() + MOST;
    for (name, value) in &head.headers {
        if let Some(name) = override_header(name.as_str()) {
            methods.add(name, value.as_bytes(), most)?;
        }
    }
    overrides_of(head.uri.query().unwrap_or_default())
        .try_for_each(|(field, value)| methods.add(field, &value, most))?;
    Ok(methods)
}

impl Methods {
    /// Adds the methods in a value, which may be a list: a service takes one of them, or joins several lines to a list.
    fn add(&mut self, source: &'static str, value: &[u8], most: usize) -> Result<(), TooManyMethods> {
        for name in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty()) {
            let is_plain = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'-';
            let Some(method) = in_capitals(name).filter(|_| name.len() <= LONGEST && name.iter().all(is_plain)) else {
                self.unclear = Some(source);
                continue;
            };
            if !self.named.contains(&method) {
                self.named.push(method);
            }
            if self.named.len() > most {
                return Err(TooManyMethods);
            }
        }
        Ok(())
    }
}

/// The request's own method, as it was sent and in capitals.
fn own_spellings(sent: &Method) -> impl Iterator<Item = Method> {
    let other = in_capitals(sent.as_str().as_bytes()).filter(|method| method != sent);
    std::iter::once(sent.clone()).chain(other)
}

fn in_capitals(name: &[u8]) -> Option<Method> {
    Method::from_bytes(&name.to_ascii_uppercase()).ok()
}

/// The fields of the query that name a method, and their values, decoded as a form. PHP replaces each character that the
/// name of a variable cannot have with `_`, and ends the name at a NUL.
fn overrides_of(query: &str) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let decoded = |text: &str| percent_decode(text.replace('+', " ").as_bytes()).collect::<Vec<u8>>();
    let fields = query.split(['&', ';']).map(|field| field.split_once('=').unwrap_or((field, "")));
    fields.filter_map(move |(name, value)| {
        let name = decoded(name);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let name = String::from_utf8_lossy(name.trim_ascii_start());
        let field = FIELDS.into_iter().find(|field| is_same_to_cgi(&name, field))?;
        Some((field, decoded(value)))
    })
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn read(method: &str, uri: &str, headers: &[(&str, &str)]) -> Methods {
        let request = headers
            .iter()
            .fold(Request::builder().method(method).uri(uri), |it, (name, value)| it.header(*name, *value));
        let head = request.body(()).unwrap().into_parts().0;
        let methods = methods(&head).unwrap();
        let is_own_alone = methods.named.len() == 1 && methods.unclear.is_none();
        assert!(is_own_alone || !is_plain(&head) || !headers.is_empty(), "{method} {uri}");
        methods
    }

    #[test]
    fn g0_a_request_is_read_as_each_method_that_it_names() {
        for (method, uri, headers, expected) in [
            ("GET", "/", &[][..], &["GET"][..]),
            ("PoSt", "/", &[], &["PoSt", "POST"]),
            ("POST", "/", &[("x-http-method-override", "delete")], &["POST", "DELETE"]),
            ("GET", "/", &[("X_HTTP.Method-Override", " PUT , patch")], &["GET", "PUT", "PATCH"]),
            ("POST", "/", &[("x-http-method", "GET"), ("x-method-override", "HEAD")], &["POST", "GET", "HEAD"]),
            ("POST", "/", &[("x-http-method", ""), ("x-http-methods", "P U T")], &["POST"]),
            ("POST", "/?a=1&_method=DELETE", &[], &["POST", "DELETE"]),
            ("post", "/?_m%65thod=%64elete", &[], &["post", "POST", "DELETE"]),
            ("POST", "/?+.METHOD=put+;_method=", &[], &["POST", "PUT"]),
            ("POST", "/?_method%00x=put", &[], &["POST", "PUT"]),
            ("GET", "/?_method=DELETE", &[], &["GET", "DELETE"]),
            ("PUT", "/?_method=m-search", &[], &["PUT", "M-SEARCH"]),
            ("POST", "/?x_method=DELETE", &[], &["POST"]),
            ("POST", "/?x-tunneled-method=DELETE&X-HTTP-Method=put", &[], &["POST", "DELETE", "PUT"]),
        ] {
            let methods = read(method, uri, headers);
            assert_eq!(methods.unclear, None, "{method} {uri} {headers:?}");
            assert_eq!(methods.named, expected, "{method} {uri} {headers:?}");
        }
    }

    #[test]
    fn g0_a_value_that_is_not_plain_is_unclear() {
        let long = "A".repeat(LONGEST + 1);
        for value in
            ["DELETE\u{a0}", "\"DELETE\"", "DEL ETE", "DELETE;q=1", "%44ELETE", "POST, DEL\u{131}TE", "M0", &long]
        {
            let methods = read("POST", "/", &[("x_method_override", value)]);
            assert_eq!(methods.unclear, Some("x-method-override"), "{value:?}");
        }
        for query in ["DELETE%C2%A0", "DELETE%00", "%A0DELETE", "%2544ELETE", "%EF%BC%A4ELETE", "[DELETE]"] {
            assert_eq!(read("GET", &format!("/?_method={query}"), &[]).unclear, Some("_method"), "{query}");
        }
    }

    #[test]
    fn g0_more_methods_than_are_guarded_are_too_many() {
        let named = |number: u8| {
            let list: Vec<String> = (b'A'..b'A' + number).map(|name| char::from(name).to_string()).collect();
            let request = Request::builder().method("get").header("x-http-method-override", list.join(",") + ",GET,a");
            methods(&request.body(()).unwrap().into_parts().0).map(|methods| methods.named.len())
        };
        assert_eq!((named(MOST as u8), named(MOST as u8 + 1)), (Ok(2 + MOST), Err(TooManyMethods)));
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
    fn g0_the_query_names_a_method_whatever_the_value() {
        for (uri, is_named) in
            [("/", false), ("/?a=_method", false), ("/?_method", true), ("/?a=1&%5fmethod=", true), ("/?a=%20", false)]
        {
            let head = Request::builder().uri(uri).body(()).unwrap().into_parts().0;
            assert_eq!(is_in_query(&head), is_named, "{uri}");
        }
    }
}

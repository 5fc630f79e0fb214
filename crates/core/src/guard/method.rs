//! The methods that a service may see in a request (rule G0).
//!
//! Some services distinguish the letter case of methods. Some services replace the method with the method in a header,
//! or in the field `_method`. The field may be in the query, in a path that a rewrite puts into the query, or in a
//! cookie. Services trim, unquote, split and decode its value in more ways than can be listed. So a value that is not
//! plain is never interpreted. If the value is not plain, and a route for the path names a method, the request is
//! refused. Patterns contain methods in capitals.
//!
//! Most services run some handler for a method that they do not know. So for a method that is not [usual](is_usual),
//! the requirements of all methods of the path's routes apply, unless one of the routes names the method.

use http::Method;
use http::header::COOKIE;
use http::request::Parts;
use percent_encoding::percent_decode;

use super::reading::readings;
use crate::fields::{Lengths, is_same_to_cgi};

/// The headers in which a request may name another method.
const OVERRIDES: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

pub(crate) const OVERRIDE_LENGTHS: Lengths = Lengths::from_names(&OVERRIDES);

/// The name that represents all methods that no route can name.
pub(crate) const UNKNOWN: &[u8] = b"*";

/// The fields of a query in which a request may name another method. Masonite reads `__method`, and Plack reads
/// `x-tunneled-method`.
const FIELDS: [&str; 6] = ["_method", "__method", "x-tunneled-method", OVERRIDES[0], OVERRIDES[1], OVERRIDES[2]];

/// The maximum number of other methods that a request may name. An honest client names one method.
const MOST: usize = 8;

/// The longest plain name of a method. The longest registered name, `UPDATEREDIRECTREF`, has 17 bytes.
const LONGEST: usize = 32;

/// The length of the shortest query that may name more than [`MOST`] methods. A query needs at least the text
/// `_method=A` for each method.
const CROWDED_QUERY: usize = (MOST + 1) * "_method=A&".len() - 1;

/// The error for a request that names more methods than the guards check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyMethods;

/// All methods that a service may see in a request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Methods {
    /// The methods, beginning with the request's own method.
    pub(crate) named: Vec<Method>,
    /// The header or the field whose value is not plain.
    pub(crate) unclear: Option<&'static str>,
}

/// Returns true if a header may name another method, in any spelling that services accept if they work like CGI.
pub(crate) fn is_override(name: &str) -> bool {
    override_header(name).is_some()
}

fn override_header(name: &str) -> Option<&'static str> {
    let is_same = |it: &&str| is_same_to_cgi(name, it);
    if OVERRIDE_LENGTHS.may_have(name.len()) { OVERRIDES.into_iter().find(is_same) } else { None }
}

/// Returns true if services know the method. A service then runs the handler that its routes name for this method.
#[inline]
pub(crate) fn is_usual(method: &Method) -> bool {
    is_written_usually(method) || in_capitals(method.as_str().as_bytes()).is_some_and(|it| is_written_usually(&it))
}

#[inline]
fn is_written_usually(method: &Method) -> bool {
    use Method as M;
    matches!(*method, M::GET | M::HEAD | M::POST | M::PUT | M::DELETE | M::OPTIONS | M::PATCH)
}

/// Returns true if the request line names only its own method. The path and the headers are not checked.
#[inline]
pub(crate) fn is_plain(head: &Parts) -> bool {
    is_written_usually(&head.method) && head.uri.query().is_none_or(|query| !may_override(query))
}

/// Returns true if the query names at most as many methods as the guards check.
#[inline]
pub(crate) fn names_few_methods(head: &Parts) -> bool {
    head.uri.query().is_none_or(|query| query.len() < CROWDED_QUERY || !may_override(query))
}

/// Returns true if a field of the query, or of a path that a rewrite puts into a query, names another method. The value
/// of the field does not matter.
pub(crate) fn is_in_target(head: &Parts) -> bool {
    let is_in_query = |query: &str| may_override(query) && overrides_of(query.as_bytes()).next().is_some();
    let path = head.uri.path().as_bytes();
    head.uri.query().is_some_and(is_in_query)
        || path.iter().any(|byte| matches!(byte, b'&' | b'%'))
            && readings(path).is_ok_and(|paths| paths.iter().any(|path| overrides_of_path(path).next().is_some()))
}

/// Returns true if a cookie names another method. The value of the cookie does not matter.
pub(crate) fn is_in_cookie(head: &Parts) -> bool {
    overrides_of_cookies(head).next().is_some()
}

/// Returns true for every query with a spelling of `_method`, but also for some other queries. The check is only a
/// quick one, which [`overrides_of`] completes.
fn may_override(query: &str) -> bool {
    query.contains('%') || query.as_bytes().windows(6).any(|name| name.eq_ignore_ascii_case(b"method"))
}

/// Returns all methods that a service may see in a request. `paths` are all forms in which a service may read the
/// request's path.
pub(crate) fn methods<'p>(head: &Parts, paths: impl Iterator<Item = &'p Vec<u8>>) -> Result<Methods, TooManyMethods> {
    let mut methods = Methods { named: own_spellings(&head.method).collect(), unclear: None };
    let most = methods.named.len() + MOST;
    for (name, value) in &head.headers {
        if let Some(name) = override_header(name.as_str()) {
            methods.add(name, value.as_bytes(), most)?;
        }
    }
    overrides_of(head.uri.query().unwrap_or_default().as_bytes())
        .chain(paths.flat_map(|path| overrides_of_path(path)))
        .try_for_each(|(field, value)| methods.add(field, &value, most))?;
    overrides_of_cookies(head).for_each(|value| methods.add_of_cookie(&value, most));
    Ok(methods)
}

impl Methods {
    /// Adds the methods in a value, which may be a list. A service uses one of the methods, or joins several lines to a
    /// list.
    fn add(&mut self, source: &'static str, value: &[u8], most: usize) -> Result<(), TooManyMethods> {
        for method in listed(value) {
            match method {
                Some(method) if !self.named.contains(&method) => self.named.push(method),
                Some(_) => {}
                None => self.unclear = Some(source),
            }
            if self.named.len() > most {
                return Err(TooManyMethods);
            }
        }
        Ok(())
    }

    /// Adds the methods in the value of a cookie. A cookie never refuses a request, because a page of another subdomain
    /// can set it.
    fn add_of_cookie(&mut self, value: &[u8], most: usize) {
        for method in listed(value) {
            let unknown = || Method::from_bytes(UNKNOWN).unwrap_or_default();
            let method = method.filter(|_| self.named.len() < most).unwrap_or_else(unknown);
            if !self.named.contains(&method) {
                self.named.push(method);
            }
        }
    }
}

/// Returns the methods in a list. An element that is not plain is returned as `None`.
fn listed(value: &[u8]) -> impl Iterator<Item = Option<Method>> {
    let is_plain = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphabetic() || *byte == b'-');
    let names = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|name| !name.is_empty());
    names.map(move |name| in_capitals(name).filter(|_| name.len() <= LONGEST && is_plain(name)))
}

/// Returns the request's own method, as it was sent and in capitals.
fn own_spellings(sent: &Method) -> impl Iterator<Item = Method> {
    let other = in_capitals(sent.as_str().as_bytes()).filter(|method| method != sent);
    std::iter::once(sent.clone()).chain(other)
}

fn in_capitals(name: &[u8]) -> Option<Method> {
    Method::from_bytes(&name.to_ascii_uppercase()).ok()
}

/// Returns the fields of a query that name a method, and their values.
fn overrides_of(query: &[u8]) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    query.split(|byte| matches!(byte, b'&' | b';')).filter_map(|field| override_in(field, &FIELDS))
}

/// Returns the fields behind the first `&` or `?` of a path. These fields become fields of a query if a rewrite puts
/// the path into a query.
fn overrides_of_path(path: &[u8]) -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let fields = path.iter().position(|byte| matches!(byte, b'&' | b'?')).map_or(&b""[..], |end| &path[end + 1..]);
    overrides_of(fields)
}

/// Returns the values of the cookies that name a method.
fn overrides_of_cookies(head: &Parts) -> impl Iterator<Item = Vec<u8>> {
    let cookies = head.headers.get_all(COOKIE).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b';'));
    // Most names of cookies begin with a letter, so they cannot be `_method`.
    let others =
        cookies.map(<[u8]>::trim_ascii_start).filter(|cookie| !cookie.first().is_some_and(u8::is_ascii_alphanumeric));
    others.filter_map(|cookie| Some(override_in(cookie, &FIELDS[..1])?.1))
}

/// Returns the name of a field, if it is one of `names`, and the field's value, decoded as a form. In the name of a
/// variable, PHP replaces each character that is not allowed with `_`. PHP also drops spaces before the name, and ends
/// the name at a NUL. A rewrite may put a second `?` before the name.
fn override_in(field: &[u8], names: &[&'static str]) -> Option<(&'static str, Vec<u8>)> {
    if field.len() < FIELDS[0].len() {
        return None;
    }
    let decoded = |text: &[u8]| {
        let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
        percent_decode(&spaced).collect::<Vec<u8>>()
    };
    let end = field.iter().position(|byte| *byte == b'=').unwrap_or(field.len());
    let name = decoded(&field[..end]);
    let start = name.iter().position(|byte| !(byte.is_ascii_whitespace() || *byte == b'?')).unwrap_or(name.len());
    let name = String::from_utf8_lossy(name[start..].split(|byte| *byte == 0).next().unwrap_or_default());
    let name = names.iter().find(|known| is_same_to_cgi(&name, known))?;
    Some((*name, decoded(field.get(end + 1..).unwrap_or_default())))
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
        let paths = readings(head.uri.path().as_bytes()).unwrap();
        let methods = methods(&head, paths.iter()).unwrap();
        let is_own_alone = methods.named.len() == 1 && methods.unclear.is_none();
        assert!(is_own_alone || !is_plain(&head) || !headers.is_empty() || paths.len() > 1, "{method} {uri}");
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
            ("POST", "/??_method=DELETE", &[], &["POST", "DELETE"]),
            ("POST", "/?a&%3F+?_method=put", &[], &["POST", "PUT"]),
            ("POST", "/a&_method=put", &[], &["POST", "PUT"]),
            ("GET", "/?__method=put", &[], &["GET", "PUT"]),
            ("POST", "/a%2526b%26.method%3DDELETE%26c?_method=PUT", &[], &["POST", "PUT", "DELETE"]),
            ("GET", "/a&x-http-method=DELETE&_method=PUT", &[], &["GET", "DELETE", "PUT"]),
            ("POST", "/a/_method=put", &[], &["POST"]),
            (
                "GET",
                "/",
                &[("cookie", "a=b;  %5fmethod=put"), ("cookie", ".method=%44ELETE, a")],
                &["GET", "PUT", "DELETE", "A"],
            ),
            ("GET", "/", &[("cookie", "_method=D.E; _Method=M1; _method=put")], &["GET", "*", "PUT"]),
            ("GET", "/", &[("cookie", "a=_method=put; x_method=PUT; _method; method=PUT; _methods=PUT")], &["GET"]),
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
            methods(&request.body(()).unwrap().into_parts().0, [].iter()).map(|methods| methods.named.len())
        };
        assert_eq!((named(MOST as u8), named(MOST as u8 + 1)), (Ok(2 + MOST), Err(TooManyMethods)));
    }

    #[test]
    fn g0_cookies_name_no_more_methods_than_are_guarded_and_refuse_nothing() {
        let list: Vec<String> = (b'A'..=b'Z').map(|name| char::from(name).to_string()).collect();
        let head = Request::builder().header("cookie", format!("_method={}", list.join(",")));
        let found = methods(&head.body(()).unwrap().into_parts().0, [].iter()).unwrap();
        assert_eq!((found.named.len(), found.named.last().map(Method::as_str)), (1 + MOST + 1, Some("*")));
    }

    #[test]
    fn g0_a_short_query_names_no_more_methods_than_are_guarded() {
        let query: Vec<String> = (b'A'..=b'I').map(|name| format!("_method={}", char::from(name))).collect();
        let query = query.join("&");
        let head =
            |query: &str| Request::builder().method("PUT").uri(format!("/?{query}")).body(()).unwrap().into_parts().0;
        assert_eq!(methods(&head(&query), [].iter()), Err(TooManyMethods));
        assert!(!names_few_methods(&head(&query)) && names_few_methods(&head(&query[1..])));
    }

    #[test]
    fn g0_the_query_names_a_method_whatever_the_value() {
        for (uri, is_named) in [
            ("/", false),
            ("/?a=_method", false),
            ("/?_method", true),
            ("/?a=1&%5fmethod=", true),
            ("/?a=%20", false),
            ("/a&_method=", true),
            ("/a%2526_method", true),
            ("/_method", false),
        ] {
            let head = Request::builder().uri(uri).body(()).unwrap().into_parts().0;
            assert_eq!(is_in_target(&head), is_named, "{uri}");
        }
    }
}

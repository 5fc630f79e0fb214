//! Makes hostile and ordinary requests, as some bytes choose them.

use http::Request;

use super::table::Table;
use crate::choices::Choices;

#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    /// The method of `_method` in the query.
    query: Option<&'static str>,
    /// The method of `_method` in a cookie.
    cookie: Option<&'static str>,
    headers: Vec<(&'static str, &'static str)>,
}

const BETWEEN: [&str; 38] = [
    "/",
    "/",
    "/",
    "/",
    "/",
    "/",
    "/",
    "/",
    "/",
    "//",
    "///",
    "/./",
    "/%2e/",
    "/;/",
    "/;a=b/",
    "\\",
    "/\\",
    "%5c",
    "%5C",
    "%2f",
    "%2F",
    "%252f",
    "%255C",
    "/x/../",
    "/x/%2e%2E/",
    "/x/..;/",
    "/x/.;/..;a=b/",
    "/x%2f..%2f",
    "/x\\..\\",
    "/x/..%5c",
    "/%2e%2e;/",
    "/x/%252e%252e/",
    ",",
    "%2C",
    "&",
    "%2526",
    "%20",
    "%C3%A9/",
];
const SEGMENTS: [&str; 17] = [
    "..",
    "..",
    ".",
    "%2e%2e",
    ".%2E",
    "%252e%252e",
    "..;",
    "..;a=b",
    "",
    "x",
    "x;y",
    "%00",
    "%zz",
    "%",
    "x,",
    ",y",
    "x&y",
];
const AFTER: [&str; 15] = ["", "", "", "", ",x", "&", "%20", "/", "//", "/.", "/..", ";v=1", "%2f", "/%2e%2e", "\\"];
const METHODS: [&str; 12] =
    ["PROPFIND", "TrAcE", "GET", "GET", "GET", "POST", "HEAD", "DELETE", "OPTIONS", "post", "Get", "dElEtE"];
const NAMES: [&str; 7] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x_http_method_override",
    "x.http.method",
    "x-method_override",
    "x-http-method.override",
];
const VALUES: [&str; 7] = ["GET", "POST", "delete", "PATCH, DELETE", " POST ", "HEAD,GET", ","];

impl Sent {
    pub(crate) fn hostile(table: &Table, choices: &mut Choices<'_>) -> Self {
        let method = choices.one_of(&METHODS);
        let query = (choices.below(8) == 7).then(|| choices.one_of(&["DELETE", "get", "POST"]));
        let cookie = (choices.below(8) == 7).then(|| choices.one_of(&["DELETE", "post"]));
        let headers = match choices.below(8) {
            6 => vec![(choices.one_of(&NAMES), choices.one_of(&VALUES))],
            7 => (0..2).map(|_| (choices.one_of(&NAMES), choices.one_of(&VALUES))).collect(),
            _ => Vec::new(),
        };
        let mut path = String::new();
        for _ in 0..=choices.below(5) {
            path.push_str(choices.one_of(&BETWEEN));
            if choices.below(4) == 3 {
                path.push_str(choices.one_of(&SEGMENTS));
            } else {
                respell(choices.one_of(&table.literals), choices, &mut path);
            }
        }
        path.push_str(choices.one_of(&AFTER));
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        Self { method, path, query, cookie, headers }
    }

    /// Makes a request with one reading, except for letter case.
    pub(crate) fn ordinary(table: &Table, choices: &mut Choices<'_>) -> Self {
        let method = choices.one_of(&["GET", "POST", "HEAD", "DELETE", "PUT"]);
        let literals = table.literals.into_iter();
        let plain = literals.filter(|literal| !literal.contains([';', 'ü']) && !literal.starts_with('.'));
        let others = ["ADMIN", "pub", "A", "x", "a:b@c,d", "x..y", "01JD2V5W8Z3Q4R6T8Y0A1B2C3D"];
        let names: Vec<&str> = plain.chain(others).collect();
        let segments: Vec<&str> = (0..=choices.below(4)).map(|_| choices.one_of(&names)).collect();
        Self { method, path: format!("/{}", segments.join("/")), query: None, cookie: None, headers: Vec::new() }
    }

    /// Returns the request, or `None` if no server would read such a target.
    pub(crate) fn request<B: Default>(&self) -> Option<Request<B>> {
        let query = self.query.map(|method| format!("?a=b&_method={method}")).unwrap_or_default();
        let request = Request::builder().method(self.method).uri(format!("{}{query}", self.path));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value.trim()));
        let cookie = self.cookie.map(|method| format!("sid=1; _method={method}"));
        let request = cookie.into_iter().fold(request, |request, cookie| request.header("cookie", cookie));
        request.body(B::default()).ok()
    }

    /// Returns the methods as which some service runs this request.
    pub(crate) fn methods(&self) -> Vec<String> {
        let upper = self.method.to_ascii_uppercase();
        let in_headers =
            self.headers.iter().flat_map(|(_, value)| value.split(',')).map(|name| name.trim().to_ascii_uppercase());
        let in_query = self.query.map(str::to_ascii_uppercase);
        [self.method.to_owned(), upper]
            .into_iter()
            .chain(in_headers.filter(|name| !name.is_empty()))
            .chain(in_query)
            .chain(self.cookie.map(str::to_ascii_uppercase))
            .collect()
    }

    /// Returns true if services do not know its method, and may run any handler.
    pub(crate) fn is_unknown(&self) -> bool {
        ["PROPFIND", "TrAcE"].contains(&self.method)
    }
}

/// Writes the segment in a way that is the same for a server that decodes once or twice, ignores letter case or cuts
/// parameters.
fn respell(literal: &str, choices: &mut Choices<'_>, path: &mut String) {
    for byte in literal.bytes() {
        match choices.below(16) {
            0 => path.push_str(&format!("%{byte:02x}")),
            1 => path.push_str(&format!("%{byte:02X}")),
            2 => path.push_str(&format!("%25{byte:02x}")),
            3 | 4 if byte.is_ascii_lowercase() => path.push(char::from(byte.to_ascii_uppercase())),
            _ if byte.is_ascii() => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path.push_str(["", "", "", "", "", ";a=b", ";", "%3bv"][choices.below(8)]);
}

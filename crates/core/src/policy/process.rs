//! The tables that apply to the whole process, so that no scope may have them, and the settings that are made from
//! them.

use std::borrow::Cow;
use std::time::Duration;

use http::header::ORIGIN;
use http::uri::Authority;
use http::{HeaderMap, HeaderValue};

use super::choice::Trust;
use crate::code::{ErrorCode, Retry};
use crate::dialect::outgoing::{Docs, WrittenAdvice};
use crate::dialect::rich::DOMAIN;
use crate::fault::Fault;
use crate::fields;
use crate::syntax::{is_https_uri, is_token_byte};
use crate::table::{Kind, Message, Refusals, SettingError, Size, TablePath, tables};

tables! {
    /// The settings of request ids (rules I2, I3, I4).
    pub(crate) struct RequestIdTable {
        trust: Trust = (Trust::Never),
        traceparent: bool = false,
        upstream: bool = false,
    }

    /// The owner of the codes, for RPC clients (rule P1).
    pub(crate) struct RpcTable {
        domain: Message = (Cow::Borrowed(DOMAIN)),
    }

    /// The limits for reading a body, in bytes and in time (rules R4, G5).
    pub(crate) struct BudgetTable {
        max_bytes: Size,
        timeout: Duration,
    }

    /// The facts that the log or an observer gets in addition to an error's status and code (rule L3).
    pub(crate) struct ObserveTable {
        bodies: bool = false,
        path: bool = false,
    }

    /// The advice on what a client can do next (rule E10).
    pub(crate) struct AdviceTable {
        retry: bool = false,
        docs: Message,
    }

    /// The origins whose scripts may read the responses that the layer itself makes (rule R6a), spelled as in the
    /// policy.
    pub(crate) struct CorsTable {
        origins: Origins,
        credentials: bool = false,
    }

    /// The name of this process in `Proxy-Status` (rule L4).
    pub(crate) struct ProxyTable {
        name: String = required,
    }

    /// All tables that apply to the whole process.
    pub(crate) struct ProcessTables {
        request_id: RequestIdTable,
        rpc: RpcTable,
        inspect: BudgetTable,
        observe: ObserveTable,
        drain: BudgetTable,
        advice: AdviceTable,
        cors: CorsTable,
        proxy: ProxyTable,
    }
}

type Origins = Vec<String>;

/// The settings that are made from the tables.
#[derive(Clone, Debug)]
pub(crate) struct ProcessSettings {
    pub(crate) ids: IdSettings,
    /// The owner of the codes, for RPC clients (P1).
    pub(crate) rpc_domain: Cow<'static, str>,
    /// How much of an inner error's body may be read (rule R4).
    pub(crate) inspect: Budget,
    /// How much of the rest of a request may be read and dropped (rule G5).
    pub(crate) drain: Budget,
    /// True if an [`Observer`](crate::session::Observer) gets the bodies of errors.
    pub(crate) observes_bodies: bool,
    /// True if the log shows the paths of requests.
    pub(crate) shows_paths: bool,
    pub(super) advice: PolicyAdvice,
    /// The origins whose scripts may read the responses that the layer itself makes (R6a).
    pub(crate) cors: Option<Cors>,
    /// The name of this process in `Proxy-Status`, in quotes if RFC 9209 requires them.
    pub(crate) proxy_name: Option<Box<str>>,
}

impl ProcessTables {
    pub(super) fn compile(&self, problems: &mut Refusals) -> ProcessSettings {
        let ids = self.request_id.clone().unwrap_or_default();
        let observe = self.observe.clone().unwrap_or_default();
        let domain = self.rpc.clone().unwrap_or_default().domain();
        let name = self.proxy.as_ref().and_then(|proxy| proxy.name.as_deref());
        let mut budget = |key, default: Budget, table: Option<&BudgetTable>| {
            let budget = default.with(table);
            problems.read(&TablePath::Process(key), |refusals| budget.check(key == "inspect", refusals));
            budget
        };
        let inspect = budget("inspect", Budget::INSPECT, self.inspect.as_ref());
        let drain = budget("drain", Budget::DRAIN, self.drain.as_ref());
        ProcessSettings {
            ids: IdSettings {
                trust_valid: ids.trust() == Trust::Valid,
                traceparent: ids.traceparent(),
                upstream: ids.upstream(),
            },
            inspect,
            drain,
            observes_bodies: observe.bodies(),
            shows_paths: observe.path(),
            rpc_domain: problems
                .make(TablePath::Process("rpc"), |refusals| refusals.keep(compile_domain(domain)))
                .unwrap_or_default(),
            advice: problems
                .make(TablePath::Process("advice"), |refusals| self.advice.as_ref()?.compile(refusals))
                .unwrap_or_default(),
            cors: problems.make(TablePath::Process("cors"), |refusals| self.cors.as_ref()?.compile(refusals)),
            proxy_name: problems.make(TablePath::Process("proxy"), |refusals| refusals.keep(compile_proxy_name(name?))),
        }
    }
}

/// The limits for reading a body, in bytes and in time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) max_bytes: u64,
    pub(crate) timeout: Duration,
}

impl Budget {
    /// The default limits for reading an inner error's body. A longer body is not an error message, and waiting longer
    /// would cost the client more than the message is worth.
    const INSPECT: Self = Self { max_bytes: 64 * 1024, timeout: Duration::from_secs(1) };

    /// The default limits for dropping the rest of a refused request. A client that writes its whole request first can
    /// upload this much before it reads the 413. Few clients need more time.
    const DRAIN: Self = Self { max_bytes: 16 * 1024 * 1024, timeout: Duration::from_secs(2) };

    /// Returns this budget with the values that the table sets.
    fn with(self, table: Option<&BudgetTable>) -> Self {
        Self {
            max_bytes: table.and_then(|table| table.max_bytes).map_or(self.max_bytes, |Size(bytes)| bytes),
            timeout: table.and_then(|table| table.timeout).unwrap_or(self.timeout),
        }
    }

    fn check(self, is_held: bool, refusals: &mut Refusals) {
        const LARGEST: u64 = 1024 * 1024 * 1024;
        let mut refuse =
            |key, wrong, right| refusals.add(SettingError::new(key, wrong, right).of_kind(Kind::OutOfRange));
        if is_held && self.max_bytes > LARGEST {
            refuse("max_bytes", "the size is too large: error bodies are held in memory", "set at most 1 GiB");
        }
        if self.timeout.is_zero() || self.timeout > Duration::from_secs(300) {
            refuse("timeout", "the timeout is out of range", "set more than 0 and at most 5 minutes");
        }
    }
}

/// The settings of ids: how they are created, and whether the service's own id is kept (rules I2, I3, I4).
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IdSettings {
    pub(crate) trust_valid: bool,
    pub(crate) traceparent: bool,
    pub(crate) upstream: bool,
}

/// Checks a domain. AIP-193 requires a DNS name, and every RPC error contains the domain.
fn compile_domain(domain: Cow<'static, str>) -> Result<Cow<'static, str>, SettingError> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    if (1..=253).contains(&domain.len()) && domain.bytes().all(is_name) {
        return Ok(domain);
    }
    let right = "write a name such as \"orders.example.com\"";
    Err(SettingError::new("domain", "the domain is not a valid host name", right))
}

/// Returns the name as RFC 9209 §2 writes it: a token, or a string in quotes.
fn compile_proxy_name(name: &str) -> Result<Box<str>, SettingError> {
    if !(1..=64).contains(&name.len()) || !name.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        let right = "write 1 to 64 printable ASCII characters, such as \"edge\"";
        return Err(SettingError::new("name", "the name cannot be sent in a header", right));
    }
    let is_token_byte = |byte: u8| is_token_byte(byte) || matches!(byte, b':' | b'/');
    if name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '*') && name.bytes().all(is_token_byte) {
        return Ok(name.into());
    }
    Ok(format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")).into())
}

/// The placeholder for the code in the address of a page.
const CODE: &str = "{{code}}";

impl AdviceTable {
    fn compile(&self, refusals: &mut Refusals) -> Option<PolicyAdvice> {
        let docs =
            refusals.keep_some(self.docs.as_deref(), |docs| refuse_docs(&docs.replace(CODE, "x")).map(|()| docs))?;
        let pieces = docs.map(|docs| docs.split(CODE).map(Box::from).collect());
        Some(PolicyAdvice { retry: self.retry(), docs: pieces })
    }
}

/// The advice that a policy gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct PolicyAdvice {
    retry: bool,
    /// The address of the pages, in the pieces around the code.
    docs: Option<Box<[Box<str>]>>,
}

impl PolicyAdvice {
    /// Returns the advice for an error: the policy's advice, or else the advice of an inner layer (E7). `redefined` is
    /// the error's code of the catalogue, with the parts that the policy adds to this code.
    pub(super) fn of<'a>(&'a self, fault: &'a Fault, redefined: Option<&'a ErrorCode>) -> WrittenAdvice<'a> {
        let (code, inner) = (fault.code(), fault.advice());
        let own = || redefined.and_then(ErrorCode::added_retry).unwrap_or_else(|| code.retry());
        let retry = if self.retry { Some(own()) } else { inner.and_then(|inner| inner.retry) };
        let of_inner = || inner?.docs.as_deref().map(Docs::Address);
        let added = redefined.and_then(ErrorCode::docs).map(Docs::Address);
        let docs = added.or_else(|| self.docs_of(code)).or_else(of_inner);
        WrittenAdvice { retry: retry.map(Retry::as_str), docs }
    }

    /// Returns the page about a code: the code's own page, or else the policy's.
    pub(super) fn docs_of<'a>(&'a self, code: &'a ErrorCode) -> Option<Docs<'a>> {
        let of_policy = || Some(Docs::OfCode { pieces: self.docs.as_deref()?, code: code.as_str() });
        code.docs().map(Docs::Address).or_else(of_policy)
    }
}

pub(super) fn refuse_docs(address: &str) -> Result<(), SettingError> {
    if address.contains("{{") {
        let right = match address.contains(CODE) {
            true => "only the docs of [advice] may have {{code}}: write the code itself",
            false => "the only one is {{code}}, in the docs of [advice]",
        };
        return Err(SettingError::new("docs", "the address has an unknown placeholder", right));
    }
    if is_https_uri(address) {
        return Ok(());
    }
    if address.contains(['{', '}']) {
        let right = "write {{code}}, with two braces on each side";
        return Err(SettingError::new("docs", "the address has a brace that belongs to no placeholder", right));
    }
    let right = "write one such as \"https://docs.example.com/errors#{{code}}\", of at most 1,024 bytes";
    Err(SettingError::new("docs", "this is not an https address", right))
}

/// The settings of `[cors]`, compiled.
#[derive(Clone, Debug)]
pub(crate) struct Cors {
    /// The origins, or `None` if any origin is allowed.
    origins: Option<Box<[AllowedOrigin]>>,
    pub(crate) credentials: bool,
}

/// An origin, or all origins below a domain.
#[derive(Clone, Debug)]
struct AllowedOrigin {
    origin: Origin,
    /// True if the hosts below the named host are allowed, at any depth.
    is_below: bool,
}

/// A scheme, a host and a port, each in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    scheme: String,
    host: String,
    /// The port, or `None` for the default port of a scheme that is neither `http` nor `https`.
    port: Option<u16>,
}

impl CorsTable {
    fn compile(&self, refusals: &mut Refusals) -> Option<Cors> {
        let (origins, credentials) = (self.origins.as_deref().unwrap_or_default(), self.credentials());
        if origins.is_empty() {
            let right = "name one, such as \"https://app.example.com\", or remove the table";
            refusals.0.push(SettingError::new("origins", "no origin is listed", right));
        }
        let allows_all = origins.iter().any(|origin| origin == "*");
        if allows_all && credentials {
            let wrong = "\"*\" and credentials = true are mutually exclusive: browsers refuse both together";
            refusals.0.push(SettingError::new("origins", wrong, "name the origins").of_kind(Kind::Conflict));
        }
        let named = origins.iter().enumerate().filter(|(_, origin)| *origin != "*");
        let allowed: Vec<_> = named.map(|(at, it)| refusals.keep(AllowedOrigin::parse(at, it))).collect();
        let allowed = allowed.into_iter().collect::<Option<_>>()?;
        Some(Cors { origins: if allows_all { None } else { Some(allowed) }, credentials })
    }
}

impl Cors {
    /// Returns true if every origin is allowed, so that the header is the same for all requests.
    pub(crate) fn is_for_any(&self) -> bool {
        self.origins.is_none()
    }

    /// Returns the value of `access-control-allow-origin` for a request, or `None` if its origin is not allowed.
    pub(crate) fn allowed(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let sent = fields::single_value(headers, &ORIGIN)?;
        let origin = Origin::parse(sent.to_str().ok()?)?;
        match &self.origins {
            None => Some(HeaderValue::from_static("*")),
            Some(origins) => origins.iter().any(|allowed| allowed.covers(&origin)).then(|| sent.clone()),
        }
    }
}

impl AllowedOrigin {
    fn parse(at: usize, written: &str) -> Result<Self, SettingError> {
        let bare = written.replacen("://*.", "://", 1);
        let is_below = bare != written;
        Origin::parse(&bare).map(|origin| Self { origin, is_below }).ok_or_else(|| {
            let right = "write a scheme and a host, and a port if it is not the scheme's own, as in \
                         \"https://app.example.com\" or \"https://*.example.com\"";
            SettingError::new(format!("origins[{at}]"), format!("{written:?} is not an origin"), right)
        })
    }

    fn covers(&self, origin: &Origin) -> bool {
        if !self.is_below {
            return self.origin == *origin;
        }
        let is_below = |host: &str| host.strip_suffix(&*self.origin.host).is_some_and(|rest| rest.ends_with('.'));
        (&self.origin.scheme, self.origin.port) == (&origin.scheme, origin.port) && is_below(&origin.host)
    }
}

impl Origin {
    /// Parses an origin. Returns `None` for `null`, and for a text with more parts than an origin has, such as a path
    /// or a user name.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        let is_scheme_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
        if !scheme.starts_with(|first: char| first.is_ascii_alphabetic()) || !scheme.bytes().all(is_scheme_byte) {
            return None;
        }
        let authority: Authority = authority.parse().ok().filter(|_| !authority.contains(['@', '*']))?;
        let port = authority.as_str().strip_prefix(authority.host())?;
        let port = match port.strip_prefix(':') {
            None => None,
            Some(digits) => Some(digits.parse().ok()?),
        };
        let scheme = scheme.to_ascii_lowercase();
        let default = match &*scheme {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        let host = Some(authority.host().to_ascii_lowercase()).filter(|host| !host.is_empty())?;
        Some(Self { scheme, host, port: port.or(default) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors(origins: &[&str], credentials: bool) -> Result<Cors, SettingError> {
        let origins = Some(origins.iter().map(|it| (*it).to_owned()).collect());
        crate::table::alone(|it| CorsTable { origins, credentials: Some(credentials) }.compile(it))
    }

    #[test]
    fn r6a_an_origin_is_a_scheme_a_host_and_a_port() {
        let cors = cors(&["https://App.example", "https://*.a.example", "http://[::1]:3000", "app://x"], true).unwrap();
        let allows = |origin: &str| {
            let headers = [(ORIGIN, HeaderValue::from_str(origin).unwrap())].into_iter().collect();
            cors.allowed(&headers).is_some_and(|allowed| allowed == origin)
        };
        for origin in [
            "https://app.example",
            "https://app.example:443",
            "HTTPS://APP.example",
            "https://b.a.example",
            "https://c.b.a.example",
            "http://[::1]:3000",
            "app://x",
        ] {
            assert!(allows(origin), "{origin}");
        }
        for origin in [
            "https://app.example:8443",
            "http://app.example",
            "https://a.example",
            "https://ba.example",
            "https://app.example.evil.example",
            "https://app.example@evil.example",
            "https://evil.example/https://app.example",
            "null",
            "",
            "https://",
            "https://*.a.example",
            "http://[::1]",
            "app://x:1",
        ] {
            assert!(!allows(origin), "{origin}");
        }
        let two = [(ORIGIN, HeaderValue::from_static("app://x")), (ORIGIN, HeaderValue::from_static("app://x"))];
        assert!(cors.allowed(&two.into_iter().collect()).is_none());
    }

    #[test]
    fn r6a_what_is_no_origin_is_refused() {
        for (origins, credentials) in [
            (&[][..], false),
            (&["null"], false),
            (&["https://a.example/path"], false),
            (&["https://a.example/"], false),
            (&["a.example"], false),
            (&["https://*"], false),
            (&["https://a.*.example"], false),
            (&["https://u@a.example"], false),
            (&["https://a.example:x"], false),
            (&["*"], true),
        ] {
            let key = cors(origins, credentials).unwrap_err().key;
            assert!(["origins", "origins[0]"].contains(&&*key), "{origins:?}: {key}");
        }
        assert!(cors(&["*"], false).unwrap().is_for_any());
    }

    #[test]
    fn e10_the_code_stands_at_each_place_of_the_address() {
        let pages = [
            ("https://a.example/e", "https://a.example/e"),
            ("https://a.example/{{code}}", "https://a.example/not_found"),
            ("https://a.example/{{code}}?a={{code}}&b", "https://a.example/not_found?a=not_found&b"),
        ];
        for (docs, page) in pages {
            let advice =
                AdviceTable { retry: None, docs: Some(docs.into()) }.compile(&mut Refusals::default()).unwrap();
            let code = ErrorCode::NOT_FOUND;
            let written = advice.docs_of(&code).unwrap();
            let mut json = Vec::new();
            written.push_to(&mut json);
            assert_eq!((written.text().as_ref(), json), (page, format!("\"{page}\"").into_bytes()));
            assert_eq!(written.len(), page.len(), "{docs}");
        }
    }

    #[test]
    fn e10_an_address_that_is_no_https_uri_is_refused() {
        let refused = |docs: &'static str| {
            let mut refusals = Refusals::default();
            AdviceTable { retry: None, docs: Some(docs.into()) }.compile(&mut refusals);
            refusals.0.into_iter().map(|it| it.key).next()
        };
        for right in ["https://a.example/e#{{code}}", "https://a.example", "https://[::1]:8443/{{code}}?a={{code}}"] {
            assert_eq!(refused(right), None, "{right}");
        }
        for wrong in [
            "",
            "http://a.example",
            "https://",
            "https://#x",
            "a.example/e",
            "https://a.example/{{status}}",
            "https://a.example/{{ code }}",
            "https://a.example/{code}",
            "https://a.example/ä",
            "https://a.example/a b",
            "https://a.example/\"",
        ] {
            assert_eq!(refused(wrong).as_deref(), Some("docs"), "{wrong}");
        }
    }
}

//! `[advice]`: what a client can do next (rule E10).

use super::process::AdviceTable;
use crate::code::{ErrorCode, Retry};
use crate::dialect::outgoing::{Docs, WrittenAdvice};
use crate::fault::Fault;
use crate::syntax::is_https_uri;
use crate::table::{Refusals, SettingError};

/// Takes the place of the code in the address of a page.
const CODE: &str = "{{code}}";

impl AdviceTable {
    pub(super) fn compile(self, refusals: &mut Refusals) -> Option<PolicyAdvice> {
        let docs = refusals.keep_some(self.docs, |docs| refuse_docs(&docs.replace(CODE, "x")).map(|()| docs))?;
        let pieces = docs.map(|docs| docs.split(CODE).map(Box::from).collect());
        Some(PolicyAdvice { retry: self.retry.unwrap_or_default(), docs: pieces })
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
    /// The advice for an error: the policy's, else that of an inner layer (E7).
    pub(crate) fn of<'a>(&'a self, fault: &'a Fault) -> WrittenAdvice<'a> {
        let (code, inner) = (fault.code(), fault.advice());
        let retry = if self.retry { Some(code.retry()) } else { inner.and_then(|inner| inner.retry) };
        let of_inner = || inner?.docs.as_deref().map(Docs::Address);
        WrittenAdvice { retry: retry.map(Retry::as_str), docs: self.docs_of(code).or_else(of_inner) }
    }

    /// The page about a code: the code's own, else the policy's.
    pub(crate) fn docs_of<'a>(&'a self, code: &'a ErrorCode) -> Option<Docs<'a>> {
        let of_policy = || Some(Docs::OfCode { pieces: self.docs.as_deref()?, code: code.as_str() });
        code.docs().map(Docs::Address).or_else(of_policy)
    }
}

pub(super) fn refuse_docs(address: &str) -> Result<(), SettingError> {
    if address.contains("{{") {
        return Err(SettingError::new("docs", "the address has an unknown placeholder", "the only one is {{code}}"));
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

#[cfg(test)]
mod tests {
    use super::*;

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

//! The codes of a policy.

use super::ErrorCode;

/// The codes that a policy accepts: those of the catalogue and custom ones.
#[derive(Clone, Debug, Default)]
pub struct CodeSet {
    /// The custom codes, sorted by name.
    own: Vec<ErrorCode>,
    /// Codes of the catalogue for which the policy sets other details.
    redefined: Vec<ErrorCode>,
}

impl CodeSet {
    /// `codes` are custom codes ([`ErrorCode::custom`]), and codes of the catalogue that have other
    /// [details](ErrorCode::with_details). Their order does not matter, and each name occurs once.
    pub fn new(codes: Vec<ErrorCode>) -> Self {
        let (redefined, mut own): (Vec<_>, Vec<_>) = codes.into_iter().partition(ErrorCode::is_in_catalogue);
        own.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Self { own, redefined }
    }

    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// Returns the custom codes, in the order of their names.
    pub fn custom_codes(&self) -> impl Iterator<Item = &ErrorCode> {
        self.own.iter()
    }

    /// Returns the codes of the catalogue in its order, with the policy's details, and then the custom codes.
    pub fn iter(&self) -> impl Iterator<Item = &ErrorCode> {
        let redefined = |code| self.redefined.iter().find(|other| *other == code).unwrap_or(code);
        ErrorCode::ALL.iter().map(redefined).chain(&self.own)
    }

    /// Returns true if the policy sets other details for this code of the catalogue.
    pub fn redefines(&self, code: &ErrorCode) -> bool {
        self.redefined.contains(code)
    }

    /// Returns the code of that name, in any letter case; `None` if neither the catalogue nor the policy has it.
    pub fn find(&self, name: &str) -> Option<ErrorCode> {
        ErrorCode::in_catalogue(name).or_else(|| {
            let at = self.place(&name.to_ascii_lowercase())?;
            Some(self.own[at].clone())
        })
    }

    /// For a custom code of a service that the policy defines as well: its index among [`Self::custom_codes`], and the
    /// code with the policy's settings. A setting that the policy omits is the service's.
    #[inline]
    pub fn defined(&self, code: &ErrorCode) -> Option<(usize, ErrorCode)> {
        if code.is_in_catalogue() { None } else { self.defined_own(code) }
    }

    fn defined_own(&self, code: &ErrorCode) -> Option<(usize, ErrorCode)> {
        let at = self.place(code.as_str())?;
        Some((at, self.own[at].completed_by(code)))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.own.binary_search_by(|own| own.as_str().cmp(name)).ok()
    }
}

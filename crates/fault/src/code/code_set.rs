//! The codes that a policy defines.

use super::ErrorCode;

/// The codes that a policy accepts: the catalogue and its own.
#[derive(Clone, Debug, Default)]
pub struct CodeSet {
    own: Vec<ErrorCode>,
    /// Codes of the catalogue with details of the policy's own.
    described: Vec<ErrorCode>,
}

impl CodeSet {
    /// `codes` are made by [`ErrorCode::custom`], or are codes of the catalogue with
    /// [details](ErrorCode::with_details). Each name occurs once, in any order.
    pub fn new(codes: Vec<ErrorCode>) -> Self {
        let (described, mut own): (Vec<_>, Vec<_>) = codes.into_iter().partition(ErrorCode::is_in_catalogue);
        own.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Self { own, described }
    }

    pub fn len(&self) -> usize {
        self.own.len()
    }

    /// The policy's own codes, by name.
    pub fn own(&self) -> impl Iterator<Item = &ErrorCode> {
        self.own.iter()
    }

    /// The catalogue in its order, each code with its details, then the policy's own codes.
    pub fn iter(&self) -> impl Iterator<Item = &ErrorCode> {
        let described = |code| self.described.iter().find(|other| *other == code).unwrap_or(code);
        ErrorCode::ALL.iter().map(described).chain(&self.own)
    }

    /// The known code of that name, in any letter case.
    pub fn find(&self, name: &str) -> Option<ErrorCode> {
        ErrorCode::in_catalogue(name).or_else(|| {
            let at = self.place(&name.to_ascii_lowercase())?;
            Some(self.own[at].clone())
        })
    }

    /// A service's code with the policy's settings, and its index among the policy's own codes. Settings that the
    /// policy omits are the service's.
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

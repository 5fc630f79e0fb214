//! The codes that a policy defines.

use super::ErrorCode;

/// The codes that a policy accepts: the catalogue and its own.
#[derive(Clone, Debug, Default)]
pub struct CodeSet(Vec<ErrorCode>);

impl CodeSet {
    /// `own` are codes made by [`ErrorCode::custom`], each name once, in any order.
    pub fn new(mut own: Vec<ErrorCode>) -> Self {
        own.sort_by(|a, b| a.as_str().cmp(b.as_str()));
        Self(own)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The policy's own codes, by name.
    pub fn own(&self) -> impl Iterator<Item = &ErrorCode> {
        self.0.iter()
    }

    /// The known code of that name, in any letter case.
    pub fn find(&self, name: &str) -> Option<ErrorCode> {
        ErrorCode::in_catalogue(name).or_else(|| {
            let at = self.place(&name.to_ascii_lowercase())?;
            Some(self.0[at].clone())
        })
    }

    /// A service's code as the policy defines it, and its place among the policy's own. Settings that the policy leaves out are
    /// the service's.
    pub fn defined(&self, code: &ErrorCode) -> Option<(usize, ErrorCode)> {
        let at = if code.is_in_catalogue() { None } else { self.place(code.as_str()) }?;
        Some((at, self.0[at].completed_by(code)))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.0.binary_search_by(|own| own.as_str().cmp(name)).ok()
    }
}

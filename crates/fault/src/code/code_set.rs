//! The codes of a policy.

use super::ErrorCode;

/// The codes that a policy accepts, which are the codes of the catalogue and custom codes.
#[derive(Clone, Debug, Default)]
pub struct CodeSet {
    /// The custom codes, sorted by name.
    own: Vec<ErrorCode>,
    /// Codes of the catalogue to which the policy adds details, docs or a retry advice.
    redefined: Vec<ErrorCode>,
}

impl CodeSet {
    /// Creates a set from these codes. Each is a custom code ([`ErrorCode::custom`]), or a code of the catalogue to
    /// which [details](ErrorCode::with_details), docs or a retry advice were added. The order of the codes does not
    /// matter, and each name occurs once.
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

    /// Returns the codes that the policy defines: the custom codes, and the codes of the catalogue to which the policy
    /// adds something.
    pub fn defined_codes(&self) -> impl Iterator<Item = &ErrorCode> {
        self.own.iter().chain(&self.redefined)
    }

    /// Returns the codes of the catalogue in its order, with everything that the policy adds to them, and then the
    /// custom codes.
    pub fn iter(&self) -> impl Iterator<Item = &ErrorCode> {
        ErrorCode::ALL.iter().map(|code| self.redefined(code).unwrap_or(code)).chain(&self.own)
    }

    /// Returns the code of the catalogue with everything that the policy adds to it, or `None` if the policy adds
    /// nothing.
    #[inline]
    pub fn redefined(&self, code: &ErrorCode) -> Option<&ErrorCode> {
        self.redefined.iter().find(|other| *other == code)
    }

    /// Returns the code with that name, in any letter case. Returns `None` if neither the catalogue nor the policy has
    /// the code.
    pub fn find(&self, name: &str) -> Option<ErrorCode> {
        let of_catalogue = ErrorCode::in_catalogue(name).map(|code| self.redefined(&code).cloned().unwrap_or(code));
        of_catalogue.or_else(|| {
            let at = self.place(&name.to_ascii_lowercase())?;
            Some(self.own[at].clone())
        })
    }

    /// Looks up a service's custom code in the policy. If the policy also defines the code, returns its index among
    /// [`Self::custom_codes`], and the code with the policy's settings. If the policy omits a setting, the service's
    /// setting is used.
    #[inline]
    pub fn defined(&self, code: &ErrorCode) -> Option<(usize, ErrorCode)> {
        if code.is_in_catalogue() {
            return None;
        }
        let at = self.place(code.as_str())?;
        Some((at, self.own[at].completed_by(code)))
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.own.binary_search_by(|own| own.as_str().cmp(name)).ok()
    }
}

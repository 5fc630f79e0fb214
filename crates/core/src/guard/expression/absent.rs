//! The expressions in a build without the feature `pattern`, which refuses all of them.

use super::Values;
use crate::table::SettingError;

#[derive(Clone, Debug)]
pub(crate) enum WholeValue {}

impl WholeValue {
    pub(crate) fn compile(_: &str, _: Values) -> Result<Self, SettingError> {
        Err(refused("pattern"))
    }

    pub(crate) fn matches(&self, _: &[u8]) -> bool {
        match *self {}
    }
}

#[derive(Debug)]
pub(crate) enum InText {}

impl InText {
    pub(crate) fn compile(key: &'static str, _: &str) -> Result<Self, SettingError> {
        Err(refused(key))
    }

    pub(crate) fn is_in(&self, _: &str) -> bool {
        match *self {}
    }
}

fn refused(key: &'static str) -> SettingError {
    let right = "build with the feature \"pattern\" of tower-error-envelope";
    SettingError::new(key, "regular expressions are not part of this build", right)
}
